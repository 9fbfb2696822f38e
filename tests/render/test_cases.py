"""What kustomize does that nobody would guess: each case builds `top`, and `expected.yaml` is what kustomize prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.render import build

from .disk import DirectoryTree

CASES = sorted((Path(__file__).parent / "cases").iterdir())


@pytest.mark.parametrize("case", [pytest.param(one, id=one.name) for one in CASES])
def test_the_output_is_kustomizes(case: Path) -> None:
    assert build(DirectoryTree(case), "top") == (case / "expected.yaml").read_bytes()
