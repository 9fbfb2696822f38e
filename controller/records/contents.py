"""What is recorded of the content that ran, and the same of what renders: hashes to lay side by side. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from controller.documents import decode
from controller.model import Manifest, PlacementRef
from controller.records.earlier import earlier
from controller.records.files import Files
from controller.records.identity import object_key
from controller.records.instances import content_hash, object_paths
from controller.records.paths import target_folder
from controller.records.status import ACTIVE

Contents = Mapping[str, str]  # by an instance's key, its `contentHash`


def recorded_contents(files: Files, placement: PlacementRef) -> Contents:
    """Give what the records say ran of a placement; an object of which that was never known is left out."""
    found: dict[str, str] = {}
    for path in object_paths(target_folder(placement), files):
        record = earlier(files, path, "Instance")
        content = record.get("provenance", {}).get("contentHash")
        if record.get("lifecycle") == ACTIVE and content:
            found[record["identity"]["key"]] = content
    return found


def rendered_contents(manifests: Iterable[Manifest], placement: PlacementRef) -> Contents:
    """Give the same of a render. A Secret's hash leaves its values out, as its record's does."""
    return {object_key(placement, one.key): content_hash(one, decode(one.body)) for one in manifests}
