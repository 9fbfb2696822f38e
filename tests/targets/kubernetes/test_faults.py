"""Whatever happens between us and the API server: in the end live equals desired, and nothing is lost or leaked."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from controller.model import Action, ConvergeError, Plan
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api, ApiError
from tests.fixtures.faults import Faults
from tests.fixtures.proxy import Proxy
from tests.targets.kubernetes.placing import Body, Place, config_map, placed, service

STEPS = 10
ATTEMPTS = 200
NAMES = ("a", "b", "c", "d", "e")
VALUES = ("1", "2", "3")


@dataclass
class Story:
    """What git says and what others did, step by step."""

    place: Place
    chance: random.Random
    wanted: dict[str, Body] = field(default_factory=dict)
    announced: set[str] = field(default_factory=set)  # names that plans said they would delete

    def move(self) -> None:
        """Change git: some objects come, change or go."""
        ns = self.place.namespace
        for name in self.chance.sample(NAMES, k=2):
            if name in self.wanted and self.chance.random() < 0.4 and len(self.wanted) > 3:
                del self.wanted[name]
            else:
                self.wanted[name] = config_map(name, ns, x=self.chance.choice(VALUES), y=self.chance.choice(VALUES))
        self.wanted["web"] = service("web", ns, port=self.chance.choice((80, 81, 82)))

    async def settle(self) -> Plan:
        """Sync until a plan finds nothing to do: what a controller does, without its pauses."""
        last: object = None
        for _ in range(ATTEMPTS):
            try:
                plan = await self.place.plan(*self.wanted.values())
                if plan.is_empty and last is None:
                    return plan
                self.announced |= {one.key.name for one in plan.objects if one.action is Action.DELETE}
                last = (await self.place.apply(plan)).failure
            except ConvergeError as error:
                last = error
            await asyncio.sleep(0.01)
        raise AssertionError(f"it never came to rest: {last}")


async def disturb(api: Api, story: Story) -> None:
    """Somebody edits, deletes or adds to an object of ours by hand."""
    name = story.chance.choice(sorted(set(story.wanted) & set(NAMES)))
    body = config_map(name, story.place.namespace)
    try:
        match story.chance.choice(("edit", "delete", "add")):
            case "edit":
                await api.patch(body, {"data": {"x": "by hand"}}, fieldManager="kubectl-edit")
            case "delete":
                await api.delete(body)
            case "add":
                await api.patch(body, {"data": {"theirs": "1"}}, fieldManager="somebody")
    except ApiError as error:
        if error.code != 404:
            raise


def values(live: Mapping[str, Any]) -> object:
    if live["kind"] == "Service":
        return [one["port"] for one in live["spec"]["ports"]]
    return {name: value for name, value in live["data"].items() if name != "theirs"}


async def check(api: Api, story: Story, proxy: Proxy) -> None:
    found = {}
    for kind in ("ConfigMap", "Service"):
        for one in (await api.list("v1", kind))["items"]:
            if "converge/owner" in one["metadata"].get("annotations", {}):
                found[one["metadata"]["name"]] = values(one)
    assert found == {name: values(body) for name, body in story.wanted.items()}
    assert (await api.get("v1", "ConfigMap", "not-ours"))["data"] == {"x": "theirs"}
    parents = (await api.list("v1", "ConfigMap", namespace="converge-system"))["items"]
    ours = [one for one in parents if f"i-{story.place.namespace} " in str(one["metadata"].get("annotations"))]
    assert len(ours) == 1
    deleted = {one.path.rsplit("/", 1)[-1].partition("?")[0] for one in proxy.seen if one.method == "DELETE"}
    assert deleted <= story.announced


@pytest.mark.slow
@pytest.mark.parametrize("number", range(4))
async def test_in_the_end_live_equals_desired(access: KubeAccess, seed: int, number: int) -> None:
    faults = Faults(seed + number, share=0.15)
    context = ssl.create_default_context(cafile=str(access.ca)) if access.ca else None
    async with Proxy(access.server, context=context) as proxy, Api.connect(access) as api:
        await api.create(config_map("not-ours", access.namespace, x="theirs"))
        async with placed(replace(access, server=proxy.url, ca=None)) as place:
            story = Story(place, random.Random(seed + number))
            faults.on(proxy)
            for _ in range(STEPS):
                story.move()
                await story.settle()
                await disturb(api, story)
            faults.share = 0.0
            story.move()
            await story.settle()
            await caught_up(api, story)
            await story.settle()
            await check(api, story, proxy)
    assert faults.met, f"no fault was met, with seed {seed + number}"


async def caught_up(api: Api, story: Story) -> None:
    """Wait until our view is the server's: what the last disturbance did is known."""
    async with asyncio.timeout(60):
        while True:
            live = {
                (one["metadata"]["name"], one["metadata"]["resourceVersion"])
                for kind in ("ConfigMap", "Service")
                for one in (await api.list("v1", kind))["items"]
                if "converge/owner" in one["metadata"].get("annotations", {})
            }
            try:
                members = story.place.target._cache.members(story.place.placement)
            except ConvergeError:
                members = ()
            if live == {(one.key.name, one.resource_version) for one in members}:
                return
            await asyncio.sleep(0.02)
