"""What `deploy/` holds: our own kustomize builds it, a real API server takes it, and its rights are enough."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.sandbox import GitHost
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api
from tests.cluster.kubectl import Kubectl
from tests.engine.kill.scene import Scene
from tests.fixtures.processes import CONVERGE
from tests.fixtures.proxy import Exchange, Proxy

DEPLOY = Path(__file__).parents[2] / "deploy"
Object = dict[str, Any]
SYSTEM = "converge-system"


@pytest.fixture
async def built() -> list[Object]:
    process = await asyncio.create_subprocess_exec(
        *(str(CONVERGE), "kustomize", "build", str(DEPLOY)), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return list(yaml.safe_load_all(out))


def test_the_image_is_of_the_version_that_ships_with_the_manifests() -> None:
    from controller import __version__

    kustomization = yaml.safe_load((DEPLOY / "kustomization.yaml").read_text())
    assert [one["newTag"] for one in kustomization["images"]] == [__version__]


async def test_it_builds_as_kubectl_builds_it(built: list[Object]) -> None:
    if not Kubectl.is_there():
        pytest.skip("kubectl is missing: put it on the PATH")
    process = await asyncio.create_subprocess_exec(
        *("kubectl", "kustomize", str(DEPLOY)), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert list(yaml.safe_load_all(out)) == built


@pytest.mark.cluster
async def test_a_real_server_takes_it(built: list[Object], api: Api) -> None:
    await api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}}, manager="test")
    for one in built:
        # Field validation refuses what the server would silently drop.
        await api.patch(one, one, kind="apply", fieldManager="test", force="true", dryRun="All",
                        fieldValidation="Strict")  # fmt: skip


@pytest.mark.cluster
async def test_its_rights_are_enough_for_a_first_sync_and_a_prune(
    built: list[Object], api: Api, cluster: KubeAccess, tmp_path: Path
) -> None:
    for one in built:
        if one["kind"] != "Deployment":
            await api.apply(one, manager="test", force=True)
    await api.until("rbac.authorization.k8s.io/v1", "ClusterRole", "converge", lambda live: live and live.get("rules"))
    token = await service_account_token(api)
    refused: list[Exchange] = []
    context = ssl.create_default_context(cafile=str(cluster.ca))
    async with (
        GitHost(tmp_path / "git") as host,
        Proxy(cluster.server, context=context) as kubernetes,
    ):
        scene = Scene(tmp_path, host, host.url("x").removesuffix("/x.git"), kubernetes.url, token)
        await scene.begin()
        for step in (None, scene.move_on):
            if step is not None:
                await step()
            running = await scene.converge()
            assert await running.ended() == 0, running.tail()
        refused += [exchange for exchange, status in kubernetes.answers.items() if status == 403]
        for namespace in scene.namespaces:
            await api.request("DELETE", f"/api/v1/namespaces/{namespace}")
    assert refused == []


@pytest.mark.cluster
async def test_its_rights_end_at_what_was_granted(built: list[Object], api: Api, cluster: KubeAccess) -> None:
    for one in built:
        if one["kind"] != "Deployment":
            await api.apply(one, manager="test", force=True)
    await api.until("rbac.authorization.k8s.io/v1", "ClusterRole", "converge", lambda live: live and live.get("rules"))
    user = f"system:serviceaccount:{SYSTEM}:converge"
    for verb, group, resource in (
        ("delete", "", "namespaces"),
        ("create", "rbac.authorization.k8s.io", "clusterrolebindings"),
        ("create", "apiextensions.k8s.io", "customresourcedefinitions"),
        ("create", "", "pods"),
        ("impersonate", "", "users"),
    ):
        attributes = {"verb": verb, "group": group, "resource": resource}
        review = await api.request(
            "POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews",
            body={"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
                  "spec": {"user": user, "resourceAttributes": attributes}},
        )  # fmt: skip
        assert review["status"]["allowed"] is False, attributes


async def service_account_token(api: Api) -> str:
    answer = await api.request(
        "POST", f"/api/v1/namespaces/{SYSTEM}/serviceaccounts/converge/token",
        body={"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}},
    )  # fmt: skip
    return str(answer["status"]["token"])
