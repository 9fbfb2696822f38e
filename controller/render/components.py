"""Components of an OAM Application that other renderers make: charts and kustomizations of its own repository.

What lies elsewhere is an application of its own, whose repository converge.yaml names: a render has no network.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import replace

from controller.model import ChartOptions, EntryKind, FieldPath, Position
from controller.render.applications import Locate
from controller.render.oam import HelmReference, KustomizeReference, TerraformReference
from controller.render.oam.placing import PlacedReference
from controller.render.oam.reporting import Report
from controller.render.parameters import Substitution
from controller.render.plain import CHART_FILE, holds_kustomization, joined
from controller.render.request import Draft, RenderRequest
from controller.render.tracking import TrackedTree


def drafts_of_reference(
    placed: PlacedReference,
    draft: Draft,
    request: RenderRequest,
    application: TrackedTree,
    platform: TrackedTree,
    locate: Locate,
) -> list[Draft]:
    """Give the objects of a component. Raises Invalid for one that nobody here can make."""

    def position(field: FieldPath) -> Position:
        return locate(draft, tuple(one for one in field if isinstance(one, str | int)))

    report = Report(position)
    made: list[Draft] = []
    match placed.reference:
        case TerraformReference() as module:
            _check_module(module, request, report)
        case HelmReference() as chart:
            made = _of_chart(chart, placed, draft, request, application, platform, report)
        case KustomizeReference() as kustomization:
            made = _of_kustomization(kustomization, draft, request, application, platform, report)
    report.settle()
    namespace = placed.namespace or placed_namespace(placed)
    return [_in_namespace(one, namespace, is_moved=bool(placed.namespace)) for one in made]


def placed_namespace(placed: PlacedReference) -> str:
    reference = placed.reference
    return "" if isinstance(reference, TerraformReference) else reference.namespace


def _check_module(module: TerraformReference, request: RenderRequest, report: Report) -> None:
    """Tell of a module that none of the application's targets runs."""
    places = request.surroundings.places.get(request.placement.environment, {})
    if not any(name in places and not places[name].is_cluster for name in request.targets):
        what = f"the component {module.component} is a Terraform module, and the application has no terraform target"
        report.wrong(module.at, what, "Add one to the environment's targets, and to the application's entry.")


def _of_chart(
    chart: HelmReference,
    placed: PlacedReference,
    draft: Draft,
    request: RenderRequest,
    application: TrackedTree,
    platform: TrackedTree,
    report: Report,
) -> list[Draft]:
    from controller.render.helm import chart_drafts  # noqa: PLC0415  few have any

    where = (*chart.at, "properties")
    if chart.source != "git" or not _is_here(chart.url, request):
        what = f"the chart {chart.chart} of {chart.url} lies outside of this repository"
        advice = "Name its repository in converge.yaml, and give it an application entry of its own."
        report.fail((*where, "url"), what, advice)
    path = _folder(chart.chart, draft, request, application)
    if path is None or application.kind(joined(path, CHART_FILE)) is not EntryKind.FILE:
        report.fail((*where, "chart"), f'"{chart.chart}" holds no chart', f"Name a folder with a {CHART_FILE}.")
    options = ChartOptions(release=chart.release, values_files=chart.values_files, values=dict(chart.values))
    namespace = placed.namespace or chart.namespace or request.namespace
    asked = replace(request, path=path, chart=options, namespace=namespace, overlays=())
    return chart_drafts(asked, application, platform, Substitution(request.parameters))


def _of_kustomization(
    kustomization: KustomizeReference,
    draft: Draft,
    request: RenderRequest,
    application: TrackedTree,
    platform: TrackedTree,
    report: Report,
) -> list[Draft]:
    from controller.render.kustomize import drafts_of  # noqa: PLC0415  few have any

    where = (*kustomization.at, "properties")
    if not _is_here(kustomization.url, request):
        what = f"the kustomization of {kustomization.url} lies outside of this repository"
        advice = "Name its repository in converge.yaml, and give it an application entry of its own."
        report.fail((*where, "url"), what, advice)
    if kustomization.patches:
        report.fail((*where, "patches"), "they are not followed here", "Write them into the kustomization.")
    path = _folder(kustomization.path or ".", draft, request, application)
    if path is None or not holds_kustomization(application, path):
        report.fail((*where, "path"), f'"{kustomization.path}" holds no kustomization', "Name a folder with one.")
    return drafts_of(application, path, platform, (), Substitution(request.parameters))[0]


def _is_here(url: str, request: RenderRequest) -> bool:
    return bool(request.url) and _plain(url) == _plain(request.url)


def _plain(url: str) -> str:
    return url.rstrip("/").removesuffix(".git")


def _folder(path: str, draft: Draft, request: RenderRequest, tree: TrackedTree) -> str | None:
    """Find a folder from the repository's root, as KubeVela does, else beside the Application or under the path."""
    bases: Iterable[str] = dict.fromkeys(("", posixpath.dirname(draft.origin.path), request.path))
    for base in bases:
        folder = posixpath.normpath(posixpath.join(base, path.removeprefix("/") or "."))
        folder = "" if folder == "." else folder
        if not folder.startswith("..") and tree.kind(folder) is EntryKind.DIRECTORY:
            return folder
    return None


def _in_namespace(draft: Draft, namespace: str, *, is_moved: bool) -> Draft:
    metadata = draft.value.get("metadata")
    if namespace and isinstance(metadata, dict) and (is_moved or not metadata.get("namespace")):
        draft.value["metadata"] = {**metadata, "namespace": namespace}
    return draft
