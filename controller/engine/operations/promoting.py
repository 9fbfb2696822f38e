"""`promote`: what one environment runs of an application, in another environment too.

Carried are the images that the first one's overlay names, by tag or digest, and the revision where the other follows a
fixed one. A branch that the other environment follows stays followed: what comes to it is decided by merging.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from controller.config import check_version_range, read_platform
from controller.engine.operations.entries import edit_entry, entry_of
from controller.engine.operations.overlays import Image, images_of, overlay, overlay_path, with_images
from controller.engine.operations.setting import overlay_folder
from controller.model import Application, CommitId, EnvironmentName, GroupRef, Repository, Stalled, Tree


@dataclass(frozen=True, slots=True)
class Promote:
    source: GroupRef
    environment: EnvironmentName
    revision: str = ""  # for the other's entry; "" leaves it as it is

    @property
    def group(self) -> GroupRef:
        return GroupRef(self.environment, self.source.application)

    @property
    def subject(self) -> str:
        at = f" at {self.revision}" if self.revision else ""
        return f"Promote {self.source} to {self.environment}{at}"

    def edits(self, tree: Tree) -> Mapping[str, bytes]:
        platform = read_platform(tree)
        _, ours = entry_of(platform, self.source)
        _, theirs = entry_of(platform, self.group)
        if self.source == self.group:
            raise Stalled(f"{self.source}: this is the same environment. Name another one")
        if ours.repository != theirs.repository:
            raise Stalled(
                f"{self.source} is of repository {ours.repository} and {self.group} of {theirs.repository}: "
                "these are two applications"
            )
        files = dict(self._overlay(tree))
        if self.revision:
            field = self._field(platform.repositories[theirs.repository])
            files |= edit_entry(tree, self.group, {(field,): self.revision})
        return files

    def _field(self, repository: Repository) -> str:
        """Say which field names the revision: of a chart it is its version."""
        if not repository.is_chart:
            return "revision"
        if check_version_range(self.revision):
            raise Stalled(f"{self.source} follows a range of versions: name the version in {self.environment} by hand")
        return "version"

    def _overlay(self, tree: Tree) -> Mapping[str, bytes]:
        _, value = overlay(tree, overlay_path(tree, overlay_folder(self.source)))
        folder = overlay_folder(self.group)
        _, there = overlay(tree, overlay_path(tree, folder))
        known = {one.name for one in images_of(there)}
        carried = [_carried(one, is_new=one.name not in known) for one in images_of(value)]
        carried = [one for one in carried if one.new_tag or one.digest or one.new_name]
        return with_images(tree, folder, carried) if carried else {}


def _carried(image: Image, *, is_new: bool) -> Image:
    """Leave out where an image is pulled from, unless the other environment does not speak of the image at all."""
    return image if is_new else replace(image, new_name="")


def revision_to_carry(
    ours: Application, theirs: Application, *, runs: CommitId, is_ours_fixed: bool, is_theirs_fixed: bool
) -> str:
    """Say which revision a promotion writes into the other environment's entry, "" for none.

    A fixed revision is a tag or a commit. `runs` is the commit that the first environment is at.
    """
    if not is_theirs_fixed or theirs.revision == ours.revision:
        return ""
    return ours.revision if is_ours_fixed and ours.rollback is None else str(runs)
