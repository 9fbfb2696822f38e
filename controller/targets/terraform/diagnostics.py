"""What terraform says went wrong, sorted by what happens next. Pure.

`plan` and `apply` say it as JSON lines with the place in a file; other commands in English, of which only the message
is passed on. Nothing is decided by English but what kind of trouble with the world it is, and in doubt a human looks.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from controller.model import ConvergeError, Invalid, Position, Problem, Stalled, Transient
from controller.runtime import Completed
from controller.targets.terraform.source import Source

_LONGEST: Final = 1_500  # characters of a told message
# What goes away by itself: the network, a back-end or an API that is away or busy, a provider that died.
_PASSING: Final = re.compile(
    r"connection refused|connection reset|no such host|i/o timeout|timeout exceeded|TLS handshake|unexpected EOF"
    r"|context deadline exceeded|Client\.Timeout|temporar(?:y|ily)|\b(?:429|500|502|503|504)\b|throttl|rate exceeded"
    r"|too many requests|RequestLimitExceeded|plugin did not respond|plugin exited|transport is closing"
    r"|Request cancelled"
    r"|network is unreachable|no route to host|Failed to (?:load|persist|save|read|get) state|giving up after"
    r"|Plugin error",
    re.IGNORECASE,
)
_LOCK: Final = re.compile(r"state lock|Lock Info|already locked", re.IGNORECASE)
_STALE: Final = re.compile(r"saved plan is stale|Saved plan does not match", re.IGNORECASE)
_LOCK_FIELD: Final = re.compile(r"^\s*(ID|Who|Created|Operation|Path):\s*(.*?)\s*$", re.MULTILINE)
_HELD: Final = re.compile(r"already locked: ID=(\S+)")
_FRAME: Final = re.compile(r"^[╷╵│|]\s?", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Lock:
    """Who holds a state, as its lock says."""

    id: str
    who: str  # user@host
    created: str
    operation: str = ""

    def __str__(self) -> str:
        since = f" since {self.created}" if self.created else ""
        return f"lock {self.id} of {self.who or 'somebody'}{since}"


class Locked(Transient):
    """Somebody else holds the state's lock."""

    def __init__(self, lock: Lock) -> None:
        self.lock = lock
        super().__init__(
            f"the state is locked: {lock}. It is tried again; if whoever holds it is gone, "
            f"break it with `terraform force-unlock {lock.id}`",
            retry_after_seconds=15.0,
        )


class StalePlan(Transient):
    """The state moved after the plan was made: it is planned again."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    summary: str
    detail: str = ""
    address: str = ""
    file: str = ""  # in the work folder
    line: int = 0

    @property
    def text(self) -> str:
        detail = " ".join(self.detail.split())
        text = f"{self.summary}: {detail}" if detail else self.summary
        return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


@dataclass(frozen=True, slots=True)
class Told:
    """What a command with `-json` told: errors, and what became of each resource by what was done with it."""

    errors: tuple[Diagnostic, ...]
    done: Mapping[str, frozenset[str]]  # address → actions that came to their end
    failed: frozenset[str]


@dataclass(frozen=True, slots=True)
class Progress:
    """What a running apply tells of one resource. `step` is started, goes on, done or failed."""

    address: str
    action: str  # create, update, delete, read
    step: str
    seconds: float  # since it started


_STEPS: Final = {
    "apply_start": "started",
    "apply_progress": "goes on",
    "apply_complete": "done",
    "apply_errored": "failed",
}


def progress_of(line: bytes) -> Progress | None:
    """Read a line of `apply -json` ("Machine-Readable UI" in its documents); None where it is about something else."""
    for told in _lines(line):
        step = _STEPS.get(str(told.get("type")))
        hook = told.get("hook") or {}
        address = str((hook.get("resource") or {}).get("addr", ""))
        if step and address:
            return Progress(address, str(hook.get("action", "")), step, float(hook.get("elapsed_seconds", 0.0)))
    return None


def hear(completed: Completed) -> Told:
    """Read the JSON lines of a plan or an apply; lines that are none are passed over."""
    errors: list[Diagnostic] = []
    done: dict[str, frozenset[str]] = {}
    failed: set[str] = set()
    for line in _lines(completed.stdout):
        match line.get("type"):
            case "diagnostic" if (found := line.get("diagnostic") or {}).get("severity") == "error":
                errors.append(_diagnostic(found))
            case "apply_complete" | "apply_errored" as kind:
                hook = line.get("hook") or {}
                address = str((hook.get("resource") or {}).get("addr", ""))
                if kind == "apply_errored":
                    failed.add(address)
                else:
                    done[address] = done.get(address, frozenset()) | {str(hook.get("action", ""))}
    return Told(tuple(errors), done, frozenset(failed))


def _lines(data: bytes) -> Iterator[dict[str, Any]]:
    for line in data.splitlines():
        try:
            value = msgspec.json.decode(line)
        except msgspec.DecodeError:
            continue
        if isinstance(value, dict):
            yield value


def _diagnostic(found: Mapping[str, Any]) -> Diagnostic:
    place = found.get("range") or {}
    start = place.get("start") or {}
    return Diagnostic(
        summary=str(found.get("summary", "")),
        detail=str(found.get("detail", "")),
        address=str(found.get("address", "")),
        file=str(place.get("filename", "")),
        line=int(start.get("line", 0)),
    )


def error_of(completed: Completed, doing: str, source: Source | None = None) -> ConvergeError:
    """Give the error of a command that failed. `doing` says what it was to do, as a clause."""
    errors = hear(completed).errors or (Diagnostic(_plain(completed)),)
    text = "\n".join(one.text for one in errors)
    if _STALE.search(text):
        return StalePlan("the state moved since the plan was made: planned again")
    if _LOCK.search(text) and (lock := read_lock("\n".join(f"{one.summary}\n{one.detail}" for one in errors))):
        return Locked(lock)
    if completed.returncode < 0 or _PASSING.search(text):
        return Transient(f"{doing}: {text}")
    placed = [one for one in errors if one.file]
    if source is not None and placed:
        return Invalid(_problem(one, source) for one in errors)
    return Stalled(f"{doing}: {text}")


def problems_text(errors: Iterable[Diagnostic]) -> str:
    return "; ".join(one.text for one in errors)


def read_lock(text: str) -> Lock | None:
    """Read the holder of a lock from an error's text."""
    found = dict(_LOCK_FIELD.findall(_FRAME.sub("", text)))
    if not found.get("ID"):
        return None
    held = _HELD.search(text)
    if held is not None and held[1] != found["ID"]:
        return Lock(held[1], "", "")  # the `http` back-end shows the lock that was asked for, not the one that is held
    return Lock(found["ID"], found.get("Who", ""), found.get("Created", ""), found.get("Operation", ""))


def _problem(one: Diagnostic, source: Source) -> Problem:
    path = posixpath.normpath(posixpath.join(source.root, one.file)) if one.file else source.root
    return Problem(Position(source.origin_of(path), one.line), one.text, one.address)


def _plain(completed: Completed) -> str:
    """Give the English of a failed command, without its frame; where it was killed, that."""
    if completed.returncode < 0:
        return f"{completed.program} was killed by signal {-completed.returncode}"
    text = completed.error_text or completed.stdout.decode(errors="replace").strip()
    return " ".join(_FRAME.sub("", text).split()).removeprefix("Error: ") or f"it ended with {completed.returncode}"
