"""`edit` against files as people lay them out: every byte outside of the change stays."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from controller.documents import DELETE, Dialect, edit, read, write
from controller.model import Invalid

FILE = b"""\
# What customers use.
spec:
  targets:   # two of them
    hangzhou:
      kubernetes: {context:  hangzhou}
  applications:
    shop:
      repository: shop      # theirs
      revision: main

    # who is billed
    billing: {repository: billing,   path: deploy}
    empty:
    text: |
      a
      b

  windows: [ {cron: "0 22 * * 1-5", for: 6h} ]
images:
- name: web
  newTag: '1.0'   # for now
- name: api
  newTag: "1.20"
# the end
"""
SHOP = ("spec", "applications", "shop")
CASES = {
    "a plain value": ((*SHOP, "revision"), "v2", b"revision: main", b"revision: v2"),
    "a value with a comment": ((*SHOP, "repository"), "s", b"repository: shop ", b"repository: s "),
    "a quoted value": (("images", 0, "newTag"), "2.0", b"'1.0'", b"'2.0'"),
    "a doubly quoted value": (("images", 1, "newTag"), "1.30", b'"1.20"', b'"1.30"'),
    "a new key before a comment": (
        (*SHOP, "suspend"), True, b"revision: main\n", b"revision: main\n      suspend: true\n",
    ),
    "a new map": (
        (*SHOP, "rollback"), {"to": "a", "from": "b"}, b"revision: main\n",
        b"revision: main\n      rollback:\n        to: a\n        from: b\n",
    ),
    "a new key in a flow map": (
        ("spec", "applications", "billing", "suspend"), True, b"  path: deploy}", b"  path: deploy, suspend: true}",
    ),
    "a key of a flow map taken away": (("spec", "applications", "billing", "path"), DELETE, b",   path: deploy}", b"}"),
    "a first key of a flow map taken away": (
        ("spec", "applications", "billing", "repository"), DELETE, b"{repository: billing,   path", b"{path",
    ),
    "a key taken away": ((*SHOP, "revision"), DELETE, b"      revision: main\n", b""),
    "a key without a value": (("spec", "applications", "empty"), "x", b"empty:", b"empty: x"),
    "a key in a key without a value": (
        ("spec", "applications", "empty", "path"), "x", b"    empty:\n", b"    empty:\n      path: x\n",
    ),
    "a key after a text of lines": (
        ("spec", "applications", "more"), 1, b"      b\n", b"      b\n    more: 1\n",
    ),
    "an element more": (
        ("images", 2), {"name": "db", "newTag": "3"}, b'"1.20"\n', b'"1.20"\n- name: db\n  newTag: "3"\n',
    ),
    "an element less": (("images", 0), DELETE, b"- name: web\n  newTag: '1.0'   # for now\n", b""),
    "a key in an element": (("images", 0, "newName"), "w", b"# for now\n", b"# for now\n  newName: w\n"),
    "a new list at the end": (
        ("replicas", 0), {"name": "web", "count": 3}, b'"1.20"\n', b'"1.20"\nreplicas:\n- name: web\n  count: 3\n',
    ),
    "what is not there taken away": (("spec", "nothing", "at", "all"), DELETE, b"", b""),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_only_the_changed_lines_change(case: tuple[Any, Any, bytes, bytes]) -> None:
    field, value, before, after = case
    assert edit(FILE, {field: value}, path="x.yaml") == FILE.replace(before, after)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_windows_line_ends_stay(case: tuple[Any, Any, bytes, bytes]) -> None:
    field, value, before, after = case
    wanted = FILE.replace(before, after).replace(b"\n", b"\r\n")
    assert edit(FILE.replace(b"\n", b"\r\n"), {field: value}, path="x.yaml") == wanted


def test_what_a_map_is_shared_with_is_said_to_be_in_the_way() -> None:
    shared = b"a: &it {x: 1}\nb: *it\n"
    assert edit(shared, {("c",): 2}, path="x.yaml").startswith(b"a: &it {x: 1}\nb: *it\n")
    with pytest.raises(Invalid, match="without changing more"):
        edit(shared, {("b", "x"): 2}, path="x.yaml")


NAMES = st.sampled_from(["a", "b", "on", "1", "x y", "é", "-", "k: v"])
SCALARS = st.one_of(
    st.booleans(),
    st.integers(-9, 9),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=8),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)


@given(st.dictionaries(NAMES, VALUES, min_size=1, max_size=3), st.lists(NAMES, min_size=1, max_size=3), VALUES)
def test_what_was_asked_for_is_said_and_nothing_else(content: dict[str, Any], field: list[str], value: Any) -> None:
    wanted = node = copy.deepcopy(content)
    for step in field[:-1]:
        if node.get(step) is None:
            node[step] = {}
        assume(isinstance(node[step], dict))
        node = node[step]
    node[field[-1]] = value
    edited = edit(b"# first\n" + write(content) + b"# last\n", {tuple(field): value}, path="x.yaml")
    assert read(edited, path="x.yaml", dialect=Dialect.KUBERNETES)[0].value == wanted
    assert edited.startswith(b"# first\n")
    assert edited.endswith(b"# last\n")
