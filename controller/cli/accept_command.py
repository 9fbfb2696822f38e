"""`converge accept`: what somebody changed on a target becomes what git says."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from controller.cli.committing import CommitOptions, carry_out, commit_options, group_of, open_platform
from controller.cli.explain_command import find
from controller.cli.options import PlatformOptions, platform_options, run_async
from controller.model import (
    ABSENT,
    Cause,
    Hidden,
    Manifest,
    ObjectKey,
    PlacementRef,
    Stalled,
    format_path,
    parse_path,
)

if TYPE_CHECKING:
    from controller.engine import Accepted, Snapshot


@click.command("accept")
@click.argument("placement", metavar="ENV/APP[@TARGET]")
@click.argument("name", required=False, default="", metavar="[KIND/NAME")
@click.argument("fields", nargs=-1, metavar="FIELD...]")
@click.option("--reverted", is_flag=True, help="What was taken back already: its value stands in the status record.")
@click.option("--namespace", "-n", default="", help="The object's, where several have the same kind and name.")
@platform_options
@commit_options
def command(
    *,
    placement: str,
    name: str,
    fields: tuple[str, ...],
    reverted: bool,
    namespace: str,
    platform: PlatformOptions,
    commit: CommitOptions,
) -> None:
    """Write the live value of drifted fields back to git: at its line in the overlay, or as an entry there.

    \b
    converge accept prod/shop                                         all that has drifted
    converge accept prod/shop Deployment/web spec.replicas            these fields of one object
    converge accept prod/shop --reverted --why "The load of Friday"   what the controller took back

    The application is rendered again first: the edit is refused unless it changes exactly these fields. One commit on
    the platform repository.
    """  # noqa: D301  # click takes a real \\b for "leave the lines as they are"
    if name and name.count("/") != 1:
        raise click.BadParameter("write KIND/NAME, such as Deployment/web", param_hint="KIND/NAME")
    wanted = (name.partition("/")[0], namespace, name.partition("/")[2]) if name else None
    sys.exit(run_async(_accept(placement, wanted, fields, platform, commit, is_reverted=reverted)))


async def _accept(
    text: str,
    wanted: tuple[str, str, str] | None,
    fields: Sequence[str],
    options: PlatformOptions,
    commit: CommitOptions,
    *,
    is_reverted: bool,
) -> int:
    from controller.cli.wiring import look_once  # noqa: PLC0415
    from controller.engine import acceptance, folder_of, with_prepared  # noqa: PLC0415

    group = group_of(text.partition("@")[0])
    platform = await open_platform(options)
    snapshot, open_target = await look_once(options)
    placement = _the_one(snapshot.select([text]))
    if is_reverted:
        found = await _recorded(snapshot, placement, options)
    else:
        found = list(_live(await _plan(snapshot, placement, open_target)))
    chosen = await _chosen(found, snapshot, placement, wanted, fields)
    if not chosen:
        where = "the status record tells of no edit that was taken back" if is_reverted else "nothing has drifted"
        raise Stalled(f"{placement}: {where}{_hint(is_reverted=is_reverted)}")
    others = snapshot.select([str(group)])
    requests = {ref: snapshot.request(ref) for ref in others}
    folder = folder_of(placement, others)
    operation = await snapshot.renderer.workshop.work(
        lambda prepared: asyncio.to_thread(acceptance, placement, chosen, with_prepared(requests, prepared), folder)
    )
    for one in chosen:
        click.echo(f"{one} = {'(taken away)' if one.live is ABSENT else one.live}")
    return await carry_out(operation, platform, options, commit)


def _hint(*, is_reverted: bool) -> str:
    return "" if is_reverted else ". What the controller took back already: --reverted"


def _the_one(found: Sequence[PlacementRef]) -> PlacementRef:
    if len(found) != 1:
        raise Stalled(f"it runs in several places. Name one: {', '.join(map(str, found))}")
    return found[0]


async def _plan(snapshot: Snapshot, placement: PlacementRef, open_target: Any) -> Any:
    from controller.engine import plan_all  # noqa: PLC0415

    (planned,) = await plan_all(snapshot, [placement], open_target, done=lambda _one: None)
    if planned.plan is None:
        raise planned.error or Stalled(f"{placement}: it could not be planned")
    return planned.plan


def _live(plan: Any) -> Iterator[Accepted]:
    """Give the drifted fields of a plan with their live values."""
    from controller.engine import Accepted  # noqa: PLC0415

    for one in plan.objects:
        for change in one.changes:
            if change.cause is Cause.DRIFT:
                yield Accepted(one.key, change.path, change.before)


async def _recorded(snapshot: Snapshot, placement: PlacementRef, options: PlatformOptions) -> list[Accepted]:
    """Read from the status record which edits were taken back while the version that runs is the newest."""
    from controller.cli.status_command import statuses  # noqa: PLC0415
    from controller.cli.wiring import records_tree  # noqa: PLC0415

    manifests = (await snapshot.rendered(placement)).desired.manifests
    return [
        each
        for status in statuses(await records_tree(options), [str(placement.group)])
        for one in status["placements"]
        if one["target"] == placement.target
        for drift in one.get("drift", ())
        if drift["corrected"] and (each := _from_record(drift, manifests)) is not None
    ]


def _from_record(drift: Mapping[str, Any], manifests: Sequence[Manifest]) -> Accepted | None:
    from controller.documents import decode  # noqa: PLC0415
    from controller.engine import Accepted  # noqa: PLC0415
    from controller.render import resolve  # noqa: PLC0415

    kind, _, group = drift["kind"].partition(".")
    key = ObjectKey(group, kind, drift.get("namespace", ""), drift["name"])
    manifest = next((one for one in manifests if one.key == key), None)
    if manifest is None:
        return None
    live = drift.get("live", ABSENT)
    return Accepted(
        key, resolve(decode(manifest.body), parse_path(drift["field"])), Hidden() if live == "•••" else live
    )


async def _chosen(
    found: Sequence[Accepted],
    snapshot: Snapshot,
    placement: PlacementRef,
    wanted: tuple[str, str, str] | None,
    fields: Sequence[str],
) -> list[Accepted]:
    """Take what was named, or everything. Raises Stalled for a name that has not drifted."""
    if wanted is not None:
        manifest = find((await snapshot.rendered(placement)).desired.manifests, *wanted, where=str(placement))
        found = [one for one in found if one.key == manifest.key]
    texts = {format_path(one.field): one for one in found}
    missing = [field for field in fields if field not in texts]
    if missing:
        raise Stalled(f"{missing[0]} is no drifted field. These are: {', '.join(texts) or 'none'}")
    return [texts[field] for field in fields] if fields else list(found)
