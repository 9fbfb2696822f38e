"""Which fields of an object are defaults: the server says so itself, in dry creations without them.

Of the fields that often are defaults all are left out at once. Those that do not come back with the live value are put
back, and tried one by one: some hang together (a Service's `type` and its policies), and some must be there
(`restartPolicy` of a Job).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Final

import orjson

from controller.model import FieldPath
from controller.targets.kubernetes.cleaning import cleaned
from controller.targets.kubernetes.connection import JSON, Connection, Request
from controller.targets.kubernetes.discovery import Resource
from controller.targets.kubernetes.handover import without

SAID: Final = frozenset({"apiVersion", "kind", "metadata", "data", "stringData"})
MEANT_EMPTY: Final = frozenset({"emptyDir", "podSelector", "namespaceSelector"})
OFTEN_DEFAULTS: Final = frozenset({
    "allocateLoadBalancerNodePorts", "allowVolumeExpansion", "automountServiceAccountToken", "backoffLimit", "behavior",
    "completionMode", "completions", "concurrencyPolicy", "defaultMode", "dnsPolicy", "externalTrafficPolicy",
    "failedJobsHistoryLimit", "failurePolicy", "failureThreshold", "imagePullPolicy", "internalTrafficPolicy",
    "ipFamilies", "ipFamilyPolicy", "manualSelector", "matchPolicy", "metrics", "parallelism", "periodSeconds",
    "persistentVolumeClaimRetentionPolicy", "podManagementPolicy", "podReplacementPolicy", "policyTypes",
    "progressDeadlineSeconds", "protocol", "restartPolicy", "revisionHistoryLimit", "schedulerName", "scheme",
    "securityContext", "serviceAccount", "sessionAffinity", "strategy", "successThreshold",
    "successfulJobsHistoryLimit", "suspend", "targetPort", "terminationGracePeriodSeconds", "terminationMessagePath",
    "terminationMessagePolicy", "timeoutSeconds", "type", "updateStrategy", "volumeMode", "weight",
})  # fmt: skip
NAMES_A_TYPE: Final = frozenset({"fieldRef", "volumeClaimTemplates"})  # within these apiVersion and kind are defaults

Trial = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any] | str]]  # what would be made, or why not


async def without_defaults(body: dict[str, Any], trial: Trial) -> tuple[dict[str, Any], str]:
    """Leave out of an object what the server fills in, and say why that could not be asked ("" where it could)."""
    doubted = tuple(often_defaults(body))
    if not doubted:
        return body, ""
    made = await trial(without(body, doubted))
    kept = list(doubted) if isinstance(made, str) else [one for one in doubted if not _comes_back(made, body, one)]
    if kept and isinstance(whole := await trial(body), str):
        return without(body, [one for one in doubted if one not in kept]), whole
    for path in tuple(kept):
        left = [*(one for one in doubted if one not in kept), path]
        made = await trial(without(body, left))
        if not isinstance(made, str) and all(_comes_back(made, body, one) for one in left):
            kept.remove(path)
    return without(body, [one for one in doubted if one not in kept]), ""


def _comes_back(made: Mapping[str, Any], body: Mapping[str, Any], path: FieldPath) -> bool:
    return bool(value_of(made, path) == value_of(body, path))


def asking(connection: Connection, resource: Resource, namespace: str, room: asyncio.Semaphore) -> Trial:
    """Make the trial that asks a server, under a name that is free; nothing is created."""

    async def trial(body: Mapping[str, Any]) -> Mapping[str, Any] | str:
        name = hashlib.sha256(orjson.dumps(body)).hexdigest()[:12]
        named = {**body, "metadata": {**body["metadata"], "name": f"converge-import-{name}"}}
        query = (("dryRun", "All"), ("fieldManager", "converge"))
        async with room:
            answer = await connection.send(Request("POST", resource.path(namespace), query, orjson.dumps(named), JSON))
        if answer.status != 201:
            return f"{answer.status} {_message(answer.body)}".strip()
        return cleaned(orjson.loads(answer.body), resource)

    return trial


def _message(body: bytes) -> str:
    try:
        return str(orjson.loads(body).get("message", ""))
    except (orjson.JSONDecodeError, AttributeError):
        return ""


def often_defaults(node: Any, path: FieldPath = ()) -> Iterator[FieldPath]:
    """Name the fields that may be defaults. What has one of these names is doubted whole, and not looked into."""
    if isinstance(node, dict):
        for name, value in node.items():
            here = (*path, name)
            if len(here) == 1 and name in SAID:
                continue
            if _is_doubted(name, value, path):
                yield here
            else:
                yield from often_defaults(value, here)
    elif isinstance(node, list):
        for index, value in enumerate(node):
            if isinstance(value, dict):
                yield from often_defaults(value, (*path, index))


def _is_doubted(name: str, value: Any, path: FieldPath) -> bool:
    if path and name in OFTEN_DEFAULTS:
        return True
    if name in {"apiVersion", "kind"} and NAMES_A_TYPE & {one for one in path[-2:] if isinstance(one, str)}:
        return True
    return value in ({}, []) and name not in MEANT_EMPTY


def value_of(node: Any, path: FieldPath) -> Any:
    """Look a field up by names and indices; None where there is none."""
    for step in path:
        if isinstance(node, dict) and isinstance(step, str):
            node = node.get(step)
        elif isinstance(node, list) and isinstance(step, int) and step < len(node):
            node = node[step]
        else:
            return None
    return node
