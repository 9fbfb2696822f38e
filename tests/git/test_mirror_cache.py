"""The mirror is a cache: damaged, deleted, shared or left half-written, it loses nothing."""

from __future__ import annotations

import asyncio
import shutil
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from controller.git import Damaged, Mirror, Mirrors
from controller.git.objects import AGE_SECONDS, Objects
from controller.model import Transient
from controller.runtime import CredentialStore
from controller.sandbox import GitHost
from tests.fixtures.waiting import eventually


async def test_a_deleted_cache_loses_nothing(shop: Mirror) -> None:
    commit = await shop.resolve("main")
    await shop.tree(commit)
    shutil.rmtree(shop.path.parent)
    assert (await shop.tree(commit)).read("deploy/web.yaml") == b"replicas: 1\n"


@pytest.mark.parametrize("what", ["pack", "HEAD", "config", "objects", "empty-pack"])
async def test_a_corrupt_mirror_is_fetched_again(shop: Mirror, what: str) -> None:
    commit = await shop.resolve("main")
    await shop.fetch(commit)
    if what.endswith("pack"):
        for pack in (shop.path / "objects" / "pack").glob("*.pack"):
            pack.chmod(0o644)
            pack.write_bytes(b"" if what == "empty-pack" else b"garbage" * 100)
    elif what == "objects":
        shutil.rmtree(shop.path / "objects")
    else:
        (shop.path / what).write_bytes(b"\0garbage[")
    assert (await shop.tree(commit)).read("deploy/web.yaml") == b"replicas: 1\n"


async def test_damage_found_while_reading_is_mended_at_the_next_fetch(git_host: GitHost, shop: Mirror) -> None:
    commit = await shop.resolve("main")
    tree = await shop.tree(commit)
    for pack in (shop.path / "objects" / "pack").iterdir():
        pack.unlink()
    shop.close()
    with pytest.raises(Damaged, match="fetched again"):
        tree.read("deploy/web.yaml")
    await shop.fetch(commit)
    assert tree.read("deploy/web.yaml") == b"replicas: 1\n"


async def test_a_tree_in_use_is_readable_again_after_the_next_poll(shop: Mirror) -> None:
    tree = await shop.tree(await shop.resolve("main"))
    shutil.rmtree(shop.path)
    shop.close()
    with pytest.raises(Damaged):
        tree.read("deploy/web.yaml")
    await shop.resolve("main")
    assert tree.read("deploy/web.yaml") == b"replicas: 1\n"


async def test_locks_that_a_killed_git_left_behind_block_nobody(git_host: GitHost, shop: Mirror) -> None:
    await shop.fetch(await shop.resolve("main"))
    new = await git_host.commit("shop", {"a": b"1"})
    for lock in ("shallow.lock", "HEAD.lock", "config.lock", "packed-refs.lock", f"refs/converge/kept/{new}.lock"):
        (shop.path / lock).touch()
    assert (await shop.tree(new)).read("a") == b"1"


async def test_two_controllers_may_share_a_cache(git_host: GitHost, shop: Mirror, tmp_path: Path) -> None:
    commits = [await git_host.commit("shop", {"n": b"%d" % n}) for n in range(6)]
    other = Mirrors(shop.path.parent, CredentialStore(tmp_path)).mirror(shop.url)
    async with asyncio.TaskGroup() as group:
        for n, commit in enumerate(commits):
            group.create_task((shop, other)[n % 2].fetch(commit))
    for n, commit in enumerate(commits):
        assert (await other.tree(commit)).read("n") == b"%d" % n
    other.close()


@pytest.mark.parametrize("full_round", [1, 1000])
async def test_the_mirror_stays_small(
    git_host: GitHost, shop: Mirror, monkeypatch: pytest.MonkeyPatch, full_round: int
) -> None:
    monkeypatch.setattr("controller.git.store.FULL_ROUND", full_round)
    monkeypatch.setattr("controller.git.store.PACK_LIMIT", 3)
    monkeypatch.setattr("controller.git.store.KEPT_COMMITS", 2)
    commits = [await git_host.commit("shop", {"n": b"%d" % n}) for n in range(6)]
    for commit in commits:
        await shop.fetch(commit)
    assert len(list((shop.path / "objects" / "pack").glob("*.pack"))) <= 4
    assert (await shop.tree(commits[-1])).read("n") == b"5"
    assert (await shop.tree(commits[0])).read("n") == b"0"


async def test_an_idle_mirror_costs_no_child(shop: Mirror) -> None:
    commit = await shop.resolve("main")
    tree = await shop.tree(commit)
    assert readers_of(shop)
    await shop.resolve("main")  # this one still counts as busy: it was read since the last
    await shop.resolve("main")
    assert not readers_of(shop)
    assert tree.read("deploy/web.yaml") == b"replicas: 1\n"


def readers_of(mirror: Mirror) -> list[str]:
    """Name the processes that work in a mirror's folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").readlink() == mirror.path:
                found.append(process.name)
    return found


async def test_a_fetch_that_outlives_its_controller_is_waited_for(
    git_host: GitHost, shop: Mirror, tmp_path: Path
) -> None:
    commit = await shop.resolve("main")
    git_host.latency_seconds = 0.5
    code = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom controller.git import Mirrors\n"
        "from controller.runtime import CredentialStore\n"
        "mirror = Mirrors(Path(sys.argv[2]), CredentialStore(Path('/'))).mirror(sys.argv[1])\n"
        "asyncio.run(mirror.fetch(sys.argv[3]))"
    )
    argv = (sys.executable, "-c", code, shop.url, str(shop.path.parent), commit)
    doomed = await asyncio.create_subprocess_exec(*argv)
    git_host.requests.clear()
    await eventually(lambda: git_host.requests)
    doomed.kill()
    await doomed.wait()
    assert (await shop.tree(commit)).read("deploy/web.yaml") == b"replicas: 1\n"
    assert sum(git_host.requests.values()) == 2  # the orphan's own fetch was enough


async def test_a_cache_that_can_not_be_written_is_a_hiccup(shop: Mirror) -> None:
    shop.path.parent.write_text("a file where the folder should be")
    with pytest.raises(Transient, match="can't be used"):
        await shop.resolve("main")
    shop.path.parent.unlink()
    assert (await shop.tree(await shop.resolve("main"))).names("") == ("deploy",)


async def test_a_busy_mirror_forgets_what_it_no_longer_uses(shop: Mirror) -> None:
    tree = await shop.tree(await shop.resolve("main"))
    now = 0.0
    objects = Objects(shop.path, clock=lambda: now)
    used, unused = tree.digest("deploy"), tree.digest("deploy/web.yaml")
    objects.directory(used)
    objects.blob(unused)
    for _ in range(2):
        now += AGE_SECONDS
        objects.directory(used)
        objects.commit(await shop.resolve("main"))  # it isn't idle
        objects.rest()
    for pack in (shop.path / "objects" / "pack").iterdir():
        pack.unlink()
    objects.close()
    assert "web.yaml" in objects.directory(used)
    with pytest.raises(Damaged):
        objects.blob(unused)
