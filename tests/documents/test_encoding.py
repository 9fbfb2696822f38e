from __future__ import annotations

import tracemalloc

from controller.documents import canonical


def test_what_is_kept_takes_the_room_of_its_bytes_and_no_buffer() -> None:
    canonical({"a": "x" * 100})  # what is made once
    tracemalloc.start()
    try:
        kept = [canonical({"a": "x" * 100}) for _ in range(100)]
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < 3 * sum(map(len, kept))
