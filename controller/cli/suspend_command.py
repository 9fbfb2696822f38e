"""`converge suspend`: nothing of an application is written for a while."""

from __future__ import annotations

import sys

import click

from controller.cli.committing import CommitOptions, carry_out, commit_options, group_of, open_platform
from controller.cli.options import PlatformOptions, platform_options, run_async


@click.command("suspend")
@click.argument("group", metavar="ENV/APP")
@platform_options
@commit_options
def command(*, group: str, platform: PlatformOptions, commit: CommitOptions) -> None:
    """Write nothing of an application until `converge resume`.

    Drift is still found and shown. One commit on the platform repository.
    """
    sys.exit(run_async(_suspend(group, platform, commit)))


async def _suspend(group: str, options: PlatformOptions, commit: CommitOptions) -> int:
    from controller.engine import Suspend  # noqa: PLC0415

    return await carry_out(Suspend(group_of(group)), await open_platform(options), options, commit)
