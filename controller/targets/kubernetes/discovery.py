"""Which kinds a cluster serves, under which versions and paths: asked once, and again when something is not found.

Aggregated discovery (Kubernetes 1.27 and later) tells everything in two requests; older servers are asked group by
group.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import orjson

from controller.model import Capabilities, Stalled, Transient, Waiting
from controller.targets.kubernetes.connection import JSON, Connection, Request, Response

AGGREGATED: Final = f"{JSON};g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,{JSON}"

# Groups that a cluster has or has not, whatever CustomResourceDefinitions arrive.
BUILT_IN_GROUPS: Final = frozenset({"", "apps", "autoscaling", "batch", "extensions", "policy"})


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind as the API serves it."""

    group: str  # "" for the core group
    version: str
    kind: str
    plural: str
    namespaced: bool

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def group_kind(self) -> str:
        """`Deployment.apps`, or `Service` of the core group."""
        return f"{self.kind}.{self.group}" if self.group else self.kind

    def path(self, namespace: str = "", name: str = "") -> str:
        """Give the path of an object, or without a name of the collection (without a namespace: of all of them)."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        where = f"{root}/namespaces/{namespace}" if self.namespaced and namespace else root
        return f"{where}/{self.plural}/{name}" if name else f"{where}/{self.plural}"


@dataclass(frozen=True, slots=True)
class Served:
    """Everything a cluster said of its kinds. Pure."""

    resources: Mapping[tuple[str, str], Resource] = field(default_factory=dict)  # by api version and kind
    preferred: Mapping[tuple[str, str], Resource] = field(default_factory=dict)  # by group and kind
    silent: frozenset[str] = frozenset()  # groups of which something could not be learnt now

    def versions(self, group: str, kind: str) -> tuple[str, ...]:
        return tuple(one.api_version for one in self.resources.values() if one.group == group and one.kind == kind)


class Discovery:
    """A cluster's kinds, remembered. One per cluster; asks again on a miss, together for all who miss at once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._served: Served | None = None
        self._refreshing = asyncio.Lock()
        self._round = 0

    async def resource(self, api_version: str, kind: str) -> Resource:
        """Find the resource of an object.

        Raises Waiting for a kind whose CustomResourceDefinition is not there (yet), Stalled for one that this
        Kubernetes does not serve under this version, Transient when the cluster can't say.
        """
        is_news, served = await self._known()
        found = served.resources.get((api_version, kind))
        if found is None:
            served = served if is_news else await self.refresh()
            found = served.resources.get((api_version, kind))
            if found is None:
                raise _missing(served, self._connection.name, api_version.rpartition("/")[0], kind, api_version)
        return found

    async def group_kind(self, group: str, kind: str) -> Resource:
        """Find a kind at the version that the server prefers. Raises as `resource` does."""
        is_news, served = await self._known()
        found = served.preferred.get((group, kind))
        if found is None:
            served = served if is_news else await self.refresh()
            found = served.preferred.get((group, kind))
            if found is None:
                raise _missing(served, self._connection.name, group, kind, "")
        return found

    async def capabilities(self) -> Capabilities:
        """Ask for the version and the kinds, now. Raises Stalled, Transient."""
        answer, served = await asyncio.gather(self._connection.send(Request("GET", "/version")), self.refresh())
        version = _decoded(self._connection.name, "/version", answer).get("gitVersion", "")
        return capabilities_of(str(version), served)

    async def _known(self) -> tuple[bool, Served]:
        """Give what is known, and whether it was asked for only now: all who come at the start share one answer."""
        if self._served is not None:
            return False, self._served
        async with self._refreshing:
            if self._served is None:
                self._round += 1
                self._served = await _discover(self._connection)
            return True, self._served

    async def refresh(self) -> Served:
        """Ask now; those who ask while an answer is on its way and came after its question wait for the next."""
        asked = self._round
        async with self._refreshing:
            if self._round <= asked or self._served is None:
                self._round += 1
                self._served = await _discover(self._connection)
            return self._served


def capabilities_of(version: str, served: Served) -> Capabilities:
    """Say what charts may ask of a cluster: `apps/v1` and `apps/v1/Deployment`. Pure."""
    kinds = {f"{api_version}/{kind}" for api_version, kind in served.resources if kind}
    return Capabilities(version, tuple(sorted({*kinds, *(api_version for api_version, _ in served.resources)})))


async def _discover(connection: Connection) -> Served:
    core, groups = await asyncio.gather(
        connection.send(Request("GET", "/api", accept=AGGREGATED)),
        connection.send(Request("GET", "/apis", accept=AGGREGATED)),
    )
    documents = [_decoded(connection.name, path, answer) for path, answer in (("/api", core), ("/apis", groups))]
    if all(one.get("kind") == "APIGroupDiscoveryList" for one in documents):
        return read_aggregated(documents)
    return await _discover_by_group(connection, documents[0], documents[1])


def read_aggregated(documents: Iterable[Mapping[str, Any]]) -> Served:
    """Read APIGroupDiscoveryLists (apidiscovery.k8s.io/v2): versions come in the order of preference. Pure."""
    found: list[Resource] = []
    silent: set[str] = set()
    for document in documents:
        for item in document.get("items") or ():
            group = item.get("metadata", {}).get("name", "")
            for version in item.get("versions") or ():
                if version.get("freshness") == "Stale":
                    silent.add(group)
                for one in version.get("resources") or ():
                    kind = (one.get("responseKind") or {}).get("kind", "")
                    found.append(
                        Resource(group, version["version"], kind, one["resource"], one.get("scope") == "Namespaced")
                    )
    return _served(found, silent)


async def _discover_by_group(connection: Connection, core: Mapping[str, Any], groups: Mapping[str, Any]) -> Served:
    """Ask every group version for its APIResourceList, as clients did before 1.26."""
    wanted = [("", version) for version in core.get("versions") or ()]
    for group in groups.get("groups") or ():
        preferred = (group.get("preferredVersion") or {}).get("version", "")
        versions = [one["version"] for one in group.get("versions") or ()]
        wanted += [(group["name"], version) for version in sorted(versions, key=lambda one: one != preferred)]
    paths = [f"/apis/{group}/{version}" if group else f"/api/{version}" for group, version in wanted]
    answers = await asyncio.gather(*(connection.send(Request("GET", path)) for path in paths))
    found: list[Resource] = []
    silent: set[str] = set()
    for (group, version), answer in zip(wanted, answers, strict=True):
        if answer.status != 200:  # an aggregated API whose server is down answers 503
            silent.add(group)
            continue
        found.extend(
            Resource(group, version, one["kind"], one["name"], one["namespaced"])
            for one in orjson.loads(answer.body).get("resources") or ()
            if "/" not in one["name"]
        )
    return _served(found, silent)


def _served(found: Iterable[Resource], silent: set[str]) -> Served:
    resources: dict[tuple[str, str], Resource] = {}
    preferred: dict[tuple[str, str], Resource] = {}
    for one in found:
        resources.setdefault((one.api_version, one.kind), one)
        preferred.setdefault((one.group, one.kind), one)
    return Served(MappingProxyType(resources), MappingProxyType(preferred), frozenset(silent))


def _decoded(name: str, path: str, answer: Response) -> dict[str, Any]:
    if answer.status in {401, 403}:
        raise Stalled(
            f"{name}: GET {path}: {answer.status}: the credentials may not even ask which kinds there are. "
            "Renew them, or bind them to the ClusterRole system:discovery."
        )
    if answer.status != 200:
        raise Transient(f"{name}: GET {path}: {answer.status}", retry_after_seconds=answer.retry_after_seconds)
    try:
        document = orjson.loads(answer.body)
    except orjson.JSONDecodeError as error:
        raise Transient(f"{name}: GET {path}: the answer is no JSON") from error
    if not isinstance(document, dict):
        raise Transient(f"{name}: GET {path}: the answer is no discovery document")
    return document


def _missing(served: Served, name: str, group: str, kind: str, api_version: str) -> Exception:
    spoken = f"{kind}.{group}" if group else kind
    if group in served.silent:
        return Transient(f"{name}: can't tell whether {spoken} is served: its API group does not answer now")
    versions = served.versions(group, kind)
    if versions:
        return Stalled(
            f"{name}: {kind} is not served as {api_version}, only as {', '.join(versions)}. Write one of these."
        )
    if group in BUILT_IN_GROUPS or (
        group.endswith(".k8s.io") and any(one.group == group for one in served.resources.values())
    ):
        return Stalled(f"{name}: this Kubernetes serves no {kind} in {api_version or group}. Is the name right?")
    return Waiting(f"{name}: no CustomResourceDefinition gives {spoken} yet")
