"""The real commands, asked what they read. A test that needs one skips with a word where kubectl is missing."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

HEAD = "apiVersion: example.com/v1\nkind: Thing\nmetadata:\n  name: a\n"


def kubectl() -> str:
    found = shutil.which("kubectl")
    if found is None:
        pytest.skip("kubectl is not installed: nothing to compare with")
    return found


def ask_kubectl(body: bytes) -> Any:
    """Give the object that `kubectl apply` would send, or None where it refuses the file."""
    done = subprocess.run(
        [kubectl(), "annotate", "--local", "-f", "-", "-o", "json", "x=y"],
        input=body, capture_output=True, check=False, timeout=60, env={"HOME": "/nonexistent", "PATH": ""},
    )  # fmt: skip
    return json.loads(done.stdout) if done.returncode == 0 else None


def ask_kustomize(body: bytes, folder: Path) -> bytes | None:
    """Give what `kubectl kustomize` prints for one resource file, or None where it refuses it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kustomization.yaml").write_text("resources: [thing.yaml]\n")
    (folder / "thing.yaml").write_bytes(body)
    return build(folder)


def build(folder: Path) -> bytes | None:
    done = subprocess.run(
        [kubectl(), "kustomize", "--", str(folder)],
        capture_output=True, check=False, timeout=60, env={"HOME": "/nonexistent", "PATH": ""},
    )  # fmt: skip
    return done.stdout if done.returncode == 0 else None
