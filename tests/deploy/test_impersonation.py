"""Writing in the place of service accounts, under the rights of `deploy/impersonation.yaml`, by a mere reader."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.model import SyncStatus
from controller.sandbox import GitHost
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api, ApiError
from tests.engine.kill.scene import kubeconfig
from tests.fixtures.loop import Loop, config_map, deployment
from tests.fixtures.proxy import Proxy

DEPLOY = Path(__file__).parents[2] / "deploy"
RBAC = "rbac.authorization.k8s.io/v1"
SYSTEM = "converge-system"

pytestmark = pytest.mark.cluster


def described(namespace: str) -> list[dict[str, Any]]:
    """Give the manifest's objects for one namespace, the controller's account in it too: others share the cluster."""
    text = (DEPLOY / "impersonation.yaml").read_text()
    text = text.replace("namespace: shop", f"namespace: {namespace}").replace(
        f"namespace: {SYSTEM}", f"namespace: {namespace}"
    )
    return list(yaml.safe_load_all(text))


@pytest.fixture
async def token(cluster: KubeAccess, api: Api) -> AsyncIterator[str]:
    """The token of a controller that may read, keep its books, and act for the account of the manifest."""
    namespace = cluster.namespace
    account = {"kind": "ServiceAccount", "name": "converge", "namespace": namespace}
    books = [one for one in yaml.safe_load_all((DEPLOY / "rbac.yaml").read_text()) if one["kind"] == "Role"]
    base = [one for one in yaml.safe_load_all((DEPLOY / "rbac.yaml").read_text())
            if one["metadata"]["name"] == "converge-base"]  # fmt: skip
    await api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}}, manager="test")
    for one in (*books, *base):
        namespaced = {"namespace": SYSTEM} if one["kind"] == "Role" else {}
        await api.apply({**one, "metadata": {**one["metadata"], **namespaced}}, manager="test", force=True)
    for one in described(namespace):
        await api.apply(one, manager="test", force=True)
    await api.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "converge", "namespace": namespace}}
    )
    bindings: list[dict[str, Any]] = [
        {"apiVersion": RBAC, "kind": "RoleBinding", "metadata": {"name": namespace, "namespace": SYSTEM},
         "roleRef": {"apiGroup": RBAC[:-3], "kind": "Role", "name": books[0]["metadata"]["name"]},
         "subjects": [account]},
        *({"apiVersion": RBAC, "kind": "ClusterRoleBinding", "metadata": {"name": f"{namespace}-{role}"},
           "roleRef": {"apiGroup": RBAC[:-3], "kind": "ClusterRole", "name": role}, "subjects": [account]}
          for role in ("converge-base", "converge-reads")),
    ]  # fmt: skip
    for one in bindings:
        await api.apply(one, manager="test", force=True)
    answer = await api.request(
        "POST", f"/api/v1/namespaces/{namespace}/serviceaccounts/converge/token",
        body={"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
    )  # fmt: skip
    yield str(answer["status"]["token"])
    for one in bindings:
        await api.delete(one)


@pytest.fixture
async def loop(git_host: GitHost, tmp_path: Path, cluster: KubeAccess, token: str) -> AsyncIterator[Loop]:
    store = tmp_path / "credentials" / "kubeconfig"
    store.mkdir(parents=True)
    async with Proxy(cluster.server, context=ssl.create_default_context(cafile=str(cluster.ca))) as proxy:
        (store / "kubeconfig").write_text(json.dumps(kubeconfig(proxy.url, token)))
        yield Loop(git_host, tmp_path, cluster.namespace)


async def test_an_application_is_written_by_its_own_account_from_first_sync_to_removal(loop: Loop, api: Api) -> None:
    await loop.host.create("shop", {"deploy/web.yaml": deployment("web", replicas=0), "deploy/a.yaml": config_map("a")})
    account = {"shop": {"serviceAccountName": "deployer"}}
    await loop.platform({"shop": {}}, repositories=account)
    async with loop.start():
        await loop.synced("shop")
        commit = await loop.host.commit("shop", {"deploy/a.yaml": None, "deploy/b.yaml": config_map("b", x="1")})
        await loop.synced("shop", commit=commit)
        await api.until("v1", "ConfigMap", "a", lambda live: live is None)
    await loop.platform({}, repositories=account, more={"shop": {"url": loop.host.url("shop")}})
    async with loop.start():  # nothing in git says the account any more, and the controller itself may not delete
        await api.until("apps/v1", "Deployment", "web", lambda live: live is None)
        await api.until("v1", "ConfigMap", "b", lambda live: live is None)


async def test_what_an_account_may_not_write_stops_its_application_alone_and_whole(loop: Loop, api: Api) -> None:
    job = yaml.safe_dump({
        "apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "tick"},
        "spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": {"spec": {
            "restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]}}}}},
    }).encode()  # fmt: skip
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a"), "deploy/tick.yaml": job})
    await loop.host.create("other", {"deploy/b.yaml": config_map("b")})
    account = {"serviceAccountName": f"{loop.namespace}:deployer"}
    await loop.platform({"shop": account, "other": account})
    async with loop.start():
        report = await loop.report("shop", SyncStatus.FAILED)
        await loop.synced("other")
    user = f"system:serviceaccount:{loop.namespace}:deployer"
    assert f"{user} may not patch cronjobs.batch in namespace {loop.namespace}." in report.reason
    assert '{apiGroups: ["batch"], resources: ["cronjobs"], verbs: ["create", "patch"]}' in report.reason
    with pytest.raises(ApiError) as missing:
        await api.get("v1", "ConfigMap", "a")
    assert missing.value.code == 404


async def test_no_account_but_the_one_that_was_granted_is_acted_for(loop: Loop) -> None:
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a")})
    await loop.platform({"shop": {"serviceAccountName": "default"}})
    async with loop.start():
        report = await loop.report("shop", SyncStatus.FAILED)
    assert f"{loop.namespace}:converge may not write in the place of the application's service account" in report.reason


async def test_an_application_without_an_account_is_written_by_the_controller_which_only_reads(loop: Loop) -> None:
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a")})
    await loop.platform({"shop": {}})
    async with loop.start():
        report = await loop.report("shop", SyncStatus.FAILED)
    assert f"system:serviceaccount:{loop.namespace}:converge may not patch configmaps" in report.reason
