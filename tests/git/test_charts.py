"""A chart's versions are followed, fetched and verified as a repository's commits are."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from controller.git import CommitGone, Mirror, Mirrors
from controller.model import CommitId, Stalled, Transient
from controller.runtime import CredentialStore
from tests.fixtures.charts import ChartHosts, chart_hosts, packed

pytestmark = pytest.mark.slow


@pytest.fixture
async def hosts() -> AsyncIterator[ChartHosts]:
    async with chart_hosts() as hosts:
        yield hosts


@pytest.fixture(params=["repository", "registry"])
def mirror_of(request: pytest.FixtureRequest, hosts: ChartHosts, tmp_path: Path) -> Callable[..., Mirror]:
    """Give the mirror of a chart at either kind of host, with what the disk has of it."""

    def mirror_of(name: str = "web", credentials: str = "") -> Mirror:
        mirrors = Mirrors(tmp_path / "mirrors", CredentialStore(tmp_path / "credentials"))
        url = f"{hosts.repository}#{name}" if request.param == "repository" else hosts.oci(name)
        return mirrors.mirror(url, credentials)

    return mirror_of


MirrorOf = Callable[..., Mirror]


async def test_a_range_leads_to_its_newest_version(hosts: ChartHosts, mirror_of: MirrorOf) -> None:
    for version in ("1.0.0", "1.2.0", "1.10.0", "2.0.0-rc.1", "2.0.0+a.1"):
        hosts.add("web", version)
    mirror = mirror_of()
    seen = {}
    for text in ("^1.0", "1.0.0", "", "~1.2.0", ">=2.0.0-0 <2.0.0"):
        info = await mirror.describe(await mirror.resolve(text))
        seen[text] = info.subject.split()[1]
    assert seen == {
        "^1.0": "1.10.0",
        "1.0.0": "1.0.0",
        "": "2.0.0+a.1",
        "~1.2.0": "1.2.0",
        ">=2.0.0-0 <2.0.0": "2.0.0-rc.1",
    }


async def test_a_version_is_a_commit_that_names_its_digest_and_holds_its_files(
    hosts: ChartHosts, mirror_of: MirrorOf
) -> None:
    digest = hosts.add("web", "1.0.0", {"templates/a/b.yaml": "x: 1\n"})
    mirror = mirror_of()
    commit = await mirror.resolve("1.0.0")
    assert (await mirror.describe(commit)).subject == f"web 1.0.0 {digest}"
    tree = await mirror.tree(commit)
    assert tree.read("templates/a/b.yaml") == b"x: 1\n"
    assert set(tree.names("")) == {"Chart.yaml", "templates"}


async def test_a_new_version_is_followed_and_a_replaced_one_is_another_commit(
    hosts: ChartHosts, mirror_of: MirrorOf
) -> None:
    hosts.add("web", "1.0.0")
    mirror = mirror_of()
    first = await mirror.resolve("^1")
    hosts.add("web", "1.0.1")
    second = await mirror.resolve("^1")
    hosts.add("web", "1.0.1", {"more.txt": "x"})
    third = await mirror.resolve("^1")
    assert len({first, second, third}) == 3
    hosts.add("web", "1.0.1")
    assert await mirror.resolve("^1") == second


async def test_what_has_not_moved_is_not_fetched_again(hosts: ChartHosts, mirror_of: MirrorOf) -> None:
    hosts.add("web", "1.0.0")
    mirror = mirror_of()
    commit = await mirror.resolve("^1")
    fetched = [path for path in hosts.requests if "blobs" in path or path.endswith(".tgz")]
    assert len(fetched) == 1
    assert await mirror.resolve("^1") == commit
    assert await mirror_of().resolve("^1") == commit  # another process: the archive is on the disk
    assert [path for path in hosts.requests if "blobs" in path or path.endswith(".tgz")] == fetched


async def test_a_pinned_digest_is_demanded(hosts: ChartHosts, mirror_of: MirrorOf) -> None:
    digest = hosts.add("web", "1.0.0")
    mirror = mirror_of()
    commit = await mirror.resolve(f"1.0.0@{digest}")
    assert commit == await mirror.resolve("1.0.0")
    hosts.add("web", "1.0.0", {"more.txt": "x"})
    with pytest.raises(Stalled, match="is demanded"):
        await mirror.resolve(f"1.0.0@{digest}")
    assert await mirror.resolve("1.0.0") != commit


async def test_content_that_is_not_what_its_digest_says_is_refused(hosts: ChartHosts, mirror_of: MirrorOf) -> None:
    hosts.add("web", "1.0.0")
    hosts.lies["web", "1.0.0"] = packed("web", "6.6.6")
    mirror = mirror_of()
    with pytest.raises(Stalled, match="damaged or replaced"):
        await mirror.resolve("1.0.0")
    hosts.lies.clear()
    await mirror.resolve("1.0.0")


async def test_one_revision_that_is_not_there_leaves_the_others_alone(hosts: ChartHosts, mirror_of: MirrorOf) -> None:
    hosts.add("web", "1.0.0")
    found = await mirror_of().heads(["1.0.0", "^7", "9.9.9"])
    assert {name for name, one in found.items() if isinstance(one, Stalled)} == {"^7", "9.9.9"}
    assert "1.0.0" in str(found["^7"])  # the newest that there are


async def test_a_chart_that_is_not_there_and_a_host_that_is_away(hosts: ChartHosts, mirror_of: MirrorOf) -> None:
    hosts.add("web", "1.0.0")
    with pytest.raises(Stalled, match="other"):
        await mirror_of("other").resolve("^1")
    hosts.is_away = True
    with pytest.raises(Transient):
        await mirror_of().resolve("^1")


async def test_an_older_commit_is_found_again_by_its_content(
    hosts: ChartHosts, mirror_of: MirrorOf, tmp_path: Path
) -> None:
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        hosts.add("web", version)
    commit = await mirror_of().resolve("1.0.0")
    shutil.rmtree(tmp_path / "mirrors")
    mirror = mirror_of()
    assert (await mirror.tree(commit)).read("Chart.yaml")
    assert await mirror.resolve(commit) == commit
    with pytest.raises(CommitGone):
        await mirror.tree(CommitId("a" * 40))


async def test_credentials_open_a_host_and_are_asked_for(
    hosts: ChartHosts, mirror_of: MirrorOf, tmp_path: Path
) -> None:
    hosts.add("web", "1.0.0")
    hosts.password = "canary-of-charts"
    with pytest.raises(Stalled, match="credential"):
        await mirror_of().resolve("^1")
    folder = tmp_path / "credentials" / "charts"
    folder.mkdir(parents=True)
    (folder / "username").write_text("me")
    (folder / "password").write_text("canary-of-charts")
    await mirror_of(credentials="charts").resolve("^1")
    kept = [path.read_bytes() for path in (tmp_path / "mirrors").rglob("*") if path.is_file()]
    assert not any(b"canary-of-charts" in data for data in kept)


async def test_credentials_do_not_follow_a_redirect(hosts: ChartHosts, mirror_of: MirrorOf, tmp_path: Path) -> None:
    folder = tmp_path / "credentials" / "charts"
    folder.mkdir(parents=True)
    (folder / "username").write_text("me")
    (folder / "password").write_text("x")
    hosts.password = "x"
    hosts.add("web", "1.0.0")
    async with chart_hosts() as other:
        other.charts = hosts.charts
        hosts.elsewhere = f"http://127.0.0.1:{other.port}"
        await mirror_of(credentials="charts").resolve("^1")
        other.password = "x"
        hosts.add("web", "1.0.1")
        with pytest.raises(Stalled):
            await mirror_of(credentials="charts").resolve("^1")


async def test_an_unprotected_way_is_refused(hosts: ChartHosts, mirror_of: MirrorOf) -> None:
    hosts.add("web", "1.0.0")
    hosts.elsewhere = "http://charts.example.com"
    with pytest.raises(Stalled, match="not protected"):
        await mirror_of().resolve("^1")


@pytest.mark.parametrize("path", ["../evil.yaml", "/etc/evil"])
async def test_an_archive_that_leads_out_is_refused(hosts: ChartHosts, mirror_of: MirrorOf, path: str) -> None:
    hosts.add("web", "1.0.0", {path: "x"})
    with pytest.raises(Stalled, match="leads out"):
        await mirror_of().resolve("^1")


async def test_what_is_no_archive_is_refused(hosts: ChartHosts, mirror_of: MirrorOf) -> None:
    hosts.charts["web", "1.0.0"] = b"hello"
    with pytest.raises(Stalled, match="no chart archive"):
        await mirror_of().resolve("^1")


async def test_a_chart_has_no_branches(hosts: ChartHosts, mirror_of: MirrorOf) -> None:
    hosts.add("web", "1.0.0")
    mirror = mirror_of()
    assert mirror.is_chart
    assert await mirror.refs(["HEAD"]) == {}
