"""One module's folder: what its files declare, call and ask for, and what of it is refused."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from controller.model import EntryKind, Invalid, JsonValue, Position, Problem
from controller.render.terraform.blocks import Block, blocks_of
from controller.render.tracking import TrackedTree

LOCK_FILE: Final = ".terraform.lock.hcl"
BUILT_IN: Final = "terraform"  # the provider inside of the program: terraform_data, terraform_remote_state
_SOURCES: Final = (".tf", ".tf.json", ".tofu", ".tofu.json")
_RESOURCES: Final = frozenset({"resource", "data", "ephemeral"})
_FOR_INIT: Final = frozenset({"terraform", "module", "provider"})


def is_source(name: str) -> bool:
    return name.endswith(_SOURCES)


def is_override(name: str) -> bool:
    stem = name.partition(".")[0]
    return is_source(name) and (stem == "override" or stem.endswith("_override"))


def is_values(name: str) -> bool:
    return name.endswith((".tfvars", ".tfvars.json"))


@dataclass(frozen=True, slots=True)
class Use:
    """Something from elsewhere that a module asks for: a `provider`, a `module`, or a `kind` of resource."""

    what: str
    name: str
    path: str
    line: int


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a module from elsewhere."""

    name: str
    source: str
    path: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A module as its files show it before anything is evaluated."""

    folder: str
    files: tuple[str, ...]
    variables: frozenset[str]
    nodes: tuple[str, ...]  # resources and modules, as `depends_on` names them and Terraform finds them
    tofu_nodes: tuple[str, ...]  # those that OpenTofu finds: it reads `x.tofu` in place of `x.tf`
    backend: str  # the back-end's type, "" for none
    needs: tuple[str, ...]  # what `init` looks at: when none of it moved, there is nothing to initialise anew
    local_calls: tuple[str, ...]  # folders of modules of the same tree
    calls: tuple[Call, ...]  # of modules from elsewhere
    used: tuple[Use, ...]
    problems: tuple[Problem, ...]

    def named(self, where: str) -> Module:
        """Give a module whose places are told with the repository that it is of."""
        problems = tuple(
            replace(one, where=replace(one.where, path=f"{where}{one.where.path}")) for one in self.problems
        )
        used = tuple(replace(one, path=f"{where}{one.path}") for one in self.used)
        return replace(self, used=used, problems=problems)

    def uses(self, what: str) -> list[JsonValue]:
        return [{"name": one.name, "path": one.path, "line": one.line} for one in self.used if one.what == what]


def read_module(tree: TrackedTree, folder: str) -> Module:
    """Read a module's own files; those of its sub-folders are modules of their own. Raises Invalid."""
    names = [one for one in tree.names(folder) if is_source(one) and not one.startswith(".")]
    paths = tuple(path for one in names if tree.kind(path := posixpath.join(folder, one)) is EntryKind.FILE)
    blocks: list[tuple[Block, str]] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            blocks += ((block, path) for block in blocks_of(tree.read(path), path))
        except Invalid as error:
            problems += error.problems
    named = _named_providers(blocks)
    calls = [(block, path) for block, path in blocks if block.type == "module" and block.labels]
    return Module(
        folder=folder,
        files=paths,
        variables=frozenset(one.labels[0] for one, _ in blocks if one.type == "variable" and one.labels),
        nodes=tuple(_nodes((block, path) for block, path in blocks if not _is_of_tofu(path))),
        tofu_nodes=tuple(_nodes((block, path) for block, path in blocks if not _is_replaced(path, paths))),
        backend=next((text for one, _ in blocks if (text := _backend(one))), ""),
        needs=(*(one.source for one, _ in blocks if one.type in _FOR_INIT), *sorted(_providers(blocks))),
        local_calls=tuple(
            where for block, _ in calls if (where := _local(folder, _source_of(block) or "")) is not None
        ),
        calls=tuple(_elsewhere(calls)),
        used=(
            *_used_providers(blocks, named),
            *(Use("module", one.source, one.path, one.line) for one in _elsewhere(calls)),
            *_used_kinds(blocks),
        ),
        problems=(*problems, *_refusals(blocks), *_wrong_calls(calls, folder)),
    )


def outputs_in(data: bytes, path: str) -> frozenset[str]:
    """Name the outputs that a file declares. Raises Invalid."""
    return frozenset(one.labels[0] for one in blocks_of(data, path) if one.type == "output" and one.labels)


def _is_of_tofu(path: str) -> bool:
    return path.endswith((".tofu", ".tofu.json"))


def _is_replaced(path: str, paths: tuple[str, ...]) -> bool:
    """Tell whether OpenTofu passes a file over, since there is one of its own beside it ("Files and Directories")."""
    stem, dot, ending = path.rpartition(".tf")
    return bool(dot) and ending in ("", ".json") and f"{stem}.tofu{ending}" in paths


def _nodes(blocks: Iterable[tuple[Block, str]]) -> Iterator[str]:
    for block, _ in blocks:
        if block.type == "resource" and len(block.labels) == 2:
            yield ".".join(block.labels)
        elif block.type == "module" and block.labels:
            yield f"module.{block.labels[0]}"


def _backend(block: Block) -> str:
    if block.type != "terraform":
        return ""
    return next((one.labels[0] for one in block.blocks if one.type == "backend" and one.labels), "")


def _providers(blocks: list[tuple[Block, str]]) -> set[str]:
    """Name the providers that resources ask for by the first word of their type."""
    return {
        block.labels[0].partition("_")[0] for block, _ in blocks if block.type in _RESOURCES and len(block.labels) == 2
    } - {BUILT_IN}


def _named_providers(blocks: list[tuple[Block, str]]) -> dict[str, Use]:
    """Give the providers that `required_providers` names, by their local names."""
    found: dict[str, Use] = {}
    for block, path in blocks:
        for inner in block.blocks if block.type == "terraform" else ():
            if inner.type != "required_providers":
                continue
            for name, attribute in inner.attributes.items():
                source = inner.objects.get(name, {}).get("source")
                text = source.text if source and source.text else f"hashicorp/{name}"
                found[name] = Use("provider", text, path, attribute.line)
    return found


def _used_providers(blocks: list[tuple[Block, str]], named: dict[str, Use]) -> Iterator[Use]:
    yield from named.values()
    told = {*named}
    for block, path in blocks:
        if block.type not in _RESOURCES or len(block.labels) != 2:
            continue
        name = block.labels[0].partition("_")[0]
        if name not in told and name != BUILT_IN and "provider" not in block.attributes:
            told.add(name)
            yield Use("provider", f"hashicorp/{name}", path, block.line)


def _source_of(block: Block) -> str | None:
    attribute = block.attributes.get("source")
    return attribute.text if attribute else None


def _local(folder: str, source: str) -> str | None:
    """Give the folder of a module of the same tree; None for one from elsewhere, and for one outside of the tree."""
    if not source.startswith(("./", "../")):
        return None
    path = posixpath.normpath(posixpath.join(folder, source))
    return None if path.startswith("..") else "" if path == "." else path


def _elsewhere(calls: list[tuple[Block, str]]) -> Iterator[Call]:
    for block, path in calls:
        source = _source_of(block)
        if source and not source.startswith(("./", "../")):
            yield Call(block.labels[0], source, path, block.attributes["source"].line)


def _used_kinds(blocks: list[tuple[Block, str]]) -> Iterator[Use]:
    told: set[str] = set()
    for block, path in blocks:
        if block.type == "resource" and len(block.labels) == 2 and block.labels[0] not in told:
            told.add(block.labels[0])
            yield Use("kind", block.labels[0], path, block.line)


def _wrong_calls(calls: list[tuple[Block, str]], folder: str) -> Iterator[Problem]:
    for block, path in calls:
        source = _source_of(block)
        name = block.labels[0]
        if source is None:
            what = f"the source of module {name} is no plain text, so that nobody knows what will run"
            yield Problem(Position(path, block.line), what, advice="Write it out.")
        elif source.startswith(("./", "../")) and _local(folder, source) is None:
            line = block.attributes["source"].line
            yield Problem(Position(path, line), f"{source} of module {name} leads out of the repository")
        elif source.startswith("/"):
            line = block.attributes["source"].line
            yield Problem(Position(path, line), f"{source} of module {name} is a path of one machine")


def _refusals(blocks: list[tuple[Block, str]]) -> Iterator[Problem]:
    """Say what runs a program of the module's own choosing. A lint that finds mistakes, and no boundary."""
    for block, path in blocks:
        if block.type == "data" and block.labels[:1] == ("external",):
            what = "an external data source runs a program wherever a plan is made"
            yield Problem(Position(path, block.line), what, advice="Use a provider's data source, or a parameter.")
        if block.type == "terraform":
            for inner in block.blocks:
                if inner.type == "cloud":
                    what = "a `cloud` block runs the plan elsewhere, where nothing holds it to what was approved"
                    advice = "Write a `backend` block, or set `terraform.backend` of the target."
                    yield Problem(Position(path, block.line), what, advice=advice)
        if block.type == "resource":
            for inner in block.blocks:
                if inner.type == "provisioner":
                    what = f"provisioner {' '.join(inner.labels)} of {'.'.join(block.labels)} runs a program"
                    advice = "Let a provider, an image or the workload itself do it."
                    yield Problem(Position(path, inner.line), what, advice=advice)
