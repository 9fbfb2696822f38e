"""Objects that more than one placement asks for on the same target. Pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping

from controller.model import Desired, Manifest, ObjectKey, PlacementRef, Position, Problem


def _by_name(placement: PlacementRef) -> Hashable:
    return placement.environment, placement.target


def contested(
    desireds: Iterable[Desired], *, target_of: Callable[[PlacementRef], Hashable] = _by_name
) -> Mapping[PlacementRef, tuple[Problem, ...]]:
    """Give each placement the objects that another asks for too, at the place in git that says so.

    `target_of` tells targets apart: by environment and name, or, where it is known, by what is behind the name.
    Who keeps the object is not said here: whoever has it on the target does.
    """
    claims: dict[tuple[Hashable, ObjectKey], list[tuple[PlacementRef, Manifest]]] = {}
    for desired in desireds:
        target = target_of(desired.placement)
        for manifest in desired.manifests:
            claims.setdefault((target, manifest.key), []).append((desired.placement, manifest))
    found: dict[PlacementRef, list[Problem]] = {}
    for claimants in claims.values():
        for placement, manifest in claimants:
            others = sorted({str(other) for other, _ in claimants if other != placement})
            if others:
                found.setdefault(placement, []).append(_problem(manifest, others))
    return {placement: tuple(sorted(problems)) for placement, problems in sorted(found.items())}


def _problem(manifest: Manifest, others: list[str]) -> Problem:
    where = Position(manifest.origin.path, manifest.origin.line)
    return Problem(
        where, f"{manifest.key} is asked for by {', '.join(others)} too", advice="Let one application have it."
    )
