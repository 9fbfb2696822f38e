"""The resources of a build, in the order in which they were added, found by id (api/resmap at v0.18.0)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from controller.model import Stalled
from controller.render.kustomize.identity import Gvk, ResId
from controller.render.kustomize.nodes import as_key, styled
from controller.render.kustomize.resource import BEHAVIOR, NEEDS_HASH, ORIGIN, PREVIOUS_NAMES, Resource
from controller.render.kustomize.selecting import Selector

Key = tuple[Gvk, str, str]


class Idle(str):
    """A warning of an entry that changes nothing: in another placement it may change something."""

    __slots__ = ()


class Resources:
    """A list of resources in which no two have the same id.

    The index is made when it is first asked for, and dropped by whatever may change an id.
    """

    def __init__(self, items: Iterable[Resource] = ()) -> None:
        self.items: list[Resource] = []
        self.has_empty = False  # did a patch delete one: it is dropped at the transform's end
        self._now: dict[Key, list[Resource]] | None = None
        self._by_name: dict[str, list[Resource]] | None = None  # that it has or had
        self.extend(items)

    def __iter__(self) -> Iterator[Resource]:
        return iter(list(self.items))

    def __len__(self) -> int:
        return len(self.items)

    def ids_changed(self) -> None:
        """Say that names, kinds or namespaces may have changed."""
        self._now = self._by_name = None

    def by_id(self, wanted: ResId) -> list[Resource]:
        """Find what has this id now."""
        return self._index().get(wanted.key, [])

    def refuse_twins(self) -> None:
        """Raise Stalled where two resources have come to one id."""
        if len(self._index()) < len(self.items):
            first, second, *_ = next(found for found in self._index().values() if len(found) > 1)
            raise _taken(second, first)

    def _index(self) -> dict[Key, list[Resource]]:
        if self._now is None:
            self._now = {}
            for one in self.items:
                self._now.setdefault(one.id.key, []).append(one)
        return self._now

    def by_any_id(self, wanted: ResId) -> list[Resource]:
        """Find what has or had this id."""
        if self._by_name is None:
            self._by_name = {}
            for one in self.items:
                self._note_names(one)
        key = wanted.key
        return [one for one in self._by_name.get(wanted.name, ()) if any(each.key == key for each in one.ids)]

    def _note_names(self, one: Resource) -> None:
        assert self._by_name is not None  # noqa: S101
        names = one.notes(PREVIOUS_NAMES)
        for name in {*names, one.name} if names else (one.name,):
            self._by_name.setdefault(name, []).append(one)

    def one_by_any_id(self, wanted: ResId) -> Resource:
        found = self.by_any_id(wanted)
        if len(found) != 1:
            what = "no resource has" if not found else f"{len(found)} resources have"
            raise Stalled(f"{what} the id {wanted} that a patch names")
        return found[0]

    def append(self, one: Resource) -> None:
        taken = self._index().setdefault(one.id.key, [])
        if taken:
            raise _taken(one, taken[0])
        self.items.append(one)
        taken.append(one)
        if self._by_name is not None:
            self._note_names(one)

    def extend(self, others: Iterable[Resource]) -> None:
        for one in others:
            self.append(one)

    def replace_all(self, items: list[Resource]) -> None:
        self.items = items
        self.ids_changed()

    def drop_empty(self) -> None:
        if self.has_empty:
            self.has_empty = False
            self.replace_all([one for one in self.items if not one.is_empty])

    def select(self, selector: Selector) -> list[Resource]:
        matches = selector.compiled()
        return [one for one in self.items if matches(one)]

    def filtered(self, accepts: Callable[[ResId], bool]) -> list[Resource]:
        return [one for one in self.items if any(accepts(each) for each in one.ids)]

    def absorb(self, others: Iterable[Resource]) -> None:
        """Add generated resources, each by its behavior: create, replace or merge."""
        for one in others:
            self._absorb(one)

    def _absorb(self, one: Resource) -> None:
        wanted = one.id
        found = self.by_any_id(wanted)
        behavior = one.annotations.get(BEHAVIOR, "")
        if not found:
            if behavior in {"merge", "replace"}:
                raise Stalled(f"{_at(one)}there is no {wanted} to {behavior} with. Use behavior: create")
            self.append(one)
            return
        if len(found) > 1:
            raise Stalled(f"{_at(one)}{len(found)} resources could be merged with {wanted}")
        old = found[0]
        if behavior == "replace":
            one.take_metadata_from(old)
        elif behavior == "merge":
            _merge_data(one, old)
        else:
            raise Stalled(f"{_at(one)}{wanted} is there already{_also_at(old)}. Use behavior: merge or replace")
        if one.id.key != old.id.key:
            raise Stalled(f"{_at(one)}{wanted} can't take the place of {old.id}")
        self.items[self.items.index(old)] = one
        self.ids_changed()


def _merge_data(one: Resource, old: Resource) -> None:
    origin = old.annotations.get(ORIGIN)
    one.take_metadata_from(old)
    for field in ("data", "binaryData"):
        merged = {**old.texts_of(field), **one.texts_of(field)}
        one.value.pop(field, None)
        if merged:
            one.value[field] = {as_key(key): styled(merged[key]) for key in sorted(merged)}
    if origin is not None:
        one.set_annotations({**one.annotations, ORIGIN: origin})


def _taken(one: Resource, by: Resource) -> Stalled:
    return Stalled(f"{_at(one)}{one.id} is there already{_also_at(by)}: two resources can't have one id")


def needs_hash(one: Resource) -> bool:
    return one.is_enabled(NEEDS_HASH)


def _at(one: Resource) -> str:
    return f"{one.source}: " if one.source is not None else ""


def _also_at(one: Resource) -> str:
    return f", from {one.source}" if one.source is not None else ""
