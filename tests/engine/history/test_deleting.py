"""Which deletions of a version took a yes that nothing of it tells."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.engine.history.deleting import unasked_deletions
from controller.model import Application, ApplicationName, State
from tests.engine.make import application
from tests.records.facts import HANGZHOU, SHOP, Branch, manifest, moved, obj, report

ENTRY = application()
MANY = [f"prod/shop/hangzhou/shop/Service/s{number}" for number in range(5)]
CLAIM = "prod/shop/hangzhou/shop/PersistentVolumeClaim/data"
GENERATED = [f"prod/shop/hangzhou/shop/ConfigMap/c{number}-{ending}" for number in range(5) for ending in ("a", "b")]


@pytest.mark.parametrize(
    ("before", "after", "entry", "expected"),
    [
        ([], MANY, ENTRY, ""),
        (MANY, MANY[3:], ENTRY, ""),
        (MANY, MANY[4:], ENTRY, "Service s0, Service s1, Service s2 and 1 more went with it, of 5 objects"),
        (MANY, [], replace(ENTRY, approve_deletions=True), ""),
        (MANY, [], replace(ENTRY, state=State.ABSENT), ""),
        (MANY, MANY[4:], replace(ENTRY, sync=replace(ENTRY.sync, deletions_percent=80)), ""),
        ([CLAIM, *MANY], MANY, ENTRY, "PersistentVolumeClaim data went with it"),
        (GENERATED[::2], GENERATED[1::2], ENTRY, ""),
    ],
)
def test_deletions_beyond_the_guards_take_a_yes(
    before: list[str], after: list[str], entry: Application, expected: str
) -> None:
    found = unasked_deletions(HANGZHOU, before, after, entry, Branch())
    assert expected in found
    assert bool(found) == bool(expected)


def test_what_another_application_has_now_was_not_deleted() -> None:
    branch = Branch()
    other = replace(HANGZHOU, application=ApplicationName("billing"))
    services = [manifest("Service", f"s{number}") for number in range(5)]
    branch.record(moved(report(other, [obj(one) for one in (*SHOP, *services)])))
    assert unasked_deletions(HANGZHOU, MANY, [], ENTRY, branch) == ""
    assert unasked_deletions(other, MANY, [], ENTRY, branch) != ""
