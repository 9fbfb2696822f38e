"""Paths into a resource: kustomize's field specs (`spec/template/metadata`), and its dotted paths with list entries."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from controller.model import Stalled
from controller.render.kustomize.identity import Gvk
from controller.render.kustomize.nodes import MISSING, is_null, text_of
from controller.render.kustomize.selecting import compile_go

Setter = Callable[[Any, Any], None]  # of a container and the key or position in it


class FieldSpec(NamedTuple):
    """A path in the resources of some kinds, made where it is missing if `create` says so."""

    gvk: Gvk
    path: str
    create: bool = False


@lru_cache(maxsize=4096)
def split_path(path: str, delimiter: str = "/") -> tuple[str, ...]:
    r"""Split at a delimiter that is not escaped by `\` (kyaml utils.PathSplitter)."""
    parts = path.split(delimiter)
    if len(parts) > 1 and not parts[0]:
        parts = parts[1:]
    found = [parts[0]]
    for part in parts[1:]:
        if found[-1].endswith("\\"):
            found[-1] = found[-1][:-1] + delimiter + part
        else:
            found.append(part)
    return tuple(found)


def split_dotted(path: str) -> list[str]:
    """Split `a.b.[name=x.y].c`, where brackets keep dots together (kyaml utils.SmarterPathSplitter)."""
    found: list[str] = []
    parts = iter(split_path(path, "."))
    for part in parts:
        if part.startswith("[") and not part.endswith("]"):
            pieces = [part]
            for more in parts:
                pieces.append(more)
                if more.endswith("]"):
                    break
            whole = ".".join(pieces)
            found.append(whole if "=" in whole else whole.strip("[]"))
        else:
            found.append(part)
    return found


class FieldsByKind:
    """Field specs, chosen once for each kind that is met and not once for each resource."""

    def __init__(self, specs: Iterable[FieldSpec]) -> None:
        self._specs = tuple(specs)
        self._chosen: dict[Gvk, tuple[FieldSpec, ...]] = {}

    def of(self, gvk: Gvk) -> tuple[FieldSpec, ...]:
        """Give the specs for a kind, in their order."""
        found = self._chosen.get(gvk)
        if found is None:
            found = self._chosen[gvk] = tuple(spec for spec in self._specs if gvk.is_selected(spec.gvk))
        return found


def visit(value: dict[str, Any], spec: FieldSpec, setter: Setter, create: Callable[[], Any] | None = None) -> None:
    """Call `setter` on every field that a spec leads to (api/filters/fieldspec at v0.18.0), whatever its kinds.

    `create` makes what stands at the end of a path that is made; None: nothing is made, whatever the spec says.
    """
    path = split_path(spec.path)
    _visit_map(value, path, 0, setter, create if spec.create else None, spec.path)


def _visit(container: Any, key: Any, path: tuple[str, ...], at: int, setter: Setter, create: Any, whole: str) -> None:
    if at == len(path):
        setter(container, key)
        return
    value = container[key]
    if value.__class__ is dict:
        _visit_map(value, path, at, setter, create, whole)
    elif value.__class__ is list:
        for position in range(len(value)):
            _visit(value, position, path, at, setter, create, whole)
    elif not is_null(value):
        raise Stalled(f"the field {whole} leads through {text_of(value)!r}, which is no mapping and no list")


def _visit_map(value: dict[str, Any], path: tuple[str, ...], at: int, setter: Setter, create: Any, whole: str) -> None:
    part = path[at]
    found = value.get(part, MISSING)
    while found.__class__ is dict and at + 1 < len(path) and part and part[-1] != "]":  # a field that is simply there
        value = found
        at += 1
        part = path[at]
        found = value.get(part, MISSING)
    name = part.removesuffix("[]")
    if not name:
        raise Stalled(f"the field {whole} has an empty name in it")
    is_list = name != part
    found = value.get(name, MISSING)
    is_last = at + 1 == len(path)
    makes = create is not None and not is_list
    if found is MISSING:
        if not makes:
            return
        value[name] = create() if is_last else {}
    elif is_null(found):
        if is_list:
            value[name] = []
        elif makes:
            value[name] = create() if is_last else {}
    if is_last:
        setter(value, name)
    else:
        _visit(value, name, path, at + 1, setter, create, whole)


def lookup(value: Any, path: list[str] | tuple[str, ...]) -> Any:
    """Follow a path of names, positions and `[key=value]` (kyaml PathGetter); MISSING where it leads nowhere."""
    for part in _cleaned(path):
        if value is MISSING:
            return MISSING
        value = _step(value, part)
    return value


def _cleaned(path: list[str] | tuple[str, ...]) -> Iterator[str]:
    return (part.strip() for part in path if part.strip())


def _step(value: Any, part: str) -> Any:
    if part == "*":
        raise Stalled("a wildcard can't be used here")
    if part == "-" or part.lstrip("+-").isdigit():
        elements = _elements(value)
        position = len(elements) - 1 if part == "-" else int(part)
        if position < 0 and part != "-":
            raise Stalled(f"the position {part} is negative")
        return elements[position] if 0 <= position < len(elements) else MISSING
    if part.startswith("[") and part.endswith("]"):
        name, wanted = split_entry(part)
        for one in _elements(value):
            if not name:
                if text_of(one) == wanted:
                    return one
            elif isinstance(one, dict) and name in one and text_of(one[name]) == wanted:
                return one
        return MISSING
    if is_null(value):
        return MISSING
    if not isinstance(value, dict):
        raise Stalled(f'"{part}" is looked for in what is no mapping')
    return value.get(part, MISSING)


def _elements(value: Any) -> list[Any]:
    if is_null(value):
        return []
    if not isinstance(value, list):
        raise Stalled("an element is looked for in what is no list")
    return value


def split_entry(part: str) -> tuple[str, str]:
    """Split `[name=value]`; the name is empty for a list of plain values."""
    name, equals, wanted = part.removesuffix("]").removeprefix("[").partition("=")
    if not equals:
        raise Stalled(f"{part} is no list entry: write [field=value]")
    return name, wanted


def is_position(part: str) -> bool:
    return re.fullmatch(r"\+?[0-9]+", part) is not None


def is_entry(part: str) -> bool:
    return part.startswith("[") and part.endswith("]")


class Created:
    """The type of `CREATED`: a scalar that was just made, whose value decides its type."""


CREATED = Created()


def match(container: Any, key: Any, path: list[str], create: type | None) -> list[tuple[Any, Any]]:
    """Find every place that a path leads to, as container and key (kyaml PathMatcher).

    Unlike `lookup` it follows every element that matches: `*`, and `[key=value]` as a regular expression. `create`
    is what the last place is made as (dict, list or str for a scalar); None: nothing is made.
    """
    if not path:
        return [(container, key)]
    value = container[key]
    part, rest = path[0], path[1:]
    if is_position(part):
        return _match_position(value, int(part), rest, create)
    if is_entry(part):
        return _match_entry(value, part, rest, create)
    if part == "*":
        return [place for at in range(len(_elements(value))) for place in match(value, at, rest, create)]
    if is_null(value):
        return []
    if not isinstance(value, dict):
        raise Stalled(f'"{part}" is looked for in what is no mapping')
    if part not in value:
        if create is None:
            return []
        value[part] = _made(rest, create)
    return match(value, part, rest, create)


def _match_position(value: Any, at: int, rest: list[str], create: type | None) -> list[tuple[Any, Any]]:
    elements = _elements(value)
    if at == len(elements) and create is not None:
        elements.append(_made(rest, create))
    if at >= len(elements):
        raise Stalled(f"the position {at} is beyond the {len(elements)} elements of the list")
    return match(elements, at, rest, create)


def _match_entry(value: Any, part: str, rest: list[str], create: type | None) -> list[tuple[Any, Any]]:
    name, wanted = split_entry(part)
    pattern = compile_go(wanted)
    elements = _elements(value)
    found: list[tuple[Any, Any]] = []
    is_matched = False
    for at, one in enumerate(elements):
        if not name:
            if pattern.search(text_of(one).strip()):
                found.append((elements, at))
                is_matched = True
        elif isinstance(one, dict) and name in one and pattern.search(text_of(one[name]).strip()):
            found.extend(match(elements, at, rest, create))
            is_matched = True
    if found or create is None or is_matched:
        return found
    elements.append({name: wanted} if name else wanted)
    return _match_entry(value, part, rest, create)


def _made(rest: list[str], create: type) -> Any:
    """Make what stands before the rest of a path (kyaml getPathPartKind)."""
    if not rest:
        return create() if create in {dict, list} else CREATED
    return [] if is_entry(rest[0]) or is_position(rest[0]) else {}
