"""`reference_platform`: this repository's own platform and examples on a real git host."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.sandbox import GitHost

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def reference_platform(git_host: GitHost) -> str:
    """Give the address of the reference platform, whose applications are the examples: one commit each."""
    await git_host.create("shop", _files(ROOT / "examples/shop"))
    await git_host.create("billing", _files(ROOT / "examples/billing"))
    await git_host.create(
        "platform", {"converge.yaml": _platform(git_host), **_under("environments"), **_under("overlays")}
    )
    return git_host.url("platform")


def _files(folder: Path) -> dict[str, bytes]:
    return {one.relative_to(folder).as_posix(): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


def _under(name: str) -> dict[str, bytes]:
    return {f"{name}/{path}": data for path, data in _files(ROOT / name).items()}


def _platform(host: GitHost) -> bytes:
    text = (ROOT / "converge.yaml").read_text()
    for name in ("shop", "billing"):
        text = text.replace(f"https://git.example.com/{name}/{name}.git", host.url(name))
        text = text.replace(f"      credentials: {name}\n", "")
    return text.encode()
