from __future__ import annotations

import pytest

from controller.model import Element, FieldPath, ObjectKey, Stalled
from controller.render import explain, render
from controller.render.kustomize.kustomization import entry_line

from .requests import request_of

WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  template:
    spec:
      containers:
      - name: web
        image: nginx:1.0
        env:
        - {name: MODE, value: "slow"}
"""
COMPONENT = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"
OVERLAY = (
    COMPONENT
    + "images:\n- {name: nginx, newTag: '2.5'}\npatches:\n- patch: |\n    apiVersion: apps/v1\n    kind: Deployment\n"
    + "    metadata: {name: web}\n    spec:\n      replicas: 4\n- target: {kind: Deployment}\n  patch: |\n"
    + "    - {op: replace, path: /spec/template/spec/containers/0/env/0/value, value: fast}\n"
)
FILES = {"deploy/kustomization.yaml": "resources: [web.yaml]\nnamePrefix: p-\n", "deploy/web.yaml": WEB}
KEY = ObjectKey("apps", "Deployment", "default", "p-web")
CONTAINER: FieldPath = ("spec", "template", "spec", "containers", Element((("name", "web"),)))
ROOT = "overlays/prod/shop/kustomization.yaml"


def settings(*field: str | Element, overlay: str = OVERLAY) -> list[tuple[str, int, bool]]:
    request = request_of(FILES, {ROOT: overlay} if overlay else {})
    found = explain(request, KEY, field)
    return [(str(one.origin), one.column, one.overridden) for one in found]


def test_a_value_of_the_base_is_found_there() -> None:
    assert settings(*CONTAINER, "image", overlay="") == [("deploy/web.yaml:10", 16, False)]


def test_a_merged_value_is_found_in_the_overlay_over_the_base() -> None:
    assert settings("spec", "replicas") == [(f"{ROOT}:11", 17, False), ("deploy/web.yaml:5", 13, True)]


def test_a_name_is_found_in_its_parts() -> None:
    assert settings("metadata", "name", overlay="") == [
        ("deploy/web.yaml:3", 18, False),
        ("deploy/kustomization.yaml:2", 13, False),
    ]


def test_a_json_patch_is_found_over_the_base() -> None:
    found = settings(*CONTAINER, "env", Element((("name", "MODE"),)), "value")
    assert found == [(f"{ROOT}:14", 80, False), ("deploy/web.yaml:12", 31, True)]


def test_an_image_is_found_in_the_parts_it_is_made_of() -> None:
    found = settings(*CONTAINER, "image")
    assert found == [("deploy/web.yaml:10", 16, False), (f"{ROOT}:4", 26, False)]


@pytest.mark.parametrize(
    "field", [("spec", "nothing"), ("spec", "template", "spec", "containers", Element((("name", "x"),)))]
)
def test_what_is_not_there_is_said(field: FieldPath) -> None:
    with pytest.raises(Stalled, match="there is no field"):
        explain(request_of(FILES, {}), KEY, field)
    with pytest.raises(Stalled, match="no such object"):
        explain(request_of(FILES, {}), ObjectKey("", "Service", "", "x"), field)


GENERATED = """\
resources: [web.yaml]
configMapGenerator:
# settings
- name: first
  literals: [LOG=info]

- name: second
  behavior: create
  files:
  - text.txt
  literals:
  - MODE=slow
secretGenerator: [{name: third, literals: [key=hunter2]}]
"""


def generated(kind: str, stem: str, *field: str) -> tuple[str, list[tuple[str, int]]]:
    """Give where a generated object stands, and where one of its fields comes from."""
    files = {"deploy/kustomization.yaml": GENERATED, "deploy/web.yaml": WEB, "deploy/text.txt": "a line\nwith words\n"}
    request = request_of(files, {})
    one = next(each for each in render(request).desired.manifests if each.key.name.startswith(stem))
    assert one.key.kind == kind
    found = explain(request, one.key, field)
    return str(one.origin), [(str(each.origin), each.column) for each in found]


def test_a_generated_object_stands_at_its_entry_and_its_data_where_they_are_written() -> None:
    root = "deploy/kustomization.yaml"
    assert generated("ConfigMap", "first", "data", "LOG") == (f"{root}:4", [(f"{root}:5", 18)])
    assert generated("ConfigMap", "second", "data", "MODE") == (f"{root}:7", [(f"{root}:12", 10)])
    assert generated("ConfigMap", "second", "data", "text.txt") == (f"{root}:7", [("deploy/text.txt:2", 1)])
    assert generated("Secret", "third", "data", "key") == (f"{root}:13", [(f"{root}:13", 48)])


ENTRIES = [
    ("f:\n- a\n- b\n", [2, 3]),
    ("x: 1\nf:  # why\n\n# c\n  - name: |\n     - no\n    y:\n    - no\n  # c\n  - z: 1\nother:\n  - no\n", [5, 10]),
    ("f:\r\n-\r\n  a: 1\r\n- b\r\n", [2, 4]),
    ("f: [a, b]\n", [0, 0]),
    ("- f:\n", [0]),
    ("f:\n- a\n---\n- b\n", [2, 0]),
    ("# f:\n'f':\n- a\n", [0]),
]


@pytest.mark.parametrize(("text", "lines"), ENTRIES)
def test_an_entrys_line_is_found_without_parsing_or_not_at_all(text: str, lines: list[int]) -> None:
    assert [entry_line(text.encode(), "f", at) for at in range(len(lines))] == lines
