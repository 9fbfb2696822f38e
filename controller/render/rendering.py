"""The door's work: base and overlays of one placement into its desired state."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from controller.documents import Dialect, Positions, canonical, digest_of, read_with_positions
from controller.model import (
    ConvergeError,
    Desired,
    Digest,
    EntryKind,
    FieldPath,
    Invalid,
    JsonValue,
    Manifest,
    Position,
    Problem,
)
from controller.render.applications import expand
from controller.render.encrypted import Decipherer
from controller.render.finishing import finish
from controller.render.needs import ClusterFacts, Need, Needed
from controller.render.parameters import Substitution
from controller.render.plain import CHART_FILE, holds_kustomization, joined, manifest_files, read_plain
from controller.render.request import RENDERER_VERSION, Draft, Rendered, RenderRequest
from controller.render.secrecy import Drafted, check_secrecy
from controller.render.taking import Taking
from controller.render.tracking import TrackedTree
from controller.render.uninterrupted import uninterrupted


@uninterrupted()
def render(request: RenderRequest) -> Rendered:
    """Render one placement. Pure: the same request gives the same bytes.

    Raises Invalid with every problem found, each with its file and line; Stalled for what can't be rendered at all.
    """
    decipherer = Decipherer(request.prepared, request.decryption.credential)
    try:
        drafted = _drafted(request, decipherer)
    except (Needed, ConvergeError):
        decipherer.settle()  # what is missing may be why: it is asked for first, all of it at once
        raise
    decipherer.settle()
    check_secrecy(request, drafted, decipherer, again=lambda marks: _drafted(request, marks))
    drafts = drafted.drafts
    drafted.taking.settle(drafts, drafted.locate)
    if request.wires:
        from controller.render.wiring import connect  # noqa: PLC0415  only what takes outputs in needs it

        connect(drafts, request.wires)
    finished = finish(
        drafts,
        namespace=request.namespace,
        cluster_scoped=request.cluster_scoped,
        locate=drafted.locate,
    )
    surroundings = request.surroundings.digest_for(request.placement.group) if drafted.asked else None
    pairs = list(zip(drafts, finished.manifests, strict=True))
    manifests = tuple(one for draft, one in pairs if not draft.is_spared)
    desired = Desired(
        request.placement,
        request.revision,
        manifests,
        _digest_of_manifests(manifests),
        digest_of(canonical(_inputs(request, drafted, surroundings))),
        behind=drafted.behind,
        takes=tuple(drafted.taking.takes),
        spared=frozenset(one.key for draft, one in pairs if draft.is_spared),
    )
    return Rendered(
        desired=desired,
        reads=drafted.reads,
        warnings=(*drafted.warnings, *finished.warnings),
        idle=drafted.idle,
        surroundings=surroundings,
        asks_cluster=ClusterFacts().digest in request.prepared,
        follows=drafted.follows,
    )


def draft_with_marks(request: RenderRequest) -> Drafted | None:
    """Give a placement's objects with marks for what is encrypted; None where nothing is, or marks can't be drafted."""
    decipherer = Decipherer(request.prepared, request.decryption.credential, only_marks=True)
    try:
        drafted = _drafted(request, decipherer)
    except (Needed, ConvergeError):
        return None
    return drafted if decipherer.files else None


def _drafted(request: RenderRequest, decipherer: Decipherer) -> Drafted:
    """Give the objects as files and overlays say them, Applications expanded, before the last touches."""
    application = TrackedTree(request.application, decipherer=decipherer)
    platform = TrackedTree(request.platform, decipherer=decipherer)
    parameters = Substitution(request.parameters)
    overlays = tuple(path for path in request.overlays if holds_kustomization(platform, path))
    drafts, warnings, idle = _drafts(request, application, platform, overlays, parameters)
    trees = {application.repository: application, platform.repository: platform}

    def locate(draft: Draft, field: tuple[str | int, ...]) -> Position:
        return _locate(trees[draft.origin.repository], draft, field)

    taking = Taking(request.prepared)
    expanded = expand(drafts, request, application=application, platform=platform, locate=locate, taking=taking)
    return Drafted(
        drafts=expanded.drafts,
        locate=locate,
        overlays=overlays,
        reads=tuple(sorted({*application.reads(), *platform.reads()})),
        warnings=(*warnings, *expanded.warnings),
        idle=idle,
        behind=expanded.behind,
        asked=expanded.asked,
        taking=taking,
        follows=expanded.follows,
    )


def _drafts(
    request: RenderRequest,
    application: TrackedTree,
    platform: TrackedTree,
    overlays: tuple[str, ...],
    parameters: Substitution,
) -> tuple[list[Draft], tuple[Problem, ...], frozenset[Problem]]:
    is_directory = application.kind(request.path) is EntryKind.DIRECTORY
    is_kustomization = is_directory and holds_kustomization(application, request.path)
    if is_directory and not is_kustomization and application.kind(joined(request.path, CHART_FILE)) is EntryKind.FILE:
        return _of_chart(request, application, platform, overlays, parameters)
    made: dict[str, list[Draft]] = {}
    if not is_kustomization:
        found = list(manifest_files(application, request.path))
        made = {one: [] for one in _left_to_components(found, request, application)}
        found = [one for one in found if one not in made]
        folders = [one for one in found if application.kind(one) is not EntryKind.FILE]
        files = [one for one in found if application.kind(one) is EntryKind.FILE]
        charts = [one for one in folders if not holds_kustomization(application, one)]
        made |= _charts_amid(charts, request, application, platform, parameters) if charts else {}
        if not overlays and all(one in made for one in folders):
            drafts = read_plain(application, files, parameters)
            return [*drafts, *(one for drafted in made.values() for one in drafted)], (), frozenset()
    from controller.render.kustomize import drafts_of  # noqa: PLC0415  a plain tree needs none of it

    return drafts_of(application, request.path, platform, overlays, parameters, made=made)


def _left_to_components(found: Sequence[str], request: RenderRequest, application: TrackedTree) -> frozenset[str]:
    """Name what the Applications among some files have components made of: it is no part of the plain YAML."""
    files = (one for one in found if application.kind(one) is EntryKind.FILE)
    if not any(b"core.oam.dev/v1beta1" in application.read(one) for one in files):
        return frozenset()
    from controller.render.components import left_to_components  # noqa: PLC0415  only Applications need it

    return left_to_components(found, request, application)


def _charts_amid(
    folders: Sequence[str],
    request: RenderRequest,
    application: TrackedTree,
    platform: TrackedTree,
    parameters: Substitution,
) -> dict[str, list[Draft]]:
    """Have helm template the charts amid plain YAML, by their folders."""
    from controller.render.helm import chart_drafts  # noqa: PLC0415  only charts need it

    made: dict[str, list[Draft]] = {}
    needs: list[Need] = []
    for folder in folders:
        try:
            made[folder] = chart_drafts(request, application, platform, parameters, folder=folder)
        except Needed as error:
            needs += error.needs  # all at once: they are templated side by side
    if needs:
        raise Needed(tuple({one.digest: one for one in needs}.values()))
    return made


def _of_chart(
    request: RenderRequest,
    application: TrackedTree,
    platform: TrackedTree,
    overlays: tuple[str, ...],
    parameters: Substitution,
) -> tuple[list[Draft], tuple[Problem, ...], frozenset[Problem]]:
    """Have helm template the chart; overlays edit what comes of it, as they do with any base."""
    from controller.render.helm import chart_drafts  # noqa: PLC0415  only charts need it

    drafts = chart_drafts(request, application, platform, parameters)
    if not overlays:
        return drafts, (), frozenset()
    from controller.render.kustomize import drafts_of  # noqa: PLC0415

    return drafts_of(application, request.path, platform, overlays, parameters, made={request.path: drafts})


def _locate(tree: TrackedTree, draft: Draft, field: tuple[str | int, ...]) -> Position:
    """Find a field in the draft's own document; the document's line where it is not written there."""
    here = Position(draft.origin.path, draft.origin.line)
    if draft.index < 0:
        return here
    try:
        positions: Positions = read_with_positions(tree.written(here.path), path=here.path, dialect=Dialect.KUBERNETES)
    except Invalid:  # what only kustomize's dialect reads
        return here
    path: FieldPath = ("items", draft.item, *field) if draft.item >= 0 else field
    return positions.position(draft.index, path) if positions.has(draft.index, path) else here


def _digest_of_manifests(manifests: Iterable[Manifest]) -> Digest:
    ordered = sorted(manifests, key=lambda one: (one.key, one.digest))
    return digest_of(
        canonical([[one.key.group, one.key.kind, one.key.namespace, one.key.name, one.digest] for one in ordered])
    )


def _inputs(request: RenderRequest, drafted: Drafted, surroundings: Digest | None) -> dict[str, JsonValue]:
    """Everything that goes in, and no commit: a commit that touches none of it changes no input."""
    asked: dict[str, JsonValue] = {"surroundings": surroundings} if surroundings else {}
    if drafted.follows:
        asked["charts"] = [*drafted.follows]
    return asked | {
        "renderer": RENDERER_VERSION,
        "path": request.path,
        "overlays": list(drafted.overlays),
        "namespace": request.namespace,
        "parameters": {name: [type(value).__name__, value] for name, value in request.parameters.items()},
        "cluster_scoped": [*sorted(request.cluster_scoped)],
        "reads": [[one.repository, one.path, one.digest] for one in drafted.reads],
    }
