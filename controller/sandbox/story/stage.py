"""Sets the stage: git repositories behind a host, a cluster, credentials, and a controller that follows them."""

from __future__ import annotations

import asyncio
import secrets
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from controller.documents import Dialect, edit, read
from controller.engine import Controller, Event, OpenTarget, PlacementReconciled, Settings, Workshop
from controller.git import Identity, Mirrors
from controller.model import PLATFORM, CommitId, KubernetesTarget, Origin, Stalled, TargetName
from controller.runtime import CredentialStore, SystemClock, Watcher
from controller.sandbox.git_host import Access, GitHost
from controller.sandbox.story.audience import Audience
from controller.targets.kubernetes import Connection, Request

REFERENCE = Path(__file__).parents[3]  # the repository that the demo is started from
TOKEN = "demo-token"  # noqa: S105  # of the git host that this process runs for itself
INTERVAL_SECONDS = 1.0
APPLICATIONS = ("shop", "billing")
ENVIRONMENTS = ("dev", "prod")
SYSTEM_NAMESPACE = "/api/v1/namespaces/converge-system"


@dataclass(frozen=True, slots=True)
class Place:
    """A cluster for the story: how to reach it, and whether what the story made shall be taken away at the end."""

    kubeconfig: bytes
    context: str
    name: str  # for people
    is_borrowed: bool = False
    namespaces: str = ""  # prefix of the namespaces that the story uses


@dataclass(frozen=True, slots=True)
class Stage:
    """All that the scenes act on."""

    host: GitHost
    controller: Controller
    audience: Audience
    api: Api
    directory: Path
    place: Place
    had_system_namespace: bool  # before the story began

    def namespace(self, environment: str, application: str) -> str:
        own = application if environment == "prod" else f"{application}-{environment}"
        return f"{self.place.namespaces}{own}"

    async def clean_up(self) -> None:
        """Take away what the story made on a borrowed cluster: applications by git, then their shared namespaces."""
        changes: dict[str, bytes] = {}
        for environment in ENVIRONMENTS:
            path = f"environments/{environment}.yaml"
            text = (await self.host.show("platform", path)).encode()
            absent: dict[tuple[str | int, ...], Any] = {
                ("spec", "applications", name, *field): value
                for name in APPLICATIONS
                for field, value in ((("state",), "absent"), (("sync", "pending"), "auto"))
            }
            changes[path] = edit(text, absent, path=path)
        mark = self.audience.mark()
        await self.host.commit("platform", changes, message="Take the demo away")
        for environment in ENVIRONMENTS:
            for name in APPLICATIONS:
                await self.audience.until(
                    PlacementReconciled,
                    partial(_is_gone, group=f"{environment}/{name}"),
                    since=mark,
                    what=f"{environment}/{name} to be gone",
                )
                await self.api.delete(f"/api/v1/namespaces/{self.namespace(environment, name)}")
        if not self.had_system_namespace:
            await self.api.delete(SYSTEM_NAMESPACE)


def _is_gone(event: PlacementReconciled, *, group: str) -> bool:
    return str(event.report.placement.group) == group and event.report.retired


class Api:
    """The cluster as a person at a terminal reaches it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def get(self, path: str) -> dict[str, Any] | None:
        response = await self._connection.send(Request("GET", path))
        if response.status == 404:
            return None
        return self._decoded(response.status, response.body)

    async def create(self, path: str, body: dict[str, Any], *, manager: str) -> None:
        request = Request("POST", path, (("fieldManager", manager),), orjson.dumps(body), "application/json")
        response = await self._connection.send(request)
        self._decoded(response.status, response.body)

    async def patch(self, path: str, body: dict[str, Any], *, manager: str) -> None:
        request = Request(
            "PATCH", path, (("fieldManager", manager),), orjson.dumps(body), "application/merge-patch+json"
        )
        response = await self._connection.send(request)
        self._decoded(response.status, response.body)

    async def delete(self, path: str) -> None:
        await self._connection.send(Request("DELETE", path))

    @staticmethod
    def _decoded(status: int, body: bytes) -> dict[str, Any]:
        value: dict[str, Any] = orjson.loads(body)
        if status >= 400:
            raise Stalled(f"the cluster answered {status}: {value.get('message')}")
        return value


@asynccontextmanager
async def open_stage(
    directory: Path,
    place: Place,
    *,
    connect: Callable[[KubernetesTarget, CredentialStore], Connection],
    opener: Callable[[CredentialStore], OpenTarget],
    listen: Callable[[Event], None],
    workshop: Workshop | None = None,
) -> AsyncIterator[Stage]:
    """Start everything, in order; leaving the context ends everything."""
    _write_credentials(directory / "credentials", place)
    store = CredentialStore(directory / "credentials")
    host = GitHost(directory / "git", access=Access(username="demo", password=TOKEN))
    audience = Audience(listen)
    origin = Origin(PLATFORM, "demo", 0, CommitId("0" * 40))
    target = KubernetesTarget(name=TargetName("demo"), context=place.context, origin=origin)
    async with host, connect(target, store) as connection:
        api = Api(connection)
        had_system_namespace = await api.get(SYSTEM_NAMESPACE) is not None
        await _make_repositories(host, place)
        settings = Settings(
            platform_url=host.url("platform"),
            platform_credentials="git",
            interval_seconds=INTERVAL_SECONDS,
            identity=Identity("Converge", "converge@example.com"),
            stop_seconds=10.0,
        )
        with Watcher() as watcher:
            controller = Controller(
                settings,
                Mirrors(directory / "cache", store),
                opener(store),
                clock=SystemClock(),
                watcher=watcher,
                tell=audience.hear,
                workshop=workshop,
            )
            stop = asyncio.Event()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(controller.run(stop), name="controller")
                try:
                    yield Stage(host, controller, audience, api, directory, place, had_system_namespace)
                finally:
                    stop.set()


def _write_credentials(folder: Path, place: Place) -> None:
    for name, files in {
        "git": {"username": b"demo", "token": TOKEN.encode()},
        "kubeconfig": {"kubeconfig": place.kubeconfig},
        "plan-keys": {environment: secrets.token_bytes(32) for environment in ENVIRONMENTS},
    }.items():
        (folder / name).mkdir(parents=True, mode=0o700)
        for file, data in files.items():
            (folder / name / file).write_bytes(data)


async def _make_repositories(host: GitHost, place: Place) -> None:
    for name in APPLICATIONS:
        await host.create(name, REFERENCE / "examples" / name)
    files = {"converge.yaml": (REFERENCE / "converge.yaml").read_bytes()}
    for folder in ("environments", "overlays"):
        for file in sorted((REFERENCE / folder).rglob("*")):
            if file.is_file():
                files[file.relative_to(REFERENCE).as_posix()] = file.read_bytes()
    files["converge.yaml"] = edit(
        files["converge.yaml"],
        {
            ("spec", "repositories", name, key): value
            for name in APPLICATIONS
            for key, value in (("url", host.url(name)), ("credentials", "git"))
        }
        | {("spec", "installation"): str(uuid.uuid4())}
        | {
            ("spec", "repositories", name, "may", "namespaces"): [
                f"{place.namespaces}{name}",
                f"{place.namespaces}{name}-*",
            ]
            for name in APPLICATIONS
        },
        path="converge.yaml",
    )
    for path in [path for path in files if path.startswith("environments/")]:
        files[path] = _at_place(files[path], place, path)
    await host.create("platform", files)


def _at_place(data: bytes, place: Place, path: str) -> bytes:
    """Point an environment's targets at the story's cluster, and its applications at namespaces of the story's own."""
    value: Any = read(data, path=path, dialect=Dialect.KUBERNETES)[0].value
    spec = value["spec"]
    changes: dict[tuple[str | int, ...], Any] = {
        ("spec", "targets", name, "kubernetes", "context"): place.context for name in spec["targets"]
    }
    for name, application in spec["applications"].items():
        changes["spec", "applications", name, "namespace"] = f"{place.namespaces}{application['namespace']}"
    return edit(data, changes, path=path)
