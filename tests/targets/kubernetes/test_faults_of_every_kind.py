"""Faults while two applications share all that can happen: workloads, Secrets, custom resources, moves, adoptions.

`test_faults.py` asks the same of simple objects, and more often.
"""

from __future__ import annotations

import asyncio
import base64
import random
import secrets
import ssl
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from controller.model import Action, Adopt, ApplicationName, ConvergeError, Neighbours, PlacementRef
from tests.cluster.access import KubeAccess
from tests.cluster.api import Api, ApiError
from tests.fixtures.faults import Faults
from tests.fixtures.proxy import Proxy
from tests.targets.kubernetes.placing import (
    Body,
    Place,
    config_map,
    definition,
    deployment,
    manifest,
    placed,
    widget,
)
from tests.targets.kubernetes.test_adopting import client_side

pytestmark = pytest.mark.slow

STEPS = 6
ATTEMPTS = 600
VALUES = ("1", "2", "3")
HELD = "example.com/hold"
ONE, TWO = "shop", "stock"
KINDS = {"ConfigMap": "v1", "Secret": "v1", "Deployment": "apps/v1"}

Named = tuple[str, str]  # kind and name


@dataclass
class Story:
    """What git says of two applications, step by step."""

    places: Mapping[str, Place]
    api: Api
    chance: random.Random
    group: str
    wanted: dict[str, dict[Named, Body]] = field(default_factory=lambda: {ONE: {}, TWO: {}})
    announced: set[Named] = field(default_factory=set)
    last: dict[str, list[object]] = field(default_factory=dict)  # what a run of each had to do, or why it could not

    @property
    def namespace(self) -> str:
        return self.api.access.namespace

    async def move(self, step: int) -> None:
        """Change git: everything changes, some things come and go, one moves, one that was there before is adopted."""
        ns, value = self.namespace, self.chance.choice
        for application in (ONE, TWO):
            for name in ("a", "b", "c", "d"):
                body = config_map(f"{application}-{name}", ns, x=value(VALUES))
                self._say(application, body, there=name == "a" or self.chance.random() < 0.7)
        giver, taker = self.chance.sample((ONE, TWO), k=2)
        moving = config_map("moving", ns, x=value(VALUES))
        self._say(giver, moving, there=False)
        self._say(taker, moving)
        held = config_map("held", ns, x=value(VALUES))
        held["metadata"]["finalizers"] = [HELD]
        self._say(ONE, held, there=step % 2 == 0)
        web = deployment("web", ns, image=f"nginx:{value(VALUES)}", replicas=value((1, 2)))
        web["metadata"]["annotations"] = {"converge/wait": "false"}
        self._say(ONE, web)
        self._say(ONE, widget(self.group, ns, size=int(value(VALUES))))
        self._say(ONE, definition(self.group))
        data = base64.b64encode(value(VALUES).encode()).decode()
        self._say(TWO, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": ns},
                        "type": "Opaque", "data": {"p": data}})  # fmt: skip
        old = config_map(f"old-{step}", ns, x=value(VALUES), gone="1")
        await client_side(self.api, old)
        self._say(TWO, {**old, "data": {"x": value(VALUES)}})

    def _say(self, application: str, body: Body, *, there: bool = True) -> None:
        named = (body["kind"], body["metadata"]["name"])
        if there:
            self.wanted[application][named] = body
        else:
            self.wanted[application].pop(named, None)

    async def settle(self) -> None:
        """Sync both in turns until a plan of each finds nothing to do."""
        async with asyncio.timeout(120):
            resting: set[str] = set()
            for number in range(ATTEMPTS):
                application = (ONE, TWO)[number % 2]
                if await self._sync(application):
                    resting.add(application)
                else:
                    resting.clear()
                if resting == {ONE, TWO}:
                    return
                await self._let_go()
                await asyncio.sleep(0.01)
        raise AssertionError(f"it never came to rest: {self.last}")

    async def _sync(self, application: str) -> bool:
        """Do what one run does; True for one that had nothing to do."""
        place = self.places[application]
        (other,) = {ONE, TWO} - {application}
        theirs = frozenset(manifest(one).key for one in self.wanted[other].values())
        desired = place.desired(*self.wanted[application].values())
        try:
            plan = await place.target.plan(
                replace(desired, neighbours=Neighbours(theirs, frozenset())), place.application
            )
            if plan.is_empty:
                return True
            self.announced |= {
                (one.key.kind, one.key.name) for one in plan.objects if one.action in {Action.DELETE, Action.REPLACE}
            }
            done = await place.apply(plan)
            self.last[application] = [
                *(
                    f"{one.key}: {one.action} {one.objection} {one.changes}"
                    for one in plan.objects
                    if one.action is not Action.NOTHING
                ),
                done.failure,
            ]
        except ConvergeError as error:
            self.last[application] = [error]
        return False

    async def _let_go(self) -> None:
        """Let an operator end what it holds on to, once it is being deleted."""
        with while_there():
            held = await self.api.get("v1", "ConfigMap", "held")
            if held["metadata"].get("deletionTimestamp"):
                await self.api.patch(held, {"metadata": {"finalizers": None}}, fieldManager="holder")

    async def disturb(self) -> None:
        """Somebody edits by hand, and deletes."""
        edits: list[tuple[Body, object]] = [
            (self.wanted[ONE]["Deployment", "web"], {"spec": {"replicas": 3}}),
            (self.wanted[ONE]["Widget", "w"], {"spec": {"size": 9}}),
            (self.wanted[TWO]["Secret", "s"], {"data": {"p": base64.b64encode(b"by hand").decode()}}),
            (config_map("moving", self.namespace), {"data": {"x": "by hand", "theirs": "1"}}),
        ]
        for body, patch in self.chance.sample(edits, k=2):
            with while_there():
                await self.api.patch(body, patch, fieldManager="kubectl-edit")
        with while_there():
            await self.api.delete(self.chance.choice(edits[:3])[0])


@contextmanager
def while_there() -> Iterator[None]:
    """Let pass that an object is gone: what was deleted last may be missing still, where its event came late."""
    try:
        yield
    except ApiError as error:
        if error.code != 404:
            raise


def said(body: Mapping[str, Any]) -> object:
    """Give what the story says of an object, out of the live one as out of git's."""
    match body["kind"]:
        case "Deployment":
            container = body["spec"]["template"]["spec"]["containers"][0]
            return (body["spec"]["replicas"], container["image"])
        case "Widget":
            return body["spec"]
    return {name: value for name, value in body["data"].items() if name != "theirs"}


@asynccontextmanager
async def both(access: KubeAccess) -> AsyncIterator[Mapping[str, Place]]:
    """Place two applications of one installation on one target."""
    async with placed(access, application=ONE) as one:
        one.policy(adopt=Adopt.TAKE_OVER)
        ref = PlacementRef(one.placement.environment, ApplicationName(TWO), one.placement.target)
        entry = replace(one.application, name=ApplicationName(TWO))
        yield {ONE: one, TWO: replace(one, placement=ref, application=entry)}


async def live_of_ours(api: Api, group: str) -> Iterable[Body]:
    found: list[Body] = []
    for kind, version in {**KINDS, "Widget": f"{group}/v1"}.items():
        for one in (await api.list(version, kind))["items"]:
            owner = one["metadata"].get("annotations", {}).get("converge/owner", "")
            if owner.endswith(f"/{one['metadata']['name']}"):  # copies name another object
                found.append(one)
    return found


async def check(story: Story, proxy: Proxy, ours: Mapping[str, str]) -> None:
    api, wanted = story.api, {**story.wanted[ONE], **story.wanted[TWO]}
    found = await live_of_ours(api, story.group)
    live = {(one["kind"], one["metadata"]["name"]): said(one) for one in found}
    assert live == {named: said(body) for named, body in wanted.items() if named[0] != "CustomResourceDefinition"}
    owners = {one["metadata"]["name"]: one["metadata"]["annotations"]["converge/owner"] for one in found}
    for application, bodies in story.wanted.items():
        assert all(f"/{application}@" in owners[name] for kind, name in bodies if kind != "CustomResourceDefinition")
    assert await uids(api) == ours
    parents = (await api.list("v1", "ConfigMap", namespace="converge-system"))["items"]
    assert sum(f"i-{story.namespace} " in str(one["metadata"].get("annotations")) for one in parents) == 2
    deleted = {one.path.rsplit("/", 1)[-1].partition("?")[0] for one in proxy.seen if one.method == "DELETE"}
    assert deleted <= {name for _, name in story.announced}
    assert "moving" not in deleted


async def uids(api: Api) -> Mapping[str, str]:
    """Tell what somebody else has in the namespace: which objects, and what they say."""
    found = {}
    for kind, version in KINDS.items():
        live = await api.get(version, kind, "not-ours")
        found[kind] = f"{live['metadata']['uid']} {live['metadata'].get('labels')} {said(live)}"
    return found


@pytest.mark.parametrize("number", range(2))
async def test_in_the_end_live_equals_desired_whatever_is_placed(access: KubeAccess, seed: int, number: int) -> None:
    group = f"g{secrets.token_hex(4)}.example.com"
    faults = Faults(seed + number, share=0.1)
    context = ssl.create_default_context(cafile=str(access.ca)) if access.ca else None
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(Proxy(access.server, context=context))
        api = await stack.enter_async_context(Api.connect(access))
        await api.create(config_map("not-ours", access.namespace, x="theirs"))
        await api.create({**config_map("not-ours", access.namespace, x="dGhlaXJz"), "kind": "Secret"})
        await api.create(deployment("not-ours", access.namespace))
        ours = await uids(api)
        places = await stack.enter_async_context(both(replace(access, server=proxy.url, ca=None)))
        story = Story(places, api, random.Random(seed + number), group)
        faults.on(proxy)
        for step in range(STEPS):
            await story.move(step)
            await story.settle()
            await story.disturb()
        faults.share = 0.0
        await story.settle()
        await caught_up(story)
        await story.settle()
        try:
            await check(story, proxy, ours)
        finally:
            await api.delete(definition(group))
    assert faults.met, f"no fault was met, with seed {seed + number}"


async def caught_up(story: Story) -> None:
    """Wait until our view is the server's."""
    async with asyncio.timeout(60):
        while True:
            live = {
                (one["kind"], one["metadata"]["name"], one["metadata"]["resourceVersion"])
                for one in await live_of_ours(story.api, story.group)
            }
            seen = {
                (one.key.kind, one.key.name, one.resource_version)
                for place in story.places.values()
                for one in known(place)
                if one.key.kind != "CustomResourceDefinition"
            }
            if live == seen:
                return
            await asyncio.sleep(0.02)


def known(place: Place) -> Iterable[Any]:
    try:
        return place.target._cache.members(place.placement)
    except ConvergeError:
        return ()
