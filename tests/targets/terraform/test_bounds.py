"""What bounds a run: its deadline, its output, and what another run of its placement may do meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from controller.model import Stalled
from controller.runtime import Completed, Overdue
from controller.targets.terraform.tool import Tool
from tests.fixtures.object_store import object_store
from tests.fixtures.terraform import FakeCloud
from tests.fixtures.waiting import eventually
from tests.targets.terraform.placing import clouds_of, open_place, render

pytestmark = [pytest.mark.terraform, pytest.mark.slow, pytest.mark.timeout(400)]

WEB = 'resource "fake_thing" "web" {\n  name = "web"\n  body = "one"\n}\n'
LARGE = 'resource "terraform_data" "large" {\n  input = join("", [for one in range(200) : format("%10240d", one)])\n}\n'


async def test_a_run_over_its_deadline_is_asked_to_end_and_leaves_no_lock(
    fake_cloud: FakeCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply_plan = Tool.apply_plan

    async def hurried(tool: Tool, file: Path, **options: Any) -> Completed:
        tool._deadline_seconds = 15.0
        return await apply_plan(tool, file, **options)

    monkeypatch.setattr(Tool, "apply_plan", hurried)
    desired = render({"infra/main.tf": fake_cloud.module(WEB)})
    hold = fake_cloud.mark("web", "hold")
    async with object_store() as store, open_place(fake_cloud, tmp_path, backend=store.backend) as place:
        await place.observe(desired)
        overdue = await place.apply(await place.plan(desired))
        assert isinstance(overdue.failure, Overdue)
        assert store.locks() == 0
        hold.unlink()
        monkeypatch.setattr(Tool, "apply_plan", apply_plan)
        assert (await place.apply(await place.plan(desired))).failure is None
    assert fake_cloud.get("web") is not None


async def test_what_prints_without_end_is_stopped_and_says_so(
    fake_cloud: FakeCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desired = render({"infra/main.tf": fake_cloud.module(WEB + LARGE)})
    async with open_place(fake_cloud, tmp_path) as place:
        await place.observe(desired)
        with monkeypatch.context() as bounded:
            bounded.setattr("controller.targets.terraform.tool.OUTPUT_LIMIT_BYTES", 1 << 20)
            with pytest.raises(Stalled, match="printed more than"):
                await place.plan(desired)
        assert (await place.apply(await place.plan(desired))).failure is None


async def test_what_is_only_shown_is_planned_while_an_apply_holds_the_lock(
    fake_cloud: FakeCloud, tmp_path: Path
) -> None:
    clouds = clouds_of(fake_cloud, tmp_path)
    desired = render({"infra/main.tf": fake_cloud.module(WEB)})
    branch = render({"infra/main.tf": fake_cloud.module(WEB.replace("one", "two"))})
    hold = fake_cloud.mark("web", "hold")
    async with object_store() as store, open_place(fake_cloud, tmp_path, backend=store.backend, clouds=clouds) as place:
        await place.observe(desired)
        applying = asyncio.create_task(place.apply(await place.plan(desired)))
        await eventually((fake_cloud.folder / "web.held").exists, deadline_seconds=60)
        assert store.locks() == 1
        async with open_place(fake_cloud, tmp_path, backend=store.backend, clouds=clouds) as review:
            await review.observe(branch)
            assert not (await review.plan(branch)).is_empty
        assert store.locks() == 1
        hold.unlink()
        assert (await applying).failure is None
        assert store.locks() == 0
    assert (fake_cloud.get("web") or {})["body"] == "one"
