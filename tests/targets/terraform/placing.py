"""A terraform target with one placement, driven as the engine drives it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from controller.model import (
    PLATFORM,
    Application,
    ApplicationName,
    Applied,
    Backend,
    CommitId,
    Desired,
    EnvironmentName,
    InstallationId,
    MemoryTree,
    Observation,
    Origin,
    Permitted,
    PlacementRef,
    Plan,
    RepositoryName,
    Revision,
    State,
    SyncPolicy,
    TargetName,
    TerraformTarget,
)
from controller.render import RenderRequest, overlay_paths
from controller.render.terraform import render_workspace
from controller.runtime import CredentialStore, PlanKeys, SystemClock
from controller.targets import StateKeeper
from controller.targets.terraform import Cloud, Clouds
from tests.fixtures.terraform import FakeCloud

WHERE = Origin(PLATFORM, "environments/prod.yaml", 1, CommitId("b" * 40))
REF = PlacementRef(EnvironmentName("prod"), ApplicationName("shop"), TargetName("cloud"))
INSTALLATION = InstallationId("3c9e0f0a-6d0e")


def render(
    files: Mapping[str, bytes],
    *,
    platform: Mapping[str, bytes] | None = None,
    path: str = "infra",
    parameters: Mapping[str, Any] | None = None,
    commit: str = "a",
    ref: PlacementRef = REF,
) -> Desired:
    revision = Revision(CommitId(commit * 40), CommitId("b" * 40))
    return render_workspace(
        RenderRequest(
            placement=ref,
            revision=revision,
            application=MemoryTree(files, RepositoryName("shop"), revision.application),
            path=path,
            platform=MemoryTree(platform or {}, PLATFORM, revision.platform),
            overlays=overlay_paths(ref),
            parameters=parameters or {},
        )
    ).desired


def application(state: State = State.PRESENT) -> Application:
    return Application(
        name=REF.application,
        repository=RepositoryName("shop"),
        path="infra",
        revision="main",
        targets=(REF.target,),
        state=state,
        sync=SyncPolicy(),
        origin=WHERE,
    )


def spec(fake: FakeCloud, **fields: Any) -> TerraformTarget:
    backend = Backend(fake.backend["type"], fake.backend["config"])
    return TerraformTarget(**{"name": REF.target, "backend": backend, "origin": WHERE, "tool": fake.tool, **fields})


@dataclass
class Place:
    """One placement on an open target."""

    cloud: Cloud
    ref: PlacementRef = REF
    changed: list[PlacementRef] = field(default_factory=list)
    woken: Callable[[PlacementRef], object] | None = None  # called for each that changed, beside noting it

    async def observe(self, desired: Desired | None = None) -> Observation:
        return await self.cloud.observe(self.ref, desired)

    async def plan(self, desired: Desired, state: State = State.PRESENT) -> Plan:
        return await self.cloud.plan(desired, application(state))

    async def apply(self, plan: Plan, state: State = State.PRESENT) -> Applied:
        return await self.cloud.apply(Permitted(plan), application(state), superseded=asyncio.Event())

    async def converge(self, desired: Desired) -> Applied:
        """Plan and apply, with every yes given."""
        await self.observe(desired)
        return await self.apply(await self.plan(desired))


def clouds_of(
    fake: FakeCloud,
    directory: Path,
    *,
    keepers: Callable[[str], StateKeeper] | None = None,
    work: Path | None = None,
) -> Clouds:
    """Give what opens all terraform targets of a process."""
    store = CredentialStore(directory / "credentials")
    keys = directory / "credentials" / "plan-keys"
    keys.mkdir(parents=True, exist_ok=True)
    (keys / "prod").write_text("a key of this test alone")
    return Clouds(
        directory / "cache",
        credentials=store,
        plan_keys=PlanKeys(store),
        clock=SystemClock(),
        configuration=fake.configuration,
        keepers=keepers,
        work=work,
    )


@asynccontextmanager
async def open_place(
    fake: FakeCloud,
    directory: Path,
    *,
    keepers: Callable[[str], StateKeeper] | None = None,
    ref: PlacementRef = REF,
    work: Path | None = None,
    clouds: Clouds | None = None,
    **fields: Any,
) -> AsyncIterator[Place]:
    clouds = clouds or clouds_of(fake, directory, keepers=keepers, work=work)
    place: Place | None = None

    def changed(ref: PlacementRef) -> None:
        if place is not None:
            place.changed.append(ref)
            if place.woken is not None:
                place.woken(ref)

    async with clouds.open(spec(fake, **fields), REF.environment, INSTALLATION, changed=changed) as cloud:
        place = Place(cloud, ref)
        yield place


def nothing(desired: Desired) -> Desired:
    return replace(desired, manifests=())
