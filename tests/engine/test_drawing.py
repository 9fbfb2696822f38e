"""When pages and the overview are drawn, and when what is well is committed: a recorder, its committer and a host."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from controller.engine.committing import Style
from controller.engine.drawing import Drawings, Rhythm, fitting_seconds
from controller.engine.recording import LONGEST_GATHERING_SECONDS, URGENT_GATHERING_SECONDS, Recorder
from controller.git import Identity, Mirrors
from controller.model import ApplicationName, Health, PlacementReport, SyncStatus, Transition
from controller.runtime import CredentialStore
from controller.sandbox import GitHost
from tests.fixtures.clock import ManualClock
from tests.fixtures.waiting import eventually
from tests.records.facts import HANGZHOU, report

BRANCH = "converge-status"
README = "README.md"


def test_a_small_fleet_is_drawn_at_once_and_a_large_one_once_a_minute() -> None:
    assert [fitting_seconds(number) for number in (0, 33, 1_000, 100_000)] == [0.0, 0.0, 60.0, 60.0]
    assert 0 < fitting_seconds(100) < 10


def test_a_drawing_is_taken_when_it_is_due_with_all_that_moved_meanwhile() -> None:
    drawings = Drawings(lambda: 60.0)
    assert drawings.due_in(0.0) is None
    drawings.note([HANGZHOU.group])
    first = drawings.take(0.0)
    assert first is not None
    assert drawings.due_in(1.0) is None
    others = [replace(HANGZHOU, application=ApplicationName(name)).group for name in ("a", "b")]
    for one in others:
        drawings.note([one])
    assert drawings.due_in(20.0) == 40.0
    assert drawings.take(59.0) is None
    second = drawings.take(60.0)
    assert second is not None
    assert second.groups == set(others)


def test_what_is_urgent_is_drawn_at_once() -> None:
    drawings = Drawings(lambda: 60.0)
    drawings.note([HANGZHOU.group])
    assert drawings.take(0.0)
    drawings.note([HANGZHOU.group], at_once=True)
    assert drawings.take(1.0)
    drawings.hurry()  # there is nothing to draw
    assert drawings.due_in(2.0) is None


class Scene:
    def __init__(self, host: GitHost, recorder: Recorder, clock: ManualClock) -> None:
        self.host, self.recorder, self.clock = host, recorder, clock
        self.is_stormy = False

    def post(self, application: str, health: Health = Health.HEALTHY) -> None:
        placement = replace(HANGZHOU, application=ApplicationName(application))
        self.recorder.post(Transition(self._report(placement, health), self.clock.now()))

    def _report(self, placement: object, health: Health) -> PlacementReport:
        return replace(report(), placement=placement, sync=SyncStatus.SYNCED, health=health)  # type: ignore[arg-type]

    async def subjects(self) -> list[str]:
        if await self.host.head("records", BRANCH) is None:
            return []
        return [one.strip() for one in await self.host.log("records", BRANCH, form="%s")]

    async def until(self, *subjects: str) -> None:
        """Wait until these commits are there, newest first, and the recorder has heard so."""
        expected = [f"{one} [skip ci]" for one in subjects]
        async with asyncio.timeout(30):
            while await self.subjects() != expected:  # noqa: ASYNC110  # another process pushes
                await asyncio.sleep(0.01)

    async def readme(self) -> str:
        return await self.host.show("records", README, branch=BRANCH)


@asynccontextmanager
async def recording(folder: Path, rhythm: Rhythm) -> AsyncIterator[Scene]:
    clock = ManualClock()
    async with GitHost(folder / "host") as host, asyncio.TaskGroup() as tasks:
        await host.create_empty("records", branch="main")
        mirror = Mirrors(folder / "mirrors", CredentialStore(folder / "none")).mirror(host.url("records"))
        recorder = Recorder(
            spawn=lambda coroutine, name: tasks.create_task(coroutine, name=name),
            clock=clock,
            tell=lambda _event: None,
            chance=lambda: 0.5,
            is_quiet=lambda: not scene.is_stormy,
            rhythm=lambda: rhythm,
        )
        scene = Scene(host, recorder, clock)
        recorder.aim(mirror, BRANCH, Style(identity=Identity("Converge", "converge@example.com")))
        running = tasks.create_task(recorder.run())
        yield scene
        recorder.close()
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


@pytest.mark.slow
async def test_a_busy_fleets_overview_follows_in_its_rhythm(tmp_path: Path) -> None:
    async with recording(tmp_path, Rhythm(draw_seconds=60.0)) as scene:
        scene.post("a")
        await scene.until("prod/a: Synced, Healthy")
        assert "| a |" in await scene.readme()
        scene.post("b")
        told = ("prod/b: Synced, Healthy", "prod/a: Synced, Healthy")
        await scene.until(*told)
        assert "| b |" not in await scene.readme()
        assert "status/prod/b.yaml" in await scene.host.names("records", branch=BRANCH)
        await eventually(lambda: scene.clock.sleepers == 1)
        await scene.clock.advance(60.0)
        await scene.until("overview", *told)
        assert "| b |" in await scene.readme()
        assert "pages/prod/b.md" in await scene.host.names("records", branch=BRANCH)
        scene.post("c")
        await scene.until("prod/c: Synced, Healthy", "overview", *told)
        async with asyncio.timeout(30):
            await scene.recorder.flush()  # whoever waits for all is not kept waiting
        assert "| c |" in await scene.readme()


@pytest.mark.slow
async def test_what_is_well_shares_a_commit_and_trouble_does_not_wait(tmp_path: Path) -> None:
    async with recording(tmp_path, Rhythm(commit_seconds=10.0)) as scene:
        scene.post("a")
        await scene.until("prod/a: Synced, Healthy")
        scene.post("b")
        scene.post("c")
        await eventually(lambda: scene.clock.sleepers == 1)
        assert len(await scene.subjects()) == 1
        await scene.clock.advance(10.0)
        shared = "prod/b: Synced, Healthy, prod/c: Synced, Healthy"
        await scene.until(shared, "prod/a: Synced, Healthy")
        scene.post("d")
        scene.post("e", Health.DEGRADED)
        trouble = "prod/d: Synced, Healthy, prod/e: Synced, Degraded"
        await scene.until(trouble, shared, "prod/a: Synced, Healthy")


@pytest.mark.slow
async def test_a_storm_in_which_all_is_well_is_told_together_and_trouble_in_it_sooner(tmp_path: Path) -> None:
    async with recording(tmp_path, Rhythm()) as scene:
        scene.is_stormy = True
        scene.post("a")
        await eventually(lambda: scene.clock.sleepers == 1)
        await scene.clock.advance(LONGEST_GATHERING_SECONDS - 0.1)
        scene.post("b")
        await eventually(lambda: scene.clock.sleepers == 1)
        assert await scene.subjects() == []
        await scene.clock.advance(0.1)
        together = "prod/a: Synced, Healthy, prod/b: Synced, Healthy"
        await scene.until(together)
        scene.post("c")
        scene.post("d", Health.DEGRADED)
        await eventually(lambda: scene.clock.sleepers == 1)
        await scene.clock.advance(URGENT_GATHERING_SECONDS)
        trouble = "prod/c: Synced, Healthy, prod/d: Synced, Degraded"
        await scene.until(trouble, together)
        scene.is_stormy = False
        scene.post("e")
        await scene.until("prod/e: Synced, Healthy", trouble, together)
