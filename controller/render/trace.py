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
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

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
from controller.render.needs import Need, Needed
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


@dataclass(frozen=True, slots=True)
class _Place:
    tree: Tree
    path: str
    start: int  # in characters
    text: str


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
        for place in _places(request, rendered, needle, manifest.origin):
            trials += 1
            try:
                if trials <= MAX_TRIALS and _moves(request, place, goal):
                    found.append(_setting(place))
            except Needed as needed:
                needs += needed.needs
        if needs:
            raise Needed(needs)
    if manifest.key.group_kind == "Secret":
        found += [one for one in _encrypted_places(request, manifest.key, field) if one not in found]
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


def _moves(request: RenderRequest, place: _Place, goal: _Goal) -> bool:
    """Edit one place and tell whether the field has what is written there then.

    What can't be rendered any more is no origin of the value.
    """
    edited = _Edited(place.tree, place.path, _edited(place))
    changed = replace(
        request,
        application=edited if place.tree is request.application else request.application,
        platform=edited if place.tree is request.platform else request.platform,
    )
    try:
        now = goal.plain(goal.now(render(changed)))
    except Stalled:
        return False
    wanted = _other(place.text)
    return now != goal.plain(goal.value) and (wanted in now if isinstance(now, str) else json.dumps(now) == wanted)


def _edited(place: _Place) -> bytes:
    text = place.tree.read(place.path).decode(errors="replace")
    end = place.start + len(place.text)
    return f"{text[: place.start]}{_other(place.text)}{text[end:]}".encode()


def _other(text: str) -> str:
    """Make another value of the same type, of the same alphabet."""
    if text in {"true", "false"}:
        return "false" if text == "true" else "true"
    if re.fullmatch(r"-?[0-9]+", text):
        return str(int(text) + 1)
    return f"{text}x"


def _setting(place: _Place) -> Setting:
    before = place.tree.read(place.path).decode(errors="replace")[: place.start]
    line = before.count("\n") + 1
    column = place.start - (before.rfind("\n") + 1) + 1
    return Setting(Origin(place.tree.repository, place.path, line, place.tree.commit), column, place.text)


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
            yield replace(_setting(_Place(tree, file.path, start, "")), text="")


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
