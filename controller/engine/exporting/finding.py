"""Exporters by their names: entry points of the group `converge.exporters`, ours among them."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import entry_points
from typing import Final

from controller.model import Export, Position, Problem, Stalled
from controller.records.exporters import Exporter, Pushing

GROUP: Final = "converge.exporters"


def exporter_of(export: Export) -> Exporter:
    """Make the exporter that an export names. Raises Stalled where there is none, or its settings are wrong."""
    found = [one for one in entry_points(group=GROUP) if one.name == export.exporter]
    if not found:
        known = ", ".join(sorted({one.name for one in entry_points(group=GROUP)})) or "none"
        raise Stalled(f"there is no exporter {export.exporter!r} (known: {known}). Install the package that brings it")
    try:
        exporter: Exporter = found[0].load()(export.settings)
    except ValueError as error:
        raise Stalled(f"settings of exporter {export.exporter}: {error}") from error
    except ImportError as error:
        raise Stalled(f"exporter {export.exporter} can't be loaded: {error}") from error
    if export.url and not isinstance(exporter, Pushing):
        raise Stalled(f"exporter {export.exporter} writes files only. Name a `branch` in place of `url`")
    return exporter


def export_problems(exports: tuple[Export, ...]) -> Iterator[Problem]:
    """Give what is wrong with exports as this machine knows their exporters."""
    for one in exports:
        try:
            exporter_of(one)
        except Stalled as error:
            yield Problem(Position(one.origin.path, one.origin.line), str(error), f"spec.exports.{one.name}")
