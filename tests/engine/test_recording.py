from datetime import UTC, datetime

from controller.engine.recording import rounds
from controller.model import Health, PlacementReport, SyncStatus, Transition
from tests.engine.make import placement


def moved(application: str, sync: SyncStatus) -> Transition:
    report = PlacementReport(placement=placement(application), sync=sync, health=Health.HEALTHY)
    return Transition(report, datetime(2026, 1, 1, tzinfo=UTC))


def test_a_state_that_was_passed_through_keeps_a_commit_of_its_own() -> None:
    drifted, synced = moved("shop", SyncStatus.DRIFTED), moved("shop", SyncStatus.SYNCED)
    other = moved("billing", SyncStatus.SYNCED)
    assert rounds([drifted, other, synced]) == ((drifted, other), (synced,))


def test_an_empty_batch_has_no_rounds() -> None:
    assert rounds([]) == ()
