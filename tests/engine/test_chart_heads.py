"""What a range of a chart's versions leads to: asked again and again, and in force while its host is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from controller.engine.fetching import Heads
from controller.engine.fleet import Entry
from controller.engine.preparing import Workshop
from controller.engine.rendering import Renderer
from controller.engine.sources import Checkout
from controller.git import CommitInfo, Mirrors
from controller.model import (
    PLATFORM,
    Application,
    ApplicationName,
    CommitId,
    KubernetesTarget,
    MemoryTree,
    PlacementRef,
    Position,
    Repository,
    RepositoryName,
    SyncPolicy,
    TargetName,
    Transient,
    Unequipped,
)
from controller.render import ChartArchive, ChartHead, ChartTemplate, Surroundings, head_of
from controller.runtime import CredentialStore, SystemClock
from tests.engine.make import WHERE, placement
from tests.fixtures.charts import ChartHosts, chart_hosts

HERE = Position("deploy/app.yaml", 8)
NAME = RepositoryName("shop")
COMMIT = CommitId("a" * 40)


@pytest.fixture
async def hosts() -> AsyncIterator[ChartHosts]:
    async with chart_hosts() as hosts:
        yield hosts


@pytest.fixture
async def mirrors(tmp_path: Path) -> AsyncIterator[Mirrors]:
    mirrors = Mirrors(tmp_path / "mirrors", CredentialStore(tmp_path / "credentials"))
    yield mirrors
    mirrors.close()


def asked(hosts: ChartHosts, versions: str = "^1") -> ChartHead:
    return ChartHead(url=f"{hosts.repository}#web", versions=versions, credential="", where=HERE)


async def test_the_newest_version_is_told_with_its_digest_and_a_newer_one_later(
    hosts: ChartHosts, mirrors: Mirrors
) -> None:
    heads = Heads(mirrors, SystemClock(), seconds=0.0)
    digest = hosts.add("web", "1.0.0")
    hosts.add("web", "2.0.0")
    assert await heads(asked(hosts)) == head_of("1.0.0", digest)
    digest = hosts.add("web", "1.1.0+build.2")
    assert await heads(asked(hosts)) == head_of("1.1.0+build.2", digest)


async def test_a_host_is_asked_once_by_all_who_follow_a_range(hosts: ChartHosts, mirrors: Mirrors) -> None:
    heads = Heads(mirrors, SystemClock(), seconds=3600.0)
    hosts.add("web", "1.0.0")
    await asyncio.gather(*(heads(asked(hosts)) for _ in range(20)))
    assert hosts.requests.count("/charts/web-1.0.0.tgz") == 1
    before = len(hosts.requests)
    await heads(asked(hosts))
    assert len(hosts.requests) == before


async def test_what_was_told_last_holds_while_the_host_is_away(hosts: ChartHosts, mirrors: Mirrors) -> None:
    heads = Heads(mirrors, SystemClock(), seconds=0.0)
    digest = hosts.add("web", "1.0.0")
    assert await heads(asked(hosts)) == head_of("1.0.0", digest)
    hosts.is_away = True
    assert await heads(asked(hosts)) == head_of("1.0.0", digest)
    with pytest.raises(Transient):
        await heads(asked(hosts, "^2"))


async def test_a_range_that_leads_nowhere_is_told_at_its_line(hosts: ChartHosts, mirrors: Mirrors) -> None:
    hosts.add("web", "1.0.0")
    with pytest.raises(Unequipped, match=r'deploy/app.yaml:8.*no version "\^2"'):
        await Heads(mirrors, SystemClock())(asked(hosts, "^2"))


@dataclass
class World:
    """A host of one chart, whose content is its version."""

    newest: str = "1.0.0"
    failure: Exception | None = None
    fetched: list[str] = field(default_factory=list)

    async def head(self, _: ChartHead) -> bytes:
        if self.failure is not None:
            raise self.failure
        return head_of(self.newest, "sha256:abc")

    async def archive(self, need: ChartArchive) -> bytes:
        self.fetched.append(need.version)
        return b'{"Chart.yaml":"YXBpVmVyc2lvbjogdjIKbmFtZTogd2ViCg=="}'

    async def template(self, _: ChartTemplate) -> bytes:
        return b"---\n# Source: web/a.yaml\n{apiVersion: v1, kind: ConfigMap, metadata: {name: web}}\n"


def shop() -> tuple[PlacementRef, Entry, Checkout, Checkout]:
    component = {"url": "https://charts.example.com", "chart": "web", "version": "^1"}
    text = {
        "apiVersion": "core.oam.dev/v1beta1",
        "kind": "Application",
        "metadata": {"name": "shop"},
        "spec": {"components": [{"name": "web", "type": "helm", "properties": component}]},
    }
    application = Application(
        name=ApplicationName("shop"),
        repository=NAME,
        path="deploy",
        revision="main",
        targets=(TargetName("hz"),),
        namespace="x",
        sync=SyncPolicy(),
        origin=WHERE,
    )
    entry = Entry(
        application,
        Repository(name=NAME, url="https://git.example.com/shop.git", origin=WHERE),
        KubernetesTarget(name=TargetName("hz"), origin=WHERE),
        is_suspended=False,
        surroundings=Surroundings(charts={"https://charts.example.com#web": ""}),
    )
    trees = [
        MemoryTree({"deploy/app.yaml": yaml.safe_dump(text).encode()}, NAME),
        MemoryTree({"converge.yaml": b""}, PLATFORM),
    ]
    info = CommitInfo.__new__(CommitInfo)  # nobody reads it here
    mine, platform = [Checkout(one.repository, "main", COMMIT, one, info) for one in trees]
    return placement(), entry, mine, platform


async def test_a_render_holds_until_its_range_leads_elsewhere() -> None:
    world = World()
    crafts = {ChartHead: world.head, ChartArchive: world.archive, ChartTemplate: world.template}
    renderer, parts = Renderer(workshop=Workshop(crafts)), shop()
    first = await renderer.rendered(*parts)
    assert first.follows == ("web 1.0.0 sha256:abc",)
    assert await renderer.rendered(*parts) == first
    assert renderer.renders == 1
    world.failure = Transient("it is away")
    assert await renderer.rendered(*parts) == first
    assert renderer.renders == 1
    world.failure, world.newest = None, "1.0.1"
    second = await renderer.rendered(*parts)
    assert second.follows == ("web 1.0.1 sha256:abc",)
    assert second.desired.digest != first.desired.digest
    assert world.fetched == ["1.0.0@sha256:abc", "1.0.1@sha256:abc"]
    world.failure = Unequipped("there is no such version")
    with pytest.raises(Unequipped):
        await renderer.rendered(*parts)


async def test_those_are_told_whose_ranges_lead_elsewhere() -> None:
    world = World()
    crafts = {ChartHead: world.head, ChartArchive: world.archive, ChartTemplate: world.template}
    renderer, parts = Renderer(workshop=Workshop(crafts)), shop()
    told: asyncio.Queue[list[PlacementRef]] = asyncio.Queue()
    following = asyncio.create_task(renderer.follow(SystemClock(), 0.001, told.put_nowait))
    await renderer.rendered(*parts)
    assert told.empty()
    world.newest = "1.0.1"
    async with asyncio.timeout(20):
        assert await told.get() == [parts[0]]
    following.cancel()
