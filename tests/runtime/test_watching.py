from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from controller.model import Stalled
from controller.runtime import Watcher


async def test_a_new_file_calls_back_on_the_event_loop(tmp_path: Path) -> None:
    seen, threads = asyncio.Event(), set()

    def changed() -> None:
        threads.add(threading.get_ident())
        seen.set()

    with Watcher() as watcher:
        watcher.watch(tmp_path, changed)
        (tmp_path / "file").write_text("x")
        await asyncio.wait_for(seen.wait(), 10)
    assert threads == {threading.get_ident()}


async def test_a_move_of_mounted_data_is_seen(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    (tmp_path / "..data").symlink_to("one")
    seen = asyncio.Event()
    with Watcher() as watcher:
        watcher.watch(tmp_path, seen.set)
        (tmp_path / "..tmp").symlink_to("two")
        (tmp_path / "..tmp").rename(tmp_path / "..data")
        await asyncio.wait_for(seen.wait(), 10)


async def test_reading_is_no_change(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    calls = []
    seen = asyncio.Event()
    with Watcher() as watcher:
        watcher.watch(tmp_path, lambda: calls.append(None))
        (tmp_path / "file").read_text()
        # What happens in a sibling folder later is delivered later: one observer, one queue.
        (tmp_path.parent / "sibling").mkdir()
        watcher.watch(tmp_path.parent / "sibling", seen.set)
        (tmp_path.parent / "sibling" / "file").write_text("x")
        await asyncio.wait_for(seen.wait(), 10)
    assert calls == []


async def test_two_watches_of_one_folder_both_see_and_one_may_end(tmp_path: Path) -> None:
    first, second = asyncio.Event(), asyncio.Event()
    with Watcher() as watcher:
        end = watcher.watch(tmp_path, first.set)
        watcher.watch(tmp_path, second.set)
        (tmp_path / "a").touch()
        await asyncio.wait_for(asyncio.gather(first.wait(), second.wait()), 10)
        end()
        first.clear()
        second.clear()
        (tmp_path / "b").touch()
        await asyncio.wait_for(second.wait(), 10)
        assert not first.is_set()


async def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with Watcher() as watcher, pytest.raises(Stalled, match="can't be watched"):
        watcher.watch(tmp_path / "nowhere", lambda: None)
