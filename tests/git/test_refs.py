from __future__ import annotations

import pytest

from controller.git import check_name, choose, ref_patterns
from controller.git.refs import read_advertisement, wire_patterns
from controller.model import CommitId, Stalled

A, B, C = (CommitId(digit * 40) for digit in "abc")


@pytest.mark.parametrize(
    "name",
    ["-x", "--upload-pack=touch /tmp/x", "a b", "a..b", "a~1", "a^", "a:b", "a*", "a?", "a[", "a\\b", "/a", "a/"],
)
def test_names_that_git_refuses_or_takes_for_options_are_stalled(name: str) -> None:
    with pytest.raises(Stalled, match="a branch, tag or commit: "):
        check_name(name)


@pytest.mark.parametrize("name", ["", "@", "a@{1}", "a.lock", "a.lock/b", ".a", "a/.b", "a//b", "a.", "a\nb", "a\x7f"])
def test_more_names_that_are_none(name: str) -> None:
    with pytest.raises(Stalled, match="a branch, tag or commit: "):
        check_name(name)


@pytest.mark.parametrize("name", ["main", "release/1.2", "feature/ü", "v1.0.0", "a-b", "x@y"])
def test_ordinary_names_pass(name: str) -> None:
    assert check_name(name) == name


def test_a_branch_wins_over_a_tag_of_its_name() -> None:
    refs = {"refs/tags/x": A, "refs/heads/x": B}
    assert choose("x", refs, url="u") == B
    assert choose("refs/tags/x", refs, url="u") == A


def test_nothing_said_is_head() -> None:
    assert ref_patterns("") == ("HEAD",)
    assert choose("", {"HEAD": A}, url="u") == A


def test_a_commit_id_is_itself_and_needs_no_question() -> None:
    assert ref_patterns(C) == ()
    assert choose(C, {}, url="u") == C


def test_an_abbreviated_commit_says_to_write_all_of_it() -> None:
    with pytest.raises(Stalled, match="all 40 digits"):
        choose("abcdef1", {}, url="u")


def test_an_annotated_tag_is_read_as_its_commit() -> None:
    text = f"{A}\trefs/tags/v1\n{B}\trefs/tags/v1^{{}}\n{C}\trefs/tags/v2\n"
    assert read_advertisement(text, ["refs/tags/*"]) == {"refs/tags/v1": B, "refs/tags/v2": C}
    assert wire_patterns(["HEAD", "refs/tags/v1"]) == ("HEAD", "refs/tags/v1", "refs/tags/v1^{}")


def test_tails_that_git_matches_too_are_left_out() -> None:
    text = f"{A}\tHEAD\n{B}\trefs/remotes/origin/HEAD\n{C}\trefs/heads/a/refs/heads/main\n"
    assert read_advertisement(text, ["HEAD", "refs/heads/main"]) == {"HEAD": A}
