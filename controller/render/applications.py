"""OAM Applications among a placement's objects: each becomes the objects that it stands for.

It happens last, so that overlays patch the Application itself. What an Application says about places, approvals and
ownership is said by the environment here; an Application that says it too is refused by name, never half obeyed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from controller.documents import canonical, decode
from controller.model import Invalid, Position, Problem
from controller.render.request import Draft
from controller.render.tracking import TrackedTree

Place: TypeAlias = Callable[[Draft, tuple[str | int, ...]], Position]
WAVE = "converge/wave"


def is_application(draft: Draft) -> bool:
    return draft.value.get("kind") == "Application" and draft.value.get("apiVersion") == "core.oam.dev/v1beta1"


def expand(
    drafts: Iterable[Draft], *, namespace: str, platform: TrackedTree, place: Place
) -> tuple[list[Draft], tuple[Problem, ...]]:
    """Put an Application's objects in its place. Gives the drafts, and warnings. Raises Invalid."""
    expanded: list[Draft] = []
    warnings: list[Problem] = []
    types: Mapping[str, Any] | None = None
    for draft in drafts:
        if not is_application(draft):
            expanded.append(draft)
            continue
        types = _types(platform) if types is None else types
        objects, found = _objects(draft, namespace, types, place)
        expanded += objects
        warnings += found
    return expanded, tuple(warnings)


def _types(platform: TrackedTree) -> Mapping[str, Any]:
    from controller.render.types import definitions_of, read_types  # noqa: PLC0415  only Applications need them

    return definitions_of(read_types(platform))


def _objects(
    draft: Draft, namespace: str, types: Mapping[str, Any], place: Place
) -> tuple[list[Draft], tuple[Problem, ...]]:
    from controller.render.oam import render_application  # noqa: PLC0415  only Applications need it

    rendered = render_application(
        draft.value, namespace=namespace, types=types, locate=lambda field: place(draft, _plain(field))
    )
    problems = tuple(_refusals(rendered, place(draft, ("spec",))))
    if problems:
        raise Invalid(problems)
    objects: dict[tuple[str, ...], Draft] = {}  # of two with one identity the later holds, as KubeVela applies them
    for one in (one for part in rendered.deployments for one in part.objects):
        body = _in_wave(one.body, one.wave)
        metadata = body.get("metadata", {})
        identity = (body["apiVersion"], body["kind"], metadata.get("namespace", ""), metadata.get("name", ""))
        objects[identity] = Draft(value=body, origin=draft.origin)
    return list(objects.values()), rendered.warnings


def _plain(field: Iterable[Any]) -> tuple[str | int, ...]:
    return tuple(step for step in field if isinstance(step, str | int))


def _in_wave(body: Any, wave: int) -> dict[str, Any]:
    copied: Any = decode(canonical(body))
    if wave:
        copied.setdefault("metadata", {}).setdefault("annotations", {})[WAVE] = str(wave)
    return dict(copied)


def _refusals(rendered: Any, where: Position) -> Iterator[Problem]:
    from controller.render.oam import ApplyComponents, Deploy  # noqa: PLC0415
    from controller.render.oam.policies import Handling  # noqa: PLC0415

    for part in rendered.deployments:
        if part.topology is not None:
            yield Problem(
                where,
                f"the topology policy {part.topology.name} places components, and targets stand in the environment",
                "policies",
                "Take it out, and name the application's targets in its environment.",
            )
        for reference in part.references:
            yield Problem(where, f"{reference} is made by another renderer", "components", "Give it a path of its own.")
        for one in part.objects:
            if one.handling != Handling():
                yield Problem(
                    where,
                    f"a policy changes how {one.body['kind']} of component {one.component} is owned or kept",
                    "policies",
                    "Take it out: the environment's `sync` says how live state is kept.",
                )
    for step in rendered.steps:
        if not isinstance(step, Deploy | ApplyComponents) or (isinstance(step, Deploy) and step.needs_approval):
            yield Problem(
                where,
                f"the workflow step {step.name} waits or calls, and only deploy and apply-component are carried out",
                "workflow",
                "Use `sync.pending: approve` for an approval, and `dependsOn` for another application.",
            )
