"""What became of each object of an applied plan. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from controller.model import Action, ConvergeError, ObjectPlan, Outcome, Plan, Result
from controller.targets.terraform.diagnostics import Told

_RESULTS: Final[Mapping[Action, Result]] = {
    Action.CREATE: Result.CREATED,
    Action.CHANGE: Result.CONFIGURED,
    Action.REPLACE: Result.CONFIGURED,
    Action.DELETE: Result.PRUNED,
    Action.NOTHING: Result.UNCHANGED,
}
_LONGEST: Final = 300


def outcomes_of(plan: Plan, told: Told, error: ConvergeError | None) -> tuple[Outcome, ...]:
    """Give an outcome per object that the plan changes. What a failed apply did not tell of was not begun."""
    return tuple(_outcomes(plan, told, error))


def _outcomes(plan: Plan, told: Told, error: ConvergeError | None) -> Iterator[Outcome]:
    for one in plan.objects:
        if one.action is Action.NOTHING:
            continue
        if error is None or _is_done(one, told):
            yield Outcome(one.key, _RESULTS[one.action])
        elif one.key.name in told.failed:
            yield Outcome(one.key, Result.FAILED, _reason(one, told))
        else:
            yield Outcome(one.key, Result.SKIPPED, "not done: the apply failed before")


def _is_done(one: ObjectPlan, told: Told) -> bool:
    done = told.done.get(one.key.name, frozenset())
    if one.action is Action.REPLACE:
        return {"create", "delete"} <= done
    return bool(done) and one.key.name not in told.failed


def _reason(one: ObjectPlan, told: Told) -> str:
    found = next((found.text for found in told.errors if found.address == one.key.name), "")
    text = found or "the apply failed"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
