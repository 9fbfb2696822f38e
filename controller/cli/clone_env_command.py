"""`converge clone-env`: a new environment out of another one."""

from __future__ import annotations

import sys

import click

from controller.cli.committing import CommitOptions, carry_out, commit_options, open_platform
from controller.cli.options import PlatformOptions, platform_options, run_async
from controller.config import read_platform
from controller.model import EnvironmentName, Tree


@click.command("clone-env")
@click.argument("source", metavar="ENV")
@click.argument("name", metavar="NEW")
@click.option("--context", default="", metavar="NAME", help="The kubeconfig context that its Kubernetes targets are.")
@platform_options
@commit_options
def command(*, source: str, name: str, context: str, platform: PlatformOptions, commit: CommitOptions) -> None:
    """Make environment NEW out of ENV: its targets, policy and applications, and its overlays.

    It begins suspended: look at what it would do (`converge plan NEW`), then take `suspend` away. Where it names the
    same cluster and namespaces as ENV, its objects are ENV's, and stay so. One commit on the platform repository.
    """
    sys.exit(run_async(_clone(EnvironmentName(source), EnvironmentName(name), context, platform, commit)))


async def _clone(
    source: EnvironmentName, name: EnvironmentName, context: str, options: PlatformOptions, commit: CommitOptions
) -> int:
    from controller.engine import CloneEnvironment, mentions  # noqa: PLC0415

    platform = await open_platform(options)
    operation = CloneEnvironment(source, name, context)

    async def tell_problems(edited: Tree) -> None:
        for group, problems in read_platform(edited).problems.items():
            if group.environment == name:
                click.echo("\n".join(f"{group}: {one}" for one in problems), err=True)

    code = await carry_out(operation, platform, options, commit, tell_problems)
    for place in mentions(operation.edits(platform.tree), source):
        click.echo(f"{place} still speaks of {source}: see whether it means {name}", err=True)
    return code
