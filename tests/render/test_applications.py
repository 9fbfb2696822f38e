"""OAM Applications as a placement renders them."""

from __future__ import annotations

import pytest

from controller.documents import decode
from controller.model import (
    PLATFORM,
    ApplicationName,
    CommitId,
    EnvironmentName,
    Invalid,
    MemoryTree,
    PlacementRef,
    RepositoryName,
    Revision,
    TargetName,
)
from controller.render import Rendered, RenderRequest, overlay_paths, render

APPLICATION = b"""apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop}
spec:
  components:
  - name: front
    type: webservice
    properties: {image: registry.example.com/front:2.4.1, ports: [{port: 8080, expose: true}]}
    dependsOn: [cart]
    traits:
    - {type: scaler, properties: {replicas: 3}}
  - name: cart
    type: worker
    properties: {image: registry.example.com/cart:1.0.0}
"""
PLACE = PlacementRef(EnvironmentName("prod"), ApplicationName("shop"), TargetName("hz"))


def rendered(application: bytes, platform: dict[str, bytes] | None = None) -> Rendered:
    return render(
        RenderRequest(
            placement=PLACE,
            revision=Revision(CommitId("a" * 40), CommitId("b" * 40)),
            application=MemoryTree({"deploy/app.yaml": application}, RepositoryName("shop")),
            path="deploy",
            platform=MemoryTree(platform or {"converge.yaml": b""}, PLATFORM),
            overlays=overlay_paths(PLACE),
            namespace="shop",
        )
    )


def test_an_application_becomes_its_objects_in_the_entrys_namespace() -> None:
    manifests = rendered(APPLICATION).desired.manifests
    assert sorted(str(one.key) for one in manifests) == [
        "Deployment.apps shop/cart",
        "Deployment.apps shop/front",
        "Service shop/front",
    ]
    assert {one.origin.path for one in manifests} == {"deploy/app.yaml"}


def test_what_depends_on_another_component_comes_in_a_later_wave() -> None:
    waves = {}
    for one in rendered(APPLICATION).desired.manifests:
        body = decode(one.body)
        assert isinstance(body, dict)
        metadata = body["metadata"]
        assert isinstance(metadata, dict)
        annotations = metadata.get("annotations", {})
        assert isinstance(annotations, dict)
        waves[one.key.name] = int(str(annotations.get("converge/wave", 0)))
    assert waves["front"] > waves["cart"]


def test_an_overlay_patches_the_application_itself() -> None:
    overlay = b"""apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
patches:
- target: {kind: Application, name: shop}
  patch: |-
    - {op: replace, path: /spec/components/0/traits/0/properties/replicas, value: 5}
"""
    found = rendered(APPLICATION, {"overlays/prod/shop/kustomization.yaml": overlay})
    front = next(one for one in found.desired.manifests if str(one.key) == "Deployment.apps shop/front")
    assert b'"replicas":5' in front.body


def test_an_unknown_trait_says_where_it_stands_and_the_nearest_name() -> None:
    with pytest.raises(Invalid, match=r'deploy/app\.yaml:11: .*"scalr".*"scaler"'):
        rendered(APPLICATION.replace(b"type: scaler", b"type: scalr"))
