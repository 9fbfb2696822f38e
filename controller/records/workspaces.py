"""What the records say of a Terraform workspace's state."""

from __future__ import annotations

from controller.model import ObjectKey, PlacementRef
from controller.records.earlier import earlier
from controller.records.files import Files
from controller.records.paths import instance_path


def state_of(files: Files, placement: PlacementRef) -> tuple[str, int] | None:
    """Give lineage and serial of the state that was recorded last; None where no record tells them."""
    key = ObjectKey("terraform", "Workspace", "", placement.application)
    attributes = earlier(files, instance_path(placement, key), "Instance").get("attributes")
    match attributes:
        case {"lineage": str(lineage), "serial": int(serial)}:
            return lineage, serial
        case _:
            return None
