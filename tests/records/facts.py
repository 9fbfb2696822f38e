"""Facts to record: a shop as it may be reported, and a branch in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from controller.documents import canonical, digest_of
from controller.model import (
    ApplicationName,
    Cause,
    CommitId,
    Editor,
    EnvironmentName,
    FieldChange,
    FieldPath,
    FieldValue,
    Health,
    Manifest,
    ObjectKey,
    ObjectReport,
    Origin,
    PlacementRef,
    PlacementReport,
    RepositoryName,
    Result,
    Revision,
    SyncStatus,
    TargetName,
    Transition,
)
from controller.records import Drawing, overview, record

NOON = datetime(2026, 11, 21, 12, 0, 0, 987_654, tzinfo=UTC)
COMMIT_1, COMMIT_2 = CommitId("1" * 40), CommitId("2" * 40)
PLATFORM_1 = CommitId("a" * 40)
HANGZHOU = PlacementRef(EnvironmentName("prod"), ApplicationName("shop"), TargetName("hangzhou"))
SHANGHAI = replace(HANGZHOU, target=TargetName("shanghai"))
DEV = replace(HANGZHOU, environment=EnvironmentName("dev"))


@dataclass
class Branch:
    """A records branch in memory. `files` is all there is; `commits` are the changes of each record that had some."""

    files: dict[str, bytes] = field(default_factory=dict)
    commits: list[Mapping[str, bytes | None]] = field(default_factory=list)

    def read(self, path: str) -> bytes | None:
        return self.files.get(path)

    def names(self, directory: str) -> tuple[str, ...]:
        prefix = f"{directory}/" if directory else ""
        return tuple(sorted({one[len(prefix) :].split("/")[0] for one in self.files if one.startswith(prefix)}))

    def take(self, changes: Mapping[str, bytes | None]) -> Mapping[str, bytes | None]:
        for path, data in changes.items():
            if data is None:
                del self.files[path]
            else:
                self.files[path] = data
        if changes:
            self.commits.append(changes)
        return changes

    def record(self, *transitions: Transition) -> Mapping[str, bytes | None]:
        """Tell transitions, and draw the pages of their groups."""
        change = self.take(record(transitions).derive(self))
        self.take(self._pages(*transitions))
        return change

    def _pages(self, *transitions: Transition) -> Mapping[str, bytes | None]:
        drawn = Drawing(frozenset(one.group for one in transitions)).derive(self)
        return {path: data for path, data in drawn.items() if path.startswith("pages/")}

    def overview(self) -> Mapping[str, bytes | None]:
        return self.take(overview(self))


def at(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


def key(kind: str, name: str, namespace: str = "shop") -> ObjectKey:
    kind, _, group = kind.partition(".")
    return ObjectKey(group, kind, namespace, name)


def manifest(
    kind: str, name: str, body: dict[str, Any] | None = None, *, namespace: str = "shop", line: int = 3
) -> Manifest:
    of = key(kind, name, namespace)
    whole = {"kind": of.kind, "metadata": {"name": name}, **(body or {})}
    data = canonical(whole)
    version = f"{of.group}/v1" if of.group else "v1"
    return Manifest(
        of, version, data, digest_of(data), Origin(RepositoryName("shop"), f"deploy/{name}.yaml", line, COMMIT_1)
    )


def obj(of: Manifest, **changes: Any) -> ObjectReport:
    found = ObjectReport(key=of.key, sync=SyncStatus.SYNCED, health=Health.HEALTHY, manifest=of, result=Result.CREATED)
    return replace(found, **changes)


WEB = manifest(
    "Deployment.apps",
    "web",
    {
        "metadata": {"name": "web", "labels": {"app.kubernetes.io/part-of": "shop", "team": "blue"}},
        "spec": {
            "replicas": 3,
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {
                    "containers": [
                        {
                            "name": "web",
                            "image": "registry.example.com/shop/web:1.8.3",
                            "ports": [{"containerPort": 8080}],
                            "resources": {"requests": {"cpu": "250m"}},
                            "env": [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "db", "key": "x"}}}],
                            "envFrom": [{"configMapRef": {"name": "web"}}],
                        }
                    ],
                    "volumes": [
                        {"name": "c", "configMap": {"name": "web"}},
                        {"name": "d", "persistentVolumeClaim": {"claimName": "gone"}},
                    ],
                },
            },
        },
    },
)
SERVICE = manifest("Service", "web", {"spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}})
INGRESS = manifest(
    "Ingress.networking.k8s.io",
    "web",
    {"spec": {"rules": [{"host": "shop.example.com", "http": {"paths": [{"backend": {"service": {"name": "web"}}}]}}]}},
)
SECRET = manifest("Secret", "db", {"type": "Opaque", "data": {"password": "Y2FuYXJ5LXNlY3JldA=="}})
CONFIG = manifest("ConfigMap", "web", {"data": {"LOG_LEVEL": "info"}})
SHOP = (WEB, SERVICE, INGRESS, SECRET, CONFIG)


def report(
    placement: PlacementRef = HANGZHOU, objects: Sequence[ObjectReport] | None = None, **changes: Any
) -> PlacementReport:
    found = PlacementReport(
        placement=placement,
        sync=SyncStatus.SYNCED,
        health=Health.HEALTHY,
        revision=Revision(COMMIT_1, PLATFORM_1),
        applied=Revision(COMMIT_1, PLATFORM_1),
        branch="main",
        repository_url="https://git.example.com/shop/shop.git",
        subject="Sell socks",
        author="Wang Fang",
        objects=tuple(map(obj, SHOP)) if objects is None else tuple(objects),
        origin=Origin(RepositoryName("platform"), "environments/prod.yaml", 21, PLATFORM_1),
    )
    return replace(found, **changes)


def moved(found: PlacementReport, minutes: int = 0) -> Transition:
    return Transition(found, at(minutes))


def drifted(of: Manifest, *changes: tuple[FieldPath, FieldValue, FieldValue], **more: Any) -> ObjectReport:
    """Report an object whose fields somebody edited with kubectl: (path, desired, live) each."""
    editor = Editor("kubectl-edit", "Update", at(-1))
    found = tuple(FieldChange(path, live, desired, Cause.DRIFT, editor) for path, desired, live in changes)
    return obj(of, **{"sync": SyncStatus.DRIFTED, "drift": found, "result": None, **more})
