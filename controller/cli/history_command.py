"""`converge history`: the versions of an application in an environment, newest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from controller.cli.committing import group_of
from controller.cli.options import PlatformOptions, output_option, platform_options, run_async
from controller.model import ConvergeError, GroupRef

if TYPE_CHECKING:
    from controller.cli.wiring import Places
    from controller.engine import Version
    from controller.git import CommitInfo


@click.command("history")
@click.argument("group", metavar="ENV/APP")
@click.option("--limit", "-n", type=click.IntRange(1, 1000), default=10, show_default=True, help="How many versions.")
@click.option("--fields/--no-fields", "has_fields", default=True, help="Render the versions to say what changed.")
@platform_options
@output_option
def command(*, group: str, limit: int, has_fields: bool, platform: PlatformOptions, output: str) -> None:
    """List what ran: commits, authors, what changed, how it went, how long it took, who approved.

    Read from the log of the records branch; no cluster is asked.
    """
    run_async(_history(group_of(group), limit, platform, output, has_fields=has_fields))


async def _history(group: GroupRef, limit: int, options: PlatformOptions, output: str, *, has_fields: bool) -> None:
    from controller.cli.history_showing import (  # noqa: PLC0415
        approval_lines,
        hand_lines,
        platform_json,
        platform_line,
        version_json,
        version_line,
    )
    from controller.cli.showing import print_json  # noqa: PLC0415
    from controller.cli.wiring import records_places  # noqa: PLC0415
    from controller.engine import approvals_by_version, read_approvals, read_history  # noqa: PLC0415

    places = await records_places(options)
    history = await read_history(places.records, places.records_head, group, limit=limit + 1)
    found = history.versions[:limit]
    approved = approvals_by_version(found, await read_approvals(places.platform, places.platform_head, group))
    changes = await _changes(places, group, history.versions, limit) if has_fields else [None] * len(found)
    makers = [await _maker(places, version, older) for version, older in _with_older(found, history.versions)]
    told = list(zip(found, approved, makers, changes, strict=True))
    if output == "json":
        print_json(
            [
                version_json(number, version, yeses) | platform_json(maker) | _changes_json(change)
                for number, (version, yeses, maker, change) in enumerate(told)
            ]
        )
        return
    if not found:
        click.echo(f"The records know nothing of {group}.")
    for number, (version, yeses, maker, change) in enumerate(told):
        click.echo(version_line(number, version))
        about = (*platform_line(maker), *hand_lines(version), *approval_lines(yeses))
        more = (*about, *(f"   {line}" for line in _change_lines(change)))
        for line in more:
            click.echo(line)
    if history.is_cut or len(history.versions) > limit:
        click.echo(f"There may be more: --limit {limit * 2}", err=True)


def _with_older(found: Sequence[Version], known: Sequence[Version]) -> Iterator[tuple[Version, Version | None]]:
    for number, version in enumerate(found):
        yield version, known[number + 1] if number + 1 < len(known) else None


async def _maker(places: Places, version: Version, older: Version | None) -> CommitInfo | None:
    """Give the platform commit that a version came with, where the older one came with another."""
    if older is None or older.revision.platform == version.revision.platform:
        return None
    try:
        return await places.platform.describe(version.revision.platform)
    except ConvergeError:
        return None  # the host has it no longer


async def _changes(places: Places, group: GroupRef, found: Sequence[Version], limit: int) -> list[Any]:
    """Say of each version what it changed against the one before; of the first one, nothing; or why it isn't known."""
    from controller.engine import differences  # noqa: PLC0415

    changes: list[Any] = []
    for number, version in enumerate(found[:limit]):
        if number + 1 == len(found):
            changes.append(None)
            continue
        try:
            changes.append(
                await differences(
                    places.platform, places.mirrors, group, found[number + 1], version, workshop=places.workshop
                )
            )
        except ConvergeError as error:
            changes.append(error)
    return changes


def _change_lines(change: Any) -> Sequence[str]:
    from controller.cli.history_showing import differences_lines  # noqa: PLC0415

    if isinstance(change, ConvergeError):
        return [f"  what changed is not known: {change}"]
    return list(differences_lines(change)) if change else []


def _changes_json(change: Any) -> dict[str, Any]:
    from controller.cli.history_showing import differences_json  # noqa: PLC0415

    if isinstance(change, ConvergeError):
        return {"changes": None, "why_not": str(change)}
    return {"changes": differences_json(change) if change else None}
