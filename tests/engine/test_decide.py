from controller.engine.decide import Facts, counts, is_settled, object_reports, sync_of_error, sync_of_run
from controller.engine.gate import Situation, permit
from controller.model import (
    Action,
    Applied,
    Cause,
    Health,
    OnDrift,
    Outcome,
    Result,
    Stalled,
    SyncPolicy,
    SyncStatus,
    Transient,
    Waiting,
)
from tests.engine.make import application, change, desired, key, live, manifest, object_plan, observation, plan


def test_equal_digests_are_settled() -> None:
    assert is_settled(desired(manifest()), observation(live()))


def test_a_suspect_is_not_settled() -> None:
    assert not is_settled(desired(manifest()), observation(live(suspect=True)))


def test_a_missing_object_is_not_settled() -> None:
    assert not is_settled(desired(manifest("web"), manifest("api")), observation(live("web")))


def test_an_object_that_git_no_longer_names_is_not_settled() -> None:
    assert not is_settled(desired(manifest("web")), observation(live("web"), live("old")))


def test_a_first_sync_is_not_settled() -> None:
    assert not is_settled(desired(), observation(digest=None))


def test_what_was_applied_counts_no_more() -> None:
    announced = plan(object_plan(Action.CHANGE, change(Cause.PENDING)), object_plan(Action.CREATE, name="api"))
    applied = Applied((Outcome(key("web"), Result.CONFIGURED),), Stalled("no"))
    assert counts(Facts(announced=announced, applied=applied)) == (1, 0)


def test_reported_drift_is_drifted_and_named() -> None:
    announced = plan(object_plan(Action.CHANGE, change(Cause.DRIFT)))
    verdict = permit(announced, Situation(application=application(SyncPolicy(drift=OnDrift.REPORT))))
    facts = Facts(
        desired=desired(manifest()),
        observation=observation(live(suspect=True)),
        announced=announced,
        plan=verdict.permitted,
        reasons=verdict.reasons,
    )
    assert sync_of_run(facts)[0] is SyncStatus.DRIFTED
    assert counts(facts) == (0, 1)
    assert [one.drift for one in object_reports(facts)] == [(change(Cause.DRIFT),)]


def test_a_failed_object_makes_the_run_fail_with_its_reason() -> None:
    announced = plan(object_plan(Action.CREATE))
    facts = Facts(
        announced=announced,
        plan=permit(announced, Situation(application=application())).permitted,
        applied=Applied((Outcome(key(), Result.FAILED, "port is taken"),), Stalled("Deployment web: port is taken")),
    )
    assert sync_of_run(facts) == (SyncStatus.FAILED, "Deployment web: port is taken")


def test_an_object_that_git_names_and_the_target_lacks_is_missing() -> None:
    facts = Facts(desired=desired(manifest()), observation=observation())
    assert object_reports(facts)[0].health is Health.MISSING


def test_errors_show_as_the_words_say() -> None:
    assert sync_of_error(Stalled("x")) is SyncStatus.FAILED
    assert sync_of_error(Waiting("x")) is SyncStatus.PENDING
    assert sync_of_error(Transient("x")) is SyncStatus.SYNCING
    assert sync_of_error(Transient("x"), is_observation=True) is SyncStatus.UNKNOWN
    assert sync_of_error(RuntimeError("a bug")) is SyncStatus.FAILED
