"""Which creations a plain POST may preflight instead of a server-side apply: it costs the server half as much.

A dry run by POST with `fieldValidation=Strict` (Kubernetes 1.25) finds what an apply finds: fields that the schema does
not know, values of another type, admission, quota, namespaces that are not there. It does not find what only an apply
asks for: list elements with merge keys, each set of them once (structured-merge-diff), metadata that is the server's,
and the right to patch. What might fail there is left to the apply. Only a yes of the POST counts: any other answer has
the apply asked, whose words are the ones that `errors` sorts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import orjson

from controller.model import ObjectKey
from controller.targets.kubernetes.connection import JSON, Request, Response
from controller.targets.kubernetes.discovery import Resource

PLAIN_METADATA: Final = frozenset({"name", "namespace", "labels", "annotations"})

BUILT_IN_GROUPS: Final = frozenset({
    "", "apps", "batch", "autoscaling", "policy", "admissionregistration.k8s.io", "certificates.k8s.io",
    "coordination.k8s.io", "discovery.k8s.io", "networking.k8s.io", "node.k8s.io", "rbac.authorization.k8s.io",
    "scheduling.k8s.io", "storage.k8s.io",
})  # fmt: skip

# Of the merge keys of every list in what may be applied of these groups at least one (`x-kubernetes-list-map-keys`).
MERGE_KEYS: Final = ("name", "containerPort", "port", "mountPath", "devicePath", "ip", "topologyKey")

Place = tuple[str, str, str]  # group-kind, namespace ("" for all of them) and the account that asks


def is_plain(body: Mapping[str, Any], group: str) -> bool:
    """Tell whether nothing in a manifest's body could fail in an apply alone."""
    metadata = body.get("metadata")
    if not isinstance(metadata, dict) or not metadata.keys() <= PLAIN_METADATA:
        return False
    is_built_in = group in BUILT_IN_GROUPS
    return all(_is_plain(value, is_built_in=is_built_in) for name, value in body.items() if name != "metadata")


def _is_plain(node: Any, *, is_built_in: bool) -> bool:
    if isinstance(node, dict):
        return all(_is_plain(one, is_built_in=is_built_in) for one in node.values() if isinstance(one, dict | list))
    if not isinstance(node, list):
        return True
    if len(node) > 1 and not is_built_in:  # whose merge keys nobody told us
        return False
    is_told_apart = _are_named(node) if node and isinstance(node[0], dict) else _are_scalars(node)
    return is_told_apart and all(_is_plain(one, is_built_in=is_built_in) for one in node if isinstance(one, dict))


def _are_scalars(elements: Sequence[Any]) -> bool:
    """Tell whether these may be a set: scalars, each of them once."""
    if any(one is None or isinstance(one, dict | list) for one in elements):
        return False
    return len({str(one) for one in elements}) == len(elements)


def _are_named(elements: Sequence[Any]) -> bool:
    """Tell whether elements have merge keys and differ in each of them, whichever are the list's."""
    seen: set[tuple[str, str]] = set()
    for one in elements:
        keys = [(name, str(one[name])) for name in MERGE_KEYS if name in one] if isinstance(one, dict) else []
        if not keys or not seen.isdisjoint(keys):
            return False
        seen.update(keys)
    return True


class Permissions:
    """Where we may patch, asked once per kind, or per kind and namespace where not all are ours."""

    def __init__(self, send: Callable[[Request], Awaitable[Response]]) -> None:
        self._send = send
        self._known: dict[Place, bool] = {}
        self._asking = asyncio.Lock()

    async def may_patch(self, resource: Resource, namespace: str, account: str = "") -> bool:
        """Tell whether the server says that we, or the account, may. A server that does not tell says no."""
        for where in dict.fromkeys(("", namespace)):
            place = (resource.group_kind, where, account)
            if place not in self._known:
                async with self._asking:
                    if place not in self._known:
                        self._known[place] = await self._ask(resource, where, account)
            if self._known[place]:
                return True
        return False

    def forget(self, key: ObjectKey) -> None:
        """Ask again: the server refused what it had allowed."""
        self._known = {
            place: may
            for place, may in self._known.items()
            if place[0] != key.group_kind or place[1] not in {"", key.namespace}
        }

    async def _ask(self, resource: Resource, namespace: str, account: str) -> bool:
        answer = await self._send(replace(review_request(resource, namespace), account=account))
        if answer.status != 201:
            return False
        status = orjson.loads(answer.body).get("status") or {}
        return status.get("allowed") is True


def review_request(resource: Resource, namespace: str) -> Request:
    """Ask whether we may patch every object of a kind in a namespace, "" for all namespaces."""
    attributes = {"verb": "patch", "group": resource.group, "resource": resource.plural, "namespace": namespace}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    return Request("POST", path, (), orjson.dumps(review), JSON)
