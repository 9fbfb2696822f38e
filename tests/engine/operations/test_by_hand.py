"""`converge apply`: a person applies past the controller, and everybody can tell."""

from __future__ import annotations

import json
import shutil

import pytest
import yaml

from controller.engine import PlacementReconciled, PlatformAccepted
from controller.model import CommitId, SyncStatus
from tests.cluster.api import Api
from tests.engine.operations.conftest import Person
from tests.fixtures.loop import Loop, config_map

pytestmark = pytest.mark.slow

CLOSED = {"windows": [{"cron": "0 0 1 1 *", "for": "1m", "zone": "UTC", "allow": True}]}
RECORDS = "converge-status"


async def recorded(loop: Loop) -> dict[str, object]:
    status = yaml.safe_load(await loop.host.show("platform", "status/dev/shop.yaml", branch=RECORDS))
    (placement,) = status["placements"]
    assert isinstance(placement, dict)
    return placement


async def data(live: Api) -> object:
    return (await live.get("v1", "ConfigMap", "a"))["data"]


async def change(loop: Loop, value: str) -> CommitId:
    return await loop.host.commit("shop", {"deploy/a.yaml": config_map("a", x=value)})


async def test_a_person_applies_past_a_closed_window_and_the_controller_finds_it_applied(
    loop: Loop, live: Api, person: Person
) -> None:
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="one")})
    await loop.platform({"shop": {}})
    async with loop.start() as controller:
        await loop.synced("shop")
        closed = await loop.platform({"shop": {}}, sync=CLOSED)
        await loop.until(PlatformAccepted, lambda event: event.commit == closed)
        commit = await change(loop, "two")
        await loop.report("shop", SyncStatus.PENDING)
        refused = await person.types("apply", "dev/shop", "--why", "Checkout fails.", "--yes")
        assert refused.returncode == 3
        assert await data(live) == {"x": "one"}
        mark = loop.mark()
        done = await person.does("apply", "dev/shop", "--why", "Checkout fails.", "--despite", "window", "--yes")
        assert 'data.x: "one" → "two"' in done
        assert await data(live) == {"x": "two"}
        await loop.synced("shop", commit=commit, since=mark)
        reports = [one.report for one in loop.events[mark:] if isinstance(one, PlacementReconciled)]
        assert not any(one.drifted for one in reports)
        await controller.settled()
    placement = await recorded(loop)
    assert placement["byHand"] == {
        "application": commit,
        "platform": await loop.host.head("platform"),
        "at": placement["byHand"]["at"],  # type: ignore[index]
        "by": "Wang Li <li@example.com>",
        "why": "Checkout fails.",
        "despite": ["window"],
    }
    messages = await loop.host.log("platform", RECORDS, form="%an <%ae>%n%B")
    (by_hand,) = [one for one in messages if "Applied-By: " in one]
    assert by_hand.startswith("Wang Li <li@example.com>\n")
    assert "Applied-By: Wang Li <li@example.com>\nApplied-Why: Checkout fails.\nApplied-Despite: window" in by_hand
    newest, before = await person.reads("history", "dev/shop")
    assert [one["why"] for one in newest["by_hand"]] == ["Checkout fails."]
    assert before["by_hand"] == []
    assert "applied by hand on home by Wang Li" in await person.does("history", "dev/shop")
    assert [one["verdict"] for one in await person.reads("verify", "dev/shop")] == ["proven", "proven"]


async def test_what_nobody_approved_is_applied_by_hand_alone_and_never_proven(
    loop: Loop, live: Api, person: Person
) -> None:
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="one")})
    await loop.platform({"shop": {}})
    async with loop.start() as controller:
        await loop.synced("shop")
        await controller.settled()
    await loop.platform({"shop": {}}, sync={"pending": "approve"})
    commit = await change(loop, "two")
    refused = await person.types("apply", "dev/shop", "--why", "No time.", "--yes")
    assert refused.returncode == 3
    assert b"waits for the approval" in refused.stdout
    assert await data(live) == {"x": "one"}
    planned = await person.types("plan", "dev/shop", "--output", "json")
    plan = json.loads(planned.stdout)["plans"][0]["hash"]
    wrong = await person.is_refused("apply", "dev/shop", "--why", "No time.", "--plan", "0000000")
    assert "no plan of dev/shop begins with 0000000" in wrong
    await person.does("apply", "dev/shop", "--why", "No time.", "--despite", "approval", "--plan", plan)
    assert await data(live) == {"x": "two"}
    mark = loop.mark()
    async with loop.start() as controller:
        await loop.synced("shop", commit=commit, since=mark)
        await controller.settled()
    assert (await recorded(loop))["byHand"]["despite"] == ["approval"]  # type: ignore[index]
    done = await person.types("verify", "dev/shop", "--output", "json")
    newest, before = json.loads(done.stdout)
    assert (newest["verdict"], before["verdict"]) == ("refuted", "proven")
    assert plan in newest["reasons"][0]
    assert "Wang Li <li@example.com> applied it by hand" in newest["reasons"][0]


async def test_by_hand_is_refused_where_it_is_no_way(loop: Loop, live: Api, person: Person) -> None:
    await loop.host.create("shop", {"deploy/a.yaml": config_map("a", x="one")})
    await loop.platform({"shop": {}}, sync={"pending": "report"}, spec={"suspend": True})
    shutil.rmtree(loop.directory / "credentials" / "plan-keys")  # nobody's approval counts here
    apply = ("apply", "dev/shop", "--yes", "--why")
    assert "there is no such key" in await person.is_refused(*apply, "Look.", "--plan", "ab")
    assert "says why" in await person.is_refused(*apply, " ")
    assert "nobody is there" in await person.is_refused("apply", "dev/shop", "--why", "Look.")
    suspended = await person.types(*apply, "Look.", "--despite", "report")
    assert (suspended.returncode, b"suspended" in suspended.stdout) == (3, True)
    reported = await person.types(*apply, "Look.", "--despite", "suspension")
    assert reported.returncode == 3
    assert "a" not in {one["metadata"]["name"] for one in (await live.list("v1", "ConfigMap"))["items"]}
    done = await person.types(*apply, "Look.", "--despite", "suspension", "--despite", "report")
    assert done.returncode == 0, done.stderr.decode()
    assert await data(live) == {"x": "one"}
    assert (await recorded(loop))["byHand"]["despite"] == ["report", "suspension"]  # type: ignore[index]
    await loop.platform({"shop": {"state": "absent"}})
    assert "taking away is the controller's" in await person.is_refused(*apply, "Look.")
