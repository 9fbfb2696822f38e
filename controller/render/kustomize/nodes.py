"""Values as kustomize's YAML nodes see them: each scalar has a text and a style, a null has a spelling.

Resources are plain dictionaries and lists. What JSON can't say but kustomize's output depends on is kept in the
scalars themselves: `Quoted` strings, numbers and nulls with their spelling, and `Cell`, a scalar that stands in
several places of one object at once (a common label), so that setting one place sets all of them.
Source of each rule: kyaml/yaml (fns.go, rnode.go) at v0.18.1.
"""

from __future__ import annotations

import re
from typing import Any, Final, Self

from controller.documents import (
    MAYBE_SPECIAL,
    RESOLVERS,
    BareKey,
    Dialect,
    Folded,
    Quoted,
    ScalarError,
    SpelledNull,
    format_float,
    is_string,
    is_written_plain,
    read,
    spelling_of,
    unspelled,
)
from controller.model import Stalled

_RESOLVE: Final = RESOLVERS[Dialect.KUSTOMIZE]


class Missing:
    """The type of `MISSING`: no field, which is not a null one."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing()


class Cell:
    """One scalar that stands in several places."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class Untagged(str):
    """A plain scalar that was made without a type: YAML decides what it is, but a merge makes text of it."""

    __slots__ = ()


class Mistyped(str):
    """A text in the place of a number, say: refused if it is still there in the end."""

    __slots__ = ("old",)
    old: Any

    def __new__(cls, text: str, old: Any) -> Self:
        made = super().__new__(cls, text)
        made.old = old
        return made


def is_null(value: object) -> bool:
    return value is None or value.__class__ is SpelledNull


def is_absent(value: object) -> bool:
    """Tell whether a field is missing or null (kyaml IsMissingOrNull)."""
    return value is MISSING or is_null(value)


def is_empty(value: object) -> bool:
    """Tell whether a field is missing, null, or an empty mapping or list (kyaml IsYNodeNilOrEmpty)."""
    return is_absent(value) or (isinstance(value, dict | list) and not value)


def is_scalar(value: object) -> bool:
    return not isinstance(value, dict | list)


def is_text(value: object) -> bool:
    """Tell whether a scalar is a string (kyaml IsYNodeString)."""
    return isinstance(value.value if isinstance(value, Cell) else value, str) and not is_time(value)


def is_time(value: object) -> bool:
    return hasattr(value, "spelling") and isinstance(value, str)


def text_of(value: Any) -> str:
    """Give a scalar's text as it was written; "" for mappings and lists (yaml.Node.Value)."""
    if value.__class__ is str:
        return value
    if value.__class__ is Cell:
        value = value.value
    if value is MISSING or isinstance(value, dict | list):
        return ""
    return str(value) if isinstance(value, Quoted) else spelling_of(value)


def styled(text: str) -> str:
    """Give a new string in the style of a freshly set field: in quotes where YAML 1.1 would read something else."""
    if text and text[0] not in MAYBE_SPECIAL and "\n" not in text:
        return text
    return text if is_string(text) and "\n" not in text else Quoted(text)


def as_key(text: str) -> str:
    """Give a key as kyaml sets one, without a type: `true` is none that can be printed."""
    return text if not text or resolved(text).__class__ is str else BareKey(text)


def resolved(text: str) -> Any:
    """Read a plain text as YAML does: what becomes of a scalar that is set without a type."""
    if text and text[0] not in MAYBE_SPECIAL:
        return text
    try:
        return _RESOLVE(text)
    except ScalarError:
        return text


def restyled(old: Any, new: Any) -> Any:
    """Give `new` in the style of the scalar that it replaces: in quotes it is a string, whatever it was."""
    if old.__class__ is Cell:
        old = old.value
    if isinstance(new, dict | list) or is_absent(new):
        return new
    if new.__class__ is Cell:
        new = new.value
    if isinstance(old, Quoted):
        return new if new.__class__ is old.__class__ else old.__class__(text_of(new))
    return str(new) if isinstance(new, Quoted) else new


def retyped(old: Any, text: str) -> Any:
    """Give a text the type of the scalar whose value alone is replaced: strings stay strings, numbers numbers."""
    if old.__class__ is Cell:
        old = old.value
    if isinstance(old, Quoted | Untagged):
        return old.__class__(text)
    if isinstance(old, str) and not is_time(old) and not isinstance(old, Mistyped):
        return text
    return _of_type(old, text)


def _of_type(old: Any, text: str) -> Any:
    """Read a text that takes the place of a number, boolean, time or null: Mistyped where it is none."""
    if isinstance(old, Mistyped):
        old = old.old
    new = resolved(text)
    if old.__class__ is bool or isinstance(new, bool):
        fits = isinstance(old, bool) and isinstance(new, bool)
    elif isinstance(old, float):
        fits = isinstance(new, int | float)
    elif isinstance(old, int):
        fits = isinstance(new, int)
    else:
        fits = is_null(new) if is_null(old) else is_time(new)
    if not fits:
        return Mistyped(text, old)
    return new


def set_field(container: dict[str, Any], name: str, value: Any) -> None:
    """Set or clear a field (kyaml FieldSetter with a name): the old value's style stays, a null clears."""
    if is_absent(value):
        container.pop(name, None)
        return
    old = container.get(name, MISSING)
    if old is value:
        if value.__class__ is Untagged and value and not is_time(resolved(str(value))):  # YAML 1.1 takes these for text
            container[name] = styled(str(value))
        return
    if old is MISSING:
        container[name] = value
        return
    value = restyled(old, value)
    if old.__class__ is Cell and is_scalar(value):
        old.value = value
    else:
        container[name] = value


def assign(container: Any, key: Any, value: Any) -> None:
    """Put a value in the place of another, through a Cell where there is one."""
    old = container[key]
    if old.__class__ is Cell and is_scalar(value):
        old.value = value
    else:
        container[key] = value


def to_json(value: Any) -> Any:
    """Copy a value as bare JSON: no styles, no spellings, nothing shared."""
    kind = value.__class__
    if kind is str or kind is int or kind is bool or value is None:
        return value
    if kind is dict:
        if not _KEY_TYPES.issuperset(map(type, value)):
            value = {to_json(key): one for key, one in value.items()}
        return {key: to_json(one) for key, one in value.items()}
    if kind is list:
        return [to_json(one) for one in value]
    if kind is Cell:
        return to_json(value.value)
    if kind is Untagged:
        return unspelled(resolved(str(value)))
    if kind is Mistyped:
        raise Stalled(f"{value!r} can't take the place of {text_of(value.old) or 'a blank'}: it is of another type")
    if kind is BareKey:
        raise Stalled(
            f"the key {value} is not a string. Quote it; among labels, annotations and generated data, "
            f"whose quotes kustomize drops when it sets one, use another key"
        )
    return refolded(value) if kind is Folded else unspelled(value)


_KEY_TYPES: Final = frozenset({str})

_NO_BLOCK: Final = re.compile("[^\n\t\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd]| \n| $")


def refolded(text: str) -> str:
    """Give what is left of a folded block once go-yaml v3 has written and read it: more blank lines, at times.

    Its emitter looks for the next line's indentation at the start of the text (emitterc.go, as libyaml once did).
    """
    if not text or _NO_BLOCK.search(text):
        return str(text)
    first = text.lstrip("\n")[:1]
    out: list[str] = []
    is_break = leads_with_space = True
    for char in text:
        if char == "\n":
            if not is_break and not leads_with_space and first not in {"", " ", "\t"}:
                out.append("\n")
            out.append("\n")
            is_break = True
            continue
        if is_break:
            out.append("  ")
            leads_with_space = char in " \t"
        out.append(char)
        is_break = False
    hint = ("2" if text[0] in " \n" else "") + ("-" if text[-1] != "\n" else "+" if text[-2:] in {"\n", "\n\n"} else "")
    written = f"a: >{hint}\n{''.join(out)}".encode()
    found = read(written, path="", dialect=Dialect.KUSTOMIZE)[0].value
    return str(found["a"]) if isinstance(found, dict) else str(text)


def from_json(value: Any) -> Any:
    """Copy bare JSON into nodes as if it had been written as YAML and read again."""
    kind = value.__class__
    if kind is str:
        return value if is_written_plain(value) else Quoted(value)
    if kind is dict:
        return {key: from_json(one) for key, one in value.items()}
    if kind is list:
        return [from_json(one) for one in value]
    return value


def from_numbers(value: Any) -> Any:
    """Copy bare JSON into nodes as `from_json` does, its numbers by way of Go's float64: that is how text forms."""
    kind = value.__class__
    if kind is dict:
        return {key: from_numbers(one) for key, one in value.items()}
    if kind is list:
        return [from_numbers(one) for one in value]
    if kind is int and not -1_000_000 < value < 1_000_000:
        return resolved(format_float(float(value)))
    return from_json(value)


def copied(value: Any) -> Any:
    """Copy a value, cells included: a copied node stands in one place only."""
    kind = value.__class__
    if kind is dict:
        return {key: copied(one) for key, one in value.items()}
    if kind is list:
        return [copied(one) for one in value]
    return value.value if kind is Cell else value
