"""Builds and refusals of kustomize itself: its own tests' and public repositories', read from where they are.

`CONVERGE_SHARED` names the directory that holds `kustomize-cases` and `kustomize-real`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from controller.model import Stalled
from controller.render import Order, build

from .disk import DirectoryTree

SHARED = os.environ.get("CONVERGE_SHARED", "")
FOLDERS = {"kustomize-cases": 4, "kustomize-real": 3}  # and how many parts of a case's directory are its own folder


def cases(folder: str) -> list[Any]:
    manifest = Path(SHARED) / folder / "manifest.jsonl"
    if not SHARED or not manifest.is_file():
        mark = pytest.mark.skip(reason="CONVERGE_SHARED does not name the shared cases")
        return [pytest.param({}, id="none", marks=mark)]
    return [pytest.param(one, id=one["id"]) for one in map(json.loads, manifest.read_text().splitlines())]


def check(folder: str, case: dict[str, Any]) -> None:
    base = Path(SHARED) / folder
    parts = case["dir"].split("/")
    own = FOLDERS[folder]
    tree, path = DirectoryTree(base.joinpath(*parts[:own])), "/".join(parts[own:])
    if case["kind"] != "build":
        with pytest.raises(Stalled):
            build(tree, path)
        return
    for order in Order:
        if order in case["expected"]:
            assert build(tree, path, order=order) == (base / case["expected"][order]).read_bytes()


@pytest.mark.parametrize("case", cases("kustomize-cases"))
def test_kustomizes_own_cases_build_to_its_bytes(case: dict[str, Any]) -> None:
    check("kustomize-cases", case)


@pytest.mark.parametrize("case", cases("kustomize-real"))
def test_kustomizations_of_public_repositories_build_to_its_bytes(case: dict[str, Any]) -> None:
    check("kustomize-real", case)
