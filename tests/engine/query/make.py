"""Instance records, as small as a test needs them."""

from __future__ import annotations

import uuid
from typing import Any

from controller.documents import write
from controller.records import schemas

PLACES = {1: "Environment", 2: "Application", 3: "Target"}


def instance(
    key: str, *relations: tuple[str, str], health: str = "Healthy", lifecycle: str = "active", **attributes: Any
) -> dict[str, Any]:
    parts = key.split("/")
    return {
        "apiVersion": "converge/v1",
        "kind": "Instance",
        "identity": {"key": key, "id": str(uuid.uuid5(uuid.NAMESPACE_OID, key))},
        "model": PLACES.get(len(parts), parts[-2]) if len(parts) > 1 else "Environment",
        "name": parts[-1].replace("%2F", "/").replace("%25", "%"),
        "attributes": attributes,
        "relations": [{"type": kind, "target": target} for kind, target in relations],
        "provenance": {"repository": "shop", "path": "deploy/web.yaml", "line": 1, "commit": "a" * 40, "author": "Li"},
        "observed": {"sync": "Synced", "health": health, "since": "2026-11-01T10:00:00Z"},
        "lifecycle": lifecycle,
    }


def path_of(record: dict[str, Any]) -> str:
    return f"cmdb/{record['identity']['key']}.yaml"


def file_of(record: dict[str, Any]) -> bytes:
    assert schemas()["Instance"]
    return write(record)


WEB = instance(
    "prod/shop/hz/shop/Deployment.apps/web",
    ("partOf", "prod/shop"),
    ("uses", "prod/shop/hz/shop/Secret/db"),
    ("uses", "prod/_/hz/shop/Secret/pull"),
    images={"web": "nginx:1.2", "log": "fluent/bit:3"},
    replicas=3,
)
JOB = instance(
    "prod/shop/hz/shop/CronJob.batch/report",
    ("uses", "prod/shop/hz/shop/Secret/db"),
    health="Degraded",
    images={"main": "python:3.11"},
)
DB = instance("prod/shop/hz/shop/Secret/db", ("partOf", "prod/shop"), type="Opaque")
PULL = instance("prod/base/hz/shop/Secret/pull", ("partOf", "prod/base"))
STAGING = instance("staging/shop/hz/shop/Deployment.apps/web", images={"web": "nginx:1.3"}, replicas=12)
OLD = instance("prod/shop/hz/shop/Deployment.apps/old", lifecycle="retired", images={"web": "nginx:1.2"}, replicas=1)
SHOP = instance("prod/shop", ("partOf", "prod"), version="a" * 40)
EVERY = (WEB, JOB, DB, PULL, STAGING, OLD, SHOP)
