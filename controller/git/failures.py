"""What git's words mean: whether a human must act, and what to do. Pure.

git tells by text alone; LC_ALL=C keeps the text still. What is not known here is taken for a hiccup of the world.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from controller.git.command import Answer
from controller.model import ConvergeError, Stalled, Transient

WORDS_LIMIT = 600  # of what a remote said, in a message


class CommitGone(Stalled):
    """The host doesn't have the commit (any more)."""


@dataclass(frozen=True, slots=True)
class Rule:
    pattern: re.Pattern[str]
    advice: str  # what a human does about it; "" when nothing: it is tried again


def _rule(pattern: str, advice: str = "") -> Rule:
    return Rule(re.compile(pattern, re.IGNORECASE), advice)


FULL = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)
# The first that is found counts.
RULES = (
    _rule(r"returned error: (5\d\d|429|408)"),
    Rule(FULL, ""),
    _rule(r"could not resolve host|connection (refused|timed out|reset)|early eof|hung up unexpectedly"),
    _rule(
        r"authentication failed|could not read (username|password)|returned error: 401",
        "The host wants a credential that it knows: name one under `credentials`, or renew its token or password",
    ),
    _rule(r"returned error: 403|access denied|not authori[sz]ed", "Let the credential's user read (or push to) it"),
    _rule(
        r"host key verification failed|no \S+ host key is known",
        "Put the host's public key into the credential's known_hosts (`ssh-keyscan HOST`, and compare)",
    ),
    _rule(r"permission denied \(|load key ", "Add the credential's public key to the host, and check ssh-privatekey"),
    _rule(
        r"certificate (problem|verification failed)|certificate verify failed|unable to get local issuer",
        "Put the authority that signed the host's certificate into the credential's ca.crt",
    ),
    _rule(r"dubious ownership", "Give the repository's folder to the user that runs Converge, or serve it by https://"),
    _rule(r"error: 30[1278]|url base from redirection", "The host has moved the repository: write its new URL"),
    _rule(
        r"not found|does not (exist|appear to be a git repository)|no such file or directory|returned error: 4\d\d",
        "Check the URL, and that the credential may read it (hosts hide what one may not read)",
    ),
)
GONE = re.compile(r"not our ref|couldn't find remote ref [0-9a-f]{40}|did not contain [0-9a-f]{40}", re.IGNORECASE)
NOT_ADVERTISED = re.compile(r"unadvertised object", re.IGNORECASE)
DAMAGED = re.compile(
    r"bad object|corrupt|missing (blob|tree|commit)|unable to (read|parse)|inflate|bad (index|pack|shallow)|garbage"
    r"|unresolved delta|loose object|packfile|not a git repository|did not send all necessary objects|\S+ is empty",
    re.IGNORECASE,
)


def failure(what: str, answer: Answer) -> ConvergeError:
    """Sort a failed command by what happens next; `what` says what was tried, and where."""
    if answer.is_overdue:
        return Transient(f"{what}: no answer in time")
    words = said(answer.stderr)
    if GONE.search(answer.stderr):
        return CommitGone(f"{what}: the host has not got that commit (any more). Was a branch force-pushed? ({words})")
    for rule in RULES:
        if rule.pattern.search(answer.stderr):
            return Stalled(f"{what}: {words}. {rule.advice}") if rule.advice else Transient(f"{what}: {words}")
    return Transient(f"{what}: {words}")


def is_damage(answer: Answer) -> bool:
    """Tell whether the mirror on our disk is what failed, and not the remote."""
    if FULL.search(answer.stderr):
        return False  # what could not be written whole is not broken, and fetching it again would need the room too
    lines = answer.stderr.splitlines()
    return any(DAMAGED.search(line) for line in lines if not line.startswith("remote:") and "remote error" not in line)


def said(stderr: str) -> str:
    """Give the telling part of git's words, on one line."""
    lines = [line.removeprefix("fatal: ").removeprefix("error: ").strip() for line in stderr.splitlines()]
    return "; ".join(dict.fromkeys(filter(None, lines)))[:WORDS_LIMIT] or "git said nothing"
