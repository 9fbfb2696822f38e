"""Health rules of the platform in force, from the commit that writes them to the state that they judge."""

from __future__ import annotations

import pytest

from controller.model import Health
from tests.fixtures.loop import Loop, config_map

pytestmark = pytest.mark.slow

DONE = b"""
kinds: [ConfigMap]
judge:
- {health: Healthy, field: data.phase, in: [Done]}
- {health: Degraded, why: not done}
"""
ANY = b"kinds: [ConfigMap]\njudge:\n- {health: Healthy}\n"


async def test_a_rule_counts_from_its_commit_on_without_a_restart_and_without_a_write(loop: Loop) -> None:
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", phase="New")})
    await loop.platform({"shop": {}})
    async with loop.start():
        await loop.report("shop", health=Health.HEALTHY)
        mark = loop.mark()
        await loop.host.commit("platform", {"health/phases.yaml": DONE}, message="Judge phases")
        report = await loop.report("shop", health=Health.DEGRADED, since=mark)
        assert "not done" in report.reason
        mark = loop.mark()
        await loop.host.commit("platform", {"health/phases.yaml": ANY}, message="Judge no phases")
        await loop.report("shop", health=Health.HEALTHY, since=mark)


async def test_a_rule_is_there_at_the_first_look_of_a_new_controller(loop: Loop) -> None:
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", phase="New")})
    await loop.platform({"shop": {}}, files={"health/phases.yaml": DONE})
    async with loop.start():
        await loop.report("shop", health=Health.DEGRADED)
    mark = loop.mark()
    async with loop.start():
        await loop.report("shop", health=Health.DEGRADED, since=mark)
