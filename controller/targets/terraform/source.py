"""What a workspace is made of: the rendered Manifest as a value, and back from where the state keeps it. Pure."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from controller.documents import digest_of
from controller.model import (
    CommitId,
    Desired,
    Digest,
    InstallationId,
    JsonValue,
    ObjectKey,
    PlacementRef,
    Revision,
    Stalled,
)

OUTPUT: Final = "converge_applied"  # the root output that holds the stamp
LONGEST_SOURCES: Final = 256 << 10  # of packed files in a state: beyond it only their digest is kept


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a Workspace's Manifest, as `render.terraform` writes it."""

    root: str
    files: dict[str, str]
    binaries: dict[str, str] = {}
    origins: dict[str, str] = {}
    variables: dict[str, str | bool | int | float] = {}
    backend: str = ""
    nodes: list[str] = []
    tofu: list[str] | None = None  # the nodes that OpenTofu finds, where it finds others
    needs: str = ""

    def contents(self) -> Mapping[str, bytes]:
        return {
            **{path: text.encode() for path, text in self.files.items()},
            **{path: base64.b64decode(text) for path, text in self.binaries.items()},
        }

    def nodes_for(self, tool: str) -> list[str]:
        """Name the root module's resources and modules as a program finds them."""
        return self.tofu if self.tofu is not None and tool.startswith("tofu") else self.nodes

    def origin_of(self, path: str) -> str:
        """Give the path in git of a file of the workspace."""
        return self.origins.get(path, path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workpiece:
    """A Source with the names and digests that it has on the way to a state."""

    source: Source
    body: bytes = field(repr=False)
    key: ObjectKey
    digest: Digest  # of the Manifest
    desired: Digest
    inputs: Digest
    revision: Revision


def workpiece_of(desired: Desired) -> Workpiece:
    """Read a desired state. Raises Stalled for one that names no workspace."""
    for one in desired.manifests:
        if one.key.group == "terraform":
            return Workpiece(
                source=msgspec.json.decode(one.body, type=Source),
                body=one.body,
                key=one.key,
                digest=one.digest,
                desired=desired.digest,
                inputs=desired.inputs,
                revision=desired.revision,
            )
    raise Stalled(f"{desired.placement}: what was rendered names no Terraform workspace")


class Stamp(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a state says of its last apply, written by that apply itself: a crash can't part the two."""

    installation: str
    placement: str
    application: str
    platform: str
    desired: str
    digest: str
    inputs: str
    sources: str = ""  # the Manifest's body, packed; "" where it is too large
    tool: str = ""
    providers: dict[str, str] = {}

    @property
    def revision(self) -> Revision:
        return Revision(CommitId(self.application), CommitId(self.platform))

    def made_by(self, tool: str, providers: Mapping[str, str]) -> Stamp:
        return msgspec.structs.replace(self, tool=tool, providers=dict(providers))

    def workpiece(self, key: ObjectKey) -> Workpiece | None:
        """Give what was applied last, None where the state does not hold it."""
        if not self.sources:
            return None
        body = zlib.decompress(base64.b64decode(self.sources))
        return Workpiece(
            source=msgspec.json.decode(body, type=Source),
            body=body,
            key=key,
            digest=Digest(self.digest),
            desired=Digest(self.desired),
            inputs=Digest(self.inputs),
            revision=self.revision,
        )


def mark_of(installation: InstallationId) -> str:
    """Give what a state calls an installation: enough to tell two apart."""
    return digest_of(installation.encode()).partition(":")[2][:16]


def stamp_of(piece: Workpiece, placement: PlacementRef, installation: InstallationId) -> Stamp:
    packed = base64.b64encode(zlib.compress(piece.body, 9)).decode()
    return Stamp(
        installation=mark_of(installation),
        placement=str(placement),
        application=piece.revision.application,
        platform=piece.revision.platform,
        desired=piece.desired,
        digest=piece.digest,
        inputs=piece.inputs,
        sources=packed if len(packed) <= LONGEST_SOURCES else "",
    )


def read_stamp(text: object) -> Stamp | None:
    """Read a stamp from an output's value; None for what is none."""
    try:
        return msgspec.json.decode(text, type=Stamp) if isinstance(text, str) else None
    except msgspec.DecodeError:
        return None


def stamp_file(stamp: Stamp, piece: Workpiece) -> dict[str, JsonValue]:
    """Give the configuration that writes a stamp: last, and only where every resource came out.

    What a plan knows of an output is written before the first resource, and stays where one fails then. A time is known
    when all else is done, and so is the stamp, though none is in it.
    """
    output: dict[str, JsonValue] = {
        "value": f'${{timestamp() == "" ? "" : local.{OUTPUT}}}',
        "sensitive": True,
        "description": "What Converge applied last, and from which commits.",
    }
    nodes = piece.source.nodes_for(stamp.tool)
    if nodes:
        output["depends_on"] = [*nodes]
    text = msgspec.json.encode(stamp).decode().replace("${", "$${").replace("%{", "%%{")
    return {"locals": {OUTPUT: text}, "output": {OUTPUT: output}}
