from __future__ import annotations

from controller.documents import Dialect, locate, read_with_positions
from controller.model import Element, FieldPath

DATA = b"""\
# a comment
kind: A
spec:
  containers:
  - name: web
    image: "x:1"   # pinned
    ports: [{containerPort: 80, protocol: TCP}, {containerPort: 81}]
  - {name: log, image: y}
  base: &base {a: 1}
  more:
    <<: *base
    b: 2
---
kind: B
"""


def place(index: int, *field: str | int | Element, of_key: bool = False) -> tuple[int, int]:
    path: FieldPath = field
    found = locate(DATA, path="f.yaml", index=index, field=path, of_key=of_key)
    return found.line, found.column


def test_values_and_keys_have_exact_places() -> None:
    web = Element((("name", "web"),))
    assert place(0, "spec", "containers", web, "image") == (6, 12)
    assert place(0, "spec", "containers", web, "image", of_key=True) == (6, 5)
    assert place(0, "spec", "containers", 1, "image") == (8, 24)
    assert place(0, "spec", "containers", web, "ports", Element((("containerPort", 81), ("protocol", "TCP")))) == (
        7,
        49,
    )
    assert place(1, "kind") == (14, 7)


def test_an_element_that_lacks_the_name_is_not_it() -> None:
    assert place(0, "spec", "containers", Element((("name", "nobody"),))) == (5, 3)


def test_a_merged_field_stands_where_it_was_written() -> None:
    assert place(0, "spec", "more", "a") == (9, 19)


def test_a_missing_field_is_found_at_its_deepest_parent() -> None:
    assert place(0, "spec", "replicas") == (4, 3)
    assert place(7, "spec") == (0, 0)


def test_positions_come_with_the_documents() -> None:
    found = read_with_positions(DATA, path="f.yaml", dialect=Dialect.KUBERNETES)
    assert [one.line for one in found.documents] == [2, 14]
    assert found.has(0, ("spec", "base", "a"))
    assert not found.has(0, ("spec", "base", "b"))
    assert str(found.position(0, ("kind",))) == "f.yaml:2"
