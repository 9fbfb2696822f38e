"""`converge init`: a new platform repository that validates."""

from __future__ import annotations

import re
import sys
import uuid
from pathlib import Path

import click

from controller.cli.options import MISUSE


@click.command("init")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path), metavar="DIR")
@click.option("--name", default="", help="The platform's name. [default: the directory's]")
def command(*, directory: Path, name: str) -> None:
    """Make a new platform repository in DIR, ready to be committed.

    Files that are there already are never overwritten.
    """
    from controller.config import new_platform  # noqa: PLC0415
    from controller.model import InstallationId  # noqa: PLC0415

    slug = name or re.sub(r"[^a-z0-9]+", "-", directory.resolve().name.lower()).strip("-") or "platform"
    files = new_platform(slug, InstallationId(str(uuid.uuid4())))
    there = [path for path in files if (directory / path).exists()]
    if there:
        click.echo(f"{directory / there[0]} is there already. Name an empty directory", err=True)
        sys.exit(MISUSE)
    for path, data in files.items():
        place = directory / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        click.echo(f"wrote {place}", err=True)
    click.echo(
        f"\nNext: name your first repository in {directory / 'converge.yaml'} and its application in an environment,\n"
        f"then check it with: converge validate {directory}",
        err=True,
    )
