"""The names by which everything is known. A `NewType` keeps a stray string from passing for one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType

RepositoryName = NewType("RepositoryName", str)  # a key of `spec.repositories` in converge.yaml
EnvironmentName = NewType("EnvironmentName", str)
ApplicationName = NewType("ApplicationName", str)
TargetName = NewType("TargetName", str)
CommitId = NewType("CommitId", str)  # 40 (or 64) hex digits
Digest = NewType("Digest", str)  # `sha256:` and 64 hex digits, over canonical bytes
InstallationId = NewType("InstallationId", str)  # who we are on every target

PLATFORM = RepositoryName("platform")  # the name under which the platform repository itself is known


@dataclass(frozen=True, slots=True, order=True)
class GroupRef:
    """A ResourceGroup: one Application in one Environment, written `prod/shop`."""

    environment: EnvironmentName
    application: ApplicationName

    def __str__(self) -> str:
        return f"{self.environment}/{self.application}"


@dataclass(frozen=True, slots=True, order=True)
class PlacementRef:
    """A ResourceGroup on one Target, written `prod/shop@hangzhou`."""

    environment: EnvironmentName
    application: ApplicationName
    target: TargetName

    @property
    def group(self) -> GroupRef:
        return GroupRef(self.environment, self.application)

    def __str__(self) -> str:
        return f"{self.environment}/{self.application}@{self.target}"


@dataclass(frozen=True, slots=True, order=True)
class ObjectKey:
    """One object on a target: without its version, which is how it is spoken of and not what it is.

    A cloud resource is `ObjectKey("terraform", "aws_s3_bucket", "", "module.x.aws_s3_bucket.logs[0]")`.
    """

    group: str  # "" for the core group
    kind: str
    namespace: str  # "" where the kind has no namespace
    name: str

    @property
    def group_kind(self) -> str:
        """`Deployment.apps`, or `Service` of the core group: as kubectl and ApplySets write it."""
        return f"{self.kind}.{self.group}" if self.group else self.kind

    def __str__(self) -> str:
        where = f"{self.namespace}/" if self.namespace else ""
        return f"{self.group_kind} {where}{self.name}"


@dataclass(frozen=True, slots=True)
class Revision:
    """The commits a placement was rendered from."""

    application: CommitId
    platform: CommitId

    def __str__(self) -> str:
        return f"{self.application[:12]}+{self.platform[:12]}"
