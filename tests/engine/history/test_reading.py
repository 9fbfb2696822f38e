"""History read from a records branch that holds much else."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from controller.documents import write
from controller.engine.history import read_approvals, read_history
from controller.git import Committer, Identity, Mirror
from controller.model import CommitId
from controller.runtime import SystemClock
from controller.sandbox import GitHost
from tests.engine.history.test_versions import names, placement
from tests.engine.operations.make import group
from tests.git.test_changes import Write

WHO = Identity("Converge", "converge@example.com")
SHOP = group("prod/shop")
PATH = "status/prod/shop.yaml"


def status(*placements: Mapping[str, Any]) -> bytes:
    told = [{**one, "since": "2026-11-21T12:00:00Z", "pending": 0, "drifted": 0} for one in placements]
    return write(
        {
            "apiVersion": "converge/v1",
            "kind": "Status",
            "metadata": {"environment": "prod", "application": "shop"},
            "sync": "Synced",
            "health": "Healthy",
            "lifecycle": "active",
            "since": "2026-11-21T12:00:00Z",
            "placements": [_with_times(one) for one in told],
        }
    )


def _with_times(one: dict[str, Any]) -> dict[str, Any]:
    applied = {"applied": {**one["applied"], "since": "2026-11-21T12:00:00Z"}} if "applied" in one else {}
    return {**one, **applied}


async def told(mirror: Mirror, *files: Mapping[str, bytes]) -> CommitId:
    """Commit each of these as one commit of the records branch, in one push."""
    async with Committer(mirror, "converge-status", identity=WHO, clock=SystemClock()) as committer:
        await asyncio.gather(*(committer.submit(Write(one)) for one in files))
    return await mirror.resolve("converge-status")


def others(count: int) -> list[Mapping[str, bytes]]:
    return [{"status/prod/other.yaml": b"%d" % number} for number in range(count)]


async def test_the_branch_is_read_only_as_far_as_the_versions_need(shop: Mirror) -> None:
    await told(shop, {PATH: status(placement("ap"))}, *others(120), {PATH: status(placement("bp"))}, *others(30))
    head = await told(shop, {PATH: status(placement("cp"))})
    newest = await read_history(shop, head, SHOP, limit=1)
    assert (names(newest.versions), newest.is_cut) == (["cp"], True)
    everything = await read_history(shop, head, SHOP, limit=10)
    assert (names(everything.versions), everything.is_cut) == (["cp", "bp", "ap"], False)


async def test_a_status_that_somebody_else_wrote_is_no_state(shop: Mirror) -> None:
    head = await told(
        shop, {PATH: status(placement("ap"))}, {PATH: b"kind: Mine\n"}, {PATH: b"{"}, {PATH: status(placement("bp"))}
    )
    found = (await read_history(shop, head, SHOP, limit=5)).versions
    assert names(found) == ["bp", "ap"]
    assert sum(len(one.states) for one in found) == 2


async def test_a_group_that_was_never_told_of_has_no_history(shop: Mirror) -> None:
    head = await told(shop, *others(1))
    history = await read_history(shop, head, SHOP, limit=5)
    assert (history.versions, history.is_cut) == ((), False)


async def test_approvals_are_the_commits_that_added_one(git_host: GitHost, shop: Mirror) -> None:
    path = "approvals/prod/shop.yaml"
    for data in (b"plans: ['sha256:a']\n", b"plans: ['sha256:a', 'sha256:b']\n", b"plans: ['sha256:b']\n"):
        head = await git_host.commit("shop", {path: data})
    approved = await read_approvals(shop, head, SHOP)
    assert [[one.plan for one in some.approvals] for some in approved] == [["sha256:b"], ["sha256:a"]]
    assert approved[0].info.author == "Alice Example"


async def test_an_application_whose_name_is_no_name_for_a_file_has_its_history(shop: Mirror) -> None:
    head = await told(shop, {"status/prod/con~1143da2bc54c495c.yaml": status(placement("ap"))})
    assert (await read_history(shop, head, group("prod/con"), limit=5)).versions
