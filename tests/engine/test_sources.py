"""Sources against a real git host: what a poll costs, and what each kind of trouble leaves in force."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from controller.engine.events import Event, RevisionFound, SourceFailed
from controller.engine.sources import Signers, Source
from controller.git import Mirrors
from controller.model import RepositoryName, Stalled, Transient
from controller.runtime import CredentialStore, SystemClock
from controller.sandbox import GitHost


@dataclass
class Followed:
    """A source, with everything that it told."""

    source: Source
    events: list[Event]
    moves: list[RepositoryName]


@pytest.fixture
async def followed(git_host: GitHost, tmp_path: Path) -> AsyncIterator[Followed]:
    await git_host.create("shop", {"deploy/a.yaml": b"a: 1\n"})
    mirrors = Mirrors(tmp_path / "cache", CredentialStore(tmp_path / "credentials"))
    events: list[Event] = []
    moves: list[RepositoryName] = []
    source = Source(
        RepositoryName("shop"),
        mirrors.mirror(git_host.url("shop")),
        clock=SystemClock(),
        interval_seconds=60.0,
        tell=events.append,
        moved=moves.append,
        chance=lambda: 0.5,
    )
    source.follow(frozenset({"main"}), Signers())
    yield Followed(source, events, moves)
    mirrors.close()


async def test_a_poll_reads_the_head_once(followed: Followed, git_host: GitHost) -> None:
    assert await followed.source.poll()
    checkout = followed.source.current("main")
    assert checkout.commit == await git_host.head("shop")
    assert checkout.tree.read("deploy/a.yaml") == b"a: 1\n"
    assert checkout.info.subject == "Begin shop"
    assert len(followed.moves) == 1


async def test_when_nothing_moved_a_poll_is_one_advertisement_and_nothing_else(
    followed: Followed, git_host: GitHost
) -> None:
    await followed.source.poll()
    git_host.requests.clear()
    await followed.source.poll()
    assert all("git-upload-pack" in request for request in git_host.requests)
    # Protocol 2: the capability advertisement, and one ls-refs.
    assert sum(git_host.requests.values()) == 2
    assert len(followed.moves) == 1


async def test_several_revisions_cost_one_advertisement(followed: Followed, git_host: GitHost) -> None:
    head = await git_host.head("shop")
    assert head is not None
    await git_host.tag("shop", "v1", head, message="One")
    followed.source.follow(frozenset({"main", "v1", head}), Signers())
    await followed.source.poll()
    git_host.requests.clear()
    await followed.source.poll()
    assert sum(git_host.requests.values()) == 2
    assert {followed.source.current(one).commit for one in ("main", "v1", head)} == {head}


async def test_a_force_push_is_followed(followed: Followed, git_host: GitHost) -> None:
    await followed.source.poll()
    new = await git_host.force_push("shop", {"deploy/b.yaml": b"b: 1\n"})
    await followed.source.poll()
    assert followed.source.current("main").commit == new


async def test_a_deleted_branch_is_stalled_by_name_and_the_others_go_on(followed: Followed, git_host: GitHost) -> None:
    head = await git_host.head("shop")
    assert head is not None
    await git_host.move_branch("shop", "next", head)
    followed.source.follow(frozenset({"main", "next"}), Signers())
    await followed.source.poll()
    await git_host.delete_branch("shop", "next")
    await followed.source.poll()
    with pytest.raises(Stalled, match="next"):
        followed.source.current("next")
    assert followed.source.current("main").commit == head


async def test_a_branch_that_comes_back_counts_again(followed: Followed, git_host: GitHost) -> None:
    followed.source.follow(frozenset({"late"}), Signers())
    await followed.source.poll()
    with pytest.raises(Stalled):
        followed.source.current("late")
    head = await git_host.head("shop")
    assert head is not None
    await git_host.move_branch("shop", "late", head)
    await followed.source.poll()
    assert followed.source.current("late").commit == head


async def test_a_repository_that_is_away_keeps_what_is_known_in_force_and_is_told_once(
    followed: Followed, git_host: GitHost
) -> None:
    await followed.source.poll()
    await git_host.go_away()
    assert not await followed.source.poll()
    assert not await followed.source.poll()
    assert followed.source.current("main").info.subject == "Begin shop"
    assert len([event for event in followed.events if isinstance(event, SourceFailed)]) == 1
    await git_host.come_back()
    new = await git_host.commit("shop", {"deploy/a.yaml": b"a: 2\n"})
    assert await followed.source.poll()
    assert followed.source.current("main").commit == new


async def test_a_repository_that_was_never_read_is_transient(followed: Followed, git_host: GitHost) -> None:
    await git_host.go_away()
    assert not followed.source.is_read("main")
    await followed.source.poll()
    with pytest.raises(Transient):
        followed.source.current("main")


async def test_a_new_commit_is_told_with_its_subject(followed: Followed, git_host: GitHost) -> None:
    await followed.source.poll()
    await git_host.commit("shop", {"x": b"1"}, message="Sell more")
    await followed.source.poll()
    assert [event.subject for event in followed.events if isinstance(event, RevisionFound)] == [
        "Begin shop",
        "Sell more",
    ]


async def test_a_head_without_the_demanded_signature_is_stalled(followed: Followed) -> None:
    key = b"alice@example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl\n"
    followed.source.follow(frozenset({"main"}), Signers(ssh=key))
    await followed.source.poll()
    with pytest.raises(Stalled, match="sign"):
        followed.source.current("main")
