"""`converge render`: the objects that an application renders to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from controller.cli.options import PlatformOptions, output_option, platform_options, run_async

MASK = "•••"


@click.command("render")
@click.argument("placements", nargs=-1, required=True, metavar="ENV/APP[@TARGET]...")
@platform_options
@click.option("--show-secrets", is_flag=True, help="Print the values of Secrets instead of dots.")
@output_option
def command(*, placements: tuple[str, ...], platform: PlatformOptions, show_secrets: bool, output: str) -> None:
    """Print the objects that an application renders to. No cluster is asked."""
    run_async(_render(placements, platform, show_secrets=show_secrets, output=output))


async def _render(wanted: Sequence[str], platform: PlatformOptions, *, show_secrets: bool, output: str) -> None:
    from controller.cli.showing import print_json  # noqa: PLC0415
    from controller.cli.wiring import look_once  # noqa: PLC0415
    from controller.documents import decode, write  # noqa: PLC0415

    snapshot, _ = await look_once(platform)
    objects: list[Any] = []
    for placement in snapshot.select(wanted):
        rendered = await snapshot.rendered(placement)
        for warning in rendered.warnings:
            click.echo(click.style(f"warning: {warning}", fg="yellow"), err=True)
        for manifest in rendered.desired.manifests:
            objects.append(_shown(decode(manifest.body), show_secrets=show_secrets))
            if output == "text":
                click.echo(f"# {placement} {manifest.origin}\n{write(objects[-1]).decode()}---")
    if output == "json":
        print_json(objects)


def _shown(value: Any, *, show_secrets: bool) -> Any:
    if show_secrets or value.get("kind") != "Secret" or value.get("apiVersion") != "v1":
        return value
    return {**value, "data": dict.fromkeys(value.get("data") or {}, MASK)}
