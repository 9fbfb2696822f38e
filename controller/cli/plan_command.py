"""`converge plan`: what a sync would change, on the live state."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from controller.cli.options import (
    DRIFTED,
    FAILED,
    FINE,
    PENDING,
    PlatformOptions,
    output_option,
    platform_options,
    run_async,
)


@click.command("plan")
@click.argument("placements", nargs=-1, metavar="[ENV | ENV/APP | ENV/APP@TARGET]...")
@platform_options
@output_option
def command(*, placements: tuple[str, ...], platform: PlatformOptions, output: str) -> None:
    """Show what a sync would change, on the live state. Nothing is written.

    Exit code: 0 nothing to do, 3 something is pending, 4 something has drifted, 1 something can't be planned.
    """
    sys.exit(run_async(_plan(placements, platform, output)))


async def _plan(wanted: Sequence[str], platform: PlatformOptions, output: str) -> int:
    from controller.cli.progress import counting  # noqa: PLC0415
    from controller.cli.showing import plan_json, plan_lines, print_json, summary  # noqa: PLC0415
    from controller.cli.wiring import look_once  # noqa: PLC0415
    from controller.engine import plan_all  # noqa: PLC0415

    snapshot, open_target = await look_once(platform)
    refs = snapshot.select(wanted)
    with counting("planned", len(refs)) as step:
        planned = await plan_all(snapshot, refs, open_target, done=lambda _one: step())
    plans = [one.plan for one in planned if one.plan is not None]
    if output == "json":
        print_json(
            {
                "plans": [plan_json(plan) for plan in plans],
                "errors": {str(one.placement): str(one.error) for one in planned if one.error},
            }
        )
    else:
        for one in planned:
            if one.error is not None:
                click.echo(click.style(f"{one.placement}: {one.error}", fg="red"), err=True)
            elif one.plan is not None and not one.plan.is_empty:
                click.echo(click.style(str(one.placement), bold=True))
                for line in plan_lines(one.plan):
                    click.echo(line)
        click.echo(summary(plans))
    if any(one.error for one in planned):
        return FAILED
    if any(plan.drifted for plan in plans):
        return DRIFTED
    return PENDING if any(plan.pending for plan in plans) else FINE
