"""What each thing costs the API server, counted in requests at a proxy that the controller does not know of."""

from __future__ import annotations

import json
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Iterable

import pytest
import yaml

from tests.cluster.access import KubeAccess
from tests.engine.kill.scene import kubeconfig
from tests.fixtures.loop import Loop, config_map, deployment
from tests.fixtures.proxy import Exchange, Proxy
from tests.fixtures.waiting import eventually

pytestmark = pytest.mark.slow

APPLICATIONS = tuple(f"app-{number:02}" for number in range(12))
KINDS = ("configmaps", "deployments", "serviceaccounts", "services")
SHARED = ("/leases/", "/leases", "/namespaces/kube-system", "/selfsubjectaccessreviews")


@pytest.fixture
async def api(loop: Loop, place: KubeAccess) -> AsyncIterator[Proxy]:
    """Put a proxy before the loop's cluster."""
    context = ssl.create_default_context(cafile=str(place.ca)) if place.ca else None
    async with Proxy(place.server, context=context) as proxy:
        path = loop.directory / "credentials" / "kubeconfig" / "kubeconfig"
        path.write_text(json.dumps(kubeconfig(proxy.url, place.token)))
        yield proxy


def files(name: str, *, value: str = "1") -> dict[str, bytes]:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
               "spec": {"selector": {"app": name}, "ports": [{"port": 80}]}}  # fmt: skip
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
    return {
        f"{name}/config.yaml": config_map(name, value=value),
        f"{name}/web.yaml": deployment(name, replicas=0),
        f"{name}/service.yaml": yaml.safe_dump(service).encode(),
        f"{name}/account.yaml": yaml.safe_dump(account).encode(),
    }


async def begin(loop: Loop) -> None:
    await loop.host.create("apps", {path: body for name in APPLICATIONS for path, body in files(name).items()})
    await loop.platform({name: {"repository": "apps", "path": name} for name in APPLICATIONS})


async def all_synced(loop: Loop, *, since: int = 0) -> None:
    for name in APPLICATIONS:
        await loop.synced(name, since=since)


def counted(seen: Iterable[Exchange]) -> Counter[str]:
    """Count what was asked; the Lease, the cluster's identity and our permissions are of a burst, not of an object."""
    found: Counter[str] = Counter()
    for one in seen:
        path, _, query = one.path.partition("?")
        if one.is_watch or any(part in path for part in SHARED):
            continue
        what = "parent" if "/converge-system/configmaps" in path else "object"
        if one.method == "GET":
            what = "list" if "labelSelector" in query else what
        found[f"{'dry ' if 'dryRun=All' in query else ''}{one.method} {what}"] += 1
    return found


async def test_a_field_of_every_application_costs_two_requests_each_and_one_for_its_parent(
    loop: Loop, api: Proxy
) -> None:
    await begin(loop)
    async with loop.start():
        await all_synced(loop)
        await eventually(lambda: all_parents_written(api))
        asked, mark = len(api.seen), loop.mark()
        changes = {f"{name}/config.yaml": config_map(name, value="2") for name in APPLICATIONS}
        commit = await loop.host.commit("apps", changes, message="Change all")
        for name in APPLICATIONS:
            await loop.synced(name, commit=commit, since=mark)
        many = len(APPLICATIONS)
        assert counted(api.seen[asked:]) == {"dry PATCH object": many, "PATCH object": many, "PUT parent": many}


def all_parents_written(api: Proxy) -> bool:
    puts = [one for one in api.seen if one.method == "PUT" and "/configmaps/converge-" in one.path]
    return len(puts) >= len(APPLICATIONS)


async def test_a_field_of_one_application_costs_nothing_for_the_others(loop: Loop, api: Proxy) -> None:
    await begin(loop)
    async with loop.start():
        await all_synced(loop)
        asked, mark = len(api.seen), loop.mark()
        changed = {"app-07/config.yaml": config_map("app-07", value="2")}
        commit = await loop.host.commit("apps", changed, message="Change one")
        await loop.synced("app-07", commit=commit, since=mark)
        assert counted(api.seen[asked:]) == {"dry PATCH object": 1, "PATCH object": 1, "PUT parent": 1}


async def test_a_restart_reads_each_kind_once_and_writes_nothing(loop: Loop, api: Proxy) -> None:
    await begin(loop)
    async with loop.start():
        await all_synced(loop)
    asked, mark = len(api.seen), loop.mark()
    async with loop.start():
        await all_synced(loop, since=mark)
    seen = api.seen[asked:]
    lists = Counter(one.path.partition("?")[0].rsplit("/", 1)[-1] for one in seen if "limit=" in one.path)
    assert lists == dict.fromkeys(KINDS, 1)
    assert [str(one) for one in seen if one.is_write] == []
    rest = [str(one) for one in seen if one.method == "GET" and "limit=" not in one.path and not one.is_watch]
    assert sorted(rest) == ["GET /api", "GET /api/v1/namespaces/kube-system", "GET /apis"]
