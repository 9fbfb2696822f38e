"""A raw client for tests: JSON in, JSON out, no typed models, no retries."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import aiohttp

from tests.cluster.access import KubeAccess

Object = dict[str, Any]
PATCH_TYPES = {
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "json": "application/json-patch+json",
    "apply": "application/apply-patch+yaml",
}


class ApiError(Exception):
    """What the server refused: its HTTP status and the Status object in the body."""

    def __init__(self, code: int, status: Object) -> None:
        self.code = code
        self.status = status
        super().__init__(f"{code} {self.reason}: {self.message}")

    @property
    def reason(self) -> str:
        return str(self.status.get("reason", ""))

    @property
    def message(self) -> str:
        return str(self.status.get("message", ""))

    @property
    def causes(self) -> list[Object]:
        return list((self.status.get("details") or {}).get("causes", ()))


class Api:
    """Talk to one cluster. Objects without a namespace go to the namespace of the access."""

    def __init__(self, access: KubeAccess, session: aiohttp.ClientSession) -> None:
        self.access = access
        self._session = session
        self._kinds: dict[tuple[str, str], tuple[str, bool]] = {}

    @classmethod
    @asynccontextmanager
    async def connect(cls, access: KubeAccess) -> AsyncIterator[Api]:
        """Open a session; requests end after 30 s, watches do not."""
        tls: ssl.SSLContext | bool = ssl.create_default_context(cafile=str(access.ca)) if access.ca else True
        async with aiohttp.ClientSession(
            base_url=access.server,
            headers={"Authorization": f"Bearer {access.token}"},
            connector=aiohttp.TCPConnector(ssl=tls, limit=32),
            timeout=aiohttp.ClientTimeout(total=30),
        ) as session:
            yield cls(access, session)

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Object:
        """Send one request. Raises ApiError for every status from 400 on."""
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        sent = {"Content-Type": "application/json", **(headers or {})} if data is not None else headers
        async with self._session.request(method, path, params=query, data=data, headers=sent) as response:
            text = await response.read()
            answer: Object
            try:
                answer = json.loads(text)
            except ValueError:
                answer = {"message": text.decode(errors="replace")}
            if response.status >= 400:
                raise ApiError(response.status, answer)
            return answer

    async def path(
        self, api_version: str, kind: str, name: str = "", *, namespace: str = "", subresource: str = ""
    ) -> str:
        """Give an object's (or a collection's) path, the plural looked up in the server's discovery."""
        if (api_version, kind) not in self._kinds:
            found = await self.request("GET", root(api_version))
            for one in found["resources"]:
                if "/" not in one["name"]:
                    self._kinds[api_version, one["kind"]] = (one["name"], one["namespaced"])
        plural, namespaced = self._kinds[api_version, kind]
        parts = [root(api_version)]
        if namespaced and namespace != "*":
            parts += ["namespaces", namespace or self.access.namespace]
        return "/".join([*parts, plural, *([quote(name)] if name else []), *([subresource] if subresource else [])])

    async def path_of(self, body: Object, *, subresource: str = "") -> str:
        meta = body["metadata"]
        return await self.path(
            body["apiVersion"], body["kind"], meta["name"], namespace=meta.get("namespace", ""), subresource=subresource
        )

    async def get(
        self, api_version: str, kind: str, name: str, *, namespace: str = "", subresource: str = ""
    ) -> Object:
        return await self.request(
            "GET", await self.path(api_version, kind, name, namespace=namespace, subresource=subresource)
        )

    async def list(self, api_version: str, kind: str, *, namespace: str = "", **query: str) -> Object:
        """List a kind; `namespace="*"` over all. Items get their version and kind, which servers leave out."""
        listed = await self.request("GET", await self.path(api_version, kind, namespace=namespace), query=query)
        listed["items"] = [{"apiVersion": api_version, "kind": kind, **item} for item in listed["items"]]
        return listed

    async def create(self, body: Object, **query: str) -> Object:
        namespace = body["metadata"].get("namespace", "")
        path = await self.path(body["apiVersion"], body["kind"], namespace=namespace)
        return await self.request("POST", path, query=query, body=body)

    async def replace(self, body: Object, *, subresource: str = "", **query: str) -> Object:
        return await self.request("PUT", await self.path_of(body, subresource=subresource), query=query, body=body)

    async def patch(
        self, body: Object, patch: object, *, kind: str = "merge", subresource: str = "", **query: str
    ) -> Object:
        """Patch the object that `body` names. `kind` is merge, strategic, json or apply."""
        return await self.request(
            "PATCH", await self.path_of(body, subresource=subresource), query=query, body=patch,
            headers={"Content-Type": PATCH_TYPES[kind]},
        )  # fmt: skip

    async def apply(
        self,
        body: Object,
        *,
        manager: str = "converge",
        force: bool = False,
        dry_run: bool = False,
        subresource: str = "",
    ) -> Object:
        """Apply server-side."""
        query = {"fieldManager": manager, "force": str(force).lower()}
        if dry_run:
            query["dryRun"] = "All"
        return await self.patch(body, body, kind="apply", subresource=subresource, **query)

    async def delete(
        self, body: Object, *, uid: str = "", resource_version: str = "", propagation: str = "", dry_run: bool = False
    ) -> Object:
        """Delete an object. All options go into the body: where there is one, a server does not read the query's."""
        preconditions = {k: v for k, v in (("uid", uid), ("resourceVersion", resource_version)) if v}
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if preconditions:
            options["preconditions"] = preconditions
        if propagation:
            options["propagationPolicy"] = propagation
        if dry_run:
            options["dryRun"] = ["All"]
        return await self.request("DELETE", await self.path_of(body), body=options)

    @asynccontextmanager
    async def watch(
        self, api_version: str, kind: str, *, namespace: str = "", **query: str
    ) -> AsyncIterator[AsyncIterator[Object]]:
        """Open a watch: `async with api.watch(…) as events: async for event in events`. Ends with the server's end."""
        path = await self.path(api_version, kind, namespace=namespace)
        no_end = aiohttp.ClientTimeout(total=None, sock_connect=10)
        async with self._session.get(path, params={"watch": "true", **query}, timeout=no_end) as response:
            if response.status >= 400:
                raise ApiError(response.status, json.loads(await response.read()))

            async def events() -> AsyncIterator[Object]:
                async for line in response.content:
                    yield json.loads(line)

            transport = response.connection and response.connection.transport
            try:
                yield events()
            finally:
                if transport:
                    transport.abort()  # a TLS farewell would outlive the test's event loop
                    await asyncio.sleep(0)

    async def until(
        self,
        api_version: str,
        kind: str,
        name: str,
        holds: Callable[[Object | None], object],
        *,
        namespace: str = "",
        seconds: float = 30,
    ) -> Object | None:
        """Wait until `holds` is true of the object (None: it is not there), and give it. Raises TimeoutError."""
        seen: Object | None = None
        try:
            async with asyncio.timeout(seconds):
                listed = await self.list(api_version, kind, namespace=namespace, fieldSelector=f"metadata.name={name}")
                seen = next(iter(listed["items"]), None)
                if holds(seen):
                    return seen
                version = listed["metadata"]["resourceVersion"]
                async with self.watch(
                    api_version,
                    kind,
                    namespace=namespace,
                    fieldSelector=f"metadata.name={name}",
                    resourceVersion=version,
                ) as events:
                    async for event in events:
                        seen = None if event["type"] == "DELETED" else event["object"]
                        if holds(seen):
                            return seen
        except TimeoutError:
            raise TimeoutError(
                f"{kind} {name} did not come to what was waited for within {seconds} s; last seen: {seen}"
            ) from None
        raise ConnectionError(f"the server ended the watch of {kind} {name}")


def root(api_version: str) -> str:
    return f"/api/{api_version}" if "/" not in api_version else f"/apis/{api_version}"
