"""Plans, reports and problems as people read them, and as JSON. Colour comes from click, which knows terminals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import click
import orjson

from controller.model import (
    ABSENT,
    Action,
    Cause,
    Editor,
    FieldChange,
    FieldValue,
    Hidden,
    ObjectPlan,
    Plan,
    Unknown,
    format_path,
)

SIGNS = {
    Action.CREATE: ("+", "green"),
    Action.CHANGE: ("~", "yellow"),
    Action.REPLACE: ("±", "magenta"),
    Action.DELETE: ("-", "red"),
    Action.NOTHING: (" ", "white"),
}
LONGEST_VALUE = 120


def unknown_line(unknown: Sequence[str]) -> str:
    """Say why a plan is not the last word: it takes outputs that nobody gives out yet."""
    return f"takes {', '.join(unknown)}, which nobody gives out yet: it is planned anew when that is known"


def print_json(value: Any) -> None:
    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2))


def plan_lines(plan: Plan) -> Iterable[str]:
    """Show a plan, an object per paragraph: sign, key, and each field with its cause."""
    for one in plan.objects:
        if one.action is Action.NOTHING and not one.objection:
            continue
        sign, colour = SIGNS[one.action]
        yield click.style(f"  {sign} {one.key}", fg=colour) + _origin(one) + _why(one)
        if one.keeps:
            yield "      let go of: it stays on the target, without our marks"
        if one.adopts:
            yield f"      taken over from {', '.join(one.adopts)}"
        for change in one.changes:
            yield f"      {_change(change)}"
        for path, keeper in one.left_behind:
            yield f"      {format_path(path)}: stays, {keeper} keeps it"
        if one.objection:
            yield click.style(f"      not now: {one.objection}", fg="yellow")


def _origin(one: ObjectPlan) -> str:
    return click.style(f"  {one.manifest.origin}", dim=True) if one.manifest else ""


def _why(one: ObjectPlan) -> str:
    if one.is_drifted and not one.is_pending:
        return click.style("  drift", fg="red")
    return click.style("  drift and pending", fg="red") if one.is_drifted else ""


def _change(change: FieldChange) -> str:
    path = format_path(change.path)
    values = f"{_value(change.before)} → {_value(change.after)}"
    if change.cause is Cause.DRIFT:
        return f"{path}: {values}  {click.style(f'[drift, {editor_text(change.editor)}]', fg='red')}"
    return f"{path}: {values}"


def editor_text(editor: Editor | None) -> str:
    """Say who and when, as far as the server knows."""
    if editor is None:
        return "by nobody the server can name"
    time = f" at {editor.time:%Y-%m-%d %H:%M:%S}Z" if editor.time else ""
    sub = f" of {editor.subresource}" if editor.subresource else ""
    return f"by {editor.manager} ({editor.operation}{sub}){time}"


def _value(value: FieldValue) -> str:
    if value is ABSENT:
        return click.style("absent", dim=True)
    if isinstance(value, Hidden | Unknown):
        return str(value)
    text = orjson.dumps(value).decode()
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"


def plan_json(plan: Plan) -> dict[str, Any]:
    """Give a plan as JSON. Secret values stay dots."""
    return {
        "placement": str(plan.placement),
        "revision": {"application": plan.revision.application, "platform": plan.revision.platform},
        "hash": plan.hash,
        "pending": plan.pending,
        "drifted": plan.drifted,
        "objects": [_object_json(one) for one in plan.objects if one.action is not Action.NOTHING or one.objection],
    }


def _object_json(one: ObjectPlan) -> dict[str, Any]:
    key = one.key
    return {
        "object": {"group": key.group, "kind": key.kind, "namespace": key.namespace, "name": key.name},
        "action": str(one.action),
        "cause": str(one.cause),
        "origin": str(one.manifest.origin) if one.manifest else None,
        "objection": one.objection or None,
        "adopts": list(one.adopts),
        "left_behind": [{"field": format_path(path), "manager": keeper} for path, keeper in one.left_behind],
        "changes": [change_json(change) for change in one.changes],
    }


def change_json(change: FieldChange) -> dict[str, Any]:
    result: dict[str, Any] = {"field": format_path(change.path), "cause": str(change.cause)}
    for name, value in (("before", change.before), ("after", change.after)):
        if value is not ABSENT:
            result[name] = str(value) if isinstance(value, Hidden | Unknown) else value
    if change.editor is not None:
        editor = change.editor
        result["by"] = {
            "manager": editor.manager,
            "operation": editor.operation,
            "time": editor.time.isoformat() if editor.time else None,
        }
    return result


def summary(plans: Iterable[Plan], *, unplanned: int = 0) -> str:
    """Count a set of plans, as people read the last line of Terraform's, and those that could not be made."""
    counts = dict.fromkeys(Action, 0)
    pending = drifted = 0
    for plan in plans:
        pending += plan.pending
        drifted += plan.drifted
        for one in plan.objects:
            counts[one.action] += 1
    missing = f"{unplanned} could not be planned." if unplanned else ""
    if not pending and not drifted:
        return missing or "Nothing to do: live is as git says."
    verbs = ", ".join(
        f"{counts[action]} to {action}" for action in Action if action is not Action.NOTHING and counts[action]
    )
    return f"{verbs} ({pending} pending, {drifted} drifted). {missing}".rstrip()
