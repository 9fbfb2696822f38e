"""The store alone: whatever order news comes in, it ends where the newest news says."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from controller.model import (
    ApplicationName,
    EnvironmentName,
    InstallationId,
    ObjectKey,
    PlacementRef,
    TargetName,
)
from controller.targets.kubernetes.labels import OWNER_ANNOTATION, Owner
from controller.targets.kubernetes.ownership import baseline
from controller.targets.kubernetes.seeing import Sight, see_answer
from controller.targets.kubernetes.store import Store

WHO = InstallationId("here")
SHOP = PlacementRef(EnvironmentName("dev"), ApplicationName("shop"), TargetName("t"))
KEY = ObjectKey("", "ConfigMap", "ns", "a")
OURS = {"manager": "converge", "operation": "Apply", "apiVersion": "v1", "fieldsV1": {"f:data": {"f:k": {}}}}


def sight(version: int, value: str = "1", *, uid: str = "u", key: ObjectKey = KEY, who: str = WHO) -> Sight:
    owner = Owner(InstallationId(who), SHOP, key).annotation()
    body: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": KEY.name,
            "namespace": KEY.namespace,
            "uid": uid,
            "resourceVersion": str(version),
            "annotations": {OWNER_ANNOTATION: owner},
            "managedFields": [OURS],
        },
        "data": {"k": value},
    }
    return see_answer(json.dumps(body).encode())


@given(st.lists(st.integers(2, 9), min_size=1, max_size=12))
def test_doubled_reordered_and_lost_events_end_at_the_newest(versions: list[int]) -> None:
    store = Store(WHO)
    store.applied(sight(1, "1"))
    for version in versions:
        store.take(sight(version, str(version % 3)))  # every third is as we applied it
    (member,) = store.members(SHOP)
    newest = max(versions)
    assert member.resource_version == str(newest)
    assert member.live()["data"]["k"] == str(newest % 3)
    assert member.is_suspect is (newest % 3 != 1)


def test_the_answer_to_an_apply_that_is_older_than_what_was_seen_only_sets_the_baseline() -> None:
    store = Store(WHO)
    store.take(sight(5, "theirs"))
    member, woken = store.applied(sight(3, "ours"))
    assert (member.resource_version, member.is_suspect, woken) == ("5", True, {SHOP})
    store.take(sight(6, "ours"))
    assert not store.members(SHOP)[0].is_suspect


def test_a_judgement_of_a_state_that_has_passed_is_not_taken() -> None:
    store = Store(WHO)
    store.take(sight(1))
    (old,) = store.members(SHOP)
    store.take(sight(2, "theirs"))
    store.clean(old, baseline(old.live(), old.managed()))
    assert store.members(SHOP)[0].is_suspect


def test_a_judgement_holds_when_only_what_is_not_ours_moved_meanwhile() -> None:
    store = Store(WHO)
    store.take(sight(1))
    (old,) = store.members(SHOP)
    store.take(sight(2))
    store.clean(old, baseline(old.live(), old.managed()))
    (now,) = store.members(SHOP)
    assert (now.resource_version, now.is_suspect) == ("2", False)


def test_copies_and_objects_of_other_installations_are_not_taken() -> None:
    store = Store(WHO)
    store.take(sight(1, key=ObjectKey("", "ConfigMap", "ns", "original")))
    store.take(sight(1, who="there"))
    assert store.members(SHOP) == ()


def test_an_object_that_somebody_else_made_in_place_of_ours_is_ours_no_more() -> None:
    store = Store(WHO)
    store.applied(sight(1))
    assert store.take(sight(9, uid="v", who="there")) == {SHOP}
    assert store.members(SHOP) == ()


def test_what_we_deleted_is_mourned_until_its_last_news() -> None:
    store = Store(WHO)
    store.applied(sight(1))
    store.deleted(KEY, "u")
    assert store.take(sight(2)) == frozenset()
    assert store.members(SHOP) == ()
    assert store.is_mourned("u")
    assert not store.is_mourned("u")
    assert store.take(sight(3, uid="new")) == {SHOP}


def test_an_object_forgotten_by_another_uid_stays() -> None:
    store = Store(WHO)
    store.applied(sight(1))
    assert store.forget(KEY, "other") == frozenset()
    assert store.members(SHOP)


def test_equal_news_wakes_nobody_and_the_first_news_wakes() -> None:
    store = Store(WHO)
    assert store.take(sight(1)) == {SHOP}
    assert store.take(sight(2)) == frozenset()
    assert store.take(sight(2)) == frozenset()


def test_late_news_of_an_earlier_object_of_the_same_name_is_not_taken() -> None:
    store = Store(WHO)
    store.take(sight(9, uid="new"))
    assert store.take(sight(5, uid="old")) == frozenset()
    assert store.members(SHOP)[0].uid == "new"
