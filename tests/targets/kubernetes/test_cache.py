"""The cache over a real API server: what it tells, when it says that it can't, and what it takes for gone."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from typing import Any

import pytest

from controller.model import (
    ApplicationName,
    EnvironmentName,
    Health,
    InstallationId,
    PlacementRef,
    Stalled,
    TargetName,
    Transient,
    Waiting,
)
from controller.targets.kubernetes.connection import Request
from controller.targets.kubernetes.labels import INSTALLATION_LABEL, OWNER_ANNOTATION, parent_key
from controller.targets.kubernetes.ownership import baseline, is_as_applied
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api
from tests.fixtures.waiting import eventually
from tests.targets.kubernetes.observing import CONFIG_MAPS, SHOP, Observer, observing, proxy_to

pytestmark = pytest.mark.cluster

OTHER = PlacementRef(EnvironmentName("dev"), ApplicationName("other"), TargetName("here"))


def config_map(name: str, value: str = "1") -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"key": value}}


async def test_members_are_not_told_before_every_kind_was_listed(cluster: KubeAccess) -> None:
    async with observing(cluster) as observer:
        with pytest.raises(Transient, match=r"ConfigMap can't be observed since .*: it is being listed"):
            observer.cache.members(SHOP)
        with pytest.raises(Transient):
            observer.cache.parents()
        await eventually(observer.is_told)
        assert observer.cache.members(SHOP) == ()
        assert SHOP in observer.woken  # who asked too early is told when to ask again


async def test_a_kind_that_another_placement_brings_makes_nobody_else_unknown(cluster: KubeAccess) -> None:
    async with observing(cluster) as observer:
        await eventually(observer.is_told)
        services = await observer.discovery.resource("v1", "Service")
        bringing = asyncio.create_task(observer.cache.ensure([services]))
        await asyncio.sleep(0)  # it has begun, and nothing of it can have come back
        assert not bringing.done()
        assert observer.cache.members(SHOP) == ()
        await bringing
        assert observer.cache.members(SHOP) == ()


async def test_a_write_of_ours_is_read_at_once(cluster: KubeAccess) -> None:
    async with observing(cluster) as observer:
        applied = await observer.apply(config_map("a"))
        assert observer.cache.members(SHOP) == (applied,)
        assert not applied.is_suspect
        assert applied.health is Health.HEALTHY
        assert applied.live()["data"] == {"key": "1"}
        assert "managedFields" not in applied.live()["metadata"]
        assert applied.managed()[0]["manager"] == "converge"


async def test_an_answer_that_comes_after_news_of_a_later_edit_shows_the_edit(cluster: KubeAccess, api: Api) -> None:
    async with observing(cluster) as observer:
        await observer.cache.ensure([CONFIG_MAPS])
        answer = await observer.write(observer.stamped(config_map("a")))
        await api.patch(config_map("a"), {"data": {"key": "theirs"}})
        await eventually(lambda: (one := observer.member("a")) and one.live()["data"]["key"] == "theirs")
        member = observer.cache.note_applied(answer)
        assert member.is_suspect
        assert member.live()["data"]["key"] == "theirs"


async def test_an_object_without_our_annotation_is_not_taken_as_applied(cluster: KubeAccess, api: Api) -> None:
    async with observing(cluster) as observer:
        await observer.cache.ensure([CONFIG_MAPS])
        bare = config_map("a") | {"metadata": {"name": "a", "namespace": observer.namespace}}
        answer = await observer.write(bare)
        with pytest.raises(ValueError, match="owner annotation"):
            observer.cache.note_applied(answer)


async def test_a_deleted_object_is_gone_after_one_get(cluster: KubeAccess, api: Api) -> None:
    async with observing(cluster) as observer:
        await observer.apply(config_map("a"))
        observer.woken.clear()
        await api.delete(config_map("a"))
        await eventually(lambda: observer.cache.members(SHOP) == ())
        assert SHOP in observer.woken


async def test_an_object_that_was_deleted_and_made_anew_by_hand_is_suspect(cluster: KubeAccess, api: Api) -> None:
    async with observing(cluster) as observer:
        first = await observer.apply(config_map("a"))
        await api.delete(config_map("a"))
        copy = observer.stamped(config_map("a"))
        await api.create(copy)
        await eventually(lambda: (one := observer.member("a")) and one.uid != first.uid)
        member = observer.member("a")
        assert member is not None
        assert member.is_suspect


async def test_a_removed_label_is_drift_and_no_deletion(cluster: KubeAccess, api: Api) -> None:
    async with observing(cluster) as observer:
        await observer.apply(config_map("a"))
        await api.patch(config_map("a"), {"metadata": {"labels": {INSTALLATION_LABEL: None}}})
        await eventually(lambda: (one := observer.member("a")) and one.is_suspect)
        again = await observer.apply(config_map("a"))
        assert not again.is_suspect
        await api.patch(config_map("a"), {"data": {"key": "theirs"}})  # and it is heard of again
        await eventually(lambda: (one := observer.member("a")) and one.is_suspect)


async def test_late_news_of_what_we_deleted_does_not_bring_it_back(cluster: KubeAccess, api: Api) -> None:
    async with observing(cluster) as observer:
        member = await observer.apply(config_map("a"))
        await api.patch(config_map("a"), {"data": {"key": "theirs"}})
        await api.delete(config_map("a"))
        observer.cache.note_deleted(member.key, member.uid)
        await observer.apply(config_map("b"))
        await api.patch(config_map("b"), {"data": {"key": "theirs"}})
        await eventually(lambda: (one := observer.member("b")) and one.is_suspect)  # events come in order
        assert observer.member("a") is None


async def test_a_copy_that_another_controller_made_is_never_a_member(cluster: KubeAccess, api: Api) -> None:
    """The endpoints controllers copy a Service's labels, the deployment controller a Deployment's annotations."""
    async with observing(cluster) as observer:
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web"},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
        }
        await observer.cache.ensure([await observer.discovery.resource("discovery.k8s.io/v1", "EndpointSlice")])
        await observer.apply(service)
        copies = f"kubernetes.io/service-name=web,{INSTALLATION_LABEL}"

        async def slices() -> list[Any]:
            listed = await api.list("discovery.k8s.io/v1", "EndpointSlice", labelSelector=copies)
            return list(listed["items"])

        async with asyncio.timeout(20):
            while not await slices():  # noqa: ASYNC110 - what the server does sets no event of ours
                await asyncio.sleep(0.02)
        copied = config_map("copy")  # the same with annotations and all
        stamped = observer.stamped(config_map("original"))
        copied["metadata"] |= {key: stamped["metadata"][key] for key in ("labels", "annotations")}
        await api.create(copied)
        await observer.apply(config_map("last"))
        await api.patch(config_map("last"), {"data": {"key": "theirs"}})
        await eventually(lambda: (one := observer.member("last")) and one.is_suspect)
        assert [str(one.key.kind) for one in observer.cache.members(SHOP)] == ["ConfigMap", "Service"]


async def test_a_spoiled_owner_annotation_leaves_an_object_ours_also_after_a_restart(
    cluster: KubeAccess, api: Api
) -> None:
    async with observing(cluster) as first:
        await first.apply(config_map("a"))
        await first.write_parent("ConfigMap")
        await api.patch(config_map("a"), {"metadata": {"annotations": {OWNER_ANNOTATION: None}}})
        await eventually(lambda: (one := first.member("a")) and one.is_suspect)
    async with observing(cluster, installation=first.installation) as second:
        await eventually(second.is_told)
        assert second.member("a") is not None


async def test_two_installations_do_not_see_each_other(cluster: KubeAccess) -> None:
    async with observing(cluster) as one, observing(cluster) as other:
        await one.apply(config_map("a"))
        await eventually(other.is_told)
        assert other.cache.members(SHOP) == ()
        assert other.cache.parents() == ()


async def test_an_object_that_moves_between_placements_is_told_in_one(cluster: KubeAccess) -> None:
    async with observing(cluster) as observer:
        await observer.apply(config_map("a"))
        await observer.apply(config_map("a"), OTHER)
        assert observer.cache.members(SHOP) == ()
        assert [one.key.name for one in observer.cache.members(OTHER)] == ["a"]


async def test_a_restarted_controller_follows_the_kinds_that_parents_name(cluster: KubeAccess) -> None:
    installation = InstallationId(f"test-{secrets.token_hex(8)}")
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "r"}, "rules": []}
    async with observing(cluster, installation=installation) as first:
        await first.write_parent("ConfigMap", "Role.rbac.authorization.k8s.io", "Gone.example.com")
        await first.apply(config_map("a"))
        await first.apply(role)
    async with observing(cluster, installation=installation) as second:
        await eventually(second.is_told)
        assert [one.key.kind for one in second.cache.members(SHOP)] == ["ConfigMap", "Role"]
        assert all(one.is_suspect for one in second.cache.members(SHOP))  # nobody judged them yet
        assert second.cache.parents()[0].placement == SHOP
        assert second.cache.parent(SHOP) == second.cache.parents()[0]
        assert second.woken.count(SHOP) >= 1


async def test_a_parent_that_is_deleted_by_hand_is_told(cluster: KubeAccess, api: Api) -> None:
    async with observing(cluster) as observer:
        await observer.write_parent("ConfigMap")
        await eventually(lambda: observer.is_told() and observer.cache.parents())
        observer.woken.clear()
        key = parent_key(observer.installation, SHOP)
        await observer.connection.send(Request("DELETE", CONFIG_MAPS.path(key.namespace, key.name)))
        await eventually(lambda: not observer.cache.parents())
        assert SHOP in observer.woken


async def test_an_object_is_observed_in_the_version_in_which_it_was_applied(cluster: KubeAccess, api: Api) -> None:
    """Ownership is told in that version's terms: `targetCPUUtilizationPercentage` exists in autoscaling/v1 only."""
    scaler = {
        "apiVersion": "autoscaling/v1",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": {
            "maxReplicas": 4,
            "targetCPUUtilizationPercentage": 60,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        },
    }
    async with observing(cluster) as first:
        await first.write_parent("HorizontalPodAutoscaler.autoscaling")
        await first.apply(scaler)
        desired = first.stamped(scaler)
    async with observing(cluster, installation=first.installation) as second:

        def is_told_in_v1() -> bool:
            member = second.member("web") if second.is_told() else None
            return member is not None and member.api_version == "autoscaling/v1"

        await eventually(is_told_in_v1)
        member = second.member("web")
        assert member is not None
        assert is_as_applied(desired, member.live(), member.managed())
        second.cache.note_clean(member, baseline(member.live(), member.managed()))
        await api.patch(scaler, {"spec": {"maxReplicas": 9}})
        await eventually(lambda: (one := second.member("web")) and one.is_suspect)


async def test_a_kind_that_goes_away_takes_its_objects_with_it(cluster: KubeAccess, api: Api) -> None:
    plural = f"things{secrets.token_hex(3)}"
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": plural, "kind": plural.title()},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
                }
            ],
        },
    }
    thing: dict[str, Any] = {
        "apiVersion": "example.com/v1",
        "kind": plural.title(),
        "metadata": {"name": "x"},
        "spec": {"a": 1},
    }
    async with observing(cluster) as observer:
        await api.create(definition)

        async def is_there() -> bool:
            try:
                await observer.discovery.resource("example.com/v1", thing["kind"])
            except (Waiting, Stalled):
                return False
            return True

        async with asyncio.timeout(30):
            while not await is_there():  # noqa: ASYNC110 - what the server does sets no event of ours
                await asyncio.sleep(0.1)
        assert await observer.apply(thing)
        await api.delete(definition)
        await eventually(lambda: observer.is_told() and observer.member("x") is None, deadline_seconds=60)


async def test_more_objects_than_a_page_holds_are_all_told(cluster: KubeAccess) -> None:
    async with observing(cluster) as first:
        await first.write_parent("ConfigMap")
        bodies = [first.stamped(config_map(f"c{number}")) for number in range(1050)]
        await asyncio.gather(*(first.write(body) for body in bodies))
    async with observing(cluster, installation=first.installation) as second:
        await eventually(second.is_told)
        assert len(second.cache.members(SHOP)) == 1050


async def test_a_cluster_that_is_away_is_unknown_since_when_and_why_and_comes_back(
    cluster: KubeAccess, api: Api
) -> None:
    async with proxy_to(cluster) as proxy, observing(cluster, server=proxy.address) as observer:
        await observer.apply(config_map("a"))
        observer.woken.clear()
        proxy.refuse(refusing=True)
        await eventually(lambda: not observer.is_told())
        assert SHOP in observer.woken
        with pytest.raises(Transient, match=r"can't be observed since 20\d\d-.*: .+"):
            observer.cache.members(SHOP)
        await api.patch(config_map("a"), {"data": {"key": "theirs"}})
        observer.woken.clear()
        proxy.refuse(refusing=False)
        await eventually(observer.is_told, deadline_seconds=60)
        assert SHOP in observer.woken
        await eventually(lambda: (one := observer.member("a")) and one.is_suspect)


async def test_one_lost_connection_is_resumed_without_a_word(cluster: KubeAccess, api: Api) -> None:
    async with proxy_to(cluster) as proxy, observing(cluster, server=proxy.address) as observer:
        await observer.apply(config_map("a"))
        proxy.cut()
        await api.patch(config_map("a"), {"data": {"key": "theirs"}})

        def is_found() -> bool:
            member = observer.member("a")  # raises when it is not told: then this fails
            return member is not None and member.is_suspect

        await eventually(is_found)


async def test_kinds_that_may_not_be_listed_are_stalled_for_who_needs_them(cluster: KubeAccess) -> None:
    nobody = KubeAccess(
        server=cluster.server, kubeconfig=cluster.kubeconfig, ca=cluster.ca, token="wrong", namespace=cluster.namespace
    )
    async with observing(nobody) as observer:
        with pytest.raises(Transient, match="can't be observed"):
            observer.cache.members(SHOP)
        await eventually(lambda: "401" in why(observer))
        with pytest.raises(Stalled, match=r"401.*Allow list and watch of ConfigMap"):
            await observer.cache.ensure([CONFIG_MAPS])


def why(observer: Observer, placement: PlacementRef = SHOP) -> str:
    try:
        observer.cache.members(placement)
    except Transient as error:
        return str(error)
    return ""


async def test_a_kind_that_may_not_be_listed_hides_only_who_may_have_objects_of_it(
    cluster: KubeAccess, api: Api
) -> None:
    name = f"reader-{cluster.namespace}"
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]}],
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": cluster.namespace}],
    }
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader"}}
    await api.create(account)
    await api.create(role)
    await api.create(binding)
    path = await api.path_of(account, subresource="token")
    token = (await api.request("POST", path, body={"spec": {}}))["status"]["token"]
    async with observing(cluster) as writer:
        await writer.write_parent("ConfigMap")
        await writer.apply(config_map("a"))
        await writer.write_parent("ConfigMap", "Secret", placement=OTHER)
    reader = replace(cluster, token=token)
    async with observing(reader, installation=writer.installation) as observer:
        await eventually(observer.is_told)
        assert observer.member("a")
        await eventually(lambda: "403" in why(observer, OTHER))
        assert "Secret can't be observed" in why(observer, OTHER)
        assert observer.is_told()
    await api.delete(binding)
    await api.delete(role)
