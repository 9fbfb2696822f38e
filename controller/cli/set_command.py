"""`converge set`: another image, or another number of replicas, in one environment."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from controller.cli.committing import CommitOptions, carry_out, commit_options, group_of, open_platform
from controller.cli.options import PlatformOptions, platform_options, run_async
from controller.model import GroupRef, Stalled, TargetName, Tree

if TYPE_CHECKING:
    from controller.engine import Operation


@click.command("set")
@click.argument("group", metavar="ENV/APP[@TARGET]")
@click.argument("what", type=click.Choice(["image", "replicas"]))
@click.argument("assignment", metavar="NAME=VALUE")
@platform_options
@commit_options
def command(*, group: str, what: str, assignment: str, platform: PlatformOptions, commit: CommitOptions) -> None:
    """Say another image or number of replicas in the overlay of ENV/APP.

    \b
    converge set prod/shop image registry.example.com/shop/web=1.8.4
    converge set prod/shop image web=1.8.4             the end of the name, where the overlay has it
    converge set prod/shop image web=sha256:…          or NAME=NEWNAME:TAG, NAME=NEWNAME@sha256:…
    converge set prod/shop@hangzhou replicas web=5     on one target

    One commit on the platform repository. Refused where it would change nothing that runs.
    """  # noqa: D301  # click takes a real \\b for "leave the lines as they are"
    sys.exit(run_async(_set(group, what, assignment, platform, commit)))


async def _set(text: str, what: str, assignment: str, options: PlatformOptions, commit: CommitOptions) -> int:
    from controller.cli.proving import prove  # noqa: PLC0415

    name, _, target = text.partition("@")
    group = group_of(name)
    operation = _operation(group, TargetName(target) if target else None, what, assignment)
    platform = await open_platform(options)
    subject = assignment.partition("=")[0]
    idle = f"this would change nothing of {text}: it has this {what} already, or nothing in it is called {subject!r}"

    async def proof(edited: Tree) -> None:
        await prove(group, platform.tree, edited, options, idle=idle, named="image" if what == "image" else "")

    return await carry_out(operation, platform, options, commit, proof)


def _operation(group: GroupRef, target: TargetName | None, what: str, assignment: str) -> Operation:
    from controller.engine import SetImage, SetReplicas, parse_image  # noqa: PLC0415

    if what == "image":
        return SetImage(group, parse_image(assignment), target)
    name, _, count = assignment.partition("=")
    if not name or not count.isdecimal():
        raise Stalled(f"{assignment!r} is no number of replicas. Write NAME=NUMBER, such as web=3")
    return SetReplicas(group, name, int(count), target)
