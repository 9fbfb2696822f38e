"""A render request but for its trees: what the platform says of the placement, to tell whether that moved."""

from __future__ import annotations

from controller.documents import canonical, digest_of
from controller.engine.fleet import Entry
from controller.model import Digest, JsonValue, PlacementRef, format_path


def shape_of(placement: PlacementRef, entry: Entry) -> tuple[object, ...]:
    application = entry.application
    return (
        placement,
        type(entry.target),
        application.inputs,
        application.targets,
        application.repository,
        entry.repository.url,
        application.path,
        application.namespace,
        tuple(sorted(application.parameters.items())),
        application.chart,
        application.decryption,
    )


def shape_digest(placement: PlacementRef, entry: Entry) -> Digest:
    """Give `shape_of` in a form that outlives the process."""
    application = entry.application
    typed: list[JsonValue] = [[name, type(one).__name__, one] for name, one in sorted(application.parameters.items())]
    return digest_of(
        canonical(
            [
                str(placement),
                type(entry.target).__name__,
                [[str(one), one.kind, one.name, format_path(one.path)] for one in application.inputs],
                [*application.targets],
                application.repository,
                entry.repository.url,
                application.path,
                application.namespace,
                typed,
                [application.chart.release, [*application.chart.values_files], dict(application.chart.values)],
                [application.decryption.credential, application.decryption.only_encrypted],
            ]
        )
    )


def with_surroundings(shape: Digest, surroundings: Digest | None) -> Digest:
    """Add what was asked of the surroundings; a render that asked nothing does not move with them."""
    return shape if surroundings is None else digest_of(canonical([shape, surroundings]))
