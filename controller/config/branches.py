"""Who writes to which branch. Each of what the controller writes needs one that nobody else writes to or follows.

An export deletes whatever else is on its branch, states are kept from whoever reads records, and a controller that
followed what it writes would never rest (rule 8).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

from controller.config.complaint import quoted
from controller.config.draft import Draft, applications
from controller.config.node import Node
from controller.model import Problem, Records, Tree

DEFAULT_RECORDS: Final = Records()
DEFAULT_STATE_BRANCH: Final = "converge-state"
Branch: TypeAlias = tuple[str, str]  # where, and the branch's name


def records_are_not_followed(draft: Draft, _tree: Tree) -> Iterator[Problem]:
    """Hold what applications follow against where records go."""
    if draft.platform is None:
        return
    records = _records(draft)
    for _, _, entry in applications(draft):
        if _followed(draft, entry) == records:
            what = f"{quoted(records[1])} is the branch that records are written to"
            yield entry.get("revision").problem(what, "Follow another branch, or move the records.")


def states_are_said_once(draft: Draft, _tree: Tree) -> Iterator[Problem]:
    """Hold `stateInGit` against a second word for where a state is."""
    for environment in draft.environments.values():
        for target in environment.targets.values():
            said = target.get("terraform")
            kept = said.get("stateInGit")
            if said.get("backend").text("type") == "git":
                what = "Terraform has no back-end of this name"
                yield said.get("backend").get("type").problem(what, "Write `stateInGit` in place of `backend`.")
            if kept.value is not None and said.get("backend").value is not None:
                what = "beside `backend`, which says where states are, too"
                yield kept.problem(what, "Keep one of them.", of_key=True)


def branches_are_apart(draft: Draft, _tree: Tree) -> Iterator[Problem]:
    """Refuse a second user of a branch that something else is written to, or followed on."""
    if draft.platform is None:
        return
    records, home = _records(draft), draft.platform.get("spec", "records").text("repository")
    followed: dict[Branch, str] = {}
    for _, name, entry in applications(draft):
        followed.setdefault(_followed(draft, entry), name)
    states: dict[Branch, str] = {}
    for kept in _kept_states(draft):
        branch = (records[0], kept.text("branch", DEFAULT_STATE_BRANCH))
        place = kept.get("branch") if kept.text("branch") else kept
        states.setdefault(branch, str(place.origin()))
        if branch == records:
            what = f"{quoted(branch[1])} is the branch that records are written to"
            yield place.problem(what, "Name another branch: whoever reads records need not read states.")
        elif branch in followed:
            yield place.problem(f"{quoted(branch[1])} is followed by an application", "Name another branch.")
    taken = {
        **{branch: f"application {name}" for branch, name in followed.items()},
        **{branch: f"the Terraform states of {where}" for branch, where in states.items()},
        records: "records",
    }
    yield from _exports_apart(draft, home, taken)


def _exports_apart(draft: Draft, home: str, taken: dict[Branch, str]) -> Iterator[Problem]:
    assert draft.platform is not None  # noqa: S101  # whoever calls has looked
    for name, node in draft.platform.get("spec").named("exports").items():
        if not node.text("branch"):
            continue
        branch = (_place(draft, node.text("repository", home)), node.text("branch"))
        other = taken.setdefault(branch, name)
        if other != name:
            yield node.get("branch").problem(f"{quoted(branch[1])} is the branch of {other}", "Name another one.")


def _kept_states(draft: Draft) -> Iterator[Node]:
    for environment in draft.environments.values():
        for target in environment.targets.values():
            kept = target.get("terraform").get("stateInGit")
            if kept.value is not None:
                yield kept


def _records(draft: Draft) -> Branch:
    assert draft.platform is not None  # noqa: S101  # whoever calls has looked
    records = draft.platform.get("spec", "records")
    return _place(draft, records.text("repository")), records.text("branch", DEFAULT_RECORDS.branch)


def _followed(draft: Draft, entry: Node) -> Branch:
    return _place(draft, entry.text("repository")), entry.text("revision").removeprefix("refs/heads/")


def _place(draft: Draft, repository: str) -> str:
    """Tell repositories apart by their URL, since one may have two names; the platform's own has none here: ""."""
    known = draft.repositories.get(repository)
    return known.text("url") if known else repository
