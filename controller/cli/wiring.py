"""Puts the rooms together for a command: mirrors, credentials, and how a target is opened."""

from __future__ import annotations

import functools
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from controller.cli.options import PlatformOptions
from controller.config import read_platform
from controller.engine import (
    CONVERGE,
    Archives,
    Checkout,
    Controller,
    Folders,
    Footprints,
    Heads,
    Helm,
    OnDisk,
    OpenTarget,
    Preview,
    Question,
    Settings,
    Signers,
    Snapshot,
    Sops,
    StateKeeping,
    Tell,
    Workplace,
    Workshop,
    find_candidate,
    preview,
    snapshot_of,
    style_of,
    take_snapshot,
)
from controller.git import CommitInfo, GitTree, Identity, Mirror, Mirrors, choose, ref_patterns
from controller.model import (
    PLATFORM,
    CommitId,
    EnvironmentName,
    InstallationId,
    KubernetesTarget,
    PlacementRef,
    Platform,
    Stalled,
    TerraformTarget,
    Tree,
)
from controller.model import Target as TargetSpec
from controller.render import ChartArchive, ChartHead, ChartTemplate, Decryption, ModuleFolder, ModuleHead
from controller.runtime import Clock, CredentialStore, PlanKeys, SystemClock, Watcher, secrets_at_home
from controller.targets import Target

if TYPE_CHECKING:
    from controller.targets.kubernetes import Connection, Logins
    from controller.targets.terraform import Clouds


@contextmanager
def controller_of(options: PlatformOptions, *, interval_seconds: float, tell: Tell) -> Iterator[Controller]:
    """Make a controller, inside the event loop it will run on; it lives as long as the context."""
    credentials = CredentialStore(options.credential_directory)
    clock = SystemClock()
    settings = Settings(
        platform_url=options.url,
        platform_revision=options.revision,
        platform_credentials=options.credentials,
        platform_signers=Signers(ssh=options.signers_ssh, gpg=options.signers_gpg),
        interval_seconds=interval_seconds,
    )
    mirrors = Mirrors(options.cache / "mirrors", credentials)
    states = state_keeping(options.cache, clock)
    name = mirrors.mirror(options.url, options.credentials).path.stem
    on_disk = OnDisk(options.cache / "kept", name)
    with closing(on_disk), Watcher() as watcher:
        controller = Controller(
            settings,
            mirrors,
            target_opener(credentials, clock=clock, cache=options.cache, states=states, kept=options.cache / "kept"),
            clock=clock,
            watcher=watcher,
            tell=tell,
            workshop=workshop_of(options),
            states=states,
            on_disk=on_disk,
        )
        if options.credential_directory.is_dir():
            watcher.watch(options.credential_directory, controller.credentials_moved, is_recursive=True)
        yield controller


def workshop_of(options: PlatformOptions) -> Workshop:
    """Give what does the work of other programs for renders, with the credentials that a command was given."""
    return workshop_with(CredentialStore(options.credential_directory), options.cache)


def workshop_with(credentials: CredentialStore, cache: Path) -> Workshop:
    """Give what does the work of other programs for renders: CONVERGE_HELM and CONVERGE_SOPS, or found on PATH."""
    mirrors = Mirrors(cache / "mirrors", credentials)
    heads = Heads(mirrors, SystemClock())
    return Workshop(
        {
            ChartArchive: Archives(mirrors),
            ChartHead: heads,
            ModuleHead: heads,
            ModuleFolder: Folders(mirrors),
            ChartTemplate: Helm(os.environ.get("CONVERGE_HELM") or "helm"),
            Decryption: Sops(credentials, os.environ.get("CONVERGE_SOPS") or "sops"),
        }
    )


def _load_targets() -> None:
    """Import what talks to clusters while git is waited for: it takes a quarter of a second, and is needed next."""
    Thread(target=import_module, args=("controller.targets.kubernetes",), name="loading").start()


async def look_once(options: PlatformOptions) -> tuple[Snapshot, OpenTarget]:
    """Read the fleet as it is now, for a command that ends."""
    _load_targets()
    credentials = CredentialStore(options.credential_directory)
    clock = SystemClock()
    mirrors = Mirrors(options.cache / "mirrors", credentials)
    snapshot = await take_snapshot(_settings(options), mirrors, clock=clock, workshop=workshop_of(options))
    states = states_of(snapshot, mirrors, options, clock)
    return snapshot, target_opener(credentials, clock=clock, cache=options.cache, states=states)


async def look_to_work(options: PlatformOptions, hand: Identity, tell: Tell) -> Workplace:
    """Read the fleet as it is now, for a command that applies, and records that by its own hand."""
    credentials = CredentialStore(options.credential_directory)
    clock = SystemClock()
    mirrors = Mirrors(options.cache / "mirrors", credentials)
    snapshot = await take_snapshot(_settings(options), mirrors, clock=clock, workshop=workshop_of(options))
    platform = snapshot.fleet.platform
    states = states_of(snapshot, mirrors, options, clock)
    return Workplace(
        snapshot=snapshot,
        open_target=target_opener(credentials, clock=clock, cache=options.cache, states=states),
        states=states,
        records=records_mirror(platform, mirrors, options),
        style=replace(style_of(platform.commits, hand, mirrors), identity=hand),
        clock=clock,
        tell=tell,
    )


async def look_ahead(options: PlatformOptions, question: Question, *, into: str) -> tuple[Preview, OpenTarget]:
    """Read the fleet as it is now and as it would be with a commit, for a command that ends."""
    _load_targets()
    credentials = CredentialStore(options.credential_directory)
    clock = SystemClock()
    mirrors = Mirrors(options.cache / "mirrors", credentials, is_one_moment=True)
    name = mirrors.mirror(options.url, options.credentials).path.stem
    footprints = Footprints(options.cache / "footprints" / f"{name}.json")
    snapshot = await take_snapshot(
        _settings(options), mirrors, clock=clock, footprints=footprints, workshop=workshop_of(options)
    )
    candidate = await find_candidate(snapshot, question, mirrors)
    found = await preview(snapshot, candidate, mirrors, into=into, clock=clock)
    footprints.save()
    states = states_of(snapshot, mirrors, options, clock)
    return found, target_opener(credentials, clock=clock, cache=options.cache, states=states)


def state_keeping(cache: Path, clock: Clock) -> StateKeeping:
    """Give what keeps Terraform's states in git, for targets that ask for it."""
    return StateKeeping(cache / "states", clock=clock)


def states_of(snapshot: Snapshot, mirrors: Mirrors, options: PlatformOptions, clock: Clock) -> StateKeeping:
    """Give what reads states, for a command that ends: it stores none."""
    platform = snapshot.fleet.platform
    states = state_keeping(options.cache, clock)
    mirror, style = records_mirror(platform, mirrors, options), style_of(platform.commits, CONVERGE, mirrors)
    states.aim(mirror, style, records=platform.records.branch)
    return states


def records_mirror(platform: Platform, mirrors: Mirrors, options: PlatformOptions) -> Mirror:
    """Give the mirror of the repository that records go to."""
    if platform.records.repository is None:
        return mirrors.mirror(options.url, options.credentials)
    repository = platform.repositories[platform.records.repository]
    return mirrors.mirror(repository.url, repository.credentials)


def _settings(options: PlatformOptions) -> Settings:
    return Settings(
        platform_url=options.url,
        platform_revision=options.revision,
        platform_credentials=options.credentials,
        platform_signers=Signers(ssh=options.signers_ssh, gpg=options.signers_gpg),
    )


async def look_at(tree: Tree, options: PlatformOptions) -> Snapshot:
    """Read the fleet that a platform tree at hand describes, committed or not."""
    credentials = CredentialStore(options.credential_directory)
    now = datetime.now(UTC)
    uncommitted = CommitInfo(
        commit=tree.commit,
        tree="",
        parents=(),
        author="",
        email="",
        authored=now,
        committed=now,
        subject="not committed",
        message="",
    )
    checkout = Checkout(PLATFORM, "", tree.commit, tree, uncommitted)
    mirrors = Mirrors(options.cache / "mirrors", credentials)
    return await snapshot_of(checkout, mirrors, clock=SystemClock(), workshop=workshop_of(options))


@dataclass(frozen=True, slots=True)
class Places:
    """The repositories that commands about the past read, and where their branches are now."""

    mirrors: Mirrors
    platform: Mirror
    platform_head: CommitId
    records: Mirror
    records_head: CommitId
    workshop: Workshop


def platform_mirror(options: PlatformOptions) -> tuple[Mirrors, Mirror]:
    """Give the mirror of the platform repository, among those of all repositories."""
    mirrors = Mirrors(options.cache / "mirrors", CredentialStore(options.credential_directory))
    return mirrors, mirrors.mirror(options.url, options.credentials)


async def records_tree(options: PlatformOptions) -> GitTree:
    """Read the branch that records are written to, as it is now. Raises Stalled while there is none."""
    places = await records_places(options)
    return await places.records.tree(places.records_head, repository=PLATFORM)


async def records_places(options: PlatformOptions) -> Places:
    """Find the branch that records are written to. Raises Stalled while there is none."""
    mirrors, home = platform_mirror(options)
    head = await home.resolve(options.revision)
    platform = read_platform(await home.tree(head, repository=PLATFORM))
    mirror = records_mirror(platform, mirrors, options)
    branch = platform.records.branch
    refs = await mirror.refs(ref_patterns(branch))
    if not refs:
        raise Stalled(f"{mirror.url} has no branch {branch}: nothing is recorded yet. `converge run` writes it")
    found = choose(branch, refs, url=mirror.url)
    return Places(mirrors, home, head, mirror, found, workshop_of(options))


def target_opener(
    credentials: CredentialStore,
    *,
    clock: Clock,
    cache: Path,
    states: StateKeeping | None = None,
    kept: Path | None = None,
) -> OpenTarget:
    """Give the function by which the engine opens targets of any kind.

    `cache` is where providers are kept, `kept` what makes the next start of a controller short.
    """
    logins, plan_keys = _logins(), PlanKeys(credentials)
    clouds = functools.cache(lambda: _clouds(credentials, plan_keys, clock, cache, states))

    @asynccontextmanager
    async def open_target(
        spec: TargetSpec,
        environment: EnvironmentName,
        installation: InstallationId,
        *,
        changed: Callable[[PlacementRef], None],
    ) -> AsyncIterator[Target]:
        match spec:
            case KubernetesTarget():
                from controller.targets.kubernetes import open_cluster  # noqa: PLC0415  # not for offline commands

                async with open_cluster(
                    spec,
                    environment,
                    installation,
                    credentials=credentials,
                    plan_keys=plan_keys,
                    logins=logins,
                    clock=clock,
                    changed=changed,
                    kept=kept,
                ) as cluster:
                    yield cluster
            case TerraformTarget():
                async with clouds().open(spec, environment, installation, changed=changed) as cloud:
                    yield cloud

    return open_target


def _clouds(
    credentials: CredentialStore, plan_keys: PlanKeys, clock: Clock, cache: Path, states: StateKeeping | None
) -> Clouds:
    """Take terraform's own configuration (mirrors, credentials of registries) from CONVERGE_TERRAFORM_CONFIG."""
    from controller.targets.terraform import WORK_VARIABLE, Clouds  # noqa: PLC0415  # only where an environment has such a target

    configuration = os.environ.get("CONVERGE_TERRAFORM_CONFIG", "")
    work = os.environ.get(WORK_VARIABLE, "")
    return Clouds(
        cache / "terraform",
        credentials=credentials,
        plan_keys=plan_keys,
        clock=clock,
        configuration=Path(configuration) if configuration else None,
        hidden=(cache, *secrets_at_home()),
        keepers=states.at if states is not None else None,
        work=Path(work) if work else None,
    )


def connect(spec: KubernetesTarget, credentials: CredentialStore) -> Connection:
    """Give a bare connection to a cluster, as a person at a terminal has one."""
    from controller.targets.kubernetes import Connection  # noqa: PLC0415  # not for offline commands

    return Connection(str(spec.name), _logins().source(spec, credentials))


def _logins() -> Logins:
    """Log in with the exec plug-ins that CONVERGE_EXEC_PLUGINS names (separated by commas), and with no other."""
    from controller.targets.kubernetes import Logins  # noqa: PLC0415  # not for offline commands

    return Logins(allowed_plugins=plugins_in(os.environ.get("CONVERGE_EXEC_PLUGINS", "")))


def plugins_in(text: str) -> frozenset[str]:
    """Read a list of commands, separated by commas. Pure."""
    return frozenset(filter(None, (one.strip() for one in text.split(","))))
