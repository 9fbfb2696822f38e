"""Generated kustomizations, beside the real command where it is installed: the same bytes, or both refuse."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from controller.model import Stalled
from controller.render import build

from .disk import DirectoryTree
from .generated import Maker
from .overlaid import Overlay


def reference(folder: Path) -> bytes | None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed: nothing to compare with")
    done = subprocess.run(
        [kubectl, "kustomize", "--", str(folder)],
        capture_output=True, check=False, timeout=60, env={"HOME": "/nonexistent", "PATH": ""},
    )  # fmt: skip
    return done.stdout if done.returncode == 0 else None


def written(seed: int, folder: Path) -> str:
    files = Maker(seed).make()
    root = files.pop("root")
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def compare(seed: int, folder: Path) -> None:
    root = written(seed, folder)
    theirs = reference(folder / root)
    ours, refusal = built(folder, root)
    assert ours == theirs, f"seed {seed}: {refusal}"


def compare_overlaid(seed: int, folder: Path) -> None:
    """Put an overlay on a generated kustomization that builds, made for what it builds to."""
    root = written(seed, folder)
    bytes_, _ = built(folder, root)
    if bytes_ is None:
        return
    objects = [one for one in yaml.safe_load_all(bytes_) if one["metadata"].get("name")]
    for name, text in Overlay(seed, objects, f"../{root}").make().items():
        (folder / "over").mkdir(exist_ok=True)
        (folder / "over" / name).write_text(text)
    theirs = reference(folder / "over")
    ours, refusal = built(folder, "over")
    assert ours == theirs, f"seed {seed}: {refusal}"


def built(folder: Path, root: str) -> tuple[bytes | None, str]:
    try:
        return build(DirectoryTree(folder), root), ""
    except Stalled as error:
        return None, str(error)


def test_generated_kustomizations_build_to_the_same_bytes(tmp_path: Path, seed: int) -> None:
    for one in range(seed, seed + 15):
        compare(one, tmp_path / str(one))


def test_overlays_made_for_their_base_build_to_the_same_bytes(tmp_path: Path, seed: int) -> None:
    for one in range(seed, seed + 15):
        compare_overlaid(one, tmp_path / str(one))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_many_generated_kustomizations_build_to_the_same_bytes(tmp_path: Path, seed: int) -> None:
    for one in range(seed, seed + 200):
        compare(one, tmp_path / str(one))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_many_overlays_made_for_their_base_build_to_the_same_bytes(tmp_path: Path, seed: int) -> None:
    for one in range(seed, seed + 100):
        compare_overlaid(one, tmp_path / str(one))
