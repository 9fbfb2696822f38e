"""What a parent says, and how it is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.model import (
    ApplicationName,
    CommitId,
    Digest,
    EnvironmentName,
    InstallationId,
    ObjectKey,
    PlacementRef,
    Revision,
    TargetName,
)
from controller.targets.kubernetes.inventory import EMPTY, Inventory, parent_body, read_inventory
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api
from tests.fixtures.waiting import eventually
from tests.targets.kubernetes.placing import config_map, placed

SHOP = PlacementRef(EnvironmentName("prod"), ApplicationName("shop"), TargetName("hz"))
ME = InstallationId("me")
REVISION = Revision(CommitId("a" * 40), CommitId("b" * 40))

names = st.text(st.sampled_from("abc"), min_size=1, max_size=5)
keys = st.builds(ObjectKey, st.sampled_from(["", "apps"]), st.sampled_from(["A", "B"]), names, names)
inventories = st.builds(
    lambda found, finished, kept: (
        Inventory(kept=frozenset(kept), finished=finished).widened(found).applied(REVISION, Digest("sha256:x"), found)
    ),
    st.lists(keys),
    st.dictionaries(names, names.map(Digest)),
    st.frozensets(names),
)


@given(inventories)
def test_what_is_written_is_read_back(inventory: Inventory) -> None:
    assert read_inventory(parent_body(inventory, ME, SHOP)) == inventory


@given(inventories)
def test_the_same_inventory_gives_the_same_body(inventory: Inventory) -> None:
    again = read_inventory(parent_body(inventory, ME, SHOP))
    assert parent_body(again, ME, SHOP) == parent_body(inventory, ME, SHOP)


@given(inventories, st.lists(keys))
def test_widening_covers_and_forgets_nothing(inventory: Inventory, found: list[ObjectKey]) -> None:
    wide = inventory.widened(found)
    assert wide.covers(found)
    assert wide.group_kinds >= inventory.group_kinds
    assert wide.narrowed(found).covers(found)


def test_it_knows_which_objects_were_applied() -> None:
    one, other = ObjectKey("", "ConfigMap", "x", "a"), ObjectKey("", "ConfigMap", "x", "b")
    inventory = EMPTY.applied(REVISION, Digest("sha256:x"), [one])
    assert inventory.named(one)
    assert not inventory.named(other)
    assert not EMPTY.named(one)


def test_a_parent_is_one_that_kubectl_recognises() -> None:
    inventory = EMPTY.widened([ObjectKey("apps", "Deployment", "x", "a"), ObjectKey("", "Service", "y", "b")])
    metadata = parent_body(inventory, ME, SHOP)["metadata"]
    assert metadata["labels"]["applyset.kubernetes.io/id"].startswith("applyset-")
    assert metadata["annotations"]["applyset.kubernetes.io/contains-group-kinds"] == "Deployment.apps,Service"
    assert metadata["annotations"]["applyset.kubernetes.io/additional-namespaces"] == "x,y"


def test_what_somebody_spoiled_reads_as_nothing() -> None:
    annotations = {
        "converge/revision": "one",
        "converge/objects": "no base64!",
        "converge/kept": "{",
        "converge/finished-jobs": "[1]",
    }
    assert read_inventory({"metadata": {"annotations": annotations}}) == EMPTY


@pytest.mark.cluster
async def test_a_parent_that_another_wrote_meanwhile_is_read_again_and_nothing_of_it_is_lost(
    cluster: KubeAccess, api: Api
) -> None:
    async with placed(cluster) as place:
        await place.sync(config_map("a", place.namespace, x="1"))
        stored = place.target._inventories.stored(place.placement)
        assert stored is not None
        parents = (await api.list("v1", "ConfigMap", namespace="converge-system"))["items"]
        parent = next(one for one in parents if one["metadata"]["uid"] == stored.uid)
        kinds = {"applyset.kubernetes.io/contains-group-kinds": "ConfigMap,Widget.example.com"}
        await api.patch(parent, {"metadata": {"annotations": kinds}})
        key = ObjectKey("apps", "Deployment", place.namespace, "b")
        await place.target._inventories.update(place.placement, lambda inventory: inventory.widened([key]))

        live = await api.get("v1", "ConfigMap", parent["metadata"]["name"], namespace="converge-system")
        assert read_inventory(live).group_kinds == {"ConfigMap", "Deployment.apps", "Widget.example.com"}


@pytest.mark.cluster
async def test_a_parent_that_somebody_deleted_is_made_anew(cluster: KubeAccess, api: Api) -> None:
    async with placed(cluster) as place:
        body = config_map("a", place.namespace, x="1")
        await place.sync(body)
        parents = (await api.list("v1", "ConfigMap", namespace="converge-system"))["items"]
        stored = place.target._inventories.stored(place.placement)
        assert stored is not None
        parent = next(one for one in parents if one["metadata"]["uid"] == stored.uid)
        await eventually(place.target._cache.parents)
        await api.delete(parent)
        await eventually(lambda: not place.target._cache.parents())
        assert (await place.target.observe(place.placement)).applied is None
        await place.sync(body)
        await eventually(place.target._cache.parents)
        assert await place.target.placements() == (place.placement,)
