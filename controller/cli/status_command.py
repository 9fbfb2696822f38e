"""`converge status`: what the records branch says of the fleet."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

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
from controller.model import Stalled, SyncStatus

if TYPE_CHECKING:
    from controller.git import GitTree

COLOURS = {
    SyncStatus.SYNCED: "green",
    SyncStatus.FAILED: "red",
    SyncStatus.DRIFTED: "yellow",
    SyncStatus.PENDING: "yellow",
    SyncStatus.AWAITING_APPROVAL: "yellow",
    SyncStatus.SYNCING: "blue",
}


@click.command("status")
@click.argument("groups", nargs=-1, metavar="[ENV | ENV/APP]...")
@platform_options
@output_option
def command(*, groups: tuple[str, ...], platform: PlatformOptions, output: str) -> None:
    """Show what the records branch says of the fleet: no cluster is asked.

    Exit code: 0 all is Synced, 1 something failed, 3 something is pending, 4 something has drifted.
    """
    sys.exit(run_async(_status(groups, platform, output)))


async def _status(wanted: Sequence[str], platform: PlatformOptions, output: str) -> int:
    from controller.cli.showing import print_json  # noqa: PLC0415
    from controller.cli.wiring import records_tree  # noqa: PLC0415

    found = list(statuses(await records_tree(platform), wanted))
    if output == "json":
        print_json(found)
    else:
        for status in found:
            _print(status)
    placements = [one for status in found for one in status["placements"]]
    codes = {_code(SyncStatus(one["sync"])) for one in placements}
    return next((code for code in (FAILED, DRIFTED, PENDING) if code in codes), FINE)


def statuses(tree: GitTree, wanted: Sequence[str]) -> Iterable[Any]:
    """Read the status files, all or those that are named. Raises Stalled for a name that has none."""
    from controller.git import BranchFiles  # noqa: PLC0415
    from controller.records import statuses as recorded  # noqa: PLC0415

    found = False
    for status in recorded(BranchFiles(tree)):
        environment, application = status["metadata"]["environment"], status["metadata"]["application"]
        if not wanted or environment in wanted or f"{environment}/{application}" in wanted:
            found = True
            yield status
    if wanted and not found:
        raise Stalled(f"{', '.join(wanted)}: the records know no such environment or application")


def _print(status: Any) -> None:
    from controller.records import tally  # noqa: PLC0415

    group = f"{status['metadata']['environment']}/{status['metadata']['application']}"
    if differing := tally(status["placements"]):
        click.echo(f"{group}: {differing}")
    for placement in status["placements"]:
        sync = SyncStatus(placement["sync"])
        revision = (placement.get("applied") or {}).get("application", "")[:8] or "-"
        click.echo(
            f"{group + '@' + placement['target']:<36} {click.style(f'{sync:<17}', fg=COLOURS.get(sync))}"
            f"{placement['health']:<12} {revision:<9} since {placement['since']}"
        )
        for line in (placement.get("reason") or "").splitlines():
            click.echo(f"    {line}")
        if hand := placement.get("byHand"):
            click.echo(f"    applied by hand by {hand['by']} at {hand['at']}: {hand['why']}")
        for drift in placement.get("drift") or ():
            who = drift.get("manager") or "nobody the server can name"
            state = "put back" if drift.get("corrected") else "as it is"
            click.echo(f"    drift: {drift.get('object', '')} {drift['field']} by {who}, {state}")
        for ignored in placement.get("ignored") or ():
            what = f"{ignored['kind']} {ignored['name']}"
            click.echo(f"    ignored: {what} {ignored['field']} ({ignored['why']})")


def _code(sync: SyncStatus) -> int:
    match sync:
        case SyncStatus.FAILED | SyncStatus.UNKNOWN:
            return FAILED
        case SyncStatus.DRIFTED:
            return DRIFTED
        case SyncStatus.SYNCED:
            return FINE
        case _:
            return PENDING
