from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.runtime import Shelf, shelf

NAMES = st.sampled_from(["a", "b", "ü", ""])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), NAMES, st.binary(max_size=40)),
        st.tuples(st.just("drop"), NAMES, st.just(b"")),
        st.tuples(st.sampled_from(["save", "close"]), st.just(""), st.just(b"")),
    ),
    max_size=20,
)


@given(steps=STEPS)
def test_it_gives_what_was_put_last_and_after_a_close_too(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, bytes]]
) -> None:
    path = tmp_path_factory.mktemp("shelf") / "kept" / "x.db"
    one, expected = Shelf(path, "x 1"), dict[str, bytes]()
    for what, name, value in steps:
        match what:
            case "put":
                one.put(name, value)
                expected[name] = value
            case "drop":
                one.drop(name)
                expected.pop(name, None)
            case "save":
                one.save()
            case _:
                one.close()
                one = Shelf(path, "x 1")
        assert [one.get(name) for name in ("a", "b", "ü", "")] == [expected.get(name) for name in ("a", "b", "ü", "")]
    one.close()


def test_what_was_not_saved_is_lost_with_the_process_and_nothing_else(tmp_path: Path) -> None:
    one = Shelf(tmp_path / "x.db", "x 1")
    one.put("a", b"1")
    one.save()
    one.put("a", b"2")
    other = Shelf(tmp_path / "x.db", "x 1")
    assert other.get("a") == b"1"
    other.close()
    one.close()


def test_another_form_and_another_build_begin_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind, build in (("x 1", "one"), ("x 2", "one"), ("x 2", "two")):
        monkeypatch.setattr(shelf, "build_digest", lambda build=build: build)
        one = Shelf(tmp_path / "x.db", kind)
        assert one.get("a") is None
        one.put("a", b"1")
        one.close()
    one = Shelf(tmp_path / "x.db", "x 2")
    assert one.get("a") == b"1"
    one.close()


def test_a_value_that_was_spoiled_or_stands_under_another_name_is_missing(tmp_path: Path) -> None:
    one = Shelf(tmp_path / "x.db", "x 1")
    one.put("a", b"first")
    one.put("b", b"second")
    one.close()
    database = sqlite3.connect(tmp_path / "x.db")
    (value,) = database.execute("SELECT value FROM kept WHERE name = ?", (b"a",)).fetchone()
    with database:
        database.execute("UPDATE kept SET value = ? WHERE name = ?", (value, b"b"))
        database.execute("UPDATE kept SET value = ? WHERE name = ?", (value[:-1], b"a"))
    database.close()
    one = Shelf(tmp_path / "x.db", "x 1")
    assert (one.get("a"), one.get("b")) == (None, None)
    one.close()


def test_a_file_that_is_no_database_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"no database" * 1_000)
    one = Shelf(tmp_path / "x.db", "x 1")
    one.put("a", b"1")
    one.close()
    one = Shelf(tmp_path / "x.db", "x 1")
    assert one.get("a") == b"1"
    one.close()


def test_a_place_where_nothing_can_be_written_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    one = Shelf(tmp_path / "file" / "x.db", "x 1")
    one.put("a", b"1")
    one.save()
    assert one.get("a") is None
    assert not one.has_news
    one.close()


def test_the_values_that_were_put_last_are_kept(tmp_path: Path) -> None:
    one = Shelf(tmp_path / "x.db", "x 1", most_values=2)
    for name in ("a", "b", "a", "c"):
        one.put(name, name.encode())
        one.save()
    assert [name for name in "abc" if one.get(name)] == ["a", "c"]
    one.close()
