"""A draft that has passed every check, as values of the model. Nothing is checked here again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from controller.config.branches import DEFAULT_RECORDS, DEFAULT_STATE_BRANCH
from controller.config.draft import Draft, EnvironmentDraft
from controller.config.duration import parse_duration
from controller.config.moment import parse_moment
from controller.config.node import Node
from controller.config.refs import tree_path
from controller.config.rules import chart_url, group_of
from controller.config.selecting import account_of, targets_of
from controller.model import (
    Adopt,
    After,
    Application,
    ApplicationName,
    Approvals,
    Backend,
    ChartOptions,
    CommitId,
    Commits,
    Decrypting,
    Environment,
    EnvironmentName,
    Export,
    GroupRef,
    HealthRules,
    Ignore,
    IgnoredDrift,
    Input,
    InstallationId,
    KindModels,
    KubernetesTarget,
    May,
    OnDestroy,
    OnDrift,
    OnPending,
    Platform,
    Problem,
    Records,
    Repository,
    RepositoryName,
    Rollback,
    State,
    StateInGit,
    SyncPolicy,
    Target,
    TargetName,
    TerraformTarget,
    Verify,
    Window,
    parse_path,
)

DEFAULT_SYNC = SyncPolicy()


def platform_of(
    draft: Draft,
    root: Node,
    problems: Mapping[GroupRef, tuple[Problem, ...]],
    health: HealthRules,
    models: KindModels,
) -> Platform:
    spec = root.get("spec")
    return Platform(
        name=root.get("metadata").text("name"),
        installation=InstallationId(spec.text("installation")),
        repositories={
            RepositoryName(name): _repository(name, node) for name, node in spec.named("repositories").items()
        },
        records=_records(spec.get("records")),
        commits=_commits(spec.get("commits")),
        exports=tuple(_export(name, node) for name, node in spec.named("exports").items()),
        review_branches=spec.get("review").texts("branches") or (),
        environments={
            EnvironmentName(name): _environment(one, draft.repositories) for name, one in draft.environments.items()
        },
        problems=problems,
        health=health,
        models=models,
        origin=root.origin(),
    )


def _repository(name: str, node: Node) -> Repository:
    return Repository(
        name=RepositoryName(name),
        url=chart_url(node),
        credentials=node.text("credentials"),
        verify=_verify(node.get("verify")),
        may=_may(node.get("may")),
        origin=node.origin(),
    )


def _verify(node: Node) -> Verify | None:
    if node.value is None:
        return None
    return Verify(ssh=tree_path(node.text("ssh")), gpg=tree_path(node.text("gpg")))


def _may(node: Node) -> May | None:
    if node.value is None:
        return None
    return May(
        environments=node.texts("environments"),
        targets=node.texts("targets"),
        namespaces=node.texts("namespaces"),
        kinds=node.texts("kinds"),
        providers=node.texts("providers"),
        modules=node.texts("modules"),
    )


def _records(node: Node) -> Records:
    name, commit_every, draw_every = node.text("repository"), node.text("commitEvery"), node.text("drawEvery")
    return Records(
        branch=node.text("branch", DEFAULT_RECORDS.branch),
        repository=RepositoryName(name) if name else None,
        commit_seconds=parse_duration(commit_every) if commit_every else 0,
        draw_seconds=parse_duration(draw_every) if draw_every else None,
    )


def _export(name: str, node: Node) -> Export:
    repository, settings = node.text("repository"), node.get("settings").value
    return Export(
        name=name,
        exporter=node.text("as"),
        environments=node.texts("environments"),
        models=node.texts("models"),
        branch=node.text("branch"),
        repository=RepositoryName(repository) if repository else None,
        url=node.text("url"),
        credentials=node.text("credentials"),
        settings=settings if isinstance(settings, dict) else {},
        origin=node.origin(),
    )


def _commits(node: Node) -> Commits:
    return Commits(
        name=node.text("name"), email=node.text("email"), sign=node.text("sign"), subject=node.text("subject")
    )


def _environment(draft: EnvironmentDraft, repositories: Mapping[str, Node]) -> Environment:
    sync = _sync(draft.sync, DEFAULT_SYNC)
    suspend = draft.suspend.value is True
    parameters = _scalars(draft.parameters)
    return Environment(
        name=EnvironmentName(draft.name),
        targets={TargetName(name): _target(name, node) for name, node in draft.targets.items()},
        applications={
            ApplicationName(name): replace(
                _application(draft, name, node, sync, parameters), service_account=account_of(node, repositories)
            )
            for name, node in draft.applications.items()
        },
        sync=sync,
        suspend=suspend,
        parameters=parameters,
        origin=draft.root.origin(),
    )


def _target(name: str, node: Node) -> Target:
    labels = {key: one.value for key, one in node.named("labels").items() if isinstance(one.value, str)}
    if isinstance(node.value, dict) and "terraform" in node.value:
        return _terraform(name, node, labels)
    cluster = node.get("kubernetes")
    return KubernetesTarget(
        name=TargetName(name),
        context=cluster.text("context"),
        kubeconfig=cluster.text("kubeconfig"),
        in_cluster=cluster.flag("inCluster", default=False),
        uid=cluster.text("uid"),
        namespaces=cluster.texts("namespaces") or (),
        labels=labels,
        origin=node.origin(),
    )


def _terraform(name: str, node: Node, labels: Mapping[str, str]) -> TerraformTarget:
    said = node.get("terraform")
    return TerraformTarget(
        name=TargetName(name),
        credentials=said.texts("credentials") or (),
        tool=said.text("tool"),
        backend=_backend(said.get("backend")),
        state_in_git=_state_in_git(said.get("stateInGit")),
        interval_seconds=parse_duration(said.text("interval", "10m")),
        timeout_seconds=parse_duration(said.text("timeout", "1h")),
        on_destroy=OnDestroy(said.text("destroy", OnDestroy.APPROVE)),
        ignore=tuple(_ignored(one) for one in said.get("ignore").elements()),
        labels=labels,
        origin=node.origin(),
    )


def _backend(node: Node) -> Backend | None:
    if node.value is None:
        return None
    config = node.get("config").value
    return Backend(node.text("type"), config if isinstance(config, dict) else {})


def _state_in_git(node: Node) -> StateInGit | None:
    if node.value is None:
        return None
    branch = node.text("branch", DEFAULT_STATE_BRANCH)
    return StateInGit(credentials=node.text("credentials"), recipients=node.texts("recipients") or (), branch=branch)


def _ignored(node: Node) -> IgnoredDrift:
    until = node.text("until")
    return IgnoredDrift(node.text("resource"), node.texts("fields") or (), date.fromisoformat(until) if until else None)


def _application(
    environment: EnvironmentDraft, name: str, node: Node, sync: SyncPolicy, parameters: Mapping[str, Scalar]
) -> Application:
    return Application(
        name=ApplicationName(name),
        repository=RepositoryName(node.text("repository")),
        path=tree_path(node.text("path")),
        revision=node.text("revision") or node.text("version"),
        targets=tuple(map(TargetName, targets_of(environment, node))),
        rollback=_rollback(node.get("rollback")),
        namespace=node.text("namespace"),
        create_namespace=node.flag("createNamespace", default=False),
        depends_on=tuple(group_of(one, environment.name) for one in node.texts("dependsOn") or ()),
        state=State(node.text("state", State.PRESENT)),
        suspend=environment.suspend.value is True or node.flag("suspend", default=False),
        approve_deletions=node.flag("approveDeletions", default=False),
        sync=_sync(node.get("sync"), sync),
        parameters={**parameters, **_scalars(node.named("parameters"))},
        inputs=tuple(_input(one) for one in node.get("inputs").elements()),
        chart=_chart(node),
        decryption=_decrypting(environment, node),
        origin=node.origin(),
    )


def _decrypting(environment: EnvironmentDraft, node: Node) -> Decrypting:
    name = node.text("decryption") or environment.decryption.value
    only_encrypted = environment.secrets.value == "encrypted"
    return Decrypting(name, only_encrypted) if isinstance(name, str) else Decrypting(only_encrypted=only_encrypted)


def _chart(node: Node) -> ChartOptions:
    values = node.get("values").value
    return ChartOptions(
        release=node.text("release"),
        values_files=node.texts("valuesFiles") or (),
        values=values if isinstance(values, dict) else {},
        origin=node.origin(),
        place=node.get("values").field,
    )


def _input(node: Node) -> Input:
    target, _, output = node.text("from").partition(".")
    kind, _, name = node.text("to").partition("/")
    return Input(
        target=TargetName(target),
        output=output,
        kind=kind,
        name=name,
        path=parse_path(node.text("field")),
        origin=node.origin(),
    )


def _rollback(node: Node) -> Rollback | None:
    if node.value is None:
        return None
    return Rollback(to=CommitId(node.text("to")), passed_over=CommitId(node.text("from")))


Scalar = str | int | bool | float


def _scalars(nodes: Mapping[str, Node]) -> dict[str, Scalar]:
    return {name: node.value for name, node in nodes.items() if isinstance(node.value, str | int | bool | float)}


def _sync(node: Node, base: SyncPolicy) -> SyncPolicy:
    """Read a policy over another: what it does not say is the other's."""
    if node.value is None:
        return base
    timeout = node.text("healthTimeout")
    windows = tuple(_window(one) for one in node.get("windows").elements())
    return SyncPolicy(
        pending=OnPending(node.text("pending", base.pending)),
        drift=OnDrift(node.text("drift", base.drift)),
        prune=node.flag("prune", default=base.prune),
        preflight=node.flag("preflight", default=base.preflight),
        deletions_percent=node.number("deletionsPercent", base.deletions_percent),
        health_seconds=parse_duration(timeout) if timeout else base.health_seconds,
        windows=base.windows if node.get("windows").value is None else windows,
        after=base.after
        if node.get("after").value is None
        else tuple(_after(one) for one in node.get("after").elements()),
        approvals=_approvals(node.get("approvals"), base.approvals),
        adopt=Adopt(node.text("adopt", base.adopt)),
        ignore=(*base.ignore, *(_ignore(one) for one in node.get("ignore").elements())),
    )


def _after(node: Node) -> After:
    return After(EnvironmentName(node.text("environment")), parse_duration(node.text("healthyFor", "10m")))


def _approvals(node: Node, base: Approvals) -> Approvals:
    if node.value is None:
        return base
    expiry = node.text("expiry")
    signers = Verify(ssh=tree_path(node.text("ssh")), gpg=tree_path(node.text("gpg")))
    return Approvals(
        required=node.number("required", base.required),
        signers=signers if signers != Verify() else base.signers,
        authors=node.texts("authors") or base.authors,
        expiry_seconds=parse_duration(expiry) if expiry else base.expiry_seconds,
        by_author=node.flag("byAuthor", default=base.by_author),
        by_review=node.flag("byReview", default=base.by_review),
    )


def _ignore(node: Node) -> Ignore:
    until = node.text("until")
    return Ignore(
        fields=node.texts("fields") or (),
        managers=node.texts("managers") or (),
        kinds=node.texts("kinds") or (),
        name=node.text("name"),
        until=parse_moment(until) if until else None,
        reason=node.text("reason"),
    )


def _window(node: Node) -> Window:
    return Window(
        cron=node.text("cron"),
        seconds=parse_duration(node.text("for")),
        zone=node.text("zone", "UTC"),
        allow=node.flag("allow", default=True),
    )
