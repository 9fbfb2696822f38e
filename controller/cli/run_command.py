"""`converge run`: the controller."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys

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
from controller.model import PlacementReport, Stalled, SyncStatus


@click.command("run")
@platform_options
@click.option(
    "--interval",
    "interval_seconds",
    envvar="CONVERGE_INTERVAL",
    default=60.0,
    show_default=True,
    type=click.FloatRange(min=0.1),
    metavar="SECONDS",
    help="One poll per repository and interval.",
)
@click.option("--once", is_flag=True, help="Converge everything once, record it, and end.")
@click.option(
    "--timeout",
    "timeout_seconds",
    default=600.0,
    show_default=True,
    metavar="SECONDS",
    help="With --once: how long it may take.",
)
@click.option(
    "--log-format",
    type=click.Choice(["auto", "console", "json"]),
    default="auto",
    show_default=True,
    envvar="CONVERGE_LOG_FORMAT",
    help="auto: console on a terminal, else JSON.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    envvar="CONVERGE_LOG_LEVEL",
)
@output_option
def command(
    *,
    platform: PlatformOptions,
    interval_seconds: float,
    once: bool,
    timeout_seconds: float,
    log_format: str,
    log_level: str,
    output: str,
) -> None:
    """Run the controller.

    It polls the repositories, converges every placement, and writes records. SIGTERM ends it in order.
    With --once it ends by itself when everything has come to rest: 0 all is well, 1 something failed,
    3 something is pending, 4 something has drifted.
    """
    from controller.runtime import configure_logging  # noqa: PLC0415

    configure_logging(json=log_format == "json" or (log_format == "auto" and not sys.stderr.isatty()), level=log_level)
    sys.exit(run_async(_run(platform, interval_seconds, timeout_seconds if once else None, output)))


async def _run(platform: PlatformOptions, interval_seconds: float, once_seconds: float | None, output: str) -> int:
    from controller.cli.wiring import controller_of  # noqa: PLC0415
    from controller.engine import write_journal  # noqa: PLC0415
    from controller.runtime import keep_small_heap, sweep_scratch  # noqa: PLC0415

    keep_small_heap()
    sweep_scratch()  # keys and tokens that a killed process had no time to take away
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    _spare_collections()
    with controller_of(platform, interval_seconds=interval_seconds, tell=write_journal) as controller:
        if once_seconds is None:
            await controller.run(stop)
            return FINE
        reports: tuple[PlacementReport, ...] = ()
        is_late = False
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(controller.run(stop))
            try:
                async with asyncio.timeout(once_seconds):
                    reports = await controller.settled()
            except TimeoutError:
                is_late, reports = True, controller.board.all()
            finally:
                stop.set()
    show(reports, output)
    if is_late:
        raise Stalled(f"not everything came to rest within {once_seconds:g} s (--timeout)")
    return exit_code(reports)


def _spare_collections() -> None:
    """Have the collector pass over what was imported, and look less often: a run leaves hardly a cycle."""
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def exit_code(reports: tuple[PlacementReport, ...]) -> int:
    """Say by number how the fleet fares."""
    states = {report.sync for report in reports}
    if states & {SyncStatus.FAILED, SyncStatus.UNKNOWN}:
        return FAILED
    if any(report.drifted for report in reports):
        return DRIFTED
    return PENDING if any(report.pending for report in reports) or states - {SyncStatus.SYNCED} else FINE


def show(reports: tuple[PlacementReport, ...], output: str) -> None:
    """Tell how placements ended, a line each, or as JSON."""
    from controller.cli.showing import print_json  # noqa: PLC0415

    if output == "json":
        print_json(
            [
                {
                    "placement": str(one.placement),
                    "sync": str(one.sync),
                    "health": str(one.health),
                    "reason": one.reason,
                    "revision": str(one.revision) if one.revision else None,
                }
                for one in reports
            ]
        )
        return
    for one in reports:
        reason = f"  {one.reason}" if one.reason else ""
        click.echo(f"{one.placement!s:<40} {one.sync:<17} {one.health:<12}{reason}")
