"""Proves what an edit of the platform repository does before it is committed: renders the group, before and after."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from controller.cli.options import PlatformOptions
from controller.model import ConvergeError, GroupRef, Manifest, PlacementRef, Stalled, Tree

if TYPE_CHECKING:
    from controller.engine import Snapshot


async def prove(
    group: GroupRef, before: Tree, after: Tree, options: PlatformOptions, *, idle: str = "", named: str = ""
) -> None:
    """Render a group on the edited tree, and show which fields change.

    Raises what the render raises, and Stalled with `idle` where one is given and nothing of the group changes; where
    `named` is the name of a field, the values that it has are told too.
    """
    from controller.cli.history_showing import difference_lines  # noqa: PLC0415
    from controller.cli.wiring import look_at  # noqa: PLC0415
    from controller.engine import compare  # noqa: PLC0415

    old, new = await look_at(before, options), await look_at(after, options)
    is_idle = True
    for placement in new.select([str(group)]):
        desired = (await new.rendered(placement)).desired
        earlier = await _rendered(old, placement)
        if earlier is None:
            is_idle = False
            continue
        found = compare(earlier.desired, desired)
        is_idle = is_idle and not found
        if found:
            click.echo(click.style(str(placement), bold=True))
            for line in difference_lines(found):
                click.echo(line)
        elif idle and named:
            idle = f"{idle}. It has: {', '.join(sorted(_values(desired.manifests, named))) or 'none'}"
            named = ""
    if is_idle and idle:
        raise Stalled(idle)


async def _rendered(snapshot: Snapshot, placement: PlacementRef) -> Any:
    """Render as it is now; None where that fails, which the edit may be the cure of."""
    try:
        return await snapshot.rendered(placement)
    except (ConvergeError, KeyError):
        return None


def _values(manifests: Iterable[Manifest], name: str) -> set[str]:
    """Give every text that a field of this name has anywhere."""
    from controller.documents import decode  # noqa: PLC0415

    return set().union(*(_texts(decode(manifest.body), name) for manifest in manifests))


def _texts(value: Any, name: str) -> set[str]:
    match value:
        case dict():
            own = {value[name]} if isinstance(value.get(name), str) else set()
            return own.union(*(_texts(one, name) for one in value.values()))
        case list():
            return set().union(*(_texts(one, name) for one in value))
        case _:
            return set()
