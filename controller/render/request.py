"""What a render takes and what it gives: plain values that cross to a worker process and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from controller.documents import canonical, digest_of
from controller.model import (
    ApplicationName,
    ChartOptions,
    Decrypting,
    Desired,
    Digest,
    EnvironmentName,
    GroupRef,
    Input,
    JsonValue,
    Origin,
    PlacementRef,
    Problem,
    RepositoryName,
    Revision,
    Secret,
    TargetName,
    Tree,
    Unknown,
)
from controller.render.needs import Lender, Prepared

RENDERER_VERSION: Final = "1"  # part of every Desired's inputs: raise it when the same input gives other bytes

Parameter = str | int | bool | float


@dataclass(frozen=True, slots=True)
class Wire:
    """A declared input with its value; Unknown while what gives it out was not applied, or nobody asked."""

    input: Input
    value: JsonValue | Secret | Unknown


@dataclass(frozen=True, slots=True)
class Place:
    """A target as an application may choose it."""

    labels: Mapping[str, str] = field(default_factory=dict)
    is_cluster: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the platform has beside one placement: what an OAM Application's topology and waits may name."""

    places: Mapping[EnvironmentName, Mapping[TargetName, Place]] = field(default_factory=dict)
    applications: Mapping[EnvironmentName, tuple[ApplicationName, ...]] = field(default_factory=dict)
    charts: Mapping[str, str] = field(default_factory=dict)  # that converge.yaml names: URLs, with their credentials
    modules: Mapping[str, Lender] = field(default_factory=dict)  # its git repositories, which may lend some

    def lenders_digest(self) -> Digest:
        """Give what tells two of them apart for who calls modules of other repositories."""
        return digest_of(
            canonical(
                [
                    [url, one.credential, *(sha256(keys).hexdigest() for keys in (one.ssh, one.gpg))]
                    for url, one in sorted(self.modules.items())
                ]
            )
        )

    def digest_for(self, group: GroupRef) -> Digest:
        """Give what tells two of them apart, for one group."""
        places: list[JsonValue] = [
            [environment, name, one.is_cluster, {**one.labels}]
            for environment, found in sorted(self.places.items())
            for name, one in sorted(found.items())
        ]
        charts: list[JsonValue] = [[url, credential] for url, credential in sorted(self.charts.items())]
        applications: list[JsonValue] = [*sorted(self.applications.get(group.environment, ()))]
        return digest_of(canonical([places, applications, charts, self.lenders_digest()]))


NOWHERE: Final = Surroundings()


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderRequest:
    """One placement to render: the trees at their commits, and everything else that goes in.

    `overlays` are directories of the platform tree, each used only where it holds a kustomization file.
    `cluster_scoped` names custom kinds that have no namespace, as `Kind.group`; a CRD of the same render says so too.
    """

    placement: PlacementRef
    revision: Revision
    application: Tree
    path: str
    platform: Tree
    overlays: tuple[str, ...] = ()
    namespace: str = ""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    cluster_scoped: frozenset[str] = frozenset()
    wires: tuple[Wire, ...] = ()
    chart: ChartOptions = field(default_factory=ChartOptions)
    decryption: Decrypting = field(default_factory=Decrypting)
    prepared: Prepared = field(default_factory=dict)  # results of what earlier tries raised Needed for
    url: str = ""  # of the application's repository
    targets: tuple[TargetName, ...] = ()  # all that the application's entry names
    surroundings: Surroundings = NOWHERE


@dataclass(frozen=True, slots=True, order=True)
class Read:
    """Something that a render read (`digest` is the tree's), or looked for and did not find (`digest` is "")."""

    repository: RepositoryName
    path: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """What came of a render. When none of `reads` moved, rendering again gives the same.

    `idle` are those warnings that an entry changes nothing here: in an overlay that several placements share it may
    well change something elsewhere. `surroundings` are those of the request where any of them was asked for.
    """

    desired: Desired
    reads: tuple[Read, ...]
    warnings: tuple[Problem, ...] = ()
    idle: frozenset[Problem] = frozenset()
    surroundings: Digest | None = None
    asks_cluster: bool = False  # it may be other for another cluster
    follows: tuple[str, ...] = ()  # versions of charts that ranges led to then, as `name version digest`


@dataclass(slots=True)
class Draft:
    """An object on its way to a Manifest, with the place of its document."""

    value: dict[str, Any]
    origin: Origin
    index: int = -1  # of its document in the file; -1: it has no document of its own, such as a generated ConfigMap
    item: int = -1  # its place in the `items` of a List
    is_spared: bool = False  # somebody else's: never written, never deleted


def overlay_paths(placement: PlacementRef) -> tuple[str, ...]:
    """Name the three directories of the platform tree that may change this placement, from wide to narrow."""
    environment = f"overlays/{placement.environment}"
    return (
        environment,
        f"{environment}/{placement.application}",
        f"{environment}/{placement.application}/{placement.target}",
    )
