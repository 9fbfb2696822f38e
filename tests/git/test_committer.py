from __future__ import annotations

import asyncio
import os
import resource
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from controller.git import Committer, Files, Identity, Mirror, Mirrors
from controller.model import Stalled, Transient
from controller.runtime import CredentialStore, SystemClock
from controller.sandbox import Access, GitHost
from tests.fixtures.clock import ManualClock
from tests.fixtures.waiting import eventually
from tests.git.test_changes import Count, Refuse, Write

WHO = Identity("Converge", "converge@example.com")
BRANCH = "converge-status"


@asynccontextmanager
async def committing(mirror: Mirror, **options: object) -> AsyncIterator[Committer]:
    settings = {"identity": WHO, "clock": SystemClock(), **options}
    async with Committer(mirror, BRANCH, **settings) as committer:  # type: ignore[arg-type]
        yield committer


async def test_the_first_change_makes_an_orphan_branch(git_host: GitHost, shop: Mirror) -> None:
    async with committing(shop) as committer:
        commit = await committer.submit(Write({"status/a.yaml": b"a: 1\n"}, trailers=(("Converge-Group", "prod/a"),)))
    assert await git_host.log("shop", BRANCH) == [commit]
    assert await git_host.names("shop", branch=BRANCH) == ["status/a.yaml"]
    assert await git_host.log("shop", BRANCH, form="%an <%ae>%n%B") == [
        "Converge <converge@example.com>\nprod/shop: Synced [skip ci]\n\nConverge-Group: prod/a\n"
    ]
    assert await git_host.log("shop", form="%s") == ["Begin shop"]


async def test_later_changes_keep_what_is_there(git_host: GitHost, shop: Mirror) -> None:
    async with committing(shop) as committer:
        await committer.submit(Write({"a": b"1", "b/c": b"1"}))
        await committer.submit(Write({"b/d": b"2", "a": None}))
    assert await git_host.names("shop", branch=BRANCH) == ["b/c", "b/d"]


async def test_equal_bytes_make_no_commit_and_no_request(git_host: GitHost, shop: Mirror) -> None:
    async with committing(shop) as committer:
        await committer.submit(Write({"a": b"1"}))
        git_host.requests.clear()
        assert await committer.submit(Write({"a": b"1"})) is None
        assert not git_host.requests
    assert len(await git_host.log("shop", BRANCH)) == 1


async def test_a_single_change_costs_a_push_and_no_read(git_host: GitHost, shop: Mirror) -> None:
    async with committing(shop) as committer:
        await committer.submit(Write({f"status/{n}": b"1" for n in range(50)}))
        git_host.requests.clear()
        await committer.submit(Write({"status/7": b"2"}))
    assert {request.split("?")[0].split()[1] for request in git_host.requests if "upload-pack" in request} == set()
    assert sum(git_host.requests.values()) == 2


async def test_what_comes_together_goes_out_together(git_host: GitHost, shop: Mirror) -> None:
    async with committing(shop) as committer, asyncio.TaskGroup() as group:
        for n in range(200):
            group.create_task(committer.submit(Write({f"status/{n}": b"1"}, subject=f"prod/{n}: Synced")))
    log = await git_host.log("shop", BRANCH, form="%B")
    assert len(log) <= 3
    assert all(f"prod/{n}: Synced" in "".join(log) for n in range(200))
    assert len(await git_host.names("shop", branch=BRANCH)) == 200


async def test_every_state_of_a_file_is_in_its_history(git_host: GitHost, shop: Mirror) -> None:
    async with committing(shop) as committer, asyncio.TaskGroup() as group:
        for state in (b"Syncing", b"Failed", b"Syncing", b"Synced"):
            group.create_task(committer.submit(Write({"status": state}, subject=state.decode())))
    assert await git_host.log("shop", BRANCH, form="%s") == [
        f"{state} [skip ci]" for state in ("Synced", "Syncing", "Failed", "Syncing")
    ]


async def test_the_overview_is_in_the_same_commit(git_host: GitHost, shop: Mirror) -> None:
    def finish(files: Files) -> dict[str, bytes | None]:
        return {"README.md": ", ".join(files.names("status")).encode()}

    async with committing(shop, finish=finish) as committer:
        await committer.submit(Write({"status/a": b"1"}))
        await committer.submit(Write({"status/b": b"1"}))
    assert await git_host.show("shop", "README.md", branch=BRANCH) == "a, b"
    assert len(await git_host.log("shop", BRANCH)) == 2


async def test_a_change_that_can_not_be_stops_no_other(git_host: GitHost, shop: Mirror) -> None:
    async with committing(shop) as committer:
        results = await asyncio.gather(
            committer.submit(Refuse()), committer.submit(Write({"a": b"1"})), committer.submit(Write({".git/x": b"1"})),
            return_exceptions=True,
        )  # fmt: skip
    assert [type(result) for result in results] == [Stalled, str, Stalled]


async def test_an_executable_file_stays_one(git_host: GitHost, shop: Mirror) -> None:
    from controller.git import Entry

    await git_host.commit("shop", {"run": Entry(b"1", "100755"), "plain": b"1"}, branch=BRANCH)
    async with committing(shop) as committer:
        await committer.submit(Write({"run": b"2", "plain": b"2"}))
    tree = await shop.tree(await shop.resolve(BRANCH))
    assert (tree.mode("run"), tree.mode("plain")) == ("100755", "100644")


async def test_somebody_else_s_commit_is_kept(git_host: GitHost, shop: Mirror) -> None:
    async with committing(shop) as committer:
        await committer.submit(Count("n"))
        theirs = await git_host.commit("shop", {"n": b"41", "theirs": b"1"}, branch=BRANCH)
        ours = await committer.submit(Count("n"))
    assert (await git_host.log("shop", BRANCH))[:2] == [ours, theirs]
    assert await git_host.show("shop", "n", branch=BRANCH) == "42"


@pytest.mark.slow
async def test_ten_writers_of_one_branch_lose_nothing(git_host: GitHost, shop: Mirror, tmp_path: Path) -> None:
    writers = [Mirrors(tmp_path / f"cache-{n}", CredentialStore(tmp_path)) for n in range(10)]

    async def write(mirrors: Mirrors, number: int) -> None:
        async with committing(mirrors.mirror(shop.url)) as committer:
            await committer.submit(Count("shared"))
            await committer.submit(Write({f"own/{number}": b"1"}))

    async with asyncio.TaskGroup() as group:
        for number, mirrors in enumerate(writers):
            group.create_task(write(mirrors, number))
    assert await git_host.show("shop", "shared", branch=BRANCH) == "10"
    assert len(await git_host.names("shop", branch=BRANCH)) == 11
    assert len(await git_host.log("shop", BRANCH)) == 20
    for mirrors in writers:
        mirrors.close()


async def test_a_rewritten_branch_is_written_anew(git_host: GitHost, shop: Mirror) -> None:
    async with committing(shop) as committer:
        await committer.submit(Write({"a": b"1"}))
        await git_host.force_push("shop", {"b": b"1"}, branch=BRANCH)
        await committer.submit(Write({"c": b"1"}))
    assert await git_host.names("shop", branch=BRANCH) == ["b", "c"]


async def test_a_deleted_branch_comes_back(git_host: GitHost, shop: Mirror) -> None:
    async with committing(shop) as committer:
        await committer.submit(Write({"a": b"1"}))
        await git_host.delete_branch("shop", BRANCH)
        await git_host.collect("shop")
        await committer.submit(Write({"c": b"1"}))
    assert "c" in await git_host.names("shop", branch=BRANCH)


async def test_a_protected_branch_is_stalled_with_the_hosts_words(git_host: GitHost, shop: Mirror) -> None:
    git_host.protect("shop", BRANCH)
    async with committing(shop) as committer:
        with pytest.raises(Stalled, match="is protected: open a pull request"):
            await committer.submit(Write({"a": b"1"}))
        git_host.unprotect("shop")
        assert await committer.submit(Write({"a": b"1"}))


async def test_who_may_not_push_is_told(tmp_path: Path, mirrors: Mirrors) -> None:
    async with GitHost(tmp_path / "host", access=Access(may_push=False)) as host:
        await host.create("shop", {"a": b"1"})
        async with committing(mirrors.mirror(host.url("shop"))) as committer:
            with pytest.raises(Stalled, match="403"):
                await committer.submit(Write({"a": b"1"}))


async def test_a_remote_that_is_away_is_waited_for(git_host: GitHost, shop: Mirror) -> None:
    clock = ManualClock()
    async with committing(shop, clock=clock) as committer:
        await committer.submit(Write({"a": b"1"}))
        await git_host.go_away()
        first = asyncio.create_task(committer.submit(Write({"a": b"2"})))
        for _ in range(4):
            await eventually(lambda: clock.sleepers)
            await clock.advance(3600)
        later = asyncio.create_task(committer.submit(Write({"b": b"1"})))
        await eventually(lambda: clock.sleepers)
        assert not first.done()
        await git_host.come_back()
        await clock.advance(3600)
        assert await first == await later == (await git_host.log("shop", BRANCH))[0]
    assert len(await git_host.log("shop", BRANCH)) == 2


@contextmanager
def full_disk(most_bytes: int = 4096) -> Iterator[None]:
    """Let no file grow beyond so many bytes, ours and our children's: what a full disk does to whoever writes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_full_disk_is_waited_for_and_nothing_is_lost_or_left_behind(git_host: GitHost, shop: Mirror) -> None:
    clock = ManualClock()
    large = os.urandom(1 << 16)  # does not compress
    async with committing(shop, clock=clock) as committer:
        await committer.submit(Write({"a": b"1"}))
        with full_disk():
            waiting = asyncio.create_task(committer.submit(Write({"large": large})))
            await eventually(lambda: clock.sleepers)
            assert not waiting.done()
        await clock.advance(3600)
        commit = await waiting
        assert commit == (await git_host.log("shop", BRANCH))[0]
        assert await committer.submit(Write({"large": large})) is None
    assert len(await git_host.log("shop", BRANCH)) == 2
    left = [one.name for one in shop.path.rglob("*") if one.name.startswith(("tmp_", "fast_import_crash"))]
    assert left == []


async def test_a_change_can_be_taken_back_while_the_remote_is_away(git_host: GitHost, shop: Mirror) -> None:
    clock = ManualClock()
    async with committing(shop, clock=clock) as committer:
        await git_host.go_away()
        waiting = asyncio.create_task(committer.submit(Write({"a": b"1"})))
        await eventually(lambda: clock.sleepers)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await git_host.come_back()
        await clock.advance(3600)
        await committer.submit(Write({"b": b"1"}))
    assert await git_host.names("shop", branch=BRANCH) == ["b"]


async def test_a_push_whose_answer_is_lost_is_not_made_twice(
    git_host: GitHost, shop: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    push = Mirror.push

    async def lose_the_first_answer(mirror: Mirror, *arguments: str) -> object:
        await push(mirror, *arguments)  # type: ignore[arg-type]
        monkeypatch.setattr(Mirror, "push", push)
        # Before the retry somebody else writes on top.
        await git_host.commit("shop", {"theirs": b"1"}, branch=BRANCH)
        raise Transient("the connection broke before the answer came")

    monkeypatch.setattr(Mirror, "push", lose_the_first_answer)
    async with committing(shop, chance=lambda: 0.0) as committer:
        commit = await committer.submit(Count("n"))
    log = await git_host.log("shop", BRANCH)
    assert log[1:] == [commit]
    assert await git_host.show("shop", "n", branch=BRANCH) == "1"


async def test_a_damaged_or_deleted_mirror_loses_nothing(git_host: GitHost, shop: Mirror) -> None:
    import shutil

    async with committing(shop, chance=lambda: 0.0) as committer:
        await committer.submit(Write({"a": b"1"}))
        shutil.rmtree(shop.path)
        await committer.submit(Write({"b": b"1"}))
        for pack in (shop.path / "objects" / "pack").iterdir():
            pack.unlink()
        await committer.submit(Write({"c": b"1"}))
    assert await git_host.names("shop", branch=BRANCH) == ["a", "b", "c"]


async def test_stopping_answers_everybody(git_host: GitHost, shop: Mirror) -> None:
    await git_host.go_away()
    async with committing(shop, clock=ManualClock()) as committer:
        waiting = asyncio.create_task(committer.submit(Write({"a": b"1"})))
        await asyncio.sleep(0)
    with pytest.raises(Transient, match="has stopped"):
        await waiting


@pytest.mark.parametrize("branch", ["--force", "a..b", "x y", ""])
def test_a_branch_can_not_be_an_option(shop: Mirror, branch: str) -> None:
    with pytest.raises(Stalled, match="a branch, tag or commit: "):
        Committer(shop, branch, identity=WHO, clock=ManualClock())


async def test_it_writes_to_an_ordinary_branch_too(git_host: GitHost, shop: Mirror) -> None:
    async with Committer(shop, "main", identity=WHO, clock=SystemClock(), suffix="") as committer:
        await committer.submit(Write({"deploy/web.yaml": b"replicas: 2\n"}, subject="Scale web to 2"))
    assert await git_host.log("shop", form="%s") == ["Scale web to 2", "Begin shop"]
    assert await git_host.show("shop", "deploy/web.yaml") == "replicas: 2\n"
