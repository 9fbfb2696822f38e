"""One desired object, and where every one of them came from."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

from controller.model.ids import (
    CommitId,
    Digest,
    GroupRef,
    ObjectKey,
    PlacementRef,
    RepositoryName,
    Revision,
    TargetName,
)


@dataclass(frozen=True, slots=True)
class Origin:
    """The place in git that a value was written at."""

    repository: RepositoryName
    path: str
    line: int
    commit: CommitId

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True)
class Release:
    """Fields of one object that are left to others (rule 7), whether or not git names them."""

    field: str  # a path or JSON pointer, `*` for one step; "" is any field that the managers hold
    managers: tuple[str, ...]  # only where one of these holds it; () is always
    why: str  # for people: who has it, or which rule says so


@dataclass(frozen=True, slots=True)
class Manifest:
    """One desired object after rendering. `body` is canonical JSON: keys sorted, no spaces, UTF-8."""

    key: ObjectKey
    api_version: str
    body: bytes
    digest: Digest  # of `body`, and of what is released of it
    origin: Origin
    releases: tuple[Release, ...] = ()


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What the other placements on a target have to do with the objects of one."""

    moving: frozenset[ObjectKey]  # live objects of this placement that another asks for: it adopts, nobody deletes them
    unknown: AbstractSet[PlacementRef]  # of whom it is not known what they ask for: nothing is taken from them; a view


@dataclass(frozen=True, slots=True)
class Behind:
    """What an application's own workflow says must be Synced and Healthy before a placement of it is written."""

    targets: tuple[TargetName, ...] = ()  # the same application there, at this revision
    groups: tuple[GroupRef, ...] = ()  # other applications, as `dependsOn` names them

    def joined(self, other: Behind) -> Behind:
        return Behind(
            tuple(dict.fromkeys((*self.targets, *other.targets))), tuple(dict.fromkeys((*self.groups, *other.groups)))
        )


FIRST: Final = Behind()


@dataclass(frozen=True, slots=True, order=True)
class Taken:
    """A value that a rendered placement takes in of what another target of its application gives out."""

    target: TargetName
    output: str
    is_known: bool = True  # False: nobody gives it out yet, and a symbol stands for it

    def __str__(self) -> str:
        return f"{self.target}.{self.output}"


@dataclass(frozen=True, slots=True)
class Desired:
    """What git says of one placement: everything that shall be there, in the order in which it was rendered."""

    placement: PlacementRef
    revision: Revision
    manifests: tuple[Manifest, ...]
    digest: Digest  # over the manifests' keys and digests, in key order; the same desired state has the same digest
    inputs: Digest  # over everything the render read, and the renderer's version
    on_failure: tuple[Manifest, ...] = ()  # written only when a sync of it fails
    before_delete: tuple[Manifest, ...] = ()  # written when it is taken away: before anything of it goes
    after_delete: tuple[Manifest, ...] = ()  # and when all of it has gone
    behind: Behind = FIRST
    takes: tuple[Taken, ...] = field(default=(), compare=False)  # what the application itself asks of other targets
    spared: frozenset[ObjectKey] = frozenset()  # git names them as somebody else's: never written, never deleted
    neighbours: Neighbours | None = field(default=None, compare=False)  # None: no object moves
