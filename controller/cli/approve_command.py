"""`converge approve`: a yes to exactly the plan that is shown."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from controller.cli.committing import CommitOptions, carry_out, commit_options, group_of, identity, open_platform
from controller.cli.options import PlatformOptions, platform_options, run_async
from controller.model import Digest, GroupRef, OnPending, Plan, Stalled, TerraformTarget

if TYPE_CHECKING:
    from controller.engine import Planned

PREFIX = "sha256:"


@click.command("approve")
@click.argument("group", metavar="ENV/APP")
@click.option("--plan", "wanted", default="", metavar="HASH", help="Only if this is still the plan: its first digits.")
@click.option("--for", "duration", default="7d", show_default=True, metavar="DURATION", help="How long the yes holds.")
@platform_options
@commit_options
def command(*, group: str, wanted: str, duration: str, platform: PlatformOptions, commit: CommitOptions) -> None:
    """Show what waits for an approval, and approve exactly that.

    Writes the plans' hashes to approvals/ENV/APP.yaml, and takes expired and stale ones out of it: one commit on the
    platform repository.
    """
    sys.exit(run_async(_approve(group_of(group), wanted, duration, platform, commit)))


async def _approve(group: GroupRef, wanted: str, duration: str, options: PlatformOptions, commit: CommitOptions) -> int:
    from controller.cli.wiring import look_once  # noqa: PLC0415
    from controller.engine import Approve, entry_of, plan_all  # noqa: PLC0415

    until = datetime.now(UTC) + timedelta(seconds=_seconds(duration))
    platform = await open_platform(options)
    snapshot, open_target = await look_once(options)
    _, application = entry_of(snapshot.fleet.platform, group)
    asks_always = application.sync.pending is OnPending.APPROVE
    refs = snapshot.select([str(group)])
    if not asks_always and not any(isinstance(snapshot.entry(ref).target, TerraformTarget) for ref in refs):
        raise Stalled(f"{group} needs no approval: its sync.pending is {application.sync.pending}")
    check_key(group, options)
    planned = await plan_all(snapshot, refs, open_target, done=lambda _one: None)
    _show(planned)
    asking = [one for one in planned if one.plan is not None and _asks(one.plan, asks_always=asks_always)]
    plans = _chosen([one.plan for one in asking if one.plan is not None and not one.unknown], wanted, group)
    is_whole = all(one.plan is not None for one in planned)
    operation = Approve(
        group=group,
        plans=tuple(dict.fromkeys(plans)),
        by=str(await identity(commit.author)),
        now=datetime.now(UTC),
        until=until,
        current=frozenset(one.plan.hash for one in planned if one.plan is not None) if is_whole else None,
    )
    code = await carry_out(operation, platform, options, commit)
    if (required := application.sync.approvals.required) > 1:
        click.echo(f"{required} people must approve it. `converge status {group}` says who is still missing.")
    return code


def _asks(plan: Plan, *, asks_always: bool) -> bool:
    """Tell whether a plan waits for an approval: by policy, or since it destroys something for good."""
    return bool(asks_always and plan.pending) or any(one.destroys for one in plan.objects)


def check_key(group: GroupRef, options: PlatformOptions) -> None:
    """Refuse without the environment's plan key: hashes would be of this process alone, and no approval's."""
    from controller.runtime import CredentialStore, PlanKeys  # noqa: PLC0415

    keys = PlanKeys(CredentialStore(options.credential_directory))
    if keys.shared(group.environment) is None:
        raise Stalled(
            f"{keys.place(group.environment)}: there is no such key. Without the one that the controller has, no hash "
            "of a plan is the one that it waits for: copy it from there"
        )


def _seconds(duration: str) -> int:
    from controller.config import parse_duration  # noqa: PLC0415

    try:
        return parse_duration(duration)
    except ValueError as error:
        raise Stalled(f"{duration!r} is no duration. Write days, hours and minutes, such as 7d or 1h30m") from error


def _show(planned: Sequence[Planned]) -> None:
    from controller.cli.showing import plan_lines, unknown_line  # noqa: PLC0415

    for one in planned:
        if one.plan is None:
            click.echo(click.style(f"{one.placement}: {one.error}", fg="red"), err=True)
            continue
        click.echo(click.style(f"{one.placement}", bold=True) + f"  plan {one.plan.hash}")
        for line in plan_lines(one.plan):
            click.echo(line)
        if one.unknown:
            click.echo(click.style(f"  {unknown_line(one.unknown)}; nobody can approve it before", fg="yellow"))


def _chosen(plans: Sequence[Plan], wanted: str, group: GroupRef) -> list[Digest]:
    """Give the hashes that are approved. Raises Stalled where nothing waits, or not what was wanted."""
    if not plans:
        raise Stalled(f"{group} has nothing pending that could be approved now")
    digits = wanted.removeprefix(PREFIX)
    found = [plan.hash for plan in plans if plan.hash.removeprefix(PREFIX).startswith(digits)]
    if not found:
        raise Stalled(f"no plan of {group} begins with {wanted}: what it would do has changed since. Look at it again")
    return found
