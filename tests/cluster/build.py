"""Build the control plane, or take the one that was built from the same sources before.

`python -m tests.cluster.build` prints the binary's path. The first build on a machine downloads about 600 MB of Go
modules and takes some five minutes on two cores and 2.5 GB of memory; after a change of our own sources it only links.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click

from tests.cluster.cache import cache_directory, locked
from tests.cluster.toolchain import Unavailable, find_go

MODULE = Path(__file__).parent
DOWNLOAD_SECONDS = 1200
BUILD_SECONDS = 3600
KEPT_SECONDS = 14 * 86400  # a binary that nobody used for so long makes room for the next

Say = Callable[[str], None]


class BuildFailed(Exception):
    """Our own sources do not build: a defect, never a reason to skip."""


def binary(say: Say = lambda _: None) -> Path:
    """Give the control plane's binary, building it where it is missing.

    Raises Unavailable where the machine lacks the means, BuildFailed where the sources are broken.
    """
    directory = cache_directory() / f"controlplane-{_digest()[:16]}"
    target = directory / "controlplane"
    with locked(cache_directory() / "controlplane"):
        if not target.exists():
            go = find_go(MODULE)
            directory.mkdir(exist_ok=True)
            _download(go, say)
            _build(go, target, say)
            _forget_old(keep=directory)
    os.utime(directory)
    return target


def _digest() -> str:
    """Hash everything that the binary is made of."""
    total = hashlib.sha256(f"{sys.platform} {os.uname().machine}".encode())
    for source in sorted([*MODULE.glob("*.go"), MODULE / "go.mod", MODULE / "go.sum"]):
        total.update(source.name.encode() + b"\0" + hashlib.sha256(source.read_bytes()).digest())
    return total.hexdigest()


def _environment() -> dict[str, str]:
    return {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly -buildvcs=false", "CGO_ENABLED": "0"}


def _download(go: Path, say: Say) -> None:
    say("looking for the control plane's Go modules (about 600 MB the first time)")
    done = subprocess.run(
        [go, "mod", "download"],
        cwd=MODULE, env=_environment(), capture_output=True, text=True, check=False, timeout=DOWNLOAD_SECONDS,
    )  # fmt: skip
    if done.returncode:
        raise Unavailable(
            f"the control plane's Go modules can't be downloaded: {done.stderr.strip()[-500:]}. "
            "Make a Go module proxy reachable (GOPROXY)."
        )


def _build(go: Path, target: Path, say: Say) -> None:
    """Compile into a file of its own, then move it: whoever sees the binary sees all of it."""
    say("building the control plane (about five minutes the first time)")
    begun = time.monotonic()
    partial = target.with_suffix(".partial")
    done = subprocess.run(
        [go, "build", "-ldflags", _linker_flags(), "-o", partial, "."],
        cwd=MODULE, env=_environment(), capture_output=True, text=True, check=False, timeout=BUILD_SECONDS,
    )  # fmt: skip
    if done.returncode:
        raise BuildFailed(f"tests/cluster does not build:\n{done.stderr.strip()[-4000:]}")
    partial.rename(target)
    say(f"built the control plane in {time.monotonic() - begun:.0f} s")


def _linker_flags() -> str:
    """Set the version by hand: a module build leaves it at `v0.0.0-master+$Format…`, which kubectl can't parse."""
    match = re.search(r"^\s*k8s\.io/kubernetes (v1\.(\d+)\.\d+)$", (MODULE / "go.mod").read_text(), re.MULTILINE)
    assert match, "go.mod does not name k8s.io/kubernetes"
    values = {"gitVersion": match[1], "gitMajor": "1", "gitMinor": match[2], "gitTreeState": "clean"}
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return " ".join(["-s -w", *(f"-X {p}.{name}={value}" for p in packages for name, value in values.items())])


def _forget_old(*, keep: Path) -> None:
    for other in cache_directory().glob("controlplane-*"):
        if other != keep and other.is_dir() and time.time() - other.stat().st_mtime > KEPT_SECONDS:
            shutil.rmtree(other, ignore_errors=True)


def main() -> None:
    try:
        path = binary(lambda line: click.echo(line, err=True))
    except (Unavailable, BuildFailed) as error:
        sys.exit(str(error))
    click.echo(path)


if __name__ == "__main__":
    main()
