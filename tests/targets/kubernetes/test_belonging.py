"""What is whose, on a real control plane: of other tools, installations and placements."""

from __future__ import annotations

import pytest

from controller.model import (
    Action,
)
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api
from tests.targets.kubernetes.placing import config_map, placed

pytestmark = pytest.mark.cluster


async def test_fields_that_were_never_ours_are_not_taken(cluster: KubeAccess, api: Api) -> None:
    async with placed(cluster) as place:
        body = config_map("a", place.namespace, x="1")
        await place.sync(body)
        await api.patch(body, {"data": {"y": "theirs"}}, fieldManager="autoscaler")
        (one,) = (await place.plan(config_map("a", place.namespace, x="1", y="ours"), commit="b")).objects

        assert "autoscaler manages data.y" in one.objection
        assert not one.force


@pytest.mark.parametrize(
    ("marks", "owner"),
    [
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}}, "Flux Kustomization"),
        ({"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:x/y"}}, "Argo CD"),
        ({"annotations": {"meta.helm.sh/release-name": "shop"}}, "Helm release"),
        ({"labels": {"applyset.kubernetes.io/part-of": "applyset-x-v1"}}, "ApplySet applyset-x-v1"),
    ],
)
async def test_what_another_tool_manages_is_refused_saying_whose_it_is(
    cluster: KubeAccess, api: Api, marks: dict[str, dict[str, str]], owner: str
) -> None:
    body = config_map("a", cluster.namespace, x="1")
    await api.create({**body, "metadata": {**body["metadata"], **marks}})
    async with placed(cluster) as place:
        (one,) = (await place.plan(body)).objects
        assert owner in one.objection


async def test_two_installations_never_touch_each_others_objects(cluster: KubeAccess) -> None:
    body = config_map("a", cluster.namespace, x="1")
    async with placed(cluster) as place:
        await place.sync(body)
    async with placed(cluster, installation=f"other-{cluster.namespace}") as other:
        (one,) = (await other.plan(body)).objects
        assert "another Converge installation" in one.objection


async def test_an_object_of_another_placement_stays_with_it(cluster: KubeAccess) -> None:
    body = config_map("a", cluster.namespace, x="1")
    async with placed(cluster) as place:
        await place.sync(body)
    async with placed(cluster, application="web") as other:
        (one,) = (await other.plan(body)).objects
        assert one.objection == "it belongs to prod/shop@hz"


async def test_an_unowned_object_that_agrees_is_adopted(cluster: KubeAccess, api: Api) -> None:
    body = config_map("a", cluster.namespace, x="1")
    await api.create(body)
    async with placed(cluster) as place:
        plan = await place.plan(body)
        (one,) = plan.objects
        assert (one.action, one.objection) == (Action.CHANGE, "")
        assert (await place.apply(plan)).is_complete
        assert (await place.plan(body)).is_empty
