"""The examples of docs/rendering.md: files are those that are shown, and commands print what is shown."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from controller.cli import main
from controller.documents import decode, write
from controller.git import Identity
from controller.render import render
from controller.runtime import bare_environment, run
from controller.sandbox import GitHost, SandboxCluster
from tests.render.requests import request_of

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/rendering.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
FILES = [text for language, text in BLOCKS if language == "yaml" and text.startswith(("# examples/", "# overlays/"))]
CONSOLE = [text for language, text in BLOCKS if language == "console"]
COMMANDS = [text for text in CONSOLE if not text.startswith("$ converge plan")]
(PLAN,) = (text for text in CONSOLE if text.startswith("$ converge plan"))


def matches(shown: str, printed: str) -> bool:
    """Tell whether the text was printed, from its start; `…` stands for anything, over lines where it has its own."""
    lines = (
        (r"(?:.*\n)*?" if line == "…" else re.escape(line).replace("…", ".*") + r"\n") for line in shown.splitlines()
    )
    pattern = "".join(lines)
    return re.match(pattern, printed) is not None


@pytest.mark.parametrize("text", FILES, ids=[text.split("\n")[0][2:] for text in FILES])
def test_a_file_is_shown_as_it_is(text: str) -> None:
    name, _, content = text.partition("\n")
    assert (ROOT / name.removeprefix("# ")).read_text() == content


@pytest.mark.parametrize("text", COMMANDS, ids=[text.split("\n")[0] for text in COMMANDS])
async def test_a_command_prints_what_is_shown(
    text: str, reference_platform: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("CONVERGE_PLATFORM", reference_platform)
    monkeypatch.setenv("CONVERGE_CACHE", str(tmp_path / "cache"))
    await prints(text, 0)


async def prints(text: str, code: int) -> None:
    command, _, shown = text.partition("\n")
    argv = shlex.split(command.removeprefix("$ converge "))
    result = await asyncio.to_thread(CliRunner().invoke, main, argv)
    assert result.exit_code == code, result.output
    assert matches(shown, result.stdout), result.stdout


async def test_the_commit_that_is_asked_about_changes_what_is_shown(
    reference_platform: str, git_host: GitHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVERGE_PLATFORM", reference_platform)
    monkeypatch.setenv("CONVERGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CONVERGE_CREDENTIALS", str(tmp_path / "credentials"))
    (tmp_path / "credentials" / "kubeconfig").mkdir(parents=True)
    async with SandboxCluster() as cluster:
        cluster.write_kubeconfig(tmp_path / "credentials/kubeconfig/kubeconfig", name="hangzhou")
        argv = (sys.executable, "-m", "controller.cli", "run", "--once")  # it hears signals: no thread's business
        done = await run(argv, cwd=tmp_path, env=bare_environment(os.environ), deadline_seconds=60)
        assert done.returncode == 0, done.error_text
        overlay = "overlays/prod/shop/kustomization.yaml"
        head = await git_host.head("platform")
        assert head is not None
        await git_host.move_branch("platform", "bigger-sale", head)
        changed = (ROOT / overlay).read_bytes().replace(b"count: 3", b"count: 5")
        author = Identity("Wang Li", "wang.li@example.com")
        await git_host.commit(
            "platform", {overlay: changed}, branch="bigger-sale", message="Make room for the sale", author=author
        )
        await prints(PLAN, 3)


def test_the_parameters_render_to_what_is_shown() -> None:
    (source,) = (text for _, text in BLOCKS if text.startswith("# converge: parameters"))
    result = next(text for language, text in BLOCKS[BLOCKS.index(("yaml", source)) + 1 :] if language == "yaml")
    (told,) = re.findall(r"With `parameters: (\{.*\})` this is", PAGE)
    request = request_of({"deploy/web.yaml": source}, parameters=yaml.safe_load(told), namespace="shop")
    (manifest,) = render(request).desired.manifests
    assert write(decode(manifest.body)).decode() == result


def test_a_text_that_was_not_printed_does_not_match() -> None:
    assert matches("a\n…\nd…f\n", "a\nb\nc\nd e f\n")
    assert not matches("a\n…\nx\n", "a\nb\nc\n")
    assert not matches("b\n", "a\nb\n")
