from __future__ import annotations

import re
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from controller.documents import Dialect, read
from controller.model import ApplicationName, Health, SyncStatus
from controller.records import Layered, schemas
from controller.records.markdown import plain
from tests.records.facts import DEV, HANGZHOU, WEB, Branch, drifted, moved, report

BILLING = replace(HANGZHOU, application=ApplicationName("billing"))


def readme(branch: Branch) -> str:
    branch.overview()
    return branch.files["README.md"].decode()


def rows(text: str, first: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(f"| {first} |")]


def test_an_empty_branch_says_so() -> None:
    assert "Nothing runs yet." in readme(Branch())


def test_the_table_shows_badge_version_since_and_who_per_environment() -> None:
    branch = Branch()
    branch.record(moved(report()), moved(report(DEV, author="Li Na"), 5), moved(report(BILLING)))
    (shop,) = rows(readme(branch), "shop")
    dev, prod = shop.strip("| ").split(" | ")[1:]
    assert dev.startswith("[![Synced · Healthy · 1111111](badges/dev/shop.svg)](pages/dev/shop.md)<br>")
    assert dev.endswith("`1111111` since 2026-11-21 12:05 by Li Na")
    assert "badges/prod/shop.svg" in prod
    (billing,) = rows(readme(branch), "billing")
    assert billing.startswith("| billing |  | [!")
    assert "Needs attention" not in readme(branch)


def test_what_needs_attention_stands_first_with_its_reason() -> None:
    branch = Branch()
    edit = drifted(WEB, (("spec", "replicas"), 3, 5))
    branch.record(
        moved(report(objects=[edit], sync=SyncStatus.DRIFTED)),
        moved(report(BILLING, sync=SyncStatus.FAILED, reason="deploy/api.yaml:7: wrong\nmore")),
        moved(report(DEV, sync=SyncStatus.SYNCING, health=Health.PROGRESSING)),
    )
    lines = readme(branch).split("## Applications")[0].splitlines()
    table = [line for line in lines if line.startswith("| [")]
    billing, shop = (line.strip("| ").split(" | ") for line in table)
    where = "[prod/billing](pages/prod/billing.md)"
    assert billing == [where, "Failed, Healthy", "2026-11-21 12:00", "deploy/api.yaml\\:7\\: wrong more"]
    assert shop[1:] == [
        "Drifted, Healthy",
        "2026-11-21 12:00",
        "Deployment.apps shop/web\\: spec.replicas by kubectl-edit",
    ]


def test_a_retired_application_leaves_the_table_and_the_badges() -> None:
    branch = Branch()
    branch.record(moved(report()), moved(report(BILLING)))
    branch.record(moved(report(retired=True, objects=[]), 1))
    assert rows(readme(branch), "shop") == []
    assert b"1 Synced" in branch.files["badges/prod.json"]


def test_environments_are_recorded_with_their_applications_added_up() -> None:
    branch = Branch()
    branch.record(moved(report()), moved(report(BILLING, health=Health.DEGRADED), 3))
    branch.overview()
    path = "cmdb/prod/_environment.yaml"
    found = read(branch.files[path], path=path, dialect=Dialect.KUBERNETES)[0].value
    Draft202012Validator(schemas()["Instance"]).validate(found)
    assert isinstance(found, dict)
    assert found["observed"] == {"sync": "Synced", "health": "Degraded", "since": "2026-11-21T12:03:00Z"}
    branch.record(moved(report(health=Health.PROGRESSING), 9))
    assert path not in branch.overview()


def test_an_overview_of_the_same_records_changes_nothing() -> None:
    branch = Branch()
    branch.record(moved(report()))
    assert set(branch.overview()) == {
        "README.md",
        "badges/_applications/shop.json",
        "badges/_applications/shop.svg",
        "badges/_fleet.json",
        "badges/_fleet.svg",
        "badges/prod.json",
        "badges/prod.svg",
        "cmdb/prod/_environment.yaml",
    }
    assert branch.overview() == {}


def test_damaged_parts_are_left_out_and_written_anew() -> None:
    branch = Branch()
    branch.record(moved(report()), moved(report(BILLING)))
    whole = readme(branch)
    branch.files["cmdb/prod/shop/_application.yaml"] = b"{"
    branch.files["cmdb/prod/_environment.yaml"] = b"[]"
    assert rows(readme(branch), "billing")
    branch.record(moved(report()))
    assert readme(branch) == whole


def test_layered_files_are_the_base_and_what_was_written() -> None:
    base = Branch({"a/b.yaml": b"1", "c": b"2"})
    over = Layered(base)
    over.write("a/d/e", b"3")
    over.write("c", b"4")
    assert (over.names(""), over.names("a"), over.names("a/d")) == (("a", "c"), ("b.yaml", "d"), ("e",))
    assert (over.read("c"), over.read("a/b.yaml"), over.read("x")) == (b"4", b"1", None)
    over.write("c", b"2")
    over.write("a/b.yaml", b"1")
    assert over.result() == {"a/d/e": b"3"}


@given(st.text())
def test_a_text_of_others_never_becomes_markup(text: str) -> None:
    found = plain(text)
    assert "\n" not in found
    assert not re.search(r"(?<!\\)(?:\\\\)*[|<>`*_\[\]@]", found)


def test_a_hostile_author_breaks_no_table() -> None:
    branch = Branch()
    branch.record(moved(report(author="x | <script>alert(1)</script> `a` [b](c)\n## d", subject="|")))
    (shop,) = rows(readme(branch), "shop")
    assert "<script>" not in shop
    assert len(re.findall(r"(?<!\\)\|", shop)) == 3
