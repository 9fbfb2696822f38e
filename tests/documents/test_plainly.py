"""What is read plainly is what the whole reader reads; what it leaves alone costs time, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from controller.documents import Dialect, read, read_plainly, write
from controller.model import Invalid

from .scalars import awkward_scalars
from .test_writing import pieced, values

LINES = [
    "a: b", "a:", "  b: c", "  - x", "- x", "- a: 1", "  b: 2", "b: - x", "c: 'it''s'", 'd: "q"', "e: {}", "f: []",
    "- - x", "g: |", "   h: y", "i: 0x1", "j: 1_000", "k: 100m", "l: a #b", "m: a: b", "n: b", "o : p", "q:  r", "s: ",
    "\tt: u", "? v", "# w", "", "---", "x: &y z", "y1: *y", "<<: a", "z: ~", "aa: -5", "bb: 007", "cc: 1e5",
    "dd: 12:30",
]  # fmt: skip


def whole(data: bytes) -> Any:
    try:
        documents = read(data, path="x", dialect=Dialect.KUBERNETES)
    except Invalid as error:
        return error
    return documents[0].value if len(documents) == 1 else documents


@given(st.lists(st.sampled_from(LINES), max_size=8).map("\n".join))
@example("a:\n- b: c\n  d:\n  - e\nf: g")
@example("a:\n  b: 1\n c: 2")
@example("a: b\n  c: d")
def test_any_text_is_read_as_the_whole_reader_reads_it_or_left_to_that(text: str) -> None:
    data = f"{text}\n".encode()
    found = read_plainly(data)
    assert found is None or found == whole(data)


@given(values)
def test_what_is_written_is_read_back_or_left_to_the_whole_reader(value: Any) -> None:
    data = write(value)
    found = read_plainly(data)
    assert found is None or (found == whole(data) and repr(found) == repr(whole(data)))


@given(st.sampled_from(awkward_scalars(1, 2000)) | pieced)
def test_an_awkward_scalar_is_what_it_is_or_in_doubt(scalar: str) -> None:
    for data in (f"a: {scalar}\n".encode(), f"a:\n- {scalar}\n".encode(), f"{scalar}: a\n".encode()):
        found = read_plainly(data)
        assert found is None or repr(found) == repr(whole(data))


@pytest.mark.parametrize("name", ["web", "Web", "db-0"])
def test_a_record_as_it_is_written_is_read_plainly(name: str) -> None:
    record = {
        "identity": {"key": f"prod/shop/hz/shop/Deployment.apps/{name}"},
        "subject": "Don't ask twice: a `list` at the start! (#51) 100% [x], {y} &c",
        "attributes": {"replicas": 3, "images": {"web": "nginx:1.25"}, "ports": {"web": [80]}},
        "relations": [{"type": "partOf", "target": "prod/shop"}],
        "observed": {"sync": "Synced", "since": "2026-11-01T10:00:00Z"},
    }
    assert read_plainly(write(record)) == record
