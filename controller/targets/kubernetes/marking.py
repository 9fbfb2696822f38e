"""What we write on an object beside what git says: whose it is, and what was applied. Pure.

`converge/fields` is the footprint of the manifest: three bytes per field that it names, so that after a restart, with a
newer commit at hand, a field that somebody took from us is still told from one that we never had (drift from conflict).
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from controller.documents import exact
from controller.model import Digest, FieldPath, InstallationId, Manifest, Neighbours, ObjectKey, PlacementRef, Waiting
from controller.targets.kubernetes.adopting import tool_of_managers
from controller.targets.kubernetes.handover import Left, annotation, without
from controller.targets.kubernetes.labels import (
    APPLYSET_PART_OF_LABEL,
    DIGEST_ANNOTATION,
    FIELDS_ANNOTATION,
    INSTALLATION_LABEL,
    MANAGER,
    OWNER_ANNOTATION,
    RELEASED_ANNOTATION,
    RELEASED_MANAGER,
    SYSTEM_NAMESPACE,
    Owner,
    member_labels,
    read_owner,
)

REMEMBERED: Final = 1024
OUR_MARKS: Final = frozenset(
    {
        INSTALLATION_LABEL,
        APPLYSET_PART_OF_LABEL,
        OWNER_ANNOTATION,
        DIGEST_ANNOTATION,
        FIELDS_ANNOTATION,
        RELEASED_ANNOTATION,
    }
)

Body = dict[str, Any]
NOTHING_LEFT: Final[Left] = {}


@dataclass(frozen=True, slots=True)
class Marks:
    """The marks of one placement's objects."""

    installation: InstallationId
    placement: PlacementRef
    labels: Mapping[str, str]
    neighbours: Neighbours | None = None

    @classmethod
    def of(
        cls,
        installation: InstallationId,
        placement: PlacementRef,
        neighbours: Neighbours | None = None,
        home: str = SYSTEM_NAMESPACE,
    ) -> Marks:
        """Give the marks of a placement whose parent is in the namespace `home`."""
        return cls(installation, placement, member_labels(installation, placement, home), neighbours)

    def may_take_from(self, other: PlacementRef) -> bool:
        """Tell whether an object of another placement may move here: git says it here, and there no more.

        Raises Waiting while it is not known what the other one asks for.
        """
        here = (self.placement.environment, self.placement.target)
        if self.neighbours is None or (other.environment, other.target) != here:
            return False
        if other in self.neighbours.unknown:
            raise Waiting(f"it belongs to {other}, and it is not known yet what git says of that")
        return True

    def stamp(self, manifest: Manifest, left: Left = NOTHING_LEFT) -> Body:
        """Give a manifest's body with our marks, decoded anew, without what is left to others."""
        body: Body = orjson.loads(manifest.body)
        fields = footprint(body)
        if left:
            body = without(body, left)
        metadata = body.setdefault("metadata", {})
        metadata["labels"] = {**(metadata.get("labels") or {}), **self.labels}
        metadata["annotations"] = {
            **(metadata.get("annotations") or {}),
            OWNER_ANNOTATION: Owner(self.installation, self.placement, manifest.key).annotation(),
            DIGEST_ANNOTATION: manifest.digest,
            FIELDS_ANNOTATION: fields,
            **({RELEASED_ANNOTATION: annotation(left)} if left else {}),
        }
        return body

    def foreign(self, key: ObjectKey, live: Mapping[str, Any]) -> str:
        """Say who keeps a live object, whatever policy says; "" when it is ours, a tool's, or nobody's."""
        metadata = live.get("metadata") or {}
        owner = read_owner((metadata.get("annotations") or {}).get(OWNER_ANNOTATION, ""))
        if owner is not None and owner.key == key:
            if owner.installation != self.installation:
                return f"another Converge installation ({owner.installation}), as {owner.placement}"
            return "" if owner.placement == self.placement else str(owner.placement)
        return _controller_of(metadata)

    def tool(self, live: Mapping[str, Any], managed: Iterable[Mapping[str, Any]]) -> str:
        """Name the deployment tool that manages a live object, by the marks it leaves; "" for none."""
        metadata = live.get("metadata") or {}
        annotations, labels = metadata.get("annotations") or {}, metadata.get("labels") or {}
        return _other_tool(labels, annotations) or self._other_set(labels) or tool_of_managers(managed)

    def _other_set(self, labels: Mapping[str, str]) -> str:
        applyset = labels.get(APPLYSET_PART_OF_LABEL, "")
        return f"ApplySet {applyset}" if applyset and applyset != self.labels[APPLYSET_PART_OF_LABEL] else ""


class Stamped:
    """The bytes that dry runs sent, kept until the apply sends them again; the oldest are forgotten first."""

    def __init__(self) -> None:
        self._bytes: dict[tuple[PlacementRef, ObjectKey, Digest, str], bytes] = {}

    def make(self, marks: Marks, manifest: Manifest, left: Left = NOTHING_LEFT) -> bytes:
        data = exact(orjson.dumps(marks.stamp(manifest, left)))
        if len(self._bytes) >= REMEMBERED:
            del self._bytes[next(iter(self._bytes))]
        self._bytes[marks.placement, manifest.key, manifest.digest, annotation(left)] = data
        return data

    def take(self, marks: Marks, manifest: Manifest, left: Left = NOTHING_LEFT) -> bytes:
        kept = self._bytes.pop((marks.placement, manifest.key, manifest.digest, annotation(left)), None)
        return kept or orjson.dumps(marks.stamp(manifest, left))


def is_ours(marks: Marks, key: ObjectKey, live: Mapping[str, Any]) -> bool:
    """Tell whether a live object says that it is this placement's, or may move here, and no copy of another."""
    metadata = live.get("metadata") or {}
    owner = read_owner((metadata.get("annotations") or {}).get(OWNER_ANNOTATION, ""))
    if owner is None or owner.installation != marks.installation or owner.key != key:
        return False
    return owner.placement == marks.placement or marks.may_take_from(owner.placement)


def unmarked(live: Mapping[str, Any]) -> dict[str, Any]:
    """Give an object's metadata without our marks, our fields held by the manager of what is released."""
    metadata = dict(live["metadata"])
    for name in ("labels", "annotations"):
        metadata[name] = {key: value for key, value in (metadata.get(name) or {}).items() if not is_mark(key)}
    managed = [{**one, "manager": RELEASED_MANAGER} if is_our_apply(one) else one for one in metadata["managedFields"]]
    metadata["managedFields"] = [one for one in managed if one.get("manager") != MANAGER]
    return metadata


def is_mark(name: str) -> bool:
    """Tell whether a label or annotation is bookkeeping of ours; what git wrote (`converge/wave`) is not."""
    return name in OUR_MARKS


def is_mark_path(path: FieldPath) -> bool:
    """Tell whether a field is such a mark: never held, whatever policy says, since the object is known by them."""
    return len(path) == 3 and path[0] == "metadata" and isinstance(path[2], str) and is_mark(path[2])


def is_our_apply(entry: Mapping[str, Any]) -> bool:
    return entry.get("manager") == MANAGER and entry.get("operation") == "Apply" and not entry.get("subresource")


def _other_tool(labels: Mapping[str, str], annotations: Mapping[str, str]) -> str:
    """Name the deployment tool whose marks an object carries, as each tool documents them."""
    if name := labels.get("kustomize.toolkit.fluxcd.io/name"):
        return f"Flux Kustomization {labels.get('kustomize.toolkit.fluxcd.io/namespace', '')}/{name}"
    if name := labels.get("helm.toolkit.fluxcd.io/name"):
        return f"Flux HelmRelease {labels.get('helm.toolkit.fluxcd.io/namespace', '')}/{name}"
    if name := annotations.get("argocd.argoproj.io/tracking-id"):
        return f"Argo CD ({name})"
    if name := labels.get("argocd.argoproj.io/instance"):
        return f"Argo CD application {name}"
    if name := annotations.get("meta.helm.sh/release-name"):
        return f"Helm release {annotations.get('meta.helm.sh/release-namespace', '')}/{name}"
    return ""


def _controller_of(metadata: Mapping[str, Any]) -> str:
    for one in metadata.get("ownerReferences") or ():
        if one.get("controller"):
            return f"{one.get('kind', '')} {one.get('name', '')}"
    return ""


def shared_namespace(name: str, installation_labels: Mapping[str, str]) -> Body:
    """Give the body of a namespace that `createNamespace: true` asks for: labelled, nobody's member, never pruned."""
    labels = {INSTALLATION_LABEL: installation_labels[INSTALLATION_LABEL]}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def footprint(body: Mapping[str, Any]) -> str:
    """Hash every field that a body names: base64 of sorted three-byte hashes, no value in any of them.

    Lists are looked through: a field's path is the names on the way to it, because merge keys are the server's to know.
    """
    hashes = sorted(set(_nodes(body, 0)))
    return base64.b64encode(b"".join(one.to_bytes(3, "big") for one in hashes)).decode()


def _nodes(node: Any, above: int) -> Iterator[int]:
    if isinstance(node, dict):
        for name, value in node.items():
            here = _step(above, name)
            yield here & 0xFFFFFF
            if isinstance(value, dict | list):
                yield from _nodes(value, here)
    elif isinstance(node, list):
        for one in node:
            if isinstance(one, dict | list):
                yield from _nodes(one, above)


def _step(above: int, name: str) -> int:
    return zlib.crc32(b"/" + name.encode(), above)


def is_footprint(text: str) -> bool:
    """Tell whether this is one, and not what somebody wrote over it."""
    try:
        hashes = base64.b64decode(text, validate=True)
    except ValueError:
        return False
    return bool(hashes) and len(hashes) % 3 == 0


def was_named(footprint_text: str, path: FieldPath) -> bool:
    """Tell whether the manifest of a footprint named a field. False for what is no footprint."""
    here = 0
    for step in path:
        if isinstance(step, str):
            here = _step(here, step)
    wanted = (here & 0xFFFFFF).to_bytes(3, "big")
    try:
        hashes = base64.b64decode(footprint_text, validate=True)
    except ValueError:
        return False
    return any(hashes[index : index + 3] == wanted for index in range(0, len(hashes), 3))
