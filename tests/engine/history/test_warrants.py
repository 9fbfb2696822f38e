"""Proof that who approved, and how many, is what the platform demanded then: signed yeses, weighed again from git."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.engine import PlacementReconciled, PlatformAccepted
from controller.git import Committer, Identity, Mirrors
from controller.model import CommitId, SyncStatus, WaitKind
from controller.runtime import CredentialStore, SystemClock
from tests.engine.operations.conftest import Person, person  # noqa: F401  # a fixture
from tests.engine.test_loop_approvals import (  # noqa: F401  # a fixture too
    LI,
    WANG,
    ZHAO,
    awaiting,
    begin,
    keys,
    plan_in,
    say,
)
from tests.fixtures.loop import Loop, config_map, dump
from tests.git.test_changes import Write

pytestmark = pytest.mark.slow

STATUS = "status/dev/shop.yaml"


async def approved_by_two(loop: Loop, keys: dict[str, Path]) -> CommitId:  # noqa: F811
    """Let a version run that two people approved; give the platform commit with the first one's yes alone."""
    await begin(loop, keys, LI, WANG, required=2)
    async with loop.start() as controller:
        plan = plan_in(await loop.report("shop", SyncStatus.AWAITING_APPROVAL))
        one_yes = await say(loop, LI, [plan], keys[LI.email])
        await say(loop, WANG, [plan, plan], keys[WANG.email])
        await loop.synced("shop")
        await controller.settled()
    return one_yes


async def proof(who: Person) -> tuple[str, str]:
    done = await who.types("verify", "dev/shop", "--output", "json")
    (one,) = json.loads(done.stdout)
    return one["verdict"], "; ".join(one["reasons"])


async def removal_proof(who: Person) -> tuple[str, str]:
    done = await who.types("verify", "dev/shop", "--output", "json")
    (one,) = [one for one in json.loads(done.stdout) if "removed" in one]
    return one["verdict"], "; ".join(one["reasons"])


async def tell_otherwise(loop: Loop, warrant: dict[str, Any] | None, *, field: str = "warrant") -> None:
    """Write another warrant into the record of what runs or went, as nobody but the controller should."""
    status = yaml.safe_load(await loop.host.show("platform", STATUS, branch="converge-status"))
    placement = status["placements"][0]
    told = placement["applied"] if field == "warrant" else placement
    told.pop(field, None)
    told |= {} if warrant is None else {field: warrant}
    data = yaml.safe_dump(status).encode()
    mirror = Mirrors(loop.directory / "mallory", CredentialStore(loop.directory)).mirror(loop.host.url("platform"))
    who = Identity("Mallory", "mallory@example.com")
    async with Committer(mirror, "converge-status", identity=who, clock=SystemClock()) as committer:
        await committer.submit(Write({STATUS: data}))


async def test_a_version_is_proven_by_as_many_signed_yeses_as_were_demanded_and_refuted_by_fewer(
    loop: Loop,
    person: Person,  # noqa: F811
    keys: dict[str, Path],  # noqa: F811
) -> None:
    one_yes = await approved_by_two(loop, keys)
    status = yaml.safe_load(await loop.host.show("platform", STATUS, branch="converge-status"))
    warrant = status["placements"][0]["applied"]["warrant"]
    assert warrant["platform"] == await loop.host.head("platform")
    assert await proof(person) == ("proven", "")

    await tell_otherwise(loop, None)  # what it waited for is known from the records before
    assert await proof(person) == ("proven", "")

    await tell_otherwise(loop, {**warrant, "platform": one_yes})
    verdict, why = await proof(person)
    assert verdict == "refuted"
    assert f"it needs 1 more (1 of 2 said yes: {LI.email}) of {WANG.email}" in why

    await tell_otherwise(loop, {**warrant, "platform": "1" * 40})
    verdict, why = await proof(person)
    assert verdict == "refuted"
    assert "is not in the platform's history" in why


async def test_taking_an_application_away_is_proven_by_the_yeses_that_were_demanded_and_refuted_by_fewer(
    loop: Loop,
    person: Person,  # noqa: F811
    keys: dict[str, Path],  # noqa: F811
) -> None:
    await begin(loop, keys, LI, WANG, ZHAO, required=2, byAuthor=False)
    async with loop.start() as controller:
        plan = plan_in(await loop.report("shop", SyncStatus.AWAITING_APPROVAL))
        await say(loop, LI, [plan], keys[LI.email])
        await say(loop, WANG, [plan, plan], keys[WANG.email])
        await loop.synced("shop")
        await controller.settled()
        environment = yaml.safe_load(await loop.host.show("platform", "environments/dev.yaml"))
        del environment["spec"]["applications"]["shop"]
        mark = loop.mark()
        await loop.host.commit("platform", {"environments/dev.yaml": dump(environment)}, author=LI)
        plan = plan_in(await loop.report("shop", SyncStatus.AWAITING_APPROVAL, since=mark))
        await say(loop, LI, [plan], keys[LI.email])  # whose change it is
        one_yes = await say(loop, WANG, [plan, plan], keys[WANG.email])
        waiting = await awaiting(loop, "an author of the change", since=mark)
        assert waiting.waits[0].kind is WaitKind.APPROVAL
        await say(loop, ZHAO, [plan, plan, plan], keys[ZHAO.email])
        await loop.until(PlacementReconciled, lambda event: event.report.retired, since=mark)
        await controller.settled()
    assert await removal_proof(person) == ("proven", "")

    status = yaml.safe_load(await loop.host.show("platform", STATUS, branch="converge-status"))
    removal = status["placements"][0]["removal"]
    assert removal["plan"] == plan
    await tell_otherwise(loop, None, field="removal")  # what it waited for is known from the records before
    assert await removal_proof(person) == ("proven", "")

    await tell_otherwise(loop, {**removal, "platform": one_yes}, field="removal")
    verdict, why = await removal_proof(person)
    assert verdict == "refuted"
    assert f"it needs 1 more (1 of 2 said yes: {WANG.email}) of {ZHAO.email}" in why

    installed = (await loop.host.log("platform"))[-3]
    await tell_otherwise(loop, {**removal, "platform": installed}, field="removal")
    verdict, why = await removal_proof(person)
    assert verdict == "refuted"
    assert "still says it" in why


async def test_a_version_from_before_approvals_were_asked_for_needs_none(loop: Loop, person: Person) -> None:  # noqa: F811
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="1")})
    await loop.platform({"shop": {}})
    async with loop.start() as controller:
        await loop.synced("shop")
        await controller.settled()
        mark = loop.mark()
        asked = await loop.platform({"shop": {}}, sync={"pending": "approve"})
        await loop.until(PlatformAccepted, lambda event: event.commit == asked, since=mark)
        await controller.settled()
    assert await proof(person) == ("proven", "")
