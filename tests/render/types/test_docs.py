"""The examples of docs/types.md render: the Application with the shipped types, the manifest with parameters."""

from __future__ import annotations

import re
from pathlib import Path

from controller.documents import Dialect, read
from controller.model import Position, RepositoryName
from controller.render.oam import render_application
from controller.render.oam.reporting import Report
from controller.render.types import definitions_of, read_types
from controller.render.types.structure import Scope, fill
from controller.runtime import DirectoryTree

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "types.md").read_text()


def example(kind: str) -> object:
    found = re.search(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return read(found[1].encode(), path="types.md", dialect=Dialect.KUBERNETES)[0].value


def test_the_pages_application_renders() -> None:
    types = read_types(DirectoryTree(ROOT / "examples" / "types", RepositoryName("examples")), "")
    found = render_application(example("yaml"), types=definitions_of(types))
    assert [one["kind"] for one in found.objects] == ["Deployment", "Ingress", "Service"]


def test_the_pages_manifest_takes_its_parameters() -> None:
    report = Report(lambda _: Position("types.md"))
    parameters = {"image": "web:1", "replicas": 2, "env": {"A": "1"}}
    context = {"name": "web", "application": "shop", "namespace": ""}
    found = fill(example("yaml type"), Scope(parameters, context, report))
    report.settle()
    assert found["spec"]["template"]["spec"]["containers"] == [
        {"name": "web", "image": "web:1", "env": [{"name": "A", "value": "1"}]}
    ]
