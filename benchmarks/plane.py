"""The control plane of a benchmark: kube-apiserver and etcd, no controllers, so that nobody else writes."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import ssl
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import orjson

from tests.cluster import process
from tests.cluster.build import binary

COUNTED = re.compile(r"^apiserver_request_total\{(?P<labels>[^}]*)\} (?P<count>[\d.e+]+)$", re.MULTILINE)
LABEL = re.compile(r'(\w+)="([^"]*)"')
COLLECTIONS = (
    "/api/v1/serviceaccounts", "/api/v1/configmaps", "/api/v1/services", "/apis/apps/v1/deployments",
)  # fmt: skip
Requests = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Plane:
    """A running control plane, and one session to it."""

    running: process.Running
    session: aiohttp.ClientSession

    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.running.ca)

    async def send(self, method: str, path: str, body: object = None, kind: str = "application/json") -> bytes:
        data = None if body is None else orjson.dumps(body)
        headers = {"Content-Type": kind} if data else {}
        async with self.session.request(method, path, data=data, headers=headers) as answer:
            text = await answer.read()
            if answer.status >= 300:
                raise RuntimeError(f"{method} {path}: {answer.status}: {text[:300]!r}")
            return text

    async def make_namespaces(self, names: list[str]) -> None:
        for name in names:
            await self.send("POST", "/api/v1/namespaces", {"metadata": {"name": name}})

    async def requests(self) -> Counter[str]:
        """Give how many requests the server has answered, by verb; dry runs by their own name."""
        text = (await self.send("GET", "/metrics")).decode()
        found: Counter[str] = Counter()
        for match in COUNTED.finditer(text):
            labels = dict(LABEL.findall(match["labels"]))
            name = "DRY RUN" if labels.get("dry_run") == "All" else labels["verb"]
            if labels.get("resource"):  # neither health nor metrics
                found[name] += int(float(match["count"]))
        return found

    @asynccontextmanager
    async def watched(self, holds: Callable[[bytes], str], wanted: int) -> AsyncIterator[asyncio.Event]:
        """Watch the four kinds; the event is set when `holds` has given as many different names as are wanted."""
        seen: set[str] = set()
        done = asyncio.Event()
        ready = [asyncio.Event() for _ in COLLECTIONS]

        async def watch(path: str, accepted: asyncio.Event) -> None:
            listed = orjson.loads(await self.send("GET", f"{path}?limit=1"))
            version = listed["metadata"]["resourceVersion"]
            query = {"watch": "true", "resourceVersion": version}
            no_end = aiohttp.ClientTimeout(total=None)
            async with self.session.get(path, params=query, timeout=no_end, read_bufsize=1 << 22) as answer:
                accepted.set()
                async for line in answer.content:
                    if name := holds(line):
                        seen.add(f"{path} {name}")
                        if len(seen) == wanted:
                            done.set()

        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(watch(*pair)) for pair in zip(COLLECTIONS, ready, strict=True)]
            for one in ready:
                await one.wait()
            try:
                yield done
            finally:
                for task in running:
                    task.cancel()


@asynccontextmanager
async def plane() -> AsyncIterator[Plane]:
    """Build it where that was not done before, start it on an empty folder, end it and remove the folder."""
    built = await asyncio.to_thread(binary, print)
    folder = Path(tempfile.mkdtemp(prefix="converge-bench-"))
    reading, writing = os.pipe()
    try:
        running = await asyncio.to_thread(process.start, built, folder / "plane", lifeline=reading, arguments=())
        async with aiohttp.ClientSession(
            base_url=running.server,
            headers={"Authorization": f"Bearer {running.token}"},
            connector=aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=running.ca)),
        ) as session:
            yield Plane(running, session)
    finally:
        os.close(writing)
        os.close(reading)
        with suppress(ChildProcessError):
            await asyncio.to_thread(os.waitpid, -1, 0)
        shutil.rmtree(folder, ignore_errors=True)
