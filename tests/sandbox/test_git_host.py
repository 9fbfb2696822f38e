from __future__ import annotations

from pathlib import Path

import pytest

from controller.git import Entry
from controller.model import Stalled
from controller.runtime import Completed, bare_environment, run
from controller.sandbox import Access, GitHost


async def git(cwd: Path, *arguments: str, **env: str) -> Completed:
    """Run plain git, as a person would."""
    environment = bare_environment({"GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_GLOBAL": "/dev/null", **env})
    identity = ("-c", "user.name=Bob", "-c", "user.email=bob@example.com")
    return await run(("git", *identity, *arguments), cwd=cwd, env=environment, deadline_seconds=60)


async def clone(host: GitHost, name: str, into: Path, *options: str) -> Path:
    done = await git(into, "clone", "-q", *options, host.url(name), "clone")
    assert done.returncode == 0, done.error_text
    return into / "clone"


async def test_a_person_can_clone_commit_and_push(git_host: GitHost, tmp_path: Path) -> None:
    await git_host.create("shop", {"a.yaml": b"a: 1\n"})
    work = await clone(git_host, "shop", tmp_path)
    (work / "a.yaml").write_text("a: 2\n")
    await git(work, "commit", "-qam", "Two")
    assert (await git(work, "push", "-q")).returncode == 0
    assert await git_host.show("shop", "a.yaml") == "a: 2\n"
    assert await git_host.log("shop", form="%s") == ["Two", "Begin shop"]


async def test_large_pushes_and_clones_pass_through(git_host: GitHost, tmp_path: Path) -> None:
    import random

    noise = random.Random(1).randbytes(5_000_000)
    await git_host.create("shop", {"noise": noise})
    work = await clone(git_host, "shop", tmp_path)
    assert (work / "noise").read_bytes() == noise
    (work / "more").write_bytes(noise[::-1])
    await git(work, "add", ".")
    await git(work, "commit", "-qm", "More")
    assert (await git(work, "push", "-q")).returncode == 0
    assert await git_host.names("shop") == ["more", "noise"]


@pytest.mark.parametrize("option", ["--depth=1", "--filter=blob:none"])
async def test_shallow_and_partial_clones_work(git_host: GitHost, tmp_path: Path, option: str) -> None:
    await git_host.create("shop", {"a": b"1"})
    await git_host.commit("shop", {"a": b"2"})
    work = await clone(git_host, "shop", tmp_path, option)
    assert (work / "a").read_bytes() == b"2"


async def test_a_folder_becomes_a_repository_with_its_links_and_modes(git_host: GitHost, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / 'ü "q".txt').write_text("x")
    (folder / "link").symlink_to("deep")
    (folder / "run").write_text("#!/bin/sh\n")
    (folder / "run").chmod(0o755)
    await git_host.create("shop", folder)
    work = await clone(git_host, "shop", tmp_path)
    assert (work / "link" / "er" / 'ü "q".txt').read_text() == "x"
    assert (work / "run").stat().st_mode & 0o100


async def test_revert_takes_back_one_commit_and_keeps_the_later_ones(git_host: GitHost) -> None:
    await git_host.create("shop", {"a": b"1\n", "b": b"1\n"})
    bad = await git_host.commit("shop", {"a": b"2\n", "new": b"x"}, message="Break it")
    await git_host.commit("shop", {"b": b"2\n"})
    await git_host.revert("shop", bad)
    assert await git_host.show("shop", "a") == "1\n"
    assert await git_host.show("shop", "b") == "2\n"
    assert await git_host.names("shop") == ["a", "b"]
    assert (await git_host.log("shop", form="%s"))[0] == 'Revert "Break it"'


async def test_a_revert_that_conflicts_is_refused(git_host: GitHost) -> None:
    await git_host.create("shop", {"a": b"1\n"})
    bad = await git_host.commit("shop", {"a": b"2\n"})
    await git_host.commit("shop", {"a": b"3\n"})
    with pytest.raises(Stalled, match="CONFLICT"):
        await git_host.revert("shop", bad)


async def test_a_force_push_leaves_only_the_new_history(git_host: GitHost) -> None:
    await git_host.create("shop", {"a": b"1"})
    new = await git_host.force_push("shop", {"b": b"2"})
    assert await git_host.log("shop") == [new]
    assert await git_host.names("shop") == ["b"]


async def test_without_the_password_there_is_nothing_to_see(tmp_path: Path) -> None:
    async with GitHost(tmp_path / "host", access=Access(username="robot", password="hunter2")) as host:
        await host.create("shop", {"a": b"1"})
        assert "could not read Username" in (await git(tmp_path, "ls-remote", host.url("shop"))).error_text
        url = host.url("shop").replace("http://", "http://robot:hunter2@")
        assert (await git(tmp_path, "ls-remote", url)).returncode == 0


async def test_who_may_only_read_can_not_push(tmp_path: Path) -> None:
    async with GitHost(tmp_path / "host", access=Access(may_push=False)) as host:
        await host.create("shop", {"a": b"1"})
        work = await clone(host, "shop", tmp_path)
        assert "403" in (await git(work, "push", "origin", "HEAD:other")).error_text


async def test_a_protected_branch_refuses_pushes_and_says_why(git_host: GitHost, tmp_path: Path) -> None:
    await git_host.create("shop", {"a": b"1"})
    git_host.protect("shop", "main")
    work = await clone(git_host, "shop", tmp_path)
    await git(work, "commit", "-qm", "x", "--allow-empty")
    assert "branch main is protected" in (await git(work, "push")).error_text
    assert (await git(work, "push", "origin", "HEAD:other")).returncode == 0


async def test_a_host_that_went_away_comes_back_on_its_port(git_host: GitHost, tmp_path: Path) -> None:
    await git_host.create("shop", {"a": b"1"})
    url = git_host.url("shop")
    await git_host.go_away()
    assert (await git(tmp_path, "ls-remote", url)).returncode != 0
    await git_host.come_back()
    assert (await git(tmp_path, "ls-remote", url)).returncode == 0
    assert git_host.url("shop") == url


async def test_requests_are_counted(git_host: GitHost, tmp_path: Path) -> None:
    await git_host.create("shop", {"a": b"1"})
    await git(tmp_path, "-c", "protocol.version=2", "ls-remote", git_host.url("shop"))
    assert git_host.requests == {
        "GET /shop.git/info/refs?service=git-upload-pack": 1,
        "POST /shop.git/git-upload-pack": 1,
    }


async def test_a_repository_that_is_not_there_is_not_found(git_host: GitHost, tmp_path: Path) -> None:
    assert "not found" in (await git(tmp_path, "ls-remote", git_host.url("nowhere"))).error_text


async def test_links_and_submodules_can_be_committed(git_host: GitHost) -> None:
    files = {"link": Entry(b"target", "120000"), "module": Entry(b"1" * 40, "160000")}
    await git_host.create("shop", files)
    assert await git_host.names("shop") == ["link", "module"]
