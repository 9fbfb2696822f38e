"""`converge state`: states that are kept in git, as `terraform state pull` and `push` are for those elsewhere."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import click

from controller.cli.options import PlatformOptions, platform_options, run_async
from controller.model import (
    ApplicationName,
    EnvironmentName,
    PlacementRef,
    Stalled,
    StateInGit,
    TargetName,
    TerraformTarget,
)

if TYPE_CHECKING:
    from controller.engine import StateShelf
    from controller.targets.terraform import Sealer


@click.group("state")
def command() -> None:
    """Read and write Terraform states that are kept in git (`stateInGit`)."""


@command.command("pull")
@click.argument("placement", metavar="ENV/APP@TARGET")
@platform_options
def pull(*, placement: str, platform: PlatformOptions) -> None:
    """Print a state, in the clear. Give it to `terraform state push` to move it to a back-end."""
    sys.stdout.buffer.write(run_async(_pull(placement, platform)))


@command.command("push")
@click.argument("placement", metavar="ENV/APP@TARGET")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--above",
    default=0,
    metavar="SERIAL",
    type=click.IntRange(min=0),
    help="Go on above a serial that a controller saw, also from a state that is older, or in place of a broken one.",
)
@platform_options
def push(*, placement: str, file: BinaryIO, above: int, platform: PlatformOptions) -> None:
    """Keep the state in FILE (- for standard input), as `terraform state pull` printed it.

    Its serial is raised above the one that is kept. Suspend the application first: an apply that is under way then
    finds another state than its own, and has it decided by a person.
    """
    click.echo(run_async(_push(placement, file.read(), above, platform)))


@dataclass(frozen=True, slots=True)
class _Place:
    placement: PlacementRef
    shelf: StateShelf
    sealer: Sealer


async def _pull(text: str, options: PlatformOptions) -> bytes:
    async with _place(text, options) as place:
        sealed = await place.shelf.get(place.placement)
        if sealed is None:
            raise Stalled(f"{place.shelf.where} holds no state of {place.placement}")
        return place.sealer.open(place.placement, sealed).data


async def _push(text: str, data: bytes, above: int, options: PlatformOptions) -> str:
    from controller.targets.terraform import succeed  # noqa: PLC0415

    async with _place(text, options) as place:
        base = await place.shelf.get(place.placement)
        sealed, mark = succeed(place.sealer, place.placement, data, base, above=above)
        await place.shelf.put(place.placement, sealed, base=base, about=f"serial {mark.serial}")
        return f"{place.shelf.where} keeps {mark} of {place.placement}"


@asynccontextmanager
async def _place(text: str, options: PlatformOptions) -> AsyncIterator[_Place]:
    from controller.cli.wiring import platform_mirror, records_mirror  # noqa: PLC0415
    from controller.config import read_platform  # noqa: PLC0415
    from controller.engine import CONVERGE, StateShelf, style_of  # noqa: PLC0415
    from controller.model import PLATFORM  # noqa: PLC0415
    from controller.runtime import CredentialStore, SystemClock  # noqa: PLC0415
    from controller.targets.terraform import sealer_of  # noqa: PLC0415

    placement = _placement(text)
    mirrors, home = platform_mirror(options)
    platform = read_platform(await home.tree(await home.resolve(options.revision), repository=PLATFORM))
    environment = platform.environments.get(placement.environment)
    target = environment.targets.get(placement.target) if environment else None
    said: StateInGit | None = target.state_in_git if isinstance(target, TerraformTarget) else None
    if said is None:
        raise Stalled(f"{text}: there is no target {placement.target} whose states are kept in git (`stateInGit`)")
    sealer = sealer_of(said, CredentialStore(options.credential_directory))
    mirror, style = records_mirror(platform, mirrors, options), style_of(platform.commits, CONVERGE, mirrors)
    async with StateShelf(mirror, said.branch, style, clock=SystemClock()) as shelf:
        yield _Place(placement, shelf, sealer)
    mirrors.close()


def _placement(text: str) -> PlacementRef:
    group, at, target = text.partition("@")
    environment, slash, application = group.partition("/")
    if not (at and slash and environment and application and target) or "/" in application + target:
        raise Stalled(f'"{text}" names no placement. Write ENVIRONMENT/APPLICATION@TARGET')
    return PlacementRef(EnvironmentName(environment), ApplicationName(application), TargetName(target))
