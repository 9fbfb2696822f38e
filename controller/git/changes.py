"""Changes to a branch's files, and how a batch of them becomes commits. Pure.

A change says what files shall be, over whatever is on the branch; so it can be asked again on a newer branch. Changes
of one batch share a commit as long as none writes a file that an earlier one wrote: where one does, a new commit begins
(both go out in one push), so that every state a file was given is in its history.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from controller.documents import blob_id
from controller.git.objects import Damaged
from controller.git.stream import check_path
from controller.git.tree import GitTree
from controller.model import ConvergeError, Stalled

SUBJECT_LIMIT = 200
SUMMARY = "${summary}"
CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
TRAILER_KEY = re.compile(r"[^A-Za-z0-9-]+")


class Files(Protocol):
    """What is on a branch."""

    def read(self, path: str) -> bytes | None: ...
    def names(self, directory: str) -> tuple[str, ...]: ...


class Change(Protocol):
    """What one commit message block tells, and the files that go with it."""

    @property
    def subject(self) -> str: ...
    @property
    def trailers(self) -> tuple[tuple[str, str], ...]: ...
    def derive(self, base: Files) -> Mapping[str, bytes | None]:
        """Say what files shall be (None: not there). Called again on a newer base after a rejected push."""


@runtime_checkable
class Explained(Protocol):
    """A change that says more than its subject: paragraphs between that and the trailers, as they stand."""

    @property
    def body(self) -> str: ...


@runtime_checkable
class Aside(Protocol):
    """A change that needs no words in a commit that tells something else too."""

    @property
    def is_aside(self) -> bool: ...


Finish = Callable[[Files], Mapping[str, bytes | None]]


class BranchFiles:
    """A branch's files at its head; a branch that isn't there holds none."""

    def __init__(self, tree: GitTree | None) -> None:
        self.tree = tree

    def read(self, path: str) -> bytes | None:
        try:
            return None if self.tree is None else self.tree.read(path)
        except KeyError:
            return None

    def names(self, directory: str) -> tuple[str, ...]:
        return () if self.tree is None else self.tree.names(directory)

    def blob_id(self, path: str) -> str:
        return "" if self.tree is None else self.tree.blob_id(path)

    def real_path(self, path: str) -> str:
        """Resolve symbolic links; the path itself where there are none."""
        return path if self.tree is None else self.tree.real_path(path)

    def read_ahead(self, files: Iterable[str], folders: Iterable[str], is_known: Callable[[str], bool]) -> None:
        """Have these files, and all that is below these folders, in a few exchanges with git.

        Files whose ids are known are not read: only the folders that say so.
        """
        if self.tree is not None:
            self.tree.prefetch(folders, is_known=is_known)
            self.tree.prefetch_files(files, is_known=is_known)


class Overlay:
    """Files over other files: what they will be once the changes so far are committed."""

    def __init__(self, base: Files) -> None:
        self._base = base
        self._files: dict[str, bytes | None] = {}
        self._touched: dict[str, set[str]] = {}  # per directory, the names under which something changed

    def read(self, path: str) -> bytes | None:
        return self._files[path] if path in self._files else self._base.read(path)

    def names(self, directory: str) -> tuple[str, ...]:
        touched = self._touched.get(directory)
        if touched is None:
            return self._base.names(directory)
        untouched = set(self._base.names(directory)) - touched
        return tuple(sorted(untouched | {name for name in touched if self._exists(_join(directory, name))}))

    def blob_id(self, path: str) -> str:
        """Give git's id of a file's content; "" where there is none."""
        if path in self._files or not isinstance(self._base, BranchFiles):
            data = self.read(path)
            return "" if data is None else blob_id(data)
        return self._base.blob_id(path)

    def real_path(self, path: str) -> str:
        """Resolve symbolic links of the base; what was written since is no link."""
        return self._base.real_path(path) if path not in self._files and isinstance(self._base, BranchFiles) else path

    def read_ahead(self, files: Iterable[str], folders: Iterable[str], is_known: Callable[[str], bool]) -> None:
        if isinstance(self._base, BranchFiles):
            self._base.read_ahead(files, folders, is_known)

    def has(self, path: str) -> bool:
        """Tell whether there is a file of that name."""
        return bool(self.blob_id(path))

    def differences(self, files: Mapping[str, bytes | None]) -> dict[str, bytes | None]:
        """Leave out what is so already: told by git's ids, so that no file is read for it."""
        return {path: data for path, data in files.items() if not self._holds(path, data)}

    def _holds(self, path: str, data: bytes | None) -> bool:
        found = self.blob_id(path)
        if data is None or not found:
            return data is None and not found
        return found == blob_id(data, like=found)

    def write(self, files: Mapping[str, bytes | None]) -> None:
        for path, data in files.items():
            self._files[path] = data
            rest = path
            while rest:
                rest, _, name = rest.rpartition("/")
                self._touched.setdefault(rest, set()).add(name)

    def _exists(self, path: str) -> bool:
        return self.has(path) or bool(self.names(path))


@dataclass(slots=True)
class Draft:
    """One commit to be."""

    changes: list[Change] = field(default_factory=list)
    files: dict[str, bytes | None] = field(default_factory=dict)
    finished: Mapping[str, bytes | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Drafted:
    """What became of a batch: per change the number of its commit, None where nothing differs, or why it can't be."""

    drafts: tuple[Draft, ...]
    outcomes: tuple[int | ConvergeError | None, ...]


def draft(changes: Sequence[Change], base: Files, finish: Finish | None = None) -> Drafted:
    """Turn a batch into as few commits as keep every state. One change that fails stops no other. Raises Damaged."""
    overlay = Overlay(base)
    drafts: list[Draft] = []
    outcomes: list[int | ConvergeError | None] = []
    for change in changes:
        try:
            files = _differences(change, overlay)
        except Damaged:
            raise
        except ConvergeError as error:
            outcomes.append(error)
            continue
        if not files:
            outcomes.append(None)
            continue
        if not drafts or not drafts[-1].files.keys().isdisjoint(files):
            _finish(drafts, overlay, finish)
            drafts.append(Draft())
        drafts[-1].changes.append(change)
        drafts[-1].files |= files
        overlay.write(files)
        outcomes.append(len(drafts) - 1)
    _finish(drafts, overlay, finish)
    return Drafted(tuple(drafts), tuple(outcomes))


def _differences(change: Change, overlay: Overlay) -> dict[str, bytes | None]:
    files = change.derive(overlay)
    for path in files:
        check_path(path)
        if files[path] is not None and not overlay.has(path) and overlay.names(path):
            raise Stalled(f"{path}: there is a folder of that name on the branch")
    return overlay.differences(files)


def _finish(drafts: list[Draft], overlay: Overlay, finish: Finish | None) -> None:
    if drafts and finish is not None:
        drafts[-1].finished = overlay.differences(finish(overlay))
        overlay.write(drafts[-1].finished)


def compose_message(changes: Sequence[Change], *, suffix: str = "", subject: str = SUMMARY) -> str:
    """Write a commit's message: one change as a person would; several with a block each, none left out."""
    changes = [one for one in changes if not (isinstance(one, Aside) and one.is_aside)] or changes
    subjects = [_one_line(change.subject) or "Update" for change in changes]
    trailers = [_trailers(change) for change in changes]
    more = f" and {len(changes) - 1} more" if len(changes) > 1 else ""
    head = f"{_one_line(subject).replace(SUMMARY, f'{subjects[0]}{more}')} {suffix}".rstrip()
    if len(changes) == 1:
        return "\n\n".join(filter(None, (head, _body(changes[0]), trailers[0]))) + "\n"
    blocks = [f"{subject}\n{block}".rstrip() for subject, block in zip(subjects, trailers, strict=True)]
    return "\n\n".join((head, *blocks)) + "\n"


def _body(change: Change) -> str:
    """Give what a change says in paragraphs; control characters that are no line breaks are left out."""
    text = change.body if isinstance(change, Explained) else ""
    return "\n".join(CONTROL.sub(" ", line).rstrip() for line in text.strip().splitlines())


def _trailers(change: Change) -> str:
    return "\n".join(f"{TRAILER_KEY.sub('-', key)}: {_one_line(value)}" for key, value in change.trailers)


def _one_line(text: str) -> str:
    return CONTROL.sub(" ", text).strip()[:SUBJECT_LIMIT]


def _join(directory: str, name: str) -> str:
    return f"{directory}/{name}" if directory else name
