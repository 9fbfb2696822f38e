"""Another cluster behind the same name: it is told, and nothing is written or pruned there until git says so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from controller.model import SyncStatus
from controller.sandbox import SandboxCluster
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api
from tests.engine.kill.scene import kubeconfig
from tests.fixtures.loop import Loop, config_map
from tests.fixtures.proxy import Proxy

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("place", ["sandbox"], indirect=True)
async def test_another_cluster_behind_the_same_name_is_left_alone_until_git_names_it(
    loop: Loop, place: KubeAccess, live: Api, tmp_path: Path
) -> None:
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="1"), "deploy/b.yaml": config_map("b", x="1")})
    await loop.platform({"shop": {}})
    login = loop.directory / "credentials" / "kubeconfig" / "kubeconfig"
    async with SandboxCluster() as another, Proxy(place.server) as proxy:
        login.write_text(json.dumps(kubeconfig(proxy.url, place.token)))
        access = KubeAccess(
            server=another.server,
            kubeconfig=another.write_kubeconfig(tmp_path / "another"),
            ca=None,
            token=another.token,
            namespace=place.namespace,
        )
        async with loop.start(), Api.connect(access) as there:
            for name in (place.namespace, "converge-system"):
                await there.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
            await loop.synced("shop")
            before = [one["metadata"] for one in (await live.list("v1", "ConfigMap"))["items"]]

            mark = loop.mark()
            login.write_text(json.dumps(kubeconfig(proxy.url, another.token)))
            await proxy.lead_to(another.server)
            await loop.host.commit("shop", {"deploy/b.yaml": None, "deploy/a.yaml": config_map("a", x="2")})
            failed = await loop.report("shop", SyncStatus.FAILED, since=mark)
            uid = (await there.get("v1", "Namespace", "kube-system"))["metadata"]["uid"]
            assert "this is another cluster than before" in failed.reason
            assert f"say `uid: {uid}`" in failed.reason
            for namespace in (place.namespace, "converge-system"):
                found = await there.list("v1", "ConfigMap", namespace=namespace)
                assert [one["metadata"]["name"] for one in found["items"]] == ["kube-root-ca.crt"]

            mark = loop.mark()
            await loop.platform({"shop": {}}, spec={"targets": {"home": {"kubernetes": {"uid": uid}}}})
            await loop.synced("shop", since=mark)
            assert (await there.get("v1", "ConfigMap", "a"))["data"] == {"x": "2"}
            assert [one["metadata"] for one in (await live.list("v1", "ConfigMap"))["items"]] == before
