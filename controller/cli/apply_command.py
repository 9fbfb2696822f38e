"""`converge apply`: break the glass. One group is applied now, by a person's own hands, and recorded as such."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from controller.cli.committing import group_of, identity
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
from controller.model import (
    Barrier,
    ByHand,
    Digest,
    GroupRef,
    OnPending,
    PlacementRef,
    PlacementReport,
    Stalled,
    SyncStatus,
    TargetName,
)

if TYPE_CHECKING:
    from controller.engine import Planned, Snapshot

PREFIX = "sha256:"
NOT_CHOSEN = Digest("none that was chosen")  # no plan has this hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a person wants done."""

    group: GroupRef
    why: str
    despite: frozenset[Barrier]
    plans: tuple[str, ...]
    is_sure: bool
    author: str
    timeout_seconds: float


@click.command("apply")
@click.argument("group", metavar="ENV/APP")
@click.option("--why", required=True, metavar="TEXT", help="Why this can't wait for the controller. It is recorded.")
@click.option(
    "--despite",
    multiple=True,
    type=click.Choice([str(one) for one in Barrier]),
    help="Pass this, which holds it back; may be given again. It is recorded.",
)
@click.option(
    "--plan", "plans", multiple=True, metavar="HASH", help="Only these plans, by their first digits. [default: all]"
)
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask.")
@click.option(
    "--author", envvar="CONVERGE_AUTHOR", default="", metavar="'NAME <EMAIL>'", help="By whom. [default: as git has it]"
)
@click.option(
    "--timeout",
    "timeout_seconds",
    default=600.0,
    show_default=True,
    metavar="SECONDS",
    help="How long it may take until all is healthy and recorded.",
)
@platform_options
@output_option
def command(
    *,
    group: str,
    why: str,
    despite: tuple[str, ...],
    plans: tuple[str, ...],
    is_sure: bool,
    author: str,
    timeout_seconds: float,
    platform: PlatformOptions,
    output: str,
) -> None:
    """Apply one application in one environment now, by your own hands.

    Does what the controller would do, from here, with the credentials that are here: the same renders, rules, plans,
    locks and records. What holds the controller back holds this back, too, unless --despite names it. Who applied, why
    and past what stands in the records, and a running controller finds it applied.

    Exit code: 0 applied, 1 failed, 3 something is still pending, 4 something has drifted.
    """
    asked = Asked(
        group=group_of(group),
        why=why,
        despite=frozenset(map(Barrier, despite)),
        plans=plans,
        is_sure=is_sure,
        author=author,
        timeout_seconds=timeout_seconds,
    )
    sys.exit(run_async(_apply(asked, platform, output)))


async def _apply(asked: Asked, options: PlatformOptions, output: str) -> int:
    from controller.cli.approve_command import check_key  # noqa: PLC0415
    from controller.cli.progress import counting  # noqa: PLC0415
    from controller.cli.run_command import show  # noqa: PLC0415
    from controller.cli.wiring import look_to_work  # noqa: PLC0415
    from controller.engine import apply_by_hand, check_hand, plan_all, write_journal  # noqa: PLC0415

    who = await identity(asked.author)
    work = await look_to_work(options, who, write_journal)
    by_hand = ByHand(who=str(who), why=asked.why, despite=asked.despite)
    refs = check_hand(work.snapshot, asked.group, by_hand)
    if asked.plans or _waits_for_a_yes(work.snapshot, refs, by_hand):
        check_key(asked.group, options)
    with counting("planned", len(refs)) as step:
        planned = await plan_all(work.snapshot, refs, work.open_target, done=lambda _one: step())
    _show_plans(planned, is_told=output == "text")
    chosen = _chosen(planned, asked)
    if all(one.plan is not None and one.plan.is_empty and not one.unknown for one in planned):
        click.echo(f"Nothing to do: {asked.group} is as git says.", err=True)
        return FINE
    _make_sure(asked, who=str(who))
    reports = await apply_by_hand(work, refs, replace(by_hand, plans=chosen), timeout_seconds=asked.timeout_seconds)
    show(reports, output)
    return _code(reports)


def _waits_for_a_yes(snapshot: Snapshot, refs: Iterable[PlacementRef], by_hand: ByHand) -> bool:
    """Tell whether the yes of others counts, which they gave to a hash that was made with the controller's key."""
    policies = {snapshot.entry(ref).application.sync.pending for ref in refs}
    return OnPending.APPROVE in policies and not by_hand.passes(Barrier.APPROVAL)


def _show_plans(planned: Sequence[Planned], *, is_told: bool) -> None:
    """Show what would be done. Raises what kept a placement from being planned."""
    from controller.cli.showing import plan_lines, unknown_line  # noqa: PLC0415

    for one in planned:
        if one.error is not None:
            raise one.error
        if not is_told or one.plan is None or one.plan.is_empty:
            continue
        click.echo(click.style(f"{one.placement}", bold=True) + f"  plan {one.plan.hash}")
        for line in plan_lines(one.plan):
            click.echo(line)
        if one.unknown:
            click.echo(click.style(f"  {unknown_line(one.unknown)}", fg="yellow"))


def _chosen(planned: Sequence[Planned], asked: Asked) -> Mapping[TargetName, Digest]:
    """Give the plan that may be applied on each target; one that takes what nobody knows yet may be any.

    Where nothing was to be done, nothing may. Where plans were named, what is none of them may not. Raises Stalled
    where a named one is not there.
    """
    plans = {one.placement.target: one.plan for one in planned if one.plan is not None}
    known = {one.placement.target for one in planned if not one.unknown}
    if not asked.plans:
        return {target: plan.hash for target, plan in plans.items() if target in known}
    named = tuple(one.removeprefix(PREFIX) for one in asked.plans)
    for digits in named:
        if not any(plan.hash.removeprefix(PREFIX).startswith(digits) for plan in plans.values()):
            what = "what it would do has changed since. Look at it again"
            raise Stalled(f"no plan of {asked.group} begins with {digits}: {what}")
    return {
        one.placement.target: plan.hash
        if (plan := plans.get(one.placement.target)) and plan.hash.removeprefix(PREFIX).startswith(named)
        else NOT_CHOSEN
        for one in planned
    }


def _make_sure(asked: Asked, *, who: str) -> None:
    """Ask the person. Raises Stalled where nobody is there to be asked."""
    if asked.is_sure or asked.plans:
        return
    if not sys.stdin.isatty():
        raise Stalled("nobody is there to say yes. Give --yes, or the plan that was looked at (--plan HASH)")
    despite = f", despite {', '.join(sorted(asked.despite))}" if asked.despite else ""
    click.confirm(f"Apply this now, recorded as by {who}{despite}?", abort=True)


def _code(reports: Sequence[PlacementReport]) -> int:
    if {one.sync for one in reports} & {SyncStatus.FAILED, SyncStatus.UNKNOWN}:
        return FAILED
    if any(one.drifted for one in reports):
        return DRIFTED
    return PENDING if any(one.pending for one in reports) else FINE
