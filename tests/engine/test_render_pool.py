"""Renders in worker processes: the same answers, and each one's trouble its own."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from controller.documents import decode
from controller.engine import rendering
from controller.engine.render_pool import RenderPool
from controller.engine.rendering import Renderer
from controller.git import Mirrors
from controller.model import PLATFORM, Invalid, MemoryTree, Stalled, Transient
from controller.render import RenderRequest, render
from controller.sandbox import GitHost
from tests.engine.test_rendering import APPS, Fleet, entry, placement
from tests.fixtures.loop import config_map
from tests.fixtures.waiting import eventually
from tests.render.oam.applications import application, web
from tests.render.oam.placements import AROUND, DEV, PLACES
from tests.render.oam.placements import request as oam_request
from tests.render.oam.test_placing import BY_NAME
from tests.render.requests import request_of

pytestmark = pytest.mark.slow

CONFIG = config_map("a", x="1").decode()


class Deadly(MemoryTree):
    """Ends the process that reads it."""

    def read(self, _path: str) -> bytes:
        os._exit(1)


class Endless(MemoryTree):
    def read(self, _path: str) -> bytes:
        time.sleep(600)
        return b""


class Broken(MemoryTree):
    def read(self, _path: str) -> bytes:
        raise ZeroDivisionError


def request(kind: type[MemoryTree] = MemoryTree, **files: str) -> RenderRequest:
    made = request_of({f"deploy/{name}.yaml": text for name, text in files.items()})
    tree = made.application
    assert isinstance(tree, MemoryTree)
    return replace(made, application=kind(tree.files, tree.repository, tree.commit))


@pytest.fixture
async def pool() -> AsyncIterator[RenderPool]:
    made = RenderPool(size=2)
    yield made
    await made.close()


async def test_a_worker_gives_what_a_render_gives(pool: RenderPool) -> None:
    asked = [request(a=CONFIG), request(b=config_map("b", y="2").decode()), request(a=CONFIG, b="kind: X\n")]
    assert [await pool.render(one) for one in asked[:2]] == [render(one) for one in asked[:2]]
    with pytest.raises(Invalid) as here:
        render(asked[2])
    with pytest.raises(Invalid) as there:
        await pool.render(asked[2])
    assert there.value.problems == here.value.problems
    assert pool.workers == 1  # they came one after the other


async def test_a_worker_knows_the_surroundings_of_each_request(pool: RenderPool) -> None:
    asking = application(web(), policies=[BY_NAME])
    elsewhere = replace(AROUND, places=PLACES | {DEV: {}})
    one, other = oam_request(asking), oam_request(asking, around=elsewhere)
    asked = [request(a=CONFIG), one, one, other, other, request(a=CONFIG), one]
    for each in asked:
        assert await pool.render(each) == render(each)
    assert len({render(each).surroundings for each in asked}) == 3
    assert pool.workers == 1


async def test_a_worker_that_dies_is_a_hiccup_of_its_placement_alone(pool: RenderPool) -> None:
    asked = [request(Deadly, a=CONFIG), *(request(a=CONFIG) for _ in range(4))]
    answers = await asyncio.gather(*(pool.render(one) for one in asked), return_exceptions=True)
    assert isinstance(answers[0], Transient)
    assert answers[1:] == [render(one) for one in asked[1:]]


async def test_a_render_that_takes_too_long_is_ended() -> None:
    pool = RenderPool(size=1, deadline_seconds=1.0)
    with pytest.raises(Transient, match="longer than 1 s"):
        await pool.render(request(Endless, a=CONFIG))
    assert pool.workers == 0
    await pool.close()


async def test_a_bug_rises_with_its_traceback_and_the_worker_goes_on(pool: RenderPool) -> None:
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        await pool.render(request(Broken, a=CONFIG))
    assert await pool.render(request(a=CONFIG)) == render(request(a=CONFIG))


async def test_an_idle_pool_keeps_no_worker() -> None:
    pool = RenderPool(size=2, idle_seconds=0.01)
    await asyncio.gather(*(pool.render(request(a=CONFIG)) for _ in range(3)))
    await eventually(lambda: pool.workers == 0, deadline_seconds=30)
    assert await pool.render(request(a=CONFIG)) == render(request(a=CONFIG))
    await pool.close()


async def test_whoever_waits_when_the_pool_closes_is_told(pool: RenderPool) -> None:
    waiting = asyncio.create_task(pool.render(request(Endless, a=CONFIG)))
    await eventually(lambda: pool.workers == 1, deadline_seconds=30)
    await pool.close()
    with pytest.raises(Transient):
        await waiting
    with pytest.raises(Transient, match="stopping"):
        await pool.render(request(a=CONFIG))


async def test_workers_are_started_only_where_there_is_enough_to_render(
    git_host: GitHost, mirrors: Mirrors, pool: RenderPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"{number}/a.yaml": config_map(f"a{number}", x="1") for number in range(40)}
    await git_host.create("apps", {**files, "39/a.yaml": b"kind: X\n"})
    await git_host.create("platform", {"converge.yaml": b"{}"})
    fleet = Fleet(git_host, mirrors, {f"a{number}": entry(f"a{number}", str(number)) for number in range(40)})
    apps, platform = await fleet.head(APPS), await fleet.head(PLATFORM)

    async def everything(renderer: Renderer) -> list[object]:
        wanted = (renderer.rendered_soon(placement(name), one, apps, platform) for name, one in fleet.entries.items())
        return [
            str(one) if isinstance(one, Stalled) else one
            for one in await asyncio.gather(*wanted, return_exceptions=True)
        ]

    monkeypatch.setattr(rendering, "WORTH_SECONDS", float("inf"))
    alone = Renderer(pool=pool)
    expected = await everything(alone)
    assert pool.workers == 0
    monkeypatch.setattr(rendering, "WORTH_SECONDS", 0.0)
    together = Renderer(pool=pool)
    await together.rendered(placement("a0"), fleet.entries["a0"], apps, platform)  # what one takes is known now
    assert await everything(together) == expected
    assert pool.workers == 2
    assert await everything(together) == expected
    assert together.renders == alone.renders == 40


async def test_what_took_long_goes_to_a_worker_the_next_time_though_it_is_alone(
    git_host: GitHost, mirrors: Mirrors, pool: RenderPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await git_host.create("apps", {"a/a.yaml": config_map("a", x="1")})
    await git_host.create("platform", {"converge.yaml": b"{}"})
    fleet = Fleet(git_host, mirrors, {"a": entry("a", "a")})
    renderer = Renderer(pool=pool)

    async def after(text: str) -> tuple[object, int]:
        await git_host.commit("apps", {"a/a.yaml": config_map("a", x=text)})
        apps, platform = await fleet.head(APPS), await fleet.head(PLATFORM)
        done = await renderer.rendered_soon(placement("a"), fleet.entries["a"], apps, platform)
        return decode(done.desired.manifests[0].body)["data"], pool.workers

    monkeypatch.setattr(rendering, "LONG_SECONDS", 0.0)
    assert await after("2") == ({"x": "2"}, 0)
    assert await after("3") == ({"x": "3"}, 1)
    monkeypatch.setattr(rendering, "LONG_SECONDS", float("inf"))
    workers = pool.workers
    assert await after("4") == ({"x": "4"}, workers)


async def test_what_turns_out_to_be_large_goes_to_a_worker_the_first_time(
    git_host: GitHost, mirrors: Mirrors, pool: RenderPool
) -> None:
    large = config_map("large", x="1" * (rendering.MANY_BYTES // 2))
    await git_host.create("apps", {"a/a.yaml": large, "a/b.yaml": config_map("b", x=large.decode())})
    await git_host.create("platform", {"converge.yaml": b"{}"})
    fleet = Fleet(git_host, mirrors, {"a": entry("a", "a")})
    apps, platform = await fleet.head(APPS), await fleet.head(PLATFORM)
    renderer = Renderer(pool=pool)
    done = await renderer.rendered_soon(placement("a"), fleet.entries["a"], apps, platform)
    assert (len(done.desired.manifests), pool.workers, renderer.renders) == (2, 1, 1)
    assert await Renderer().rendered(placement("a"), fleet.entries["a"], apps, platform) == done
