from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.git import Entry, Identity, NewCommit, import_stream
from controller.model import Stalled
from controller.sandbox import GitHost

AT = datetime(2026, 1, 1, tzinfo=UTC)


def new(**files: bytes) -> NewCommit:
    return NewCommit(
        parent=None, message="m", author=Identity("A", "a@x"), at=AT, files={k: Entry(v) for k, v in files.items()}
    )


@pytest.mark.parametrize("path", ["", "/a", "a//b", "a/", "../a", "a/../b", ".", ".git/config", "a/.GIT/x", "a\0b"])
def test_paths_that_git_can_not_hold_are_refused(path: str) -> None:
    with pytest.raises(Stalled, match="can't be a path"):
        import_stream("refs/heads/main", [new(**{path: b"x"})])


def test_an_identity_can_not_break_out_of_its_line() -> None:
    assert str(Identity("A <b>\ncommitter x", "a@x>\n")) == "A bcommitter x <a@x>"


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=30))
def test_every_other_name_is_quoted_on_one_line(name: str) -> None:
    if name in {".", ".."} or name.lower() == ".git":
        return
    lines = import_stream("refs/heads/main", [new(**{f"a/{name}": b"x"})]).split(b"\n")
    assert sum(line.startswith(b"M 100644 inline ") for line in lines) == 1


async def test_awkward_names_arrive_as_they_are(git_host: GitHost) -> None:
    names = ['a"b', "a\nb", "a\\b", "ü", " a ", '"', "a\tb", "-x", "M 100644 inline x"]
    await git_host.create("shop", dict.fromkeys(names, b"x"))
    assert sorted(await git_host.names("shop")) == sorted(names)


async def test_commits_follow_each_other_in_one_stream(git_host: GitHost) -> None:
    first = await git_host.create("shop", {"a": b"1", "b": b"1"})
    assert await git_host.log("shop") == [first]
    await git_host.commit("shop", {"a": None, "c": b"2"})
    assert await git_host.names("shop") == ["b", "c"]
