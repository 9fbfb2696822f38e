"""`converge kustomize build`: what `kubectl kustomize` prints, byte for byte, without it."""

from __future__ import annotations

from pathlib import Path

import click

from controller.cli.options import fail
from controller.model import ConvergeError, RepositoryName


@click.group("kustomize")
def command() -> None:
    """Work with kustomizations, in process."""


@command.command("build")
@click.argument(
    "directory", type=click.Path(exists=True, file_okay=False, path_type=Path), default=Path(), metavar="DIR"
)
@click.option("--order", type=click.Choice(["legacy", "fifo"]), default="legacy", show_default=True)
def build(*, directory: Path, order: str) -> None:
    """Build the kustomization in DIR.

    What it refers to must lie in the same repository (or, outside of one, in DIR).
    """
    from controller.render import Order, build  # noqa: PLC0415
    from controller.runtime import DirectoryTree  # noqa: PLC0415

    absolute = directory.resolve()
    root = next((one for one in (absolute, *absolute.parents) if (one / ".git").exists()), absolute)
    tree = DirectoryTree(root, RepositoryName(root.name))
    relative = absolute.relative_to(root).as_posix()
    try:
        click.echo(build(tree, "" if relative == "." else relative, order=Order(order)), nl=False)
    except ConvergeError as error:
        fail(error)
