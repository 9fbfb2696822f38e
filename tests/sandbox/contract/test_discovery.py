"""What a server tells about itself, in both forms of discovery."""

from __future__ import annotations

import pytest

from tests.cluster.api import Api

AGGREGATED = {"Accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"}


async def test_the_core_group_is_v1(api: Api) -> None:
    assert (await api.request("GET", "/api"))["versions"] == ["v1"]
    listed = await api.request("GET", "/api/v1")
    assert (listed["kind"], listed["groupVersion"]) == ("APIResourceList", "v1")


@pytest.mark.parametrize(
    ("api_version", "plural", "namespaced", "short"),
    [
        ("v1", "configmaps", True, ["cm"]),
        ("v1", "namespaces", False, ["ns"]),
        ("apps/v1", "deployments", True, ["deploy"]),
        ("networking.k8s.io/v1", "ingresses", True, ["ing"]),
        ("apiextensions.k8s.io/v1", "customresourcedefinitions", False, ["crd", "crds"]),
    ],
)
async def test_a_resource_is_described(
    api: Api,
    api_version: str,
    plural: str,
    namespaced: object,
    short: list[str],
) -> None:
    path = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    (one,) = (r for r in (await api.request("GET", path))["resources"] if r["name"] == plural)
    assert (one["namespaced"], one["shortNames"]) == (namespaced, short)
    assert set(one["verbs"]) >= {"create", "delete", "get", "list", "patch", "update", "watch"}


async def test_aggregated_discovery_is_one_document(api: Api) -> None:
    groups = await api.request("GET", "/apis", headers=AGGREGATED)
    assert (groups["kind"], groups["apiVersion"]) == ("APIGroupDiscoveryList", "apidiscovery.k8s.io/v2")
    (apps,) = (one for one in groups["items"] if one["metadata"]["name"] == "apps")
    (version,) = apps["versions"]
    (deployments,) = (one for one in version["resources"] if one["resource"] == "deployments")
    assert deployments["responseKind"] == {"group": "", "version": "", "kind": "Deployment"}  # empty: as around it
    assert deployments["scope"] == "Namespaced"
    assert {one["subresource"] for one in deployments["subresources"]} == {"scale", "status"}


async def test_the_version_can_be_parsed(api: Api) -> None:
    version = await api.request("GET", "/version")
    assert version["gitVersion"].startswith(f"v{version['major']}.{version['minor']}.")


async def test_the_openapi_index_has_every_group(api: Api) -> None:
    paths = (await api.request("GET", "/openapi/v3"))["paths"]
    assert set(paths) >= {"api/v1", "apis/apps/v1", "apis/batch/v1"}
    document = await api.request("GET", paths["apis/apps/v1"]["serverRelativeURL"])
    patch = document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert {one["name"] for one in patch["parameters"]} >= {"dryRun", "fieldManager", "fieldValidation", "force"}


async def test_the_cluster_is_known_by_a_namespace_that_is_always_there(api: Api) -> None:
    system = await api.get("v1", "Namespace", "kube-system")
    assert system["metadata"]["uid"]
