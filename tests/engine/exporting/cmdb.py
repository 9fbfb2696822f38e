"""A CMDB over HTTP that speaks EasyOps' contract as far as an importer sees it, with troubles on order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class Cmdb:
    """`objects` is what it holds, by model and instance id; `troubles` are statuses it answers first, in order."""

    token: str = ""
    objects: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    troubles: list[int] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    url: str = ""

    def known(self) -> list[str]:
        return sorted(one["convergeKey"] for held in self.objects.values() for one in held.values())

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.path}")
        if self.troubles:
            status = self.troubles.pop(0)
            if status == 0:  # it does what it is asked, and the answer is lost
                await self._do(request)
                assert request.transport is not None
                request.transport.close()
                return web.Response()
            where = {"Location": f"{self.url}/elsewhere"} if status == 302 else {}
            return web.Response(status=status, headers=where)
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.Response(status=401)
        return web.json_response(await self._do(request))

    async def _do(self, request: web.Request) -> dict[str, Any]:
        _, _, model, _, verb = request.path.split("/")
        held = self.objects.setdefault(model, {})
        if verb == "_import":
            body = await request.json()
            for data in body["datas"]:
                same = [name for name, one in held.items() if all(one[key] == data[key] for key in body["keys"])]
                held[same[0] if same else f"i{sum(map(len, self.objects.values())):04}"] = data
            return {"code": 0, "data": {"failed_count": 0}}
        if verb == "_search":
            (name, asked), *_ = (await request.json())["query"].items()
            found = [{"instanceId": one} for one, data in held.items() if data[name] in asked["$in"]]
            return {"code": 0, "data": {"list": found}}
        for one in request.query["instanceIds"].split(";"):
            held.pop(one, None)
        return {"code": 0}


@asynccontextmanager
async def serving(cmdb: Cmdb) -> AsyncIterator[Cmdb]:
    application = web.Application()
    application.router.add_route("*", "/{rest:.*}", cmdb.answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    cmdb.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield cmdb
    finally:
        await runner.cleanup()
