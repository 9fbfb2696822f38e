"""The one gate that every write to a target passes (rule 5): what of a plan may be done now, and why not the rest.

Pure. Only this module makes a `Permitted` plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from controller.engine.judging import Judged
from controller.model import (
    Action,
    Application,
    Barrier,
    ByHand,
    Cause,
    Digest,
    ObjectPlan,
    OnDrift,
    OnPending,
    Permitted,
    Plan,
    State,
    Wait,
    WaitKind,
)
from controller.targets import consent_of

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What the gate knows besides the plan."""

    application: Application
    approved: frozenset[Digest] = frozenset()  # plan hashes that have their yes in git
    judged: Judged = field(default_factory=Judged)  # what those lack that have not
    closed_window: Wait | None = None  # why no sync may start now
    order: tuple[Wait, ...] = ()  # what goes first: it holds what is pending, and nothing else
    fights: frozenset[str] = frozenset()  # keys of objects whose correction is damped, as text
    now: datetime = _EPOCH
    since: datetime = _EPOCH  # when the plan became what it is
    by_hand: ByHand | None = None  # somebody who applies past the controller, and past what

    def passes(self, barrier: Barrier) -> bool:
        """Tell whether somebody passes a barrier by hand."""
        return self.by_hand is not None and self.by_hand.passes(barrier)

    def is_approved(self, plan: Plan) -> bool:
        """Tell whether a plan has its yes, or somebody goes without."""
        return plan.hash in self.approved or self.passes(Barrier.APPROVAL)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What may be done now; the rest is told by what it takes: a yes in git, or somebody who resolves a conflict."""

    permitted: Permitted
    awaits_approval: bool
    is_refused: bool  # the target objects to a change, and no approval helps
    reasons: tuple[str, ...]
    waits: tuple[Wait, ...] = ()  # what ends by itself or by people, among these


Rule: TypeAlias = Callable[[ObjectPlan, Plan, Situation], str]


def _choice(_one: ObjectPlan, plan: Plan, situation: Situation) -> str:
    """Hold what is not the plan that was looked at, where somebody applies by hand."""
    plans = situation.by_hand.plans if situation.by_hand else None
    wanted = plans.get(plan.placement.target) if plans is not None else None
    return "" if wanted in (None, plan.hash) else f"not applied by hand: the plan is {plan.hash}"


def _suspension(_one: ObjectPlan, _plan: Plan, situation: Situation) -> str:
    return "suspended" if situation.application.suspend and not situation.passes(Barrier.SUSPENSION) else ""


def _window(_one: ObjectPlan, _plan: Plan, situation: Situation) -> str:
    is_closed = situation.closed_window is not None and not situation.passes(Barrier.WINDOW)
    return situation.closed_window.what if situation.closed_window and is_closed else ""


def _objection(one: ObjectPlan, _plan: Plan, _situation: Situation) -> str:
    return one.objection


def _pending_policy(one: ObjectPlan, plan: Plan, situation: Situation) -> str:
    """Tell all that holds what is pending at once: people may approve while another environment still goes first."""
    if not one.is_pending:
        return ""
    order = () if situation.passes(Barrier.ORDER) else situation.order
    return "; ".join(filter(None, (*(wait.what for wait in order), _policy(plan, situation))))


def _policy(plan: Plan, situation: Situation) -> str:
    match situation.application.sync.pending:
        case OnPending.AUTO:
            return ""
        case OnPending.APPROVE:
            return "" if situation.is_approved(plan) else f"waits for {_approval(plan, situation)}"
        case OnPending.REPORT:
            return "" if situation.passes(Barrier.REPORT) else "reported only (sync.pending: report)"


def _consent(one: ObjectPlan, plan: Plan, situation: Situation) -> str:
    """Ask for the yes that an object itself asks for (`converge/approve`); one with a time comes by itself."""
    consent = consent_of(one.manifest) if one.is_pending and one.manifest is not None else None
    if consent is None or situation.is_approved(plan):
        return ""
    until = _end(one, situation)
    if until is None:
        return f"waits for {_approval(plan, situation)}"
    moment = until.replace(microsecond=0).isoformat()
    return "" if situation.now >= until else f"waits for {_approval(plan, situation)}, until {moment}"


def _end(one: ObjectPlan, situation: Situation) -> datetime | None:
    """Say when the yes that an object asks for comes by itself; None: never."""
    consent = consent_of(one.manifest) if one.manifest is not None else None
    if consent is None or consent.seconds is None:
        return None
    return situation.since + timedelta(seconds=consent.seconds)


def is_timed(plan: Plan) -> bool:
    """Tell whether a yes to anything of a plan comes by itself, so that it matters since when the plan stands."""
    consents = (consent_of(one.manifest) for one in plan.objects if one.manifest is not None)
    return any(one is not None and one.seconds is not None for one in consents)


def _drift_policy(one: ObjectPlan, plan: Plan, situation: Situation) -> str:
    """Object to what drift alone asks for; of a mixed object the drifted fields are held instead."""
    if one.is_pending or not one.is_drifted:
        return ""
    if plan.is_whole and plan.hash in situation.approved:
        return ""  # the yes is to the plan as it was shown, what it takes back included
    if situation.passes(Barrier.REPORT):
        return ""
    match situation.application.sync.drift:
        case OnDrift.REPORT:
            return "reported only (sync.drift: report)"
        case OnDrift.PROPOSE:
            return "left as it is, and proposed to git (sync.drift: propose)"
        case OnDrift.REVERT:
            pass
    if str(one.key) in situation.fights:
        return "its correction is damped: somebody changes it back again and again"
    return ""


def _destruction(one: ObjectPlan, plan: Plan, situation: Situation) -> str:
    """Ask for a yes to what is gone for good, whatever the policy: one to this plan, or one to all there is."""
    if not one.destroys or situation.is_approved(plan):
        return ""
    if situation.application.approve_deletions or situation.application.state is State.ABSENT:
        return ""
    return f"{one.destroys}, which waits for {_approval(plan, situation)}"


def _approval(plan: Plan, situation: Situation) -> str:
    """Name the approval that is waited for, and what it lacks."""
    lack = situation.judged.lack(plan.hash).what
    return f"the approval of plan {plan.hash}" + (f": {lack}" if lack else "")


RULES: tuple[Rule, ...] = (
    _choice,
    _suspension,
    _objection,
    _window,
    _pending_policy,
    _consent,
    _destruction,
    _drift_policy,
)


def permit(plan: Plan, situation: Situation) -> Verdict:
    """Let through what every rule lets through; the rest becomes `nothing` with its reason as objection.

    Of a plan that is applied whole or not at all, one objection stops everything; its correction may still pass.
    """
    verdict = _permit_each(plan, situation)
    if not plan.is_whole or not verdict.reasons:
        return verdict
    if plan.correction is not None and not (found := _permit_each(plan.correction, situation)).reasons:
        return replace(verdict, permitted=_corrected(plan, found.permitted, verdict.permitted))
    return replace(verdict, permitted=_stopped(plan, verdict.permitted))


def _stopped(plan: Plan, verdicts: Plan) -> Permitted:
    """Take back what was let through of a plan that can't be parted."""
    objections = {one.key: one.objection for one in verdicts.objects}
    objects = tuple(
        replace(one, action=Action.NOTHING, objection=objections[one.key] or _WHOLE)
        if one.action is not Action.NOTHING
        else one
        for one in plan.objects
    )
    return Permitted(replace(plan, objects=objects))


def _corrected(plan: Plan, correction: Plan, verdicts: Plan) -> Permitted:
    """Give the correction, in which everything that the plan itself would do is held."""
    corrected = {one.key: one for one in correction.objects if one.action is not Action.NOTHING}
    objections = {one.key: one.objection for one in verdicts.objects}
    objects: list[ObjectPlan] = []
    for one in plan.objects:
        found = corrected.pop(one.key, None)
        if found is not None:
            pending = tuple(change.path for change in one.changes if change.cause is Cause.PENDING)
            objects.append(replace(found, held=pending))
        elif one.action is not Action.NOTHING:
            objects.append(replace(one, action=Action.NOTHING, objection=objections[one.key] or _WHOLE))
        else:
            objects.append(one)
    return Permitted(replace(correction, objects=(*objects, *corrected.values())))


_WHOLE: Final = "it is part of a plan that is applied whole"


def _permit_each(plan: Plan, situation: Situation) -> Verdict:
    permitted: list[ObjectPlan] = []
    reasons: dict[str, None] = {}  # an ordered set
    awaits = is_refused = False
    for one in plan.objects:
        reason = "" if one.action is Action.NOTHING else _first_objection(one, plan, situation)
        if reason:
            reasons[reason] = None
            awaits |= _is_for_approval(one, plan, situation)
            is_refused |= bool(one.objection) and one.action is not Action.DELETE and not one.waits
            permitted.append(replace(one, action=Action.NOTHING, objection=reason))
        else:
            permitted.append(one if plan.is_whole else _hold_drift(one, situation))
    waits = tuple(_waits(plan, situation, reasons, awaits=awaits))
    return Verdict(Permitted(replace(plan, objects=tuple(permitted))), awaits, is_refused, tuple(reasons), waits)


def _waits(plan: Plan, situation: Situation, reasons: Iterable[str], *, awaits: bool) -> Iterable[Wait]:
    """Give what the reasons wait for, for records and timers."""
    told = "; ".join(reasons)
    yield from (wait for wait in situation.order if wait.what in told)
    if situation.closed_window is not None and situation.closed_window.what in told:
        yield situation.closed_window
    if awaits:
        whom = situation.judged.lack(plan.hash).whom
        ends = (end for one in plan.objects if (end := _end(one, situation)) is not None and end > situation.now)
        what = f"waits for {_approval(plan, situation)}"
        yield Wait(kind=WaitKind.APPROVAL, what=what, whom=whom, until=min(ends, default=None))


def _first_objection(one: ObjectPlan, plan: Plan, situation: Situation) -> str:
    return next((reason for rule in RULES if (reason := rule(one, plan, situation))), "")


def _is_for_approval(one: ObjectPlan, plan: Plan, situation: Situation) -> bool:
    """Tell whether a yes in git would let it through: an approval, or one to deletions (rule 4)."""
    is_unapproved = one.is_pending and situation.application.sync.pending is OnPending.APPROVE
    return (
        (is_unapproved and not situation.is_approved(plan))
        or (one.action is Action.DELETE and bool(one.objection))
        or bool(_consent(one, plan, situation))
        or bool(_destruction(one, plan, situation))
    )


def _hold_drift(one: ObjectPlan, situation: Situation) -> ObjectPlan:
    """Keep hand-edited fields out of an apply that only our own change asks for, where drift is not reverted.

    Somebody else owns them since the edit, so that leaving them out changes nothing of them.
    """
    if one.action is not Action.CHANGE or not (one.is_pending and one.is_drifted):
        return one
    is_reverted = situation.application.sync.drift is OnDrift.REVERT and str(one.key) not in situation.fights
    if is_reverted or situation.passes(Barrier.REPORT):
        return one
    held = tuple(change.path for change in one.changes if change.cause is Cause.DRIFT)
    return replace(one, held=(*one.held, *held))
