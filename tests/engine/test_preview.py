"""What a commit would change, of any repository, before it is merged."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from controller.cli import main
from controller.engine import Effect, Footprints, Question, Settings, Snapshot, find_candidate, preview, take_snapshot
from controller.git import Mirrors
from controller.model import CommitId, Invalid, Stalled
from controller.runtime import CredentialStore, SystemClock
from controller.sandbox import GitHost
from tests.cluster.api import Api, ApiError
from tests.fixtures.loop import Loop, config_map, dump

pytestmark = pytest.mark.slow


def platform(host: GitHost, environments: dict[str, dict[str, Any]], **files: bytes) -> dict[str, bytes]:
    names = sorted({one["repository"] for spec in environments.values() for one in spec["applications"].values()})
    head = {"apiVersion": "converge/v1", "metadata": {"name": "acme"}}
    repositories = {name: {"url": host.url(name)} for name in names}
    found = {
        "converge.yaml": dump(
            {**head, "kind": "Platform", "spec": {"installation": "3c9e0f0a-test", "repositories": repositories}}
        )
    }
    for name, spec in environments.items():
        found[f"environments/{name}.yaml"] = dump(
            {
                "apiVersion": "converge/v1",
                "kind": "Environment",
                "metadata": {"name": name},
                "spec": {"targets": {"home": {"kubernetes": {}}}, **spec},
            }
        )
    return {**found, **files}


def entry(path: str, **more: Any) -> dict[str, Any]:
    return {"repository": "apps", "path": path, "namespace": "x", "revision": "main", **more}


class Fleet:
    """Repositories on a host, looked at by a command that begins with nothing but its cache."""

    def __init__(self, host: GitHost, directory: Path) -> None:
        self.host = host
        self.cache = directory / "cache"
        self.store = CredentialStore(directory / "credentials")
        self.platform = "platform"
        self.renders = 0
        self.fixed: set[str] = set()

    async def effects(self, ref: str, *, into: str = "", clone: Path | None = None, of: str = "") -> dict[str, str]:
        """Look, and give the effects that are some; `renders` is how many were needed of the fleet as it is."""
        mirrors = Mirrors(self.cache / "mirrors", self.store)
        footprints = Footprints(self.cache / "footprints.json")
        try:
            before = await self._snapshot(mirrors, footprints)
            candidate = await find_candidate(before, Question(ref=ref, of=of, clone=clone), mirrors)
            found = await preview(before, candidate, mirrors, into=into, clock=SystemClock())
        finally:
            mirrors.close()
        footprints.save()
        self.renders = before.renderer.renders
        self.fixed = {str(one) for one in found.fixed}
        return {str(ref): str(one) for ref, one in found.effects.items() if one is not Effect.NONE}

    async def _snapshot(self, mirrors: Mirrors, footprints: Footprints) -> Snapshot:
        settings = Settings(platform_url=self.host.url(self.platform))
        return await take_snapshot(settings, mirrors, clock=SystemClock(), footprints=footprints)


@pytest.fixture
async def fleet(git_host: GitHost, tmp_path: Path) -> Fleet:
    """Give two applications in one repository, each in dev and prod; both take a shared base from beside them."""
    kustomization = b"resources: [../base, a.yaml]\n"
    await git_host.create(
        "apps",
        {
            "base/kustomization.yaml": b"resources: [base.yaml]\n",
            "base/base.yaml": config_map("base", x="1"),
            **{f"{name}/kustomization.yaml": kustomization for name in ("one", "two")},
            **{f"{name}/a.yaml": config_map(name, x="1") for name in ("one", "two")},
        },
    )
    both = {"applications": {name: entry(name) for name in ("one", "two")}}
    await git_host.create("platform", platform(git_host, {"dev": both, "prod": both}))
    return Fleet(git_host, tmp_path)


async def propose(
    host: GitHost, name: str, files: dict[str, bytes | None], branch: str = "proposal", start: str = "main"
) -> CommitId:
    """Push a branch beside the one that applications follow."""
    head = await host.head(name, start)
    assert head is not None
    await host.move_branch(name, branch, head)
    return await host.commit(name, files, branch=branch, message="Propose a change")


async def test_a_branch_changes_the_placements_that_read_what_it_touches(fleet: Fleet) -> None:
    await propose(fleet.host, "apps", {"one/a.yaml": config_map("one", x="2")})
    assert await fleet.effects("proposal") == {"dev/one@home": "changed", "prod/one@home": "changed"}


async def test_a_file_outside_of_the_applications_path_counts_where_it_was_read(fleet: Fleet) -> None:
    commit = await propose(fleet.host, "apps", {"base/base.yaml": config_map("base", x="2")})
    assert len(await fleet.effects(commit)) == 4


async def test_what_comes_out_the_same_is_no_change(fleet: Fleet) -> None:
    await propose(fleet.host, "apps", {"one/a.yaml": b"# why\n" + config_map("one", x="1"), "README.md": b"hello"})
    assert await fleet.effects("proposal") == {"dev/one@home": "alike", "prod/one@home": "alike"}


async def test_a_second_look_renders_nothing_that_the_commit_does_not_touch(fleet: Fleet) -> None:
    await propose(fleet.host, "apps", {"one/a.yaml": config_map("one", x="2")})
    await fleet.effects("proposal")
    assert fleet.renders == 4
    await propose(fleet.host, "apps", {"two/a.yaml": config_map("two", x="2")}, branch="other")
    assert set(await fleet.effects("other")) == {"dev/two@home", "prod/two@home"}
    assert fleet.renders == 2  # the two that it touches, to compare with


async def test_footprints_of_a_fleet_that_moved_on_are_not_believed(fleet: Fleet) -> None:
    await propose(fleet.host, "apps", {"README.md": b"hello"})
    assert await fleet.effects("proposal") == {}
    await fleet.host.commit("apps", {"one/a.yaml": config_map("one", x="9")})
    assert set(await fleet.effects("proposal")) == {"dev/one@home", "prod/one@home"}  # it would take the 9 back


async def test_a_spoiled_cache_costs_renders_and_no_answer(fleet: Fleet) -> None:
    await propose(fleet.host, "apps", {"one/a.yaml": config_map("one", x="2")})
    expected = await fleet.effects("proposal")
    for spoiled in (b"", b"{}", b'{"format": 1}', (fleet.cache / "footprints.json").read_bytes()[:200], b"\xff"):
        (fleet.cache / "footprints.json").write_bytes(spoiled)
        assert await fleet.effects("proposal") == expected


async def test_a_platform_commit_changes_adds_and_removes(fleet: Fleet) -> None:
    dev = {"applications": {"one": entry("one", state="absent"), "three": entry("one", namespace="other")}}
    files = platform(fleet.host, {"dev": dev})
    overlay = dump({"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component", "namePrefix": "p-"})
    await propose(
        fleet.host, "platform", {**files, "overlays/prod/two/kustomization.yaml": overlay}, branch="reorganise"
    )
    assert await fleet.effects("reorganise", of="platform") == {
        "dev/one@home": "removed",
        "dev/three@home": "added",
        "dev/two@home": "removed",
        "prod/two@home": "changed",
    }


async def test_a_policy_that_plans_do_not_tell_of_is_no_change(fleet: Fleet) -> None:
    one, two = entry("one"), entry("two")
    dev = {"applications": {"one": one, "two": {**two, "sync": {"prune": False}}}}
    prod = {"applications": {"one": one, "two": two}, "suspend": True, "sync": {"windows": []}}
    await propose(fleet.host, "platform", {**platform(fleet.host, {"dev": dev, "prod": prod})})
    assert await fleet.effects("proposal") == {"dev/two@home": "changed"}


async def test_a_permission_that_is_taken_away_is_a_change(fleet: Fleet) -> None:
    before = await fleet.host.show("platform", "converge.yaml")
    after = before.replace("    apps:\n", "    apps:\n      may: {kinds: [Secret]}\n")
    await propose(fleet.host, "platform", {"converge.yaml": after.encode()})
    assert set((await fleet.effects("proposal")).values()) == {"changed"}


async def test_a_platform_commit_that_does_not_validate_is_told_with_its_problems(fleet: Fleet) -> None:
    await propose(fleet.host, "platform", {"environments/dev.yaml": b"kind: Nonsense\n"})
    with pytest.raises(Invalid, match=r"environments/dev\.yaml"):
        await fleet.effects("proposal")


async def test_applications_at_a_tag_a_commit_or_another_branch_stay_where_they_are(fleet: Fleet) -> None:
    head = await fleet.host.head("apps")
    assert head is not None
    await fleet.host.tag("apps", "v1", head)
    await fleet.host.move_branch("apps", "stable", head)
    revisions = {"tag": "v1", "commit": head, "head": "", "stable": "stable", "main": "refs/heads/main"}
    applications = {name: entry("one", revision=one, namespace=name) for name, one in revisions.items()}
    await fleet.host.create("platform2", platform(fleet.host, {"dev": {"applications": applications}}))
    await propose(fleet.host, "apps", {"one/a.yaml": config_map("one", x="2")})
    fleet.platform = "platform2"
    assert set(await fleet.effects("proposal")) == {"dev/head@home", "dev/main@home", "dev/stable@home"}
    assert fleet.fixed == {"dev/tag@home", "dev/commit@home"}
    assert set(await fleet.effects("proposal", into="main")) == {"dev/head@home", "dev/main@home"}
    assert set(await fleet.effects("proposal", into="stable")) == {"dev/stable@home"}


async def test_an_application_that_failed_before_and_fails_alike_is_no_change(fleet: Fleet) -> None:
    await fleet.host.commit("apps", {"one/kustomization.yaml": b"resources: [nowhere.yaml]\n"})
    await propose(fleet.host, "apps", {"two/a.yaml": config_map("two", x="2")})
    assert set(await fleet.effects("proposal")) == {"dev/two@home", "prod/two@home"}
    await propose(fleet.host, "apps", {"one/kustomization.yaml": b"resources: [a.yaml]\n"}, branch="cure")
    assert set(await fleet.effects("cure")) == {"dev/one@home", "prod/one@home"}


async def test_a_clone_on_this_machine_may_have_what_was_not_pushed(fleet: Fleet, tmp_path: Path) -> None:
    async with GitHost(tmp_path / "other-host") as elsewhere:
        files = {name: (await fleet.host.show("apps", name)).encode() for name in await fleet.host.names("apps")}
        await elsewhere.create("apps", {**files, "one/a.yaml": config_map("one", x="2")})
        clone = elsewhere.path("apps")
        assert set(await fleet.effects("main", clone=clone)) == {"dev/one@home", "prod/one@home"}
        assert set(await fleet.effects("HEAD", clone=clone, of="apps")) == {"dev/one@home", "prod/one@home"}


@pytest.mark.parametrize(
    ("ref", "of", "words"),
    [
        ("nowhere", "", ("nowhere", "platform", "apps")),
        ("main", "", ("--of", "platform", "apps")),
        ("main", "shop", ("shop", "apps")),
        ("f" * 40, "", ("f" * 40,)),
        ("--upload-pack=x", "", ("--upload-pack=x",)),
    ],
)
async def test_a_commit_that_can_not_be_found_is_an_error_that_says_what_to_do(
    fleet: Fleet, ref: str, of: str, words: tuple[str, ...]
) -> None:
    with pytest.raises(Stalled) as error:
        await fleet.effects(ref, of=of)
    assert all(word in str(error.value) for word in words)


async def converge(loop: Loop, *arguments: str) -> Result:
    argv = [
        *arguments,
        "--platform", loop.host.url("platform"),
        "--cache", str(loop.directory / "cache"),
        "--credentials", str(loop.directory / "credentials"),
    ]  # fmt: skip
    return await asyncio.to_thread(CliRunner().invoke, main, argv)


async def test_a_proposal_is_planned_on_the_live_state_and_nothing_is_written(loop: Loop, live: Api) -> None:
    for name in ("shop", "billing"):
        await loop.host.create(name, {"deploy/a.yaml": config_map(name, x="1")})
    await loop.platform({"shop": {}, "billing": {}})
    async with loop.start() as controller:
        await controller.settled()
    await propose(loop.host, "shop", {"deploy/a.yaml": None, "deploy/b.yaml": config_map("other", x="2")})
    result = await converge(loop, "plan", "--ref", "proposal", "-o", "json")
    assert result.exit_code == 3, result.output
    told = json.loads(result.stdout)
    assert told["commit"]["repository"] == "shop"
    assert told["effects"] == {"dev/shop@home": "changed"}
    (plan,) = told["plans"]
    assert {(one["object"]["name"], one["action"]) for one in plan["objects"]} == {
        ("shop", "delete"),
        ("other", "create"),
    }
    with pytest.raises(ApiError, match="not found"):
        await live.get("v1", "ConfigMap", "other")
    text = await converge(loop, "plan", "--ref", "proposal")
    assert "1 changed, of 2 placements" in text.stdout
    whole = json.loads((await converge(loop, "plan", "--ref", "proposal", "--all", "-o", "json")).stdout)
    assert {one["placement"] for one in whole["plans"]} == {"dev/shop@home", "dev/billing@home"}


async def test_an_application_that_a_commit_removes_is_planned_as_deletions(loop: Loop, live: Api) -> None:
    for name in ("shop", "billing"):
        await loop.host.create(name, {"deploy/a.yaml": config_map(name, x="1")})
    await loop.platform({"shop": {}, "billing": {}})
    main_files = {name: (await loop.host.show("platform", name)).encode() for name in await loop.host.names("platform")}
    async with loop.start() as controller:
        await controller.settled()
    without = main_files["environments/dev.yaml"].split(b"    billing:")[0]
    await propose(loop.host, "platform", {"environments/dev.yaml": without})
    result = await converge(loop, "plan", "--ref", "proposal", "dev/billing", "-o", "json")
    assert result.exit_code == 3, result.output
    told = json.loads(result.stdout)
    assert told["effects"] == {"dev/billing@home": "removed"}
    (plan,) = told["plans"]
    assert {one["action"] for one in plan["objects"]} == {"delete"}
    assert "billing" in {one["object"]["name"] for one in plan["objects"]}
    assert (await live.get("v1", "ConfigMap", "billing"))["data"] == {"x": "1"}


@pytest.mark.parametrize("option", [("--of", "shop"), ("--into", "main"), ("--from", "."), ("--all",)])
def test_what_says_more_of_a_commit_needs_one(option: tuple[str, ...]) -> None:
    assert CliRunner().invoke(main, ["plan", *option]).exit_code == 2
