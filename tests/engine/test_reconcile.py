"""Runs against a target in memory: what a run asks of a target, in which order, and what it makes of the answers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from controller.engine.claims import Claims
from controller.engine.events import DriftFound, Event
from controller.engine.fleet import Entry
from controller.engine.judging import Judged
from controller.engine.reconcile import Inputs, Means, reconcile
from controller.engine.rendering import Renderer
from controller.engine.sources import Checkout
from controller.git import CommitInfo
from controller.model import (
    PLATFORM,
    Action,
    Application,
    ApplicationName,
    Applied,
    Capabilities,
    Cause,
    CommitId,
    ConvergeError,
    Desired,
    Digest,
    Environment,
    EnvironmentName,
    FieldChange,
    GroupRef,
    Health,
    HealthRules,
    InstallationId,
    KubernetesTarget,
    LiveObject,
    MemoryTree,
    ObjectPlan,
    Observation,
    OnDrift,
    OnPending,
    Outcome,
    Permitted,
    PlacementRef,
    PlacementReport,
    Plan,
    Platform,
    Records,
    Repository,
    RepositoryName,
    Result,
    Revision,
    Stalled,
    SyncPolicy,
    SyncStatus,
    TargetName,
    Transient,
    Wait,
    Waiting,
    WaitKind,
)
from tests.engine.make import WHERE, application, placement

CONFIG = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: shop}\ndata: {a: '1'}\n"
REF = placement()
CLOSED = Wait(kind=WaitKind.WINDOW, what="no sync at night")


@dataclass
class MemoryTarget:
    """Holds what was applied; `edited` objects are suspects whose drift a plan names."""

    held: dict[Any, Digest] = field(default_factory=dict)
    applied: tuple[Revision, Digest] | None = None
    edited: set[Any] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)
    failures: dict[str, ConvergeError] = field(default_factory=dict)
    has_loose_ends: bool = False  # until the next apply

    async def capabilities(self) -> Capabilities:
        return Capabilities()

    async def observe(self, ref: PlacementRef, _desired: Desired | None = None, /) -> Observation:
        self._call("observe")
        return Observation(
            placement=ref,
            applied=self.applied[0] if self.applied else None,
            applied_digest=self.applied[1] if self.applied else None,
            objects=tuple(
                LiveObject(key=key, uid="u", digest=digest, health=Health.HEALTHY, is_suspect=key in self.edited)
                for key, digest in self.held.items()
            ),
            has_loose_ends=self.has_loose_ends,
        )

    async def plan(self, desired: Desired, application: Application) -> Plan:  # noqa: ARG002
        self._call("plan")
        return Plan(
            placement=desired.placement,
            revision=desired.revision,
            desired=desired.digest,
            objects=tuple(self._plan(one) for one in desired.manifests),
            hash=Digest("sha256:plan"),
        )

    def _plan(self, manifest: Any) -> ObjectPlan:
        if manifest.key not in self.held:
            return ObjectPlan(key=manifest.key, action=Action.CREATE, manifest=manifest)
        changes = []
        if self.held[manifest.key] != manifest.digest:
            changes.append(FieldChange(("data", "a"), "1", "2", Cause.PENDING))
        if manifest.key in self.edited:
            changes.append(FieldChange(("data", "b"), "x", "1", Cause.DRIFT))
        action = Action.CHANGE if changes else Action.NOTHING
        return ObjectPlan(key=manifest.key, action=action, changes=tuple(changes), manifest=manifest)

    async def apply(
        self,
        plan: Permitted,
        application: Application,  # noqa: ARG002
        *,
        superseded: asyncio.Event,  # noqa: ARG002
    ) -> Applied:
        self._call("apply")
        outcomes = []
        for one in plan.objects:
            if one.action is not Action.NOTHING and one.manifest is not None:
                self.held[one.key] = one.manifest.digest
                self.edited.discard(one.key)
                outcomes.append(Outcome(one.key, Result.CONFIGURED))
        self.applied = (plan.revision, plan.desired)
        self.has_loose_ends = False
        return Applied(tuple(outcomes))

    def judge_by(self, rules: HealthRules) -> None:
        """Know nothing of kinds."""

    def credentials_moved(self) -> None:
        """Know no credentials."""

    async def placements(self) -> tuple[PlacementRef, ...]:
        return ()

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if name in self.failures:
            raise self.failures[name]


@dataclass
class World:
    target: MemoryTarget = field(default_factory=MemoryTarget)
    events: list[Event] = field(default_factory=list)
    interim: list[PlacementReport] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=lambda: {"deploy/config.yaml": CONFIG})
    commit: str = "a" * 40
    sync: SyncPolicy = field(default_factory=SyncPolicy)
    closed_window: Wait | None = None
    depends_on: tuple[GroupRef, ...] = ()
    groups: dict[GroupRef, tuple[PlacementReport, ...]] = field(default_factory=dict)
    approved: frozenset[Digest] = frozenset()
    renderer: Renderer = field(default_factory=Renderer)
    claims: Claims = field(default_factory=Claims)

    async def run(self) -> PlacementReport:
        return (await reconcile(self._inputs(), self._means())).report

    def _inputs(self) -> Inputs:
        entry_application = replace(application(self.sync), depends_on=self.depends_on, namespace="shop")
        repository = Repository(name=RepositoryName("shop"), url="https://git.example.com/shop.git", origin=WHERE)
        target = KubernetesTarget(name=TargetName("hz"), origin=WHERE)
        environment = Environment(
            name=EnvironmentName("prod"),
            targets={target.name: target},
            applications={entry_application.name: entry_application},
            sync=self.sync,
            origin=WHERE,
        )
        platform = Platform(
            name="acme",
            installation=InstallationId("i"),
            repositories={repository.name: repository},
            records=Records(),
            environments={environment.name: environment},
            origin=WHERE,
        )
        return Inputs(
            placement=REF,
            entry=Entry(entry_application, repository, target, is_suspended=False),
            fleet=platform,
            application=checkout("shop", self.files, self.commit),
            platform=checkout(PLATFORM, {}, "b" * 40),
        )

    async def _judge(self, _applied: Revision | None) -> Judged:
        return Judged(self.approved)

    def _means(self) -> Means:
        return Means(
            now=datetime(2026, 1, 1, tzinfo=UTC),
            renderer=self.renderer,
            target=self.target,
            claims=self.claims,
            checks=(),
            groups=self.groups,
            damped=frozenset(),
            judge=self._judge,
            closed_window=self.closed_window,
            describe=describe,
            tell=self.events.append,
            interim=self.interim.append,
            superseded=asyncio.Event(),
        )


async def describe(commit: CommitId) -> CommitInfo | None:
    return info(commit)


def info(commit: str) -> CommitInfo:
    return CommitInfo(
        commit=CommitId(commit),
        author="Alice",
        email="alice@example.com",
        authored=datetime(2026, 1, 1, tzinfo=UTC),
        committed=datetime(2026, 1, 1, tzinfo=UTC),
        subject=f"Change {commit[:4]}",
        message="",
        tree="",
        parents=(),
    )


def checkout(name: str, files: dict[str, bytes], commit: str) -> Checkout:
    tree = MemoryTree(files, RepositoryName(name), CommitId(commit))
    return Checkout(RepositoryName(name), "main", CommitId(commit), tree, info(commit))


async def test_a_first_run_plans_applies_and_is_synced() -> None:
    world = World()
    report = await world.run()
    assert report.sync is SyncStatus.SYNCED
    assert report.health is Health.HEALTHY
    assert world.target.calls == ["observe", "plan", "apply", "observe"]


async def test_a_settled_placement_costs_one_observation_and_no_render() -> None:
    world = World()
    await world.run()
    world.target.calls.clear()
    again = await world.run()
    assert world.target.calls == ["observe"]
    assert world.renderer.renders == 1
    assert again.sync is SyncStatus.SYNCED


async def test_a_commit_that_changes_nothing_of_a_placement_is_no_new_version_of_it() -> None:
    world = World()
    first = await world.run()
    world.commit = "c" * 40
    world.files = {**world.files, "README.md": b"hello"}
    second = await world.run()
    assert second.revision == first.revision
    assert second.subject == first.subject
    assert world.renderer.renders == 1


async def test_drift_is_told_shown_and_taken_back() -> None:
    world = World()
    await world.run()
    world.target.edited = set(world.target.held)
    report = await world.run()
    assert [event.changes[0].path for event in world.events if isinstance(event, DriftFound)] == [("data", "b")]
    assert [one.sync for one in world.interim] == [SyncStatus.DRIFTED]
    assert report.sync is SyncStatus.SYNCED
    assert not world.target.edited


async def test_reported_drift_is_left_alone_and_named() -> None:
    world = World(sync=SyncPolicy(drift=OnDrift.REPORT))
    await world.run()
    world.target.edited = set(world.target.held)
    world.target.calls.clear()
    report = await world.run()
    assert report.sync is SyncStatus.DRIFTED
    assert report.drifted == 1
    assert "apply" not in world.target.calls


async def test_an_unapproved_change_waits_and_an_approval_lets_it_through() -> None:
    world = World(sync=SyncPolicy(pending=OnPending.APPROVE))
    assert (await world.run()).sync is SyncStatus.AWAITING_APPROVAL
    assert "apply" not in world.target.calls
    world.approved = frozenset({Digest("sha256:plan")})
    assert (await world.run()).sync is SyncStatus.SYNCED


async def test_a_manifest_that_does_not_parse_is_failed_with_its_place_and_touches_nothing() -> None:
    world = World()
    await world.run()
    world.commit, world.files = "c" * 40, {"deploy/config.yaml": b"a: 1\n b: 2\n"}
    world.target.calls.clear()
    report = await world.run()
    assert report.sync is SyncStatus.FAILED
    assert "deploy/config.yaml:2" in report.reason
    assert world.target.calls == ["observe"]


async def test_an_observation_that_fails_is_unknown_and_nothing_is_planned() -> None:
    world = World()
    world.target.failures = {"observe": Transient("the cluster is away")}
    report = await world.run()
    assert report.sync is SyncStatus.UNKNOWN
    assert world.target.calls == ["observe"]


async def test_a_plan_that_must_wait_is_pending_and_says_for_what() -> None:
    world = World()
    world.target.failures = {"plan": Waiting("namespace shop is terminating")}
    report = await world.run()
    assert (report.sync, report.reason) == (SyncStatus.PENDING, "namespace shop is terminating")


async def test_a_placement_waits_for_what_it_depends_on() -> None:
    database = GroupRef(EnvironmentName("prod"), ApplicationName("db"))
    world = World(depends_on=(database,))
    report = await world.run()
    assert report.sync is SyncStatus.PENDING
    assert "prod/db" in report.reason
    assert "plan" not in world.target.calls
    ready = PlacementReport(placement=placement("db"), sync=SyncStatus.SYNCED, health=Health.HEALTHY)
    world.groups = {database: (ready,)}
    assert (await world.run()).sync is SyncStatus.SYNCED


async def test_an_object_that_another_placement_holds_is_refused() -> None:
    world = World()
    other = replace(
        (
            await world.renderer.rendered(
                REF, world._inputs().entry, world._inputs().application, world._inputs().platform
            )
        ).desired,
        placement=placement("other"),
    )
    world.claims.claim(other)
    report = await world.run()
    assert report.sync is SyncStatus.FAILED
    assert "prod/other@hz" in report.reason
    assert "plan" not in world.target.calls


async def test_a_failure_while_applying_is_reported_with_what_was_done() -> None:
    world = World()
    world.target.failures = {"apply": Stalled("ConfigMap settings: forbidden")}
    report = await world.run()
    assert (report.sync, report.reason) == (SyncStatus.FAILED, "ConfigMap settings: forbidden")
    assert report.pending == 1


async def test_what_a_killed_run_left_undone_is_ended_by_an_apply_of_nothing() -> None:
    world = World()
    await world.run()
    world.target.has_loose_ends = True
    world.target.calls.clear()
    report = await world.run()
    assert world.target.calls == ["observe", "plan", "apply", "observe"]
    assert report.sync is SyncStatus.SYNCED
    await world.run()
    assert world.target.calls[4:] == ["observe"]


async def test_loose_ends_wait_for_the_window_too() -> None:
    world = World()
    await world.run()
    world.target.has_loose_ends, world.closed_window = True, CLOSED
    world.target.calls.clear()
    await world.run()
    assert "apply" not in world.target.calls
