"""Instances of a shop, as records tell them, with names that nobody would choose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.model import JsonValue
from controller.records.exporters import Instance, Relation

COMMIT = "1" * 40


def instance(
    key: str, model: str, *, retired: bool = False, relations: tuple[Relation, ...] = (), **attributes: JsonValue
) -> Instance:
    name = key.rpartition("/")[2].replace("%2F", "/")
    provenance: Mapping[str, Any] = {"repository": "shop", "path": "deploy/web.yaml", "line": 3, "commit": COMMIT}
    return Instance(
        key=key,
        id="00000000-0000-5000-8000-000000000000",
        model=model,
        name=name,
        attributes=attributes,
        relations=relations,
        provenance=provenance,
        sync="Synced",
        health="Healthy",
        since="2026-11-21T12:00:00Z",
        is_retired=retired,
    )


WEB = "prod/shop/hangzhou/shop/Deployment.apps/web"
SETTINGS = "prod/shop/hangzhou/shop/ConfigMap/settings"
HOSTILE = "prod/shop/hangzhou/_cluster/ClusterRole.rbac.authorization.k8s.io/system:" + "x" * 240
SHOP = (
    instance("prod", "Environment"),
    instance("prod/shop", "Application", version=COMMIT, repository="https://git.example.com/shop.git"),
    instance("prod/shop/hangzhou", "Target"),
    instance(
        WEB,
        "Deployment.apps",
        relations=(
            Relation("partOf", "prod/shop"),
            Relation("mounts", "prod/_/hangzhou/shop/ConfigMap/settings"),
            Relation("uses", "prod/_/hangzhou/shop/Secret/pull"),
        ),
        images=["registry.example.com/shop/web:1.8.3"],
        replicas=3,
        requests={"cpu": "100m"},
    ),
    instance(SETTINGS, "ConfigMap", relations=(Relation("partOf", "prod/shop"),), note="=HYPERLINK(1)"),
    instance(HOSTILE, "ClusterRole.rbac.authorization.k8s.io"),
    instance("prod/shop/hangzhou/shop/Service/a%2Fb 中文", "Service"),
)
