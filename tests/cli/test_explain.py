"""`converge explain` on repositories of a real git host, with a history behind every line."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from controller.cli import main
from controller.cli.blame import line_before
from controller.sandbox import GitHost

ROOT = Path(__file__).parents[2]
OVERLAY = "overlays/prod/shop/kustomization.yaml"


@pytest.fixture
async def platform(git_host: GitHost, reference_platform: str) -> str:
    """Give the reference platform with two commits on top."""
    overlay = (ROOT / OVERLAY).read_bytes().replace(b"count: 3", b"count: 5")
    await git_host.commit("platform", {OVERLAY: overlay}, message="Make room for the sale")
    await git_host.commit("platform", {OVERLAY: b"# For customers.\n" + overlay}, message="Say what it is for")
    return reference_platform


async def explain(platform: str, tmp_path: Path, *arguments: str) -> Result:
    """Run the command in a thread: the git host lives on this test's loop."""
    argv = ["explain", *arguments, "--platform", platform, "--cache", str(tmp_path / "cache")]
    return await asyncio.to_thread(CliRunner().invoke, main, argv)


async def settings(platform: str, tmp_path: Path, *arguments: str) -> list[Any]:
    result = await explain(platform, tmp_path, *arguments, "-o", "json")
    assert result.exit_code == 0, result.output
    (one,) = json.loads(result.stdout)
    return [(each["path"], each["line"], each["overridden"], each["commit"]["subject"]) for each in one["settings"]]


async def test_a_field_is_told_with_the_commit_that_wrote_its_line(platform: str, tmp_path: Path) -> None:
    overlay = (ROOT / OVERLAY).read_text().splitlines()
    line = overlay.index("  count: 3") + 2
    found = await settings(platform, tmp_path, "prod/shop", "Deployment/web", "spec.replicas")
    assert found[0] == (OVERLAY, line, False, "Make room for the sale")
    assert found[1][:3] == ("deploy/deployment.yaml", 6, True)


async def test_a_field_of_the_base_is_told_with_its_own_repository(platform: str, tmp_path: Path) -> None:
    field = "spec.template.spec.containers[web].ports[8080].name"
    result = await explain(platform, tmp_path, "prod/shop@hangzhou", "deployment.apps/web", field)
    assert result.exit_code == 0, result.output
    assert 'ports[8080].name = "http"' in result.stdout
    assert "set by  deploy/deployment.yaml:23:17 of shop" in result.stdout


@pytest.mark.parametrize(
    ("name", "field", "code"),
    [
        ("Deployment", "spec", 2),
        ("Deployment/web", "spec..x", 2),
        ("Deployment/web", "spec.nothing", 1),
        ("Deployment/none", "spec", 1),
    ],
)
async def test_what_is_not_there_is_an_error_and_what_is_no_field_is_misuse(
    platform: str, tmp_path: Path, name: str, field: str, code: int
) -> None:
    assert (await explain(platform, tmp_path, "prod/shop", name, field)).exit_code == code


@pytest.mark.parametrize(
    ("old", "new", "line", "before"),
    [
        (b"a\nb\nc", b"a\nb\nc", 2, 2),
        (b"a\nb\nc", b"x\na\nb\nc", 3, 2),
        (b"a\nb\nc", b"a\nB\nc", 2, 0),
        (b"a\nb\nc", b"a\nc", 2, 3),
        (b"", b"a\nb", 1, 0),
    ],
)
def test_a_line_is_followed_where_its_text_stays(old: bytes, new: bytes, line: int, before: int) -> None:
    assert line_before(old, new, line) == before
