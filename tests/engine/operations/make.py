"""A platform as a person lays it out, with comments everywhere, and what an operation makes of its lines."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from controller.engine.operations.operation import Operation, edited
from controller.model import ApplicationName, EnvironmentName, GroupRef, MemoryTree

PLATFORM = b"""\
apiVersion: converge/v1
kind: Platform
metadata: {name: acme}
spec:
  installation: 3c9e0f0a-6d0e
  repositories:
    shop: {url: /srv/shop.git, may: {environments: [dev, prod], namespaces: [shop]}}
    other: {url: /srv/other.git}
"""
DEV = b"""\
apiVersion: converge/v1
kind: Environment
metadata: {name: dev}
spec:
  targets:
    home: {kubernetes: {}}
  applications:
    shop: {repository: shop,  path: deploy, revision: main}   # moves fast
    other: {repository: other}
"""
PROD = b"""\
# What customers use.
apiVersion: converge/v1
kind: Environment
metadata: {name: prod}
spec:
  targets:
    home: {kubernetes: {}}   # and no other
    away: {kubernetes: {context:  away}}

  applications:
    shop:
      repository: shop
      revision: v1.0   # a tag

    # who is billed
    other:
      repository: shop
      revision: main
"""
DEV_OVERLAY = b"""\
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
images:
- name: registry.example.com/shop/web
  newName: mirror.example.com/web
  newTag: "2.0"   # built last night
- {name: db, digest: "sha256:abc"}
- name: sidecar
  newTag: "7"
"""
PROD_OVERLAY = b"""\
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component

# what customers see
images:
- name: registry.example.com/shop/web   # the shop
  newTag: '1.0'

- name: db
  newTag: "1"
replicas:
- {name:  web, count: 3}
patches: [ ]
"""
FILES = {
    "converge.yaml": PLATFORM,
    "environments/dev.yaml": DEV,
    "environments/prod.yaml": PROD,
    "overlays/dev/shop/kustomization.yaml": DEV_OVERLAY,
    "overlays/prod/shop/kustomization.yml": PROD_OVERLAY,
}


def group(text: str) -> GroupRef:
    environment, _, application = text.partition("/")
    return GroupRef(EnvironmentName(environment), ApplicationName(application))


def lines(operation: Operation, files: Mapping[str, bytes] = FILES) -> dict[str, list[str]]:
    """Give each changed file's lines that went (`-`) and came (`+`)."""
    found: dict[str, list[str]] = {}
    for path, data in edited(operation, MemoryTree(files)).items():
        pair = (files.get(path, b"").decode().splitlines(), data.decode().splitlines())
        diff = list(difflib.unified_diff(*pair, n=0, lineterm=""))[2:]
        found[path] = [f"{line[0]} {line[1:]}" for line in diff if line[0] in "-+"]
    return found
