"""Autoscalers that nobody told us of in git: looked for only where an apply would move a live number of replicas."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container, Mapping, Sequence
from typing import Any, Final

import orjson

from controller.model import FieldPath, Manifest, ObjectKey, Release, Stalled, Waiting
from controller.targets.kubernetes.connection import Request, Response
from controller.targets.kubernetes.discovery import Discovery, Resource
from controller.targets.kubernetes.handover import read_annotation
from controller.targets.releasing import REPLICAS, by_autoscaler, scale_target

KINDS: Final = (("autoscaling/v2", "HorizontalPodAutoscaler"), ("keda.sh/v1alpha1", "ScaledObject"))
PATH: Final[FieldPath] = ("spec", "replicas")
FOUND: Final = "on the cluster"  # what the annotation of such a release ends with: git does not say it
CONTROLLER: Final = "kube-controller-manager"  # that runs HorizontalPodAutoscalers, also those of KEDA


def is_known(manifest: Manifest) -> bool:
    """Tell whether replicas are left to others already."""
    return any(one.field == REPLICAS and not one.managers for one in manifest.releases)


def released_before(text: str) -> tuple[Release, ...]:
    """Give the autoscaler that was found on the cluster at our last apply, as the object's annotation tells."""
    why = read_annotation(text).get(REPLICAS, "") if text else ""
    return (by_autoscaler(why),) if why.endswith(FOUND) else ()


async def found_on_cluster(
    send: Callable[[Request], Awaitable[Response]],
    discovery: Discovery,
    key: ObjectKey,
    managed: Sequence[Mapping[str, Any]],
    *,
    ours: Container[ObjectKey],
) -> Release | None:
    """Say whether something on the cluster scales an object, asking for the autoscalers of its namespace.

    Those of `ours` count by what git says of them, which is known already: one that is here still is about to go.
    """
    may_not_ask = False
    for api_version, kind in KINDS:
        try:
            resource = await discovery.resource(api_version, kind)
        except (Waiting, Stalled):
            continue  # not served: there are none
        answer = await send(Request("GET", resource.path(key.namespace)))
        if answer.status != 200:
            may_not_ask = True
            continue
        for one in orjson.loads(answer.body).get("items") or ():
            name = str((one.get("metadata") or {}).get("name", ""))
            scaler = _key(resource, key.namespace, name)
            if scaler not in ours and scale_target(scaler, one) == key:
                return by_autoscaler(f"{kind} {name} {FOUND}")
    if may_not_ask and any(one.get("manager") == CONTROLLER and one.get("subresource") == "scale" for one in managed):
        return by_autoscaler(f"an autoscaler ({CONTROLLER} scales it) {FOUND}")
    return None


def _key(resource: Resource, namespace: str, name: str) -> ObjectKey:
    return ObjectKey(resource.group, resource.kind, namespace, name)
