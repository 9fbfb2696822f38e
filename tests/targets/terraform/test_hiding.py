"""Secret values in what programs say."""

from __future__ import annotations

import base64

import pytest

from controller.targets.terraform.comparing import Change
from controller.targets.terraform.hiding import hide, sensitive_values
from tests.fixtures.canary import CANARY, found_in, spellings


@pytest.mark.parametrize("spelling", spellings(CANARY))
def test_a_value_is_hidden_however_it_is_written(spelling: str) -> None:
    said = hide(f"before {spelling} after".encode(), [CANARY.encode()]).decode()
    assert found_in(said) == []
    assert (said.startswith("before "), said.endswith(" after")) == (True, True)


@pytest.mark.parametrize("before", ["", "a", "ab", "user:"])
@pytest.mark.parametrize("after", ["", "z", "yz", "xyz"])
def test_a_value_in_something_that_was_encoded_whole_is_hidden(before: str, after: str) -> None:
    encoded = base64.b64encode(f"{before}{CANARY}{after}".encode())
    assert found_in(hide(encoded, [CANARY.encode()]).decode()) == []


def test_what_is_short_or_absent_changes_nothing() -> None:
    assert hide(b"region 1 of 3", [b"1", b"", b"nowhere"]) == b"region 1 of 3"


def test_what_a_plan_calls_sensitive_is_found() -> None:
    change = Change(
        actions=["update"],
        before={"token": "old one", "name": "web", "list": [{"key": "k1"}, {"key": "k2"}]},
        after={"token": None, "all": {"a": "deep", "n": 5}},
        before_sensitive={"token": True, "list": [{}, {"key": True}]},
        after_sensitive={"all": True},
    )
    assert sensitive_values([change]) == {b"old one", b"k2", b"deep"}
