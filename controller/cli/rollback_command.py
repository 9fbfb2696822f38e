"""`converge rollback`: an application back to a version that ran before."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from controller.cli.committing import CommitOptions, carry_out, commit_options, group_of, open_platform
from controller.cli.options import PlatformOptions, platform_options, run_async
from controller.model import CommitId, GroupRef, Stalled, Tree

if TYPE_CHECKING:
    from controller.engine import Version

LOOK_BACK = 50  # versions


@click.command("rollback")
@click.argument("group", metavar="ENV/APP")
@click.argument("version", default="", metavar="[VERSION]")
@platform_options
@commit_options
def command(*, group: str, version: str, platform: PlatformOptions, commit: CommitOptions) -> None:
    """Run an earlier commit of an application, past the one that its branch has now.

    VERSION is a line's number in `converge history`, or a commit; without it, the newest earlier version that was
    Synced and Healthy. Automatic sync stays on: any newer commit on the branch is followed again by itself. One
    commit on the platform repository.
    """
    sys.exit(run_async(_rollback(group_of(group), version, platform, commit)))


async def _rollback(group: GroupRef, wanted: str, options: PlatformOptions, commit: CommitOptions) -> int:
    from controller.cli.proving import prove  # noqa: PLC0415
    from controller.engine import RollBack  # noqa: PLC0415

    platform = await open_platform(options)
    head, runs = await _where_it_is(platform.tree, group, options)
    version = await _version(group, wanted, options, frozenset({head, runs}))
    to = version.revision.application
    if to in (head, runs):
        raise Stalled(
            f"{group} is at this version's commit {to[:8]} already. What changed since then is on the platform "
            f"repository: `git revert` it there ({version.revision.platform[:8]} was its commit)"
        )
    if not version.is_good:
        click.echo(click.style(f"{to[:8]} was not Synced and Healthy when it was told of last.", fg="yellow"), err=True)
    operation = RollBack(group, to, head)

    async def proof(edited: Tree) -> None:
        await prove(group, platform.tree, edited, options)

    return await carry_out(operation, platform, options, commit, proof)


async def _where_it_is(tree: Tree, group: GroupRef, options: PlatformOptions) -> tuple[CommitId, CommitId]:
    """Give the commit that the group's revision leads to, and the one that it is at, which a rollback makes another."""
    from controller.cli.wiring import look_at  # noqa: PLC0415
    from controller.engine import entry_of  # noqa: PLC0415

    snapshot = await look_at(tree, options)
    entry_of(snapshot.fleet.platform, group)
    entry = snapshot.entry(snapshot.select([str(group)])[0])
    source = snapshot.sources[entry.repository.name]
    return source.current(entry.application.revision).commit, snapshot.checkout(entry).commit


async def _version(group: GroupRef, wanted: str, options: PlatformOptions, not_at: frozenset[CommitId]) -> Version:
    from controller.cli.wiring import records_places  # noqa: PLC0415
    from controller.engine import pick, read_history, version_to_roll_back_to  # noqa: PLC0415

    places = await records_places(options)
    history = await read_history(places.records, places.records_head, group, limit=LOOK_BACK)
    if wanted:
        return pick(history.versions, wanted)
    return version_to_roll_back_to(history.versions, not_at=not_at)
