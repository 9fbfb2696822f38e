"""Which commit wrote a line: a walk back through a repository's commits, as `git blame` walks, for one line."""

from __future__ import annotations

from difflib import SequenceMatcher

from controller.git import CommitInfo, Mirror
from controller.model import ConvergeError, Origin

LOOK_BACK = 200  # commits that are fetched at most; a line older than that is told of as the oldest one


async def last_change(mirror: Mirror, origin: Origin) -> CommitInfo | None:
    """Say which commit gave a line its text: the newest one none of whose parents has the line.

    None where the commit can't be read any more.
    """
    try:
        await mirror.first_parents(origin.commit, limit=LOOK_BACK)
        here, line = await mirror.describe(origin.commit), origin.line
        for _ in range(LOOK_BACK):
            older = await _parent_with(mirror, here, origin.path, line)
            if older is None:
                return here
            here, line = older
    except ConvergeError:
        return None
    return here


async def _parent_with(mirror: Mirror, child: CommitInfo, path: str, line: int) -> tuple[CommitInfo, int] | None:
    """Find a parent that has the line, and where."""
    ours = await mirror.tree(child.commit)
    digest, text = ours.digest(path), ours.read(path)
    for parent in child.parents:
        try:
            theirs = await mirror.tree(parent)
            if theirs.digest(path) == digest:
                return await mirror.describe(parent), line
            place = line_before(theirs.read(path), text, line)
        except (ConvergeError, KeyError):  # beyond what the host gives, or before the file was there
            continue
        if place:
            return await mirror.describe(parent), place
    return None


def line_before(old: bytes, new: bytes, line: int) -> int:
    """Say which line of the old text a line of the new one was; 0 where it is new. Lines count from 1. Pure."""
    matcher = SequenceMatcher(None, old.split(b"\n"), new.split(b"\n"), autojunk=False)
    for block in matcher.get_matching_blocks():
        if block.b < line <= block.b + block.size:
            return line - block.b + block.a
    return 0
