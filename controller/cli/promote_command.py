"""`converge promote`: what one environment runs, in another one too."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from controller.cli.committing import CommitOptions, carry_out, commit_options, group_of, open_platform
from controller.cli.options import PlatformOptions, platform_options, run_async
from controller.model import Application, CommitId, EnvironmentName, GroupRef, Tree

if TYPE_CHECKING:
    from controller.engine import Snapshot


@click.command("promote")
@click.argument("source", metavar="ENV/APP")
@click.argument("environment", metavar="ENV")
@platform_options
@commit_options
def command(*, source: str, environment: str, platform: PlatformOptions, commit: CommitOptions) -> None:
    """Carry the images of ENV/APP to another environment, and its revision where that one follows a fixed one.

    Images are those of the overlay: tags and digests, not where they are pulled from. A branch that the other
    environment follows stays followed. One commit on the platform repository.
    """
    sys.exit(run_async(_promote(group_of(source), EnvironmentName(environment), platform, commit)))


async def _promote(
    source: GroupRef, environment: EnvironmentName, options: PlatformOptions, commit: CommitOptions
) -> int:
    from controller.cli.proving import prove  # noqa: PLC0415
    from controller.cli.wiring import look_at  # noqa: PLC0415
    from controller.engine import Promote, entry_of, revision_to_carry  # noqa: PLC0415

    platform = await open_platform(options)
    snapshot = await look_at(platform.tree, options)
    _, ours = entry_of(snapshot.fleet.platform, source)
    _, theirs = entry_of(snapshot.fleet.platform, GroupRef(environment, source.application))
    revision = revision_to_carry(
        ours,
        theirs,
        runs=_runs(snapshot, source),
        is_ours_fixed=await _is_fixed(snapshot, ours),
        is_theirs_fixed=await _is_fixed(snapshot, theirs),
    )
    operation = Promote(source, environment, revision)
    if not revision and ours.revision != theirs.revision:
        click.echo(f"{operation.group} goes on following {theirs.revision or 'HEAD'}: merge there", err=True)

    async def proof(edited: Tree) -> None:
        await prove(operation.group, platform.tree, edited, options)

    return await carry_out(operation, platform, options, commit, proof)


def _runs(snapshot: Snapshot, group: GroupRef) -> CommitId:
    placement = snapshot.select([str(group)])[0]
    return snapshot.checkout(snapshot.entry(placement)).commit


async def _is_fixed(snapshot: Snapshot, application: Application) -> bool:
    """Tell whether a revision is a tag or a commit, which do not move by themselves."""
    from controller.git import ref_patterns  # noqa: PLC0415

    if application.revision in {"", "HEAD"}:
        return False
    mirror = snapshot.sources[application.repository].mirror
    if mirror.is_chart:
        return application.revision.count(".") > 1 and application.revision[:1].isdigit()  # a version, and no range
    patterns = ref_patterns(application.revision)
    refs = await mirror.refs(patterns) if patterns else {}
    return not any(name.startswith("refs/heads/") for name in refs)
