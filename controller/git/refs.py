"""Names of branches, tags and commits: what to ask a remote for, and which answer is meant. Pure."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Mapping, Sequence

from controller.config import check_branch
from controller.model import CommitId, Stalled

FULL_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
SHORT_ID = re.compile(r"[0-9a-f]{7,39}")
PEELED = "^{}"


def check_name(name: str) -> str:
    """Give a branch's, tag's or commit's name back. Raises Stalled for what git would refuse or take for an option."""
    if complaint := check_branch(name):
        raise Stalled(f"a branch, tag or commit: {complaint}")
    return name


def ref_patterns(revision: str) -> tuple[str, ...]:
    """Give the refs that a revision may mean, the first that exists winning; none for a full commit id."""
    if revision in {"", "HEAD"}:
        return ("HEAD",)
    if FULL_ID.fullmatch(revision):
        return ()
    check_name(revision)
    return (revision,) if revision.startswith("refs/") else (f"refs/heads/{revision}", f"refs/tags/{revision}")


def choose(revision: str, refs: Mapping[str, CommitId], *, url: str) -> CommitId:
    """Find the commit that a revision means in an advertisement. Raises Stalled where there is none."""
    patterns = ref_patterns(revision)
    if not patterns:
        return CommitId(revision)
    for name in patterns:
        if name in refs:
            return refs[name]
    if patterns == ("HEAD",):
        raise Stalled(f"{url}: the repository has no commit yet, or its default branch doesn't exist")
    hint = (
        "Write all 40 digits of a commit"
        if SHORT_ID.fullmatch(revision)
        else "Was it deleted, renamed or never pushed?"
    )
    raise Stalled(f'{url}: there is no branch or tag "{revision}". {hint}')


def read_advertisement(text: str, patterns: Sequence[str]) -> dict[str, CommitId]:
    """Read the answer of `git ls-remote`; annotated tags as the commits they stand for.

    git takes patterns for tails of names: what was not asked for is left out here.
    """
    found = [line.split("\t", 1) for line in text.splitlines() if "\t" in line]
    peeled = {name.removesuffix(PEELED): commit for commit, name in found if name.endswith(PEELED)}
    plain = {name: commit for commit, name in found if not name.endswith(PEELED)}
    return {
        name: CommitId(commit)
        for name, commit in (plain | peeled).items()
        if any(name == pattern or ("*" in pattern and fnmatch.fnmatchcase(name, pattern)) for pattern in patterns)
    }


def read_symref(text: str) -> str:
    """Read which branch `git ls-remote --symref … HEAD` says HEAD stands for, "" where it does not say."""
    for line in text.splitlines():
        name, _, of = line.removeprefix("ref: ").partition("\t")
        if line.startswith("ref: refs/heads/") and of == "HEAD":
            return name.removeprefix("refs/heads/")
    return ""


def wire_patterns(patterns: Sequence[str]) -> tuple[str, ...]:
    """Give what `git ls-remote` is asked for: the refs, and what annotated tags among them stand for."""
    return tuple(asked for name in patterns for asked in ((name, name + PEELED) if "tags/" in name else (name,)))
