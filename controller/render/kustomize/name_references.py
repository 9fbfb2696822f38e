"""References by name follow the names that change (api/filters/nameref at v0.18.0).

The names that resources had are an index, so that a reference costs a look-up and not a walk over all resources.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from controller.model import Stalled
from controller.render.kustomize.configuration import Configuration
from controller.render.kustomize.field_tree import FieldTree, places, tree_of
from controller.render.kustomize.identity import Gvk, ResId
from controller.render.kustomize.names import set_plain
from controller.render.kustomize.nodes import MISSING, is_null, is_scalar, is_text, styled, text_of
from controller.render.kustomize.resource import PREFIXES, SUFFIXES, Resource
from controller.render.kustomize.resources import Resources


@dataclass(slots=True)
class _Known:
    """What is looked up of a resource again and again while nothing of it changes."""

    one: Resource
    now: ResId
    previous: list[ResId]
    gvks: frozenset[Gvk]  # of its previous ids
    namespace: str
    original_namespace: str


@dataclass(frozen=True, slots=True)
class _Index:
    """What had a name, and what stood in a namespace at first."""

    by_name: dict[str, list[_Known]]
    by_original_namespace: dict[str, list[_Known]]


def fix_references(items: Resources, configuration: Configuration) -> None:
    """Write the new names into every field that holds an old one. Raises Stalled where two could be meant."""
    known = [_known(one) for one in items]
    index = _Index({}, {})
    for each in known:
        index.by_original_namespace.setdefault(each.original_namespace, []).append(each)
        for name in dict.fromkeys([one.name for one in each.previous]):
            index.by_name.setdefault(name, []).append(each)
    for each in known:
        if each.now.gvk.kind == "RoleBinding":
            _check_subjects(each.one)
    if not index.by_name:
        return
    for each in known:
        first = each.previous[0].gvk if each.previous else each.now.gvk
        fields = _fields_of(configuration, first)
        for number, container, key in places(fields.tree, each.one.value):
            target, path = fields.targets[number]
            _Referrer(each, index, target, path).fix(container, key)
    items.ids_changed()


@dataclass(frozen=True, slots=True)
class _Fields:
    """The fields of one kind that hold names: of which kind, and at which path, by the numbers in the tree."""

    targets: list[tuple[Gvk, str]]
    tree: FieldTree


@lru_cache(maxsize=1024)
def _fields_of(configuration: Configuration, gvk: Gvk) -> _Fields:
    targets = [
        (one.target, spec.path)
        for one in configuration.references
        for spec in one.referrers
        if gvk.is_selected(spec.gvk)
    ]
    return _Fields(targets, tree_of((number, path) for number, (_, path) in enumerate(targets)))


def _check_subjects(one: Resource) -> None:
    """Refuse a RoleBinding whose account has a namespace that is none, as kustomize does of all of them."""
    subjects = one.value.get("subjects")
    for subject in subjects if isinstance(subjects, list) else ():
        if not isinstance(subject, dict):
            raise Stalled(f"{one.source or one.id}: a subject is no mapping")
        if "namespace" not in subject or "kind" not in subject:
            continue
        if not is_text(subject["kind"]):
            raise Stalled(f"{one.source or one.id}: a subject's kind is no text")
        if text_of(subject["kind"]) == "ServiceAccount":
            value = subject["namespace"]
            if not is_text(value):
                raise Stalled(f"{one.source or one.id}: a ServiceAccount's namespace is blank among the subjects")


def _known(one: Resource) -> _Known:
    now, previous = one.id, one.previous_ids
    original = (previous[0] if previous else now).effective_namespace
    return _Known(one, now, previous, frozenset([each.gvk for each in previous]), now.namespace, original)


@dataclass(slots=True)
class _Referrer:
    """A resource whose field at `path` may hold the name of a resource of some kind."""

    known: _Known
    index: _Index
    target: Gvk
    path: str

    def fix(self, container: Any, key: Any) -> None:
        value = container[key]
        if is_null(value):
            return
        if isinstance(value, dict):
            self._set_mapping(value)
        elif isinstance(value, list):
            for at, one in enumerate(value):
                if isinstance(one, dict):
                    self._set_mapping(one)
                elif isinstance(one, list):
                    raise Stalled(f"{self._where()}: a list in a list, where names are wanted")
                elif not is_null(one):
                    self._set_scalar(value, at)
        else:
            self._set_scalar(container, key)

    def _set_scalar(self, container: Any, key: Any) -> None:
        name = text_of(container[key])
        found = self._select(name, self._candidates(name), _by_name)
        if found is not None and found.now.name != name:
            set_plain(container, key, found.now.name)

    def _set_mapping(self, fields: dict[str, Any]) -> None:
        value = fields.get("name", MISSING)
        if value is MISSING:
            raise Stalled(f"{self._where()}: a mapping without a name, where a reference is wanted")
        name = text_of(value) if is_scalar(value) else ""
        found = self._select(name, self._candidates_near(fields, name), _by_name_and_namespace)
        if found is None or (found.now.name == name and not found.namespace):
            return
        for field, text in (("name", found.now.name), ("namespace", found.namespace)):
            if not text:
                continue
            if field in fields:
                set_plain(fields, field, text)
            else:
                fields[field] = styled(text)

    def _candidates(self, name: str) -> list[_Known]:
        """Give what had this name, is of the kind, and may be referred to from here: the same namespace, or none."""
        return [one for one in self.index.by_name.get(name, ()) if _is_any(one, self.target) and self._is_near(one)]

    def _is_near(self, one: _Known) -> bool:
        mine = self.known.now
        return (
            mine.is_cluster_scoped
            or one.now.is_cluster_scoped
            or one.now.effective_namespace == mine.effective_namespace
            or one.namespace in self._binding_namespaces()
        )

    def _candidates_near(self, fields: dict[str, Any], name: str) -> list[_Known]:
        """Narrow candidates by the namespace that stands beside the name: as it was, else as it is."""
        found = self._candidates(name)
        value = fields.get("namespace", MISSING)
        if value is MISSING:
            return found
        namespace = text_of(value)
        if any(self._is_near(one) for one in self.index.by_original_namespace.get(namespace, ())):
            return [one for one in found if one.original_namespace == namespace]
        return [one for one in found if not one.now.is_cluster_scoped and one.now.effective_namespace == namespace]

    def _binding_namespaces(self) -> frozenset[str]:
        """Name the namespaces of the accounts that a RoleBinding speaks of: it may refer into them."""
        if self.known.now.gvk.kind != "RoleBinding":
            return frozenset()
        subjects = self.known.one.value.get("subjects")
        found = set()
        for subject in subjects if isinstance(subjects, list) else ():
            if isinstance(subject, dict) and text_of(subject.get("kind", MISSING)) == "ServiceAccount":
                namespace = subject.get("namespace", MISSING)
                if namespace is not MISSING:
                    found.add(text_of(namespace))
        return frozenset(found)

    def _select(self, name: str, found: list[_Known], are_same: Callable[[list[_Known]], bool]) -> _Known | None:
        """Pick what is meant of those of the kind: by roleRef, by namespace, by prefixes and suffixes in this order."""
        role = self._role()
        if role is not None:
            found = [one for one in found if _is_any(one, role)]
        found = [one for one in found if self._is_reachable(one)]
        if len(found) == 1:
            return found[0]
        found = [one for one in found if self._has_affixes(one, loosely=True)]
        if len(found) > 1:
            found = [one for one in found if self._has_affixes(one, loosely=False)]
        if not found:
            return None
        if len(found) == 1 or are_same(found):
            return found[0]
        shown = ", ".join(str(one.now) for one in found)
        raise Stalled(f"{self._where()}: {name} could be any of {shown}")

    def _role(self) -> Gvk | None:
        if not self.path.endswith("roleRef/name"):
            return None
        role = self.known.one.value.get("roleRef")
        if not isinstance(role, dict) or "apiGroup" not in role or "kind" not in role:
            return None
        return Gvk(text_of(role["apiGroup"]), "", text_of(role["kind"]))

    def _is_reachable(self, one: _Known) -> bool:
        mine = self.known.now
        return (
            mine.is_cluster_scoped
            or one.now.is_cluster_scoped
            or one.now.gvk.kind == "ServiceAccount"
            or one.now.effective_namespace == mine.effective_namespace
        )

    def _has_affixes(self, one: _Known, *, loosely: bool) -> bool:
        return all(
            _same_ending(one.one.notes(note), self.known.one.notes(note), loosely=loosely)
            for note in (PREFIXES, SUFFIXES)
        )

    def _where(self) -> str:
        return f"{self.known.one.source or self.known.now}: {self.path}"


def _is_any(one: _Known, gvk: Gvk) -> bool:
    """Tell whether a resource was of a kind before its name changed."""
    return any(each.is_selected(gvk) for each in one.gvks)


def _same_ending(one: list[str], other: list[str], *, loosely: bool) -> bool:
    if not one or not other:
        return loosely or one == other
    length = min(len(one), len(other))
    return one[-length:] == other[-length:]


def _by_name(found: list[_Known]) -> bool:
    return len({one.now.name for one in found}) == 1


def _by_name_and_namespace(found: list[_Known]) -> bool:
    return len({(one.now.name, one.namespace) for one in found}) == 1
