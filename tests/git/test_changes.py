from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.git import Files
from controller.git.changes import BranchFiles, Overlay, compose_message, draft
from controller.model import Stalled


@dataclass(frozen=True)
class Write:
    """A change that says what its files shall be, whatever is there."""

    files: Mapping[str, bytes | None]
    subject: str = "prod/shop: Synced"
    trailers: tuple[tuple[str, str], ...] = ()

    def derive(self, _: Files) -> Mapping[str, bytes | None]:
        return self.files


@dataclass(frozen=True)
class Count:
    """A change that reads what it writes."""

    path: str
    subject: str = "Count"
    trailers: tuple[tuple[str, str], ...] = ()

    def derive(self, base: Files) -> Mapping[str, bytes | None]:
        return {self.path: b"%d" % (int(base.read(self.path) or b"0") + 1)}


@dataclass(frozen=True)
class Refuse:
    subject: str = "No"
    trailers: tuple[tuple[str, str], ...] = ()

    def derive(self, _: Files) -> Mapping[str, bytes | None]:
        raise Stalled("this record can't be")


EMPTY = BranchFiles(None)


def test_changes_of_different_files_share_a_commit() -> None:
    drafted = draft([Write({"a": b"1"}), Write({"b": b"1"})], EMPTY)
    assert [one.files for one in drafted.drafts] == [{"a": b"1", "b": b"1"}]
    assert drafted.outcomes == (0, 0)


def test_a_later_state_of_a_file_does_not_hide_an_earlier_one() -> None:
    drafted = draft(
        [Write({"a": b"failed"}), Write({"b": b"1"}), Write({"a": b"synced"}), Write({"a": b"failed"})], EMPTY
    )
    assert [one.files.get("a") for one in drafted.drafts] == [b"failed", b"synced", b"failed"]
    assert drafted.outcomes == (0, 0, 1, 2)


def test_equal_bytes_make_no_commit() -> None:
    base = Overlay(EMPTY)
    base.write({"a": b"1"})
    drafted = draft([Write({"a": b"1", "gone": None})], base, lambda _: {"README": b"x"})
    assert (drafted.drafts, drafted.outcomes) == ((), (None,))


def test_one_change_that_can_not_be_stops_no_other() -> None:
    drafted = draft([Refuse(), Write({"../a": b"1"}), Write({"b": b"1"})], EMPTY)
    assert [type(outcome) for outcome in drafted.outcomes] == [Stalled, Stalled, int]
    assert drafted.drafts[0].files == {"b": b"1"}


def test_a_file_does_not_replace_a_folder() -> None:
    drafted = draft([Write({"a/b": b"1"}), Write({"a": b"1"})], EMPTY)
    assert isinstance(drafted.outcomes[1], Stalled)


def test_the_overview_is_made_once_per_commit_over_all_of_it() -> None:
    seen = []

    def finish(files: Files) -> dict[str, bytes | None]:
        seen.append(files.names("status"))
        return {"README": b"%d" % len(files.names("status"))}

    drafted = draft([Write({"status/a": b"1"}), Write({"status/b": b"1"}), Write({"status/a": b"2"})], EMPTY, finish)
    assert seen == [("a", "b"), ("a", "b")]
    assert [one.finished for one in drafted.drafts] == [{"README": b"2"}, {}]


paths = st.sampled_from(["a", "b", "c/d", "c/e", "c/f/g"])
writes = st.dictionaries(paths, st.sampled_from([None, b"1", b"2"]), min_size=1)


@given(st.lists(writes, max_size=8), writes)
def test_commits_in_their_order_give_what_the_changes_in_their_order_give(
    batch: list[dict[str, bytes | None]], before: dict[str, bytes | None]
) -> None:
    base, expected, actual = Overlay(EMPTY), Overlay(EMPTY), Overlay(EMPTY)
    for overlay in (base, expected, actual):
        overlay.write(before)
    for files in batch:
        expected.write(files)
    for one in draft([Write(files) for files in batch], base).drafts:
        actual.write(one.files)
    for directory in ("", "c", "c/f"):
        assert actual.names(directory) == expected.names(directory)
    assert all(actual.read(path) == expected.read(path) for path in ("a", "b", "c/d", "c/e", "c/f/g"))


@given(st.lists(paths, max_size=12))
def test_no_count_is_lost(batch: list[str]) -> None:
    overlay = Overlay(EMPTY)
    for one in draft([Count(path) for path in batch], EMPTY).drafts:
        overlay.write(one.files)
    assert {path: int(overlay.read(path) or b"0") for path in batch} == {path: batch.count(path) for path in batch}


@given(writes)
def test_names_are_those_that_can_be_read(files: dict[str, bytes | None]) -> None:
    overlay = Overlay(EMPTY)
    overlay.write(files)
    there = {path for path, data in files.items() if data is not None}
    assert set(overlay.names("")) == {path.split("/")[0] for path in there}
    assert set(overlay.names("c")) == {path.split("/")[1] for path in there if path.startswith("c/")}


def test_one_change_reads_as_a_persons_commit() -> None:
    change = Write(
        {}, subject="prod/shop: Synced", trailers=(("Converge-Group", "prod/shop"), ("Converge-Revision", "abc"))
    )
    assert compose_message([change], suffix="[skip ci]") == (
        "prod/shop: Synced [skip ci]\n\nConverge-Group: prod/shop\nConverge-Revision: abc\n"
    )
    assert compose_message([Write({}, subject="Approve")]) == "Approve\n"


def test_several_changes_keep_a_block_each() -> None:
    changes = [
        Write({}, subject=f"prod/{name}: Synced", trailers=(("Converge-Group", f"prod/{name}"),)) for name in "ab"
    ]
    assert compose_message(changes, suffix="[skip ci]") == (
        "prod/a: Synced and 1 more [skip ci]\n\n"
        "prod/a: Synced\nConverge-Group: prod/a\n\n"
        "prod/b: Synced\nConverge-Group: prod/b\n"
    )


@pytest.mark.parametrize("text", ["a\nSigned-off-by: x", "a\r\n\r\nb", "a\x00b"])
def test_nothing_in_a_subject_or_a_trailer_makes_a_line_of_its_own(text: str) -> None:
    message = compose_message([Write({}, subject=text, trailers=((text, text),))])
    assert len(message.splitlines()) == 3
