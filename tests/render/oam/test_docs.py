"""The examples of docs/oam.md render."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from controller.render.oam import render_application

from .applications import from_yaml

DOCS = Path(__file__).parents[3] / "docs"
PAGE = DOCS / "oam.md"
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_of_the_page_renders_without_a_warning(example: str) -> None:
    body = from_yaml(example)
    given = {one["name"]: "given" for each in body["spec"]["components"] for one in each.get("outputs", ())}
    found = render_application(body, values=given)
    assert found.warnings == ()
    assert all(one.objects or one.references for one in found.deployments)


def test_the_page_names_every_type_that_there_is() -> None:
    from controller.render.oam.components import COMPONENTS
    from controller.render.oam.policies import PARAMETERS
    from controller.render.oam.references import REFERENCE_TYPES
    from controller.render.oam.traits import TRAITS

    table = PAGE.read_text().partition("## What is supported")[2].partition("Everything else")[0]
    words = set(re.split(r"[\s,;|]+", table))
    assert {*COMPONENTS, *REFERENCE_TYPES, *TRAITS, *PARAMETERS} - words == set()
