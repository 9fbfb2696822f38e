"""How many yeses, of whom, for how long, and not by whoever made the change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from controller.engine.approvals import Approval
from controller.engine.judging import Yes, is_plain, judge, people_of
from controller.model import Approvals, Digest, Verify

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
PLAN, OTHER = Digest("sha256:a"), Digest("sha256:b")
SIGNED = Verify(ssh="keys/ops.signers")
PEOPLE = ("li@example.com", "wang@example.com")


def yes(
    author: str, signer: str = "", *, plan: Digest = PLAN, hours_ago: float = 0, until: datetime | None = None
) -> Yes:
    at = NOON - timedelta(hours=hours_ago)
    return Yes(approval=Approval(plan, until=until), author=author, signer=signer, at=at)


def test_two_people_are_two_and_one_who_says_it_twice_is_one() -> None:
    rules = Approvals(required=2)
    assert not judge(rules, [yes("li@example.com"), yes("Li@Example.com")], now=NOON).approved
    assert judge(rules, [yes("li@example.com"), yes("wang@example.com")], now=NOON).approved == {PLAN}


def test_yeses_to_different_plans_do_not_add_up() -> None:
    found = judge(Approvals(required=2), [yes("li@example.com"), yes("wang@example.com", plan=OTHER)], now=NOON)
    assert not found.approved


def test_where_signers_are_named_the_signature_says_who_it_is_and_the_author_does_not() -> None:
    rules = Approvals(signers=SIGNED)
    assert not judge(rules, [yes("li@example.com")], now=NOON, people=PEOPLE).approved
    assert judge(rules, [yes("bot@example.com", "li@example.com")], now=NOON, people=PEOPLE).approved == {PLAN}


def test_one_person_with_two_authors_names_and_one_key_is_one() -> None:
    rules = Approvals(signers=SIGNED, required=2)
    assert not judge(
        rules, [yes("a@x.example", "li@example.com"), yes("b@x.example", "li@example.com")], now=NOON
    ).approved


def test_an_unsigned_yes_counts_where_its_author_is_named() -> None:
    rules = Approvals(authors=("*@ops.example.com",))
    assert judge(rules, [yes("li@ops.example.com")], now=NOON).approved
    assert not judge(rules, [yes("li@example.com")], now=NOON).approved


def test_a_yes_expires_by_the_policy_and_by_its_own_word() -> None:
    rules = Approvals(expiry_seconds=3600)
    assert judge(rules, [yes("li@example.com", hours_ago=1)], now=NOON).approved
    assert not judge(rules, [yes("li@example.com", hours_ago=1.1)], now=NOON).approved
    assert not judge(Approvals(), [yes("li@example.com", until=NOON - timedelta(seconds=1))], now=NOON).approved


def test_whoever_made_the_change_may_be_excluded() -> None:
    rules = Approvals(by_author=False, signers=SIGNED)
    mine = yes("li@example.com", "li@example.com")
    found = judge(rules, [mine], now=NOON, people=PEOPLE, authors=["LI@example.com"])
    assert not found.approved
    assert "an author of the change" in found.lack(PLAN).what
    assert judge(rules, [mine], now=NOON, people=PEOPLE, authors=["wang@example.com"]).approved


def test_what_is_missing_names_who_has_said_yes_and_who_may_still() -> None:
    found = judge(Approvals(required=2, signers=SIGNED), [yes("x", "li@example.com")], now=NOON, people=PEOPLE)
    assert found.lack(PLAN).whom == ("wang@example.com",)
    assert "1 of 2" in found.lack(PLAN).what
    assert "li@example.com" in found.lack(PLAN).what
    assert found.lack(OTHER).whom == PEOPLE


def test_a_policy_that_asks_for_nothing_special_needs_no_history() -> None:
    assert is_plain(Approvals())
    special = (
        Approvals(required=2),
        Approvals(signers=SIGNED),
        Approvals(authors=("a@b",)),
        Approvals(expiry_seconds=1),
        Approvals(by_author=False),
    )
    assert not any(map(is_plain, special))


def test_the_people_are_the_principals_of_the_file_and_the_globs() -> None:
    file = b"# ops\nli@example.com,li@home.example ssh-ed25519 AAAA\n\nwang@example.com ssh-ed25519 BBBB\n"
    people = people_of(Approvals(authors=("*@ops.example.com",)), file)
    assert people == ("li@example.com", "li@home.example", "wang@example.com", "*@ops.example.com")
