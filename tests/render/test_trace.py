from __future__ import annotations

import pytest

from controller.model import Element, FieldPath, ObjectKey, Stalled
from controller.render import explain

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
