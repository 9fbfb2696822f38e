"""What a person passes by hand, each barrier by its name, and what nobody passes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.engine.gate import Situation, permit
from controller.model import (
    Action,
    Barrier,
    ByHand,
    Cause,
    Digest,
    ObjectPlan,
    OnDrift,
    OnPending,
    SyncPolicy,
    TargetName,
    Wait,
    WaitKind,
)
from tests.engine.make import application, change, object_plan, plan

PENDING = object_plan(Action.CHANGE, change(Cause.PENDING))
DRIFT = object_plan(Action.CHANGE, change(Cause.DRIFT))
DESTROYED = replace(PENDING, destroys="db is destroyed")
CLOSED = Wait(kind=WaitKind.WINDOW, what="no sync outside of …")
FIRST = Wait(kind=WaitKind.ORDER, what="waits for staging/shop")
HELD = [
    (Barrier.WINDOW, PENDING, SyncPolicy(), {"closed_window": CLOSED}),
    (Barrier.SUSPENSION, PENDING, SyncPolicy(), {"application": replace(application(SyncPolicy()), suspend=True)}),
    (Barrier.APPROVAL, PENDING, SyncPolicy(pending=OnPending.APPROVE), {}),
    (Barrier.APPROVAL, DESTROYED, SyncPolicy(), {}),
    (Barrier.ORDER, PENDING, SyncPolicy(), {"order": (FIRST,)}),
    (Barrier.REPORT, PENDING, SyncPolicy(pending=OnPending.REPORT), {}),
    (Barrier.REPORT, DRIFT, SyncPolicy(drift=OnDrift.PROPOSE), {}),
]


def hand(*despite: Barrier, **plans: str) -> ByHand:
    named = {TargetName(target): Digest(one) for target, one in plans.items()}
    return ByHand(who="Wang Li <li@example.com>", why="it burns", despite=frozenset(despite), plans=named or None)


@pytest.mark.parametrize(("barrier", "one", "policy", "more"), HELD)
def test_a_barrier_holds_until_it_is_named(
    barrier: Barrier, one: ObjectPlan, policy: SyncPolicy, more: dict[str, object]
) -> None:
    situation = Situation(**{"application": application(policy), **more})  # type: ignore[arg-type]
    for others in (None, hand(), hand(*(set(Barrier) - {barrier}))):
        assert permit(plan(one), replace(situation, by_hand=others)).permitted.is_empty
    verdict = permit(plan(one), replace(situation, by_hand=hand(barrier)))
    assert (verdict.permitted.objects, verdict.reasons, verdict.awaits_approval) == ((one,), (), False)


def test_what_the_target_objects_to_nobody_passes() -> None:
    refused = replace(PENDING, objection="it is somebody else's")
    situation = Situation(application=application(SyncPolicy()), by_hand=hand(*Barrier))
    assert permit(plan(refused), situation).is_refused


def test_another_plan_than_the_one_that_was_looked_at_is_not_applied() -> None:
    found = plan(PENDING)
    situation = Situation(application=application(SyncPolicy()))
    target = found.placement.target
    moved = permit(found, replace(situation, by_hand=hand(*Barrier, **{target: "sha256:before"})))
    assert moved.permitted.is_empty
    assert found.hash in moved.reasons[0]
    for by_hand in (hand(**{target: found.hash}), hand(elsewhere="sha256:before")):
        assert not permit(found, replace(situation, by_hand=by_hand)).permitted.is_empty
