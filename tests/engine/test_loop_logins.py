"""A login that moves while the controller runs: to another address, another cluster, another certificate or token."""

from __future__ import annotations

import json
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web

from controller.engine import PlacementReconciled
from controller.model import PlacementReport, SyncStatus
from controller.sandbox import SandboxCluster
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api
from tests.engine.kill.scene import kubeconfig
from tests.fixtures.loop import Loop, config_map
from tests.fixtures.proxy import Exchange, Proxy
from tests.fixtures.tls import CURVE, Identity
from tests.fixtures.waiting import eventually

pytestmark = pytest.mark.slow

KUBE_SYSTEM = "/api/v1/namespaces/kube-system"


def login_file(loop: Loop) -> Path:
    return loop.directory / "credentials" / "kubeconfig" / "kubeconfig"


@asynccontextmanager
async def proxied(place: KubeAccess, **more: Any) -> AsyncIterator[Proxy]:
    context = ssl.create_default_context(cafile=str(place.ca)) if place.ca else None
    async with Proxy(place.server, context=context, token=place.token, **more) as proxy:
        yield proxy


def writes(proxy: Proxy) -> list[Exchange]:
    """Give what was written there but for the Lease, which is kept while it is needed and given back."""
    return [one for one in proxy.seen if one.is_write and "/leases" not in one.path]


async def shop(loop: Loop) -> None:
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="1")})
    await loop.platform({"shop": {}})


async def edit(loop: Loop, value: str) -> PlacementReport:
    """Commit a value, and wait until it is applied."""
    mark = loop.mark()
    commit = await loop.host.commit("shop", {"deploy/a.yaml": config_map("a", x=value)})
    return await loop.synced("shop", commit=commit, since=mark)


async def said(loop: Loop, holds: Callable[[PlacementReport], bool], since: int) -> PlacementReport:
    return (await loop.until(PlacementReconciled, lambda event: holds(event.report), since=since)).report


async def recorded(loop: Loop) -> dict[str, Any]:
    told = yaml.safe_load(await loop.host.show("platform", "status/dev/shop.yaml", branch="converge-status"))
    (placement,) = told["placements"]
    return dict(placement)


async def test_another_address_of_the_same_cluster_is_taken_up_without_a_write(
    loop: Loop, place: KubeAccess, live: Api
) -> None:
    await shop(loop)
    async with proxied(place) as first, proxied(place) as second:
        login_file(loop).write_text(json.dumps(kubeconfig(first.url, "any")))
        async with loop.start():
            await loop.synced("shop")
            before, written = (await live.get("v1", "ConfigMap", "a"))["metadata"], len(writes(first))

            login_file(loop).write_text(json.dumps(kubeconfig(second.url, "any")))
            await eventually(lambda: any(one.is_watch for one in second.seen))
            await eventually(lambda: not first.connections)
            assert second.seen[0].path == KUBE_SYSTEM
            assert writes(second) == []
            assert len(writes(first)) == written
            assert (await live.get("v1", "ConfigMap", "a"))["metadata"] == before

            heard = len(first.seen)
            await edit(loop, "2")
            assert (await live.get("v1", "ConfigMap", "a"))["data"] == {"x": "2"}
            assert len(first.seen) == heard


async def test_a_new_address_counts_where_nobody_answers_at_the_old_one(
    loop: Loop, place: KubeAccess, live: Api
) -> None:
    await shop(loop)
    async with proxied(place) as second, proxied(place) as first:
        login_file(loop).write_text(json.dumps(kubeconfig(first.url, "any")))
        async with loop.start():
            await loop.synced("shop")
            mark = loop.mark()
            await first.leave()
            await loop.report("shop", SyncStatus.UNKNOWN, since=mark)
            mark = loop.mark()
            login_file(loop).write_text(json.dumps(kubeconfig(second.url, "any")))
            await loop.synced("shop", since=mark)
            await edit(loop, "2")
            assert (await live.get("v1", "ConfigMap", "a"))["data"] == {"x": "2"}


@pytest.mark.parametrize("place", ["sandbox"], indirect=True)
async def test_an_address_of_another_cluster_is_asked_who_it_is_and_nothing_else(
    loop: Loop, place: KubeAccess, live: Api
) -> None:
    await shop(loop)
    async with (
        SandboxCluster() as another,
        proxied(place) as first,
        Proxy(another.server, token=another.token) as elsewhere,
    ):
        login_file(loop).write_text(json.dumps(kubeconfig(first.url, "any")))
        async with loop.start():
            await loop.synced("shop")
            mark = loop.mark()
            login_file(loop).write_text(json.dumps(kubeconfig(elsewhere.url, "any")))
            failed = await loop.report("shop", SyncStatus.FAILED, since=mark)
            assert "this is another cluster than before" in failed.reason
            await loop.host.commit("shop", {"deploy/a.yaml": config_map("a", x="2")})
            await loop.report("shop", SyncStatus.FAILED, since=loop.mark())
            assert {(one.method, one.path) for one in elsewhere.seen} == {("GET", KUBE_SYSTEM)}
            assert (await live.get("v1", "ConfigMap", "a"))["data"] == {"x": "1"}

            await live.patch({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}, {"data": {"x": "9"}})
            mark = loop.mark()
            login_file(loop).write_text(json.dumps(kubeconfig(first.url, "any")))
            await loop.synced("shop", since=mark)
            assert (await live.get("v1", "ConfigMap", "a"))["data"] == {"x": "2"}


async def test_a_kubeconfig_that_cannot_be_read_leaves_the_login_in_use_and_says_so(
    loop: Loop, place: KubeAccess, live: Api
) -> None:
    await shop(loop)
    good = login_file(loop).read_bytes()
    async with loop.start() as controller:
        await loop.synced("shop")
        mark = loop.mark()
        login_file(loop).write_text("clusters: [\n- {name: {{\n")
        told = await said(loop, lambda one: "no YAML" in one.reason, mark)
        assert told.sync is SyncStatus.SYNCED
        assert "the login that was read before stays in use" in told.reason
        report = await edit(loop, "2")
        assert "no YAML" in report.reason
        assert (await live.get("v1", "ConfigMap", "a"))["data"] == {"x": "2"}
        await controller.settled()
        assert "no YAML" in (await recorded(loop))["reason"]

        mark = loop.mark()
        login_file(loop).write_bytes(good)
        await said(loop, lambda one: not one.reason, mark)
        await controller.settled()
        assert "reason" not in await recorded(loop)


def renew(folder: Path, name: str) -> None:
    """Write a client certificate and its key where the kubeconfig looks for them."""
    made = ("-keyout", str(folder / "client.key"), "-out", str(folder / "client.crt"))
    subprocess.run(["openssl", "req", "-x509", *CURVE, "-subj", f"/CN={name}", *made], check=True, capture_output=True)


def shown(request: web.Request) -> str:
    """Name who a client's certificate says it is."""
    assert request.transport is not None
    subject = (request.transport.get_extra_info("peercert") or {}).get("subject", ())
    return str(dict(pair for one in subject for pair in one).get("commonName", ""))


async def test_a_client_certificate_that_is_renewed_on_disk_is_used(
    loop: Loop, place: KubeAccess, live: Api, loopback_tls: Identity
) -> None:
    await shop(loop)
    folder = login_file(loop).parent
    renew(folder, "first")
    loopback_tls.context.verify_mode = ssl.CERT_OPTIONAL
    loopback_tls.context.load_verify_locations(folder / "client.crt")
    async with proxied(place, identity=loopback_tls.context) as proxy:
        proxy.admits = lambda request: shown(request) == "first"
        config = kubeconfig(proxy.url, "")
        config["clusters"][0]["cluster"]["certificate-authority-data"] = loopback_tls.bundle
        config["users"][0]["user"] = {"client-certificate": "client.crt", "client-key": "client.key"}
        login_file(loop).write_text(json.dumps(config))
        async with loop.start():
            await loop.synced("shop")
            renew(folder, "second")
            loopback_tls.context.load_verify_locations(folder / "client.crt")
            proxy.admits = lambda request: shown(request) == "second"
            await edit(loop, "2")
            assert (await live.get("v1", "ConfigMap", "a"))["data"] == {"x": "2"}


async def test_a_token_file_that_is_rotated_is_read_again(loop: Loop, place: KubeAccess, live: Api) -> None:
    await shop(loop)
    token = login_file(loop).with_name("token")
    token.write_text("first")
    async with proxied(place) as proxy:
        proxy.admits = lambda request: request.headers.get("Authorization") == "Bearer first"
        config = kubeconfig(proxy.url, "")
        config["users"][0]["user"] = {"tokenFile": "token"}
        login_file(loop).write_text(json.dumps(config))
        async with loop.start():
            await loop.synced("shop")
            proxy.admits = lambda request: request.headers.get("Authorization") == "Bearer second"
            token.write_text("second")
            await edit(loop, "2")
            assert (await live.get("v1", "ConfigMap", "a"))["data"] == {"x": "2"}
