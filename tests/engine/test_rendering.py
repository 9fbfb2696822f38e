"""Only what changed is rendered: what a commit costs the placements that it does not touch."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.engine.fleet import Entry
from controller.engine.footprints import are_unmoved, cover_of
from controller.engine.rendering import Renderer
from controller.engine.sources import Checkout
from controller.git import Entry as File
from controller.git import Mirrors
from controller.model import (
    PLATFORM,
    Application,
    ApplicationName,
    EnvironmentName,
    KubernetesTarget,
    MemoryTree,
    PlacementRef,
    Repository,
    RepositoryName,
    Stalled,
    SyncPolicy,
    TargetName,
)
from controller.render import Read
from controller.sandbox import GitHost
from tests.engine.make import WHERE
from tests.fixtures.loop import config_map

COUNT = 1000
APPS = RepositoryName("apps")


def entry(name: str, path: str) -> Entry:
    application = Application(
        name=ApplicationName(name),
        repository=APPS,
        path=path,
        revision="main",
        targets=(TargetName("hz"),),
        namespace="x",
        sync=SyncPolicy(),
        origin=WHERE,
    )
    repository = Repository(name=APPS, url="https://git.example.com/apps.git", origin=WHERE)
    return Entry(application, repository, KubernetesTarget(name=TargetName("hz"), origin=WHERE), is_suspended=False)


class Fleet:
    """Applications of one repository, rendered from the heads of the repositories on a host."""

    def __init__(self, host: GitHost, mirrors: Mirrors, entries: Mapping[str, Entry]) -> None:
        self.host = host
        self.mirrors = mirrors
        self.entries = entries
        self.renderer = Renderer()

    async def head(self, name: RepositoryName) -> Checkout:
        mirror = self.mirrors.mirror(self.host.url(name))
        commit = await mirror.resolve("main")
        return Checkout(name, "main", commit, await mirror.tree(commit, repository=name), await mirror.describe(commit))

    async def renders(self) -> int:
        """Ask for everything, and give how many renders that took."""
        before = self.renderer.renders
        apps, platform = await self.head(APPS), await self.head(PLATFORM)
        for name, one in self.entries.items():
            await self.renderer.rendered(placement(name), one, apps, platform)
        return self.renderer.renders - before


def placement(name: str) -> PlacementRef:
    return PlacementRef(EnvironmentName("prod"), ApplicationName(name), TargetName("hz"))


@pytest.fixture
async def fleet(git_host: GitHost, mirrors: Mirrors) -> Fleet:
    """Give a thousand applications: half of them plain, half kustomizations on one base."""
    files = {f"apps/{number}/a.yaml": config_map(f"a{number}", x="1") for number in range(COUNT)}
    for number in range(COUNT // 2):
        files[f"apps/{number}/kustomization.yaml"] = b"resources: [a.yaml, ../../base]\n"
    files |= {"base/kustomization.yaml": b"resources: [b.yaml]\n", "base/b.yaml": config_map("b", x="1")}
    await git_host.create("apps", files)
    await git_host.create("platform", {"converge.yaml": b"{}"})
    return Fleet(git_host, mirrors, {f"a{number}": entry(f"a{number}", f"apps/{number}") for number in range(COUNT)})


@pytest.mark.slow
async def test_a_commit_that_touches_one_application_of_a_thousand_renders_one(fleet: Fleet) -> None:
    assert await fleet.renders() == COUNT
    assert await fleet.renders() == 0
    await fleet.host.commit("apps", {"apps/7/a.yaml": config_map("a7", x="2")})
    assert await fleet.renders() == 1
    await fleet.host.commit("apps", {"README.md": b"hello", "apps/none/a.yaml": b"{"})
    assert await fleet.renders() == 0
    await fleet.host.commit("apps", {"base/b.yaml": config_map("b", x="2")})
    assert await fleet.renders() == COUNT // 2


@pytest.mark.slow
async def test_an_overlay_that_comes_changes_and_goes_renders_its_application_each_time(fleet: Fleet) -> None:
    await fleet.renders()
    component = b"apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nnamePrefix: p-\n"
    path = "overlays/prod/a7/kustomization.yaml"
    for files in ({path: component}, {path: component + b"nameSuffix: -s\n"}, {path: None}):
        await fleet.host.commit("platform", {**files, "converge.yaml": b"{} # again"})
        assert await fleet.renders() == 1
    await fleet.host.commit("platform", {"overlays/prod/kustomization.yaml": component})
    assert await fleet.renders() == COUNT


async def test_what_a_link_leads_to_counts_though_its_folder_stays(git_host: GitHost, mirrors: Mirrors) -> None:
    link = File(b"../shared/b.yaml", "120000")
    files = {"apps/a.yaml": config_map("a", x="1"), "apps/b.yaml": link, "shared/b.yaml": config_map("b", x="1")}
    await git_host.create("apps", files)
    await git_host.create("platform", {"converge.yaml": b"{}"})
    fleet = Fleet(git_host, mirrors, {"a": entry("a", "apps")})
    await fleet.renders()
    await git_host.commit("apps", {"shared/b.yaml": config_map("b", x="2")})
    assert await fleet.renders() == 1
    await git_host.commit("apps", {"shared/other.yaml": config_map("c", x="2")})
    assert await fleet.renders() == 0


async def test_a_link_out_of_the_tree_is_told_by_the_render_and_not_by_the_look(
    git_host: GitHost, mirrors: Mirrors
) -> None:
    await git_host.create("apps", {"apps/a.yaml": config_map("a", x="1")})
    await git_host.create("platform", {"converge.yaml": b"{}"})
    fleet = Fleet(git_host, mirrors, {"a": entry("a", "apps")})
    await fleet.renders()
    await git_host.commit("apps", {"apps/a.yaml": File(b"../../../etc/passwd", "120000")})
    apps, platform = await fleet.head(APPS), await fleet.head(PLATFORM)
    assert not fleet.renderer.is_current(placement("a"), fleet.entries["a"], apps, platform)
    with pytest.raises(Stalled, match="leaves the repository"):
        await fleet.renders()


NAMES = st.sampled_from("abc")
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
FILES = st.dictionaries(PATHS, st.sampled_from([b"1", b"2"]), max_size=6)


@given(before=FILES, after=FILES, paths=st.lists(PATHS, max_size=5), homes=st.lists(PATHS, max_size=2))
def test_while_a_cover_holds_so_does_every_read(
    before: dict[str, bytes], after: dict[str, bytes], paths: list[str], homes: list[str]
) -> None:
    old, new = MemoryTree(before, APPS), MemoryTree(after, APPS)
    reads = [Read(APPS, path, old.digest(path)) for path in paths]
    cover = cover_of(reads, {APPS: old}, [Read(APPS, path, old.digest(path)) for path in homes])
    assert are_unmoved(cover, {APPS: old})
    if are_unmoved(cover, {APPS: new}):
        assert are_unmoved(reads, {APPS: new})
