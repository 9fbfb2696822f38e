"""Where a value comes from, found by asking: edit a place, render again, and see whether the field follows.

A field's value is looked for in every file that the render read: whole, or in parts where transforms compose it (an
image's tag, a name's prefix). Each place is edited by itself in memory and the placement rendered anew; the places
that move the field are its origins. So the answer is right by construction, whatever dialect and transforms lie
between, and ordinary renders pay nothing for it.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from controller.documents import Dialect, read_with_positions
from controller.model import (
    CommitId,
    EntryKind,
    FieldPath,
    Invalid,
    JsonValue,
    Manifest,
    Missing,
    ObjectKey,
    Origin,
    RepositoryName,
    Stalled,
    Tree,
    format_path,
)
from controller.render.addressing import keyed, value_at
from controller.render.encrypted import CIPHER, format_of, marks_in, token_places
from controller.render.needs import ClusterFacts, Need, Needed
from controller.render.rendering import draft_with_marks, render
from controller.render.request import Rendered, RenderRequest
from controller.render.secrecy import Drafted

MAX_TRIALS: Final = 200
_PART: Final = re.compile(r"[A-Za-z0-9_.]+")


@dataclass(frozen=True, slots=True)
class Setting:
    """A place that a field's value comes from; an `overridden` one would decide if those before it were not there."""

    origin: Origin
    column: int
    text: str  # what stands there and ends up in the field
    overridden: bool = False
    is_template: bool = False  # the value passes through here, as far as the field's name tells: no edit proves it


@dataclass(frozen=True, slots=True)
class _Place:
    """A text in a file of either tree."""

    tree: Tree
    path: str
    start: int  # in characters
    text: str

    def edited(self, request: RenderRequest) -> RenderRequest:
        text = self.tree.read(self.path).decode(errors="replace")
        end = self.start + len(self.text)
        data = f"{text[: self.start]}{_other(self.text)}{text[end:]}".encode()
        edited = _Edited(self.tree, self.path, data)
        return replace(
            request,
            application=edited if self.tree is request.application else request.application,
            platform=edited if self.tree is request.platform else request.platform,
        )

    def setting(self) -> Setting:
        before = self.tree.read(self.path).decode(errors="replace")[: self.start]
        line = before.count("\n") + 1
        column = self.start - (before.rfind("\n") + 1) + 1
        return Setting(Origin(self.tree.repository, self.path, line, self.tree.commit), column, self.text)


@dataclass(frozen=True, slots=True)
class _Value:
    """One of a chart's values in the application's entry, which renders do not read as a file."""

    tree: Tree
    origin: Origin
    place: FieldPath
    path: tuple[str | int, ...]
    text: str

    def edited(self, request: RenderRequest) -> RenderRequest:
        old = _leaf(request.chart.values, self.path)
        new: JsonValue = (not old) if isinstance(old, bool) else old + 1 if isinstance(old, int) else _other(self.text)
        return replace(request, chart=replace(request.chart, values=_with_leaf(request.chart.values, self.path, new)))

    def setting(self) -> Setting:
        data = self.tree.read(self.origin.path)
        positions = read_with_positions(data, path=self.origin.path, dialect=Dialect.KUBERNETES)
        place = positions.position(positions.documents[0].index, (*self.place, *self.path))
        return Setting(replace(self.origin, line=place.line), place.column, self.text)


def _leaf(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def explain(request: RenderRequest, key: ObjectKey, field: FieldPath) -> tuple[Setting, ...]:
    """Say which places set a field of one object: those that move it, then the base's own that they override.

    Raises Stalled where the render has no such object or field, and what `render` raises; Needed for all edits at once.
    """
    rendered = render(request)
    manifest = _manifest(rendered, key)
    value = _value(manifest, field)
    goal = _Goal(manifest, keyed(json.loads(manifest.body), field), value)
    trials = 0
    found: list[Setting] = []
    for number, needle in enumerate(_needles(goal.plain(value))):
        if number == 1 and found:
            break  # the value stands somewhere whole: its parts say no more
        needs: list[Need] = []
        places: list[_Value | _Place] = [*_values(request, needle)]
        places += _places(request, rendered, needle, manifest.origin)
        for place in places:
            trials += 1
            try:
                if trials <= MAX_TRIALS and _moves(place.edited(request), place.text, goal):
                    found.append(place.setting())
            except Needed as needed:
                needs += needed.needs
        if needs:
            raise Needed(needs)
    if manifest.key.group_kind == "Secret":
        found += [one for one in _encrypted_places(request, manifest.key, field) if one not in found]
    if ClusterFacts().digest in request.prepared:
        found += _template(request, manifest, field, found)
    own = _own_place(request, manifest, field)
    if own is not None and all((own.origin, own.column) != (one.origin, one.column) for one in found):
        found.append(replace(own, overridden=bool(found)))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Goal:
    """The field that is asked about, and what it is before any edit."""

    manifest: Manifest
    field: FieldPath
    value: JsonValue

    def plain(self, value: JsonValue) -> JsonValue:
        """Give a Secret's value as people write it."""
        if self.manifest.key.group_kind != "Secret" or self.field[:1] != ("data",) or not isinstance(value, str):
            return value
        try:
            return base64.b64decode(value).decode()
        except ValueError:
            return value

    def now(self, rendered: Rendered) -> JsonValue:
        """Find the field in another render, where the object may have another name: a prefix, a hash of its content.

        Raises Stalled where it is not there.
        """
        key, origin = self.manifest.key, self.manifest.origin
        manifests = rendered.desired.manifests
        alike = [one for one in manifests if (one.key.group_kind, one.origin) == (key.group_kind, origin)]
        stem = key.name.rpartition("-")[0]
        of_name = [one for one in alike if stem and one.key.name.rpartition("-")[0] == stem]
        same = [one for one in manifests if one.key == key]
        for found in (same, alike, of_name):
            if len(found) == 1:
                return _value(found[0], self.field)
        raise Stalled(f"{key}: no such object is rendered any more")


def _manifest(rendered: Rendered, key: ObjectKey) -> Manifest:
    for one in rendered.desired.manifests:
        if one.key == key:
            return one
    raise Stalled(f"{key}: no such object is rendered for {rendered.desired.placement}")


def _value(manifest: Manifest, field: FieldPath) -> JsonValue:
    value = value_at(json.loads(manifest.body), field)
    if isinstance(value, Missing) or value is None:
        raise Stalled(f"{manifest.key}: there is no field {format_path(field)}")
    return value


def _needles(value: JsonValue) -> Iterator[str]:
    """Say what to look for: the value as it is written, then its parts, the longest first."""
    if isinstance(value, dict | list) or value == "":
        return
    if isinstance(value, bool):
        yield "true" if value else "false"
        return
    text = str(value)
    line = max(text.split("\n"), key=len).strip()
    yield line
    if isinstance(value, str) and "\n" not in text:
        yield from sorted(set(_PART.findall(text)) - {line}, key=len, reverse=True)


def _places(request: RenderRequest, rendered: Rendered, needle: str, origin: Origin) -> Iterator[_Place]:
    """Find a text in all files that were read: overlays first, for they decide, then the object's own file."""
    trees = {request.application.repository: request.application, request.platform.repository: request.platform}
    files = [one for one in rendered.reads if one.digest and trees[one.repository].kind(one.path) is EntryKind.FILE]
    files.sort(key=lambda one: (one.repository != request.platform.repository, one.path == origin.path, one.path))
    pattern = re.compile(rf"(?<![A-Za-z0-9_]){re.escape(needle)}(?![A-Za-z0-9_])")
    for file in files:
        tree = trees[file.repository]
        data = tree.read(file.path)
        if CIPHER in data and format_of(file.path, data):
            continue  # no edit but sops' own leaves it readable
        text = data.decode(errors="replace")
        for hit in pattern.finditer(text):
            yield _Place(tree, file.path, hit.start(), needle)


def _values(request: RenderRequest, needle: str) -> Iterator[_Value]:
    """Find a text among a chart's values that stand in the application's entry."""
    chart = request.chart
    if chart.origin is None:
        return
    for path, value in _leaves(chart.values, ()):
        text = ("true" if value else "false") if isinstance(value, bool) else str(value)
        if text == needle:
            yield _Value(request.platform, chart.origin, chart.place, path, text)


def _leaves(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], JsonValue]]:
    if isinstance(value, Mapping | list):
        for step, below in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from _leaves(below, (*path, step))
    elif value is not None:
        yield path, value


def _with_leaf(value: Any, path: tuple[str | int, ...], leaf: JsonValue) -> Any:
    if not path:
        return leaf
    if isinstance(value, Mapping):
        return {**value, path[0]: _with_leaf(value[str(path[0])], path[1:], leaf)}
    return [_with_leaf(one, path[1:], leaf) if number == path[0] else one for number, one in enumerate(value)]


def _moves(changed: RenderRequest, text: str, goal: _Goal) -> bool:
    """Tell whether the field has what is written at a place in an edited request.

    What can't be rendered any more is no origin of the value.
    """
    try:
        now = goal.plain(goal.now(render(changed)))
    except Stalled:
        return False
    wanted = _other(text)
    return now != goal.plain(goal.value) and (wanted in now if isinstance(now, str) else json.dumps(now) == wanted)


def _other(text: str) -> str:
    """Make another value of the same type, of the same alphabet."""
    if text in {"true", "false"}:
        return "false" if text == "true" else "true"
    if re.fullmatch(r"-?[0-9]+", text):
        return str(int(text) + 1)
    return f"{text}x"


def _template(
    request: RenderRequest, manifest: Manifest, field: FieldPath, found: Sequence[Setting]
) -> Iterator[Setting]:
    """Name the template that a chart's object came of, at the line of the field's name where one line alone has it."""
    origin = manifest.origin
    if any(one.origin.path == origin.path for one in found) or origin.repository != request.application.repository:
        return
    name = next((step for step in reversed(field) if isinstance(step, str)), "")
    lines = request.application.read(origin.path).decode(errors="replace").split("\n")
    named = [number for number, line in enumerate(lines, 1) if re.match(rf"\s*(- )?{re.escape(name)}:", line)]
    yield Setting(replace(origin, line=named[0] if len(named) == 1 else origin.line), 1, "", is_template=True)


def _own_place(request: RenderRequest, manifest: Manifest, field: FieldPath) -> Setting | None:
    """Find the field in the object's own document, where it is written there."""
    origin = manifest.origin
    tree = request.platform if origin.repository == request.platform.repository else request.application
    try:
        positions = read_with_positions(tree.read(origin.path), path=origin.path, dialect=Dialect.KUBERNETES)
    except (Invalid, KeyError):
        return None
    for document in positions.documents:
        if document.line == origin.line and positions.has(document.index, field):
            place = positions.position(document.index, field)
            return Setting(replace(origin, line=place.line), place.column, "")
    return None


def _encrypted_places(request: RenderRequest, key: ObjectKey, field: FieldPath) -> Iterator[Setting]:
    """Find the values in encrypted files that a field is made of: marks in their places lead there."""
    drafted = draft_with_marks(request)
    if drafted is None:
        return
    wanted = {mark for text in _marked_texts(drafted, key, field) for mark in marks_in(text)}
    trees = {request.application.repository: request.application, request.platform.repository: request.platform}
    for file in drafted.reads if wanted else ():
        tree = trees[file.repository]
        if not file.digest or tree.kind(file.path) is not EntryKind.FILE:
            continue
        text = tree.read(file.path).decode(errors="replace")
        for start in token_places(text, wanted):
            yield _Place(tree, file.path, start, "").setting()


def _marked_texts(drafted: Drafted, key: ObjectKey, field: FieldPath) -> Iterator[str]:
    """Give a field's text with marks. Generated names end in a hash of the content, which is another one with marks."""
    stem = key.name.rpartition("-")[0]
    for draft in drafted.drafts:
        name = str((draft.value.get("metadata") or {}).get("name", ""))
        if draft.value.get("kind") != key.kind or (name != key.name and (not stem or name.rpartition("-")[0] != stem)):
            continue
        for path in (field, ("stringData", *field[1:])):
            value = value_at(draft.value, path)
            if isinstance(value, str):
                yield value


class _Edited:
    """A Tree in which one file is another."""

    def __init__(self, tree: Tree, path: str, data: bytes) -> None:
        self._tree, self._path, self._data = tree, path, data

    @property
    def repository(self) -> RepositoryName:
        return self._tree.repository

    @property
    def commit(self) -> CommitId:
        return self._tree.commit

    def kind(self, path: str) -> EntryKind:
        return self._tree.kind(path)

    def read(self, path: str) -> bytes:
        is_edited = path == self._path or self._tree.real_path(path) == self._tree.real_path(self._path)
        return self._data if is_edited else self._tree.read(path)

    def names(self, path: str) -> tuple[str, ...]:
        return self._tree.names(path)

    def real_path(self, path: str) -> str:
        return self._tree.real_path(path)

    def digest(self, path: str) -> str:
        return "edited" if path == self._path else self._tree.digest(path)
