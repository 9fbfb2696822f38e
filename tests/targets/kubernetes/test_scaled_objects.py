"""KEDA's ScaledObject as an autoscaler: `replicas` is let go of with it, and nothing ever falls back to one."""

from __future__ import annotations

from datetime import timedelta

import pytest

from controller.model import Ignore
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api
from tests.targets.kubernetes.placing import Body, deployment, placed
from tests.targets.kubernetes.test_admission import heard, is_established
from tests.targets.kubernetes.test_releasing import NOW, plan, replicas_of, scale, sync, without_replicas

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

DEFINITION: Body = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "scaledobjects.keda.sh"},
    "spec": {
        "group": "keda.sh",
        "names": {"kind": "ScaledObject", "plural": "scaledobjects"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}


def scaled_object(name: str, namespace: str) -> Body:
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"scaleTargetRef": {"name": name}, "minReplicaCount": 2, "maxReplicaCount": 9, "triggers": []},
    }


async def test_a_scaled_workload_keeps_its_number_through_release_restart_removal_and_expiry(
    cluster: KubeAccess, api: Api
) -> None:
    await api.apply(DEFINITION, manager="keda", force=True)  # one for all: it stays, as KEDA's would
    await api.until(
        "apiextensions.k8s.io/v1", "CustomResourceDefinition", DEFINITION["metadata"]["name"], is_established
    )
    ns = cluster.namespace
    web, scaler = deployment("web", ns, replicas=3), scaled_object("web", ns)
    newer, bare = deployment("web", ns, replicas=3, image="nginx:2"), without_replicas("web", ns)
    rule = Ignore(fields=("spec.replicas",), kinds=("Deployment",), until=NOW + timedelta(days=1))
    later = NOW + timedelta(days=2)
    async with placed(cluster) as place:
        await sync(place, web)
        async with replicas_of(cluster, "web") as seen:
            await sync(place, web, scaler, commit="b")
            await scale(api, web, 6)
            await heard(place, api, web)
            await sync(place, newer, scaler, commit="c")
            live = await place.target.observe(place.placement)
            (found,) = [one for one in live.objects if one.key.kind == "Deployment"]
            assert found.released == {"spec.replicas": "ScaledObject web"}
        assert set(seen) == {3, 6}
    async with placed(cluster) as place, replicas_of(cluster, "web") as seen:  # after a restart
        assert (await plan(place, newer, scaler, commit="c")).is_empty
        assert not place.sent.writes
        await sync(place, bare, scaler, commit="d")
        await sync(place, bare, commit="e")  # the autoscaler leaves git
        await sync(place, bare, rules=[rule], commit="e")
        await sync(place, bare, rules=[rule], now=later, commit="e")
    assert set(seen) == {6}
    async with placed(cluster) as place:
        await sync(place, deployment("web", ns, replicas=4), rules=[rule], commit="f")
        async with replicas_of(cluster, "web") as seen:
            await sync(place, deployment("web", ns, replicas=4), rules=[rule], now=later, commit="f")
        assert seen[0] == 6
        assert set(seen) == {6, 4}
