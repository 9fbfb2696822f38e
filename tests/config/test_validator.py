"""Laws of the validator: it is as strict as jsonschema, and it objects at the same places."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from controller.config import Flaw, flaws, schemas
from controller.config.formats import FORMATS
from controller.documents import Dialect, read

ROOT = Path(__file__).parents[2]
CHECKER = FormatChecker(())
for name, check in FORMATS.items():
    CHECKER.checks(name)(lambda text, check=check: not isinstance(text, str) or check(text) is None)
VALIDATORS = {kind: Draft202012Validator(schema, format_checker=CHECKER) for kind, schema in schemas().items()}


def sample(path: str) -> Any:
    return read((ROOT / path).read_bytes(), path=path, dialect=Dialect.KUBERNETES)[0].value


CASES = Path(__file__).parent / "cases"
FULL = json.loads((CASES / "environment.json").read_text())
APPLICATION = json.loads((CASES / "application.json").read_text())
SAMPLES = (sample("converge.yaml"), sample("environments/prod.yaml"), FULL, APPLICATION)


@pytest.mark.parametrize("kind", schemas())
def test_the_schemas_are_schemas(kind: str) -> None:
    Draft202012Validator.check_schema(schemas()[kind])


@pytest.mark.parametrize("kind", schemas())
def test_every_field_is_described(kind: str) -> None:
    def undescribed(schema: Any, path: str) -> list[str]:
        if not isinstance(schema, dict):
            return []
        fields = schema.get("properties", {})
        bare = [f"{path}.{name}" for name, one in fields.items() if "description" not in one and "$ref" not in one]
        return bare + [one for key, value in schema.items() for one in undescribed(value, f"{path}.{key}")]

    assert undescribed(schemas()[kind], kind) == []


@pytest.mark.parametrize("value", SAMPLES, ids=lambda value: value["kind"])
def test_right_files_have_no_flaw(value: Any) -> None:
    assert flaws(value, schemas()[value["kind"]]) == ()


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, one in items for place in places(one, (*path, key)))]


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 200),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=6),
    st.sampled_from(["auto", "revert", "6h", "0 0 * * *", "main", "..", "-x", "present", "shop", "", "UTC"]),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2)
)


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """Give a right file in which one to three places are replaced, removed or added to."""
    value = copy.deepcopy(draw(st.sampled_from(SAMPLES)))
    for _ in range(draw(st.integers(1, 3))):
        *parents, last = draw(st.sampled_from([place for place in places(value) if place]))
        holder = value
        for step in parents:
            holder = holder[step]
        match draw(st.sampled_from(["replace", "remove", "add", "double"])):
            case "replace":
                holder[last] = draw(VALUES)
            case "remove":
                del holder[last]
            case "add" if isinstance(holder, dict):
                holder[draw(st.text(max_size=8) | st.sampled_from(["path", "url", "terraform", "for"]))] = draw(VALUES)
            case _ if isinstance(holder, list):
                holder.append(copy.deepcopy(holder[last]))
    return value


def standard_path(flaw: Flaw) -> tuple[object, ...]:
    """Give the place as jsonschema says it: an unknown or doubled one is its parent's error there."""
    return flaw.path[:-1] if flaw.of_key or flaw.what.endswith("is named twice") else flaw.path


@settings(max_examples=400)
@given(st.data())
def test_it_objects_exactly_where_the_standard_does(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(list(VALIDATORS)))
    value = data.draw(mutated())
    ours = {standard_path(flaw) for flaw in flaws(value, schemas()[kind])}
    theirs = {tuple(error.absolute_path) for error in VALIDATORS[kind].iter_errors(value)}
    assert ours == theirs


def test_an_unknown_keyword_is_never_ignored() -> None:
    with pytest.raises(NotImplementedError, match="allOf"):
        flaws({}, {"allOf": []})
