"""`converge verify`: proof, from git alone, of what ran."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from controller.cli.options import FAILED, FINE, PENDING, PlatformOptions, output_option, platform_options, run_async
from controller.model import ApplicationName, EnvironmentName, GroupRef

if TYPE_CHECKING:
    from controller.cli.wiring import Places
    from controller.engine import Proof

COLOURS = {"proven": "green", "refuted": "red", "open": "yellow"}


@click.command("verify")
@click.argument("groups", nargs=-1, metavar="[ENV | ENV/APP]...")
@click.option("--since", default="", metavar="DATE|COMMIT", help="Versions since then. A commit is one of the records.")
@click.option("--limit", "-n", type=click.IntRange(1, 1000), default=20, show_default=True, help="Versions per group.")
@platform_options
@output_option
def command(*, groups: tuple[str, ...], since: str, limit: int, platform: PlatformOptions, output: str) -> None:
    """Render every recorded version again, and compare it with its record, its approvals and signatures.

    What was taken away as a whole is held against what its policy asked for.

    No cluster is asked. Exit code: 0 all is proven, 1 something is refuted, 3 something can't be proven.
    """
    sys.exit(run_async(_verify(groups, since, limit, platform, output)))


async def _verify(wanted: Sequence[str], since: str, limit: int, options: PlatformOptions, output: str) -> int:
    from controller.cli.showing import print_json  # noqa: PLC0415
    from controller.cli.wiring import records_places  # noqa: PLC0415
    from controller.engine import time_of  # noqa: PLC0415

    places = await records_places(options)
    begin = await time_of(places.records, places.records_head, since) if since else None
    proofs = [
        proof
        for group in await _groups(places, wanted)
        for proof in await _proofs(places, group, limit)
        if begin is None or proof.at >= begin
    ]
    if output == "json":
        print_json([_json(one) for one in proofs])
    else:
        for line in _lines(proofs):
            click.echo(line)
    verdicts = {str(one.verdict) for one in proofs}
    return FAILED if "refuted" in verdicts else PENDING if "open" in verdicts else FINE


async def _groups(places: Places, wanted: Sequence[str]) -> list[GroupRef]:
    """Name the groups that the records know, all or those that are named. Raises Stalled for an unknown one."""
    from controller.cli.status_command import statuses  # noqa: PLC0415
    from controller.model import PLATFORM  # noqa: PLC0415

    tree = await places.records.tree(places.records_head, repository=PLATFORM)
    named = [one["metadata"] for one in statuses(tree, wanted)]
    return [GroupRef(EnvironmentName(one["environment"]), ApplicationName(one["application"])) for one in named]


async def _proofs(places: Places, group: GroupRef, limit: int) -> tuple[Proof, ...]:
    from controller.engine import Sources, approvals_by_version, prove, read_approvals, read_history  # noqa: PLC0415

    history = await read_history(places.records, places.records_head, group, limit=limit)
    approvals = await read_approvals(places.platform, places.platform_head, group)
    approved = approvals_by_version(history.versions, approvals)
    sources = Sources(places.platform, places.records, places.mirrors, places.workshop)
    return await prove(group, history.versions, approved, sources, head=places.platform_head)


def _lines(proofs: Iterable[Proof]) -> Iterable[str]:
    for one in proofs:
        revision, verdict = one.version.revision, str(one.verdict)
        yield (
            f"{click.style(f'{verdict:<8}', fg=COLOURS[verdict])} {one.placement!s:<32} "
            f"{revision.application[:8]}+{revision.platform[:8]}  {'removed' if one.removed else 'since'} "
            f"{one.at:%Y-%m-%dT%H:%M:%SZ}"
        )
        yield from (f"    {reason}" for reason in one.reasons)


def _json(one: Proof) -> dict[str, Any]:
    revision = one.version.revision
    return {
        "placement": str(one.placement),
        "revision": {"application": revision.application, "platform": revision.platform},
        "since": f"{one.version.since:%Y-%m-%dT%H:%M:%SZ}",
        **({"removed": f"{one.removed:%Y-%m-%dT%H:%M:%SZ}"} if one.removed else {}),
        "verdict": str(one.verdict),
        "reasons": list(one.reasons),
    }
