"""States kept in git, with a real terraform and a real git host: nothing is lost, forked, forged or shown."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from controller.model import (
    Action,
    ApplicationName,
    Applied,
    Cause,
    PlacementRef,
    Plan,
    Secret,
    Stalled,
    State,
    Transient,
)
from controller.sandbox import GitHost
from controller.targets import Overtaken
from controller.targets.terraform import Sealer, succeed
from tests.fixtures.states import BRANCH, Keys, keeping, kept
from tests.fixtures.terraform import FakeCloud
from tests.fixtures.tofu import both_tools
from tests.fixtures.waiting import eventually
from tests.targets.terraform.placing import REF, Place, open_place, render

pytestmark = [pytest.mark.terraform, pytest.mark.slow, pytest.mark.timeout(400)]

THING = 'resource "fake_thing" "{name}" {{\n  name = "{name}"\n  body = "{body}"\n}}\n'


@dataclass(frozen=True, slots=True)
class Scene:
    """A platform repository, a cloud, keys, and a folder per controller."""

    host: GitHost
    cloud: FakeCloud
    keys: Keys
    folder: Path

    def module(self, **bodies: str) -> dict[str, bytes]:
        text = "".join(THING.format(name=name, body=body) for name, body in bodies.items())
        return {"infra/main.tf": self.cloud.module(text)}

    @asynccontextmanager
    async def controller(self, name: str = "one", *, ref: PlacementRef = REF) -> AsyncIterator[Place]:
        """Open the target as a controller with a cache of its own does."""
        folder = self.folder / name
        self.keys.write(folder / "credentials")
        async with (
            keeping(self.host, folder) as states,
            open_place(self.cloud, folder, keepers=states.at, ref=ref, backend=None, state_in_git=self.keys.said) as it,
        ):
            yield it

    async def state(self, ref: PlacementRef = REF) -> dict[str, object]:
        return self.keys.recover(await kept(self.host, ref))

    def spooled(self, name: str = "one") -> list[Path]:
        return sorted((self.folder / name / "cache" / "states").glob("*/*.state"))

    async def versions(self) -> int:
        return len(await self.host.log("platform", BRANCH))


@pytest.fixture
async def scene(git_host: GitHost, fake_cloud: FakeCloud, tmp_path: Path) -> Scene:
    await git_host.create("platform", {"converge.yaml": b""})
    return Scene(git_host, fake_cloud, Keys(), tmp_path / "controllers")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.engine.state_keeping.PATIENCE_SECONDS", 0.5)


async def put_through(place: Place, scene: Scene, **bodies: str) -> Applied:
    return await place.converge(render(scene.module(**bodies)))


@both_tools
async def test_a_workspace_lives_its_life_with_its_state_in_git(scene: Scene) -> None:
    desired = render(scene.module(web="one"))
    async with scene.controller() as place:
        assert (await place.observe(desired)).applied is None
        assert (await place.apply(await place.plan(desired))).failure is None
        assert (await place.observe()).applied == desired.revision
        changed = render(scene.module(web="two"), commit="c")
        assert (await place.apply(await place.plan(changed))).failure is None
        scene.cloud.edit("web", body="by hand")
    async with scene.controller("another") as place:  # nothing but git is needed to go on
        await place.observe(changed)
        plan = await place.plan(changed)
        drift = [change for one in plan.objects for change in one.changes if change.cause is Cause.DRIFT]
        assert [(one.before, one.after) for one in drift] == [("by hand", "two")]
        assert (await place.apply(plan)).failure is None
        ended = await place.apply(await place.plan(changed, State.ABSENT), State.ABSENT)
        assert ended.failure is None
    assert scene.cloud.get("web") is None
    assert (await scene.state())["resources"] == []
    assert await scene.versions() == 3  # drift was taken back to what the state said already
    assert not scene.spooled()
    assert not scene.spooled("another")


async def test_two_placements_have_a_file_each(scene: Scene) -> None:
    other = replace(REF, application=ApplicationName("billing"))
    async with scene.controller() as shop, scene.controller("other", ref=other) as billing:
        await put_through(shop, scene, web="one")
        desired = render(scene.module(db="one"), ref=other)
        await billing.observe(desired)
        assert (await billing.apply(await billing.plan(desired))).failure is None
    files = await scene.host.names("platform", branch=BRANCH)
    assert files == ["README.md", "states/prod/billing/cloud.age", "states/prod/shop/cloud.age"]
    assert (await scene.state())["lineage"] != (await scene.state(other))["lineage"]


async def test_a_sensitive_value_is_nowhere_but_in_the_cloud(
    scene: Scene, capfd: pytest.CaptureFixture[str], impatient: None
) -> None:
    canary = "c4n4ry-of-a-state"
    async with scene.controller() as place:
        desired = render(scene.module(web=canary))
        await place.observe(desired)
        plan = await place.plan(desired)
        assert (await apply_while_away(scene, place, plan)).failure is None
        (waiting,) = scene.spooled()
        assert canary.encode() not in waiting.read_bytes()
        await scene.host.come_back()
        await eventually(lambda: not scene.spooled(), deadline_seconds=60)
    assert canary in str(await scene.state())
    assert_nowhere(canary, scene.folder)
    assert_nowhere(canary, scene.host.root)
    assert canary not in "".join(capfd.readouterr())


def assert_nowhere(canary: str, folder: Path) -> None:
    """Search what was written: also what git packed."""
    import subprocess

    for root, _, names in os.walk(folder):
        for name in names:
            assert canary.encode() not in (Path(root) / name).read_bytes(), f"{root}/{name}"
    for repository in folder.rglob("*.git"):
        if (repository / "objects").is_dir():
            objects = subprocess.run(
                ["git", "-C", repository, "cat-file", "--batch-all-objects", "--batch", "--buffer"],
                capture_output=True,
                check=True,
                timeout=60,
            )
            assert canary.encode() not in objects.stdout


async def test_another_identity_neither_reads_nor_writes(scene: Scene) -> None:
    async with scene.controller() as place:
        await put_through(place, scene, web="one")
    before = await kept(scene.host, REF)
    keys = Keys()
    stranger = replace(scene, keys=replace(keys, recovery=scene.keys.recovery))
    async with stranger.controller("stranger") as place:
        with pytest.raises(Stalled, match="not sealed with an identity"):
            await place.observe(render(scene.module(web="two")))
    assert await kept(scene.host, REF) == before


@pytest.mark.parametrize("place_in_file", [3, -1])
async def test_a_file_that_somebody_changed_is_not_used(scene: Scene, place_in_file: int) -> None:
    async with scene.controller() as place:
        await put_through(place, scene, web="one")
    changed = bytearray(await kept(scene.host, REF))
    changed[place_in_file] ^= 1
    await scene.host.commit("platform", {"states/prod/shop/cloud.age": bytes(changed)}, branch=BRANCH)
    async with scene.controller("two") as place:
        with pytest.raises(Stalled, match="can't be used"):
            await place.observe(render(scene.module(web="one")))


@pytest.mark.parametrize("name", ["one", "restarted"])
async def test_an_older_state_is_refused(scene: Scene, name: str) -> None:
    """`one` is the controller that wrote it; the restarted one has the same cache."""
    async with scene.controller() as place:
        await put_through(place, scene, web="one")
        older = await scene.host.head("platform", BRANCH)
        assert older is not None
        await put_through(place, scene, web="two")
        if name == "one":
            await scene.host.move_branch("platform", BRANCH, older)
            with pytest.raises(Stalled, match="was seen before"):
                await place.plan(render(scene.module(web="three")))
    await scene.host.move_branch("platform", BRANCH, older)
    async with scene.controller() as place:
        with pytest.raises(Stalled, match="was seen before"):
            await place.observe(render(scene.module(web="two")))
        await scene.host.delete_branch("platform", BRANCH)
        with pytest.raises(Stalled, match="holds no state"):
            await place.observe(render(scene.module(web="two")))


async def test_going_back_is_possible_where_a_person_says_so(scene: Scene) -> None:
    desired = render(scene.module(web="one"))
    async with scene.controller() as place:
        await place.converge(desired)
        older = await kept(scene.host, REF)
        await put_through(place, scene, web="two")
        sealer = Sealer(Secret(f"{scene.keys.own}\n"), scene.keys.recipients)
        newest = sealer.open(REF, await kept(scene.host, REF)).mark
        put_back, mark = succeed(sealer, REF, sealer.open(REF, older).data, older, above=newest.serial)
        assert mark.serial > newest.serial
        await scene.host.force_push("platform", {"states/prod/shop/cloud.age": put_back}, branch=BRANCH)
        await place.plan(desired)
        assert (await place.observe(desired)).applied == desired.revision


async def test_who_was_faster_keeps_his_state_and_nothing_of_the_other_is_lost(scene: Scene) -> None:
    desired = render(scene.module(web="one"))
    async with scene.controller() as place:
        await place.converge(desired)
        await place.observe(desired)
        plan = await place.plan(render(scene.module(web="two")))
        async with scene.controller("rival") as rival:
            hold = scene.cloud.mark("web", "hold")
            applying = asyncio.create_task(place.apply(plan))
            await eventually((scene.cloud.folder / "web.held").exists, deadline_seconds=60)
            await rival.observe(desired)
            sealer = Sealer(Secret(f"{scene.keys.own}\n"), scene.keys.recipients)
            there = sealer.open(REF, await kept(scene.host, REF))
            theirs = there.data.replace(b'"serial": %d' % there.mark.serial, b'"serial": %d' % (there.mark.serial + 1))
            sealed = sealer.seal(REF, theirs, after=there.mark)
            await scene.host.commit("platform", {"states/prod/shop/cloud.age": sealed}, branch=BRANCH)
            hold.unlink()
            applied = await applying
        assert isinstance(applied.failure, Overtaken)
        assert await kept(scene.host, REF) == sealed
        (aside,) = scene.spooled()
        ours = scene.keys.recover(aside.read_bytes().split(b"\n", 1)[1])
        assert "two" in str(ours)
        with pytest.raises(Stalled, match="another state"):
            await place.observe(desired)
    async with scene.controller() as place:  # a restart does not push it over the other either
        await until_refused(place)
        assert await kept(scene.host, REF) == sealed
        aside.unlink()
        assert (await place.observe(desired)).applied == desired.revision


async def apply_while_away(scene: Scene, place: Place, plan: Plan) -> Applied:
    """Apply, with a host that goes away while terraform works."""
    hold = scene.cloud.mark("web", "hold")
    applying = asyncio.create_task(place.apply(plan))
    await eventually((scene.cloud.folder / "web.held").exists, deadline_seconds=60)
    await scene.host.go_away()
    hold.unlink()
    return await applying


async def until_refused(place: Place) -> None:
    """Wait until what was found on the branch is told."""
    async with asyncio.timeout(60):
        while True:
            try:
                await place.observe()
            except Transient:
                await asyncio.sleep(0.05)
            except Stalled:
                return


async def test_a_state_waits_while_the_host_is_away_and_nobody_plans_meanwhile(scene: Scene, impatient: None) -> None:
    desired = render(scene.module(web="one"))
    async with scene.controller() as place:
        await place.observe(desired)
        plan = await place.plan(desired)
        assert (await apply_while_away(scene, place, plan)).failure is None
        assert scene.cloud.get("web") is not None
        with pytest.raises(Transient, match="waits until"):
            await place.observe(desired)
        await scene.host.come_back()
        await eventually(lambda: not scene.spooled(), deadline_seconds=90)
        assert (await place.observe(desired)).applied == desired.revision


async def test_a_restarted_controller_pushes_what_waits_before_anything_else(scene: Scene, impatient: None) -> None:
    desired = render(scene.module(web="one"))
    async with scene.controller() as place:
        await place.observe(desired)
        plan = await place.plan(desired)
        assert (await apply_while_away(scene, place, plan)).failure is None
    assert len(scene.spooled()) == 1
    await scene.host.come_back()
    async with scene.controller() as place:
        await eventually(lambda: not scene.spooled(), deadline_seconds=60)
        assert (await place.observe(desired)).applied == desired.revision
        assert all(one.action is Action.NOTHING for one in (await place.plan(desired)).objects)


async def test_a_state_that_the_disk_refused_is_stored_from_where_terraform_left_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    desired = render(scene.module(web="one"))
    async with scene.controller() as place:
        await place.observe(desired)
        plan = await place.plan(desired)
        with monkeypatch.context() as patched:

            def refuse(*_arguments: object) -> None:
                raise OSError(28, "No space left on device")

            patched.setattr("controller.engine.spool.write_whole", refuse)
            failed = await place.apply(plan)
        assert isinstance(failed.failure, Transient)
        assert scene.cloud.get("web") is not None
        assert (await place.observe(desired)).applied == desired.revision
    assert await scene.versions() == 1


async def test_a_process_beside_reads_and_stores_nothing(scene: Scene, impatient: None) -> None:
    desired = render(scene.module(web="one"))
    async with scene.controller() as place:
        await place.converge(desired)
        async with scene.controller() as beside:
            assert (await beside.observe(desired)).applied == desired.revision
            changed = render(scene.module(web="two"))
            failed = await beside.apply(await beside.plan(changed))
            assert isinstance(failed.failure, Transient)
    assert await scene.versions() == 1
