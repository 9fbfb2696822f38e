"""Modules that other repositories of the platform lend, at a commit that was seen: Terraform fetches nothing of them.

A call whose source is Terraform's own `git::URL//path?ref=REF`, with the URL of a repository that converge.yaml names,
gets that repository's files laid beside the workspace's own, and an override that points there. Where the ref leads is
asked of the mirror (a need, as the ranges of charts are), so that a branch that moved is a pending change.
"""

from __future__ import annotations

import base64
import hashlib
import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs

from controller.documents import canonical, decode
from controller.model import CommitId, Invalid, JsonValue, MemoryTree, Position, Problem, RepositoryName
from controller.render.needs import Lender, ModuleFolder, ModuleHead, commit_of, results_of
from controller.render.request import RenderRequest
from controller.render.terraform.reading import Call, Module, read_module
from controller.render.tracking import TrackedTree

FOLDER: Final = "zz_converge_modules"  # beside the files of the application's own tree
OVERRIDE: Final = "zz_converge_modules_override.tf.json"
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Address:
    """A module in a repository: `git::URL//folder?ref=REF`."""

    url: str
    folder: str
    ref: str

    @property
    def home(self) -> str:
        """Say where the repository's root is in a workspace, at this ref."""
        name = hashlib.sha256(f"{_same(self.url)}\n{self.ref}".encode()).hexdigest()[:12]
        return posixpath.join(FOLDER, name)


def address_of(source: str) -> Address | None:
    """Read a module's source; None for one that is no git address, or asks more of one than a ref."""
    if not source.startswith("git::"):
        return None
    address, _, query = source.removeprefix("git::").partition("?")
    asked = parse_qs(query)
    scheme = address.find("://")
    cut = address.find("//", scheme + 3 if scheme >= 0 else 0)
    url, folder = (address[:cut], address[cut + 2 :]) if cut >= 0 else (address, "")
    folder = posixpath.normpath(folder) if folder else ""
    if not asked.keys() <= {"ref", "depth"} or folder.startswith(("..", "/")):
        return None
    return Address(url, "" if folder == "." else folder, asked.get("ref", [""])[-1])


@dataclass(frozen=True, slots=True)
class Lent:
    """What others lend to a workspace. `sources` are those of calls, by the caller's folder and the call's name.

    `follows` says where refs led that are no commits.
    """

    modules: tuple[Module, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    follows: tuple[str, ...] = ()

    def overrides(self) -> dict[str, bytes]:
        """Give the files that lead calls to what was lent, by their paths."""
        return {
            posixpath.join(folder, OVERRIDE): canonical(
                {"module": {name: {"source": to} for name, to in calls.items()}}
            )
            for folder, calls in self.sources.items()
        }


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A module that a call, in a folder of the workspace, asks of a repository."""

    caller: str
    call: Call
    address: Address
    lender: Lender
    url: str  # as converge.yaml has it
    at: Position


def lent_to(modules: Iterable[Module], request: RenderRequest) -> Lent:
    """Gather what the repositories of the platform lend to these modules, and to each other.

    Raises Needed while something was not looked up yet, Invalid for what is not there.
    """
    taken = _Taken(request)
    for module in modules:
        taken.ask(module.folder, module.calls)
    while taken.waiting:
        taken.fetch()
    return Lent(tuple(taken.modules), taken.files, taken.origins, taken.sources, tuple(sorted(taken.follows)))


class _Taken:
    """One gathering: a module may call others of its repository, and of more repositories."""

    def __init__(self, request: RenderRequest) -> None:
        self._request = request
        self._lenders = {_same(url): (url, one) for url, one in request.surroundings.modules.items()}
        self._known: set[str] = set()  # folders of the workspace
        self.waiting: list[tuple[str, str, _Wanted]] = []  # the root and the folder in its repository
        self.modules: list[Module] = []
        self.files: dict[str, bytes] = {}
        self.origins: dict[str, str] = {}
        self.sources: dict[str, dict[str, str]] = {}
        self.follows: set[str] = set()

    def ask(self, caller: str, calls: Iterable[Call], named: str = "") -> None:
        for call in calls:
            address = address_of(call.source)
            found = self._lenders.get(_same(address.url)) if address is not None else None
            if address is None or found is None:
                continue
            at = Position(f"{named}{call.path}", call.line)
            wanted = _Wanted(caller, call, address, found[1], found[0], at)
            target = posixpath.join(address.home, address.folder)
            there = posixpath.relpath(target, caller or ".")
            self.sources.setdefault(caller, {})[call.name] = there if there.startswith("..") else f"./{there}"
            self._want(address.home, address.folder, wanted)

    def _want(self, home: str, folder: str, wanted: _Wanted) -> None:
        if posixpath.join(home, folder) not in self._known:
            self._known.add(posixpath.join(home, folder))
            self.waiting.append((home, folder, wanted))

    def fetch(self) -> None:
        """Take in all that waits: first where each ref leads, then the files there."""
        waiting, self.waiting = self.waiting, []
        prepared = self._request.prepared
        heads = [_head(wanted) for _, _, wanted in waiting]
        commits = [commit_of(one) for one in results_of(heads, prepared)]
        needs = [_folder(folder, wanted, commit) for (_, folder, wanted), commit in zip(waiting, commits, strict=True)]
        for (home, folder, wanted), commit, packed in zip(waiting, commits, results_of(needs, prepared), strict=True):
            self._take(home, folder, wanted, commit, decode(packed) if isinstance(packed, bytes) else {})

    def _take(self, home: str, folder: str, wanted: _Wanted, commit: CommitId, told: Any) -> None:
        files = {path: base64.b64decode(data) for path, data in told.items()}
        tree = TrackedTree(MemoryTree(files, RepositoryName(wanted.url), commit))
        module = read_module(tree, folder)
        if not module.files:
            what = f"{wanted.url} at {commit[:12]} has no Terraform module in {folder or '.'}"
            raise Invalid([Problem(wanted.at, what, advice="Correct the source, or its ref.")])
        named = f"{wanted.url}//"
        self.modules.append(module.named(named))
        for path, data in files.items():
            self.files[posixpath.join(home, path)] = data
            self.origins[posixpath.join(home, path)] = f"{named}{path}"
        if not _COMMIT.fullmatch(wanted.address.ref):
            self.follows.add(f"{wanted.url} {wanted.address.ref or 'HEAD'} {commit}")
        self.ask(posixpath.join(home, folder), module.calls, named)
        for local in module.local_calls:
            self._want(home, local, wanted)


def _head(wanted: _Wanted) -> ModuleHead:
    return ModuleHead(url=wanted.url, ref=wanted.address.ref, lender=wanted.lender, where=wanted.at)


def _folder(folder: str, wanted: _Wanted, commit: CommitId) -> ModuleFolder:
    return ModuleFolder(
        url=wanted.url, commit=commit, folder=folder, credential=wanted.lender.credential, where=wanted.at
    )


def digests(lent: Lent) -> Sequence[JsonValue]:
    """Give what tells two lendings apart."""
    return [[path, hashlib.sha256(data).hexdigest()] for path, data in sorted(lent.files.items())]


def _same(url: str) -> str:
    return url.rstrip("/").removesuffix(".git")
