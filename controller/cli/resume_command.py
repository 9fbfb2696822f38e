"""`converge resume`: an application follows git again."""

from __future__ import annotations

import sys

import click

from controller.cli.committing import CommitOptions, carry_out, commit_options, group_of, open_platform
from controller.cli.options import PlatformOptions, platform_options, run_async


@click.command("resume")
@click.argument("group", metavar="ENV/APP")
@platform_options
@commit_options
def command(*, group: str, platform: PlatformOptions, commit: CommitOptions) -> None:
    """Follow git again: take back a suspension and a rollback.

    One commit on the platform repository. A rollback ends by itself, too, with the application's next commit.
    """
    sys.exit(run_async(_resume(group, platform, commit)))


async def _resume(group: str, options: PlatformOptions, commit: CommitOptions) -> int:
    from controller.engine import Resume  # noqa: PLC0415

    return await carry_out(Resume(group_of(group)), await open_platform(options), options, commit)
