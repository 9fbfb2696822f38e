"""OAM Applications among a placement's objects: each becomes the objects that it stands for.

It happens last, so that overlays patch the Application itself. What it says about places, order, approvals and
ownership becomes what the rest of Converge knows: which objects are this target's, waves, waits, and annotations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from controller.documents import canonical, decode
from controller.model import FIRST, Behind, FieldPath, Position, Problem, Waiting
from controller.render.needs import Need, Needed
from controller.render.request import Draft, RenderRequest
from controller.render.taking import Taking
from controller.render.tracking import TrackedTree

if TYPE_CHECKING:
    from controller.render.oam import Handling
    from controller.render.oam.placing import Placed, PlacedObject
    from controller.render.oam.reporting import Report

Locate: TypeAlias = Callable[[Draft, tuple[str | int, ...]], Position]

WAVE: Final = "converge/wave"
CONSENT: Final = "converge/approve"
IGNORE: Final = "converge/ignore"
ADOPT: Final = "converge/adopt"
PRUNE: Final = "converge/prune"
REPLACE: Final = "converge/replace"
SHARE: Final = "converge/share"


@dataclass(frozen=True, slots=True)
class Around:
    """What an Application is rendered amid."""

    request: RenderRequest
    application: TrackedTree
    platform: TrackedTree
    locate: Locate
    taking: Taking

    def position(self, draft: Draft) -> Callable[[FieldPath], Position]:
        """Give what finds the fields of a draft."""
        return lambda field: self.locate(draft, tuple(one for one in field if isinstance(one, str | int)))


@dataclass(frozen=True, slots=True)
class Expanded:
    """Drafts with every Application's objects in its place. `asked`: the request's surroundings made a difference."""

    drafts: list[Draft]
    warnings: tuple[Problem, ...] = ()
    behind: Behind = FIRST
    asked: bool = False
    follows: tuple[str, ...] = ()  # versions of charts that ranges led to


def is_application(draft: Draft) -> bool:
    return draft.value.get("kind") == "Application" and draft.value.get("apiVersion") == "core.oam.dev/v1beta1"


def expand(
    drafts: Iterable[Draft],
    request: RenderRequest,
    *,
    application: TrackedTree,
    platform: TrackedTree,
    locate: Locate,
    taking: Taking,
) -> Expanded:
    """Put an Application's objects in its place. Raises Invalid with all that is wrong with one, Needed, Waiting."""
    drafts = list(drafts)
    if not any(map(is_application, drafts)):
        return Expanded(drafts)
    around = Around(request, application, platform, locate, taking)
    try:
        return _expanded(drafts, around)
    except Waiting:
        if taking.needs:  # nobody was asked yet
            raise Needed(tuple(taking.needs)) from None
        raise


def _expanded(drafts: Iterable[Draft], around: Around) -> Expanded:
    taking = around.taking
    types = _types(around.platform)
    expanded: list[Draft] = []
    warnings: list[Problem] = []
    behind, asked = FIRST, False
    follows: dict[str, None] = {}
    needs: list[Need] = []
    for draft in drafts:
        if not is_application(draft):
            expanded.append(draft)
            continue
        placed, told = _placed(draft, around, types)
        expanded += [_draft(one, draft) for one in placed.objects]
        if placed.references:
            from controller.render.components import drafts_of_reference  # noqa: PLC0415  few have any

            for one in placed.references:
                try:
                    made = drafts_of_reference(one, draft, around)
                except Needed as needed:
                    needs += needed.needs  # those of all components are done at once
                    continue
                warnings += made.warnings
                follows |= dict.fromkeys(made.follows)
                expanded += [_noted(each, one.wave, one.consent) for each in made.drafts]
        warnings += told
        behind, asked = behind.joined(placed.behind), asked or placed.asked or bool(placed.references)
    needs += taking.needs
    if needs:
        raise Needed(needs)
    return Expanded(expanded, tuple(warnings), behind, asked or bool(taking.takes), tuple(sorted(follows)))


def _types(platform: TrackedTree) -> Mapping[str, Any]:
    from controller.render.types import definitions_of, read_types  # noqa: PLC0415  only Applications need them

    return definitions_of(read_types(platform))


def _placed(draft: Draft, around: Around, types: Mapping[str, Any]) -> tuple[Placed, tuple[Problem, ...]]:
    from controller.render.oam import render_application  # noqa: PLC0415  only Applications need it
    from controller.render.oam.placing import place  # noqa: PLC0415
    from controller.render.oam.reporting import Report  # noqa: PLC0415
    from controller.render.outputs import ModuleOutputs  # noqa: PLC0415

    request = around.request
    report = Report(around.position(draft))
    rendered = render_application(
        draft.value,
        by_steps=True,
        namespace=request.namespace,
        modules=ModuleOutputs(draft, around),
        types=types,
        locate=report.locate,
    )
    placed = place(rendered, request.placement, request.targets, request.surroundings, report)
    for each in placed.objects:
        _check_handling(each, report)
    report.settle()
    return placed, (*rendered.warnings, *report.warnings)


def _check_handling(one: PlacedObject, report: Report) -> None:
    handling = one.rendered.handling
    if handling.frozen:
        what = f"apply-once with `affect: onUpdate` keeps git's own changes from {', '.join(handling.frozen)}"
        report.wrong(("spec", "policies"), what, "Use `always`, which leaves the field to others for good.")


def _draft(one: PlacedObject, application: Draft) -> Draft:
    body: Any = decode(canonical(one.rendered.body))
    handling = one.rendered.handling
    notes = dict(_annotations(one, handling))
    if notes:
        metadata = body.setdefault("metadata", {})
        metadata["annotations"] = {**notes, **(metadata.get("annotations") or {})}  # what the object says itself holds
    return Draft(value=dict(body), origin=application.origin, is_spared=handling.read_only)


def _noted(draft: Draft, wave: int, consent: int | None) -> Draft:
    """Give what another renderer made the turn of its component."""
    notes = dict(_turn(wave, consent))
    metadata = draft.value.get("metadata")
    if notes and isinstance(metadata, dict):
        own = metadata.get("annotations") or {}
        draft.value["metadata"] = {**metadata, "annotations": {**notes, **own}}
    return draft


def _turn(wave: int, consent: int | None) -> Iterator[tuple[str, str]]:
    if wave:
        yield WAVE, str(wave)
    if consent is not None:
        yield CONSENT, "true" if consent < 0 else f"{consent}s"


def _annotations(one: PlacedObject, handling: Handling) -> Iterator[tuple[str, str]]:
    """Say in the words that any object may use what the Application says of this one."""
    from controller.render.oam import Collect  # noqa: PLC0415

    yield from _turn(one.wave, one.consent)
    ignored = ["*"] if handling.apply_once else [*handling.ignored, *(f"{path} while held" for path in handling.held)]
    if ignored:
        yield IGNORE, "\n".join(dict.fromkeys(ignored))
    if handling.take_over:
        yield ADOPT, "takeOver"
    if handling.shared:
        yield SHARE, "true"
    if handling.recreate:
        yield REPLACE, "immutable"
    match handling.collect:
        case Collect.NEVER:
            yield PRUNE, "false"
        case Collect.ON_DELETE:
            yield PRUNE, "withApplication"
        case Collect.ON_UPDATE:
            pass
