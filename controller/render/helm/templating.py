"""What helm printed, as objects with the template that each came from."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Any, Final, cast

from controller.model import EntryKind, Invalid, Origin, Position, Problem
from controller.render.helm.chart import Chart, read_chart
from controller.render.helm.printed import documents_of
from controller.render.helm.values import values_of
from controller.render.needs import ChartTemplate, ClusterFacts, capabilities_of, results_of
from controller.render.parameters import Substitution
from controller.render.plain import CHART_FILE, check_head, is_list
from controller.render.request import Draft, RenderRequest
from controller.render.tracking import TrackedTree

LONGEST_RELEASE: Final = 53  # as helm has it


def chart_drafts(
    request: RenderRequest,
    application: TrackedTree,
    platform: TrackedTree,
    parameters: Substitution,
    *,
    folder: str = "",
) -> list[Draft]:
    """Template the chart at the application's path, or in a folder below: its objects, definitions of kinds first.

    One in a folder is named after it, and gets the values under its name, as Helm does with charts in a chart. Each
    object names its template, with the line where its kind stands where that is plain.

    Raises Invalid, Stalled, Needed.
    """
    (facts,) = results_of([ClusterFacts()], request.prepared)  # first: without them there is nothing to read yet
    capabilities = capabilities_of(facts)
    path = folder or request.path
    chart = read_chart(application, path)
    name = posixpath.basename(folder)
    release = "-".join(filter(None, (request.chart.release or request.placement.application, name)))
    where = Position(chart.place(CHART_FILE))
    if len(release) > LONGEST_RELEASE:
        advice = f"Set `release` of the application to a name of at most {LONGEST_RELEASE} characters."
        raise Invalid([Problem(where, f"the release name {release} is too long for helm", advice=advice)])
    need = ChartTemplate(
        files=chart.files,
        values=values_of(request, chart, application, platform, parameters, below=name),
        release=release,
        namespace=request.namespace or "default",
        kube_version=capabilities.kube_version,
        api_versions=capabilities.api_versions,
        where=where,
        path=path,
        homes=chart.homes,
    )
    (output,) = results_of([need], request.prepared)
    assert isinstance(output, bytes)  # noqa: S101  charts are templated into bytes
    return list(_drafts(output, chart, application))


def _drafts(output: bytes, chart: Chart, tree: TrackedTree) -> Iterator[Draft]:
    for source, value in documents_of(output, f"{chart.name}, as helm prints it"):
        origin = origin_of(source.partition("/")[2] or CHART_FILE, value, chart, tree)
        where = Position(origin.path, origin.line)
        if not isinstance(value, dict):
            raise Invalid([Problem(where, "what comes of this template is no mapping, so it can't be a manifest")])
        check_head(value, where)
        yield from (Draft(one, origin) for one in _flat(value, where))


def _flat(value: dict[str, Any], where: Position) -> Iterator[dict[str, Any]]:
    """Give an object, or those of a list, of lists in it too."""
    if not is_list(value):
        yield value
        return
    for item in cast("list[Any]", value["items"] or []):
        if not isinstance(item, dict):
            raise Invalid([Problem(where, "an item of this list is no mapping, so it can't be a manifest")])
        check_head(item, where)
        yield from _flat(item, where)


def origin_of(inside: str, value: Any, chart: Chart, tree: TrackedTree) -> Origin:
    """Find the template of an object, and the line where its kind is written where one line alone says it."""
    place = chart.place(inside)
    data = chart.file(inside)
    if data is None or tree.kind(place) is not EntryKind.FILE:  # in a packed dependency
        return Origin(tree.repository, chart.place(CHART_FILE), 1, tree.commit)
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(kind, str):
        return Origin(tree.repository, place, 1, tree.commit)
    written = f"kind: {kind}".encode()
    start = data.find(written)
    if start >= 0 and data.find(written, start + 1) >= 0:  # a longer kind that begins so, or another field
        lines = rb"^[ \t]*kind: " + re.escape(kind.encode()) + rb"[ \t]*\r?$"
        found = [one.start() for one in re.finditer(lines, data, re.MULTILINE)]
        start = found[0] if len(found) == 1 else -1
    line = data.count(b"\n", 0, start) + 1 if start >= 0 else 1
    return Origin(tree.repository, place, line, tree.commit)
