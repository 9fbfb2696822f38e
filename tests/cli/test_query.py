"""`converge query` as a person calls it, on a platform whose records branch has a few instances."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from controller.git import Committer, Identity, Mirrors
from controller.runtime import Completed, SystemClock
from controller.sandbox import GitHost
from tests.cli.test_commands import converge, platform
from tests.engine.query.make import EVERY, WEB, file_of, path_of
from tests.git.test_changes import Write

pytestmark = pytest.mark.slow

WHO = Identity("Converge", "converge@example.com")


@pytest.fixture
async def recorded(git_host: GitHost, mirrors: Mirrors) -> str:
    await git_host.create("platform", platform(git_host.url("shop")))
    mirror = mirrors.mirror(git_host.url("platform"))
    async with Committer(mirror, "converge-status", identity=WHO, clock=SystemClock()) as committer:
        await committer.submit(Write({path_of(one): file_of(one) for one in EVERY}))
    return git_host.url("platform")


async def ask(tmp_path: Path, url: str, *arguments: str) -> Completed:
    return await converge(tmp_path, "query", "--platform", url, *arguments)


async def test_it_answers_in_every_form(tmp_path: Path, recorded: str) -> None:
    table = await ask(tmp_path, recorded, "kind=Deployment", "environment=prod", "--show", "name,images,replicas")
    assert (table.returncode, table.stdout.decode().splitlines()) == (
        0,
        ["name  images                             replicas", "web   web: nginx:1.2, log: fluent/bit:3  3"],
    )
    as_json = await ask(tmp_path, recorded, "kind=Deployment environment=prod", "-o", "json")
    assert json.loads(as_json.stdout) == [WEB]
    as_yaml = await ask(tmp_path, recorded, "kind=Deployment environment=prod", "-o", "yaml")
    assert as_yaml.stdout == b"---\n" + file_of(WEB)
    dot = (await ask(tmp_path, recorded, "application=shop", "environment=prod", "-o", "dot")).stdout.decode()
    assert '"prod/shop/hz/shop/Deployment.apps/web" -> "prod/shop/hz/shop/Secret/db" [label="uses"];' in dot
    mermaid = (await ask(tmp_path, recorded, "related:uses Secret/pull", "-o", "mermaid")).stdout.decode()
    assert mermaid.startswith("flowchart LR\n")
    assert '["Deployment web"]' in mermaid
    assert "-->|uses|" in mermaid


async def test_nothing_found_and_a_bad_word_have_numbers_of_their_own(tmp_path: Path, recorded: str) -> None:
    nothing = await ask(tmp_path, recorded, "kind=Deployment", "name=none")
    assert (nothing.returncode, nothing.stdout) == (1, b"")
    bad = await ask(tmp_path, recorded, "imgae~nginx")
    assert bad.returncode == 1
    assert "Did you mean" in bad.error_text
    early = await ask(tmp_path, recorded, "--at", "1999-01-01")
    assert "1999-01-01: no commit" in early.error_text
