"""`converge oam render`: the objects that an OAM Application comes to, without KubeVela."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from controller.cli.options import fail
from controller.model import ConvergeError, FieldPath, Position, Problem


@click.group("oam")
def command() -> None:
    """Work with OAM Applications (core.oam.dev/v1beta1)."""


@command.command("render")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE")
@click.option(
    "--topology", default="", metavar="NAME", help="Only what goes where this topology policy says. [default: all]"
)
@click.option(
    "--namespace", default="default", show_default=True, metavar="NAME", help="For an Application that names none."
)
@click.option(
    "--types",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="The platform's own component types: a directory per type.",
)
def render(*, file: Path, topology: str, namespace: str, types: Path | None) -> None:
    """Print the objects of the Application in FILE, as KubeVela would apply them.

    Warnings, and what other renderers make (charts, kustomizations, Terraform modules), are told on stderr.
    """
    from controller.documents import write  # noqa: PLC0415
    from controller.render.oam import render_application  # noqa: PLC0415

    try:
        body, locate = _application(file)
        known = _definitions(types) if types else {}
        rendered = render_application(body, topology=topology or None, namespace=namespace, types=known, locate=locate)
    except ConvergeError as error:
        fail(error)
    for problem in rendered.warnings:
        click.echo(f"{click.style('warning: ', fg='yellow')}{problem}", err=True)
    for reference in dict.fromkeys(str(one) for part in rendered.deployments for one in part.references):
        click.echo(f"{click.style('elsewhere: ', fg='cyan')}{reference}", err=True)
    for one in rendered.objects:
        click.echo(b"---\n" + write(one), nl=False)


def _application(file: Path) -> tuple[Any, Any]:
    """Give the first Application of a file, and a look-up of its fields' places."""
    from controller.documents import Dialect, read, read_with_positions  # noqa: PLC0415
    from controller.model import Invalid  # noqa: PLC0415
    from controller.render.oam import KIND  # noqa: PLC0415

    data = file.read_bytes()
    path = str(file)
    documents = read(data, path=path, dialect=Dialect.KUBERNETES)
    found = next((one for one in documents if isinstance(one.value, dict) and one.value.get("kind") == KIND), None)
    if found is None:
        raise Invalid([Problem(Position(path), f"there is no {KIND} in it")])
    places: list[Any] = []

    def locate(field: FieldPath) -> Position:
        if not places:  # only what has a problem is read again, with positions
            places.append(read_with_positions(data, path=path, dialect=Dialect.KUBERNETES))
        at: Position = places[0].position(found.index, field)
        return at

    return found.value, locate


def _definitions(directory: Path) -> dict[str, Any]:
    from controller.model import RepositoryName  # noqa: PLC0415
    from controller.render.types import definitions_of, read_types  # noqa: PLC0415
    from controller.runtime import DirectoryTree  # noqa: PLC0415

    return {**definitions_of(read_types(DirectoryTree(directory.resolve(), RepositoryName(directory.name)), ""))}
