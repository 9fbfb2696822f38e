"""Terraform components of OAM Applications: a module of the tree, or configuration written in the Application itself.

Where a path holds no module of its own, the one component of type `terraform` in its Applications is the workspace.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from controller.documents import Dialect, read_with_positions
from controller.model import EntryKind, FieldPath, Invalid, JsonValue, Position, Tree
from controller.render.applications import is_application
from controller.render.oam.application import API_VERSION
from controller.render.parameters import Substitution
from controller.render.plain import manifest_files, read_plain
from controller.render.request import Draft, RenderRequest
from controller.render.tracking import TrackedTree

if TYPE_CHECKING:
    from controller.render.oam.references import TerraformReference
    from controller.render.oam.reporting import Report

_WRITTEN: Final = "main.tf"  # the file that configuration in an Application is put in


@dataclass(frozen=True, slots=True)
class Found:
    """A component's module: its folder, the variables it sets, and files that are not in the tree."""

    folder: str
    variables: Mapping[str, JsonValue] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    written_in: str = ""  # the Application's file, where the module's own is in no tree


def components_of(tree: TrackedTree, probe: TrackedTree, request: RenderRequest) -> tuple[Found, ...]:
    """Find the Terraform components of the Applications under a path. Raises Invalid with what is wrong with them.

    Files are looked through by way of `probe`: those without an Application are no input of the workspace.
    """
    files = [
        one
        for one in manifest_files(probe, request.path)
        if probe.kind(one) is EntryKind.FILE and API_VERSION.encode() in probe.read(one)
    ]
    drafts = read_plain(tree, files, Substitution(request.parameters))
    return tuple(found for draft in drafts if is_application(draft) for found in _of(draft, tree, request))


def _of(draft: Draft, tree: TrackedTree, request: RenderRequest) -> tuple[Found, ...]:
    from controller.render.oam.application import read_application  # noqa: PLC0415  few workspaces need it
    from controller.render.oam.references import TerraformReference, reference_of  # noqa: PLC0415
    from controller.render.oam.reporting import Report  # noqa: PLC0415

    def locate(path: FieldPath) -> Position:
        data = tree.read(draft.origin.path)
        return read_with_positions(data, path=draft.origin.path, dialect=Dialect.KUBERNETES).position(draft.index, path)

    report = Report(locate)
    application = read_application(draft.value, report)
    found: list[Found] = []
    for component in application.components:
        if component.type != "terraform":
            continue
        reference = reference_of(component, report)
        report.settle()
        assert isinstance(reference, TerraformReference)  # noqa: S101  its type says so
        if component.inputs:
            what = f"the component {component.name} is a Terraform module, and takes in no output of another"
            report.wrong(component.inputs[0].path, what, "Set it under `variables`.")
        each = found_of(reference, draft.origin.path, tree, request, report)
        if each is not None:
            found.append(each)
    if report.problems:
        raise Invalid(report.problems)
    return tuple(found)


def found_of(
    reference: TerraformReference, file: str, tree: TrackedTree, request: RenderRequest, report: Report
) -> Found | None:
    """Find a component's module; `file` is its Application's. Tells the report, and gives None, where there is none."""
    if reference.hcl:
        folder = posixpath.join(posixpath.dirname(file), reference.component)
        return Found(folder, reference.variables, {posixpath.join(folder, _WRITTEN): reference.hcl.encode()}, file)
    module = _module(tree, reference, file, request.path)
    if module is None:
        what = f'there is no folder "{posixpath.join(reference.source, reference.path)}" in this repository'
        advice = "Name a folder of it; call a module from elsewhere out of one of yours."
        report.wrong((*reference.at, "properties", "source"), what, advice)
        return None
    return Found(module, reference.variables)


def _module(tree: TrackedTree, reference: TerraformReference, file: str, path: str) -> str | None:
    """Look for a module's folder beside the Application, under the application's path, and from the root."""
    named = posixpath.join(reference.source, reference.path)
    if "://" in named or "::" in named or named.startswith(("/", "git@")):
        return None
    for base in dict.fromkeys((posixpath.dirname(file), path, "")):
        folder = posixpath.normpath(posixpath.join(base, named))
        if not folder.startswith("..") and tree.kind(folder) is EntryKind.DIRECTORY:
            return folder
    return None


class WithFiles:
    """A Tree with some files that only a render knows, in folders of their own."""

    def __init__(self, tree: Tree, files: Mapping[str, bytes]) -> None:
        self._tree = tree
        self._files = files
        self._folders = {posixpath.dirname(path) for path in files}
        self.repository = tree.repository
        self.commit = tree.commit

    def kind(self, path: str) -> EntryKind:
        if path in self._files:
            return EntryKind.FILE
        return EntryKind.DIRECTORY if path in self._folders else self._tree.kind(path)

    def read(self, path: str) -> bytes:
        return self._files[path] if path in self._files else self._tree.read(path)

    def names(self, path: str) -> tuple[str, ...]:
        if path not in self._folders:
            return self._tree.names(path)
        return tuple(sorted(posixpath.basename(one) for one in self._files if posixpath.dirname(one) == path))

    def real_path(self, path: str) -> str:
        return path if path in self._files or path in self._folders else self._tree.real_path(path)

    def digest(self, path: str) -> str:
        return "" if path in self._files or path in self._folders else self._tree.digest(path)
