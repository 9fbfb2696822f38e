"""What a test places on a cluster: desired states made of plain objects, and a target that says what it sent."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from controller.documents import canonical
from controller.model import (
    Action,
    Application,
    ApplicationName,
    Applied,
    CommitId,
    Desired,
    Digest,
    EnvironmentName,
    InstallationId,
    KubernetesTarget,
    Manifest,
    ObjectKey,
    Origin,
    Permitted,
    PlacementRef,
    Plan,
    RepositoryName,
    Revision,
    Secret,
    SyncPolicy,
    TargetName,
    Transient,
)
from controller.runtime import SystemClock
from controller.targets.kubernetes import Cluster
from controller.targets.kubernetes.connection import Request, Response
from controller.targets.kubernetes.credentials import Login
from tests.cluster.access import KubeAccess
from tests.fixtures.waiting import eventually

ORIGIN = Origin(RepositoryName("shop"), "deploy/app.yaml", 1, CommitId("a" * 40))
POLICY = SyncPolicy(health_seconds=20)

Body = dict[str, Any]


def digest_of(data: bytes) -> Digest:
    return Digest(f"sha256:{hashlib.sha256(data).hexdigest()}")


def manifest(body: Mapping[str, Any]) -> Manifest:
    """Make a Manifest as rendering would."""
    data = canonical(dict(body))
    group, _, _ = body["apiVersion"].rpartition("/")
    metadata = body["metadata"]
    key = ObjectKey(group, body["kind"], metadata.get("namespace", ""), metadata["name"])
    return Manifest(key, body["apiVersion"], data, digest_of(data), ORIGIN)


def desired(placement: PlacementRef, bodies: Iterable[Mapping[str, Any]], *, commit: str = "a") -> Desired:
    """Make a Desired of plain objects."""
    manifests = tuple(manifest(one) for one in bodies)
    total = canonical([[str(one.key), one.digest] for one in sorted(manifests, key=lambda one: one.key)])
    revision = Revision(CommitId(commit * 40), CommitId("f" * 40))
    return Desired(placement, revision, manifests, digest_of(total), digest_of(total))


def config_map(name: str, namespace: str, **data: str) -> Body:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data}


def deployment(name: str, namespace: str, *, image: str = "nginx:1", replicas: int = 1, wave: int = 0) -> Body:
    labels = {"app": name}
    annotations = {"annotations": {"converge/wave": str(wave)}} if wave else {}
    container = {"name": "web", "image": image, "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, **annotations},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


def service(name: str, namespace: str, *, port: int = 80) -> Body:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"app": name}, "ports": [{"port": port}]},
    }


def definition(group: str) -> Body:
    """Define Widgets, which may say anything."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"kind": "Widget", "plural": "widgets", "singular": "widget", "listKind": "WidgetList"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
    }


def widget(group: str, namespace: str, **spec: Any) -> Body:
    metadata = {"name": "w", "namespace": namespace}
    return {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": metadata, "spec": spec}


def actions(plan: Plan) -> dict[str, Action]:
    return {one.key.name: one.action for one in plan.objects}


class Died(BaseException):
    """The process ended here."""


@dataclass(slots=True)
class Sent:
    """The requests that a target sent, without watches. `fails_at` n: the process dies at the n-th write."""

    requests: list[Request] = field(default_factory=list)
    fails_at: int = 0
    dies_after: bool = False
    on_request: Callable[[Request], None] | None = None

    def clear(self) -> None:
        self.requests.clear()

    def count(self, method: str, *, part: str = "", is_dry: bool | None = None) -> int:
        return sum(
            one.method == method and part in one.path and (is_dry is None or is_dry == (("dryRun", "All") in one.query))
            for one in self.requests
        )

    @property
    def writes(self) -> list[Request]:
        return [one for one in self.requests if is_write(one)]

    @property
    def without_lease(self) -> list[str]:
        """What was asked for, as text; the target's Lease, identity and permissions left out, which a burst shares."""
        shared = ("/leases", "kube-system", "/selfsubjectaccessreviews")
        return [_spoken(one) for one in self.requests if not any(part in one.path for part in shared)]


def is_write(request: Request) -> bool:
    is_question = ("dryRun", "All") in request.query or request.path.endswith("/selfsubjectaccessreviews")
    return request.method != "GET" and not is_question


def _spoken(request: Request) -> str:
    dry = " (dry)" if ("dryRun", "All") in request.query else ""
    return f"{request.method} {request.path.rsplit('/', 1)[-1]}{dry}"


@dataclass(slots=True)
class Place:
    """One placement on one cluster, as a test drives it."""

    target: Cluster
    placement: PlacementRef
    application: Application
    namespace: str
    sent: Sent

    def desired(self, *bodies: Mapping[str, Any], commit: str = "a") -> Desired:
        return desired(self.placement, bodies, commit=commit)

    async def plan(self, *bodies: Mapping[str, Any], commit: str = "a") -> Plan:
        return await self.target.plan(self.desired(*bodies, commit=commit), self.application)

    async def apply(self, plan: Plan) -> Applied:
        return await self.target.apply(Permitted(plan), self.application, superseded=asyncio.Event())

    async def sync(self, *bodies: Mapping[str, Any], commit: str = "a") -> Applied:
        return await self.apply(await self.plan(*bodies, commit=commit))

    def policy(self, **changes: Any) -> None:
        self.application = replace(self.application, sync=replace(self.application.sync, **changes))

    def entry(self, **changes: Any) -> None:
        self.application = replace(self.application, **changes)


def login_of(access: KubeAccess) -> Login:
    ca = access.ca.read_bytes() if access.ca else b""
    return Login(server=access.server, ca=ca, authorization=Secret(f"Bearer {access.token}"))


@asynccontextmanager
async def placed(
    access: KubeAccess,
    *,
    application: str = "shop",
    installation: str = "",
    sent: Sent | None = None,
    uid: str = "",
) -> AsyncIterator[Place]:
    """Connect to a cluster as a controller would. The installation is the test's own."""
    environment, name = EnvironmentName("prod"), TargetName("hz")
    spec = KubernetesTarget(name=name, uid=uid, origin=ORIGIN)
    sent = sent if sent is not None else Sent()

    async def source() -> Login:
        return login_of(access)

    cluster = Cluster(
        spec,
        environment,
        InstallationId(installation or f"i-{access.namespace}"),
        source=source,
        plan_key=Secret("key of the test"),
        clock=SystemClock(),
        changed=lambda _placement: None,
    )
    _count(cluster, sent)
    placement = PlacementRef(environment, ApplicationName(application), name)
    entry = Application(
        name=ApplicationName(application),
        repository=RepositoryName("shop"),
        path="",
        revision="",
        targets=(name,),
        namespace=access.namespace,
        sync=POLICY,
        origin=ORIGIN,
    )

    def is_told() -> bool:
        try:
            cluster._cache.members(placement)
        except Transient:
            return False
        return True

    async with cluster:
        await eventually(is_told)
        yield Place(cluster, placement, entry, access.namespace, sent)


def _count(cluster: Cluster, sent: Sent) -> None:
    real = cluster._connection.send
    written = 0

    async def send(request: Request, *, deadline_seconds: float = 30.0) -> Response:
        nonlocal written
        sent.requests.append(request)
        if sent.on_request is not None:
            sent.on_request(request)
        written += is_write(request)
        is_last = is_write(request) and sent.fails_at and written >= sent.fails_at
        if is_last and not sent.dies_after:
            raise Died
        response = await real(request, deadline_seconds=deadline_seconds)
        if is_last:
            raise Died
        return response

    cluster._connection.send = send  # type: ignore[method-assign]
