"""The index follows a records branch, commit by commit."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.engine.query import commit_at, indexed, parse_query
from controller.git import Mirror
from controller.model import CommitId, Stalled
from controller.sandbox import GitHost
from tests.engine.query.make import DB, WEB, file_of, instance, path_of


async def names(mirror: Mirror, cache: Path, head: CommitId, at: CommitId | None = None) -> list[str]:
    async with indexed(mirror, cache, head, at) as index:
        return [one["name"] for one in index.find(parse_query(""))]


def spoil(folder: Path) -> None:
    (made,) = folder.glob("*.sqlite")
    made.write_bytes(b"no database" * 1000)


@pytest.fixture
async def records(git_host: GitHost, shop: Mirror) -> Mirror:
    await git_host.commit("shop", {path_of(WEB): file_of(WEB), "README.md": b"#"}, branch="main")
    return shop


async def test_it_stands_where_the_branch_stands(git_host: GitHost, records: Mirror, tmp_path: Path) -> None:
    first = await records.resolve("main")
    assert await names(records, tmp_path, first) == ["web"]
    await git_host.commit("shop", {path_of(DB): file_of(DB)})
    second = await records.resolve("main")
    assert await names(records, tmp_path, second) == ["web", "db"]
    await git_host.commit("shop", {path_of(WEB): None})
    third = await records.resolve("main")
    assert await names(records, tmp_path, third) == ["db"]
    assert await names(records, tmp_path, third, first) == ["web"]
    assert await names(records, tmp_path, third) == ["db"]  # looking back moved nothing


async def test_what_is_damaged_or_of_others_is_passed_over(git_host: GitHost, records: Mirror, tmp_path: Path) -> None:
    half = instance("prod/shop/hz/shop/ConfigMap/half")
    half["observed"] = {}
    strange = {"cmdb/a.yaml": b"{", "cmdb/b/c/d.yaml": b"kind: Other\n", "cmdb/e.yaml": file_of(half)}
    await git_host.commit("shop", {**strange, path_of(DB): file_of(DB)})
    assert await names(records, tmp_path, await records.resolve("main")) == ["web", "db"]


async def test_a_file_that_is_no_index_is_made_anew(records: Mirror, tmp_path: Path) -> None:
    head = await records.resolve("main")
    assert await names(records, tmp_path, head) == ["web"]
    spoil(tmp_path)
    assert await names(records, tmp_path, head) == ["web"]


async def test_a_date_and_a_commit_are_found_in_the_log(git_host: GitHost, records: Mirror) -> None:
    first = await records.resolve("main")
    await git_host.commit("shop", {path_of(DB): file_of(DB)})
    head = await records.resolve("main")
    assert await commit_at(records, head, first) == first
    assert await commit_at(records, head, first[:9]) == first
    assert await commit_at(records, head, "2999-01-01") == head
    for when in ("1999-01-01", "abcdef123", "yesterday"):
        with pytest.raises(Stalled, match=when):
            await commit_at(records, head, when)
