"""A push, and what its answer means. Pure."""

from __future__ import annotations

import re
from enum import StrEnum

from controller.git.command import Answer
from controller.git.failures import failure, said
from controller.model import CommitId, Stalled, Transient


class PushResult(StrEnum):
    ACCEPTED = "accepted"
    OUTRUN = "outrun"  # somebody else was there first: fetch, derive again, push again


# `git push --porcelain` says `<flag>TAB<from>:<to>TAB<summary> (<reason>)`; the reasons are those of builtin/push.c,
# builtin/send-pack.c and builtin/receive-pack.c.
UPDATED = re.compile(r"^[ *]\t", re.MULTILINE)
REJECTED = re.compile(
    r"^!\t[^\t]*\t\[(?P<by>rejected|remote rejected|remote failure)\] \((?P<reason>.*)\)", re.MULTILINE
)
RACE = re.compile(
    r"fetch first|non-fast-forward|stale info|needs force|failed to (update ref|lock)|cannot lock ref"
    r"|incorrect old value|reference already exists|shallow update not allowed|atomic"
)
FULL = re.compile(r"unpacker error|no space left|quota|timeout|timed out", re.IGNORECASE)


def push_args(url: str, commit: CommitId, ref: str) -> tuple[str, ...]:
    """Give the arguments of a plain push: never forced, so it only ever adds to what is there."""
    return ("push", "--porcelain", "--no-verify", "--", url, f"{commit}:{ref}")


def read_push(answer: Answer, *, what: str) -> PushResult:
    """Tell how a push went. Raises Stalled with the remote's words where it refuses, Transient where it is away."""
    if answer.status == 0:
        # Two writers who say the same over the same head in the same second make the same commit. The second of them
        # finds it there already: it is the other's, and what ours says comes after it.
        return PushResult.ACCEPTED if UPDATED.search(answer.stdout.decode(errors="replace")) else PushResult.OUTRUN
    match = REJECTED.search(answer.stdout.decode(errors="replace"))
    if match is None:
        raise failure(what, answer)
    words = f"{match['reason']}: {said(_of_remote(answer.stderr))}"
    if FULL.search(words):
        raise Transient(f"{what}: {words}")
    if match["by"] == "rejected" or RACE.search(match["reason"]):
        return PushResult.OUTRUN
    raise Stalled(f"{what}: the host refuses it ({words}). Let the credential push there, or name another branch")


def _of_remote(stderr: str) -> str:
    return "\n".join(line.removeprefix("remote:") for line in stderr.splitlines() if line.startswith("remote:"))
