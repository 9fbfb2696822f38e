"""The values that a chart is given, from wide to narrow: helm itself merges them over the chart's own.

1. the entry's `valuesFiles`, in the application's repository, in their order
2. `parameters` that the chart's values.yaml has at its top
3. values.yaml beside the overlays: of the environment, of the application in it, of that on one target
4. `values` of the entry
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any, Final

from controller.documents import Dialect, canonical, decode, read
from controller.model import EntryKind, Invalid, JsonValue, Position, Problem, Stalled
from controller.render.helm.chart import Chart
from controller.render.parameters import Substitution
from controller.render.request import RenderRequest
from controller.render.tracking import TrackedTree

VALUES_FILE: Final = "values.yaml"


def values_of(
    request: RenderRequest,
    chart: Chart,
    application: TrackedTree,
    platform: TrackedTree,
    parameters: Substitution,
    *,
    below: str = "",
) -> tuple[tuple[str, bytes], ...]:
    """Give the files of values by name, later ones over earlier ones. Raises Invalid, Stalled.

    `below` is the name under which a chart among others finds its own; `global` is everybody's.
    """
    named: list[tuple[str, bytes]] = []
    for name in request.chart.values_files:
        place = posixpath.normpath(posixpath.join(request.path, name))
        if place == ".." or place.startswith("../") or application.kind(place) is not EntryKind.FILE:
            where = f"{application.repository} at {application.commit[:12]}"
            raise Stalled(f"{place}: there is no such file in {where}. Correct `valuesFiles` of the application")
        named.append((place, _of_chart(_with_parameters(application, place, parameters), below)))
    if declared := _declared(chart, parameters.parameters):
        named.append(("parameters", canonical(declared)))
    for overlay in request.overlays:
        place = f"{overlay}/{VALUES_FILE}"
        if platform.kind(place) is EntryKind.FILE:
            named.append((place, _of_chart(_with_parameters(platform, place, parameters), below)))
    if request.chart.values:
        named.append(("values", canonical(_own(dict(request.chart.values), below))))
    return tuple(named)


def _of_chart(values: bytes, below: str) -> bytes:
    return canonical(_own(decode(values), below)) if below else values


def _own(values: Any, below: str) -> dict[str, JsonValue]:
    """Give a chart among others what is said under its name, and what is said for all."""
    if not below:
        return values  # type: ignore[no-any-return]
    own = values.get(below)
    shared = {name: values[name] for name in ("global",) if name in values}
    return {**(own if isinstance(own, dict) else {}), **shared}


def _with_parameters(tree: TrackedTree, place: str, parameters: Substitution) -> bytes:
    """Read a file of values, with parameters where it opts in. Raises Invalid for one that is no mapping."""
    data = tree.read(place)
    documents = read(data, path=place, dialect=Dialect.KUBERNETES, replace=parameters.replacing(data))
    for one in documents[:1]:
        if not isinstance(one.value, dict):
            raise Invalid([Problem(Position(place, one.line), "no mapping, so these are no values")])
    if len(documents) > 1:
        raise Invalid([Problem(Position(place, documents[1].line), "a second document, which helm would leave out")])
    return canonical(documents[0].value) if documents else b"{}"


def _declared(chart: Chart, parameters: Mapping[str, Any]) -> dict[str, JsonValue]:
    data = chart.file(VALUES_FILE) or b""
    if not parameters or not data:
        return {}
    documents = read(data, path=chart.place(VALUES_FILE), dialect=Dialect.KUBERNETES, strict=False)
    own = documents[0].value if documents else None
    return {name: one for name, one in parameters.items() if isinstance(own, dict) and name in own}
