"""Patches of a kustomize component are the kustomization's own, whoever they are written by."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.documents import decode
from controller.model import Invalid, MemoryTree, RepositoryName
from controller.render import Rendered, build, render

from .applications import application
from .test_placing import request

CASES = yaml.safe_load((Path(__file__).parent / "cases" / "kustomize-patches.yaml").read_text())
URL = "https://git.example.com/shop.git"
BASE: dict[str, str] = CASES["base"]


def rendered(properties: dict[str, Any], traits: list[dict[str, Any]], base: dict[str, str] = BASE) -> Rendered:
    component = {"name": "web", "type": "kustomize", "traits": traits, "properties": {"url": URL, "path": "base"}}
    component["properties"] |= properties
    files = {f"base__{name}": text.encode() for name, text in base.items()}
    return render(replace(request(application(component), **files), url=URL))


def bodies(found: Rendered) -> list[Any]:
    return [decode(one.body) for one in found.desired.manifests]


@pytest.mark.parametrize("case", CASES["cases"], ids=lambda one: one["name"])
def test_patches_are_those_of_the_kustomization_itself(case: dict[str, Any]) -> None:
    """What a component says of a kustomization gives what the kustomization gives that says so itself."""
    itself = yaml.safe_load(BASE["kustomization.yaml"])
    for name, more in case["kustomization"].items():
        itself[name] = [*itself.get(name, []), *more] if isinstance(more, list) else more
    files = {**BASE, "kustomization.yaml": yaml.safe_dump(itself)}
    tree = MemoryTree({f"base/{name}": text.encode() for name, text in files.items()}, RepositoryName("shop"))
    wanted = list(yaml.safe_load_all(build(tree, "base")))
    for one in wanted:  # the application's own, where an object has none
        one["metadata"].setdefault("namespace", "shop")
    found = bodies(rendered(case.get("properties", {}), case.get("traits", [])))
    assert found == sorted(wanted, key=lambda one: found.index(one) if one in found else -1)
    assert found != bodies(rendered({}, []))


@pytest.mark.parametrize("case", CASES["refused"], ids=lambda one: one["says"])
def test_a_patch_that_can_t_be_applied_is_told_at_its_own_line(case: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match=case["says"]) as caught:
        rendered(case.get("properties", {}), case.get("traits", []))
    assert {one.where.path for one in caught.value.problems} == {"deploy/app.yaml"}
    assert any(one.where.line > 1 for one in caught.value.problems)


def test_a_patch_that_matches_nothing_is_a_warning_at_its_own_line() -> None:
    patch = {"patch": "- {op: remove, path: /data}", "target": {"kind": "Deploymnt"}}
    found = rendered({}, [{"type": "kustomize-patch", "properties": {"patches": [patch]}}])
    (warning,) = found.warnings
    assert warning.where.path == "deploy/app.yaml"
    assert "matches nothing" in warning.what


def test_a_trait_of_patches_is_for_kustomizations_alone() -> None:
    trait = {"type": "kustomize-patch", "properties": {"patches": []}}
    component = {"name": "web", "type": "worker", "traits": [trait], "properties": {"image": "a:1"}}
    with pytest.raises(Invalid, match="for a component of type kustomize"):
        render(request(application(component)))
