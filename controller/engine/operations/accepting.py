"""`accept`: what somebody changed on the target becomes what git says, at the place where git says it.

There are several ways to say it: at the line that the value comes from, where that is in the group's own overlay; as
`replicas` or `images` there; as a patch there, since the base belongs to others. Each way is tried in this order, by
rendering: the first after which exactly the accepted field is other, and nothing else of the group, is taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from controller.documents import canonical, decode
from controller.engine.operations.fields import drop_empty_parents, put
from controller.engine.operations.trees import EditedTree
from controller.engine.operations.ways import Accepted, Way, ways
from controller.model import ConvergeError, Desired, GroupRef, PlacementRef, Stalled, Tree
from controller.render import Prepared, RenderRequest, render


@dataclass(frozen=True, slots=True)
class Accept:
    """The operation: these ways, one after the other."""

    group: GroupRef
    accepted: tuple[Accepted, ...]
    ways: tuple[Way, ...]

    @property
    def subject(self) -> str:
        if len(self.accepted) == 1:
            return f"Accept {self.accepted[0]} as it runs in {self.group}"
        return f"Accept {len(self.accepted)} fields as they run in {self.group}"

    def edits(self, tree: Tree) -> Mapping[str, bytes]:
        files: dict[str, bytes] = {}
        for way in self.ways:
            files |= way.edits(EditedTree(tree, files))
        return files


def with_prepared(
    requests: Mapping[PlacementRef, RenderRequest], prepared: Prepared
) -> Mapping[PlacementRef, RenderRequest]:
    """Give renders what other programs have done for them."""
    return {ref: replace(each, prepared=prepared) for ref, each in requests.items()}


def acceptance(
    placement: PlacementRef,
    accepted: Sequence[Accepted],
    requests: Mapping[PlacementRef, RenderRequest],
    folder: str,
) -> Accept:
    """Find how to say all of these. `requests` are those of the group's placements, `folder` is the overlay to use.

    Raises Stalled for a field that no way changes alone, and what `render` raises; so it needs what a render needs.
    """
    tree = requests[placement].platform
    files: dict[str, bytes] = {}
    ways: list[Way] = []
    for one in accepted:
        now = {ref: replace(each, platform=EditedTree(tree, files)) for ref, each in requests.items()}
        before = {ref: render(each).desired for ref, each in now.items()}
        found = next(_exact(placement, one, now, before, folder), None)
        if found is None:
            raise Stalled(
                f"{one}: no edit of {folder} changes this field and nothing else. Change it by hand; "
                f"`converge explain` says where it comes from"
            )
        ways.append(found)
        files |= found.edits(EditedTree(tree, files))
    return Accept(placement.group, tuple(accepted), tuple(ways))


def _exact(
    placement: PlacementRef,
    one: Accepted,
    requests: Mapping[PlacementRef, RenderRequest],
    before: Mapping[PlacementRef, Desired],
    folder: str,
) -> Iterator[Way]:
    """Give the ways after which one field is other and nothing else."""
    manifest = next((each for each in before[placement].manifests if each.key == one.key), None)
    if manifest is None:
        raise Stalled(f"{one}: {placement} renders no such object")
    for way in ways(one, manifest, requests[placement], folder):
        tree = requests[placement].platform
        try:
            edited = EditedTree(tree, way.edits(tree))
            after = {ref: render(replace(each, platform=edited)).desired for ref, each in requests.items()}
        except ConvergeError:
            continue  # this way is none; the next one may be
        if all(is_exactly(before[ref], after[ref], one if ref == placement else None) for ref in requests):
            yield way


def is_exactly(before: Desired, after: Desired, one: Accepted | None) -> bool:
    """Tell whether two desired states differ in one field, which has the accepted value then; None: in none. Pure."""
    old = {each.key: each for each in before.manifests}
    new = {each.key: each for each in after.manifests}
    if old.keys() != new.keys():
        return False
    others = [key for key in old if old[key].digest != new[key].digest and (one is None or key != one.key)]
    if others or one is None:
        return not others
    wanted = decode(old[one.key].body)
    put(wanted, one.field, one.value)
    got = decode(new[one.key].body)
    for body in (wanted, got):
        drop_empty_parents(body, one.field)
    return canonical(wanted) == canonical(got)
