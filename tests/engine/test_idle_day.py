"""An idle fleet writes nothing for a day: the clock is put forward by hours, and all repositories are polled."""

from __future__ import annotations

import pytest

from tests.fixtures.clock import SkippingClock
from tests.fixtures.loop import Loop, config_map, deployment
from tests.fixtures.waiting import eventually

pytestmark = pytest.mark.slow

HOURS = 24


async def test_nothing_is_written_for_a_day_in_which_nothing_happens(loop: Loop) -> None:
    clock = loop.clock = SkippingClock()
    for name in ("shop", "billing"):
        await loop.host.create(name, {"deploy/a.yaml": config_map(name, x="1"), "deploy/b.yaml": deployment(name)})
    await loop.platform({"shop": {}, "billing": {}})
    async with loop.start() as controller:
        await controller.settled()
        heads = await loop.host.head("platform", "converge-status"), await loop.host.head("platform")
        posted = loop.host.requests["POST /platform.git/git-receive-pack"]
        assert posted > 0
        for _ in range(HOURS):
            before = dict(loop.host.requests)
            clock.skip(3_600)
            await eventually(lambda before=before: is_polled(loop, before))  # type: ignore[misc]
            await controller.settled()
        assert (await loop.host.head("platform", "converge-status"), await loop.host.head("platform")) == heads
        assert loop.host.requests["POST /platform.git/git-receive-pack"] == posted


def is_polled(loop: Loop, before: dict[str, int]) -> bool:
    """Tell whether every repository was asked since then."""
    asked = [f"GET /{name}.git/info/refs?service=git-upload-pack" for name in ("platform", "shop", "billing")]
    return all(loop.host.requests[one] > before.get(one, 0) for one in asked)
