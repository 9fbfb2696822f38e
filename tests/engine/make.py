"""Small values of the model, with what a test does not care about filled in."""

from __future__ import annotations

from controller.model import (
    Action,
    Application,
    ApplicationName,
    Cause,
    CommitId,
    Desired,
    Digest,
    EnvironmentName,
    FieldChange,
    Health,
    LiveObject,
    Manifest,
    ObjectKey,
    ObjectPlan,
    Observation,
    Origin,
    PlacementRef,
    Plan,
    RepositoryName,
    Revision,
    SyncPolicy,
    TargetName,
)

REVISION = Revision(CommitId("a" * 40), CommitId("b" * 40))
ORIGIN = Origin(RepositoryName("shop"), "deploy/web.yaml", 1, CommitId("a" * 40))
WHERE = Origin(RepositoryName("platform"), "environments/prod.yaml", 9, CommitId("b" * 40))


def placement(application: str = "shop", environment: str = "prod", target: str = "hz") -> PlacementRef:
    return PlacementRef(EnvironmentName(environment), ApplicationName(application), TargetName(target))


def key(name: str = "web", kind: str = "Deployment") -> ObjectKey:
    return ObjectKey("apps" if kind == "Deployment" else "", kind, "shop", name)


def manifest(name: str = "web", digest: str = "1") -> Manifest:
    return Manifest(key(name), "apps/v1", b"{}", Digest(f"sha256:{digest}"), ORIGIN)


def desired(*manifests: Manifest, ref: PlacementRef | None = None, digest: str = "d") -> Desired:
    return Desired(ref or placement(), REVISION, manifests, Digest(f"sha256:{digest}"), Digest("sha256:i"))


def live(name: str = "web", digest: str = "1", *, suspect: bool = False) -> LiveObject:
    return LiveObject(
        key=key(name), uid=f"uid-{name}", digest=Digest(f"sha256:{digest}"), health=Health.HEALTHY, is_suspect=suspect
    )


def observation(*objects: LiveObject, digest: str | None = "d") -> Observation:
    applied = Digest(f"sha256:{digest}") if digest else None
    return Observation(
        placement=placement(), applied=REVISION if digest else None, applied_digest=applied, objects=objects
    )


def change(cause: Cause, *path: str) -> FieldChange:
    return FieldChange(path or ("spec", "replicas"), 1, 2, cause)


def object_plan(
    action: Action = Action.CHANGE,
    *changes: FieldChange,
    name: str = "web",
    cause: Cause = Cause.PENDING,
    objection: str = "",
) -> ObjectPlan:
    return ObjectPlan(
        key=key(name), action=action, cause=cause, changes=changes, manifest=manifest(name), objection=objection
    )


def plan(*objects: ObjectPlan) -> Plan:
    return Plan(
        placement=placement(), revision=REVISION, desired=Digest("sha256:d"), objects=objects, hash=Digest("sha256:p")
    )


def application(sync: SyncPolicy | None = None, *, suspend: bool = False) -> Application:
    return Application(
        name=ApplicationName("shop"),
        repository=RepositoryName("shop"),
        path="deploy",
        revision="main",
        targets=(TargetName("hz"),),
        suspend=suspend,
        sync=sync or SyncPolicy(),
        origin=WHERE,
    )
