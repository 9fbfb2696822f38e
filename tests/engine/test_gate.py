from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from controller.documents import canonical
from controller.engine.gate import Situation, permit
from controller.model import Action, Cause, Digest, ObjectPlan, OnDrift, OnPending, SyncPolicy, Wait, WaitKind
from tests.engine.make import application, change, key, manifest, object_plan, plan

CLOSED = Wait(kind=WaitKind.WINDOW, what="no sync outside of …")
PENDING = object_plan(Action.CHANGE, change(Cause.PENDING))
DRIFT = object_plan(Action.CHANGE, change(Cause.DRIFT))
MIXED = object_plan(Action.CHANGE, change(Cause.PENDING, "spec", "image"), change(Cause.DRIFT, "spec", "replicas"))


def situation(pending: OnPending = OnPending.AUTO, drift: OnDrift = OnDrift.REVERT, **more: object) -> Situation:
    return Situation(application=application(SyncPolicy(pending=pending, drift=drift)), **more)  # type: ignore[arg-type]


def test_auto_and_revert_let_everything_through() -> None:
    verdict = permit(plan(PENDING, DRIFT, MIXED), situation())
    assert verdict.permitted.objects == (PENDING, DRIFT, MIXED)
    assert not verdict.reasons


def test_an_unapproved_plan_waits_and_says_for_which_hash() -> None:
    verdict = permit(plan(PENDING), situation(OnPending.APPROVE))
    assert verdict.permitted.is_empty
    assert verdict.awaits_approval
    assert "sha256:p" in verdict.reasons[0]


def test_an_approval_of_this_hash_lets_the_plan_through() -> None:
    verdict = permit(plan(PENDING), situation(OnPending.APPROVE, approved=frozenset({Digest("sha256:p")})))
    assert verdict.permitted.objects == (PENDING,)
    assert not verdict.awaits_approval


def test_an_approval_of_another_hash_is_none() -> None:
    verdict = permit(plan(PENDING), situation(OnPending.APPROVE, approved=frozenset({Digest("sha256:other")})))
    assert verdict.awaits_approval


def test_drift_is_corrected_while_pending_waits_for_approval() -> None:
    verdict = permit(plan(DRIFT), situation(OnPending.APPROVE))
    assert verdict.permitted.objects == (DRIFT,)


def test_reported_drift_is_left_alone() -> None:
    verdict = permit(plan(DRIFT), situation(drift=OnDrift.REPORT))
    assert verdict.permitted.is_empty
    assert not verdict.awaits_approval


def test_our_change_leaves_reported_drift_of_the_same_object_as_it_is() -> None:
    verdict = permit(plan(MIXED), situation(drift=OnDrift.REPORT))
    assert verdict.permitted.objects[0].action is Action.CHANGE
    assert verdict.permitted.objects[0].held == (("spec", "replicas"),)


def test_an_objection_of_the_target_stops_an_object_and_not_its_neighbours() -> None:
    guarded = object_plan(Action.DELETE, name="db", objection="6 of 8 objects would be deleted")
    verdict = permit(plan(guarded, PENDING), situation())
    assert [one.action for one in verdict.permitted.objects] == [Action.NOTHING, Action.CHANGE]
    assert verdict.awaits_approval
    assert verdict.reasons == ("6 of 8 objects would be deleted",)


def test_an_object_that_somebody_else_owns_is_refused_and_no_approval_helps() -> None:
    foreign = object_plan(Action.CHANGE, change(Cause.PENDING), objection="helm manages it")
    verdict = permit(plan(foreign), situation(OnPending.APPROVE, approved=frozenset({Digest("sha256:p")})))
    assert verdict.is_refused
    assert not verdict.awaits_approval


def test_a_damped_correction_waits() -> None:
    verdict = permit(plan(DRIFT), situation(fights=frozenset({str(key())})))
    assert verdict.permitted.is_empty


def test_a_closed_window_stops_every_write() -> None:
    assert permit(plan(PENDING, DRIFT), situation(closed_window=CLOSED)).permitted.is_empty


@given(
    pending=st.sampled_from(OnPending),
    drift=st.sampled_from(OnDrift),
    suspend=st.booleans(),
    window=st.sampled_from([None, CLOSED]),
    objects=st.lists(st.sampled_from([PENDING, DRIFT, MIXED, object_plan(Action.NOTHING)]), max_size=4),
)
def test_the_gate_never_adds_an_action(
    pending: OnPending, drift: OnDrift, *, suspend: bool, window: Wait | None, objects: list[ObjectPlan]
) -> None:
    given_plan = plan(*objects)
    whole = Situation(
        application=application(SyncPolicy(pending=pending, drift=drift), suspend=suspend), closed_window=window
    )
    for before, after in zip(given_plan.objects, permit(given_plan, whole).permitted.objects, strict=True):
        assert after.action in (before.action, Action.NOTHING)
        if suspend or window:
            assert after.action is Action.NOTHING


def asking(said: str) -> ObjectPlan:
    body = canonical({"metadata": {"annotations": {"converge/approve": said}}})
    return replace(PENDING, manifest=replace(manifest(), body=body))


def test_an_object_that_asks_for_a_yes_waits_for_it_while_its_neighbours_pass() -> None:
    neighbour = object_plan(Action.CHANGE, change(Cause.PENDING), name="api")
    verdict = permit(plan(asking("true"), neighbour), situation())
    assert [one.action for one in verdict.permitted.objects] == [Action.NOTHING, Action.CHANGE]
    assert verdict.awaits_approval
    assert permit(plan(asking("true")), situation(approved=frozenset({Digest("sha256:p")}))).reasons == ()


def test_the_drift_of_such_an_object_waits_for_nobody() -> None:
    asks = replace(asking("true"), changes=DRIFT.changes)
    assert permit(plan(asks), situation()).permitted.objects == (asks,)


def test_a_yes_with_a_time_comes_by_itself_when_that_is_over() -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    waiting = permit(plan(asking("30m")), situation(since=since, now=since + timedelta(minutes=29)))
    assert waiting.awaits_approval
    assert [one.until for one in waiting.waits] == [since + timedelta(minutes=30)]
    assert permit(plan(asking("30m")), situation(since=since, now=since + timedelta(minutes=30))).reasons == ()
