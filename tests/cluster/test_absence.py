"""Where no control plane can be had, people are told why; where one is required, that is an error."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOBODY = "http://127.0.0.1:9/simple"  # nothing answers there

pytestmark = pytest.mark.slow


def run_without_go(cache: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run one test of the control plane on a machine without Go and without a package index."""
    environment = {
        "PATH": "/usr/bin:/bin", "HOME": str(cache), "XDG_CACHE_HOME": str(cache),
        "PIP_INDEX_URL": NOBODY, "PIP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull, **more,
    }  # fmt: skip
    test = "tests/cluster/test_control_plane.py::test_jobs_complete_and_fail"
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip


@pytest.mark.skipif(Path("/usr/bin/go").exists(), reason="this machine's system has a Go of its own")
def test_a_test_is_skipped_with_what_is_missing(tmp_path: Path) -> None:
    done = run_without_go(tmp_path)
    assert done.returncode == 0, done.stdout
    assert "1 skipped" in done.stdout
    assert "or newer is missing" in done.stdout


@pytest.mark.skipif(Path("/usr/bin/go").exists(), reason="this machine's system has a Go of its own")
def test_what_is_required_is_not_skipped(tmp_path: Path) -> None:
    done = run_without_go(tmp_path, CONVERGE_REQUIRE_CLUSTER="1")
    assert done.returncode == 1, done.stdout
    assert "or newer is missing" in done.stdout
