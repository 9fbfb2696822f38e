from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from controller.render.oam import render_application

from .applications import CASES
from .compare import load

CASE_FILES = sorted(one for one in CASES.glob("*/objects*.yaml"))


@pytest.mark.parametrize("expected", CASE_FILES, ids=lambda one: f"{one.parent.name}/{one.stem}")
def test_an_application_comes_to_its_objects_in_order(expected: Path) -> None:
    body = load(expected.parent / "application.yaml")[0]
    _, _, topology = expected.stem.partition("@")
    found = render_application(body, topology=topology or None)
    assert list(found.objects) == load(expected)


@pytest.mark.parametrize("folder", sorted(one for one in CASES.iterdir() if one.is_dir()), ids=lambda one: one.name)
def test_rendering_changes_nothing_of_the_application_and_shares_nothing_with_it(folder: Path) -> None:
    body, untouched = load(folder / "application.yaml")[0], load(folder / "application.yaml")[0]
    first = render_application(body)
    for one in first.objects:
        _spoil(one)
    assert body == untouched
    assert render_application(body).objects == render_application(untouched).objects


def _spoil(value: Any) -> None:
    if isinstance(value, dict):
        for one in value.values():
            _spoil(one)
        value["spoiled"] = True
    elif isinstance(value, list):
        for one in value:
            _spoil(one)
        value.append("spoiled")
