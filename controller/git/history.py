"""What a commit says of itself. Pure: read from the object's own bytes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from controller.model import CommitId

PERSON = re.compile(r"(?P<name>.*?) ?<(?P<email>[^>]*)> (?P<seconds>-?\d+) [-+]\d{4}$")
LATEST_SECONDS = 253_402_300_799  # the last second of the year 9999: what a datetime holds


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitInfo:
    """`authored` is when and by whom it was written; `committed` when it came to be this commit (a merge, a rebase)."""

    commit: CommitId
    tree: str
    parents: tuple[CommitId, ...]  # the true ones, also where a shallow mirror ends
    author: str
    email: str
    authored: datetime
    committed: datetime
    subject: str
    message: str


def parse_commit(commit: CommitId, data: bytes) -> CommitInfo:
    """Read a commit object (header lines, an empty line, the message)."""
    head, _, body = data.partition(b"\n\n")
    headers: list[tuple[str, str]] = []
    # A line that begins with a space continues the one before (a signature).
    for line in head.decode(errors="replace").split("\n"):
        if not line.startswith(" "):
            name, _, value = line.partition(" ")
            headers.append((name, value))
    fields = dict(headers)
    author, email, authored = _person(fields.get("author", ""))
    message = _decoded(body, fields.get("encoding", "utf-8"))
    return CommitInfo(
        commit=commit,
        tree=fields.get("tree", ""),
        parents=tuple(CommitId(value) for name, value in headers if name == "parent"),
        author=author,
        email=email,
        authored=authored,
        committed=_person(fields.get("committer", ""))[2],
        subject=message.strip().split("\n", 1)[0].strip(),
        message=message,
    )


def _person(text: str) -> tuple[str, str, datetime]:
    match = PERSON.match(text)
    if match is None:
        return text, "", datetime.fromtimestamp(0, UTC)
    seconds = min(max(int(match["seconds"]), 0), LATEST_SECONDS)
    return match["name"], match["email"], datetime.fromtimestamp(seconds, UTC)


def _decoded(body: bytes, encoding: str) -> str:
    try:
        return body.decode(encoding, errors="replace")
    except LookupError:
        return body.decode(errors="replace")
