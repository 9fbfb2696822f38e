"""The examples of docs/helm.md: commands print what is shown, and files validate."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from controller.cli import main
from controller.documents import edit
from controller.sandbox import GitHost
from tests.cli.conftest import _files
from tests.cli.test_rendering_page import prints

pytestmark = pytest.mark.helm

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/helm.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [text for language, text in BLOCKS if language == "console"]
(ENTRY,) = (text for language, text in BLOCKS if text.startswith("# entry: "))


@pytest.fixture
async def platform(git_host: GitHost, reference_platform: str) -> str:
    """Give the reference platform with the entry that is shown."""
    await git_host.create("wiki", _files(ROOT / "examples/wiki"))
    path = "environments/prod.yaml"
    entry = yaml.safe_load(ENTRY)["wiki"]
    environment = edit((ROOT / path).read_bytes(), {("spec", "applications", "wiki"): entry}, path=path)
    converge = (await git_host.show("platform", "converge.yaml")).encode()
    repository = {"url": git_host.url("wiki")}
    converge = edit(converge, {("spec", "repositories", "wiki"): repository}, path="converge.yaml")
    await git_host.commit("platform", {path: environment, "converge.yaml": converge}, message="Run the wiki")
    return reference_platform


@pytest.mark.parametrize("text", COMMANDS, ids=[text.split("\n")[0] for text in COMMANDS])
async def test_a_command_prints_what_is_shown(
    text: str, platform: str, tmp_path: Path, helm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVERGE_HELM", str(helm))
    monkeypatch.setenv("CONVERGE_PLATFORM", platform)
    monkeypatch.setenv("CONVERGE_CACHE", str(tmp_path / "cache"))
    await prints(text, 0)


def test_the_files_that_are_shown_validate() -> None:
    from controller.config import read_platform
    from controller.model import MemoryTree

    files: dict[str, Any] = {}
    for _, text in BLOCKS:
        name = text.split("\n")[0].removeprefix("# ")
        if name.endswith(".yaml"):
            files[name] = yaml.safe_load(text)
    assert set(files) == {"converge.yaml", "environments/prod.yaml"}
    converge, environment = files["converge.yaml"], files["environments/prod.yaml"]
    converge |= {"apiVersion": "converge/v1", "kind": "Platform", "metadata": {"name": "acme"}}
    converge["spec"]["installation"] = "3c9e0f0a-6d0e-4a53-9f0e-5f6d3d2f7b11"
    environment |= {"apiVersion": "converge/v1", "kind": "Environment", "metadata": {"name": "prod"}}
    environment["spec"]["targets"] = {"hangzhou": {"kubernetes": {}}}
    tree = MemoryTree({name: yaml.safe_dump(value).encode() for name, value in files.items()})
    read = read_platform(tree)
    assert not read.problems
    assert {one.is_chart for one in read.repositories.values()} == {True}


async def test_a_missing_helm_is_told_with_its_chart(
    platform: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVERGE_HELM", str(tmp_path / "no-helm"))
    argv = ["render", "prod/wiki", "--platform", platform, "--cache", str(tmp_path / "cache")]
    result = await asyncio.to_thread(CliRunner().invoke, main, argv)
    assert result.exit_code == 1
    assert "chart/Chart.yaml: a Helm chart, and there is no" in result.output
