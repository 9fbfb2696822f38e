"""`converge query`: what runs where, asked of the instance records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from controller.cli.options import PlatformOptions, platform_options, run_async

FORMS = ("table", "json", "yaml", "dot", "mermaid")


@click.command("query")
@click.argument("terms", nargs=-1, metavar="[TERM]...")
@click.option("--at", "at", default="", metavar="DATE|COMMIT", help="As it was then: a date, a time, or a commit.")
@click.option("--show", "columns", default="", metavar="FIELD,...", help="The table's columns.")
@click.option("--output", "-o", type=click.Choice(FORMS), default="table", show_default=True, help="The form.")
@platform_options
def command(*, terms: tuple[str, ...], at: str, columns: str, output: str, platform: PlatformOptions) -> None:
    """Find instances by fields, attributes and relations; all terms must hold.

    \b
    converge query kind=Deployment environment=prod 'health!=Healthy'
    converge query related:uses Secret/db
    converge query 'image~nginx:1.2' --at 2026-11-01
    converge query application=shop --output mermaid

    Fields: kind, name, environment, application, target, namespace, sync, health, since, and every attribute of the
    models (docs/records.md). Operators: = != ~ !~ < > <= >=; a comma means "or". Exit code 1 when nothing is found.
    """  # noqa: D301 - click's mark for text that is not to be wrapped
    found = run_async(_find(" ".join(terms), at, platform))
    from controller.cli.query_showing import show  # noqa: PLC0415

    for line in show(found, output, tuple(one for one in columns.split(",") if one)):
        click.echo(line)
    if not found:
        raise SystemExit(1)


async def _find(text: str, at: str, options: PlatformOptions) -> list[Mapping[str, Any]]:
    from controller.cli.wiring import records_places  # noqa: PLC0415
    from controller.engine import commit_at, indexed, parse_query  # noqa: PLC0415

    query = parse_query(text)
    places = await records_places(options)
    then = await commit_at(places.records, places.records_head, at) if at else None
    async with indexed(places.records, options.cache / "query", places.records_head, then) as index:
        return list(index.find(query))
