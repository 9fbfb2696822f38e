"""Plain kubectl works: apply on both sides, diff, edit, get, delete, wait, scale, and what it makes itself."""

from __future__ import annotations

import json

from tests.cluster.access import KubeAccess
from tests.cluster.api import Api
from tests.cluster.kubectl import Kubectl
from tests.sandbox.contract.objects import config_map, deployment, settled


async def test_apply_diff_and_delete_on_the_client_side(kubectl: Kubectl) -> None:
    body = json.dumps(config_map(x="1"))
    assert (await kubectl("apply", "-f", "-", stdin=body)).out == "configmap/c created\n"
    assert (await kubectl("apply", "-f", "-", stdin=body)).out == "configmap/c unchanged\n"
    changed = json.dumps(config_map(x="2"))
    difference = await kubectl("diff", "-f", "-", stdin=changed, ok=(1,))
    assert '-  x: "1"\n+  x: "2"' in difference.out
    assert (await kubectl("apply", "-f", "-", stdin=changed)).out == "configmap/c configured\n"
    assert (await kubectl("apply", "-f", "-", stdin=json.dumps(config_map()))).out == "configmap/c configured\n"
    assert (await kubectl("get", "configmap", "c", "-o", "jsonpath={.data}")).out == ""
    assert "deleted" in (await kubectl("delete", "configmap", "c")).out
    assert "not found" in (await kubectl("get", "configmap", "c", ok=(1,))).err


async def test_apply_and_diff_on_the_server_side(kubectl: Kubectl) -> None:
    body = json.dumps(deployment())
    assert (
        await kubectl("apply", "--server-side", "-f", "-", stdin=body)
    ).out == "deployment.apps/web serverside-applied\n"
    assert (await kubectl("diff", "--server-side", "-f", "-", stdin=body)).out == ""
    changed = json.dumps(deployment(image="nginx:2"))
    difference = await kubectl("diff", "--server-side", "-f", "-", stdin=changed, ok=(1,))
    assert "image: nginx:2" in difference.out
    dry = await kubectl("apply", "--server-side", "--dry-run=server", "-f", "-", stdin=changed)
    assert dry.out == "deployment.apps/web serverside-applied (server dry run)\n"


async def test_a_client_side_applied_object_moves_to_the_server_side(api: Api, kubectl: Kubectl) -> None:
    await kubectl("apply", "-f", "-", stdin=json.dumps(config_map(x="1")))
    await kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(config_map(y="2")))
    assert (await api.get("v1", "ConfigMap", "c"))["data"] == {"y": "2"}


async def test_an_unknown_field_is_refused_by_name(kubectl: Kubectl) -> None:
    body = deployment()
    body["spec"]["replicaz"] = 3
    refused = await kubectl("apply", "-f", "-", stdin=json.dumps(body), ok=(1,))
    assert 'unknown field "spec.replicaz"' in refused.err


async def test_edit_changes_what_the_editor_changed(access: KubeAccess, api: Api) -> None:
    await api.apply(config_map(x="1"))
    kubectl = Kubectl(access, editor="sed -i s/x:.*/x:\\ edited/")
    assert (await kubectl("edit", "configmap", "c")).out == "configmap/c edited\n"
    assert (await api.get("v1", "ConfigMap", "c"))["data"] == {"x": "edited"}


async def test_rollouts_are_waited_for_and_undone(api: Api, kubectl: Kubectl) -> None:
    await api.apply(deployment())
    assert "successfully rolled out" in (await kubectl("rollout", "status", "deployment/web", "--timeout=30s")).out
    await kubectl("wait", "--for=condition=Available", "deployment/web", "--timeout=30s")
    await kubectl("set", "image", "deployment/web", "web=nginx:2")
    await settled(api)
    await kubectl("rollout", "undo", "deployment/web")
    live = await settled(api)
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:1"


async def test_get_prints_tables(api: Api, kubectl: Kubectl) -> None:
    await api.apply(deployment())
    await settled(api)
    header, row = (await kubectl("get", "deployments")).out.splitlines()
    assert header.split()[:4] == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE"]
    assert row.split()[:4] == ["web", "2/2", "2", "2"]
    names = (await kubectl("get", "deployments,replicasets,pods", "-o", "name")).out.split()
    assert [name.split("/")[0] for name in names] == ["deployment.apps", "replicaset.apps", "pod", "pod"]


async def test_what_kubectl_makes_itself_is_understood(api: Api, kubectl: Kubectl) -> None:
    await kubectl("create", "secret", "generic", "s", "--from-literal=x=1")
    assert (await api.get("v1", "Secret", "s"))["data"] == {"x": "MQ=="}
    await kubectl("create", "deployment", "d", "--image=nginx:1", "--replicas=2", "--port=80")
    spec = (await api.get("apps/v1", "Deployment", "d"))["spec"]
    assert (spec["replicas"], spec["template"]["spec"]["containers"][0]["ports"][0]["containerPort"]) == (2, 80)
    await kubectl("create", "service", "clusterip", "d", "--tcp=80:web")
    (port,) = (await api.get("v1", "Service", "d"))["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (80, "web")
    await kubectl("create", "poddisruptionbudget", "d", "--selector=app=d", "--min-available=50%")
    assert (await api.get("policy/v1", "PodDisruptionBudget", "d"))["spec"]["minAvailable"] == "50%"
    await kubectl("create", "quota", "q", "--hard=pods=1", "--dry-run=client")


async def test_a_namespace_is_made_and_ended(api: Api, access: KubeAccess, kubectl: Kubectl) -> None:
    name = f"{access.namespace}-more"
    assert (await kubectl("create", "namespace", name)).out == f"namespace/{name} created\n"
    assert "deleted" in (await kubectl("delete", "namespace", name)).out
    await api.until("v1", "Namespace", name, lambda live: live is None)


async def test_versions_and_resources_are_shown(kubectl: Kubectl) -> None:
    assert "Server Version" in (await kubectl("version")).out
    printed = (await kubectl("api-resources", "--api-group=apps", "-o", "name")).out.split()
    assert set(printed) >= {"daemonsets.apps", "deployments.apps", "replicasets.apps", "statefulsets.apps"}
