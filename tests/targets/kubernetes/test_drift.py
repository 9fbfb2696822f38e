"""Drift by ownership, row by row, on a real API server: every kind of hand edit, judged without a request."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.model import format_path
from controller.targets.kubernetes.labels import INSTALLATION_LABEL
from controller.targets.kubernetes.ownership import (
    baseline,
    editor_of,
    is_as_applied,
    lost,
    misordered_lists,
    owned,
)
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api
from tests.cluster.kubectl import Kubectl
from tests.fixtures.waiting import eventually
from tests.targets.kubernetes.observing import SHOP, Observer, observing

pytestmark = pytest.mark.cluster

TABLE = yaml.safe_load(Path(__file__).with_name("cases").joinpath("drift.yaml").read_text())
WEB = TABLE["object"]
Row = dict[str, Any]


async def edited(row: Row, observer: Observer, api: Api, kubectl: Kubectl) -> None:
    """Make the edit, and wait until the cache has heard of it."""
    stdin = row.get("stdin", "")
    if "mine" in row:
        body = observer.stamped(WEB)
        body["spec"] |= row["mine"]["spec"]
        stdin = json.dumps(body)
    await kubectl(*row["edit"], stdin=stdin)
    version = (await api.get("apps/v1", "Deployment", "web"))["metadata"]["resourceVersion"]

    def is_heard() -> bool:
        member = observer.member("web")
        if row.get("is_unlabelled"):  # its status may have moved since, which nobody tells us any more
            return member is not None and INSTALLATION_LABEL not in member.live()["metadata"]["labels"]
        return member is not None and int(member.resource_version) >= int(version)

    await eventually(is_heard)


@pytest.mark.parametrize("row", TABLE["edits"], ids=[row["name"] for row in TABLE["edits"]])
async def test_a_hand_edit_is_judged_from_its_event_alone(
    row: Row, cluster: KubeAccess, api: Api, kubectl: Kubectl
) -> None:
    async with observing(cluster) as observer:
        applied = await observer.apply(WEB)
        before = owned(applied.managed())
        await edited(row, observer, api, kubectl)

        member = observer.member("web")
        assert member is not None
        assert member.is_suspect is row["suspect"]
        gone = lost(before, owned(member.managed()))
        assert sorted(map(format_path, gone)) == sorted(row["lost"])
        wrong = misordered_lists(WEB, member.live(), owned(member.managed()).tree())
        assert list(map(format_path, wrong)) == row.get("misordered", [])
        if gone:
            editor = editor_of(member.managed(), gone[0], exclude={"converge"})
            told = editor and {
                "manager": editor.manager,
                "operation": editor.operation,
                "timed": editor.time is not None,
                **({"subresource": editor.subresource} if editor.subresource else {}),
            }
            assert told == row["by"]


@pytest.mark.parametrize("row", TABLE["edits"], ids=[row["name"] for row in TABLE["edits"]])
async def test_a_restarted_controller_judges_by_the_object_alone(
    row: Row, cluster: KubeAccess, api: Api, kubectl: Kubectl
) -> None:
    async with observing(cluster) as first:
        await first.apply(WEB)
        await first.write_parent("Deployment.apps")
        desired = first.stamped(WEB)
        await edited(row, first, api, kubectl)
    if row.get("is_unlabelled"):
        return  # nothing lists it any more: the plan finds it, by its own dry run
    async with observing(cluster, installation=first.installation) as second:
        await eventually(second.is_told)
        member = second.member("web")
        assert member is not None
        assert member.is_suspect
        is_moved = row["suspect"] and not row.get("is_spoofed")
        assert is_as_applied(desired, member.live(), member.managed()) is not is_moved
        if not is_moved:
            second.cache.note_clean(member, baseline(member.live(), member.managed()))
            assert not second.cache.members(SHOP)[0].is_suspect


async def test_our_own_apply_gives_the_first_field_set_again(cluster: KubeAccess, api: Api, kubectl: Kubectl) -> None:
    async with observing(cluster) as observer:
        first = await observer.apply(WEB)
        await kubectl("scale", "deployment/web", "--replicas=5")
        await kubectl("set", "image", "deployment/web", "web=example.com/web:2")
        again = await observer.apply(WEB)
        assert owned(again.managed()) == owned(first.managed())
        assert baseline(again.live(), again.managed()) == baseline(first.live(), first.managed())
        assert not again.is_suspect


async def test_a_status_that_moves_wakes_nobody_and_raises_no_suspicion(cluster: KubeAccess, api: Api) -> None:
    async with observing(cluster) as observer:
        body = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": {"hard": {"pods": "9"}}}
        await observer.apply(body)
        await eventually(lambda: (one := observer.member("q")) and "used" in one.live().get("status", {}))
        observer.woken.clear()
        live = await api.get("v1", "ResourceQuota", "q")
        patch = {"status": {"used": {"pods": "7"}}}
        moved = await api.patch(live, patch, subresource="status")
        version = moved["metadata"]["resourceVersion"]
        await eventually(lambda: (one := observer.member("q")) and one.resource_version >= version)
        member = observer.member("q")
        assert member is not None
        assert not member.is_suspect
        assert observer.woken == []


async def test_a_second_event_after_drift_leaves_it_drift(cluster: KubeAccess, api: Api, kubectl: Kubectl) -> None:
    async with observing(cluster) as observer:
        await observer.apply(WEB)
        await kubectl("scale", "deployment/web", "--replicas=5")
        await eventually(lambda: (one := observer.member("web")) and one.is_suspect)
        noted = await api.patch(copy.deepcopy(WEB), {"metadata": {"annotations": {"note": "x"}}})
        version = int(noted["metadata"]["resourceVersion"])
        await eventually(lambda: (one := observer.member("web")) and int(one.resource_version) >= version)
        member = observer.member("web")
        assert member is not None
        assert member.is_suspect


async def test_a_hand_edit_that_is_undone_by_hand_stays_suspect_because_we_own_it_no_more(
    cluster: KubeAccess, kubectl: Kubectl
) -> None:
    async with observing(cluster) as observer:
        await observer.apply(WEB)
        await kubectl("scale", "deployment/web", "--replicas=5")
        await kubectl("scale", "deployment/web", "--replicas=2")
        await eventually(
            lambda: (one := observer.member("web")) and one.is_suspect and one.live()["spec"]["replicas"] == 2
        )
