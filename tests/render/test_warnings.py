"""What kustomize does in silence is told, with the line of the entry that does it."""

from __future__ import annotations

import pytest

from controller.model import Position
from tests.render.requests import rendered

COMPONENT = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: a, image: nginx:1}
      - {name: b, image: other:1, env: [{name: X, value: "1"}, {name: Y, value: "2"}]}
"""
OVERLAY = "overlays/prod/shop/kustomization.yaml"
HEAD = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n"


def warnings(overlay: str, base: str = WEB) -> list[tuple[Position, str]]:
    found = rendered({"deploy/web.yaml": base}, {OVERLAY: COMPONENT + overlay})
    return [(one.where, one.what) for one in found.warnings]


def merge(spec: str) -> str:
    text = f"{HEAD}spec: {{template: {{spec: {{containers: [{spec}]}}}}}}\n"
    return "patches:\n- patch: |\n" + "".join(f"    {line}\n" for line in text.splitlines())


@pytest.mark.parametrize(
    ("overlay", "line", "words"),
    [
        ("patches:\n- target: {kind: Service}\n  patch: '- {op: remove, path: /spec}'\n", 4, "matches nothing"),
        ("patches:\n- {target: {name: no.*}, patch: '{apiVersion: v1, kind: X, metadata: {name: y}}'}\n", 4, "nothing"),
        (
            "patchesJson6902:\n- {target: {version: v1, kind: Service, name: x}, patch: '- {op: remove, path: /a}'}\n",
            4,
            "matches nothing",
        ),
        ("images:\n- {name: nginx, newTag: '2'}\n- {name: ngin, newTag: '2'}\n", 5, "runs the image ngin"),
        (
            "replacements:\n- {source: {kind: Deployment, name: web}, targets: [{select: {kind: X}}]}\n",
            4,
            "matches nothing",
        ),
    ],
)
def test_an_entry_that_changes_nothing_is_told(overlay: str, line: int, words: str) -> None:
    ((where, what),) = warnings(overlay)
    assert (where.path, where.line) == (OVERLAY, line)
    assert words in what


def test_what_an_overlay_does_not_find_is_idle_here() -> None:
    overlay = {OVERLAY: COMPONENT + "images: [{name: ngin, newTag: '2'}]\n" + merge("{name: b, image: x}")}
    found = rendered({"deploy/web.yaml": WEB}, overlay)
    assert [one in found.idle for one in found.warnings] == [False, True]  # patches come before images


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("{name: b, image: other:2}", ["containers are in another order now: b, a"]),
        ("{name: a, image: nginx:2}", []),
        ("{name: a}, {name: b, image: other:2}", []),
        ("{name: new, image: x}", []),
        ("{name: a, $patch: delete}", []),
        ("{name: a}, {name: b, env: [{name: Y, value: '3'}]}", ["env are in another order now: Y, X"]),
    ],
)
def test_elements_that_change_places_are_told(spec: str, told: list[str]) -> None:
    assert [what.partition("web: ")[2] for _, what in warnings(merge(spec))] == told


def test_a_namespace_put_on_what_has_none_is_told() -> None:
    crd = (
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things.x.io}\n"
        "spec: {group: x.io, names: {kind: Thing, plural: things}, scope: Cluster}\n"
    )
    thing = "apiVersion: x.io/v1\nkind: Thing\nmetadata: {name: t}\n"
    ((where, what),) = warnings("namespace: shop\n", f"{crd}---\n{thing}")
    assert where == Position("deploy/web.yaml", 6)
    assert "Thing has no namespace" in what
