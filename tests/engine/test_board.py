from dataclasses import replace

from controller.engine.board import Board
from controller.model import Health, ObjectReport, PlacementReport, SyncStatus
from tests.engine.make import key, manifest, placement

ROLLING = PlacementReport(
    placement=placement(),
    sync=SyncStatus.SYNCED,
    health=Health.PROGRESSING,
    reason="1 of 3 replicas are available",
    objects=(ObjectReport(key=key(), sync=SyncStatus.SYNCED, health=Health.PROGRESSING, health_reason="1 of 3"),),
)


def test_the_first_report_is_a_transition_and_the_same_again_is_none() -> None:
    board = Board()
    assert board.post(ROLLING)
    assert not board.post(ROLLING)


def test_how_far_a_rollout_has_come_is_no_transition_and_is_shown_all_the_same() -> None:
    board = Board()
    board.post(ROLLING)
    further = replace(ROLLING, reason="2 of 3 replicas are available")
    assert not board.post(further)
    assert board.of(placement()) == further


def test_why_a_rollout_gets_nowhere_is_a_transition_and_so_is_another_why() -> None:
    board = Board()
    board.post(ROLLING)
    for why in ("pod web-1: ImagePullBackOff", "pod web-1: CrashLoopBackOff"):
        stuck = replace(ROLLING.objects[0], health_reason=f"1 of 3; {why}", diagnosis=why)
        assert board.post(replace(ROLLING, objects=(stuck,)))
        assert not board.post(replace(ROLLING, objects=(replace(stuck, health_reason=f"2 of 3; {why}"),)))


def test_another_reason_to_fail_is_a_transition() -> None:
    board = Board()
    failed = replace(ROLLING, sync=SyncStatus.FAILED, reason="one thing")
    board.post(failed)
    assert board.post(replace(failed, reason="another thing"))


def test_another_manifest_is_a_transition_and_its_body_is_not_kept() -> None:
    board = Board()
    first = replace(ROLLING, objects=(replace(ROLLING.objects[0], manifest=manifest(digest="1")),))
    second = replace(ROLLING, objects=(replace(ROLLING.objects[0], manifest=manifest(digest="2")),))
    assert board.post(first)
    assert not board.post(first)
    assert board.post(second)
    assert [one.manifest for report in board.all() for one in report.objects] == [None]


def test_a_group_is_what_lives_of_its_placements() -> None:
    board = Board()
    here, there = (replace(ROLLING, placement=placement(target=name)) for name in ("hz", "bj"))
    for one in (here, there, replace(ROLLING, placement=placement("other"))):
        board.post(one)
    group = here.placement.group
    assert board.of_group(group) == (there, here)
    board.forget(there.placement)
    board.post(replace(here, retired=True))
    assert board.of_group(group) == ()
    assert board.of_groups([group]) == {}
