"""Files of a build: read within their kustomization's directory, never from outside the tree.

Source of the rules: api/internal/loader and kyaml/kio/byteio_reader.go.
"""

from __future__ import annotations

import posixpath
import re
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Final

from controller.documents import Dialect, Document, Memory, Quoted, locate, read
from controller.model import EntryKind, Invalid, JsonValue, Origin, Position, Problem, Stalled
from controller.render.kustomize.nodes import MISSING, is_empty, is_null, text_of, to_json
from controller.render.kustomize.resource import Resource
from controller.render.parameters import Substitution
from controller.render.plain import placed_as
from controller.render.tracking import TrackedTree

_REMOTE: Final = re.compile(
    r"(?:git::)?(?:[a-z][a-z0-9+.-]*://|[A-Za-z][A-Za-z0-9-]*@[^/]+[:/]|github\.com[:/])", re.IGNORECASE
)
_DIRECTIVE: Final = re.compile(rb"(?:\A|\n)(?P<mark>%)[A-Z]")
_SEPARATOR: Final = re.compile(rb"\n---([^\n]*)\n")

_MEMORY: Final = Memory()


def is_remote(path: str) -> bool:
    """Tell by its syntax whether a path is a URL or a repository elsewhere (api/internal/git/repospec.go)."""
    return _REMOTE.match(path) is not None


class Loader:
    """Reads files for the kustomization in one directory.

    `above` are the directories that led here, `memory` knows the files that this process has read before.
    """

    def __init__(
        self,
        tree: TrackedTree,
        root: str,
        parameters: Substitution,
        above: tuple[tuple[TrackedTree, str], ...] = (),
        *,
        memory: Memory = _MEMORY,
    ) -> None:
        self.tree = tree
        self.root = tree.real_path(root)
        self.parameters = parameters
        self._above = above
        self._memory = memory

    def below(self, path: str) -> Loader:
        """Give the loader of another directory. Raises Stalled for what is remote, missing or a cycle."""
        if not path:
            raise Stalled("an entry is empty: name a file or a directory")
        _refuse_remote(path)
        target = self._joined(path)
        if self.tree.kind(target) is not EntryKind.DIRECTORY:
            raise Stalled(f"{path}: there is no such file or directory below {self.root or 'the root'}")
        above = (*self._above, (self.tree, self.root))
        made = Loader(self.tree, target, self.parameters, above, memory=self._memory)
        for tree, visited in above:
            if tree is self.tree and _is_within(visited, made.root):
                raise Stalled(f"{path}: a cycle, since {made.root or 'the root'} holds {visited or 'the root'}")
        return made

    def is_file(self, path: str) -> bool:
        if not path or is_remote(path) or path.startswith("/"):
            return False
        try:
            return self.tree.kind(self._joined(path)) is EntryKind.FILE
        except Stalled:
            return False

    def place(self, path: str) -> str:
        """Give the path in the tree of a file that may be read. Raises Stalled for one that may not."""
        _refuse_remote(path)
        joined = self._joined(path)
        if self.tree.kind(joined) is not EntryKind.FILE:
            raise Stalled(f"{path}: there is no such file in {self.root or 'the root'}")
        if not _is_within(self.tree.real_path(joined), self.root):
            raise Stalled(f"{path}: a file outside of {self.root or 'the root'}, which is refused for safety")
        return joined

    def read(self, path: str) -> bytes:
        return self.tree.read(self.place(path))

    def read_text_file(self, path: str) -> bytes:
        """Read a file that is no YAML, with parameters where it opts in."""
        place = self.place(path)
        return self.parameters.in_text(self.tree.read(place), place)

    def resources(self, path: str) -> list[Resource]:
        """Read the resources of a file."""
        place = self.place(path)
        return self.parse(self.tree.read(place), place)

    def parse(self, data: bytes, place: str) -> list[Resource]:
        """Read resources, each with its place in the tree. Raises Invalid for what is none."""
        origin_of = self._origins(place)
        return list(_resources(self.documents(data, place), origin_of, data, place))

    def parse_inline(self, text: str, place: str) -> list[Resource]:
        """Read resources that stand in a kustomization as text."""
        return list(_resources(self.documents(text.encode(), place), lambda _: None, text.encode(), place))

    def documents(self, data: bytes, place: str) -> tuple[Document, ...]:
        _check_separators(data, place)
        replace = self.parameters.replacing(data)
        is_encrypted = self.tree.is_encrypted(place)
        if replace is None and not is_encrypted:
            return self._memory.read(data, path=place, dialect=Dialect.KUSTOMIZE, styled=True)
        documents = read(data, path=place, dialect=Dialect.KUSTOMIZE, styled=True, replace=replace)
        if not is_encrypted:
            return documents
        return placed_as(documents, read(self.tree.written(place), path=place, dialect=Dialect.KUSTOMIZE))

    def config(self, data: bytes, place: str) -> JsonValue:
        """Read the first document of a configuration file, as sigs.k8s.io/yaml does."""
        replace = self.parameters.replacing(data)
        if replace is None:
            found = self._memory.read(data, path=place, dialect=Dialect.KUBERNETES, strict=False)
        else:
            found = read(data, path=place, dialect=Dialect.KUBERNETES, strict=False, replace=replace)
        return found[0].value if found and found[0].index == 0 else None

    def _origins(self, place: str) -> Any:
        repository, commit = self.tree.repository, self.tree.commit
        return lambda line: Origin(repository, place, line, commit)

    def _joined(self, path: str) -> str:
        if path.startswith("/"):
            raise Stalled(f"{path}: an absolute path leaves the repository. Write it relative to {self.root or '.'}")
        joined = posixpath.normpath(posixpath.join(self.root, path))
        if joined == ".." or joined.startswith("../"):
            raise Stalled(f"{path}: a path that leaves the repository")
        return "" if joined == "." else joined


def _is_within(path: str, directory: str) -> bool:
    return not directory or path == directory or path.startswith(f"{directory}/")


def _refuse_remote(path: str) -> None:
    if is_remote(path):
        advice = "Name its repository in converge.yaml, or copy it into this one"
        raise Stalled(f"{path}: a remote resource is not fetched by a render. {advice}")


def _check_separators(data: bytes, place: str) -> None:
    """Refuse what kustomize can't read since it splits documents as text: directives, and content beside a `---`."""
    directive = _DIRECTIVE.search(data) if b"%" in data else None
    if directive is not None:
        line = data[: directive.start("mark")].count(b"\n") + 1
        raise Invalid(
            [Problem(Position(place, line), "a YAML directive, which kustomize can't read", advice="Drop it.")]
        )
    if data.count(b"\n---") == data.count(b"\n---\n"):
        return
    for found in _SEPARATOR.finditer(data.replace(b"\r\n", b"\n")):
        rest = found[1].strip()
        if rest and not rest.startswith(b"#"):
            line = data[: found.start()].count(b"\n") + 2
            advice = "Put what follows `---` on a line of its own."
            raise Invalid([Problem(Position(place, line), "not a document separator", advice=advice)])


def _resources(documents: tuple[Document, ...], origin_of: Any, data: bytes, place: str) -> Iterator[Resource]:
    """Check documents and put the items of lists in their place: behind everything else in the file."""
    waiting: deque[Resource] = deque()
    for document in documents:
        value: Any = document.value
        if is_empty(value):
            continue
        if not isinstance(value, dict):
            where = Position(place, document.line)
            raise Invalid([Problem(where, "the document is no mapping, so it can't be a resource")])
        kind = text_of(value.get("kind", MISSING))
        if len(documents) == 1 and kind in {"List", "ResourceList"} and isinstance(value.get("items"), list):
            for number, item in enumerate(value["items"]):
                if not is_empty(item):
                    waiting.append(_item(item, document, number, origin_of, data, place))
            continue
        waiting.append(Resource(value, origin_of(document.line), index=document.index))
    while waiting:
        one = waiting.popleft()
        _check(one, place)
        items = one.value.get("items", MISSING)
        if not one.kind.endswith("List") or items is MISSING:
            yield one
        elif not is_null(items):
            if not isinstance(items, list):
                raise Invalid([Problem(_start(one, place), "the items of a list are no list", "items")])
            waiting.extend(_inner(items, one))


def _item(item: Any, document: Document, number: int, origin_of: Any, data: bytes, place: str) -> Resource:
    where = locate(data, path=place, index=document.index, field=("items", number))
    if not isinstance(item, dict):
        raise Invalid([Problem(where, "the item is no mapping, so it can't be a resource")])
    return Resource(item, origin_of(where.line), index=document.index, item=number)


def _inner(items: Iterable[Any], outer: Resource) -> Iterator[Resource]:
    for number, item in enumerate(items):
        if not is_empty(item):
            if not isinstance(item, dict):
                raise Stalled(f"{outer.source}: an item of {outer.kind} is no mapping")
            yield Resource(_quoted(to_json(item)), outer.source, index=outer.index, item=number)


def _quoted(value: Any) -> Any:
    """Give JSON as nodes: what is text stands in quotes there."""
    if isinstance(value, dict):
        return {key: _quoted(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_quoted(one) for one in value]
    return Quoted(value) if isinstance(value, str) else value


def _start(one: Resource, place: str) -> Position:
    return Position(place, one.source.line if one.source else 0)


def _check(one: Resource, place: str) -> None:
    if not one.kind:
        raise Invalid([Problem(_start(one, place), "not set, so this is no resource", "kind")])
    if not one.name and not one.kind.endswith("List"):
        advice = "Every resource needs a name; `generateName` alone is not enough."
        raise Invalid([Problem(_start(one, place), "not set", "metadata.name", advice)])
