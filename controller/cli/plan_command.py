"""`converge plan`: what a sync would change, on the live state; now, or with any commit of any repository in force."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

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
from controller.model import ConvergeError

if TYPE_CHECKING:
    from controller.engine import Planned, Preview, Question


@click.command("plan")
@click.argument("placements", nargs=-1, metavar="[ENV | ENV/APP | ENV/APP@TARGET]...")
@click.option(
    "--ref",
    metavar="REF",
    help="Plan as if this branch, tag or commit, of the platform's repository or an application's, were merged.",
)
@click.option("--of", metavar="NAME", default="", help="With --ref: the repository that has it. [default: who has it]")
@click.option(
    "--from",
    "clone",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="With --ref: a clone on this machine that has it, pushed or not.",
)
@click.option(
    "--into",
    metavar="BRANCH",
    default="",
    help="With --ref: the one branch it is merged into. [default: every branch that applications follow]",
)
@click.option("--all", "is_all", is_flag=True, help="With --ref: plan what it does not touch, too.")
@platform_options
@output_option
def command(
    *,
    placements: tuple[str, ...],
    ref: str | None,
    of: str,
    clone: Path | None,
    into: str,
    is_all: bool,
    platform: PlatformOptions,
    output: str,
) -> None:
    """Show what a sync would change, on the live state. Nothing is written.

    With --ref, only placements that the commit changes are rendered and planned, of all environments.

    Exit code: 0 nothing to do, 3 something is pending, 4 something has drifted, 1 something can't be planned.
    """
    if ref is None:
        if of or clone or into or is_all:
            raise click.UsageError("--of, --from, --into and --all say more of --ref, which is not given")
        sys.exit(run_async(_plan(placements, platform, output)))
    from controller.engine import Question  # noqa: PLC0415

    question = Question(ref=ref, of=of, clone=clone)
    sys.exit(run_async(_preview(placements, question, platform, output, into=into, is_all=is_all)))


async def _plan(wanted: Sequence[str], platform: PlatformOptions, output: str) -> int:
    from controller.cli.progress import counting  # noqa: PLC0415
    from controller.cli.wiring import look_once  # noqa: PLC0415
    from controller.engine import plan_all  # noqa: PLC0415

    snapshot, open_target = await look_once(platform)
    refs = snapshot.select(wanted)
    with counting("planned", len(refs)) as step:
        planned = await plan_all(snapshot, refs, open_target, done=lambda _one: step())
    pending = frozenset(str(one.placement) for one in planned if one.plan is not None and one.plan.pending)
    waits = await _waits(platform, pending) if pending else {}
    _show(planned, output, head=(), more={"waits": waits} if waits else {}, waits=waits)
    return _code(planned)


async def _waits(platform: PlatformOptions, placements: frozenset[str]) -> dict[str, list[dict[str, Any]]]:
    """Say what these placements wait for, as the controller recorded it; nothing where nothing is recorded."""
    from controller.cli.wiring import records_tree  # noqa: PLC0415
    from controller.git import BranchFiles  # noqa: PLC0415
    from controller.records import statuses  # noqa: PLC0415

    try:
        tree = await records_tree(platform)
    except ConvergeError:
        return {}
    found: dict[str, list[dict[str, Any]]] = {}
    for status in statuses(BranchFiles(tree)):
        group = f"{status['metadata']['environment']}/{status['metadata']['application']}"
        for one in status["placements"]:
            name = f"{group}@{one['target']}"
            if name in placements and one.get("waits"):
                found[name] = [dict(wait) for wait in one["waits"]]
    return found


async def _preview(
    wanted: Sequence[str], question: Question, platform: PlatformOptions, output: str, *, into: str, is_all: bool
) -> int:
    from controller.cli.progress import counting  # noqa: PLC0415
    from controller.cli.wiring import look_ahead  # noqa: PLC0415
    from controller.engine import plan_preview  # noqa: PLC0415

    found, open_target = await look_ahead(platform, question, into=into)
    refs = [ref for ref in found.select(wanted) if is_all or found.is_affected(ref)]
    with counting("planned", len(refs)) as step:
        planned = await plan_preview(found, refs, open_target, done=lambda _one: step())
    _show(planned, output, head=_head(found), more=_preview_json(found))
    return _code(planned)


def _head(found: Preview) -> Iterable[str]:
    """Say which commit is asked about, and what it does to how many placements."""
    from controller.engine import Effect  # noqa: PLC0415

    info, of = found.candidate.info, found.candidate.repository
    yield click.style(f"{of} {info.commit[:12]}  {info.author}, {info.authored:%Y-%m-%d %H:%M}Z  {info.subject}")
    effects = list(found.effects.values())
    counts = ", ".join(
        f"{effects.count(one)} {one}" for one in (Effect.ADDED, Effect.CHANGED, Effect.REMOVED) if one in effects
    )
    yield f"{counts or 'Nothing changes'}, of {len(effects)} placements"
    if Effect.ALIKE in effects:
        yield f"{effects.count(Effect.ALIKE)} read what it touches and render to the same"
    if found.fixed:
        yield f"{len(found.fixed)} of its repository stay where they are: at a tag, a commit or another branch"


def _preview_json(found: Preview) -> dict[str, Any]:
    info = found.candidate.info
    return {
        "commit": {
            "repository": found.candidate.repository,
            "id": info.commit,
            "author": {"name": info.author, "email": info.email, "time": info.authored.isoformat()},
            "subject": info.subject,
        },
        "placements": len(found.effects),
        "effects": {str(ref): str(effect) for ref, effect in found.effects.items() if effect != "none"},
        "fixed": [str(ref) for ref in sorted(found.fixed)],
    }


def _show(
    planned: Sequence[Planned],
    output: str,
    *,
    head: Iterable[str],
    more: dict[str, Any],
    waits: Mapping[str, Sequence[Mapping[str, Any]]] = MappingProxyType({}),
) -> None:
    from controller.cli.showing import plan_json, plan_lines, print_json, summary, unknown_line  # noqa: PLC0415

    plans = [one.plan for one in planned if one.plan is not None]
    if output == "json":
        errors = {str(one.placement): str(one.error) for one in planned if one.error}
        unknown = {str(one.placement): list(one.unknown) for one in planned if one.unknown}
        more = {**more, "unknown": unknown} if unknown else more
        print_json({**more, "plans": [plan_json(plan) for plan in plans], "errors": errors})
        return
    for line in head:
        click.echo(line)
    for one in planned:
        if one.error is not None:
            click.echo(click.style(f"{one.placement}: {one.error}", fg="red"), err=True)
        elif one.plan is not None and not one.plan.is_empty:
            click.echo(click.style(str(one.placement), bold=True))
            for line in plan_lines(one.plan):
                click.echo(line)
            if one.unknown:
                click.echo(click.style(f"  {unknown_line(one.unknown)}", fg="yellow"))
            for wait in waits.get(str(one.placement), ()):
                click.echo(click.style(f"  {wait['what']}, waiting since {wait['since']}", fg="yellow"))
    click.echo(summary(plans, unplanned=sum(one.plan is None for one in planned)))


def _code(planned: Sequence[Planned]) -> int:
    if any(one.error for one in planned):
        return FAILED
    plans = [one.plan for one in planned if one.plan is not None]
    if any(plan.drifted for plan in plans):
        return DRIFTED
    return PENDING if any(plan.pending for plan in plans) else FINE
