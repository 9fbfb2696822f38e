"""Whether the yeses to plans are enough: how many people, who they are, for how long, and whose change it is. Pure.

Who said yes is told by the commit that added it, never by what stands in the file: by the principal of its signature
where the policy names signers, else by its author's address where it names those. Of one person, one yes counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from controller.engine.approvals import Approval
from controller.model import Approvals, Digest, Verify


@dataclass(frozen=True, slots=True, kw_only=True)
class Yes:
    """An approval, and the commit that added it. `signer` is its signature's principal, "" without a trusted one."""

    approval: Approval
    author: str  # the commit's author's address
    signer: str = ""
    at: datetime


@dataclass(frozen=True, slots=True)
class Lack:
    """What a plan's approval still takes."""

    what: str = ""
    whom: tuple[str, ...] = ()  # who may say yes and has not, as far as they are known by name


@dataclass(frozen=True, slots=True)
class Judged:
    """The plans that are approved, and what others lack: `needs` of those that nobody said yes to."""

    approved: frozenset[Digest] = frozenset()
    lacks: Mapping[Digest, Lack] = field(default_factory=dict)
    needs: Lack = field(default_factory=Lack)

    def lack(self, plan: Digest) -> Lack:
        return self.lacks.get(plan, self.needs)


def is_plain(rules: Approvals) -> bool:
    """Tell whether a hash in the file is enough, whoever wrote it there and when."""
    is_anybody = rules.signers is None and not rules.authors
    return is_anybody and rules.required == 1 and rules.expiry_seconds is None and rules.by_author


def judge(
    rules: Approvals, yeses: Iterable[Yes], *, now: datetime, people: tuple[str, ...] = (), authors: Iterable[str] = ()
) -> Judged:
    """Weigh yeses. `people`: who may approve, as far as the files of signers name them; `authors`: of the change."""
    excluded = frozenset() if rules.by_author else frozenset(map(str.casefold, authors))
    counted: dict[Digest, set[str]] = {}
    refused: dict[Digest, list[str]] = {}
    for one in yeses:
        who, why = _who(one, rules), _refusal(one, rules, excluded, now)
        if who and not why:
            counted.setdefault(one.approval.plan, set()).add(who)
        else:
            refused.setdefault(one.approval.plan, []).append(f"{_name(one)}'s does not count: {why or 'nobody knows'}")
    approved = frozenset(plan for plan, found in counted.items() if len(found) >= rules.required)
    candidates = tuple(one for one in people if one.casefold() not in excluded)
    lacks = {
        plan: _lack(rules, counted.get(plan, set()), refused.get(plan, ()), candidates)
        for plan in (counted.keys() | refused.keys()) - approved
    }
    return Judged(approved, lacks, _lack(rules, set(), (), candidates))


def _who(one: Yes, rules: Approvals) -> str:
    """Name the person behind a yes, in one way for each; "" where the policy does not know them."""
    if rules.signers is not None and one.signer:
        return one.signer.casefold()
    author = one.author.casefold()
    if any(fnmatchcase(author, glob.casefold()) for glob in rules.authors):
        return author
    return author if rules.signers is None and not rules.authors else ""


def _refusal(one: Yes, rules: Approvals, excluded: frozenset[str], now: datetime) -> str:
    if not one.approval.holds(now):
        return "it has expired"
    if rules.expiry_seconds is not None and one.at + timedelta(seconds=rules.expiry_seconds) < now:
        return "it has expired"
    who = _who(one, rules)
    if not who:
        return "its commit has no signature of an approver" if rules.signers else "its author is no approver"
    return "an author of the change" if excluded & {who, one.author.casefold()} else ""


def _name(one: Yes) -> str:
    return one.signer or one.author or one.approval.by or "somebody"


def _lack(rules: Approvals, have: set[str], refused: Iterable[str], candidates: tuple[str, ...]) -> Lack:
    missing = rules.required - len(have)
    if missing == 1 == rules.required and not candidates and not refused:
        return Lack()
    left = tuple(one for one in candidates if one.casefold() not in have)
    said = f"{len(have)} of {rules.required}" if have else f"{rules.required}"
    parts = [f"it needs {missing} more ({said} said yes: {', '.join(sorted(have))})" if have else f"it needs {said}"]
    parts += [f"of {', '.join(left)}"] if left else []
    return Lack("; ".join([" ".join(parts), *refused]), left)


def people_of(rules: Approvals, ssh: bytes) -> tuple[str, ...]:
    """Name who may approve, as far as the policy does: principals of an allowed-signers file, and globs of authors."""
    names: dict[str, None] = {}
    for line in ssh.decode(errors="replace").splitlines():
        if (text := line.strip()) and not text.startswith("#"):
            names |= dict.fromkeys(text.split()[0].strip('"').split(","))
    return (*names, *rules.authors)


def signers_named(rules: Approvals) -> Verify:
    return rules.signers or Verify()
