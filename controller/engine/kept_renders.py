"""Renders that outlive the process: what a start need not make again.

A render is pure, so it holds while all that it read is as it was, for the same request and the same build (`Shelf`).
What took more than git to make stays in memory: charts, ranges of versions, facts of a target, outputs of others,
anything decrypted, and whatever holds a Secret. It is a cache: losing it costs the renders.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from controller.engine.fleet import Entry
from controller.engine.footprints import are_unmoved
from controller.engine.packed_render import PackedRender, unpacked
from controller.engine.shape import shape_digest
from controller.engine.sources import Checkout
from controller.model import PLATFORM, ConvergeError, Digest, Manifest, PlacementRef, Revision
from controller.render import Read, Rendered
from controller.runtime import Shelf

FORMAT: Final = "renders 1"


@dataclass(frozen=True, slots=True)
class KeptRender:
    """A render, and fewer look-ups that say as much of its reads while they hold."""

    rendered: Rendered
    cover: tuple[Read, ...]


@dataclass(frozen=True, slots=True)
class _Ground:
    """What a kept render stands on, read before the render itself is."""

    shape: Digest
    surroundings: Digest | None
    reads: tuple[Read, ...]
    cover: tuple[Read, ...]


_GROUND: Final = msgspec.msgpack.Decoder(tuple[_Ground, bytes])
_ENCODER: Final = msgspec.msgpack.Encoder()


class KeptRenders:
    """Of one installation's placements, by their names."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def put(
        self,
        placement: PlacementRef,
        entry: Entry,
        rendered: Rendered,
        packed: PackedRender,
        cover: tuple[Read, ...],
        *,
        is_of_git: bool,
    ) -> None:
        """Keep a render; one that may not be kept takes the place's last one away."""
        if not is_of_git or packed.whole is not None or _holds_secrets(rendered):
            self._shelf.drop(str(placement))
            return
        ground = _Ground(shape_digest(placement, entry), rendered.surroundings, rendered.reads, cover)
        self._shelf.put(str(placement), _ENCODER.encode((ground, packed.said)))

    def drop(self, placement: PlacementRef) -> None:
        self._shelf.drop(str(placement))

    def holds(self, placement: PlacementRef, entry: Entry, application: Checkout, platform: Checkout) -> bool:
        """Tell whether `get` would give a render."""
        return self._found(placement, entry, application, platform) is not None

    def get(
        self, placement: PlacementRef, entry: Entry, application: Checkout, platform: Checkout
    ) -> KeptRender | None:
        """Give what a render of these commits would; None where that is not known."""
        found = self._found(placement, entry, application, platform)
        if found is None:
            return None
        ground, said = found
        try:
            rendered = unpacked(said)
        except (msgspec.MsgspecError, zlib.error):
            return None
        rendered = replace(rendered, reads=ground.reads)
        return KeptRender(_at(rendered, application, platform), ground.cover)

    def _found(
        self, placement: PlacementRef, entry: Entry, application: Checkout, platform: Checkout
    ) -> tuple[_Ground, bytes] | None:
        kept = self._shelf.get(str(placement))
        if kept is None:
            return None
        try:
            ground, said = _GROUND.decode(kept)
        except msgspec.MsgspecError:
            return None
        if ground.shape != shape_digest(placement, entry):
            return None
        if ground.surroundings is not None and ground.surroundings != entry.surroundings.digest_for(placement.group):
            return None
        trees = {application.repository: application.tree, PLATFORM: platform.tree}
        try:
            holds = are_unmoved(ground.cover, trees) or are_unmoved(ground.reads, trees)
        except ConvergeError:  # whoever renders meets it, and tells it
            return None
        return (ground, said) if holds else None


def _holds_secrets(rendered: Rendered) -> bool:
    desired = rendered.desired
    parts = (desired.manifests, desired.on_failure, desired.before_delete, desired.after_delete)
    return any((one.key.group, one.key.kind) == ("", "Secret") for part in parts for one in part)


def _at(rendered: Rendered, application: Checkout, platform: Checkout) -> Rendered:
    """Say of a render at which commits it is looked at now: the only thing of it that a commit moves."""
    desired = rendered.desired
    revision = Revision(application.commit, platform.commit)
    if desired.revision == revision:
        return rendered
    commits = {application.repository: application.commit, PLATFORM: platform.commit}

    def moved(manifests: Iterable[Manifest]) -> tuple[Manifest, ...]:
        return tuple(
            replace(one, origin=replace(one.origin, commit=commits[one.origin.repository]))
            if one.origin.repository in commits
            else one
            for one in manifests
        )

    return replace(
        rendered,
        desired=replace(
            desired,
            revision=revision,
            manifests=moved(desired.manifests),
            on_failure=moved(desired.on_failure),
            before_delete=moved(desired.before_delete),
            after_delete=moved(desired.after_delete),
        ),
    )
