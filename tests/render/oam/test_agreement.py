"""KubeVela's own output, read from where it is. `CONVERGE_SHARED` names the directory that holds `oam-cases`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from controller.model import Invalid
from controller.render.oam import render_application

from .compare import comparable, load

FOLDER = Path(os.environ.get("CONVERGE_SHARED", "")) / "oam-cases"


def cases() -> list[Any]:
    if not os.environ.get("CONVERGE_SHARED") or not (FOLDER / "manifest.jsonl").is_file():
        mark = pytest.mark.skip(reason="CONVERGE_SHARED does not name the shared cases")
        return [pytest.param({}, id="none", marks=mark)]
    rows = map(json.loads, (FOLDER / "manifest.jsonl").read_text().splitlines())
    return [pytest.param(one, id=one["id"]) for one in rows]


def application_of(case: dict[str, Any]) -> Any:
    documents = load(FOLDER / "in" / f"{case['id']}.yaml")
    return next(one for one in documents if one.get("kind") == "Application")


@pytest.mark.parametrize("case", cases())
def test_an_application_comes_to_what_kubevela_makes_of_it(case: dict[str, Any]) -> None:
    if case["kind"] == "error":
        with pytest.raises(Invalid):
            render_application(application_of(case), namespace="default")
        return
    homes = {case["namespace"] or "default", *case["moves"], *([] if case["namespace"] else [None])}
    for topology in ["", *case.get("topologies", [])]:
        suffix = f"@{topology}" if topology else ""
        try:
            rendered = render_application(application_of(case), topology=topology or None, namespace="default")
        except Invalid as error:
            if case["tier"] == "core" or "is not supported" not in str(error):
                raise
            pytest.skip(f"refused by name: {error}")
        wanted = load(FOLDER / "out" / f"{case['id']}{suffix}.yaml")
        assert comparable(rendered.objects, homes) == comparable(wanted, homes)
