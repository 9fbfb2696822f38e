"""Components of an OAM Application that other renderers make: charts and kustomizations.

They lie in the Application's own repository, or are versions of charts that converge.yaml names: a render has no
network, and nobody but the platform says what is fetched.
"""

from __future__ import annotations

import base64
import posixpath
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from controller.config import read_range, read_version
from controller.documents import decode
from controller.model import (
    ChartOptions,
    EntryKind,
    JsonValue,
    MemoryTree,
    Position,
    Problem,
    RepositoryName,
)
from controller.render.applications import Around, is_application
from controller.render.needs import ChartArchive, ChartHead, results_of, version_of
from controller.render.oam import HelmReference, KustomizeReference, TerraformReference
from controller.render.oam.placing import PlacedReference
from controller.render.oam.reporting import Report
from controller.render.outputs import secret_of_outputs
from controller.render.parameters import Substitution
from controller.render.plain import CHART_FILE, joined, read_plain
from controller.render.request import Draft, RenderRequest
from controller.render.tracking import TrackedTree

_FOLDER_FIELDS: Final = {"helm": "chart", "kustomize": "path"}
CHART: Final = "converge/chart"  # on what a range of versions led to: the chart, its version and digest


@dataclass(frozen=True, slots=True)
class Made:
    """A component's objects. `follows` are the versions of charts that ranges led to, as `name version digest`."""

    drafts: list[Draft]
    warnings: tuple[Problem, ...] = ()
    follows: tuple[str, ...] = ()


def drafts_of_reference(
    placed: PlacedReference,
    draft: Draft,
    around: Around,
) -> Made:
    """Make a component's objects. Raises Invalid for one that nobody here can make."""
    request, application, platform = around.request, around.application, around.platform
    report = Report(around.position(draft))
    made = Made([])
    match placed.reference:
        case TerraformReference() as module:
            _check_module(module, request, report)
            report.settle()
            made = Made(secret_of_outputs(module, draft, around))
        case HelmReference() as chart:
            around.taking.refuse(chart.values, report, (*chart.at, "properties", "values"))
            made = _of_chart(chart, placed, draft, request, application, platform, report)
        case KustomizeReference() as kustomization:
            made = _of_kustomization(kustomization, draft, request, application, platform, report)
    report.settle()
    namespace = placed.namespace or placed_namespace(placed)
    moved = [_in_namespace(one, namespace, is_moved=bool(placed.namespace)) for one in made.drafts]
    return replace(made, drafts=moved)


def left_to_components(found: Iterable[str], request: RenderRequest, application: TrackedTree) -> frozenset[str]:
    """Name what of some files and folders lies in folders that components of Applications among them are made of."""
    found = tuple(found)
    files = [one for one in found if application.kind(one) is EntryKind.FILE]
    written = [one for one in files if _may_name_folders(application.read(one))]
    folders = _folders_named(written, request, application) if written else frozenset()
    inside = (one for one in found if any(f"{one}/".startswith(f"{folder}/" if folder else "") for folder in folders))
    return frozenset(inside).difference(written)


def _may_name_folders(data: bytes) -> bool:
    return b"core.oam.dev/v1beta1" in data and (b"helm" in data or b"kustomize" in data)


def _folders_named(written: Iterable[str], request: RenderRequest, application: TrackedTree) -> frozenset[str]:
    found: set[str | None] = set()
    for draft in read_plain(application, written, Substitution(request.parameters)):
        spec = draft.value.get("spec")
        components = spec.get("components") if is_application(draft) and isinstance(spec, dict) else None
        for one in components if isinstance(components, list) else ():
            properties = one.get("properties") if isinstance(one, dict) else None
            field = _FOLDER_FIELDS.get(str(one.get("type"))) if isinstance(one, dict) else None
            if field and isinstance(properties, dict) and isinstance(properties.get(field), str):
                found.add(_folder(properties[field], draft, request, application))
    return frozenset(one for one in found if one is not None)


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
) -> Made:
    from controller.render.helm import chart_drafts  # noqa: PLC0415  few have any

    where = (*chart.at, "properties")
    options = ChartOptions(release=chart.release, values_files=chart.values_files, values=dict(chart.values))
    namespace = placed.namespace or chart.namespace or request.namespace
    parameters = Substitution(request.parameters)
    if chart.source in {"helm", "oci"}:
        fetched, followed = _fetched(chart, request, report)
        asked = replace(request, path="", chart=options, namespace=namespace, overlays=())
        made = chart_drafts(asked, fetched, platform, parameters)
        drafts = [_followed(Draft(one.value, draft.origin), followed) for one in made]  # its files are in no repository
        return Made(drafts, follows=(followed,) if followed else ())
    if chart.source != "git" or not _is_here(chart.url, request):
        what = f"the chart {chart.chart} of {chart.url} lies outside of this repository"
        advice = "Name its repository in converge.yaml, and give it an application entry of its own."
        report.fail((*where, "url"), what, advice)
    path = _folder(chart.chart, draft, request, application)
    if path is None or application.kind(joined(path, CHART_FILE)) is not EntryKind.FILE:
        report.fail((*where, "chart"), f'"{chart.chart}" holds no chart', f"Name a folder with a {CHART_FILE}.")
    asked = replace(request, path=path, chart=options, namespace=namespace, overlays=())
    return Made(chart_drafts(asked, application, platform, parameters))


def _followed(draft: Draft, version: str) -> Draft:
    """Note the version that a range led to on what came of it: no commit names it."""
    metadata = draft.value.get("metadata")
    if version and isinstance(metadata, dict):
        draft.value["metadata"] = {**metadata, "annotations": {**(metadata.get("annotations") or {}), CHART: version}}
    return draft


def _fetched(chart: HelmReference, request: RenderRequest, report: Report) -> tuple[TrackedTree, str]:
    """Give the files of a chart of a chart repository or registry, and what a range led to. Raises Invalid, Needed."""
    where = (*chart.at, "properties")
    base = chart.url.rstrip("/")
    url = f"{base}/{chart.chart}" if chart.source == "oci" else f"{base}#{chart.chart}"
    if chart.source == "oci" and base.rpartition("/")[2] == chart.chart:
        url = base
    named = {_same(one): (one, credential) for one, credential in request.surroundings.charts.items()}
    if _same(url) not in named:
        advice = "Add it under `spec.repositories`, with its `url` (and `chart`): nothing is fetched from elsewhere."
        report.fail((*where, "url"), f"converge.yaml names no chart {url}", advice)
    if read_range(chart.version) is None:
        advice = "Write one version (1.4.2) or a range of them (^1.4, 1.x, >=1.2 <2)."
        report.fail((*where, "version"), f'"{chart.version}" is no version, and no range of versions', advice)
    known, credential = named[_same(url)]
    at, version, followed = report.locate(where), chart.version, ""
    if not _is_exact(version):
        head = ChartHead(url=known, versions=version, credential=credential, where=at)
        newest, digest = version_of(*results_of([head], request.prepared))
        version, followed = f"{newest}@{digest}", f"{chart.chart} {newest} {digest}"
    need = ChartArchive(url=known, version=version, credential=credential, where=at)
    (packed,) = results_of([need], request.prepared)
    told: Any = decode(packed) if isinstance(packed, bytes) else {}
    files = {path: base64.b64decode(data) for path, data in told.items()}
    return TrackedTree(MemoryTree(files, RepositoryName(chart.chart))), followed


def _is_exact(version: str) -> bool:
    """Tell whether a text names one version in full, pinned or not: `1.4` is a range."""
    plain = version.partition("@")[0].strip()
    return plain.count(".") >= 2 and read_version(plain) is not None


def _same(url: str) -> str:
    base, mark, name = url.partition("#")
    return f"{base.rstrip('/')}{mark}{name}"


def _of_kustomization(
    kustomization: KustomizeReference,
    draft: Draft,
    request: RenderRequest,
    application: TrackedTree,
    platform: TrackedTree,
    report: Report,
) -> Made:
    from controller.render.kustomize import Additions, drafts_of  # noqa: PLC0415  few have any

    where = (*kustomization.at, "properties")
    if not _is_here(kustomization.url, request):
        what = f"the kustomization of {kustomization.url} lies outside of this repository"
        advice = "Name its repository in converge.yaml, and give it an application entry of its own."
        report.fail((*where, "url"), what, advice)
    path = _folder(kustomization.path or ".", draft, request, application)
    if path is None:
        what = f'there is no folder "{kustomization.path}" in this repository'
        report.fail((*where, "path"), what, "Name one, from the repository's root or beside the Application.")
    entries: dict[str, list[tuple[JsonValue, Position]]] = {}
    for one in kustomization.patches:
        entries.setdefault(one.into, []).append((one.entry, report.locate(one.at)))
    without = frozenset({draft.origin.path})  # the Application itself, where it lies in the folder
    additions = Additions(namespace=kustomization.namespace, entries=entries, without=without)
    parameters = Substitution(request.parameters)
    drafts, warnings, _ = drafts_of(application, path, platform, (), parameters, additions=additions)
    return Made(drafts, warnings)


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
