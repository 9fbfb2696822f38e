"""The platform repository as values: converge.yaml and environments/, parsed, checked and complete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from controller.model.errors import Problem
from controller.model.fields import FieldPath, JsonValue
from controller.model.ids import (
    ApplicationName,
    CommitId,
    EnvironmentName,
    GroupRef,
    InstallationId,
    PlacementRef,
    RepositoryName,
    TargetName,
)
from controller.model.judging import HealthRules
from controller.model.manifest import Origin
from controller.model.telling import KindModels


class OnPending(StrEnum):
    """What happens when our side moved."""

    AUTO = "auto"
    APPROVE = "approve"
    REPORT = "report"


class OnDrift(StrEnum):
    """What happens when their side moved."""

    REVERT = "revert"
    PROPOSE = "propose"
    REPORT = "report"


class Adopt(StrEnum):
    """What happens to an object that was on the target before us.

    `unowned` takes what no other tool manages; `takeOver` also what Flux, Argo CD, Helm, Terraform or another
    ApplySet does. What belongs to another Converge installation or to a controller of the cluster is never taken.
    """

    REFUSE = "refuse"
    UNOWNED = "unowned"
    TAKE_OVER = "takeOver"


class State(StrEnum):
    """`absent` is the yes to deleting all of an application's objects.

    `removed` is written nowhere: no environment has an entry of the application any more.
    """

    PRESENT = "present"
    ABSENT = "absent"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Verify:
    """Whose signatures a repository's HEAD must carry: a file of allowed signers or GPG keys in the platform tree."""

    ssh: str = ""
    gpg: str = ""


@dataclass(frozen=True, slots=True)
class May:
    """What a repository's objects may touch: globs; None in a field is no limit there, save for `kinds`.

    `kinds: None` is namespaced kinds only, no Namespace, no RBAC: a limit added elsewhere never opens this one.
    """

    environments: tuple[str, ...] | None = None
    targets: tuple[str, ...] | None = None
    namespaces: tuple[str, ...] | None = None
    providers: tuple[str, ...] | None = None  # Terraform's, such as `hashicorp/aws`
    modules: tuple[str, ...] | None = None  # Terraform's, from elsewhere; None: no such module
    kinds: tuple[str, ...] | None = None  # `Ingress` (Kubernetes' own), `apps/Deployment`, `cert-manager.io/*`, `*`


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    name: RepositoryName
    url: str  # https://, ssh://, file://, a path, or http:// to loopback; or a chart's
    credentials: str = ""  # a name in the credential store
    verify: Verify | None = None
    may: May | None = None  # None: namespaced kinds only, no Namespace, no RBAC
    origin: Origin = field(compare=False)  # where it is written says nothing of what it is

    @property
    def is_chart(self) -> bool:
        """Tell whether its revisions are versions of a Helm chart: `oci://host/path/name`, `https://host/path#name`."""
        return self.url.startswith("oci://") or "#" in self.url


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    branch: str = "converge-status"
    repository: RepositoryName | None = None  # None: the platform repository itself
    commit_seconds: int = 0  # between two commits that tell of nothing but what is well
    draw_seconds: int | None = None  # between two drawings of what people read; None: as the fleet is large


@dataclass(frozen=True, slots=True, kw_only=True)
class Commits:
    """How the controller's own commits are made; "" is its own way."""

    name: str = ""
    email: str = ""
    sign: str = ""  # the credential whose SSH key signs them
    subject: str = ""  # a template


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """Instances for another system: as files on a branch, or pushed to an end point."""

    name: str
    exporter: str  # `as` in the file: the name of a plug-in
    environments: tuple[str, ...] | None = None  # globs; None: all
    models: tuple[str, ...] | None = None  # globs; None: all
    branch: str = ""  # of the repository that has the records, unless another is named
    repository: RepositoryName | None = None
    url: str = ""  # "" with a branch
    credentials: str = ""
    settings: Mapping[str, JsonValue] = field(default_factory=dict)  # the exporter's own
    origin: Origin = field(compare=False)  # where it is written says nothing of what it is


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesTarget:
    name: TargetName
    context: str = ""  # of the kubeconfig in the credential store; "" with in_cluster, else the current one
    kubeconfig: str = ""  # the credential that holds the kubeconfig; "" is `kubeconfig`
    in_cluster: bool = False
    uid: str = ""  # of its namespace kube-system: which cluster it is; "" for the one that is found at the start
    namespaces: tuple[str, ...] = ()  # all that we may see and write, the first of them our own too; () everything
    labels: Mapping[str, str] = field(default_factory=dict)
    origin: Origin = field(compare=False)  # where it is written says nothing of what it is


class OnDestroy(StrEnum):
    """Whether what destroys or replaces a cloud resource needs an approval of its own."""

    APPROVE = "approve"
    AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Backend:
    """Where Terraform keeps a state. In a text, `${environment}`, `${application}` and `${target}` stand for names."""

    type: str
    config: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StateInGit:
    """States kept by the controller itself: sealed, on a branch of the repository that records go to."""

    credentials: str  # holds `age.key`: the identities that open states, the first of them our own
    recipients: tuple[str, ...]  # age's public keys that states are sealed for
    branch: str = "converge-state"


@dataclass(frozen=True, slots=True)
class IgnoredDrift:
    """A difference that is no drift: fields of the resources whose address a glob names, for as long as it counts."""

    resource: str
    fields: tuple[str, ...]
    until: date | None = None  # the last day


@dataclass(frozen=True, slots=True, kw_only=True)
class TerraformTarget:
    name: TargetName
    credentials: tuple[str, ...] = ()
    tool: str = ""  # terraform or tofu; "" is whichever is found
    backend: Backend | None = None  # None: the module's own
    state_in_git: StateInGit | None = None  # in place of any back-end
    interval_seconds: int = 600  # between looks for drift
    timeout_seconds: int = 3600  # of one plan or apply
    on_destroy: OnDestroy = OnDestroy.APPROVE
    ignore: tuple[IgnoredDrift, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    origin: Origin = field(compare=False)  # where it is written says nothing of what it is


Target = KubernetesTarget | TerraformTarget


@dataclass(frozen=True, slots=True)
class Window:
    """A time in which syncs are allowed (or, with `allow: false`, are not)."""

    cron: str
    seconds: int
    zone: str
    allow: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignore:
    """Fields of live objects that are left to others: by path, by who holds them, or both at once."""

    fields: tuple[str, ...] = ()  # field paths, `*` for one step, or JSON pointers; () with managers: any
    managers: tuple[str, ...] = ()  # globs; `!glob` excepts
    kinds: tuple[str, ...] = ()  # as `may.kinds` writes them; () is every kind
    name: str = ""  # a glob; "" is every name
    until: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class After:
    """An environment that goes first: where the same application must have run well for so long."""

    environment: EnvironmentName
    seconds: int = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Approvals:
    """What a plan needs before it counts as approved. Without `signers` and `authors`, who may push may approve."""

    required: int = 1  # different people
    signers: Verify | None = None  # whose signature the commit that approves must carry
    authors: tuple[str, ...] = ()  # globs of addresses: who may approve by an unsigned commit
    expiry_seconds: int | None = None  # an approval holds no longer, from its commit on
    by_author: bool = True  # whether who made the change may approve it
    by_review: bool = False  # whether a merge approves the plan that was recorded for its branch


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncPolicy:
    pending: OnPending = OnPending.AUTO
    drift: OnDrift = OnDrift.REVERT
    prune: bool = True
    preflight: bool = True
    deletions_percent: int = 20  # more than max(3, this share) of a placement's objects waits for a yes
    health_seconds: int = 600  # a workload that is Progressing for longer is Degraded
    windows: tuple[Window, ...] = ()
    after: tuple[After, ...] = ()
    approvals: Approvals = field(default_factory=Approvals)
    adopt: Adopt = Adopt.UNOWNED
    ignore: tuple[Ignore, ...] = ()  # the environment's, and after them the application's own


@dataclass(frozen=True, slots=True)
class Rollback:
    """An earlier commit instead of the one that the revision leads to, for as long as it leads there."""

    to: CommitId
    passed_over: CommitId  # `from` in the file


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A value that an application's objects take in from what one of its other targets gives out."""

    target: TargetName
    output: str
    kind: str  # of the object that takes it
    name: str
    path: FieldPath
    origin: Origin = field(compare=False)  # where it is written says nothing of what it is

    def __str__(self) -> str:
        return f"{self.target}.{self.output}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartOptions:
    """What an entry says of a Helm chart; nothing else takes it."""

    release: str = ""  # "" is the application's name
    values_files: tuple[str, ...] = ()  # in the application's path, each over those before it
    values: Mapping[str, JsonValue] = field(default_factory=dict)  # over everything else
    origin: Origin | None = field(default=None, compare=False)  # of the file that `values` are written in
    place: FieldPath = field(default=(), compare=False)  # of `values` in that file


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a chart may ask of the cluster that it is for; the empty ones are what helm takes by itself."""

    kube_version: str = ""  # such as v1.36.3
    api_versions: tuple[str, ...] = ()  # `apps/v1` and `apps/v1/Deployment`, sorted


@dataclass(frozen=True, slots=True)
class Decrypting:
    """What an environment says of secret values in git."""

    credential: str = "sops"  # in the credential store: what decrypts them
    only_encrypted: bool = False  # a Secret whose values stand in the clear is refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """An application's entry in an environment."""

    name: ApplicationName
    repository: RepositoryName
    path: str  # "" is the repository's root
    revision: str  # a branch, tag or commit; "" is the repository's HEAD
    targets: tuple[TargetName, ...]
    rollback: Rollback | None = None
    namespace: str = ""  # fills where an object has none
    create_namespace: bool = False
    depends_on: tuple[GroupRef, ...] = ()
    state: State = State.PRESENT
    suspend: bool = False  # the entry's or the environment's
    approve_deletions: bool = False  # the yes to one large deletion (rule 4), taken back by the next commit
    sync: SyncPolicy  # the environment's, with what the entry changes
    parameters: Mapping[str, str | int | bool | float] = field(default_factory=dict)  # with the environment's
    inputs: tuple[Input, ...] = ()
    chart: ChartOptions = field(default_factory=ChartOptions)
    decryption: Decrypting = field(default_factory=Decrypting)  # the environment's, or its own
    service_account: str = ""  # `namespace:name`, in whose place a cluster is written; "" is the target's own
    origin: Origin = field(compare=False)  # where it is written says nothing of what it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    name: EnvironmentName
    targets: Mapping[TargetName, Target]
    applications: Mapping[ApplicationName, Application]
    sync: SyncPolicy
    suspend: bool = False
    parameters: Mapping[str, str | int | bool | float] = field(default_factory=dict)
    origin: Origin = field(compare=False)  # where it is written says nothing of what it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    name: str
    installation: InstallationId
    repositories: Mapping[RepositoryName, Repository]
    records: Records
    commits: Commits = field(default_factory=Commits)
    exports: tuple[Export, ...] = ()
    review_branches: tuple[str, ...] = ()  # globs of branches that are planned before they are merged
    environments: Mapping[EnvironmentName, Environment]
    problems: Mapping[GroupRef, tuple[Problem, ...]] = field(default_factory=dict)  # these groups stop, no other does
    health: HealthRules = field(default_factory=dict)  # rules of its own, besides those that are known to everybody
    models: KindModels = field(default_factory=dict)  # of its own: what is told of these kinds, ours being in them
    origin: Origin = field(compare=False)  # where it is written says nothing of what it is

    def placements(self) -> tuple[PlacementRef, ...]:
        """Name every placement that git asks for, sorted."""
        return tuple(
            sorted(
                PlacementRef(environment.name, application.name, target)
                for environment in self.environments.values()
                for application in environment.applications.values()
                for target in application.targets
            )
        )


class ComponentType(StrEnum):
    """What lies in a component's folder."""

    YAML = "yaml"
    KUSTOMIZE = "kustomize"
    HELM = "helm"
    OAM = "oam"
    TERRAFORM = "terraform"


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One part of an application, as `converge.yaml` in its repository names it."""

    name: str
    path: str  # in the repository
    type: ComponentType | None = None  # None: what lies there decides
    depends_on: tuple[str, ...] = ()  # names of components of the same file
    origin: Origin = field(compare=False)
