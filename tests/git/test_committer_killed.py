"""What a killed committer leaves behind: a branch with all of a commit or nothing of it, and no lock that blocks."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from controller.git import Committer, Identity, Mirrors
from controller.runtime import CredentialStore, SystemClock, bare_environment
from controller.sandbox import GitHost
from tests.fixtures.waiting import eventually
from tests.git.test_changes import Write

pytestmark = pytest.mark.slow

BRANCH = "converge-status"
WHO = Identity("Converge", "converge@example.com")
FILES = {"status/a": b"Synced", "status/b": b"Failed"}

# Every step that the committer takes with its mirror is counted before and after; at the given count the process dies.
DOOMED = """
import asyncio, os, signal, sys
from pathlib import Path
from controller.git import Committer, Identity, Mirror, Mirrors
from controller.runtime import CredentialStore, SystemClock
from tests.git.test_changes import Write

url, cache, last = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
count = 0

def tick():
    global count
    count += 1
    if count == last:
        os.kill(os.getpid(), signal.SIGKILL)

def counted(method):
    async def call(*arguments, **options):
        tick()
        result = await method(*arguments, **options)
        tick()
        return result
    return call

for name in ("refs", "tree", "compute", "import_commits", "push", "tidy"):
    setattr(Mirror, name, counted(getattr(Mirror, name)))

async def main():
    mirror = Mirrors(cache, CredentialStore(cache)).mirror(url)
    identity = Identity("Converge", "converge@example.com")
    async with Committer(mirror, "converge-status", identity=identity, clock=SystemClock()) as committer:
        for path, data in {"status/a": b"Synced", "status/b": b"Failed"}.items():
            await committer.submit(Write({path: data}))

asyncio.run(main())
"""
STEPS = 18  # as many as DOOMED surely takes; the last ones may be cut short by its end


async def start(host: GitHost, cache: Path, last: int) -> asyncio.subprocess.Process:
    arguments = (sys.executable, "-c", DOOMED, host.url("shop"), str(cache), str(last))
    root = Path(__file__).parents[2]
    return await asyncio.create_subprocess_exec(
        *arguments, cwd=root, env=bare_environment(), stdout=asyncio.subprocess.DEVNULL
    )


async def finish_the_work(host: GitHost, cache: Path) -> None:
    mirrors = Mirrors(cache, CredentialStore(cache))
    async with Committer(mirrors.mirror(host.url("shop")), BRANCH, identity=WHO, clock=SystemClock()) as committer:
        for path, data in FILES.items():
            await asyncio.wait_for(committer.submit(Write({path: data})), 30)
    mirrors.close()


async def assert_all_is_written_once(host: GitHost) -> None:
    assert await host.names("shop", branch=BRANCH) == list(FILES)
    assert [await host.show("shop", path, branch=BRANCH) for path in FILES] == ["Synced", "Failed"]
    assert len(await host.log("shop", BRANCH)) == 2


@pytest.mark.parametrize("step", range(1, STEPS + 1))
async def test_killed_between_two_steps_nothing_is_lost_or_written_twice(
    git_host: GitHost, tmp_path: Path, step: int
) -> None:
    await git_host.create("shop", {"a": b"1"})
    doomed = await start(git_host, tmp_path / "cache", step)
    assert await doomed.wait() == -signal.SIGKILL
    await finish_the_work(git_host, tmp_path / "cache")
    await assert_all_is_written_once(git_host)


async def test_left_alive_it_writes_the_same(git_host: GitHost, tmp_path: Path) -> None:
    await git_host.create("shop", {"a": b"1"})
    doomed = await start(git_host, tmp_path / "cache", 0)
    assert await doomed.wait() == 0
    await assert_all_is_written_once(git_host)


async def test_killed_while_it_pushes_nothing_is_lost_or_written_twice(git_host: GitHost, tmp_path: Path) -> None:
    await git_host.create("shop", {"a": b"1"})
    git_host.latency_seconds = 0.2
    doomed = await start(git_host, tmp_path / "cache", 0)
    await eventually(lambda: any("receive-pack" in request for request in git_host.requests))
    doomed.kill()  # its git lives on for a moment
    await doomed.wait()
    await finish_the_work(git_host, tmp_path / "cache")
    await assert_all_is_written_once(git_host)
