"""`converge show`: one version of an application in an environment, with everything that was told of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from controller.cli.committing import group_of
from controller.cli.options import PlatformOptions, output_option, platform_options, run_async
from controller.model import GroupRef

if TYPE_CHECKING:
    from controller.engine import Version

LOOK_BACK = 50  # versions


@click.command("show")
@click.argument("group", metavar="ENV/APP")
@click.argument("version", default="0", metavar="[VERSION]")
@platform_options
@output_option
def command(*, group: str, version: str, platform: PlatformOptions, output: str) -> None:
    """Show a version as the records tell it: where it ran, how it went, each object, each drift.

    VERSION is a line's number in `converge history` (0, the newest, where none is given), or a commit.
    """
    run_async(_show(group_of(group), version, platform, output))


async def _show(group: GroupRef, wanted: str, options: PlatformOptions, output: str) -> None:
    from controller.cli.history_showing import approval_lines, hand_lines, version_json, version_line  # noqa: PLC0415
    from controller.cli.showing import print_json  # noqa: PLC0415
    from controller.cli.wiring import records_places  # noqa: PLC0415
    from controller.engine import approvals_by_version, pick, read_approvals, read_history  # noqa: PLC0415

    places = await records_places(options)
    history = await read_history(places.records, places.records_head, group, limit=LOOK_BACK)
    version = pick(history.versions, wanted)
    number = history.versions.index(version)
    approved = await read_approvals(places.platform, places.platform_head, group)
    yeses = approvals_by_version([version], approved)[0]
    if output == "json":
        print_json(version_json(number, version, yeses) | {"placements": list(version.last.placements.values())})
        return
    click.echo(version_line(number, version))
    for line in (*hand_lines(version), *approval_lines(yeses), *_states(version), *_placements(version)):
        click.echo(line)


def _states(version: Version) -> Iterator[str]:
    """Tell what it went through, a line per record."""
    for state in version.states:
        told = ", ".join(f"{target} {one['sync']} {one['health']}" for target, one in sorted(state.placements.items()))
        yield f"     {state.at:%Y-%m-%d %H:%M:%S}Z  {state.commit[:8]}  {told}"


def _placements(version: Version) -> Iterator[str]:
    for target, one in sorted(version.last.placements.items()):
        yield click.style(f"  {target}: {one['sync']}, {one['health']}", bold=True) + f" since {one['since']}"
        yield from (f"    {line}" for line in (one.get("reason") or "").splitlines())
        yield from (_object(entry) for entry in one.get("objects", ()))
        yield from (_drift(entry) for entry in one.get("drift", ()))


def _object(entry: Mapping[str, Any]) -> str:
    where = f"{entry['namespace']}/" if entry.get("namespace") else ""
    said = (entry["sync"], entry["health"], entry.get("result", ""), entry.get("reason", ""))
    return f"    {entry['kind']} {where}{entry['name']}: {', '.join(filter(None, said))}"


def _drift(entry: Mapping[str, Any]) -> str:
    who = entry.get("manager") or "nobody the server can name"
    state = "put back" if entry.get("corrected") else "as it is"
    return f"    drift: {entry['kind']} {entry['name']} {entry['field']} by {who}, {state}"
