"""A placement on a terraform target: create, change, drift, correction, destroy, on a real terraform and provider."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from controller.model import (
    ABSENT,
    Action,
    Cause,
    FieldChange,
    Hidden,
    IgnoredDrift,
    Invalid,
    ObjectPlan,
    Plan,
    Result,
    Stalled,
    State,
)
from controller.runtime import can_confine
from tests.fixtures.terraform import FakeCloud
from tests.fixtures.tofu import both_tools
from tests.fixtures.waiting import eventually
from tests.targets.terraform.placing import clouds_of, nothing, open_place, render

pytestmark = [pytest.mark.terraform, pytest.mark.slow, pytest.mark.timeout(400)]

WEB = """
resource "fake_thing" "web" {
  name = "web"
  body = "BODY"
}
output "url" {
  value = fake_thing.web.url
}
"""


def module(fake: FakeCloud, text: str = WEB, body: str = "one") -> dict[str, bytes]:
    return {"infra/main.tf": fake.module(text.replace("BODY", body))}


def acts(plan: Plan) -> dict[str, str]:
    return {one.key.name: str(one.action) for one in plan.objects if one.action is not Action.NOTHING}


def of(plan: Plan, name: str = "fake_thing.web") -> ObjectPlan:
    return next(one for one in plan.objects if one.key.name == name)


async def test_a_new_resource_is_created_and_its_state_says_from_which_commit(
    fake_cloud: FakeCloud, tmp_path: Path
) -> None:
    desired = render(module(fake_cloud))
    async with open_place(fake_cloud, tmp_path) as place:
        empty = await place.observe(desired)
        assert (empty.applied, empty.objects) == (None, ())
        plan = await place.plan(desired)
        assert acts(plan) == {"fake_thing.web": "create", "shop": "change"}
        applied = await place.apply(plan)
        assert applied.failure is None
        assert Result.CREATED in {one.result for one in applied.outcomes}
        seen = await place.observe(desired)
        assert (seen.applied, seen.applied_digest) == (desired.revision, desired.digest)
        assert seen.outputs == {"url": "https://web.example.com"}
        web = next(one for one in seen.objects if one.key.name == "fake_thing.web")
        assert (web.uid, web.attributes["name"]) == ("id-web", "web")
        assert (await place.plan(desired)).is_empty
    thing = fake_cloud.get("web")
    assert thing is not None
    assert thing["body"] == "one"


async def test_another_process_learns_from_the_state_alone_what_was_applied(
    fake_cloud: FakeCloud, tmp_path: Path
) -> None:
    desired = render(module(fake_cloud))
    async with open_place(fake_cloud, tmp_path) as place:
        await place.converge(desired)
    async with open_place(fake_cloud, tmp_path / "elsewhere") as place:
        seen = await place.observe()
        assert (seen.applied, seen.applied_digest) == (desired.revision, desired.digest)
        assert (await place.plan(desired)).is_empty


async def test_what_another_plan_of_the_same_placement_would_do_is_never_applied(
    fake_cloud: FakeCloud, tmp_path: Path
) -> None:
    clouds = clouds_of(fake_cloud, tmp_path)
    desired = render(module(fake_cloud))
    async with open_place(fake_cloud, tmp_path, clouds=clouds) as place:
        await place.observe(desired)
        shown = await place.plan(desired)
        async with open_place(fake_cloud, tmp_path, clouds=clouds) as review:
            await review.observe(desired)
            assert not (await review.plan(render(module(fake_cloud, body="two"), commit="c"))).is_empty
        applied = await place.apply(shown)
        assert applied.failure is None
        assert (await place.observe(desired)).applied == desired.revision
    thing = fake_cloud.get("web")
    assert thing is not None
    assert thing["body"] == "one"


async def test_a_changed_argument_is_pending_with_its_field(fake_cloud: FakeCloud, tmp_path: Path) -> None:
    async with open_place(fake_cloud, tmp_path) as place:
        await place.converge(render(module(fake_cloud)))
        plan = await place.plan(render(module(fake_cloud, body="two")))
        assert of(plan).changes == (FieldChange(("body",), "one", "two", Cause.PENDING),)
        assert (plan.pending, plan.drifted) == (1, 0)


async def test_a_comment_changes_nothing_but_what_the_state_says_was_applied(
    fake_cloud: FakeCloud, tmp_path: Path
) -> None:
    async with open_place(fake_cloud, tmp_path) as place:
        await place.converge(render(module(fake_cloud)))
        commented = render({"infra/main.tf": fake_cloud.module("# x\n" + WEB.replace("BODY", "one"))}, commit="c")
        plan = await place.plan(commented)
        assert plan.is_empty
        await place.apply(plan)
        assert (await place.observe(commented)).applied == commented.revision


async def test_an_edit_of_somebody_else_is_drift_and_is_taken_back(fake_cloud: FakeCloud, tmp_path: Path) -> None:
    desired = render(module(fake_cloud))
    async with open_place(fake_cloud, tmp_path) as place:
        await place.converge(desired)
    fake_cloud.edit("web", body="by hand")
    async with open_place(fake_cloud, tmp_path) as place:
        assert any(one.is_suspect for one in (await place.observe(desired)).objects)
        plan = await place.plan(desired)
        assert of(plan).changes == (FieldChange(("body",), "by hand", "one", Cause.DRIFT),)
        assert (plan.pending, plan.drifted) == (0, 1)
        await place.apply(plan)
    thing = fake_cloud.get("web")
    assert thing is not None
    assert thing["body"] == "one"


async def test_what_somebody_deleted_is_drift_and_is_made_again(fake_cloud: FakeCloud, tmp_path: Path) -> None:
    desired = render(module(fake_cloud))
    async with open_place(fake_cloud, tmp_path) as place:
        await place.converge(desired)
    fake_cloud.delete("web")
    async with open_place(fake_cloud, tmp_path) as place:
        await place.observe(desired)
        plan = await place.plan(desired)
        assert (of(plan).action, of(plan).cause) == (Action.CREATE, Cause.DRIFT)
        await place.apply(plan)
    assert fake_cloud.get("web") is not None


@both_tools
async def test_a_correction_leaves_what_is_pending_alone(fake_cloud: FakeCloud, tmp_path: Path) -> None:
    text = WEB + 'resource "fake_thing" "db" {\n  name = "db"\n  body = "DB"\n}\n'
    before = render(module(fake_cloud, text.replace("DB", "1")))
    after = render(module(fake_cloud, text.replace("DB", "2")))
    async with open_place(fake_cloud, tmp_path) as place:
        await place.converge(before)
        fake_cloud.edit("web", body="by hand")
        plan = await place.plan(after)
        assert (plan.pending, plan.drifted) == (1, 1)
        assert plan.correction is not None
        assert acts(plan.correction) == {"fake_thing.web": "change"}
        await place.apply(plan.correction)
        things = (fake_cloud.get("web"), fake_cloud.get("db"))
        assert [one["body"] for one in things if one] == ["one", "1"]
        left = await place.plan(after)
        assert (left.pending, left.drifted, left.correction) == (1, 0, None)
        assert (await place.observe(after)).applied_digest == before.digest


async def test_a_field_that_both_sides_moved_is_both(fake_cloud: FakeCloud, tmp_path: Path) -> None:
    async with open_place(fake_cloud, tmp_path) as place:
        await place.converge(render(module(fake_cloud)))
        fake_cloud.edit("web", body="by hand")
        plan = await place.plan(render(module(fake_cloud, body="two")))
        assert set(of(plan).changes) == {
            FieldChange(("body",), "by hand", "one", Cause.DRIFT),
            FieldChange(("body",), "by hand", "two", Cause.PENDING),
        }


async def test_tags_that_nobody_set_are_no_drift(fake_cloud: FakeCloud, tmp_path: Path) -> None:
    desired = render(module(fake_cloud))
    async with open_place(fake_cloud, tmp_path) as place:
        await place.converge(desired)
    fake_cloud.edit("web", tags={})
    async with open_place(fake_cloud, tmp_path) as place:
        await place.observe(desired)
        assert (await place.plan(desired)).drifted == 0


async def test_an_ignored_field_is_no_drift_until_its_last_day(fake_cloud: FakeCloud, tmp_path: Path) -> None:
    from datetime import date

    desired = render(module(fake_cloud))
    for until, drifted in ((date(2999, 1, 1), 0), (date(2000, 1, 1), 1), (None, 0)):
        rule = IgnoredDrift("fake_thing.*", ("body",), until)
        async with open_place(fake_cloud, tmp_path, ignore=(rule,)) as place:
            await place.converge(desired)
        fake_cloud.edit("web", body="by hand")
        async with open_place(fake_cloud, tmp_path, ignore=(rule,)) as place:
            await place.observe(desired)
            assert (await place.plan(desired)).drifted == drifted


async def test_a_plan_has_the_same_hash_in_another_process_and_at_another_commit(
    fake_cloud: FakeCloud, tmp_path: Path
) -> None:
    async with open_place(fake_cloud, tmp_path) as place:
        await place.converge(render(module(fake_cloud)))
        first = await place.plan(render(module(fake_cloud, body="two")))
        other = await place.plan(render(module(fake_cloud, body="three")))
    async with open_place(fake_cloud, tmp_path) as place:
        again = await place.plan(render(module(fake_cloud, body="two"), commit="c"))
    assert first.hash == again.hash
    assert first.hash != other.hash


async def test_a_replacement_says_what_it_destroys(fake_cloud: FakeCloud, tmp_path: Path) -> None:
    async with open_place(fake_cloud, tmp_path) as place:
        await place.converge(render(module(fake_cloud)))
        renamed = render({"infra/main.tf": fake_cloud.module(WEB.replace('"web"\n', '"net"\n', 1))})
        one = of(await place.plan(renamed))
        assert one.action is Action.REPLACE
        assert "fake_thing.web is replaced" in one.destroys


@both_tools
async def test_an_apply_that_failed_is_not_what_was_applied(fake_cloud: FakeCloud, tmp_path: Path) -> None:
    """Terraform writes outputs that a plan knows before it begins, and they stay where it fails then."""
    before, after = render(module(fake_cloud)), render(module(fake_cloud, body="two"), commit="c")
    async with open_place(fake_cloud, tmp_path) as place:
        await place.converge(before)
        fail = fake_cloud.mark("web", "fail")
        assert (await place.converge(after)).failure is not None
        seen = await place.observe(after)
        assert (seen.applied, seen.applied_digest) == (before.revision, before.digest)
        plan = await place.plan(after)
        assert (plan.pending, plan.drifted) == (1, 0)
        fail.unlink()
        assert (await place.apply(plan)).failure is None
        assert (await place.observe(after)).applied == after.revision


@both_tools
async def test_everything_is_destroyed_from_what_the_state_says_was_applied(
    fake_cloud: FakeCloud, tmp_path: Path
) -> None:
    desired = render(module(fake_cloud))
    async with open_place(fake_cloud, tmp_path) as place:
        await place.converge(desired)
    async with open_place(fake_cloud, tmp_path) as place:
        plan = await place.plan(nothing(desired), State.REMOVED)
        assert acts(plan) == {"shop": "delete", "fake_thing.web": "delete"}
        assert all(one.destroys for one in plan.objects)
        applied = await place.apply(plan, State.REMOVED)
        assert applied.failure is None
        assert (await place.observe()).objects == ()
    assert fake_cloud.get("web") is None


async def test_a_plan_of_which_nothing_is_permitted_does_nothing(fake_cloud: FakeCloud, tmp_path: Path) -> None:
    from dataclasses import replace

    desired = render(module(fake_cloud))
    async with open_place(fake_cloud, tmp_path) as place:
        await place.converge(desired)
        plan = await place.plan(nothing(desired), State.REMOVED)
        refused = replace(plan, objects=tuple(replace(one, action=Action.NOTHING) for one in plan.objects))
        applied = await place.apply(refused, State.REMOVED)
        assert applied.outcomes == ()
    assert fake_cloud.get("web") is not None


async def test_sensitive_values_are_hashes_with_a_key_of_the_environment(fake_cloud: FakeCloud, tmp_path: Path) -> None:
    text = WEB.replace('body = "BODY"', 'body = "b"\n  token = "TOKEN"')
    async with open_place(fake_cloud, tmp_path) as place:
        await place.converge(render(module(fake_cloud, text)))
        plan = await place.plan(render(module(fake_cloud, text.replace("TOKEN", "OTHER"))))
        (change,) = of(plan).changes
        assert isinstance(change.before, Hidden)
        assert isinstance(change.after, Hidden)
        assert change.before != change.after
        assert "TOKEN" not in repr(plan)
        assert change.before is not ABSENT


async def test_the_state_of_another_placement_is_not_touched(fake_cloud: FakeCloud, tmp_path: Path) -> None:
    from controller.model import Backend

    shared = Backend("local", {"path": str(fake_cloud.states / "one.tfstate")})
    desired = render(module(fake_cloud))
    async with open_place(fake_cloud, tmp_path, backend=shared) as place:
        await place.converge(desired)
    state = fake_cloud.states / "one.tfstate"
    state.write_text(state.read_text().replace("prod/shop@cloud", "prod/other@cloud"))
    async with open_place(fake_cloud, tmp_path, backend=shared) as place:
        with pytest.raises(Stalled, match="belongs to prod/other@cloud"):
            await place.observe(desired)


DATA = """
resource "terraform_data" "web" {
  input = { size = 10 }
}
"""


async def test_an_edit_of_the_state_itself_is_drift(fake_cloud: FakeCloud, tmp_path: Path) -> None:
    desired = render({"infra/main.tf": DATA.encode()})
    async with open_place(fake_cloud, tmp_path) as place:
        await place.converge(desired)
    file = fake_cloud.states / "prod-shop.tfstate"
    state = json.loads(file.read_text())
    for name in ("input", "output"):
        state["resources"][0]["instances"][0]["attributes"][name]["value"]["size"] = 80
    file.write_text(json.dumps({**state, "serial": state["serial"] + 1}))
    async with open_place(fake_cloud, tmp_path) as place:
        await place.observe(desired)
        plan = await place.plan(desired)
        assert FieldChange(("input", "size"), 80, 10, Cause.DRIFT) in of(plan, "terraform_data.web").changes
        assert (plan.pending, plan.drifted) == (0, 1)


async def test_a_plan_that_can_not_repeat_names_the_field(fake_cloud: FakeCloud, tmp_path: Path) -> None:
    desired = render({"infra/main.tf": b'resource "terraform_data" "web" {\n  input = plantimestamp()\n}\n'})
    async with open_place(fake_cloud, tmp_path, interval_seconds=1) as place:
        await place.observe(desired)
        await place.plan(desired)
        await eventually(lambda: place.changed, deadline_seconds=60)
        with pytest.raises(Stalled, match=r"terraform_data\.web input differs each time"):
            await place.plan(desired)


@pytest.mark.skipif(not can_confine(), reason="this kernel has no Landlock")
async def test_a_module_can_not_read_the_credential_store(fake_cloud: FakeCloud, tmp_path: Path) -> None:
    """Whoever may commit a module runs code in a plan: `file()` needs no provider at all."""
    key = tmp_path / "credentials" / "others" / "token"
    key.parent.mkdir(parents=True)
    key.write_text("canary-4d1f")
    reads = 'output "stolen" {{\n  value = file("{}")\n}}\n'
    async with open_place(fake_cloud, tmp_path) as place:
        stealing = render(module(fake_cloud, text=WEB + reads.format(key)))
        await place.observe(stealing)
        with pytest.raises(Invalid) as refused:
            await place.plan(stealing)
        assert "infra/main.tf" in str(refused.value)
        assert "canary-4d1f" not in str(refused.value)
        lawful = tmp_path / "lawful"
        lawful.write_text("text")
        plan = await place.plan(render(module(fake_cloud, text=WEB + reads.format(lawful))))
        assert acts(plan)["fake_thing.web"] == "create"
