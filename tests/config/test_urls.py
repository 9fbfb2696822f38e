from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.config.refs import check_revision, check_tree_path, tree_path
from controller.config.urls import check_git_url

CASES = Path(__file__).parent / "cases"
URLS = json.loads((CASES / "urls.json").read_text())
REFS = json.loads((CASES / "refs.json").read_text())


@pytest.mark.parametrize("url", URLS["right"])
def test_what_git_reaches_safely_is_taken(url: str) -> None:
    assert check_git_url(url) is None


@pytest.mark.parametrize("url", URLS["wrong"])
def test_what_runs_programs_leaks_or_is_unprotected_is_refused(url: str) -> None:
    assert check_git_url(url) is not None


@given(st.text(max_size=40), st.sampled_from(["https", "ssh", "http"]))
def test_a_password_in_a_url_is_never_shown(tail: str, scheme: str) -> None:
    found = check_git_url(f"{scheme}://user:canary-secret@host/{tail}")
    assert found is not None
    assert "canary" not in f"{found.what} {found.advice}"


@pytest.mark.parametrize("revision", REFS["revisions"]["right"])
def test_names_that_git_gives_are_taken(revision: str) -> None:
    assert check_revision(revision) is None


@pytest.mark.parametrize("revision", REFS["revisions"]["wrong"])
def test_names_that_git_does_not_give_are_refused(revision: str) -> None:
    assert check_revision(revision) is not None


@pytest.mark.parametrize(("written", "path"), REFS["paths"]["right"].items())
def test_a_path_is_given_as_a_tree_takes_it(written: str, path: str) -> None:
    assert check_tree_path(written) is None
    assert tree_path(written) == path


@pytest.mark.parametrize("path", REFS["paths"]["wrong"])
def test_a_path_that_leaves_the_tree_is_refused(path: str) -> None:
    assert check_tree_path(path) is not None


@given(st.lists(st.sampled_from(["..", ".", "a", "b", ""]), max_size=8).map("/".join))
def test_a_path_that_is_taken_stays_in_the_tree(path: str) -> None:
    if check_tree_path(path) is None:
        assert not tree_path(path).startswith(("/", ".."))
