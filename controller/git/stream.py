"""Commits as a `git fast-import` stream: built without a work tree or an index, any number in one process.

Pure; the format is git-fast-import(1), "INPUT FORMAT".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from controller.model import CommitId, Stalled

FAST_IMPORT_ARGS = ("fast-import", "--quiet", "--force", "--done", "--date-format=raw")
FORBIDDEN = re.compile(r"\0|(?:\A|/)(?:|\.|\.\.|\.git)(?:/|\Z)", re.ASCII | re.IGNORECASE)  # names of no file
PLAIN_PATH = re.compile(rb'[^"\n\\][^\n\\]*')


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a commit is by."""

    name: str
    email: str

    def __str__(self) -> str:
        return f"{_without_markup(self.name)} <{_without_markup(self.email)}>"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file as git keeps it: `100644`, `100755`, `120000` (a link, its target as data) or `160000` (a commit id)."""

    data: bytes
    mode: str = "100644"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCommit:
    """One commit to make. Files that are not named stay as they are on the parent; None deletes."""

    parent: CommitId | None  # None: the previous commit of the same stream, or none at all
    message: str
    author: Identity
    at: datetime
    files: Mapping[str, Entry | None]


def import_stream(ref: str, commits: Sequence[NewCommit]) -> bytes:
    """Write a chain of commits that ends at `ref`; the answer has one commit id per line, in their order.

    Raises Stalled for a path that git can't hold (`..`, `.git`, an empty name).
    """
    return b"".join(_commands(ref, commits))


def _commands(ref: str, commits: Sequence[NewCommit]) -> Iterator[bytes]:
    for mark, commit in enumerate(commits, start=1):
        who = f"{commit.author} {int(commit.at.timestamp())} +0000"
        yield f"commit {ref}\nmark :{mark}\nauthor {who}\ncommitter {who}\n".encode()
        yield _data(commit.message.encode())
        if commit.parent is not None:
            yield f"from {commit.parent}\n".encode()
        elif mark > 1:
            yield f"from :{mark - 1}\n".encode()
        for path, entry in commit.files.items():
            yield from _file(path, entry)
        yield f"\nget-mark :{mark}\n".encode()
    yield b"done\n"


def _file(path: str, entry: Entry | None) -> Iterator[bytes]:
    quoted = _quoted(path)
    if entry is None:
        yield b"D " + quoted + b"\n"
    elif entry.mode == "160000":
        yield b"M 160000 " + entry.data + b" " + quoted + b"\n"
    else:
        yield b"M " + entry.mode.encode() + b" inline " + quoted + b"\n"
        yield _data(entry.data)


def _data(content: bytes) -> bytes:
    return b"data %d\n%b\n" % (len(content), content)


def check_path(path: str) -> None:
    """Raise Stalled for what can't be a file's path in a repository."""
    if FORBIDDEN.search(path):
        raise Stalled(f'{path!r} can\'t be a path in a repository: no empty name, no ".", ".." or ".git" in it')


def _quoted(path: str) -> bytes:
    check_path(path)
    raw = path.encode(errors="surrogateescape")
    if PLAIN_PATH.fullmatch(raw):
        return raw
    escaped = raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return b'"' + escaped + b'"'


def _without_markup(text: str) -> str:
    return re.sub(r"[<>\x00-\x1f]", "", text).strip()
