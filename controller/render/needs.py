"""What a render can't do itself: work for another program, such as helm or sops.

Rendering is pure and has no processes. Where it meets such work, it looks into `RenderRequest.prepared` for the result,
by the need's digest. Where one is missing it raises Needed with all that it can name at that point; whoever renders has
the work done and renders again. A need holds everything that its result depends on, so that it can be carried to
another process, and its result kept by its digest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, TypeAlias

from controller.documents import canonical, decode, digest_of
from controller.model import Capabilities, CommitId, Digest, Invalid, JsonValue, Position, Secret, Stalled, TargetName

Result: TypeAlias = "bytes | Secret"  # of a need's work; a Secret stays in the process that made it
Prepared: TypeAlias = "Mapping[Digest, Result | Stalled]"  # a Stalled: the verdict on a need that can't be done


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartTemplate:
    """A Helm chart to be templated: its result is what `helm template` prints.

    `files` are the chart's own, by their path inside it; `values` are JSON by name, each over those before it. `where`,
    `path`, `homes` and the names of values only tell people which chart it is: they are no part of the digest.
    """

    files: tuple[tuple[str, bytes], ...]
    values: tuple[tuple[str, bytes], ...] = ()
    release: str
    namespace: str
    kube_version: str = ""  # "": what helm takes by itself
    api_versions: tuple[str, ...] = ()
    include_crds: bool = True
    where: Position  # whose problem it is that it can't be done, where the chart's own files don't say so
    path: str = ""  # of the chart in its tree
    homes: tuple[tuple[str, str], ...] = ()  # of what lies elsewhere in the tree: a prefix inside, and its directory
    digest: Digest = field(init=False, compare=False)  # made once: it is over all files

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", self._digest())

    def place(self, inside: str) -> str:
        """Give the path in the tree of a file of the chart."""
        return chart_place(self.path, self.homes, inside)

    def _digest(self) -> Digest:
        said: list[JsonValue] = [
            "chart",
            [[path, sha256(data).hexdigest()] for path, data in self.files],
            [sha256(data).hexdigest() for _, data in self.values],
            self.release,
            self.namespace,
            self.kube_version,
            list(self.api_versions),
            self.include_crds,
        ]
        return digest_of(canonical(said))


def chart_place(path: str, homes: Iterable[tuple[str, str]], inside: str) -> str:
    """Give the path in a tree of a chart's file: below the chart's own directory, or that of a chart beside it."""
    for prefix, home in homes:
        if inside.startswith(f"{prefix}/"):
            return f"{home}/{inside[len(prefix) + 1 :]}"
    return f"{path}/{inside}" if path else inside


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartArchive:
    """One version of a chart that converge.yaml names: its result is canonical JSON, files in base64 by their paths."""

    url: str  # as a repository's
    version: str  # one, and no range: what a range leads to is a need of its own
    credential: str
    where: Position

    @property
    def digest(self) -> Digest:
        return digest_of(canonical(["archive", self.url, self.version, self.credential]))


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartHead:
    """The newest of a chart's versions that a range asks for: its result is written by `head_of`, read by `version_of`.

    It is the state of the world, and no pure result: whoever keeps a render keeps it beside it, and asks again.
    """

    url: str  # as a repository's
    versions: str  # a range, with a digest where one is pinned
    credential: str
    where: Position

    @property
    def digest(self) -> Digest:
        return digest_of(canonical(["head", self.url, self.versions, self.credential]))


def head_of(version: str, digest: str) -> bytes:
    return canonical({"version": version, "digest": digest})


def version_of(head: Result) -> tuple[str, str]:
    """Give the version and the digest that a range led to."""
    told: Any = decode(head) if isinstance(head, bytes) else {}
    return told["version"], told["digest"]


@dataclass(frozen=True, slots=True)
class Lender:
    """What reading a repository of the platform takes that lends modules: who may have signed, where that is asked."""

    credential: str = ""
    ssh: bytes = b""
    gpg: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleHead:
    """Where a ref of a repository leads that lends a Terraform module: its result is read by `commit_of`.

    The state of the world, as a ChartHead.
    """

    url: str
    ref: str  # a branch, tag or commit; "" is HEAD
    lender: Lender
    where: Position

    @property
    def digest(self) -> Digest:
        signers = [sha256(one).hexdigest() for one in (self.lender.ssh, self.lender.gpg)]
        return digest_of(canonical(["module", self.url, self.ref, self.lender.credential, *signers]))


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleFolder:
    """A folder of a repository at a commit: its result is canonical JSON, files in base64 by their paths there."""

    url: str
    commit: CommitId
    folder: str
    credential: str
    where: Position

    @property
    def digest(self) -> Digest:
        return digest_of(canonical(["folder", self.url, self.commit, self.folder, self.credential]))


def commit_of(head: Result) -> CommitId:
    """Give the commit that a ref led to."""
    told: Any = decode(head) if isinstance(head, bytes) else {}
    return CommitId(told["commit"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Decryption:
    """An encrypted file: its result is what it says in the clear, as a Secret.

    `format` is what sops is told of it (yaml, json, dotenv, ini, binary); `credential` names what holds the key in the
    credential store.
    """

    data: bytes
    format: str
    credential: str
    where: Position

    @property
    def digest(self) -> Digest:
        said: list[JsonValue] = ["decryption", sha256(self.data).hexdigest(), self.format, self.credential]
        return digest_of(canonical(said))


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """What the target is, as a chart may ask it: its result is written by `facts_of`, and read by `capabilities_of`.

    Who renders for a target that can tell has it asked; else the facts are empty. They are the state of the world, and
    no pure result: whoever keeps a render keeps them beside it.
    """

    @property
    def digest(self) -> Digest:
        return digest_of(b"facts of the cluster")


@dataclass(frozen=True, slots=True, order=True)
class TakenOutput:
    """A root output of another target of the application: its result is JSON, in a Secret where it is sensitive.

    NOT_GIVEN while nobody gives it out. The state of the world, as ClusterFacts.
    """

    target: TargetName
    output: str

    @property
    def digest(self) -> Digest:
        return digest_of(canonical(["output", self.target, self.output]))

    def __str__(self) -> str:
        return f"{self.target}.{self.output}"


NOT_GIVEN: Final = b""


def facts_of(capabilities: Capabilities) -> bytes:
    return canonical({"kube": capabilities.kube_version, "apis": [*capabilities.api_versions]})


def capabilities_of(facts: Result) -> Capabilities:
    told: Any = decode(facts) if isinstance(facts, bytes) else {}
    return Capabilities(told.get("kube", ""), tuple(told.get("apis", ())))


# What charts are told where no cluster is asked: a version of ours, since each build of helm has another one.
NO_FACTS: Final = facts_of(Capabilities("v1.36.0"))
Head: TypeAlias = ChartHead | ModuleHead  # the state of the world, that a render follows
Need: TypeAlias = ChartTemplate | ChartArchive | Head | ModuleFolder | Decryption | ClusterFacts | TakenOutput


class Needed(Exception):
    """Work that must be done before a render can go on. Never a ConvergeError: nothing pure may swallow it."""

    def __init__(self, needs: Sequence[Need]) -> None:
        self.needs = tuple(needs)
        super().__init__(self.needs)


def results_of(needs: Iterable[Need], prepared: Prepared) -> tuple[Result, ...]:
    """Give the results of some needs.

    Raises Needed with all of those that have none yet, and what is wrong with any of them: with all at once where they
    are Invalid.
    """
    wanted = [(need, need.digest) for need in needs]
    missing = [need for need, digest in wanted if digest not in prepared]
    if missing:
        raise Needed(missing)
    results: list[Result] = []
    errors: list[Stalled] = []
    for _, digest in wanted:
        one = prepared[digest]
        if isinstance(one, Stalled):
            errors.append(one)
        else:
            results.append(one)
    for error in errors:
        if not isinstance(error, Invalid):
            raise error
    if errors:
        raise Invalid(dict.fromkeys(problem for one in errors if isinstance(one, Invalid) for problem in one.problems))
    return tuple(results)
