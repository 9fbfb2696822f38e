"""Plain YAML: every manifest under a path, as `kubectl apply -R -f` reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from controller.documents import Dialect, Document, locate, read
from controller.model import EntryKind, Invalid, Origin, Position, Problem, Stalled
from controller.render.parameters import Substitution
from controller.render.request import Draft
from controller.render.tracking import TrackedTree

SUFFIXES: Final = (".yaml", ".yml", ".json")
KUSTOMIZATION_NAMES: Final = ("kustomization.yaml", "kustomization.yml", "Kustomization")
CHART_FILE: Final = "Chart.yaml"
MAX_FILES: Final = 20_000

# Documents that speak to a tool and not to a cluster.
_NOT_MANIFESTS: Final = ("converge/", "kustomize.config.k8s.io/")


def holds_kustomization(tree: TrackedTree, directory: str) -> bool:
    """Tell whether a directory has a kustomization file. The names that are missing are noted."""
    kinds = [tree.kind(joined(directory, name)) for name in KUSTOMIZATION_NAMES]
    return EntryKind.FILE in kinds


def joined(directory: str, name: str) -> str:
    return f"{directory}/{name}" if directory else name


def manifest_files(tree: TrackedTree, path: str) -> Iterator[str]:
    """Name the manifest files under a path, sorted, and directories with a kustomization or a chart instead of theirs.

    Names that start with a dot are left out. Raises Stalled where a path is missing or the tree is a loop.
    """
    match tree.kind(path):
        case EntryKind.FILE:
            yield path
        case EntryKind.DIRECTORY:
            yield from _walk(tree, path, (tree.real_path(path),))
        case _:
            where = f"{tree.repository} at {tree.commit[:12]}"
            raise Stalled(f"{path or '.'}: there is no such path in {where}. Correct `path` of the application.")


def _walk(tree: TrackedTree, directory: str, above: tuple[str, ...]) -> Iterator[str]:
    for name in tree.names(directory):
        if name.startswith("."):
            continue
        path = joined(directory, name)
        kind = tree.kind(path)
        if kind is EntryKind.FILE and name.endswith(SUFFIXES):
            yield path
        elif kind is EntryKind.DIRECTORY and tree.real_path(path) not in above:
            if holds_kustomization(tree, path) or tree.kind(joined(path, CHART_FILE)) is EntryKind.FILE:
                yield path
            else:
                yield from _walk(tree, path, (*above, tree.real_path(path)))


def read_plain(tree: TrackedTree, files: Iterable[str], parameters: Substitution) -> list[Draft]:
    """Read manifest files. Raises Invalid with every problem of all of them."""
    drafts: list[Draft] = []
    problems: list[Problem] = []
    for number, path in enumerate(files):
        if number >= MAX_FILES:
            raise Stalled(f"{path}: more than {MAX_FILES} files. Point `path` at a smaller directory.")
        try:
            drafts.extend(_read_file(tree, path, parameters))
        except Invalid as error:
            problems.extend(error.problems)
    if problems:
        raise Invalid(problems)
    return drafts


def _read_file(tree: TrackedTree, path: str, parameters: Substitution) -> list[Draft]:
    data = tree.read(path)
    documents = read(data, path=path, dialect=Dialect.KUBERNETES, replace=parameters.replacing(data))
    if tree.is_encrypted(path):
        data = tree.written(path)
        documents = placed_as(documents, read(data, path=path, dialect=Dialect.KUBERNETES))
    drafts: list[Draft] = []
    problems: list[Problem] = []
    for document in documents:
        try:
            drafts.extend(_from_document(tree, path, document, data))
        except Invalid as error:
            problems.extend(error.problems)
    if problems:
        raise Invalid(problems)
    return drafts


def placed_as(documents: Sequence[Document], written: Sequence[Document]) -> tuple[Document, ...]:
    """Give decrypted documents the lines of those that stand in git: SOPS keeps their number and order."""
    lines = {one.index: one.line for one in written}
    return tuple(replace(one, line=lines.get(one.index, one.line)) for one in documents)


def _from_document(tree: TrackedTree, path: str, document: Document, data: bytes) -> list[Draft]:
    value = document.value
    where = Position(path, document.line)
    if not isinstance(value, dict):
        raise Invalid([Problem(where, "the document is no mapping, so it can't be a manifest")])
    if is_for_a_tool(value):
        return []
    check_head(value, where)
    origin = Origin(tree.repository, path, document.line, tree.commit)
    if not is_list(value):
        return [Draft(value, origin, document.index)]
    drafts = []
    items = value["items"]
    for number, item in enumerate(items if isinstance(items, list) else ()):
        place = locate(data, path=path, index=document.index, field=("items", number))
        if not isinstance(item, dict):
            raise Invalid([Problem(place, "the item is no mapping, so it can't be a manifest")])
        check_head(item, place)
        drafts.append(Draft(item, Origin(tree.repository, path, place.line, tree.commit), document.index, number))
    return drafts


def is_for_a_tool(value: dict[str, Any]) -> bool:
    """Tell whether a document is Converge's own or a kustomization: files that no cluster gets."""
    version = value.get("apiVersion")
    return isinstance(version, str) and version.startswith(_NOT_MANIFESTS)


def is_list(value: dict[str, Any]) -> bool:
    kind, items = value["kind"], value.get("items")
    return kind.endswith("List") and "items" in value and (items is None or isinstance(items, list))


def check_head(value: dict[str, Any], where: Position) -> None:
    """Raise Invalid unless a document says what it is: `apiVersion` and `kind`, both text."""
    missing = [key for key in ("apiVersion", "kind") if not isinstance(value.get(key), str) or not value[key]]
    if missing:
        advice = "Add it, or move the file out of the application's path if it is no manifest."
        raise Invalid([Problem(where, "not set, so this is no manifest", " and ".join(missing), advice)])
