"""Transitions become files. Every file that any test here writes is held against its schema."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from controller.documents import Dialect, read, write
from controller.model import (
    ABSENT,
    ApplicationName,
    Barrier,
    ByHand,
    Health,
    Hidden,
    ObjectReport,
    PlacementRef,
    PlacementReport,
    Result,
    Revision,
    SyncStatus,
    TargetName,
)
from controller.records import change, record, schemas
from controller.records.files import Layered
from tests.records.facts import (
    COMMIT_2,
    CONFIG,
    DEV,
    HANGZHOU,
    INGRESS,
    PLATFORM_1,
    SECRET,
    SERVICE,
    SHANGHAI,
    SHOP,
    WEB,
    Branch,
    at,
    drifted,
    manifest,
    moved,
    obj,
    report,
)

STATUS = "status/prod/shop.yaml"
TARGET = "cmdb/prod/shop/hangzhou"
DEPLOYMENT = f"{TARGET}/shop/Deployment.apps/web.yaml"
VALIDATORS = {kind: Draft202012Validator(schema) for kind, schema in schemas().items()}


def value(branch: Branch, path: str) -> Any:
    return read(branch.files[path], path=path, dialect=Dialect.KUBERNETES)[0].value


@pytest.fixture
def branch() -> Iterator[Branch]:
    branch = Branch()
    yield branch
    for path in branch.files:
        if path.endswith(".yaml"):
            found = value(branch, path)
            VALIDATORS[found["kind"]].validate(found)
            assert write(found) == branch.files[path]


@pytest.mark.parametrize("kind", schemas())
def test_the_schemas_are_schemas(kind: str) -> None:
    Draft202012Validator.check_schema(schemas()[kind])


def test_a_placement_is_told_in_status_instances_and_badges(branch: Branch) -> None:
    assert sorted(branch.record(moved(report()))) == [
        "badges/prod/_health/shop.json",
        "badges/prod/_health/shop.svg",
        "badges/prod/_sync/shop.json",
        "badges/prod/_sync/shop.svg",
        "badges/prod/_version/shop.json",
        "badges/prod/_version/shop.svg",
        "badges/prod/shop.json",
        "badges/prod/shop.svg",
        "cmdb/prod/shop/_application.yaml",
        "cmdb/prod/shop/hangzhou/_target.yaml",
        "cmdb/prod/shop/hangzhou/shop/ConfigMap/web.yaml",
        "cmdb/prod/shop/hangzhou/shop/Deployment.apps/web.yaml",
        "cmdb/prod/shop/hangzhou/shop/Ingress.networking.k8s.io/web.yaml",
        "cmdb/prod/shop/hangzhou/shop/Secret/db.yaml",
        "cmdb/prod/shop/hangzhou/shop/Service/web.yaml",
        "status/prod/shop.yaml",
    ]


def test_a_transition_that_differs_in_its_time_alone_changes_nothing(branch: Branch) -> None:
    branch.record(moved(report(), 0))
    assert branch.record(moved(report(), 60)) == {}


def test_a_restarted_controller_writes_nothing(branch: Branch) -> None:
    fixed = report(
        objects=[drifted(WEB, (("spec", "replicas"), 3, 5), sync=SyncStatus.SYNCED, result=Result.CONFIGURED)]
    )
    branch.record(moved(fixed))
    again = report(objects=[obj(WEB, result=Result.UNCHANGED)])
    assert branch.record(moved(again, 5)) == {}
    assert branch.record(moved(report(objects=[obj(WEB, result=None)]), 6)) == {}


def test_the_same_facts_in_any_order_give_the_same_bytes() -> None:
    placements = [moved(report(HANGZHOU)), moved(report(SHANGHAI)), moved(report(DEV))]
    branches = []
    for order in permutations(placements):
        branches.append(Branch())
        branches[-1].record(*order)
    assert all(one.files == branches[0].files for one in branches)
    shuffled = Branch()
    shuffled.record(moved(report(objects=[obj(one) for one in reversed(SHOP)])))
    assert shuffled.files[STATUS] != b""
    assert {path: data for path, data in branches[0].files.items() if path.startswith(TARGET)} == {
        path: data for path, data in shuffled.files.items() if path.startswith(TARGET)
    }


def test_transitions_in_one_batch_are_told_as_one_after_the_other() -> None:
    batched, single = Branch(), Branch()
    transitions = [
        moved(report(sync=SyncStatus.SYNCING, health=Health.PROGRESSING), 0),
        moved(report(SHANGHAI), 1),
        moved(report(), 2),
        moved(report(), 3),
    ]
    batched.record(*transitions)
    for one in transitions:
        single.record(one)
    assert batched.files == single.files


PLACES = [replace(HANGZHOU, application=ApplicationName(name), target=TargetName(target))
          for name in ("shop", "hats") for target in ("hangzhou", "shanghai", "suzhou")]  # fmt: skip
STATES = [
    report(objects=[obj(WEB)]),
    report(objects=[obj(WEB), obj(CONFIG)], sync=SyncStatus.SYNCING, health=Health.PROGRESSING),
    report(objects=[], retired=True, applied=None, revision=None),
]


@given(st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from(STATES)), max_size=12), st.integers(1, 12))
def test_a_batch_tells_what_its_transitions_would_one_by_one(
    told: list[tuple[PlacementRef, PlacementReport]], together: int
) -> None:
    transitions = [moved(replace(state, placement=place), n) for n, (place, state) in enumerate(told)]
    batched, single = Branch(), Branch()
    for start in range(0, len(transitions), together):
        batched.take(record(transitions[start : start + together]).derive(batched))
    for one in transitions:
        single.take(record([one]).derive(single))
    assert batched.files == single.files


def test_a_group_is_written_once_for_all_that_is_told_of_its_placements(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    write_one = change.write_record

    def counting(files: Layered, path: str, kind: str, value: dict[str, Any]) -> None:
        written.append(path)
        write_one(files, path, kind, value)

    monkeypatch.setattr(change, "write_record", counting)
    targets = [replace(HANGZHOU, target=TargetName(f"hz-{number:03}")) for number in range(120)]
    Branch().record(*(moved(report(one, objects=[])) for one in targets))
    assert written.count(STATUS) == 1
    assert len(written) == 122  # it, the application, and each target


def test_since_is_kept_until_the_state_differs(branch: Branch) -> None:
    branch.record(moved(report(), 0))
    branch.record(moved(report(subject="Sell hats", reason="a note"), 10))
    assert value(branch, STATUS)["placements"][0]["since"] == "2026-11-21T12:00:00Z"
    branch.record(moved(report(health=Health.PROGRESSING), 20))
    found = value(branch, STATUS)
    assert found["since"] == found["placements"][0]["since"] == "2026-11-21T12:20:00Z"


def test_the_version_keeps_its_own_since(branch: Branch) -> None:
    branch.record(moved(report(), 0))
    branch.record(moved(report(health=Health.PROGRESSING), 5))
    branch.record(moved(report(health=Health.HEALTHY), 6))
    applied = value(branch, STATUS)["placements"][0]["applied"]
    assert applied["since"] == "2026-11-21T12:00:00Z"
    branch.record(moved(report(applied=Revision(COMMIT_2, PLATFORM_1)), 9))
    assert value(branch, STATUS)["placements"][0]["applied"]["since"] == "2026-11-21T12:09:00Z"


def test_a_group_is_its_placements_added_up(branch: Branch) -> None:
    branch.record(moved(report(HANGZHOU)), moved(report(SHANGHAI, sync=SyncStatus.FAILED, reason="no"), 1))
    found = value(branch, STATUS)
    assert (found["sync"], found["health"]) == ("Failed", "Healthy")
    assert [one["target"] for one in found["placements"]] == ["hangzhou", "shanghai"]
    branch.record(moved(report(HANGZHOU, health=Health.DEGRADED), 2))
    assert value(branch, STATUS)["placements"][1]["reason"] == "no"


def test_drift_is_named_field_by_field_with_who_and_when(branch: Branch) -> None:
    changes = (
        (("spec", "replicas"), 3, 5),
        (("metadata", "labels", "x.y/z"), ABSENT, "new"),
        (("spec", "paused"), None, ABSENT),
    )
    branch.record(moved(report(objects=[drifted(WEB, *changes)], sync=SyncStatus.DRIFTED, drifted=1)))
    drift = value(branch, STATUS)["placements"][0]["drift"]
    who = {"manager": "kubectl-edit", "operation": "Update", "time": "2026-11-21T11:59:00Z"}
    whose = {"kind": "Deployment.apps", "namespace": "shop", "name": "web"}
    assert drift == [
        {**whose, "field": "spec.replicas", "corrected": False, "desired": 3, "live": 5, **who},
        {**whose, "field": 'metadata.labels["x.y/z"]', "corrected": False, "live": "new", **who},
        {**whose, "field": "spec.paused", "corrected": False, "desired": None, **who},
    ]
    assert value(branch, DEPLOYMENT)["observed"]["drift"] == [
        'metadata.labels["x.y/z"]',
        "spec.paused",
        "spec.replicas",
    ]


def test_a_corrected_edit_stays_told_until_another_revision_is_applied(branch: Branch) -> None:
    fixed = drifted(WEB, (("spec", "replicas"), 3, 5), sync=SyncStatus.SYNCED, result=Result.CONFIGURED)
    branch.record(moved(report(objects=[fixed])))
    branch.record(moved(report(health=Health.PROGRESSING), 1))
    assert value(branch, STATUS)["placements"][0]["drift"][0]["corrected"] is True
    branch.record(moved(report(applied=Revision(COMMIT_2, PLATFORM_1)), 2))
    assert "drift" not in value(branch, STATUS)["placements"][0]


def test_open_drift_that_is_gone_is_no_longer_told(branch: Branch) -> None:
    branch.record(moved(report(objects=[drifted(WEB, (("spec", "replicas"), 3, 5))], sync=SyncStatus.DRIFTED)))
    branch.record(moved(report(), 1))
    assert "drift" not in value(branch, STATUS)["placements"][0]


def test_no_secret_value_reaches_any_file(branch: Branch) -> None:
    copy = ("metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration")
    edits = [
        drifted(
            SECRET,
            (("data", "password"), "Y2FuYXJ5LXNlY3JldA==", "canary-live"),
            (("stringData",), {"a": "canary-map"}, ABSENT),
        ),
        drifted(CONFIG, (("data", "TOKEN"), Hidden("canary-hash"), "x"), (copy, "canary-copy", "canary-copy")),
        drifted(SERVICE, (("metadata", "annotations"), {copy[2]: "canary-copy"}, {"list": [Hidden("canary-hash")]})),  # type: ignore[list-item]
        drifted(WEB, (("spec", "x"), Hidden("canary-hash"), Hidden("canary-hash"))),
    ]
    branch.record(moved(report(objects=[*map(obj, SHOP)])), moved(report(objects=edits, sync=SyncStatus.DRIFTED)))
    branch.overview()
    everything = b"".join(branch.files.values())
    assert b"canary" not in everything
    assert b"Y2FuYXJ5" not in everything
    assert SECRET.digest.removeprefix("sha256:").encode() not in everything
    assert "•••".encode() in branch.files[STATUS]


def test_two_secrets_that_differ_in_their_values_have_the_same_record() -> None:
    one, other = Branch(), Branch()
    for branch, password in ((one, "YQ=="), (other, "Yg==")):
        body = {"data": {"password": password}, "stringData": {"user": password}}
        branch.record(moved(report(objects=[obj(manifest("Secret", "db", body))])))
    assert one.files == other.files


def test_what_a_failed_look_does_not_know_is_kept(branch: Branch) -> None:
    branch.record(moved(report()))
    blind = report(
        objects=[],
        sync=SyncStatus.UNKNOWN,
        health=Health.UNKNOWN,
        applied=None,
        revision=None,
        branch="",
        reason="no route",
    )
    branch.record(moved(replace(blind, subject="", author="", repository_url=""), 1))
    found = value(branch, STATUS)["placements"][0]
    assert (found["sync"], found["reason"]) == ("Unknown", "no route")
    assert found["applied"]["application"] == found["revision"]["application"] == "1" * 40
    assert len(found["objects"]) == len(SHOP)
    assert found["source"]["author"] == "Wang Fang"
    assert value(branch, DEPLOYMENT)["lifecycle"] == "active"


def test_a_failed_render_retires_nothing(branch: Branch) -> None:
    branch.record(moved(report()))
    seen = [ObjectReport(key=WEB.key, sync=SyncStatus.UNKNOWN, health=Health.HEALTHY)]
    branch.record(moved(report(objects=seen, sync=SyncStatus.FAILED, reason="deploy/x.yaml:3: wrong"), 1))
    assert {value(branch, path)["lifecycle"] for path in branch.files if path.startswith(f"{TARGET}/shop")} == {
        "active"
    }
    assert value(branch, DEPLOYMENT)["attributes"]["replicas"] == 3


@pytest.mark.parametrize("how", ["pruned", "left out"])
def test_what_is_gone_is_retired_once(branch: Branch, how: str) -> None:
    branch.record(moved(report()))
    rest = [obj(one) for one in SHOP if one is not INGRESS]
    if how == "pruned":
        rest.append(ObjectReport(key=INGRESS.key, sync=SyncStatus.SYNCED, health=Health.MISSING, result=Result.PRUNED))
    changed = branch.record(moved(report(objects=rest), 1))
    path = f"{TARGET}/shop/Ingress.networking.k8s.io/web.yaml"
    assert path in changed
    found = value(branch, path)
    assert (found["lifecycle"], found["observed"]["since"]) == ("retired", "2026-11-21T12:01:00Z")
    assert found["attributes"]["hosts"] == ["shop.example.com"]
    again = branch.record(moved(report(objects=[one for one in rest if one.result is not Result.PRUNED]), 9))
    assert path not in again


def test_the_record_of_what_is_gone_goes_after_its_time_with_the_next_transition(branch: Branch) -> None:
    path = f"{TARGET}/shop/Ingress.networking.k8s.io/web.yaml"
    rest = [obj(one) for one in SHOP if one is not INGRESS]
    branch.record(moved(report()))
    branch.record(moved(report(objects=rest), 1))
    day = 24 * 60
    assert path not in branch.record(moved(report(objects=rest, health=Health.PROGRESSING), 89 * day))
    assert value(branch, path)["lifecycle"] == "retired"
    assert branch.record(moved(report(objects=rest), 91 * day))[path] is None
    assert path not in branch.files
    assert path not in branch.record(moved(report(objects=rest, health=Health.PROGRESSING), 92 * day))


def test_what_comes_back_is_active_again(branch: Branch) -> None:
    branch.record(moved(report()))
    branch.record(moved(report(objects=[obj(WEB)]), 1))
    branch.record(moved(report(), 2))
    found = value(branch, f"{TARGET}/shop/Service/web.yaml")
    assert (found["lifecycle"], found["observed"]["since"]) == ("active", "2026-11-21T12:02:00Z")


def test_a_retired_placement_is_told_once(branch: Branch) -> None:
    branch.record(moved(report()), moved(report(SHANGHAI)))
    gone = report(
        objects=[], retired=True, applied=None, revision=None, branch="", subject="", author="", repository_url=""
    )
    branch.record(moved(gone, 1))
    found = value(branch, STATUS)
    assert [one["lifecycle"] for one in found["placements"]] == ["retired", "active"]
    assert found["lifecycle"] == "active"
    assert value(branch, DEPLOYMENT)["lifecycle"] == value(branch, f"{TARGET}/_target.yaml")["lifecycle"] == "retired"
    assert value(branch, "cmdb/prod/shop/shanghai/_target.yaml")["lifecycle"] == "active"
    assert branch.record(moved(gone, 2)) == {}
    branch.record(moved(replace(gone, placement=SHANGHAI), 3))
    assert (
        value(branch, STATUS)["lifecycle"]
        == value(branch, "cmdb/prod/shop/_application.yaml")["lifecycle"]
        == "retired"
    )
    assert b'"message":"retired"' in branch.files["badges/prod/shop.json"]


@pytest.mark.parametrize("path", [STATUS, DEPLOYMENT, "cmdb/prod/shop/_application.yaml", f"{TARGET}/_target.yaml"])
@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b"a: 1\na: 2\n",
        b"kind: Status\n",
        b"\xff\xfe",
        b"apiVersion: v9\n",
        b"--- 1\n--- 2\n",
        b"x: " + b"[" * 500,
    ],
)
def test_a_damaged_record_is_written_anew(branch: Branch, path: str, damage: bytes) -> None:
    branch.record(moved(report()))
    right = branch.files[path]
    branch.files[path] = damage
    branch.record(moved(report()))
    assert branch.files[path] == right


def test_a_record_edited_by_hand_is_written_anew(branch: Branch) -> None:
    branch.record(moved(report()))
    right = dict(branch.files)
    branch.files[STATUS] = right[STATUS].replace(b"sync: Synced", b"sync: Failed")
    branch.files["badges/prod/shop.svg"] = b"<svg/>"
    branch.files[DEPLOYMENT] += b"# a note\n"
    branch.record(moved(report()))
    assert branch.files == right


def test_provenance_is_the_commit_that_changed_the_content(branch: Branch) -> None:
    branch.record(moved(report()))
    later = Revision(COMMIT_2, PLATFORM_1)
    moved_down = [
        obj(replace(one, origin=replace(one.origin, line=99, commit=COMMIT_2))) for one in SHOP if one is not WEB
    ]
    web_now = manifest("Deployment.apps", "web", {"spec": {"replicas": 4}}, line=7)
    changed = obj(replace(web_now, origin=replace(web_now.origin, commit=COMMIT_2)))
    branch.record(moved(report(objects=[*moved_down, changed], revision=later, applied=later, author="Li Na"), 1))
    web, service = (
        value(branch, DEPLOYMENT)["provenance"],
        value(branch, f"{TARGET}/shop/Service/web.yaml")["provenance"],
    )
    assert (web["commit"], web["line"], web["author"]) == (COMMIT_2, 7, "Li Na")
    assert web["revision"] == {"application": COMMIT_2, "platform": PLATFORM_1}
    assert (service["commit"], service["line"], service["author"]) == ("1" * 40, 3, "Wang Fang")


def test_the_message_names_what_moved_and_loses_nothing_of_a_batch() -> None:
    change = record([moved(report(sync=SyncStatus.FAILED)), moved(report(), 1), moved(report(DEV), 1)])
    assert change.subject == "prod/shop: Synced, Healthy, dev/shop: Synced, Healthy"
    assert [text for name, text in change.trailers if name == "Sync"] == ["Failed", "Synced", "Synced"]
    assert all("\n" not in text for _, text in change.trailers)


def test_many_groups_make_a_short_subject() -> None:
    groups = [replace(HANGZHOU, application=f"app-{index}") for index in range(100)]  # type: ignore[arg-type]
    assert record([moved(report(one)) for one in groups]).subject.endswith(" and 97 more")


def test_times_are_utc_to_the_second(branch: Branch) -> None:
    branch.record(moved(report(), 0))
    assert at(0).microsecond
    assert value(branch, STATUS)["since"] == "2026-11-21T12:00:00Z"


def test_what_was_applied_by_hand_is_told_until_another_version_is_there(branch: Branch) -> None:
    by_hand = ByHand(who="Wang Li <li@example.com>", why="it\nburns", despite=frozenset({Barrier.WINDOW}))
    change = record([moved(report(by_hand=by_hand))])
    assert change.trailers[-3:] == (
        ("Applied-By", "Wang Li <li@example.com>"),
        ("Applied-Why", "it burns"),
        ("Applied-Despite", "window"),
    )
    branch.record(moved(report(by_hand=by_hand)))
    found = value(branch, STATUS)["placements"][0]["byHand"]
    assert (found["by"], found["why"], found["despite"]) == (by_hand.who, by_hand.why, ["window"])
    branch.record(moved(report(health=Health.PROGRESSING), 1))
    assert value(branch, STATUS)["placements"][0]["byHand"] == found
    newer = Revision(COMMIT_2, PLATFORM_1)
    branch.record(moved(report(revision=newer, applied=newer), 2))
    assert "byHand" not in value(branch, STATUS)["placements"][0]
