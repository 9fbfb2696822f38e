from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.documents import Dialect, canonical, decode, digest_of, read, write, write_as_kustomize
from controller.model import Invalid

from .oracles import ask_kubectl, ask_kustomize
from .scalars import awkward_scalars

PIECES = [
    "a", "bb", "word", "a: b", "#", "x #y", " ", "  ", "\n", "\n\n", "\t", "é", "—", "😀", '"', "'", "\\", "-", "- ",
    "? ", ":", "{", "}", "[", "]", ",", "&a", "*b", "!", "|", ">", "%", "@", "`", "---", "...", "y", "1.5", "0x1",
    "long" * 20, "\r", "\xa0", "\x01", "1:30", "<<", "=", "null", "~", " end ", "some words that go on ",
]  # fmt: skip
WORDS = ["lorem", "ipsum", "a", "of", "dolor  sit", "x" * 30, '"q"', "it's", "\\", "#no", ":", "é" * 9]
PLAIN = [None, True, 0, -5, 1.5, 1e21, 1e-7, 12345678.25, {}, []]

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
pieced = st.lists(st.sampled_from(PIECES), max_size=5).map("".join)
numbers = st.integers(-(1 << 63), (1 << 63) - 1) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts | pieced,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(pieced, inner, max_size=4),
    max_leaves=12,
)


def made_object(source: random.Random) -> dict[str, Any]:
    def text() -> str:
        if source.random() < 0.2:
            return " ".join(source.choice(WORDS) for _ in range(source.randint(5, 60)))
        return "".join(source.choice(PIECES) for _ in range(source.randint(0, 9)))

    def value(depth: int) -> Any:
        chance = source.random()
        if depth > 3 or chance < 0.5:
            return text() if source.random() < 0.8 else source.choice(PLAIN)
        if chance < 0.75:
            return {text(): value(depth + 1) for _ in range(source.randint(0, 5))}
        return [value(depth + 1) for _ in range(source.randint(0, 4))]

    # go-yaml's order of keys is none where letters follow numbers (a2 < a14 < a1x < a2): such keys are left out
    numbered = {f"a{source.randint(0, 30)}{source.choice('-._')}0{source.randint(0, 9)}": 1 for _ in range(9)}
    return {"apiVersion": "e/v1", "kind": "T", "metadata": {"name": "a"}, "spec": value(0), "keys": numbered}


def test_kustomize_prints_the_same_bytes(tmp_path: Path, seed: int) -> None:
    source = random.Random(seed)
    for _ in range(15):
        body = json.dumps(made_object(source), ensure_ascii=False).encode()
        theirs = ask_kustomize(body, tmp_path)
        assert theirs is not None
        assert write_as_kustomize(read(body, path="a", dialect=Dialect.KUSTOMIZE)[0].value) == theirs, f"seed {seed}"


def test_kubectl_reads_back_what_was_written(seed: int) -> None:
    source = random.Random(seed)
    made = [made_object(source) for _ in range(30)]
    made.append(awkward(seed))
    back = ask_kubectl(write({"apiVersion": "e/v1", "kind": "T", "metadata": {"name": "a"}, "made": made}))
    assert back["made"] == made, f"seed {seed}"


def same(one: Any, other: Any) -> bool:
    """Compare as JSON does, where 5.785300483064275e16 and the integer of those digits are one number."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, int | float) and isinstance(other, int | float):
        return float(one) == float(other)
    return bool(one == other)


def awkward(seed: int) -> dict[str, Any]:
    return {"apiVersion": "e/v1", "kind": "T", "metadata": {"name": "b"}, "v": awkward_scalars(seed, 2000)}


@given(values, st.sampled_from(list(Dialect)))
def test_what_is_written_reads_back_equal_in_both_dialects(value: Any, dialect: Dialect) -> None:
    back = read(write({"v": value}), path="a", dialect=dialect)[0].value
    assert same(back, {"v": value})


@given(values)
def test_canonical_json_is_the_same_for_any_order_of_keys(value: Any) -> None:
    assert canonical({"a": value, "b": 1}) == canonical({"b": 1, "a": value})
    assert canonical(decode(canonical(value))) == canonical(value)


def test_integers_beyond_64_bits_become_floats() -> None:
    assert canonical({"a": 1 << 70}) == b'{"a":1.1805916207174113e+21}'


@pytest.mark.parametrize("value", ["\ud800", object()])
def test_what_json_lacks_is_not_written(value: Any) -> None:
    with pytest.raises(Invalid, match="not JSON"):
        canonical({"a": value})


def test_bad_json_is_refused_with_its_place() -> None:
    with pytest.raises(Invalid) as caught:
        decode(b'{\n "a": }')
    assert caught.value.problems[0].where.line == 2


def test_a_digest_is_of_the_bytes() -> None:
    assert digest_of(b"") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
