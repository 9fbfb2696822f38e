"""What an earlier process kept on disk makes a start short, and nothing else: it ends where one without it does."""

from __future__ import annotations

import asyncio
import io
import re
import tarfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from itertools import count
from random import Random
from typing import Any

import pytest

from controller.model import Application, Desired, PlacementRef, PlacementReport, Plan, SyncStatus
from controller.targets.kubernetes import Cluster
from tests.cluster.api import Api, ApiError
from tests.fixtures.clock import SkippingClock
from tests.fixtures.loop import Loop, config_map, deployment, dump

pytestmark = pytest.mark.slow

NAMES = ("shop", "billing", "mail")
COMPONENT = b"apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\ncommonAnnotations: {who: platform}\n"
RULE = (
    b"kinds: [ConfigMap]\njudge:\n- {health: Healthy, field: data.x, in: ['1', '2']}\n- {health: Degraded, why: odd}\n"
)
ANY = b"kinds: [ConfigMap]\njudge:\n- {health: Healthy}\n"
ROUNDS = 3  # of some seconds each; longer ones, with other seeds, are for whoever changes what is kept
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ][\d:.]+(Z|[+]00:00)?")


@dataclass
class World:
    """All that may move while no controller runs. Each change is a method, drawn by `chance`."""

    loop: Loop
    live: Api
    clock: SkippingClock
    chance: Random
    sync: dict[str, Any] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    renamed: bool = False
    is_disowned: bool = False  # some object's managedFields were cleared, and it was not taken back since

    @property
    def name(self) -> str:
        return self.chance.choice(NAMES)

    @property
    def value(self) -> str:
        return str(self.chance.randint(1, 3))

    def body(self, name: str, kind: str = "ConfigMap") -> dict[str, Any]:
        return {
            "apiVersion": "apps/v1" if kind == "Deployment" else "v1",
            "kind": kind,
            "metadata": {"name": name, "namespace": self.loop.namespace},
        }

    async def begin(self) -> None:
        for name in NAMES:
            secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"a": "b"}}
            more = {"deploy/secret.yaml": dump(secret)} if name == "mail" else {}
            content = {"deploy/a.yaml": config_map(name, x="1"), "deploy/web.yaml": deployment(name, replicas=0)}
            await self.loop.host.create(name, {**content, **more})
        await self.say(pending="auto", drift="revert")

    async def say(self, **sync: Any) -> None:
        self.sync |= sync
        entries: dict[str, dict[str, Any]] = {name: {} for name in NAMES}
        if self.renamed:
            entries["shop"] = {"parameters": {"colour": "blue"}}
        await self.loop.platform(entries, sync=self.sync, files=self.files)

    # In git

    async def edit(self) -> None:
        name = self.name
        await self.loop.host.commit(name, {"deploy/a.yaml": config_map(name, x=self.value)})

    async def touch(self) -> None:
        await self.loop.host.commit(self.name, {"README.md": self.value.encode()})

    async def spoil(self) -> None:
        await self.loop.host.commit(self.name, {"deploy/b.yaml": self.chance.choice([b"a: [", None])})

    async def overlay(self) -> None:
        self.files[f"overlays/dev/{self.name}/kustomization.yaml"] = COMPONENT + f"# {self.value}\n".encode()
        await self.say()

    async def parameter(self) -> None:
        self.renamed = not self.renamed
        await self.say()

    # Of the platform and of time

    async def rule(self) -> None:
        self.files["health/a.yaml"] = self.chance.choice([RULE, ANY])
        await self.say()

    async def ignore(self) -> None:
        if self.is_disowned:  # a fight over the annotation, which would not end
            return
        until = (self.clock.now() + timedelta(days=self.chance.choice([1, 3]))).isoformat(timespec="seconds")
        await self.say(ignore=[{"fields": ["data.x"], "kinds": ["ConfigMap"], "until": until}])

    async def time(self) -> None:
        self.clock.skip(2 * 86_400)

    # On the cluster, by others

    async def tamper(self) -> None:
        await self.live.patch(self.body(self.name), {"data": {"x": f"tampered {self.value}"}})

    async def scale(self) -> None:
        await self.live.patch(self.body(self.name, "Deployment"), {"spec": {"paused": self.chance.random() < 0.5}})

    async def note(self) -> None:
        await self.live.patch(self.body(self.name), {"metadata": {"annotations": {"note": self.value}}})

    async def unlabel(self) -> None:
        await self.live.patch(self.body(self.name), {"metadata": {"labels": None}})

    async def disown(self) -> None:
        if "ignore" in self.sync:
            return
        self.is_disowned = True
        await self.live.patch(self.body(self.name), {"metadata": {"managedFields": [{}]}})

    async def remove(self) -> None:
        await self.live.delete(self.body(self.name))

    async def make_anew(self) -> None:
        found = await self.live.get("v1", "ConfigMap", self.name)
        await self.live.delete(found)
        for one in ("uid", "resourceVersion", "creationTimestamp", "managedFields"):
            found["metadata"].pop(one, None)
        await self.live.create(found)

    def changes(self) -> tuple[Callable[[], Awaitable[None]], ...]:
        git = (self.edit, self.edit, self.touch, self.spoil, self.overlay, self.parameter)
        elsewhere = (self.rule, self.ignore, self.time)
        by_hand = (self.tamper, self.scale, self.note, self.unlabel, self.disown, self.remove, self.make_anew)
        return (*git, *elsewhere, *by_hand)

    async def move(self) -> str:
        """Make one to three changes, and name them."""
        made = []
        for change in self.chance.choices(self.changes(), k=self.chance.randint(1, 3)):
            try:
                await change()
            except ApiError:  # what an earlier change took away
                continue
            made.append(change.__name__)
        return ", ".join(made)

    async def looked(self, *, keeps: bool) -> tuple[dict[str, PlacementReport], dict[str, str]]:
        """Start a controller, and give what it comes to and what it leaves on the branch of records, but for times."""
        self.loop.keeps = keeps
        async with self.loop.start() as controller:
            reports = await controller.settled()
        return {str(one.placement): one for one in reports}, await self.recorded()

    async def recorded(self) -> dict[str, str]:
        folder = str(self.loop.host.path("platform"))
        argv = ("git", "--git-dir", folder, "archive", "--format=tar", "converge-status")
        process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
        packed, _ = await process.communicate()
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            files = {one.name: archive.extractfile(one) for one in archive.getmembers() if one.isfile()}
            return {name: TIME.sub("", one.read().decode()) for name, one in files.items() if one is not None}


def differences(some: Mapping[str, PlacementReport], others: Mapping[str, PlacementReport]) -> list[str]:
    """Say where two ends differ, for people."""
    found = [f"{name} on one side only" for name in some.keys() ^ others.keys()]
    for name in some.keys() & others.keys():
        parts: list[tuple[str, Any, Any]] = [(name, some[name], others[name])]
        parts += zip(count(), some[name].objects, others[name].objects)  # type: ignore[arg-type]
        for part, one, other in parts:
            for each in fields(one):
                left, right = getattr(one, each.name), getattr(other, each.name)
                if left != right and each.name != "objects":
                    found.append(f"{name} {part} {each.name}: {left!r} != {right!r}")
        if some[name] != others[name] and not found:
            found.append(f"{name}: other objects")
    return found


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_start_with_what_was_kept_ends_where_one_without_it_does(loop: Loop, live: Api, seed: int) -> None:
    clock = loop.clock = SkippingClock()
    world = World(loop, live, clock, Random(seed))
    await world.begin()
    await world.looked(keeps=True)
    for turn in range(ROUNDS):
        await world.say(pending="report", drift="report")  # so that a start leaves the world as it found it
        moved = await world.move()
        with_it, told = await world.looked(keeps=True)
        without, told_again = await world.looked(keeps=False)
        assert differences(with_it, without) == [], moved
        assert told == told_again, moved
        if turn % 2:
            await world.say(pending="auto", drift="revert")
            await world.looked(keeps=True)
            world.is_disowned = False


async def test_a_start_with_everything_synced_renders_nothing_and_plans_nothing(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in NAMES:
        await loop.host.create(name, {"deploy/a.yaml": config_map(name, x="1")})
    await loop.platform({name: {} for name in NAMES})
    async with loop.start() as controller:
        await controller.settled()
    planned: list[PlacementRef] = []
    plan = Cluster.plan

    async def noted(self: Cluster, desired: Desired, application: Application) -> Plan:
        planned.append(desired.placement)
        return await plan(self, desired, application)

    monkeypatch.setattr(Cluster, "plan", noted)
    async with loop.start() as controller:
        assert {one.sync for one in await controller.settled()} == {SyncStatus.SYNCED}
        assert (controller.renders, planned) == (0, [])
    await loop.host.commit("shop", {"deploy/a.yaml": config_map("shop", x="2")})
    async with loop.start() as controller:
        await controller.settled()
        assert (controller.renders, {one.application for one in planned}) == (1, {"shop"})


async def test_a_damaged_or_foreign_file_is_as_if_nothing_had_been_kept(loop: Loop) -> None:
    await loop.host.create("shop", {"deploy/a.yaml": config_map("shop", x="1")})
    await loop.platform({"shop": {}})
    for spoiled in (b"", b"nonsense " * 4_000, None):
        async with loop.start() as controller:
            await controller.settled()
            assert controller.board.all()[0].sync is SyncStatus.SYNCED
        for file in (loop.directory / "kept").iterdir():
            if spoiled is None:
                file.unlink()
            else:
                file.write_bytes(spoiled)
    async with loop.start() as controller:
        await controller.settled()
        assert controller.renders == 1
