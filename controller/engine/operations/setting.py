"""`set`: another image or another number of replicas, said in the overlay of one environment or one target."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from controller.config import read_platform
from controller.engine.operations.entries import entry_of
from controller.engine.operations.overlays import Image, with_images, with_replicas
from controller.model import GroupRef, PlacementRef, Stalled, TargetName, Tree


def folder_of(placement: PlacementRef, group: Collection[PlacementRef]) -> str:
    """Name the overlay that speaks of one placement alone: the group's, or its target's where the group has several."""
    return overlay_folder(placement.group, placement.target if len(group) > 1 else None)


def overlay_folder(group: GroupRef, target: TargetName | None = None) -> str:
    """Name the folder that speaks of one group alone, or of its placement on one target."""
    folder = f"overlays/{group.environment}/{group.application}"
    return f"{folder}/{target}" if target else folder


@dataclass(frozen=True, slots=True)
class SetImage:
    group: GroupRef
    image: Image
    target: TargetName | None = None

    @property
    def subject(self) -> str:
        return f"Set image {self.image.name} of {_of(self.group, self.target)} to {self.image}"

    def edits(self, tree: Tree) -> Mapping[str, bytes]:
        _check_target(tree, self.group, self.target)
        return with_images(tree, overlay_folder(self.group, self.target), [self.image])


@dataclass(frozen=True, slots=True)
class SetReplicas:
    group: GroupRef
    name: str
    count: int
    target: TargetName | None = None

    @property
    def subject(self) -> str:
        return f"Set replicas of {self.name} in {_of(self.group, self.target)} to {self.count}"

    def edits(self, tree: Tree) -> Mapping[str, bytes]:
        _check_target(tree, self.group, self.target)
        return with_replicas(tree, overlay_folder(self.group, self.target), self.name, self.count)


def _of(group: GroupRef, target: TargetName | None) -> str:
    return f"{group}@{target}" if target else str(group)


def _check_target(tree: Tree, group: GroupRef, target: TargetName | None) -> None:
    _, application = entry_of(read_platform(tree), group)
    if target is not None and target not in application.targets:
        known = ", ".join(application.targets)
        raise Stalled(f"{group} does not run on {target}. It runs on: {known}")
