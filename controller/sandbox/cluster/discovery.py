"""What the server tells about itself: version, resources (legacy and aggregated discovery), OpenAPI."""

from __future__ import annotations

from collections.abc import Iterable

from controller.sandbox.cluster.schema import Body, Kind

VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
SUBRESOURCE_VERBS = ["get", "patch", "update"]
AGGREGATED = "apidiscovery.k8s.io"


def version(git_version: str) -> Body:
    major, minor = git_version.lstrip("v").split(".")[:2]
    return {
        "major": major, "minor": minor, "gitVersion": f"{git_version}+sandbox", "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "", "platform": "sandbox",
    }  # fmt: skip


def groups(kinds: Iterable[Kind]) -> dict[str, list[str]]:
    """Give the versions of each group, the preferred one first."""
    found: dict[str, list[str]] = {}
    for kind in kinds:
        versions = found.setdefault(kind.group, [])
        if kind.version not in versions:
            versions.append(kind.version)
    return found


def api_versions() -> Body:
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}


def group_list(kinds: Iterable[Kind]) -> Body:
    found = [_group(name, versions) for name, versions in groups(kinds).items() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": found}


def group(name: str, kinds: Iterable[Kind]) -> Body | None:
    versions = groups(kinds).get(name)
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, versions)} if versions else None


def _group(name: str, versions: list[str]) -> Body:
    shown = [{"groupVersion": f"{name}/{one}", "version": one} for one in versions]
    return {"name": name, "versions": shown, "preferredVersion": shown[0]}


def resource_list(api_version: str, kinds: Iterable[Kind]) -> Body | None:
    found: list[Body] = []
    for kind in sorted((one for one in kinds if one.api_version == api_version), key=lambda one: one.plural):
        found.append(_resource(kind))
        found += [_subresource(kind, name) for name in kind.subresources]
    return (
        {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version, "resources": found}
        if found
        else None
    )


def _resource(kind: Kind) -> Body:
    shown: Body = {
        "name": kind.plural, "singularName": kind.singular, "namespaced": kind.is_namespaced, "kind": kind.kind,
        "verbs": VERBS,
    }  # fmt: skip
    if kind.short:
        shown["shortNames"] = list(kind.short)
    if kind.categories:
        shown["categories"] = list(kind.categories)
    return shown


def _subresource(kind: Kind, name: str) -> Body:
    shown: Body = {
        "name": f"{kind.plural}/{name}", "singularName": "", "namespaced": kind.is_namespaced, "kind": kind.kind,
        "verbs": SUBRESOURCE_VERBS,
    }  # fmt: skip
    if name == "scale":
        shown |= {"group": "autoscaling", "version": "v1", "kind": "Scale"}
    return shown


def aggregated(kinds: Iterable[Kind], *, core: bool) -> Body:
    """Everything in one document (APIGroupDiscoveryList, version v2), for /api or for /apis."""
    known = list(kinds)
    items = []
    for name, versions in groups(known).items():
        if (name == "") is core:
            shown = [
                {"version": one, "freshness": "Current", "resources": _aggregated(known, name, one)} for one in versions
            ]
            items.append({"metadata": {"name": name} if name else {}, "versions": shown})
    return {"kind": "APIGroupDiscoveryList", "apiVersion": f"{AGGREGATED}/v2", "metadata": {}, "items": items}


def _aggregated(kinds: list[Kind], name: str, version_: str) -> list[Body]:
    found = []
    for kind in kinds:
        if (kind.group, kind.version) != (name, version_):
            continue
        response = {"group": "", "version": "", "kind": kind.kind}  # empty: those of the list it stands in
        one: Body = {
            "resource": kind.plural, "responseKind": response, "singularResource": kind.singular, "verbs": VERBS,
            "scope": "Namespaced" if kind.is_namespaced else "Cluster",
        }  # fmt: skip
        if kind.short:
            one["shortNames"] = list(kind.short)
        if kind.categories:
            one["categories"] = list(kind.categories)
        if kind.subresources:
            scale = {"group": "autoscaling", "version": "v1", "kind": "Scale"}
            one["subresources"] = [
                {"subresource": sub, "responseKind": scale if sub == "scale" else response, "verbs": SUBRESOURCE_VERBS}
                for sub in kind.subresources
            ]
        found.append(one)
    return found


def openapi_index(kinds: Iterable[Kind]) -> Body:
    roots = {_root(kind) for kind in kinds}
    return {"paths": {root: {"serverRelativeURL": f"/openapi/v3/{root}"} for root in sorted(roots)}}


def openapi(root: str, kinds: Iterable[Kind]) -> Body | None:
    """Give the document of one group's version: paths without schemas.

    kubectl reads from it that patches take `fieldValidation` and `dryRun`, and leaves validation to the server then.
    """
    mine = [kind for kind in kinds if _root(kind) == root]
    if not mine:
        return None
    parameters = [
        {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
        for name in ("dryRun", "fieldManager", "fieldValidation", "force", "pretty")
    ]
    paths: Body = {}
    for kind in mine:
        scope = "namespaces/{namespace}/" if kind.is_namespaced else ""
        known = {"group": kind.group, "version": kind.version, "kind": kind.kind}
        operation = {"parameters": parameters, "responses": {}, "x-kubernetes-group-version-kind": known}
        paths[f"/{root}/{scope}{kind.plural}"] = {"post": {**operation, "x-kubernetes-action": "post"}}
        paths[f"/{root}/{scope}{kind.plural}/{{name}}"] = {"patch": {**operation, "x-kubernetes-action": "patch"}}
    info = {"title": "Kubernetes", "version": "sandbox"}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": {}}}


def _root(kind: Kind) -> str:
    return f"apis/{kind.group}/{kind.version}" if kind.group else f"api/{kind.version}"
