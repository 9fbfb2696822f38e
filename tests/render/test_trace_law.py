"""The law of explaining: edit the named place, the field follows, and nothing else but what comes from there too."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.model import FieldPath, JsonValue, ObjectKey
from controller.render import Setting, explain, render
from tests.render.requests import request_of

COMPONENT = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
OVERLAY = "overlays/prod/shop/kustomization.yaml"
WORDS = ["web", "nginx", "slow", "v1", "team-a", "5"]  # few: the same word stands for several things
HEAD = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n"

MERGE = """\
patchesStrategicMerge:
- |
  apiVersion: apps/v1
  kind: Deployment
  metadata: {name: web}
  spec: {template: {spec: {containers: [{name: web, env: [{name: MODE, value: '%s'}]}]}}}
"""

# What an overlay may do, each with one word of its own.
PARTS = [
    "images:\n- {name: nginx, newTag: '%s'}\n",
    "images:\n- name: nginx\n  newName: registry.example.com/%s\n",
    "labels:\n- pairs: {team: '%s'}\n  includeTemplates: true\n",
    "commonAnnotations:\n  note: '%s'\n",
    "namePrefix: %s-\n",
    "configMapGenerator:\n- name: settings\n  literals:\n  - MODE=%s\n  - OTHER=web\n",
    "patches:\n- patch: '{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 3}}' # %s\n",
    "patches:\n- target: {kind: Deployment}\n  patch: |\n    - {op: add, path: /spec/paused, value: '%s'}\n",
    MERGE,
    "replicas:\n- name: web\n  count: 7\n# %s\n",
]


def web(word: str) -> str:
    return (
        f"{HEAD}spec:\n  replicas: 5\n  selector: {{matchLabels: {{app: web}}}}\n  template:\n"
        f"    metadata: {{labels: {{app: web}}}}\n    spec:\n      containers:\n      - name: web\n"
        f"        image: nginx:1.0\n        env:\n        - {{name: MODE, value: '{word}'}}\n"
        "        envFrom:\n        - configMapRef: {name: settings}\n"
    )


@st.composite
def applications(draw: st.DrawFn) -> tuple[dict[str, str], dict[str, str]]:
    parts = draw(st.lists(st.sampled_from(PARTS), min_size=1, max_size=4, unique_by=lambda one: one.split(":")[0]))
    base = {
        "deploy/kustomization.yaml": "resources: [web.yaml]\n",
        "deploy/web.yaml": web(draw(st.sampled_from(WORDS))),
    }
    overlay = COMPONENT + "".join(one % draw(st.sampled_from(WORDS)) for one in parts)
    return base, {OVERLAY: overlay}


HASHED = re.compile(rb"(settings-)[a-z0-9]{10}\b")
Leaf = tuple[str, FieldPath]  # the object's kind, for there is one of each, and the field


def leaves(files: Mapping[str, str], overlays: Mapping[str, str]) -> dict[Leaf, tuple[ObjectKey, JsonValue]]:
    found = {}
    for one in render(request_of(files, overlays)).desired.manifests:
        body = HASHED.sub(rb"\1hash", one.body)  # the hash of a content follows all of it
        for path, value in _leaves(json.loads(body), ()):
            found[one.key.kind, path] = (one.key, value)
    return found


def _leaves(value: Any, path: FieldPath) -> Iterator[tuple[FieldPath, JsonValue]]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if children is None:
        yield path, value
        return
    for step, one in children:
        yield from _leaves(one, (*path, step))


def edited(files: Mapping[str, str], one: Setting) -> dict[str, str]:
    """Write another value at the place that a setting names, and nowhere else."""
    lines = files[one.origin.path].split("\n")
    line, at = lines[one.origin.line - 1], one.column - 1
    assert line[at : at + len(one.text)] == one.text
    other = str(int(one.text) + 4) if re.fullmatch("[0-9]+", one.text) else f"{one.text}q"
    lines[one.origin.line - 1] = line[:at] + other + line[at + len(one.text) :]
    return {**files, one.origin.path: "\n".join(lines)}


@settings(max_examples=25)
@given(application=applications(), choice=st.randoms(use_true_random=False))
def test_the_field_follows_the_place_and_nothing_else_does(application: Any, choice: Any) -> None:
    files, overlays = application
    before = leaves(files, overlays)
    leaf = choice.choice(sorted((one for one in before if "-hash" not in str(before[one][1])), key=str))
    key, value = before[leaf]
    request = request_of(files, overlays)
    places = [one for one in explain(request, key, leaf[1]) if not one.overridden and one.text]
    for place in places:
        after = leaves(
            edited(files, place) if place.origin.path in files else files,
            edited(overlays, place) if place.origin.path in overlays else overlays,
        )
        assert after[leaf][1] != value
        others = [one for one in before if one != leaf and (one not in after or after[one][1] != before[one][1])]
        for other in others:
            named = explain(request, before[other][0], other[1])
            assert (place.origin, place.column) in {(one.origin, one.column) for one in named}, (place, other)
