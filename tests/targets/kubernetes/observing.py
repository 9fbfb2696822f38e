"""What the tests of the observing side share: a cache over a cluster, and a proxy that can cut it off."""

from __future__ import annotations

import asyncio
import copy
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson

from controller.model import (
    ApplicationName,
    Digest,
    EnvironmentName,
    InstallationId,
    ObjectKey,
    PlacementRef,
    Secret,
    TargetName,
    Transient,
)
from controller.runtime import SystemClock
from controller.targets.kubernetes.cache import CONFIG_MAPS, Cache, Member
from controller.targets.kubernetes.connection import Connection, Request
from controller.targets.kubernetes.credentials import Login, LoginSource
from controller.targets.kubernetes.discovery import Discovery
from controller.targets.kubernetes.labels import (
    APPLYSET_GROUP_KINDS_ANNOTATION,
    APPLYSET_ID_LABEL,
    DIGEST_ANNOTATION,
    INSTALLATION_LABEL,
    OWNER_ANNOTATION,
    SYSTEM_NAMESPACE,
    Owner,
    applyset_id,
    installation_hash,
    member_labels,
    parent_key,
)
from tests.cluster.access import KubeAccess

Object = dict[str, Any]
SHOP = PlacementRef(EnvironmentName("dev"), ApplicationName("shop"), TargetName("here"))


def login_to(access: KubeAccess, *, server: str = "") -> LoginSource:
    """Log in as a cluster's administrator, without a kubeconfig."""

    async def login() -> Login:
        ca = access.ca.read_bytes() if access.ca else b""
        return Login(server=server or access.server, ca=ca, authorization=Secret(f"Bearer {access.token}"))

    return login


@dataclass
class Observer:
    """One controller's view of a cluster."""

    connection: Connection
    discovery: Discovery
    cache: Cache
    installation: InstallationId
    namespace: str
    woken: list[PlacementRef] = field(default_factory=list)

    def stamped(self, body: Object, placement: PlacementRef = SHOP) -> Object:
        """Give a manifest's body as an apply of ours would send it."""
        stamped = copy.deepcopy(body)
        metadata = stamped["metadata"]
        metadata.setdefault("namespace", self.namespace)
        group = stamped["apiVersion"].rpartition("/")[0]
        key = ObjectKey(group, stamped["kind"], metadata["namespace"], metadata["name"])
        metadata["labels"] = {**metadata.get("labels", {}), **member_labels(self.installation, placement)}
        owner = Owner(self.installation, placement, key).annotation()
        metadata["annotations"] = {
            **metadata.get("annotations", {}),
            OWNER_ANNOTATION: owner,
            DIGEST_ANNOTATION: Digest("sha256:0"),
        }
        return stamped

    async def write(self, body: Object) -> bytes:
        """Apply a body by force, and tell nobody."""
        resource = await self.discovery.resource(body["apiVersion"], body["kind"])
        metadata = body["metadata"]
        answer = await self.connection.send(
            Request(
                "PATCH",
                resource.path(metadata.get("namespace", ""), metadata["name"]),
                (("fieldManager", "converge"), ("force", "true")),
                orjson.dumps(body),
                "application/apply-patch+yaml",
            )
        )
        assert answer.status in {200, 201}, answer.body
        return answer.body

    async def apply(self, body: Object, placement: PlacementRef = SHOP) -> Member:
        """Apply as the writing side does: follow the kind first, parents too, note the answer afterwards."""
        await self.cache.ensure([CONFIG_MAPS, await self.discovery.resource(body["apiVersion"], body["kind"])])
        return self.cache.note_applied(await self.write(self.stamped(body, placement)))

    async def write_parent(self, *group_kinds: str, placement: PlacementRef = SHOP) -> None:
        """Create a placement's parent that names some kinds."""
        key = parent_key(self.installation, placement)
        await self.connection.send(
            Request(
                "POST",
                "/api/v1/namespaces",
                (),
                orjson.dumps({"metadata": {"name": SYSTEM_NAMESPACE}}),
                "application/json",
            )
        )
        await self.write(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {
                    "name": key.name,
                    "namespace": key.namespace,
                    "labels": {
                        INSTALLATION_LABEL: installation_hash(self.installation),
                        APPLYSET_ID_LABEL: applyset_id(key),
                    },
                    "annotations": {
                        OWNER_ANNOTATION: Owner(self.installation, placement, key).annotation(),
                        APPLYSET_GROUP_KINDS_ANNOTATION: ",".join(group_kinds),
                    },
                },
            }
        )

    def member(self, name: str, placement: PlacementRef = SHOP) -> Member | None:
        return next((one for one in self.cache.members(placement) if one.key.name == name), None)

    def is_told(self, placement: PlacementRef = SHOP) -> bool:
        try:
            self.cache.members(placement)
        except Transient:
            return False
        return True


@asynccontextmanager
async def observing(
    access: KubeAccess, *, installation: InstallationId | None = None, server: str = ""
) -> AsyncIterator[Observer]:
    """Observe a cluster, by default as an installation that nobody else is."""
    who = installation or InstallationId(f"test-{secrets.token_hex(8)}")
    woken: list[PlacementRef] = []
    async with Connection("test", login_to(access, server=server)) as connection:
        discovery = Discovery(connection)
        async with Cache(connection, discovery, who, clock=SystemClock(), changed=woken.append) as cache:
            yield Observer(connection, discovery, cache, who, access.namespace, woken)


class Proxy:
    """A TCP proxy in front of a server: `cut` ends what is open, `refuse` lets nothing new through."""

    def __init__(self, host: str, port: int) -> None:
        self._upstream = (host, port)
        self._writers: set[asyncio.StreamWriter] = set()
        self._is_refusing = False
        self.accepted = 0
        self.address = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_refusing:
            writer.transport.abort()
            return
        self.accepted += 1
        to_reader, to_writer = await asyncio.open_connection(*self._upstream)
        self._writers |= {writer, to_writer}
        try:
            await asyncio.gather(pump(reader, to_writer), pump(to_reader, writer))
        finally:
            self._writers -= {writer, to_writer}
            writer.transport.abort()
            to_writer.transport.abort()

    def cut(self) -> None:
        for writer in tuple(self._writers):
            writer.transport.abort()

    def refuse(self, *, refusing: bool) -> None:
        self._is_refusing = refusing
        if refusing:
            self.cut()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        return
    finally:
        writer.transport.abort()


@asynccontextmanager
async def proxy_to(access: KubeAccess) -> AsyncIterator[Proxy]:
    parts = urlsplit(access.server)
    assert parts.hostname
    assert parts.port
    proxy = Proxy(parts.hostname, parts.port)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    try:
        proxy.address = f"{parts.scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield proxy
    finally:
        server.close()
        proxy.cut()
