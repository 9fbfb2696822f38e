"""The work folders of one placement: trees laid out by content, and where terraform keeps what `init` made.

trees/<digest>/<path in git>     the workspace's files, beside what is added to its root module
data/<key>/                      TF_DATA_DIR: providers, modules, the back-end's address
plans/<number>.tfplan            saved plans, until they are applied or made anew
"""

from __future__ import annotations

import hashlib
import itertools
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from controller.model import Backend, PlacementRef, Stalled
from controller.targets.terraform.source import Source, Workpiece

LOCK_FILE: Final = ".terraform.lock.hcl"
ERRORED: Final = "errored.tfstate"
_PARAMETERS: Final = "zz_converge_0_parameters.auto.tfvars.json"
_BACKEND: Final = "zz_converge_backend_override.tf.json"
_STAMP: Final = "zz_converge_stamp.tf.json"
_KEPT_TREES: Final = 4


@dataclass(slots=True)
class Seats:
    """Which folders are in use, of all targets that are open in a process.

    A branch is planned for its review while the controller holds a saved plan of the same placement: each has folders
    of its own, so that what is applied is what was planned. They outlive their user: the next one needs its providers.
    """

    taken: dict[PlacementRef, set[int]] = field(default_factory=dict)

    def take(self, placement: PlacementRef) -> int:
        """Give the lowest number that nobody has."""
        taken = self.taken.setdefault(placement, set())
        number = next(one for one in itertools.count() if one not in taken)
        taken.add(number)
        return number

    def leave(self, placement: PlacementRef, number: int) -> None:
        self.taken[placement].discard(number)


@dataclass(slots=True)
class Folders:
    """One placement's folders, below the process's work folder."""

    root: Path
    locks: dict[str, bytes] = field(default_factory=dict)  # what `init` chose, by its key

    @classmethod
    def of(cls, work: Path, placement: PlacementRef, seat: int) -> Folders:
        name = hashlib.sha256(str(placement).encode()).hexdigest()[:20]
        root = work / (f"{name}-{seat}" if seat else name)
        for name in ("trees", "data", "plans"):
            (root / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        return cls(root)

    def plan_file(self, number: int) -> Path:
        return self.root / "plans" / f"{number}.tfplan"

    def drop_plans(self) -> None:
        for file in (self.root / "plans").iterdir():
            file.unlink(missing_ok=True)

    def errored(self) -> tuple[Path, ...]:
        """Find states that a run could not store: terraform leaves them where it ran."""
        return tuple(sorted((self.root / "trees").rglob(ERRORED)))

    def drop_errored(self) -> None:
        for file in self.errored():
            file.unlink()

    def lay_out(self, piece: Workpiece, backend: Mapping[str, Any] | None) -> Path:
        """Write a workspace's files, unless they are there; give its root module's folder."""
        digest = piece.digest.partition(":")[2][:20]
        tree = self.root / "trees" / digest
        folder = tree / piece.source.root
        if not (tree / ".whole").exists():
            shutil.rmtree(tree, ignore_errors=True)
            for path, data in piece.source.contents().items():
                _write(tree, path, data)
            folder.mkdir(parents=True, exist_ok=True)
            values = dict(piece.source.variables)
            if values:
                (folder / _PARAMETERS).write_bytes(msgspec.json.encode(values))
            (tree / ".whole").touch()
            self._sweep(tree)
        _put(folder / _BACKEND, backend)
        return folder

    @staticmethod
    def put_stamp(folder: Path, stamp: Mapping[str, Any] | None) -> None:
        """Have the next apply write a stamp into the state; None: have it write none."""
        _put(folder / _STAMP, stamp)

    def _sweep(self, newest: Path) -> None:
        """Keep the last few trees; one that holds a state which was not stored stays."""
        trees = sorted((self.root / "trees").iterdir(), key=lambda one: one.stat().st_mtime, reverse=True)
        for tree in trees[_KEPT_TREES:]:
            if tree != newest and not any(tree.rglob(ERRORED)):
                shutil.rmtree(tree, ignore_errors=True)

    def data(self, key: str) -> Path:
        return self.root / "data" / key


def _write(tree: Path, path: str, data: bytes) -> None:
    place = tree / path
    if ".." in Path(path).parts or not place.resolve().is_relative_to(tree.resolve()):
        raise Stalled(f"{path} leads out of its repository")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)


def _put(file: Path, value: Mapping[str, Any] | None) -> None:
    if value is None:
        file.unlink(missing_ok=True)
    else:
        file.write_bytes(msgspec.json.encode(value))


def backend_file(backend: Backend, placement: PlacementRef) -> Mapping[str, Any]:
    """Give the override that takes the place of a module's own back-end."""
    names = {
        "${environment}": placement.environment,
        "${application}": placement.application,
        "${target}": placement.target,
    }
    return {"terraform": {"backend": {backend.type: _filled(dict(backend.config), names)}}}


def _filled(value: Any, names: Mapping[str, str]) -> Any:
    match value:
        case str():
            for mark, text in names.items():
                value = value.replace(mark, text)
            return value
        case dict():
            return {name: _filled(one, names) for name, one in value.items()}
        case list():
            return [_filled(one, names) for one in value]
        case _:
            return value


def init_key(source: Source, backend: Mapping[str, Any] | None, tool: str) -> str:
    """Say what `init` depends on: where nothing of it moved, its work is still good."""
    content = msgspec.json.encode([source.needs, source.root, source.backend, backend, tool])
    return hashlib.sha256(content).hexdigest()[:20]


def providers_of(lock: bytes) -> Mapping[str, str]:
    """Read which versions a lock file chose, by the provider's full source."""
    found: dict[str, str] = {}
    current = ""
    for line in lock.decode(errors="replace").splitlines():
        words = line.split('"')
        if line.startswith("provider ") and len(words) > 1:
            current = words[1]
        elif line.strip().startswith("version") and current and len(words) > 1:
            found[current] = words[1]
            current = ""
    return found
