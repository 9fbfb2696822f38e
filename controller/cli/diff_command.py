"""`converge diff`: live against desired, for people."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click

from controller.cli.committing import group_of
from controller.cli.options import (
    DRIFTED,
    FAILED,
    FINE,
    PENDING,
    PlatformOptions,
    output_option,
    platform_options,
    run_async,
)
from controller.model import ABSENT, Action, FieldChange, Hidden, ObjectPlan, Unknown, format_path

LOOK_BACK = 50  # versions


@click.command("diff")
@click.argument("placements", nargs=-1, required=True, metavar="ENV/APP[@TARGET]... | ENV/APP VERSION VERSION")
@platform_options
@output_option
def command(*, placements: tuple[str, ...], platform: PlatformOptions, output: str) -> None:
    """Show live against desired, field by field, with who changed what; or one version against another.

    VERSION is a line's number in `converge history`, or a commit. Exit codes as those of `converge plan`; with two
    versions, 0.
    """
    if _are_versions(placements):
        group, before, after = placements
        sys.exit(run_async(_diff_versions(group, before, after, platform, output)))
    if output == "json":
        raise click.UsageError("live against desired is `converge plan --output json`")
    sys.exit(run_async(_diff(placements, platform)))


def _are_versions(arguments: Sequence[str]) -> bool:
    from controller.engine import is_version  # noqa: PLC0415

    return len(arguments) == len(("group", "before", "after")) and all(map(is_version, arguments[1:]))


async def _diff_versions(group: str, before: str, after: str, platform: PlatformOptions, output: str) -> int:
    from controller.cli.history_showing import differences_json, differences_lines, version_line  # noqa: PLC0415
    from controller.cli.showing import print_json  # noqa: PLC0415
    from controller.cli.wiring import records_places  # noqa: PLC0415
    from controller.engine import differences, pick, read_history  # noqa: PLC0415

    of = group_of(group)
    places = await records_places(platform)
    found = (await read_history(places.records, places.records_head, of, limit=LOOK_BACK)).versions
    older, newer = pick(found, before), pick(found, after)
    changes = await differences(places.platform, places.mirrors, of, older, newer, workshop=places.workshop)
    if output == "json":
        print_json(differences_json(changes))
        return FINE
    for one in (older, newer):
        click.echo(version_line(found.index(one), one))
    for line in differences_lines(changes):
        click.echo(line)
    return FINE


async def _diff(wanted: Sequence[str], platform: PlatformOptions) -> int:
    from controller.cli.wiring import look_once  # noqa: PLC0415
    from controller.engine import plan_all  # noqa: PLC0415

    snapshot, open_target = await look_once(platform)
    planned = await plan_all(snapshot, snapshot.select(wanted), open_target, done=lambda _one: None)
    code = FINE
    for one in planned:
        if one.plan is None:
            click.echo(click.style(f"{one.placement}: {one.error}", fg="red"), err=True)
            code = FAILED
            continue
        click.echo(click.style(str(one.placement), bold=True))
        for line in _lines(one.plan.objects):
            click.echo(line)
        if code is not FAILED:
            code = max(code, DRIFTED if one.plan.drifted else PENDING if one.plan.pending else FINE)
    return code


def _lines(objects: Iterable[ObjectPlan]) -> Iterable[str]:
    quiet = True
    for one in objects:
        match one.action:
            case Action.NOTHING:
                continue
            case Action.CREATE:
                yield click.style(f"  + {one.key}: not on the target", fg="green")
            case Action.DELETE:
                yield click.style(f"  - {one.key}: no longer in git", fg="red")
            case Action.CHANGE | Action.REPLACE:
                yield click.style(f"  ~ {one.key}", fg="yellow")
                for change in one.changes:
                    yield from _field(change)
        quiet = False
    if quiet:
        yield "  live is as git says"


def _field(change: FieldChange) -> Iterable[str]:
    from controller.cli.showing import editor_text  # noqa: PLC0415

    by = f"   {editor_text(change.editor)}" if change.cause == "drift" else ""
    yield f"      {format_path(change.path)}{click.style(by, dim=True)}"
    if isinstance(change.before, dict | list) and isinstance(change.after, dict | list):
        yield from _inside(change.before, change.after)
        return
    for sign, colour, value in (("-", "red", change.before), ("+", "green", change.after)):
        if value is not ABSENT:
            yield click.style(f"        {sign} {_text(value)}", fg=colour)


def _inside(before: Any, after: Any) -> Iterable[str]:
    """Show what differs inside a field that the server knows only whole (an atomic list or map)."""
    from deepdiff import DeepDiff  # noqa: PLC0415  # 10 ms a pair: for one person, one field

    for line in DeepDiff(before, after, verbose_level=2).pretty().splitlines():
        yield f"        {line}"


def _text(value: Any) -> str:
    import orjson  # noqa: PLC0415

    return str(value) if isinstance(value, Hidden | Unknown) else orjson.dumps(value).decode()
