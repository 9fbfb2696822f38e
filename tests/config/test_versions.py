"""Ranges of versions choose what Helm chooses."""

from __future__ import annotations

import pytest

from controller.config.versions import check_version_range, newest, read_range, read_version

VERSIONS = (
    "0.0.3", "0.0.4", "0.2.3", "0.2.9", "0.3.0", "1.0.0", "1.2.0", "1.2.3", "1.2.9", "1.3.0", "1.10.0",
    "2.0.0-beta.2", "2.0.0-beta.10", "2.0.0", "2.1.0+build.7", "v3.0.0", "4.0.0-rc.1", "latest",
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", "v3.0.0"),
        ("*", "v3.0.0"),
        ("1.2.3", "1.2.3"),
        ("=1.2.3", "1.2.3"),
        ("v1.2.3", "1.2.3"),
        ("1.2", "1.2.9"),
        ("1", "1.10.0"),
        ("1.x", "1.10.0"),
        ("1.2.*", "1.2.9"),
        ("^1.2", "1.10.0"),
        ("^1.2.4", "1.10.0"),
        ("^0.2.3", "0.2.9"),
        ("^0.0.3", "0.0.3"),
        ("^0.0", "0.0.4"),
        ("^0", "0.3.0"),
        ("~1.2.3", "1.2.9"),
        ("~1", "1.10.0"),
        ("~>1.2", "1.2.9"),
        (">=1.2 <1.3", "1.2.9"),
        (">=1.2, <1.3", "1.2.9"),
        (">1.2", "v3.0.0"),
        (">1.2 <2", "1.10.0"),
        ("<=1.2", "1.2.9"),
        ("<1.2", "1.0.0"),
        ("1.0 - 1.2.3", "1.2.3"),
        ("1.0.0 || ^2", "2.1.0+build.7"),
        ("<2 !=1.10.0", "1.3.0"),
        ("<2 !=1.10", "1.3.0"),
        ("2.0.0-beta.2", "2.0.0-beta.2"),
        (">=2.0.0-0 <2.0.0", "2.0.0-beta.10"),
        ("4", None),
        (">=4.0.0-0", "4.0.0-rc.1"),
        ("9.9.9", None),
    ],
)
def test_a_range_chooses_the_newest_that_it_holds(text: str, wanted: str | None) -> None:
    found = read_range(text)
    assert found is not None
    assert newest(VERSIONS, found) == wanted


def test_a_pin_is_taken_apart() -> None:
    found = read_range(f"1.2.3@sha256:{'a' * 64}")
    assert found is not None
    assert found.digest == f"sha256:{'a' * 64}"


@pytest.mark.parametrize("text", ["main", "1.2.3.4", "^", ">>1", "1.2 -", "1@sha256:ab", "1 || ", "1;2"])
def test_what_is_no_range_is_refused(text: str) -> None:
    assert check_version_range(text) is not None


def test_versions_are_ordered_as_semver_says() -> None:
    texts = ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0"]
    mixed = texts[3:] + texts[:3]
    assert sorted(mixed, key=read_version) == texts  # type: ignore[arg-type]
