"""What a mirror answers for everything that a host and its people may do."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.git import CommitGone, Damaged, Deadlines, Mirror, Mirrors
from controller.model import CommitId, Stalled, Transient
from controller.runtime import CredentialStore, Watcher
from controller.sandbox import GitHost

ADVERTISEMENT = {"GET /shop.git/info/refs?service=git-upload-pack": 1, "POST /shop.git/git-upload-pack": 1}


async def test_a_branch_a_tag_a_commit_and_nothing_are_resolved(git_host: GitHost, shop: Mirror) -> None:
    first = await shop.resolve("")
    await git_host.tag("shop", "light", first)
    await git_host.tag("shop", "annotated", first, message="One")
    second = await git_host.commit("shop", {"a": b"1"}, branch="main")
    assert await shop.resolve("light") == await shop.resolve("annotated") == first
    assert await shop.resolve("main") == await shop.resolve("refs/heads/main") == await shop.resolve("HEAD") == second
    assert await shop.resolve(first) == first


async def test_a_poll_when_nothing_moved_costs_one_advertisement(git_host: GitHost, shop: Mirror) -> None:
    await shop.tree(await shop.resolve("main"))
    git_host.requests.clear()
    commit = await shop.resolve("main")
    await shop.fetch(commit)
    await shop.tree(commit)
    await shop.describe(commit)
    assert git_host.requests == ADVERTISEMENT


async def test_many_branches_are_polled_at_once(git_host: GitHost, shop: Mirror) -> None:
    await git_host.commit("shop", {"a": b"1"}, branch="other")
    git_host.requests.clear()
    refs = await shop.refs(["refs/heads/*", "HEAD", "refs/tags/none"])
    assert set(refs) == {"refs/heads/main", "refs/heads/other", "HEAD"}
    assert git_host.requests == ADVERTISEMENT


async def test_a_new_commit_brings_only_what_is_new(git_host: GitHost, shop: Mirror) -> None:
    import random

    await git_host.commit("shop", {"large": random.Random(1).randbytes(1_000_000)})
    await shop.fetch(await shop.resolve("main"))
    await shop.fetch(await git_host.commit("shop", {"small": b"x"}))
    sizes = sorted(pack.stat().st_size for pack in (shop.path / "objects" / "pack").glob("*.pack"))
    assert len(sizes) == 2
    assert sizes[0] < 10_000


async def test_the_mirror_is_shallow_and_history_comes_when_it_is_asked_for(git_host: GitHost, shop: Mirror) -> None:
    for n in range(5):
        await git_host.commit("shop", {"n": b"%d" % n})
    history = tuple(await git_host.log("shop"))
    await shop.fetch(history[0])
    with pytest.raises(Damaged):
        (await shop._local_threads.run(lambda: shop._objects.commit(history[1])))
    assert await shop.first_parents(history[0], limit=3) == history[:3]
    assert await shop.first_parents(history[0], limit=100) == history
    git_host.requests.clear()
    assert await shop.first_parents(history[0], limit=100) == history
    assert not git_host.requests


async def test_only_first_parents_are_history(git_host: GitHost, shop: Mirror, tmp_path: Path) -> None:
    from tests.sandbox.test_git_host import clone, git

    base = await git_host.head("shop")
    work = await clone(git_host, "shop", tmp_path)
    await git(work, "checkout", "-qb", "side")
    await git(work, "commit", "-qm", "side", "--allow-empty")
    await git(work, "checkout", "-q", "main")
    await git(work, "commit", "-qm", "ours", "--allow-empty")
    await git(work, "merge", "-q", "--no-edit", "side")
    await git(work, "push", "-q", "origin", "main")
    merge, ours, _, _ = await git_host.log("shop")
    found = await shop.first_parents(CommitId(merge), limit=10)
    assert found[0] == merge
    assert found[-1] == base
    assert len(found) == 3
    assert ours


async def test_a_force_push_is_followed(git_host: GitHost, shop: Mirror) -> None:
    before = await shop.resolve("main")
    assert (await shop.tree(before)).read("deploy/web.yaml") == b"replicas: 1\n"
    after = await git_host.force_push("shop", {"deploy/web.yaml": b"replicas: 9\n"})
    assert await shop.resolve("main") == after
    assert (await shop.tree(after)).read("deploy/web.yaml") == b"replicas: 9\n"
    assert await shop.first_parents(after, limit=10) == (after,)


async def test_a_deleted_branch_is_named(git_host: GitHost, shop: Mirror) -> None:
    await git_host.commit("shop", {"a": b"1"}, branch="release")
    await shop.resolve("release")
    await git_host.delete_branch("shop", "release")
    with pytest.raises(Stalled, match=r'there is no branch or tag "release"'):
        await shop.resolve("release")


async def test_a_commit_that_no_ref_names_any_more_is_fetched_while_the_host_has_it(
    git_host: GitHost, shop: Mirror
) -> None:
    lost = await git_host.commit("shop", {"a": b"lost"})
    await git_host.force_push("shop", {"a": b"new"})
    assert (await shop.tree(lost)).read("a") == b"lost"


async def test_a_commit_that_the_host_has_collected_is_gone(git_host: GitHost, shop: Mirror) -> None:
    lost = await git_host.commit("shop", {"a": b"lost"})
    new = await git_host.force_push("shop", {"a": b"new"})
    await git_host.collect("shop")
    with pytest.raises(CommitGone, match=lost):
        await shop.fetch(lost)
    assert await shop.changed_paths(lost, new) is None


async def test_an_applied_commit_stays_readable_here_after_the_host_collected_it(
    git_host: GitHost, shop: Mirror
) -> None:
    applied = await git_host.commit("shop", {"a": b"applied"})
    await shop.fetch(applied)
    await git_host.force_push("shop", {"a": b"new"})
    await git_host.collect("shop")
    assert (await shop.tree(applied)).read("a") == b"applied"


async def test_a_host_that_gives_out_only_what_its_refs_name_is_asked_for_its_branches(
    tmp_path: Path, mirrors: Mirrors
) -> None:
    async with GitHost(tmp_path / "old-host", speaks_v2=False) as host:
        first = await host.create("shop", {"a": b"1"})
        await host.commit("shop", {"a": b"2"})
        mirror = mirrors.mirror(host.url("shop"))
        assert (await mirror.tree(first)).read("a") == b"1"
        with pytest.raises(CommitGone, match="no branch or tag holds"):
            await mirror.fetch(CommitId("1" * 40))


async def test_a_repository_that_is_away_is_a_hiccup_and_comes_back(git_host: GitHost, shop: Mirror) -> None:
    commit = await shop.resolve("main")
    await shop.fetch(commit)
    await git_host.go_away()
    with pytest.raises(Transient, match="branches can't be asked for"):
        await shop.resolve("main")
    assert (await shop.tree(commit)).read("deploy/web.yaml") == b"replicas: 1\n"
    await git_host.come_back()
    assert await shop.resolve("main") == commit


@pytest.fixture
def silent_url() -> Iterator[str]:
    """Give a repository on a host that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield f"http://127.0.0.1:{silent.getsockname()[1]}/shop.git"


async def test_a_host_that_never_answers_is_left_at_the_deadline(tmp_path: Path, silent_url: str) -> None:
    mirrors = Mirrors(tmp_path / "c", CredentialStore(tmp_path), deadlines=Deadlines(refs=0.5))
    with pytest.raises(Transient, match="no answer in time"):
        await mirrors.mirror(silent_url).resolve("main")
    mirrors.close()


async def test_an_empty_repository_says_so(git_host: GitHost, mirrors: Mirrors) -> None:
    await git_host.create_empty("empty")
    with pytest.raises(Stalled, match="no commit yet"):
        await mirrors.mirror(git_host.url("empty")).resolve("")


async def test_a_repository_that_is_not_there_says_what_to_check(git_host: GitHost, mirrors: Mirrors) -> None:
    with pytest.raises(Stalled, match="Check the URL"):
        await mirrors.mirror(git_host.url("nowhere")).resolve("main")


@pytest.mark.parametrize("form", ["path", "file"])
async def test_a_repository_on_this_machine_is_read_in_place(git_host: GitHost, mirrors: Mirrors, form: str) -> None:
    commit = await git_host.create("shop", {"a": b"1"})
    path = git_host.path("shop")
    mirror = mirrors.mirror(str(path) if form == "path" else path.as_uri())
    assert (await mirror.tree(await mirror.resolve("main"))).read("a") == b"1"
    assert mirror.watchable == path / "refs"
    assert (await mirror.resolve("main")) == commit


@pytest.mark.parametrize("revision", ["--upload-pack=touch x", "-x", "main --exec=x", "refs/heads/../x"])
async def test_a_revision_can_not_be_an_option(shop: Mirror, revision: str) -> None:
    with pytest.raises(Stalled, match="a branch, tag or commit: "):
        await shop.resolve(revision)


@pytest.mark.parametrize("commit", ["main", "--upload-pack=x", "HEAD", "1" * 39, "1" * 40 + ":refs/heads/x"])
async def test_a_commit_must_be_a_commit_id(shop: Mirror, commit: str) -> None:
    with pytest.raises(Stalled, match="no commit id"):
        await shop.fetch(CommitId(commit))


async def test_a_ref_pattern_can_not_be_an_option(shop: Mirror) -> None:
    with pytest.raises(Stalled, match="name of a ref"):
        await shop.refs(["--upload-pack=x"])


async def test_nothing_of_our_own_environment_reaches_git(
    shop: Mirror, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "gitconfig"
    config.write_text('[url "http://127.0.0.1:1/"]\n\tinsteadOf = http://127.0.0.1\n')
    for name, value in {
        "GIT_DIR": "/nonexistent", "GIT_CONFIG_GLOBAL": str(config), "GIT_SSH_COMMAND": "false", "GIT_TRACE": "1",
        "GIT_CONFIG_PARAMETERS": "'http.proxy=http://127.0.0.1:1'", "GIT_INDEX_FILE": "/nonexistent",
        "GIT_OBJECT_DIRECTORY": "/nonexistent", "XDG_CONFIG_HOME": "/nonexistent",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    assert (await shop.tree(await shop.resolve("main"))).names("") == ("deploy",)


async def test_one_repository_that_hangs_makes_no_other_wait(shop: Mirror, tmp_path: Path, silent_url: str) -> None:
    mirrors = Mirrors(tmp_path / "c", CredentialStore(tmp_path), deadlines=Deadlines(refs=20))
    hanging = [asyncio.create_task(mirrors.mirror(f"{silent_url}/{n}").resolve("main")) for n in range(5)]
    await mirrors.mirror(shop.url).resolve("main")
    assert not any(task.done() for task in hanging)
    for task in hanging:
        task.cancel()
    assert all(
        isinstance(end, asyncio.CancelledError) for end in await asyncio.gather(*hanging, return_exceptions=True)
    )
    mirrors.close()


async def test_a_pushed_branch_wakes_who_watches_a_repository_on_this_machine(
    git_host: GitHost, mirrors: Mirrors
) -> None:
    await git_host.create("shop", {"a": b"1"})
    watchable = mirrors.mirror(str(git_host.path("shop"))).watchable
    assert watchable is not None
    changed = asyncio.Event()
    with Watcher() as watcher:
        watcher.watch(watchable, changed.set, is_recursive=True)
        await git_host.commit("shop", {"a": b"2"})
        await asyncio.wait_for(changed.wait(), 10)


async def test_who_looks_at_one_moment_is_told_of_a_ref_once(git_host: GitHost, tmp_path: Path) -> None:
    mirrors = Mirrors(tmp_path / "mirrors", CredentialStore(tmp_path / "none"), is_one_moment=True)
    first = await git_host.create("shop", {"deploy/a.yaml": b"a: 1\n"})
    shop = mirrors.mirror(git_host.url("shop"))
    assert await shop.resolve("main") == first
    second = await git_host.commit("shop", {"deploy/a.yaml": b"a: 2\n"})
    assert await shop.resolve("main") == first
    assert await shop.refs(["refs/heads/main"]) == {"refs/heads/main": first}
    assert await shop.resolve("") == second  # nobody has asked for HEAD before
    mirrors.close()
