"""What helm prints, read part by part and remembered, is what reading it whole gives."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from controller.documents import Dialect, read
from controller.model import Invalid
from controller.render.helm.printed import OVERHEAD_BYTES, Memory, documents_of

OUTPUT = b"""\
---
# Source: web/crds/a.yaml
# a licence
---
kind: One
---
kind: Two
text: |
  ---
  # Source: not/this
---
# Source: web/templates/empty.yaml
# nothing
---
# Source: web/charts/db/templates/b.yaml\r
kind: Three
k: 1
k: 2.50
"""


def test_parts_are_what_the_whole_is_and_name_their_templates() -> None:
    whole = read(OUTPUT, path="x", dialect=Dialect.KUBERNETES, strict=False)
    for _ in range(2):
        found = list(documents_of(OUTPUT, "x"))
        assert [value for _, value in found] == [one.value for one in whole]
        assert [source for source, _ in found] == ["web/crds/a.yaml"] * 2 + ["web/charts/db/templates/b.yaml"]


LINES = [
    "a: b", "a:", "  b: c", "  - x", "- x", "- a: 1", "  b: 2", "b: 'q'", "c: |", "c: >-", "  # text", "# said",
    "    # c", "", "  ", "  text", "    deep", 'd: "x', 'y"', "e: [", "]", "f: text", "---", "x: &y z", "g: *y", "a: c",
    "n:", "h: 1.50",
]  # fmt: skip


@given(st.lists(st.sampled_from(LINES), max_size=9).map("\n".join))
@example("c: |\n\n  text\n\n  # text\n\n  text")
@example("f: text\n\n  text")
@example("a:\n\n  # text\n  b: c\n# said\nf: text")
def test_a_part_is_read_as_the_whole_reader_reads_it(text: str) -> None:
    part = f"---\n# Source: web/a.yaml\n{text}\n".encode()
    memory = Memory()
    try:
        whole = [one.value for one in read(part, path="x", dialect=Dialect.KUBERNETES, strict=False)]
    except Invalid:
        with pytest.raises(Invalid):
            memory.values(part, "x")
    else:
        assert repr(memory.values(part, "x")) == repr(whole)


def test_what_stands_before_the_first_template_is_read_too() -> None:
    assert list(documents_of(b"kind: One\n", "x")) == [("", {"kind": "One"})]
    assert list(documents_of(b"\n", "x")) == []


def test_who_changes_what_he_got_changes_nobody_elses() -> None:
    first: Any = next(documents_of(OUTPUT, "x"))[1]
    first["kind"] = "spoilt"
    assert next(documents_of(OUTPUT, "x"))[1] == {"kind": "One"}


def test_an_error_has_the_line_of_the_whole() -> None:
    with pytest.raises(Invalid, match=r"x:22"):
        list(documents_of(OUTPUT + b"---\n# Source: web/templates/c.yaml\na: [\n", "x"))


def test_memory_is_bounded_and_keeps_what_was_used_last() -> None:
    memory = Memory(most_bytes=3 * (OVERHEAD_BYTES + 60))
    parts = [f"---\n# Source: a/{number}\nkind: {number}\n".encode() for number in range(9)]
    for part in (*parts, *parts[:1]):
        assert len(memory.values(part, "x")) == 1
    assert 1 <= len(memory._known) <= 3


def test_secrets_are_read_again_rather_than_kept() -> None:
    memory = Memory()
    for text in (b"kind: Secret\n", b"items:\n- kind: 'Secret'\n"):
        memory.values(text, "x")
    assert not memory._known
    memory.values(b"kind: SecretStore\n", "x")
    assert memory._known
