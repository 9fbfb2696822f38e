"""Runs that die, back-ends that are away, locks that stay: nothing is lost, and the next run goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from controller.model import Invalid, Stalled, Transient
from controller.targets.terraform.diagnostics import Lock, Locked
from controller.targets.terraform.journal import Journal
from tests.fixtures.object_store import object_store
from tests.fixtures.state_server import StateServer, state_server
from tests.fixtures.terraform import FakeCloud
from tests.fixtures.tofu import both_tools
from tests.fixtures.waiting import eventually
from tests.targets.terraform.placing import REF, open_place, render

pytestmark = [pytest.mark.terraform, pytest.mark.slow, pytest.mark.timeout(400)]

WEB = 'resource "fake_thing" "web" {\n  name = "web"\n  body = "one"\n}\n'


@pytest.fixture
async def server() -> AsyncIterator[StateServer]:
    async with state_server() as found:
        yield found


def processes(place: Path, is_it: Callable[[str], bool]) -> list[int]:
    """Find the processes that work below a folder, by their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if (entry / "cwd").readlink().is_relative_to(place) and is_it(words):
                    found.append(int(entry.name))
    return found


def work_of(directory: Path) -> Path:
    """Find the work folder of a cache: a run's files name it."""
    from controller.targets.terraform.surroundings import MEMORY, work_folder

    return work_folder(directory / "cache", MEMORY)


@both_tools
async def test_a_lock_that_a_killed_run_left_is_broken_and_its_work_is_done(
    fake_cloud: FakeCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.targets.terraform.workspace.LOCK_SECONDS", 1)
    desired = render({"infra/main.tf": fake_cloud.module(WEB)})
    hold = fake_cloud.mark("web", "hold")
    async with object_store() as store, open_place(fake_cloud, tmp_path, backend=store.backend) as place:
        await place.observe(desired)
        plan = await place.plan(desired)
        applying = asyncio.create_task(place.apply(plan))
        await eventually((fake_cloud.folder / "web.held").exists, deadline_seconds=60)
        for pid in processes(work_of(tmp_path), lambda _words: True):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        killed = await applying
        assert isinstance(killed.failure, Transient)
        assert store.locks() == 1
        hold.unlink()
        again = await place.apply(await place.plan(desired))
        assert isinstance(again.failure, Locked)
        assert store.locks() == 0
        assert (await place.apply(await place.plan(desired))).failure is None
    assert fake_cloud.get("web") is not None


@both_tools
async def test_the_lock_of_somebody_else_is_left_alone(
    fake_cloud: FakeCloud, tmp_path: Path, server: StateServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.targets.terraform.workspace.LOCK_SECONDS", 1)
    desired = render({"infra/main.tf": fake_cloud.module(WEB)})
    async with open_place(fake_cloud, tmp_path, backend=server.backend) as place:
        await place.observe(desired)
        server.lock = {
            "ID": "theirs",
            "Who": "ann@desk",
            "Operation": "OperationTypeApply",
            "Created": "2026-01-01T00:00:00Z",
        }
        applied = await place.apply(await place.plan(desired))
        assert isinstance(applied.failure, Locked)
        lock = applied.failure.lock
        assert (lock.id, lock.who in ("", "ann@desk")) == ("theirs", True)  # of this back-end only tofu tells whose
        assert server.unlocks == []


async def test_a_killed_provider_is_tried_again(fake_cloud: FakeCloud, tmp_path: Path, server: StateServer) -> None:
    desired = render({"infra/main.tf": fake_cloud.module(WEB)})
    hold = fake_cloud.mark("web", "hold")
    async with open_place(fake_cloud, tmp_path, backend=server.backend) as place:
        await place.observe(desired)
        plan = await place.plan(desired)
        applying = asyncio.create_task(place.apply(plan))
        await eventually((fake_cloud.folder / "web.held").exists, deadline_seconds=60)
        for pid in processes(work_of(tmp_path), lambda words: "terraform-provider-fake" in words):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        killed = await applying
        assert isinstance(killed.failure, Transient)
        assert server.lock is None
        hold.unlink()
        assert (await place.apply(await place.plan(desired))).failure is None


async def test_a_cancelled_apply_is_interrupted_cleanly(
    fake_cloud: FakeCloud, tmp_path: Path, server: StateServer
) -> None:
    desired = render({"infra/main.tf": fake_cloud.module(WEB)})
    hold = fake_cloud.mark("web", "hold")
    async with open_place(fake_cloud, tmp_path, backend=server.backend) as place:
        await place.observe(desired)
        plan = await place.plan(desired)
        applying = asyncio.create_task(place.apply(plan))
        await eventually((fake_cloud.folder / "web.held").exists, deadline_seconds=60)
        applying.cancel()
        hold.unlink()
        with suppress(asyncio.CancelledError):
            await applying
        assert server.lock is None
        assert (await place.apply(await place.plan(desired))).failure is None


@both_tools
async def test_a_state_that_could_not_be_stored_is_stored_later(
    fake_cloud: FakeCloud, tmp_path: Path, server: StateServer
) -> None:
    desired = render({"infra/main.tf": fake_cloud.module(WEB)})
    async with open_place(fake_cloud, tmp_path, backend=server.backend) as place:
        await place.observe(desired)
        plan = await place.plan(desired)
        server.refuses = True
        failed = await place.apply(plan)
        assert failed.failure is not None
        assert fake_cloud.get("web") is not None
        assert server.state == b""
        with pytest.raises(Transient, match="can't be stored"):
            await place.observe(desired)
    server.refuses = False
    async with open_place(fake_cloud, tmp_path, backend=server.backend) as place:
        seen = await place.observe(desired)
        assert "fake_thing.web" in {one.key.name for one in seen.objects}
        assert (await place.plan(desired)).pending == 0


async def test_a_back_end_that_is_away_is_unknown_and_never_empty(
    fake_cloud: FakeCloud, tmp_path: Path, server: StateServer
) -> None:
    desired = render({"infra/main.tf": fake_cloud.module(WEB)})
    async with open_place(fake_cloud, tmp_path, backend=server.backend) as place:
        await place.converge(desired)
        server.is_away = True
    async with open_place(fake_cloud, tmp_path, backend=server.backend) as place:
        with pytest.raises(Transient):
            await place.observe(desired)
        server.is_away = False
        assert (await place.observe(desired)).applied == desired.revision


async def test_a_missing_provider_says_which(fake_cloud: FakeCloud, tmp_path: Path) -> None:
    text = (
        b'terraform {\n  required_providers {\n    x = { source = "tf.test/t/nobody" }\n  }\n}\nresource "x_y" "z" {}\n'
    )
    async with open_place(fake_cloud, tmp_path) as place:
        with pytest.raises(Stalled, match=r"tf\.test/t/nobody"):
            await place.observe(render({"infra/main.tf": text}))


async def test_wrong_credentials_say_so_and_show_none(fake_cloud: FakeCloud, tmp_path: Path) -> None:
    folder = tmp_path / "credentials" / "keys"
    folder.mkdir(parents=True)
    (folder / "FAKE_KEY").write_text("c4n4ry-of-a-key\n")
    desired = render({"infra/main.tf": fake_cloud.module(WEB)})
    async with open_place(fake_cloud, tmp_path, credentials=("keys",)) as place:
        await place.observe(desired)
        with pytest.raises(Invalid) as raised:
            await place.plan(desired)
    assert str(raised.value).startswith("infra/main.tf:6: ")
    assert "Invalid credentials" in str(raised.value)
    assert "c4n4ry" not in str(raised.value)


def test_a_run_is_dead_when_nobody_works_in_its_folder(tmp_path: Path) -> None:
    import getpass

    folder = tmp_path / "work" / "placement"
    folder.mkdir(parents=True)
    journal = Journal(tmp_path / "runs", REF, folder)
    lock = Lock(
        "1", f"{getpass.getuser()}@{socket.gethostname()}", f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f} +0000 UTC"
    )
    assert not journal.is_of_dead_run(lock)
    assert journal.open(folder)
    with subprocess.Popen([sys.executable, "-c", "input()"], cwd=folder, stdin=subprocess.PIPE) as running:
        assert not journal.is_of_dead_run(lock)
        running.communicate(b"\n")
    assert journal.is_of_dead_run(lock)
    beside = Journal(tmp_path / "runs", REF, tmp_path / "of-another-process")
    with subprocess.Popen([sys.executable, "-c", "input()"], cwd=folder, stdin=subprocess.PIPE) as running:
        assert not beside.is_of_dead_run(lock)
        running.communicate(b"\n")
    assert beside.is_of_dead_run(lock)
    assert not journal.is_of_dead_run(Lock("1", "ann@desk", lock.created))
    assert not journal.is_of_dead_run(Lock("1", lock.who, "2020-01-01 00:00:00 +0000 UTC"))
