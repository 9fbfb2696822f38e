"""`clone-env`: a new environment out of another one: its files and its overlays, suspended until somebody says go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from controller.config import read_platform
from controller.documents import Dialect, edit, read
from controller.model import ApplicationName, EntryKind, EnvironmentName, GroupRef, Stalled, Tree

FOLDER = "environments"
OVERLAYS = "overlays"
Changes = dict[tuple[str | int, ...], Any]


@dataclass(frozen=True, slots=True)
class CloneEnvironment:
    """Copy `source` as `name`. With a context, its Kubernetes targets are that one's cluster."""

    source: EnvironmentName
    name: EnvironmentName
    context: str = ""

    @property
    def group(self) -> GroupRef:
        return GroupRef(self.name, ApplicationName("*"))

    @property
    def subject(self) -> str:
        return f"Make environment {self.name} out of {self.source}"

    def edits(self, tree: Tree) -> Mapping[str, bytes]:
        platform = read_platform(tree)
        if self.source not in platform.environments:
            raise Stalled(
                f"there is no environment {self.source}. There are: {', '.join(sorted(platform.environments))}"
            )
        if self.name in platform.environments:
            raise Stalled(f"environment {self.name} is there already. Choose another name")
        files = {path: self._environment(path, tree.read(path)) for path in environment_files(tree, self.source)}
        said = [path for path, data in files.items() if "suspend" in (_value(path, data).get("spec") or {})]
        where = min(said or files)
        files[where] = edit(files[where], {("spec", "suspend"): True}, path=where)
        copied = {self._path(path): data for path, data in files.items()}
        overlays = {self._path(path): tree.read(path) for path in files_in(tree, f"{OVERLAYS}/{self.source}")}
        return {**copied, **overlays}

    def _path(self, path: str) -> str:
        folder, _, rest = path.partition("/")
        return f"{folder}/{self.name}{rest.removeprefix(self.source)}"

    def _environment(self, path: str, data: bytes) -> bytes:
        value = _value(path, data)
        changes: Changes = {("metadata", "name"): str(self.name)}
        spec = value.get("spec") or {}
        for name, target in (spec.get("targets") or {}).items():
            if self.context and "kubernetes" in target:
                changes["spec", "targets", name, "kubernetes"] = {
                    **{key: one for key, one in (target["kubernetes"] or {}).items() if key != "inCluster"},
                    "context": self.context,
                }
        for name, application in (spec.get("applications") or {}).items():
            for index, reference in enumerate(application.get("dependsOn") or ()):
                if reference.startswith(f"{self.source}/"):
                    renamed = f"{self.name}/{reference.partition('/')[2]}"
                    changes["spec", "applications", name, "dependsOn", index] = renamed
        return edit(data, changes, path=path)


def _value(path: str, data: bytes) -> dict[str, Any]:
    value: Any = read(data, path=path, dialect=Dialect.KUBERNETES)[0].value
    return dict(value)


def environment_files(tree: Tree, name: EnvironmentName) -> tuple[str, ...]:
    """Name the files of an environment: one of its name, or those of its folder."""
    single = tuple(
        path for ending in ("yaml", "yml") if tree.kind(path := f"{FOLDER}/{name}.{ending}") is EntryKind.FILE
    )
    folder = (path for path in files_in(tree, f"{FOLDER}/{name}") if path.endswith((".yaml", ".yml")))
    return (*single, *folder)


def files_in(tree: Tree, folder: str) -> Iterator[str]:
    for name in tree.names(folder):
        path = f"{folder}/{name}"
        if tree.kind(path) is EntryKind.DIRECTORY:
            yield from files_in(tree, path)
        elif tree.kind(path) is EntryKind.FILE:
            yield path


def mentions(files: Mapping[str, bytes], name: EnvironmentName) -> tuple[str, ...]:
    """Name the places in copied files that still speak of the environment they were copied from."""
    return tuple(
        f"{path}:{number}"
        for path, data in sorted(files.items())
        for number, line in enumerate(data.decode(errors="replace").splitlines(), start=1)
        if name in line.replace("/", " ").replace(":", " ").replace(".", " ").replace('"', " ").split()
    )
