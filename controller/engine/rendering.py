"""Renders what changed, and only that.

Each render is kept with everything it read. While none of that moved, and neither did what the platform
says of the application, the kept one is the answer: deciding so costs a look-up per read, no render.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from controller.engine.fleet import Entry
from controller.engine.sources import Checkout
from controller.model import (
    PLATFORM,
    PlacementRef,
    RepositoryName,
    Revision,
    Stalled,
    Tree,
)
from controller.render import Rendered, RenderRequest, overlay_paths, render


@dataclass(frozen=True, slots=True)
class _Kept:
    shape: tuple[object, ...]  # of the request, without its trees
    revision: Revision
    result: Rendered | Stalled


class Renderer:
    """Keeps the last render of each placement; a failure is kept like a success, since it is as pure."""

    def __init__(self) -> None:
        self._kept: dict[PlacementRef, _Kept] = {}
        self.renders = 0  # how many were really done, for tests and metrics

    def rendered(self, placement: PlacementRef, entry: Entry, application: Checkout, platform: Checkout) -> Rendered:
        """Give the placement's desired state. Raises Stalled (Invalid) where it does not render."""
        kept = self._kept.get(placement)
        if kept is None or not self._is_current(kept, placement, entry, application, platform):
            kept = self._render(placement, entry, application, platform)
            self._kept[placement] = kept
        if isinstance(kept.result, Stalled):
            raise kept.result
        return kept.result

    def is_current(self, placement: PlacementRef, entry: Entry, application: Checkout, platform: Checkout) -> bool:
        """Tell whether a render would give what is kept, without rendering."""
        kept = self._kept.get(placement)
        return kept is not None and self._is_current(kept, placement, entry, application, platform)

    def forget(self, placement: PlacementRef) -> None:
        self._kept.pop(placement, None)

    def _is_current(
        self, kept: _Kept, placement: PlacementRef, entry: Entry, application: Checkout, platform: Checkout
    ) -> bool:
        if kept.revision == Revision(application.commit, platform.commit) and kept.shape == _shape(placement, entry):
            return True
        if isinstance(kept.result, Stalled) or kept.shape != _shape(placement, entry):
            return False
        trees: Mapping[RepositoryName, Tree] = {application.repository: application.tree, PLATFORM: platform.tree}
        return all(trees[read.repository].digest(read.path) == read.digest for read in kept.result.reads)

    def _render(self, placement: PlacementRef, entry: Entry, application: Checkout, platform: Checkout) -> _Kept:
        self.renders += 1
        revision = Revision(application.commit, platform.commit)
        request = request_for(placement, entry, application, platform)
        try:
            return _Kept(_shape(placement, entry), revision, render(request))
        except Stalled as error:
            return _Kept(_shape(placement, entry), revision, error)


def request_for(placement: PlacementRef, entry: Entry, application: Checkout, platform: Checkout) -> RenderRequest:
    """Say what rendering a placement takes."""
    return RenderRequest(
        placement=placement,
        revision=Revision(application.commit, platform.commit),
        application=application.tree,
        path=entry.application.path,
        platform=platform.tree,
        overlays=overlay_paths(placement),
        namespace=entry.application.namespace,
        parameters=entry.application.parameters,
    )


def _shape(placement: PlacementRef, entry: Entry) -> tuple[object, ...]:
    application = entry.application
    return (
        placement,
        application.repository,
        application.path,
        application.namespace,
        tuple(sorted(application.parameters.items())),
    )


def as_applied(rendered: Rendered, revision: Revision) -> Rendered:
    """Give the same desired state the revision under which the target already holds it.

    A commit that changes nothing of a placement is no new version of it.
    """
    return replace(rendered, desired=replace(rendered.desired, revision=revision))
