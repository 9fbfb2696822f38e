"""Which kinds the server knows at this moment: the built-in ones, and those of the CustomResourceDefinitions in it."""

from __future__ import annotations

from collections.abc import Iterator

from controller.sandbox.cluster import custom
from controller.sandbox.cluster.refusals import no_such_resource
from controller.sandbox.cluster.schema import Body, Kind, builtin_kinds
from controller.sandbox.cluster.store import Store

DEFINITIONS = ("apiextensions.k8s.io", "customresourcedefinitions")


class Registry:
    """Looks kinds up. A custom kind is there from the write of its definition on."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._builtin = {(kind.group, kind.version, kind.plural): kind for kind in builtin_kinds()}
        self._custom: dict[tuple[str, str, str], Kind] = {}
        self._schemas: dict[tuple[str, str, str], Body] = {}
        self._seen = -1

    def kind(self, group: str, version: str, plural: str) -> Kind:
        """Find a kind by its path. Raises Refused (404)."""
        found = self._builtin.get((group, version, plural)) or self._customs().get((group, version, plural))
        if found is None:
            raise no_such_resource()
        return found

    def builtin(self, name: str) -> Kind:
        """Give a built-in kind by its name."""
        return next(kind for kind in self._builtin.values() if kind.kind == name)

    def by_kind(self, api_version: str, name: str) -> Kind | None:
        """Find a kind as an owner reference names it; at any version of its group."""
        group = api_version.rpartition("/")[0]
        return next((kind for kind in self.all() if kind.group == group and kind.kind == name), None)

    def by_key(self, key: tuple[str, str]) -> Kind | None:
        """Find a kind by what its objects are stored under."""
        return next((kind for kind in self.all() if kind.key == key), None)

    def all(self) -> Iterator[Kind]:
        yield from self._builtin.values()
        yield from self._customs().values()

    def schema_of(self, kind: Kind) -> Body:
        """Give a custom kind's openAPIV3Schema."""
        self._customs()
        return self._schemas.get((kind.group, kind.version, kind.plural), {})

    def forget(self) -> None:
        """Read the definitions again: one of them was written."""
        self._seen = -1

    def _customs(self) -> dict[tuple[str, str, str], Kind]:
        if self._seen < 0:
            self._seen = self._store.version
            self._custom, self._schemas = {}, {}
            for definition in self._store.all(DEFINITIONS):
                for kind in custom.kinds_of(definition):
                    self._custom[kind.group, kind.version, kind.plural] = kind
                    self._schemas[kind.group, kind.version, kind.plural] = custom.schema_of(definition, kind.version)
        return self._custom
