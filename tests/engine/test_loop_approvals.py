"""Approvals by several people, signed, through the whole loop: commits tell who counts, not what a file says."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.engine import PlacementReconciled
from controller.git import Committer, Identity, Mirrors, ssh_signer
from controller.model import CommitId, PlacementReport, Secret, SyncStatus
from controller.runtime import CredentialStore, SystemClock, bare_environment, run
from tests.cluster.api import Api
from tests.fixtures.loop import Loop, config_map

pytestmark = pytest.mark.slow

LI, WANG, ZHAO = (Identity(one, f"{one.lower()}@example.com") for one in ("Li", "Wang", "Zhao"))


class Said:
    """A change that writes one file, as a person's commit does."""

    subject = "Approve"
    trailers = ()

    def __init__(self, path: str, data: bytes) -> None:
        self._files = {path: data}

    def derive(self, _base: Any) -> dict[str, bytes]:
        return self._files


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, Path]:
    """Make an SSH key per person."""
    found = {}
    for one in (LI, WANG, ZHAO):
        key = tmp_path / one.name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        found[one.email] = key
    return found


def signers(keys: dict[str, Path], *who: Identity) -> bytes:
    return b"".join(f"{one.email} {keys[one.email].with_name(one.name + '.pub').read_text()}".encode() for one in who)


async def say(
    loop: Loop, author: Identity, plans: list[str], key: Path | None = None, branch: str = "main"
) -> CommitId:
    """Commit an approvals file as somebody, signed or not."""
    file = yaml.safe_dump({"plans": [{"plan": plan, "by": str(number)} for number, plan in enumerate(plans)]})
    mirror = Mirrors(loop.directory / "people", CredentialStore(loop.directory / "nothing")).mirror(
        loop.host.url("platform")
    )
    sign = ssh_signer(lambda: Secret(key.read_bytes())) if key else None
    start = await loop.host.head("platform")
    committer = Committer(mirror, branch, identity=author, clock=SystemClock(), suffix="", sign=sign, start=start)
    async with committer:
        commit = await committer.submit(Said("approvals/dev/shop.yaml", file.encode()))
    assert commit is not None
    return commit


async def awaiting(loop: Loop, says: str, *, since: int) -> PlacementReport:
    """Wait until the shop waits for an approval, with these words."""

    def holds(event: PlacementReconciled) -> bool:
        return event.report.sync is SyncStatus.AWAITING_APPROVAL and says in event.report.reason

    return (await loop.until(PlacementReconciled, holds, since=since)).report


def plan_in(report: PlacementReport) -> str:
    return next(word.rstrip(":") for word in report.reason.split() if word.startswith("sha256:"))


async def config(live: Api) -> Any:
    return (await live.get("v1", "ConfigMap", "a"))["data"]


async def begin(loop: Loop, keys: dict[str, Path], *who: Identity, **rules: Any) -> None:
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="1")})
    approvals = {"ssh": "keys/ops.signers", **rules}
    files = {"keys/ops.signers": signers(keys, *who)}
    await loop.platform({"shop": {}}, sync={"pending": "approve", "approvals": approvals}, files=files)


async def test_two_signed_yeses_are_needed_and_the_status_says_whose_is_missing(
    loop: Loop, live: Api, keys: dict[str, Path]
) -> None:
    await begin(loop, keys, LI, WANG, required=2)
    async with loop.start():
        plan = plan_in(await loop.report("shop", SyncStatus.AWAITING_APPROVAL))
        mark = loop.mark()
        await say(loop, LI, [plan], keys[LI.email])
        waiting = await awaiting(loop, "1 of 2", since=mark)
        assert waiting.waits[0].whom == (WANG.email,)
        mark = loop.mark()
        await say(loop, ZHAO, [plan, plan], keys[ZHAO.email])  # a stranger
        stranger = await awaiting(loop, "does not count", since=mark)
        assert stranger.waits[0].whom == (WANG.email,)
        await say(loop, WANG, [plan, plan, plan], keys[WANG.email])
        await loop.synced("shop")
    assert await config(live) == {"x": "1"}


async def test_an_unsigned_yes_counts_for_nobody(loop: Loop, live: Api, keys: dict[str, Path]) -> None:
    await begin(loop, keys, LI)
    async with loop.start():
        plan = plan_in(await loop.report("shop", SyncStatus.AWAITING_APPROVAL))
        mark = loop.mark()
        await say(loop, LI, [plan])
        await awaiting(loop, "no signature of an approver", since=mark)
        await say(loop, LI, [plan, plan], keys[LI.email])
        await loop.synced("shop")
    assert await config(live) == {"x": "1"}


async def test_whoever_made_the_change_can_not_approve_it_alone(loop: Loop, live: Api, keys: dict[str, Path]) -> None:
    await begin(loop, keys, LI, WANG, byAuthor=False)
    await loop.host.commit("shop", {"deploy/a.yaml": config_map("a", x="2")}, author=LI)
    async with loop.start():
        plan = plan_in(await loop.report("shop", SyncStatus.AWAITING_APPROVAL))
        mark = loop.mark()
        await say(loop, LI, [plan], keys[LI.email])
        waiting = await awaiting(loop, "an author of the change", since=mark)
        assert waiting.waits[0].whom == (WANG.email,)
        await say(loop, WANG, [plan, plan], keys[WANG.email])
        await loop.synced("shop")
    assert await config(live) == {"x": "2"}


async def test_a_yes_that_came_by_a_merge_is_of_whoever_committed_it_on_the_branch(
    loop: Loop, live: Api, keys: dict[str, Path]
) -> None:
    await begin(loop, keys, LI)
    async with loop.start():
        plan = plan_in(await loop.report("shop", SyncStatus.AWAITING_APPROVAL))
        theirs = await say(loop, LI, [plan], keys[LI.email], branch="approve-it")
        folder = loop.host.path("platform")
        ours = await loop.host.head("platform")
        argv = ["git", "commit-tree", f"{theirs}^{{tree}}", "-p", str(ours), "-p", theirs, "-m", "Merge it"]
        who = {
            f"GIT_{role}_{part}": "forge@example.com" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")
        }
        done = await run(argv, cwd=folder, env=bare_environment(who), deadline_seconds=60.0)
        await loop.host.move_branch("platform", "main", CommitId(done.stdout.decode().strip()))
        await loop.synced("shop")
    assert await config(live) == {"x": "1"}


async def test_the_controller_signs_its_own_commits_and_makes_them_as_it_is_told(
    loop: Loop, live: Api, keys: dict[str, Path]
) -> None:
    folder = loop.directory / "credentials" / "records-key"
    folder.mkdir()
    (folder / "ssh-privatekey").write_bytes(keys[ZHAO.email].read_bytes())
    commits = {
        "name": "Zhao's robot",
        "email": "robot@example.com",
        "sign": "records-key",
        "subject": "ops: ${summary}",
    }
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="1")})
    await loop.platform({"shop": {}}, platform={"commits": commits})
    async with loop.start() as controller:
        await loop.synced("shop")
        await controller.settled()
    mirror = Mirrors(loop.directory / "people", CredentialStore(loop.directory / "nothing")).mirror(
        loop.host.url("platform")
    )
    head = await mirror.resolve("converge-status")
    assert await mirror.signer(head, signers(keys, ZHAO), kind="ssh") == ZHAO.email
    info = await mirror.describe(head)
    assert (info.author, info.email) == ("Zhao's robot", "robot@example.com")
    assert info.subject.startswith("ops: dev/shop")
    assert info.subject.endswith("[skip ci]")
    assert await config(live) == {"x": "1"}
