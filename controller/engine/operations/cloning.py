"""`clone-env`: a new environment out of another one: its files and its overlays, suspended until somebody says go.

Policy is copied (windows, approvals, order, pruning, ignore rules), and so is the version that an application was
rolled back to. What was said once, for the old environment alone, is not: the yes to a deletion, the end of an
application, which cluster a context must be. States of Terraform are never shared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.config import matches_any, read_platform
from controller.documents import DELETE, Dialect, edit, read
from controller.engine.operations.trees import EditedTree
from controller.model import ApplicationName, EntryKind, EnvironmentName, GroupRef, Invalid, Stalled, Tree

FOLDER = "environments"
OVERLAYS = "overlays"
PLATFORM_FILE = "converge.yaml"
IS_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
Steps = tuple[str | int, ...]
Changes = dict[Steps, Any]


@dataclass(frozen=True, slots=True)
class CloneEnvironment:
    """Copy `source` as `name`.

    `contexts` are the kubeconfig contexts of its Kubernetes targets, by their names; the one of "" is for an
    environment with one such target. With `permits`, repositories that may run in `source` may run in `name`.
    """

    source: EnvironmentName
    name: EnvironmentName
    contexts: Mapping[str, str] = field(default_factory=dict)
    permits: bool = False

    @property
    def group(self) -> GroupRef:
        return GroupRef(self.name, ApplicationName("*"))

    @property
    def subject(self) -> str:
        return f"Make environment {self.name} out of {self.source}"

    def edits(self, tree: Tree) -> Mapping[str, bytes]:
        """Raises Stalled where it can't be copied; Invalid where an application could not run in the copy."""
        self._check_names(tree)
        files = {path: tree.read(path) for path in environment_files(tree, self.source)}
        values = {path: _value(path, data) for path, data in files.items()}
        contexts = self._contexts(values)
        files = {
            path: edit(data, self._changes(path, values[path], contexts), path=path) for path, data in files.items()
        }
        said = [path for path, value in values.items() if "suspend" in (value.get("spec") or {})]
        where = min(said or files)
        files[where] = edit(files[where], {("spec", "suspend"): True}, path=where)
        copied = {self._path(path): data for path, data in files.items()}
        overlays = {self._path(path): tree.read(path) for path in files_in(tree, f"{OVERLAYS}/{self.source}")}
        made = {**copied, **overlays, **(self._permitted(tree, values) if self.permits else {})}
        self._check(tree, made)
        return made

    def _check_names(self, tree: Tree) -> None:
        known = read_platform(tree).environments
        if self.source not in known:
            raise Stalled(f"there is no environment {self.source}. There are: {', '.join(sorted(known))}")
        if self.name in known:
            raise Stalled(f"environment {self.name} is there already. Choose another name")
        if not IS_NAME.fullmatch(self.name):
            raise Stalled(f"{self.name!r} is no name of an environment. Write lowercase letters, digits and hyphens")
        folder = f"{OVERLAYS}/{self.name}"
        if tree.kind(folder) is not EntryKind.ABSENT:
            raise Stalled(f"{folder} is there already, without an environment. Take it away, or choose another name")

    def _contexts(self, values: Mapping[str, Mapping[str, Any]]) -> Mapping[str, str]:
        """Say which context each Kubernetes target gets. Raises Stalled for targets that are not there."""
        clusters = [name for value in values.values() for name, one in _targets(value) if "kubernetes" in one]
        if unknown := sorted(set(self.contexts) - {"", *clusters}):
            there = ", ".join(sorted(clusters)) or "none"
            raise Stalled(f"{self.source} has no Kubernetes target {', '.join(unknown)}. There are: {there}")
        if "" in self.contexts and len(clusters) > 1:
            raise Stalled(
                f"{self.source} has several clusters ({', '.join(sorted(clusters))}), which can't all be the context "
                f"{self.contexts['']}. Say TARGET=CONTEXT for each"
            )
        return {name: context for name in clusters if (context := self.contexts.get(name) or self.contexts.get(""))}

    def _path(self, path: str) -> str:
        folder, _, rest = path.partition("/")
        return f"{folder}/{self.name}{rest.removeprefix(self.source)}"

    def _changes(self, path: str, value: Mapping[str, Any], contexts: Mapping[str, str]) -> Changes:
        changes: Changes = {("metadata", "name"): str(self.name)}
        for name, target in _targets(value):
            steps = ("spec", "targets", name)
            if name in contexts:
                changes |= _moved((*steps, "kubernetes"), target["kubernetes"] or {}, contexts[name])
            if backend := (target.get("terraform") or {}).get("backend"):
                changes |= self._backend(path, (*steps, "terraform", "backend"), backend)
        for name, application in ((value.get("spec") or {}).get("applications") or {}).items():
            changes |= self._entry(("spec", "applications", name), application or {})
        return changes

    def _entry(self, steps: Steps, entry: Mapping[str, Any]) -> Changes:
        if entry.get("state") == "absent":
            return {steps: DELETE}
        changes: Changes = {(*steps, "approveDeletions"): DELETE} if "approveDeletions" in entry else {}
        for index, reference in enumerate(entry.get("dependsOn") or ()):
            if reference.startswith(f"{self.source}/"):
                changes[*steps, "dependsOn", index] = f"{self.name}/{reference.partition('/')[2]}"
        return changes

    def _backend(self, path: str, steps: Steps, backend: Mapping[str, Any]) -> Changes:
        """Keep states apart: what names the old environment names the new one. Raises Stalled where nothing does."""
        texts = {name: text for name, text in (backend.get("config") or {}).items() if isinstance(text, str)}
        if any("${environment}" in text for text in texts.values()):
            return {}
        renamed = {name: spoken(self.source).sub(str(self.name), text) for name, text in texts.items()}
        changes: Changes = {(*steps, "config", name): text for name, text in renamed.items() if text != texts[name]}
        if not changes:
            raise Stalled(
                f"{path}: {'.'.join(map(str, steps))} names no environment, so that {self.name} would write to the "
                f"states of {self.source}. Put ${{environment}} into its config, and move the states there first"
            )
        return changes

    def _permitted(self, tree: Tree, values: Mapping[str, Mapping[str, Any]]) -> Mapping[str, bytes]:
        entries = [
            one for value in values.values() for one in ((value.get("spec") or {}).get("applications") or {}).values()
        ]
        used = {one.get("repository") for one in entries}
        data = tree.read(PLATFORM_FILE)
        changes: Changes = {}
        for name, repository in ((_value(PLATFORM_FILE, data).get("spec") or {}).get("repositories") or {}).items():
            may = (repository or {}).get("may") or {}
            allowed = may.get("environments")
            if name in used and allowed is not None and not matches_any(self.name, tuple(allowed)):
                changes["spec", "repositories", name, "may", "environments", len(allowed)] = str(self.name)
        return {PLATFORM_FILE: edit(data, changes, path=PLATFORM_FILE)} if changes else {}

    def _check(self, tree: Tree, made: Mapping[str, bytes]) -> None:
        """Raise Invalid with what would keep an application from running here, and does not keep it from it there."""
        found = read_platform(EditedTree(tree, made)).problems
        new = [
            problem
            for group, problems in found.items()
            if group.environment == self.name and GroupRef(self.source, group.application) not in found
            for problem in problems
        ]
        if new:
            raise Invalid(new)


def _moved(steps: Steps, target: Mapping[str, Any], context: str) -> Changes:
    """Lead a target to another cluster: what said which one it was goes."""
    gone = {(*steps, name): DELETE for name in ("inCluster", "uid") if name in target}
    return {(*steps, "context"): context, **gone}


def _targets(value: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield from ((name, one or {}) for name, one in ((value.get("spec") or {}).get("targets") or {}).items())


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


def spoken(name: EnvironmentName) -> re.Pattern[str]:
    """Match a name where it stands for itself: `prod/shop`, `shop-prod`, and not `production`."""
    return re.compile(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])")


def mentions(files: Mapping[str, bytes], name: EnvironmentName, but: str = "") -> tuple[str, ...]:
    """Name the places in files that speak of an environment, other than as a part of the name `but`."""
    pattern = spoken(name)
    return tuple(
        f"{path}:{number}"
        for path, data in sorted(files.items())
        for number, line in enumerate(data.decode(errors="replace").splitlines(), start=1)
        if pattern.search(line.replace(but, "") if but else line)
    )


def elsewhere(tree: Tree, source: EnvironmentName) -> Mapping[str, bytes]:
    """Give the files of a platform that may name an environment without being a part of it."""
    own = {*environment_files(tree, source)}
    top = (name for name in tree.names("") if tree.kind(name) is EntryKind.FILE and name.endswith((".yaml", ".yml")))
    others = (path for path in files_in(tree, FOLDER) if path.endswith((".yaml", ".yml")))
    return {path: tree.read(path) for path in (*top, *others) if path not in own}


def silent_on_states(platform_tree: Tree, source: EnvironmentName) -> tuple[str, ...]:
    """Name the targets whose Terraform modules say themselves where their states are."""
    return tuple(
        name
        for path in environment_files(platform_tree, source)
        for name, target in _targets(_value(path, platform_tree.read(path)))
        if "terraform" in target and not {"backend", "stateInGit"} & set(target["terraform"] or {})
    )
