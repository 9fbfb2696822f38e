"""Approvals as files: who said yes to what, and until when."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from controller.engine.approvals import Approval, approvals, approved_plans
from controller.model import ApplicationName, Digest, EnvironmentName, GroupRef, Invalid, MemoryTree

SHOP = GroupRef(EnvironmentName("prod"), ApplicationName("shop"))
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
FILE = b"""\
plans:
- plan: sha256:a
  by: Wang Li <li@example.com>
  until: "2026-11-21T12:00:00Z"
- {plan: "sha256:b", until: 2026-11-21T11:59:59Z}
- sha256:c
"""


def tree(data: bytes) -> MemoryTree:
    return MemoryTree({"approvals/prod/shop.yaml": data})


def test_an_expired_approval_is_none() -> None:
    assert approved_plans(tree(FILE), SHOP, now=NOON) == {"sha256:a", "sha256:c"}
    assert [one.plan for one in approvals(tree(FILE), SHOP)] == ["sha256:a", "sha256:b", "sha256:c"]


def test_an_approval_says_by_whom_and_until_when() -> None:
    assert approvals(tree(FILE), SHOP)[0] == Approval(Digest("sha256:a"), "Wang Li <li@example.com>", NOON)


@pytest.mark.parametrize(
    "data",
    [b"sha256:a\n", b"plans: sha256:a\n", b"plans: [1]\n", b"plans: [{by: me}]\n", b"plans: [{plan: a, till: b}]\n",
     b"plans: [{plan: a, until: tomorrow}]\n"],
)  # fmt: skip
def test_a_file_of_another_form_approves_nothing_and_says_so(data: bytes) -> None:
    with pytest.raises(Invalid, match=r"approvals/prod/shop\.yaml"):
        approvals(tree(data), SHOP)
