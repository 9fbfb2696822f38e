from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from controller.engine.board import Board
from controller.engine.turns import Turns
from controller.model import Behind, Digest, Health, PlacementRef, PlacementReport, SyncStatus, TargetName, Transient
from tests.engine.make import placement
from tests.fixtures.clock import ManualClock

NORTH, SOUTH, BILLING = placement(target="north"), placement(target="south"), placement("billing", target="north")
NOW, OLD = Digest("sha256:now"), Digest("sha256:old")
BEHIND_NORTH = Behind(targets=(TargetName("north"),))


def turns(
    *reports: PlacementReport, clock: ManualClock | None = None, waits: Sequence[Mapping[str, Any]] | None = ()
) -> Turns:
    """Make the turns of these reports; `waits` are in the record, None: it can't be read."""
    board = Board()
    for one in reports:
        board.post(one)

    async def recorded(_placement: PlacementRef) -> Sequence[Mapping[str, Any]]:
        if waits is None:
            raise Transient("away")
        return waits

    return Turns(board, lambda _placement: NOW, clock or ManualClock(), recorded)


def report(
    ref: object = NORTH,
    sync: SyncStatus = SyncStatus.SYNCED,
    health: Health = Health.HEALTHY,
    inputs: Digest | None = NOW,
) -> PlacementReport:
    return PlacementReport(placement=ref, sync=sync, health=health, inputs=inputs)  # type: ignore[arg-type]


def test_who_is_behind_nobody_waits_for_nobody() -> None:
    assert turns().unmet(SOUTH, Behind()) == ()


def test_a_target_that_is_through_with_what_git_says_now_holds_nobody_up() -> None:
    assert turns(report()).unmet(SOUTH, BEHIND_NORTH) == ()


def test_another_target_is_waited_for_until_it_is_synced_healthy_and_at_this_revision() -> None:
    expected = {
        (): "not seen yet",
        (report(sync=SyncStatus.FAILED),): "Failed, Healthy",
        (report(health=Health.PROGRESSING),): "Synced, Progressing",
        (report(inputs=OLD),): "not at this revision yet",
    }
    assert {one: turns(*one).unmet(SOUTH, BEHIND_NORTH) for one in expected} == {
        one: (f"prod/shop@north ({why})",) for one, why in expected.items()
    }


def test_another_application_is_waited_for_as_depends_on_does() -> None:
    behind = Behind(groups=(BILLING.group,))
    assert turns().unmet(SOUTH, behind) == ("prod/billing (not seen yet)",)
    assert turns(report(BILLING, inputs=OLD)).unmet(SOUTH, behind) == ()


def test_who_waits_is_woken_by_whom_he_waits_for() -> None:
    found = turns()
    found.unmet(SOUTH, replace(BEHIND_NORTH, groups=(BILLING.group,)))
    assert found.behind(NORTH) == found.behind(BILLING) == (SOUTH,)
    assert found.behind(placement("billing", environment="dev", target="north")) == ()
    found.forget(SOUTH)
    assert found.behind(NORTH) == ()


async def test_the_time_of_a_plan_begins_anew_with_another_plan() -> None:
    clock = ManualClock()
    found = turns(clock=clock)
    first = await found.since(SOUTH, NOW)
    await clock.advance(60)
    assert await found.since(SOUTH, NOW) == first
    assert (await found.since(SOUTH, OLD) - first).total_seconds() == 60


async def test_the_time_of_a_plan_goes_on_from_where_the_records_told_of_it_first() -> None:
    clock = ManualClock()
    before = (clock.now() - timedelta(minutes=10)).isoformat()
    waits = [
        {"for": "window", "what": f"waits for the approval of plan {OLD}", "since": before},
        {"for": "approval", "what": f"waits for the approval of plan {NOW}", "since": before},
    ]
    found = turns(clock=clock, waits=waits)
    assert (clock.now() - await found.since(SOUTH, NOW)).total_seconds() == 600
    assert await found.since(SOUTH, OLD) == clock.now()


async def test_records_that_can_t_be_read_let_it_begin_anew() -> None:
    clock = ManualClock()
    assert await turns(clock=clock, waits=None).since(SOUTH, NOW) == clock.now()
