from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from controller.model import CommitId, Health, Revision, SyncStatus, Wait, WaitKind
from controller.records.topology import MOST, topology
from tests.records.facts import COMMIT_2, HANGZHOU, NOON, PLATFORM_1, SHANGHAI, WEB, Branch, drifted, moved, report

PAGE = "pages/prod/shop.md"


def page(branch: Branch) -> str:
    return branch.files[PAGE].decode()


def test_a_page_tells_state_topology_and_versions() -> None:
    branch = Branch()
    branch.record(moved(report()))
    text = page(branch)
    assert "](../../badges/prod/shop.svg)" in text
    assert "| hangzhou | Synced | Healthy | `1111111` | 2026-11-21 12:00 |  |" in text
    assert "flowchart LR" in text
    assert '["Service<br>web"]:::green' in text
    assert "-->|selects|" in text
    assert "## Drift" not in text
    assert "](../../status/prod/shop.yaml)" in text


def test_drift_is_told_by_field_who_and_when() -> None:
    branch = Branch()
    edit = drifted(WEB, (("spec", "replicas"), 3, 5))
    branch.record(moved(report(objects=[edit], sync=SyncStatus.DRIFTED)))
    (row,) = [
        line
        for line in page(branch).splitlines()
        if "spec.replicas" in line and "kubectl" in line and "as it is" in line
    ]
    assert "| 3 | 5 |" in row


def test_what_is_waited_for_is_told_with_whom_and_since_when() -> None:
    branch = Branch()
    wait = Wait(kind=WaitKind.ORDER, what="waits for staging/shop", whom=("staging/shop",), until=NOON)
    branch.record(moved(report(sync=SyncStatus.PENDING, waits=(wait,))))
    branch.record(moved(report(sync=SyncStatus.PENDING, reason="another", waits=(wait,)), 30))
    row = "| hangzhou | waits for staging/shop | staging/shop | 2026-11-21 12:00 | 2026-11-21 12:00 |"
    assert row in page(branch)


def test_the_last_five_versions_are_told_newest_first() -> None:
    branch = Branch()
    for number in range(7):
        revision = Revision(CommitId(str(number) * 40), PLATFORM_1)
        branch.record(moved(report(revision=revision, applied=revision, subject=f"Change {number}"), number))
    versions = re.findall(r"^\| `(\d)\d{6}` \|", page(branch).split("## Versions")[1], re.MULTILINE)
    assert versions == ["6", "5", "4", "3", "2"]


def test_the_second_targets_news_keep_the_first_ones_chart() -> None:
    branch = Branch()
    branch.record(moved(report(HANGZHOU)), moved(report(SHANGHAI)))
    before = page(branch)
    branch.record(moved(report(SHANGHAI, health=Health.DEGRADED), 5))
    assert page(branch).split("## Topology")[1] == before.split("## Topology")[1]
    assert "| shanghai | Synced | Degraded |" in page(branch)


def test_a_version_that_one_target_runs_is_told_once() -> None:
    branch = Branch()
    newer = Revision(COMMIT_2, PLATFORM_1)
    branch.record(moved(report(HANGZHOU)), moved(report(SHANGHAI)))
    branch.record(moved(report(HANGZHOU, revision=newer, applied=newer), 5))
    branch.record(moved(report(SHANGHAI, revision=newer, applied=newer), 9))
    assert page(branch).split("## Versions")[1].count("`2222222`") == 1


def test_a_chart_of_too_many_objects_says_how_many_are_left_out() -> None:
    records = [
        {
            "identity": {"key": f"prod/shop/hz/shop/ConfigMap/c{number}"},
            "relations": [],
            "observed": {"sync": "Synced", "health": "Healthy"},
            "lifecycle": "active",
        }
        for number in range(MOST + 5)
    ]
    assert "…and 5 objects more." in topology(records)
    assert topology([]) == ""


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80)


@given(TEXTS.filter(lambda text: "." not in text), TEXTS)
@example('K"x', "direction TB")
@example("K", "%%{init: {}}%%")
def test_no_name_breaks_out_of_its_label(kind: str, name: str) -> None:
    parts = "/".join(one.replace("%", "%25").replace("/", "%2F") for one in (kind, name))
    record = {
        "identity": {"key": f"prod/shop/hz/shop/{parts}"},
        "relations": [],
        "observed": {"sync": "Synced", "health": "Healthy"},
        "lifecycle": "active",
    }
    lines = topology([record]).splitlines()
    (label,) = [line for line in lines if line.startswith("  n0[")]
    inner = label.removeprefix('  n0["').rpartition('"]')[0]
    said = [re.sub("#([0-9]+);", lambda found: chr(int(found[1])), one) for one in inner.split("<br>")]
    assert said == ["".join(one if one.isprintable() else "·" for one in text) for text in (kind, name)]
    plain = re.sub("#[0-9]+;", "", inner.replace("<br>", ""))
    assert not set(plain) & set('"<>[]{}`#;\\%&|')
    assert "direction " not in plain
