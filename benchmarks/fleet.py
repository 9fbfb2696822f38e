"""The repositories of one run, as people have them: bare ones at a path, and clones that are pushed from."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from benchmarks.plane import Plane
from benchmarks.workload import Workload, application_files, written

GIT_SECONDS = 600
WARM = "warm"  # one application that runs before the clock starts: the controller is up, its connections are warm


@dataclass(frozen=True, slots=True)
class Fleet:
    """Call `begin` first: it leaves a platform that runs one small application."""

    folder: Path
    workload: Workload
    host: str = ""  # where a git host serves `folder`; "": the controller reads the paths themselves
    preflight: bool = True
    installation: str = field(default_factory=lambda: str(uuid.uuid4()))

    def bare(self, name: str) -> Path:
        return self.folder / f"{name}.git"

    def url(self, name: str) -> str:
        return f"{self.host}/{name}.git" if self.host else str(self.bare(name))

    async def begin(self, kubeconfig: bytes) -> None:
        self.log_in_by(kubeconfig)
        for name in ("apps", "platform"):
            await git(self.folder, "init", "-q", "--bare", "--initial-branch=main", str(self.bare(name)))
            await git(self.bare(name), "config", "http.receivepack", "true")
            await git(self.folder, "init", "-q", "--initial-branch=main", str(self.folder / name))
            await git(self.folder / name, "remote", "add", "origin", str(self.bare(name)))
        config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": WARM}, "data": {"warm": "1"}}
        await self.commit("apps", {**self.workload.files("v1"), f"{WARM}/config.yaml": yaml.safe_dump(config)})
        await self.push("apps")
        await self.commit("platform", self._platform())
        await self.push("platform")

    def log_in_by(self, kubeconfig: bytes) -> None:
        """Have controllers that start from now on log in so."""
        store = self.folder / "credentials" / "kubeconfig"
        store.mkdir(parents=True, exist_ok=True)
        (store / "kubeconfig").write_bytes(kubeconfig)

    def forget(self) -> None:
        """Take the controller's disk away: mirrors, renders, all of it is a cache."""
        shutil.rmtree(self.folder / "cache", ignore_errors=True)

    async def change_image(self, name: str, tag: str) -> None:
        """Commit another image of one application."""
        files = application_files(name, self.workload.namespace(name), tag)
        await self.commit("apps", {f"apps/{name}/{file}": text for file, text in files.items()})

    async def name_applications(self, *, absent: str = "") -> None:
        """Commit the entries of all applications to the platform, one of them as `absent`; the push deploys them."""
        entries = {
            name: {
                "repository": "apps", "path": f"apps/{name}", "revision": "main",
                "namespace": self.workload.namespace(name),
            }
            for name in self.workload.names()
        }  # fmt: skip
        if absent:
            entries[absent]["state"] = "absent"
        await self.commit("platform", {"environments/bench/applications.yaml": environment({"applications": entries})})

    async def change_images(self, tag: str) -> None:
        await self.commit("apps", self.workload.files(tag))

    async def commit(self, name: str, files: Mapping[str, str]) -> None:
        clone = self.folder / name
        for path, text in files.items():
            (clone / path).parent.mkdir(parents=True, exist_ok=True)
            (clone / path).write_text(text)
        await git(clone, "add", "-A")
        await git(clone, "commit", "-q", "-m", f"Change {name}")

    async def push(self, name: str) -> None:
        await git(self.folder / name, "push", "-q", "origin", "main")

    def _platform(self) -> dict[str, str]:
        platform = {
            "apiVersion": "converge/v1", "kind": "Platform", "metadata": {"name": "bench"},
            "spec": {
                "installation": self.installation,
                "repositories": {"apps": {"url": self.url("apps")}},
            },
        }  # fmt: skip
        first = self.workload.namespaces[0]
        warm = {"repository": "apps", "path": WARM, "revision": "main", "namespace": first}
        spec = {
            "targets": {"plane": {"kubernetes": {}}},
            "sync": {"preflight": self.preflight},
            "applications": {WARM: warm},
        }
        return {"converge.yaml": yaml.safe_dump(platform), "environments/bench/base.yaml": environment(spec)}


def environment(spec: Mapping[str, Any]) -> str:
    value = {"apiVersion": "converge/v1", "kind": "Environment", "metadata": {"name": "bench"}, "spec": dict(spec)}
    return written(value)


def kubeconfig(server: str, token: str, ca: Path | None) -> bytes:
    cluster = {"server": server, **({"certificate-authority": str(ca)} if ca else {})}
    value = {
        "apiVersion": "v1", "kind": "Config", "current-context": "bench",
        "clusters": [{"name": "bench", "cluster": cluster}],
        "users": [{"name": "bench", "user": {"token": token}}],
        "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
    }  # fmt: skip
    return json.dumps(value).encode()


@asynccontextmanager
async def fleet_on(plane: Plane, applications: int, *, preflight: bool = True) -> AsyncIterator[Fleet]:
    """Begin a fleet that is delivered to a control plane, in a folder that goes with the block."""
    workload = Workload(applications)
    await plane.make_namespaces(workload.namespaces)
    with tempfile.TemporaryDirectory(prefix="converge-bench-", ignore_cleanup_errors=True) as folder:
        fleet = Fleet(Path(folder), workload, preflight=preflight)
        await fleet.begin(direct(plane))
        yield fleet


def direct(plane: Plane) -> bytes:
    """Give the kubeconfig of the control plane itself."""
    return kubeconfig(plane.running.server, plane.running.token, Path(plane.running.ca))


async def git(folder: Path, *arguments: str) -> None:
    who = {f"GIT_{role}_{part}": "bench@example.com" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1", **who}
    process = await asyncio.create_subprocess_exec("git", *arguments, cwd=folder, env=environment)
    async with asyncio.timeout(GIT_SECONDS):
        if await process.wait():
            raise subprocess.CalledProcessError(1, ["git", *arguments])
