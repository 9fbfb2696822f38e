"""Hand edits of every kind on objects of twenty kinds: each is found, told with who as the server knows, and undone."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.model import Action, Cause, ObjectPlan
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api, ApiError
from tests.fixtures.waiting import eventually
from tests.targets.kubernetes.placing import Body, Place, placed

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

KINDS = yaml.safe_load(Path(__file__).with_name("cases").joinpath("kinds.yaml").read_text())
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
NOTED = (LAST_APPLIED, "deprecated.daemonset.template.generation", "deployment.kubernetes.io/revision")
VOLATILE = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields")
GIVEN = {  # by the cluster, to each object anew
    "Service": ("clusterIP", "clusterIPs"),
    "PersistentVolumeClaim": ("volumeName",),
    "Job": ("selector", "template"),
}

Edit = Callable[[Api, Body, Body], Awaitable[object]]  # of an object as git says it, by a merge patch


def body_of(row: Body, namespace: str) -> Body:
    body: Body = json.loads(json.dumps(row["object"]).replace("$NS", namespace))
    metadata = body.setdefault("metadata", {})
    metadata |= {"name": "web", "namespace": namespace, "labels": {"team": "red"}}
    return body


async def patched(api: Api, body: Body, patch: Body) -> object:
    return await api.patch(body, patch, fieldManager="kubectl-edit")


async def labelled(api: Api, body: Body, _patch: Body) -> object:
    return await api.patch(body, {"metadata": {"labels": {"team": "blue"}}}, fieldManager="kubectl-label")


async def label_removed(api: Api, body: Body, _patch: Body) -> object:
    return await api.patch(body, {"metadata": {"labels": {"team": None}}}, fieldManager="kubectl-label")


async def our_label_removed(api: Api, body: Body, _patch: Body) -> object:
    return await api.patch(
        body, {"metadata": {"labels": {"converge/installation": None}}}, fieldManager="kubectl-label"
    )


async def replaced(api: Api, body: Body, patch: Body) -> object:
    """Write the live object back with an edit, as `kubectl edit` and `kubectl replace` do."""
    while True:
        live = await api.get(body["apiVersion"], body["kind"], "web")
        try:
            return await api.replace(merged(live, patch), fieldManager="kubectl-replace")
        except ApiError as error:
            if error.code != 409:  # its status moved meanwhile
                raise


async def applied(api: Api, body: Body, patch: Body) -> object:
    """Apply as kubectl does on its own side."""
    said = {"metadata": {"annotations": {LAST_APPLIED: json.dumps(merged(body, patch))}}}
    return await api.patch(body, merged(patch, said), fieldManager="kubectl-client-side-apply")


async def applied_by_force(api: Api, body: Body, patch: Body) -> object:
    return await api.apply(merged(body, patch), manager="kubectl", force=True)


async def managers_cleared(api: Api, body: Body, patch: Body) -> object:
    return await api.patch(body, merged(patch, {"metadata": {"managedFields": [{}]}}), fieldManager="kubectl-edit")


async def deleted(api: Api, body: Body, _patch: Body) -> object:
    return await api.delete(body, propagation="Background")


# Who is told; None: the server does not know. A removal has no author, nor what is written while nobody is noted.
EDITS: dict[str, tuple[Edit, str | None]] = {
    "patch": (patched, "kubectl-edit"),
    "label": (labelled, "kubectl-label"),
    "label removed": (label_removed, None),
    "our own label removed": (our_label_removed, None),
    "replace": (replaced, "kubectl-replace"),
    "apply": (applied, "kubectl-client-side-apply"),
    "apply --server-side --force-conflicts": (applied_by_force, "kubectl"),
    "managedFields cleared": (managers_cleared, None),
    "delete": (deleted, None),
}


def merged(one: Any, patch: Any) -> Any:
    """Merge as RFC 7386 says."""
    if not isinstance(patch, dict):
        return patch
    result = copy.deepcopy(one) if isinstance(one, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def as_git_says(live: Body) -> Body:
    """Leave out what no apply can bring back, and what kubectl noted beside."""
    body = {name: value for name, value in live.items() if name != "status"}
    metadata = {name: value for name, value in live["metadata"].items() if name not in VOLATILE}
    metadata["annotations"] = {
        name: value for name, value in (metadata.get("annotations") or {}).items() if name not in NOTED
    }
    given = GIVEN.get(live["kind"], ())
    if given:
        body["spec"] = {name: value for name, value in body["spec"].items() if name not in given}
    return {**body, "metadata": metadata}


async def all_live(api: Api, bodies: list[Body]) -> dict[str, Body]:
    found = await asyncio.gather(*(api.get(one["apiVersion"], one["kind"], "web") for one in bodies))
    return {one["kind"]: as_git_says(one) for one in found}


def suspects(place: Place) -> set[str]:
    """Name the kinds of which something is not as it was applied, or not there."""
    members = {one.key.kind: one for one in place.target._cache.members(place.placement)}
    kinds = {row["object"]["kind"] for row in KINDS}
    return {kind for kind in kinds if kind not in members or members[kind].is_suspect or members[kind].is_terminating}


async def test_every_hand_edit_of_every_kind_is_told_and_taken_back(cluster: KubeAccess, api: Api) -> None:
    bodies = [body_of(row, cluster.namespace) for row in KINDS]
    patches = [row["edit"] for row in KINDS]
    kinds = {one["kind"] for one in bodies}
    async with placed(cluster) as place:
        assert (await place.sync(*bodies)).failure is None
        before = await all_live(api, bodies)
        for name, (edit, who) in EDITS.items():
            await asyncio.gather(*(edit(api, body, patch) for body, patch in zip(bodies, patches, strict=True)))
            await eventually(lambda: suspects(place) == kinds)
            if edit is deleted:
                await eventually(lambda: not place.target._cache.members(place.placement))
            plan = await place.plan(*bodies)
            for one in plan.objects:
                assert_told(one, name, who)
            assert (await place.apply(plan)).failure is None, name
            assert await all_live(api, bodies) == before, name
            await eventually(lambda: not suspects(place))
            assert (await place.plan(*bodies)).is_empty, name


def assert_told(one: ObjectPlan, name: str, who: str | None) -> None:
    what = f"{name} of {one.key}: {one}"
    assert one.is_drifted, what
    assert not one.is_pending, what
    assert not one.objection, what
    if one.action is Action.CREATE:
        assert one.cause is Cause.DRIFT, what
        return
    told = {change.editor.manager if change.editor else None for change in one.changes}
    assert who in told, what
