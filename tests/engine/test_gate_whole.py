"""Plans that are applied whole or not at all: what the gate lets through of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.engine.gate import Situation, Verdict, permit
from controller.model import Action, Cause, Digest, ObjectPlan, OnDrift, OnPending, Plan, State, SyncPolicy
from tests.engine.make import application, change, object_plan, plan

DRIFT = object_plan(Action.CHANGE, change(Cause.DRIFT, "body"), name="web")
PENDING = object_plan(Action.CHANGE, change(Cause.PENDING, "body"), name="db")
BOTH = object_plan(Action.CHANGE, change(Cause.DRIFT, "body"), change(Cause.PENDING, "size"), name="mixed")


def whole(*objects: ObjectPlan, correction: Plan | None = None) -> Plan:
    return replace(plan(*objects), is_whole=True, correction=correction)


def correction(*objects: ObjectPlan) -> Plan:
    return replace(plan(*objects), is_whole=True, hash=Digest("sha256:c"))


def judged(one: Plan, sync: SyncPolicy | None = None, *, approved: bool = False) -> Verdict:
    return permit(one, Situation(application=application(sync), approved=frozenset({one.hash} if approved else ())))


def acts(verdict: Verdict) -> list[str]:
    return [one.key.name for one in verdict.permitted.objects if one.action is not Action.NOTHING]


def test_a_plan_without_objection_passes_as_it_is() -> None:
    one = whole(DRIFT, PENDING)
    assert judged(one).permitted == one


def test_one_objection_stops_everything() -> None:
    verdict = judged(whole(DRIFT, PENDING), SyncPolicy(pending=OnPending.APPROVE))
    assert acts(verdict) == []
    assert verdict.awaits_approval
    assert all(one.objection for one in verdict.permitted.objects)


def test_its_correction_passes_alone_and_holds_what_is_pending() -> None:
    taken_back = replace(BOTH, changes=BOTH.changes[:1])
    one = whole(DRIFT, PENDING, BOTH, correction=correction(DRIFT, taken_back))
    verdict = judged(one, SyncPolicy(pending=OnPending.APPROVE))
    assert acts(verdict) == ["web", "mixed"]
    assert verdict.permitted.hash == "sha256:c"
    assert verdict.awaits_approval
    assert [found.held for found in verdict.permitted.objects if found.key.name == "mixed"] == [(("size",),)]


def test_drift_that_is_only_reported_is_not_corrected() -> None:
    one = whole(DRIFT, PENDING, correction=correction(DRIFT))
    verdict = judged(one, SyncPolicy(drift=OnDrift.REPORT))
    assert acts(verdict) == []


def test_an_approval_is_of_everything_that_the_plan_showed() -> None:
    one = whole(DRIFT, PENDING)
    sync = SyncPolicy(pending=OnPending.APPROVE, drift=OnDrift.REPORT)
    assert judged(one, sync, approved=True).permitted == one


@pytest.mark.parametrize("action", [Action.DELETE, Action.REPLACE])
def test_what_destroys_needs_an_approval_of_its_own(action: Action) -> None:
    one = whole(replace(object_plan(action), destroys="web is destroyed"))
    refused = judged(one)
    assert acts(refused) == []
    assert refused.awaits_approval
    assert "web is destroyed, which waits for the approval of plan sha256:p" in refused.reasons
    assert acts(judged(one, approved=True)) == ["web"]


def test_an_application_that_shall_be_absent_has_its_yes() -> None:
    one = whole(replace(object_plan(Action.DELETE), destroys="web is destroyed"))
    absent = replace(application(), state=State.ABSENT)
    assert acts(permit(one, Situation(application=absent))) == ["web"]
