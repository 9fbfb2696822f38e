"""Carries a Dockerfile's steps out in folders, by chroot: what a container engine does, without one.

Needs root that may mount, debootstrap and a Debian mirror. The base is made once and kept beside the other things that
are expensive to make. What RUN steps are told of the network (proxies, an index, certificates) is what this process was
told.
"""

from __future__ import annotations

import fnmatch
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster.cache import cache_directory, locked
from tests.image.dockerfile import Stage, Step

RELEASE = "bookworm"  # Debian 12
STEP_SECONDS = 900
BUNDLE = "run/builder/ca.crt"
NETWORK = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "PIP_INDEX_URL")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# Seen by the command alone, and gone with it. What is written to /dev of a base would stay in the image: a package's
# script that moves a file over /dev/null was seen.
MOUNT = """
set -e
mount -t proc proc "$1/proc"
mount -t tmpfs tmpfs "$1/dev"
cp --archive -- "$2/." "$1/dev"
shift 2
exec "$@"
"""


class Unavailable(Exception):
    """An image can't be built on this machine; the message says what is missing."""


@dataclass(slots=True)
class Image:
    """A root folder and the settings that go with it."""

    root: Path
    env: dict[str, str] = field(default_factory=lambda: {"PATH": PATH})
    user: str = "0:0"
    folder: str = "/"
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()

    def run(self, argv: Sequence[str], *, network: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command inside as the image's user, in its folder, with a /dev and a /proc of its own."""
        change = f'cd "{self.folder}" && exec "$@"'
        inside = (_place("chroot"), f"--userspec={self.user}", str(self.root), "/bin/sh", "-c", change, "sh", *argv)
        apart = (_place("unshare"), "--mount", "--propagation", "private", "/bin/sh", "-c", MOUNT, "sh")
        return subprocess.run(
            [*apart, str(self.root), str(debian() / "dev"), *inside],
            env={**self._home(), **self.env, **(network or {})},
            capture_output=True, text=True, check=False, timeout=STEP_SECONDS,
        )  # fmt: skip

    def _home(self) -> Mapping[str, str]:
        uid = self.user.partition(":")[0]
        accounts = [line.split(":") for line in (self.root / "etc/passwd").read_text().splitlines()]
        return {"HOME": next((one[5] for one in accounts if one[2] == uid), "/")}


def _place(program: str) -> str:
    """Give a program of this machine in full: the image's PATH is not ours."""
    return shutil.which(program) or program


def build(stages: Sequence[Stage], context: Path, images: Mapping[str, Path], folder: Path) -> Image:
    """Build every stage in a folder of its own, and give the last. Raises ChildProcessError for a step that fails."""
    built: dict[str, Image] = {}
    image = Image(folder)
    for number, stage in enumerate(stages):
        image = Image(folder / str(number))
        shutil.copytree(images[stage.base], image.root, symlinks=True, ignore=_without_devices)  # /dev/full never ends
        for step in stage.steps:
            _carry_out(step, image, context, built)
        built[stage.name or str(number)] = image
    return image


def _without_devices(folder: str, names: Sequence[str]) -> list[str]:
    """Leave out what is no file, folder or link: a copy of a device is a copy of all that it ever says."""
    kinds = stat.S_ISREG, stat.S_ISDIR, stat.S_ISLNK
    return [name for name in names if not any(is_kind(os.lstat(f"{folder}/{name}").st_mode) for is_kind in kinds)]


def _clone(base: Path, root: Path) -> None:
    """Copy a root folder as it is: a device stays one (who reads /dev/zero to copy it fills the disk)."""
    root.mkdir(parents=True)
    subprocess.run(["cp", "--archive", "--", f"{base}/.", str(root)], check=True, timeout=STEP_SECONDS)


def debian() -> Path:
    """Give the root folder of a minimal Debian, made where it is missing. Raises Unavailable."""
    if os.geteuid() != 0:
        raise Unavailable("only root may chroot")
    missing = [name for name in ("debootstrap", "chroot", "unshare") if shutil.which(name) is None]
    if missing:
        raise Unavailable(f"{missing[0]} is missing: install it")
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False, timeout=60).returncode:
        raise Unavailable("this root may not mount (a container without CAP_SYS_ADMIN?)")
    target = cache_directory() / f"debian-{RELEASE}"
    with locked(target):
        if not target.exists():
            partial = target.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            argv = ["debootstrap", "--variant=minbase", RELEASE, str(partial)]
            done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=STEP_SECONDS)
            if done.returncode:
                shutil.rmtree(partial, ignore_errors=True)
                raise Unavailable(f"debootstrap failed (no Debian mirror in reach?): {done.stdout[-500:]}")
            partial.rename(target)
    return target


def _carry_out(step: Step, image: Image, context: Path, built: Mapping[str, Image]) -> None:
    match step.name:
        case "RUN":
            _run(step, image)
        case "COPY":
            _copy(step, image, context, built)
        case "ENV":
            name, _, value = step.text.partition("=")
            image.env[name] = value
        case "WORKDIR":
            image.folder = step.text
            (image.root / step.text.lstrip("/")).mkdir(parents=True, exist_ok=True)
        case "USER":
            image.user = step.text
        case "ENTRYPOINT":
            image.entrypoint = step.argv
        case "CMD":
            image.command = step.argv


def _run(step: Step, image: Image) -> None:
    network = _lend_network(image.root)
    try:
        done = image.run(step.argv, network=network)
    finally:
        shutil.rmtree(image.root / Path(BUNDLE).parent, ignore_errors=True)
    if done.returncode:
        raise ChildProcessError(f"RUN {step.text}\nended with {done.returncode}:\n{done.stdout}{done.stderr}")


def _lend_network(root: Path) -> Mapping[str, str]:
    """Give a step the machine's name server, certificates and package index for as long as it runs."""
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    found = {name: os.environ[name] for name in NETWORK if name in os.environ}
    index = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", "global.index-url"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    if index.returncode == 0:
        found.setdefault("PIP_INDEX_URL", index.stdout.strip())
    bundle = Path(os.environ.get("PIP_CERT") or "/etc/ssl/certs/ca-certificates.crt")
    if bundle.exists():
        (root / BUNDLE).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(bundle, root / BUNDLE)
        found["PIP_CERT"] = f"/{BUNDLE}"
    return found


def _copy(step: Step, image: Image, context: Path, built: Mapping[str, Image]) -> None:
    *sources, target = step.words
    stage = step.options.get("from")
    origin = built[stage].root if stage else context
    ignored = [] if stage else (context / ".dockerignore").read_text().splitlines()
    place = Path(image.folder, target)
    for source in sources:
        found = origin / source.lstrip("/")
        to = image.root / str(place / Path(source).name if target.endswith("/") else place).lstrip("/")
        if not stage and not is_sent(source, ignored):
            raise ChildProcessError(f"COPY {source}: .dockerignore leaves it out")
        to.parent.mkdir(parents=True, exist_ok=True)
        if found.is_dir():
            shutil.copytree(found, to, symlinks=True, dirs_exist_ok=True, ignore=None if stage else _leave_out)
        else:
            shutil.copy(found, to)


def _leave_out(_folder: str, names: list[str]) -> set[str]:
    return {name for name in names if name == "__pycache__" or name.endswith(".pyc")}


def is_sent(path: str, ignored: Sequence[str]) -> bool:
    """Tell whether a path is part of the build context: the last rule that speaks of it, or of its folder, counts."""
    sent = True
    for rule in (line.strip() for line in ignored if line.strip() and not line.startswith("#")):
        pattern = rule.lstrip("!")
        parents = [path, *(str(parent) for parent in Path(path).parents if str(parent) != ".")]
        if any(fnmatch.fnmatch(one, pattern) for one in parents):
            sent = rule.startswith("!")
    return sent
