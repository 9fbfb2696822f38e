"""The mode without any right over the cluster: the rights of `deploy/namespaced/rbac.yaml`, and not one more."""

from __future__ import annotations

import json
import re
import secrets
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.model import SyncStatus
from controller.sandbox import GitHost
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api
from tests.engine.kill.scene import kubeconfig
from tests.fixtures.loop import Loop, config_map, deployment
from tests.fixtures.proxy import Proxy

MANIFEST = Path(__file__).parents[2] / "deploy" / "namespaced" / "rbac.yaml"
# Discovery, which everybody who is logged in may ask, and the question what one may do; all else is in a namespace.
OF_NOBODY = re.compile(r"^/(api|apis|api/v1|apis/[^/]+/[^/]+|apis/authorization\.k8s\.io/v1/selfsubjectaccessreviews)$")

pytestmark = pytest.mark.cluster


@pytest.fixture
async def namespaces(cluster: KubeAccess, api: Api) -> AsyncIterator[tuple[str, str]]:
    """Two namespaces in which the account of the manifest has its rights."""
    second = f"{cluster.namespace}-data"
    await api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": second}})
    text = re.sub(r"namespace: shop-data\b", f"namespace: {second}", MANIFEST.read_text())
    text = re.sub(r"namespace: shop\b(?!-)", f"namespace: {cluster.namespace}", text)
    for one in yaml.safe_load_all(text):
        await api.apply(one, manager="test", force=True)
    yield cluster.namespace, second
    await api.request("DELETE", f"/api/v1/namespaces/{second}")


@pytest.fixture
async def kubernetes(cluster: KubeAccess) -> AsyncIterator[Proxy]:
    async with Proxy(cluster.server, context=ssl.create_default_context(cafile=str(cluster.ca))) as proxy:
        yield proxy


@asynccontextmanager
async def scene(
    host: GitHost, folder: Path, proxy: Proxy, api: Api, namespaces: tuple[str, str]
) -> AsyncIterator[Loop]:
    """A loop whose controller logs in as the account of the manifest."""
    home = namespaces[0]
    answer = await api.request(
        "POST", f"/api/v1/namespaces/{home}/serviceaccounts/converge/token",
        body={"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
    )  # fmt: skip
    store = folder / "credentials" / "kubeconfig"
    store.mkdir(parents=True)
    (store / "kubeconfig").write_text(json.dumps(kubeconfig(proxy.url, answer["status"]["token"])))
    yield Loop(host, folder, home)


def limited(*namespaces: str) -> dict[str, Any]:
    return {"targets": {"home": {"kubernetes": {"namespaces": list(namespaces)}}}}


def in_namespace(body: bytes, namespace: str) -> bytes:
    value = yaml.safe_load(body)
    value["metadata"]["namespace"] = namespace
    return yaml.safe_dump(value).encode()


def beyond(proxy: Proxy) -> list[str]:
    """Give what was asked for outside of namespaces."""
    return [
        str(one)
        for one in proxy.seen
        if "/namespaces/" not in one.path and not OF_NOBODY.match(one.path.partition("?")[0])
    ]


async def test_first_sync_drift_prune_and_restart_need_no_right_over_the_cluster(
    git_host: GitHost, tmp_path: Path, kubernetes: Proxy, api: Api, namespaces: tuple[str, str]
) -> None:
    home, other = namespaces
    async with scene(git_host, tmp_path, kubernetes, api, namespaces) as loop:
        files = {
            "deploy/web.yaml": deployment("web", replicas=0),
            "deploy/config.yaml": config_map("config", a="1"),
            "deploy/data.yaml": in_namespace(config_map("data", b="1"), other),
            "deploy/old.yaml": in_namespace(config_map("old", c="1"), other),
        }
        await loop.host.create("shop", files)
        await loop.platform({"shop": {}}, spec=limited(home, other))
        async with loop.start():
            await loop.synced("shop")
            mark = loop.mark()
            await api.patch(
                {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "data", "namespace": other}},
                {"data": {"b": "2"}},
            )
            await loop.report("shop", SyncStatus.DRIFTED, since=mark)
            await api.until(
                "v1", "ConfigMap", "data", lambda live: live and live["data"] == {"b": "1"}, namespace=other
            )
            commit = await loop.host.commit("shop", {"deploy/old.yaml": None}, message="Drop old")
            await loop.synced("shop", commit=commit)
            await api.until("v1", "ConfigMap", "old", lambda live: live is None, namespace=other)
        before = len(kubernetes.seen)
        mark = loop.mark()
        async with loop.start():
            await loop.synced("shop", commit=commit, since=mark)
        assert [str(one) for one in kubernetes.seen[before:] if one.is_write and "/leases" not in one.path] == []
    assert beyond(kubernetes) == []
    assert [str(one) for one, status in kubernetes.answers.items() if status == 403] == []


async def test_one_namespace_without_its_role_stops_nobody_in_another(
    git_host: GitHost, tmp_path: Path, kubernetes: Proxy, api: Api, namespaces: tuple[str, str]
) -> None:
    home, other = namespaces
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": "converge-workloads", "namespace": other}}  # fmt: skip
    await api.delete(role)
    async with scene(git_host, tmp_path, kubernetes, api, namespaces) as loop:
        await loop.host.create("shop", {"deploy/config.yaml": config_map("config", a="1")})
        await loop.host.create("data", {"deploy/data.yaml": in_namespace(config_map("data", b="1"), other)})
        await loop.platform({"shop": {}, "data": {"namespace": other}}, spec=limited(home, other))
        async with loop.start():
            await loop.synced("shop")
            report = await loop.report("data", SyncStatus.FAILED)
    assert f"Allow list and watch of ConfigMap in namespace {other}" in report.reason


async def test_what_has_no_namespace_there_is_refused_before_anything_is_asked(
    git_host: GitHost, tmp_path: Path, kubernetes: Proxy, api: Api, namespaces: tuple[str, str]
) -> None:
    home, other = namespaces
    elsewhere = f"t-{secrets.token_hex(4)}"
    async with scene(git_host, tmp_path, kubernetes, api, namespaces) as loop:
        await loop.host.create("shop", {
            "deploy/a.yaml": b"apiVersion: v1\nkind: Namespace\nmetadata: {name: mine}\n",
            "deploy/b.yaml": in_namespace(config_map("b", b="1"), elsewhere),
        })  # fmt: skip
        await loop.platform(
            {"shop": {}}, spec=limited(home, other), repositories={"shop": {"may": {"kinds": ["*"]}}}
        )  # fmt: skip
        async with loop.start():
            report = await loop.report("shop", SyncStatus.FAILED)
    assert "Namespace has no namespace" in report.reason
    assert f'ConfigMap {elsewhere}/b: target "home" is limited to {home}, {other}' in report.reason
    assert [one for one in kubernetes.seen if elsewhere in one.path or "mine" in one.path] == []
