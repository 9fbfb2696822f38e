"""One placement's Terraform workspace as one Manifest: its files, its variables, and what they ask for.

A workspace is one root module and what of the tree it calls. What is in the Manifest is all that its plan reads from
git, so that equal bytes are equal workspaces; Terraform evaluates it, nothing here does.
"""

from __future__ import annotations

import base64
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from controller.config import read_application
from controller.documents import canonical, digest_of
from controller.model import (
    ComponentType,
    Desired,
    EntryKind,
    Invalid,
    JsonValue,
    Manifest,
    ObjectKey,
    Origin,
    Position,
    Problem,
    Stalled,
)
from controller.render.request import RENDERER_VERSION, Read, Rendered, RenderRequest
from controller.render.terraform.components import Found, WithFiles, components_of
from controller.render.terraform.lending import OVERRIDE, Lent, address_of, digests, lent_to
from controller.render.terraform.reading import LOCK_FILE, Module, is_override, is_source, is_values, read_module
from controller.render.tracking import TrackedTree

KIND: Final = "Workspace"
MAX_FILES: Final = 2_000
MAX_BYTES: Final = 8 << 20
_PREFIX: Final = "zz_converge"  # what we add to a root module comes last, where later files win


def render_workspace(request: RenderRequest) -> Rendered:
    """Render one placement on a terraform target. Pure.

    Raises Invalid with every problem found, each with its file and line; Stalled where there is not one root module.
    """
    application, platform = TrackedTree(request.application), TrackedTree(request.platform)
    probe = TrackedTree(request.application)
    found = _root(application, probe, request)
    root = found.folder
    if found.files:
        application = application.continued(WithFiles(request.application, found.files))
    modules = _modules(application, root)
    files = _files(application, root, modules)
    lent = lent_to(modules, request)
    modules = (*modules, *lent.modules)
    overlays, origins = _overlays(platform, root, request.overlays)
    problems = [*_problems(modules), *(one for module in modules for one in module.problems)]
    if problems:
        raise Invalid(problems)
    files = _within(root, {**files, **lent.files, **lent.overrides(), **overlays})
    body = canonical(_body(request, found, modules, files, {**origins, **lent.origins}))
    key = ObjectKey("terraform", KIND, "", request.placement.application)
    place = Origin(application.repository, found.written_in or modules[0].files[0], 1, application.commit)
    manifest = Manifest(key, "converge/v1", body, digest_of(body), place)
    reads = tuple(sorted({*application.reads(), *platform.reads()}))
    desired = Desired(
        request.placement,
        request.revision,
        (manifest,),
        digest_of(canonical([[key.group, key.kind, key.namespace, key.name, manifest.digest]])),
        digest_of(canonical(_inputs(request, reads, lent))),
    )
    return Rendered(
        desired=desired,
        reads=tuple(sorted({*reads, *probe.reads()})),
        surroundings=request.surroundings.digest_for(request.placement.group) if _asks(modules) else None,
        follows=lent.follows,
    )


def _asks(modules: Iterable[Module]) -> bool:
    """Tell whether it matters to a workspace which repositories the platform has."""
    return any(address_of(call.source) is not None for module in modules for call in module.calls)


def _root(tree: TrackedTree, probe: TrackedTree, request: RenderRequest) -> Found:
    """Find the one root module under a path: a component, the path itself, one folder of it, or an Application's."""
    path = request.path
    if tree.kind(path) is not EntryKind.DIRECTORY:
        if tree.kind(path) is EntryKind.FILE:
            return _only(components_of(tree, probe, request), path)
        where = f"{tree.repository} at {tree.commit[:12]}"
        raise Stalled(f"{path or '.'}: there is no such folder in {where}. Correct `path` of the application.")
    components = read_application(tree, path)
    if components is not None:
        folders = [
            one.path
            for one in components
            if one.type is ComponentType.TERRAFORM or (one.type is None and _holds_sources(tree, one.path))
        ]
    elif _holds_sources(tree, path):
        return Found(path)
    else:
        written = components_of(tree, probe, request)
        if written:
            return _only(written, path)
        below = (posixpath.join(path, name) for name in tree.names(path) if not name.startswith("."))
        folders = [one for one in below if tree.kind(one) is EntryKind.DIRECTORY and _holds_sources(tree, one)]
    return _only([Found(one) for one in folders], path)


def _only(found: Sequence[Found], path: str) -> Found:
    if len(found) == 1:
        return found[0]
    if not found:
        raise Stalled(f"{path or '.'}: there is no Terraform module here (no *.tf), for a terraform target to run")
    raise Stalled(
        f"{path or '.'}: {', '.join(one.folder for one in found)} are modules of their own, and a workspace has one. "
        "Give each an application entry with its own `path`"
    )


def _holds_sources(tree: TrackedTree, folder: str) -> bool:
    return any(is_source(name) for name in tree.names(folder))


def _modules(tree: TrackedTree, root: str) -> tuple[Module, ...]:
    """Read the root module and every module of the tree that it calls, the root first."""
    found: dict[str, Module] = {}
    waiting = [root]
    while waiting:
        folder = waiting.pop(0)
        if folder in found:
            continue
        if tree.kind(folder) is not EntryKind.DIRECTORY:
            raise Stalled(f"{folder}: {root} calls a module here, and there is none")
        found[folder] = read_module(tree, folder)
        waiting += found[folder].local_calls
    return tuple(found.values())


def _problems(modules: Iterable[Module]) -> Iterator[Problem]:
    for module in modules:
        if not module.files:
            yield Problem(Position(module.folder), "there is no *.tf file in this module's folder")


def _files(tree: TrackedTree, root: str, modules: Iterable[Module]) -> dict[str, bytes]:
    """Read everything below the root module and below those that it calls: files may be read by any name."""
    files: dict[str, bytes] = {}
    for folder in dict.fromkeys((root, *(module.folder for module in modules))):
        for path in _below(tree, folder, (tree.real_path(folder),)):
            if path not in files:
                files[path] = tree.read(path)
        _within(folder, files)
    return files


def _within(folder: str, files: dict[str, bytes]) -> dict[str, bytes]:
    """Give files that are not too many. Raises Stalled."""
    if len(files) > MAX_FILES or sum(map(len, files.values())) > MAX_BYTES:
        raise Stalled(
            f"{folder or '.'}: more than {MAX_FILES} files or {MAX_BYTES >> 20} MiB. "
            "Point `path` at a folder that holds the module alone"
        )
    return files


def _below(tree: TrackedTree, folder: str, above: tuple[str, ...]) -> Iterator[str]:
    for name in tree.names(folder):
        if name.startswith(".") and name != LOCK_FILE:
            continue
        path = posixpath.join(folder, name)
        kind = tree.kind(path)
        if kind is EntryKind.FILE:
            yield path
        elif kind is EntryKind.DIRECTORY and tree.real_path(path) not in above:
            yield from _below(tree, path, (*above, tree.real_path(path)))


def _overlays(
    platform: TrackedTree, root: str, overlays: Iterable[str]
) -> tuple[dict[str, bytes], dict[str, JsonValue]]:
    """Take overrides and values from the overlays, named so that a narrower one wins; and say where each came from."""
    files: dict[str, bytes] = {}
    origins: dict[str, JsonValue] = {}
    for number, folder in enumerate(overlays, start=1):
        if platform.kind(folder) is not EntryKind.DIRECTORY:
            continue
        for name in platform.names(folder):
            if name.startswith("."):
                continue
            if is_override(name) or is_values(name):
                path = posixpath.join(root, _added_name(number, name))
                files[path] = platform.read(posixpath.join(folder, name))
                origins[path] = posixpath.join(folder, name)
            elif is_source(name):
                what = "an overlay changes a module by overrides, and this file is none"
                advice = f"Call it {name.partition('.')[0]}_override.tf, or move it into the module."
                raise Invalid([Problem(Position(posixpath.join(folder, name)), what, advice=advice)])
    return files, origins


def _added_name(number: int, name: str) -> str:
    """Terraform reads overrides and values in the order of their names, and the last wins."""
    stem, _, ending = name.partition(".")
    return f"{_PREFIX}_{number}_{stem}.{'auto.' if is_values(name) and '.auto.' not in name else ''}{ending}"


def _body(
    request: RenderRequest,
    found: Found,
    modules: tuple[Module, ...],
    files: Mapping[str, bytes],
    origins: dict[str, JsonValue],
) -> dict[str, JsonValue]:
    root, top = found.folder, modules[0]
    values: dict[str, JsonValue] = {**found.variables} | {
        name: one for name, one in request.parameters.items() if name in top.variables
    }
    texts: dict[str, JsonValue] = {}
    binaries: dict[str, JsonValue] = {}
    for path, data in files.items():
        try:
            texts[path] = data.decode()
        except UnicodeDecodeError:
            binaries[path] = base64.b64encode(data).decode()
    needs = sorted({one for module in modules for one in module.needs})
    needs += sorted(data.decode() for path, data in files.items() if posixpath.basename(path) == OVERRIDE)
    lock = texts.get(posixpath.join(root, LOCK_FILE), "")
    return {
        "root": root,
        "files": texts,
        "binaries": binaries,
        "origins": origins,
        "variables": {**values},
        "backend": top.backend,
        "nodes": [*top.nodes],
        **({"tofu": [*top.tofu_nodes]} if top.tofu_nodes != top.nodes else {}),
        "needs": digest_of(canonical([[*needs], lock])),
        "uses": {
            "providers": [use for module in modules for use in module.uses("provider")],
            "modules": [use for module in modules for use in module.uses("module")],
            "kinds": [use for module in modules for use in module.uses("kind")],
        },
    }


def _inputs(request: RenderRequest, reads: tuple[Read, ...], lent: Lent) -> dict[str, JsonValue]:
    return {
        "renderer": RENDERER_VERSION,
        "path": request.path,
        "parameters": {name: [type(value).__name__, value] for name, value in request.parameters.items()},
        "reads": [[one.repository, one.path, one.digest] for one in reads],
        **({"modules": [*digests(lent)]} if lent.files else {}),
    }
