from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.documents import Dialect, canonical, decode, read, spelling_of, write_as_kustomize
from controller.documents.resolving import RESOLVERS, ScalarError
from controller.model import Invalid, Stalled

from .oracles import HEAD, ask_kubectl, ask_kustomize
from .scalars import awkward_scalars


def value_of(text: str, dialect: Dialect = Dialect.KUBERNETES) -> object:
    return read(text.encode(), path="a.yaml", dialect=dialect)[0].value


def readable(scalars: list[str], dialect: Dialect) -> list[str]:
    kept = []
    for one in scalars:
        try:
            RESOLVERS[dialect](one)
        except ScalarError:
            continue
        kept.append(one)
    return kept


def is_same(theirs: Any, ours: Any) -> bool:
    """Compare numbers as JSON knows them: kubectl prints 1e20 in digits."""
    if isinstance(theirs, float) or isinstance(ours, float):
        return float(theirs) == float(ours)
    return type(theirs) is type(ours) and theirs == ours


def listed(scalars: list[str]) -> bytes:
    return (HEAD + "v:\n" + "".join(f"- {one}\n" for one in scalars)).encode()


def test_awkward_scalars_read_as_kubectl_reads_them(seed: int) -> None:
    scalars = readable(awkward_scalars(seed, 3000), Dialect.KUBERNETES)
    body = listed(scalars)
    theirs = ask_kubectl(body)["v"]
    ours = decode(canonical(read(body, path="a.yaml", dialect=Dialect.KUBERNETES)[0].value))["v"]
    pairs = zip(scalars, theirs, ours, strict=True)
    wrong = [(one, t, o) for one, t, o in pairs if not is_same(t, o)]
    assert not wrong, f"seed {seed}"


def test_awkward_scalars_read_as_kustomize_reads_them(tmp_path: Path, seed: int) -> None:
    body = listed(readable(awkward_scalars(seed, 3000), Dialect.KUSTOMIZE))
    ours = write_as_kustomize(read(body, path="a.yaml", dialect=Dialect.KUSTOMIZE)[0].value)
    assert ours == ask_kustomize(body, tmp_path), f"seed {seed}"


@pytest.mark.parametrize("text", [".inf", "-.INF", ".nan"])
def test_what_json_lacks_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(Invalid, match=r"a\.yaml:2: .*no form in JSON"):
        value_of(f"a: 1\nb: {text}\n")


def test_the_dialects_disagree_where_kubectl_and_kustomize_do() -> None:
    text = "{a: on, b: 2024-01-15, 1: c}"
    assert value_of(text) == {"a": True, "b": "2024-01-15", "1": "c"}
    with pytest.raises(Invalid, match="the key 1 is not a string"):
        value_of(f"x: {text}", Dialect.KUSTOMIZE)
    assert value_of("{a: on, b: 2024-01-15}", Dialect.KUSTOMIZE) == {"a": "on", "b": "2024-01-15T00:00:00Z"}


def test_kustomize_values_remember_how_they_were_written() -> None:
    value = value_of("[1.10, 0777, 2024-01-15, 1.0]", Dialect.KUSTOMIZE)
    assert value == [1.1, 511, "2024-01-15T00:00:00Z", 1]
    assert isinstance(value, list)
    assert [spelling_of(one) for one in value] == ["1.10", "0777", "2024-01-15", "1.0"]


def test_equal_keys_are_refused_with_both_places() -> None:
    with pytest.raises(Invalid) as caught:
        value_of("x:\n- b: 1\n  a: 1\n- a: 2\n  c: {a: 3}\n  a: 4\n")
    (problem,) = caught.value.problems
    assert (problem.where.line, problem.where.column) == (6, 3)
    assert 'the key "a" is there already, at a.yaml:4' in problem.what


def test_without_strict_the_last_of_equal_keys_holds() -> None:
    assert read(b"a: 1\na: 2\n", path="a", dialect=Dialect.KUSTOMIZE, strict=False)[0].value == {"a": 2}


def test_documents_know_their_lines_and_places() -> None:
    found = read(b"# top\n---\na: 1\n---\n---\n# note\n\nb: 2\n", path="a", dialect=Dialect.KUBERNETES)
    assert [(one.value, one.line, one.index) for one in found] == [({"a": 1}, 3, 0), ({"b": 2}, 8, 2)]


def test_an_empty_file_has_no_documents() -> None:
    assert read(b"# nothing\n", path="a", dialect=Dialect.KUBERNETES) == ()


def test_aliases_are_copies() -> None:
    value = value_of("a: &x {k: [1]}\nb: *x\n")
    assert isinstance(value, dict)
    assert value["a"] == value["b"]
    assert value["a"] is not value["b"]


def test_a_merge_gives_way_to_written_keys() -> None:
    value = value_of("a: &x {k: 1, l: 2}\nb: {<<: *x, k: 3}\n", Dialect.KUSTOMIZE)
    assert value == {"a": {"k": 1, "l": 2}, "b": {"k": 3, "l": 2}}


@pytest.mark.parametrize("dialect", list(Dialect))
def test_merges_fold_as_the_commands_fold_them(dialect: Dialect, tmp_path: Path) -> None:
    body = (
        HEAD + "x: &x {k: 1, l: 2}\ny: &y {k: 9, m: 9}\nb:\n  k: 3\n  <<: *x\nc:\n  <<: [*x, *y]\n  l: 5\n"
    ).encode()
    ours = read(body, path="a", dialect=dialect)[0].value
    assert isinstance(ours, dict)
    if dialect is Dialect.KUSTOMIZE:
        assert write_as_kustomize(ours) == ask_kustomize(body, tmp_path)
    else:
        theirs = ask_kubectl(body)
        assert (ours["b"], ours["c"]) == (theirs["b"], theirs["c"])


BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{number}: &a{number} [{','.join([f'*a{number - 1}'] * 9)}]\n" for number in range(1, 10)
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: &x [*x]", "contains itself"),
        ("a: *nobody", "not known here"),
        ("a: [1", "not YAML"),
        ("[" * 300, "deeper than 200"),
        ("{[a]: 1}", "can't be a key"),
        ("~: 1", "a key is null"),
        ("a: !!int x", "not a !!int"),
        ("a: \x01", "not YAML"),
        (BOMB, "aliases make more than"),
    ],
)  # fmt: skip
def test_what_can_not_be_read_is_refused_with_a_place(text: str, says: str) -> None:
    with pytest.raises(Invalid) as caught:
        value_of(text)
    assert says in str(caught.value)
    assert caught.value.problems[0].where.line > 0


def test_a_file_beyond_the_bound_is_refused() -> None:
    with pytest.raises(Invalid, match="are read at most"):
        read(b" " * ((32 << 20) + 1), path="a", dialect=Dialect.KUBERNETES)


@given(st.binary(max_size=200), st.sampled_from(list(Dialect)))
def test_any_bytes_are_read_or_refused(data: bytes, dialect: Dialect) -> None:
    try:
        read(data, path="a", dialect=dialect)
    except Stalled:
        return


@given(st.text(alphabet="ab:-{}[]&*!?|>#'\"\n ,~<1.\t%@", max_size=80), st.sampled_from(list(Dialect)))
def test_any_text_of_indicators_is_read_or_refused(text: str, dialect: Dialect) -> None:
    try:
        read(text.encode(), path="a", dialect=dialect)
    except Stalled:
        return


@pytest.mark.parametrize("styled", [True, False])
def test_a_key_that_is_null_is_refused_with_its_place(styled: bool) -> None:  # noqa: FBT001
    with pytest.raises(Invalid, match=r"a.yaml:2: a key is null"):
        read(b"a: 1\n~: 2\n", path="a.yaml", dialect=Dialect.KUBERNETES, styled=styled)


@pytest.mark.parametrize(
    ("key", "text"),
    [("1.5", "1.5"), ("0.1", "0.1"), ("1.23456789", "1.2345679"), ("1e-7", "1e-07"), ("2.50", "2.5"), ("1", "1")],
)
def test_a_number_that_is_a_key_is_the_text_that_kubectl_makes_of_it(key: str, text: str) -> None:
    (document,) = read(f"{{{key}: x}}".encode(), path="a.yaml", dialect=Dialect.KUBERNETES)
    assert document.value == {text: "x"}


MERGES: dict[str, object] = {  # what kustomize makes of `<<` in its several dresses
    "{<<: {a: 1}, b: 2}": {"a": 1, "b": 2},
    "{!!merge <<: {a: 1}}": {"a": 1},
    "{'<<': {a: 1}, b: 2}": {"b": 2},
    "{'<<': 1, <<: {a: 1}}": {"a": 1},
    "{<<: {a: 1}, '<<': {b: 2}}": {"a": 1, "<<": {"b": 2}},
    "[{'<<': 1, b: {'<<': {c: 1}}}]": [{"b": {}}],
}


@pytest.mark.parametrize("text", MERGES)
def test_a_merge_in_quotes_is_none_and_goes_where_it_is_the_first(text: str) -> None:
    assert value_of(text, Dialect.KUSTOMIZE) == MERGES[text]


def test_kustomize_takes_one_merge_in_a_mapping() -> None:
    for text in ("{<<: {a: 1}, <<: {b: 2}}", "{!!merge <<: {a: 1}, <<: {b: 2}}"):
        with pytest.raises(Invalid, match="second"):
            value_of(text, Dialect.KUSTOMIZE)
    assert value_of("{<<: {a: 1}, <<: {b: 2}}") == {"a": 1, "b": 2}
