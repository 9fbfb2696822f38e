"""Admission policies that live in the cluster itself: what they rewrite, and what they refuse."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from controller.model import Stalled
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api, ApiError
from tests.targets.kubernetes.placing import Body, config_map, placed
from tests.targets.kubernetes.test_admission import has_rest, heard

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

GROUP = "admissionregistration.k8s.io"
RULE = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["configmaps"]}
WORDS = "every map says whose it is"


async def version_of(api: Api, kind: str) -> str:
    """Find the version in which a kind of policy is served; skip where it is in none."""
    listed = await api.request("GET", "/apis")
    versions = [one["version"] for group in listed["groups"] if group["name"] == GROUP for one in group["versions"]]
    for version in versions:
        found = await api.request("GET", f"/apis/{GROUP}/{version}")
        if kind in {one["kind"] for one in found["resources"]}:
            return f"{GROUP}/{version}"
    pytest.skip(f"this control plane serves no {kind}")


def bound(api_version: str, kind: str, namespace: str, **how: object) -> tuple[Body, Body]:
    """Make a policy and its binding, for the ConfigMaps of one namespace."""
    name = {"name": f"{namespace}-{kind.lower()}"}
    policy = {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": name,
        "spec": {"failurePolicy": "Fail", "matchConstraints": {"resourceRules": [RULE]}, **how},
    }
    within = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    actions = {"validationActions": ["Deny"]} if kind.startswith("Validating") else {}
    binding = {
        "apiVersion": api_version,
        "kind": f"{kind}Binding",
        "metadata": name,
        "spec": {"policyName": name["name"], "matchResources": within, **actions},
    }
    return policy, binding


@asynccontextmanager
async def in_force(api: Api, *bodies: Body) -> AsyncIterator[None]:
    for body in bodies:
        await api.create(body)
    try:
        yield
    finally:
        for body in reversed(bodies):
            with suppress(ApiError):  # gone already
                await api.delete(body)


async def is_refused(api: Api, body: Body) -> bool:
    try:
        await api.create(body, dryRun="All")
    except ApiError as error:
        assert WORDS in error.message  # noqa: PT017 - any other refusal is none of the policy's
        return True
    return False


async def until_refused(api: Api, body: Body, *, is_so: bool = True) -> None:
    """Wait until the server acts by a policy, or no longer does: it says neither."""
    async with asyncio.timeout(60):
        while await is_refused(api, body) is not is_so:  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.05)


async def test_what_a_mutating_policy_rewrites_is_no_drift(cluster: KubeAccess, api: Api) -> None:
    version = await version_of(api, "MutatingAdmissionPolicy")
    said = 'Object{data: {"x": "rewritten", "added": "by policy"}}'
    mutation = {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": said}}
    policy = bound(
        version, "MutatingAdmissionPolicy", cluster.namespace, mutations=[mutation], reinvocationPolicy="Never"
    )
    async with in_force(api, *policy):
        probe = config_map("probe", cluster.namespace, x="a")
        async with asyncio.timeout(60):
            for number in itertools.count():
                named = {**probe, "metadata": {"name": f"probe-{number}"}}
                if (await api.create(named, dryRun="All"))["data"]["x"] == "rewritten":
                    break
        body = config_map("a", cluster.namespace, x="one", y="1")
        async with placed(cluster) as place:
            assert (await place.sync(body)).failure is None
            await has_rest(place, body)
            await api.patch(body, {"metadata": {"annotations": {"note": "theirs"}}}, fieldManager="somebody")
            await heard(place, api, body)
            await has_rest(place, body)

            await api.patch(body, {"data": {"y": "by hand"}}, fieldManager="mallory")
            await heard(place, api, body)
            plan = await place.plan(body)
            assert [one.path for each in plan.objects for one in each.changes] == [("data", "y")]
            assert (await place.apply(plan)).failure is None
            await heard(place, api, body)
            await has_rest(place, body)
        async with placed(cluster) as place:
            assert (await place.plan(body)).is_empty
            await has_rest(place, body)
        live = await api.get("v1", "ConfigMap", "a")
        assert live["data"] == {"x": "rewritten", "y": "1", "added": "by policy"}


async def test_a_policys_denial_is_told_in_its_own_words_until_it_goes(cluster: KubeAccess, api: Api) -> None:
    version = await version_of(api, "ValidatingAdmissionPolicy")
    rule = {"expression": "has(object.data) && 'owner' in object.data", "message": WORDS}
    policy = bound(version, "ValidatingAdmissionPolicy", cluster.namespace, validations=[rule])
    ours, other = config_map("a", cluster.namespace, x="1"), config_map("b", cluster.namespace, owner="us")
    async with placed(cluster) as place:
        async with in_force(api, *policy):
            await until_refused(api, ours)
            with pytest.raises(Stalled) as told:
                await place.plan(ours, other)
            assert WORDS in str(told.value)
            assert policy[0]["metadata"]["name"] in str(told.value)
            assert "ConfigMap" in str(told.value)
            place.policy(preflight=False)
            applied = await place.sync(ours, other)
            assert isinstance(applied.failure, Stalled)
            assert WORDS in str(applied.failure)
            place.policy(preflight=True)
        await until_refused(api, ours, is_so=False)
        assert (await place.sync(ours, other)).failure is None
        await has_rest(place, ours, other)
