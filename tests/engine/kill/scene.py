"""A small fleet of its own: two applications in two environments, on one cluster, with two versions of each."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from controller.model import CommitId
from controller.sandbox import GitHost
from tests.fixtures.processes import Converge

RECORDS = "converge-status"
PLACEMENTS = ("dev/shop", "dev/billing", "prod/shop")


@dataclass(frozen=True, slots=True)
class Scene:
    """One case: its installation, namespaces, repositories and folders are nobody else's."""

    folder: Path
    host: GitHost
    git_url: str  # of the proxy before the host
    api_url: str  # of the proxy before the API server
    token: str
    installation: str = field(default_factory=lambda: str(uuid.uuid4()))
    commits: dict[CommitId, str] = field(default_factory=dict)  # what each is called where cases are compared

    @property
    def prefix(self) -> str:
        return f"k{self.installation[:8]}"

    @property
    def namespaces(self) -> tuple[str, ...]:
        return tuple(f"{self.prefix}-{placement.replace('/', '-')}" for placement in PLACEMENTS)

    async def begin(self) -> None:
        """Make the repositories, and a credential store with a kubeconfig that leads to the proxy."""
        store = self.folder / "credentials" / "kubeconfig"
        store.mkdir(parents=True)
        (store / "kubeconfig").write_text(json.dumps(kubeconfig(self.api_url, self.token)))
        await self._create("shop", {"deploy/all.yaml": manifests(*shop(1))})
        await self._create("billing", {"deploy/all.yaml": manifests(*billing(1))})
        await self._create("platform", self._platform())

    async def move_on(self) -> None:
        """Commit the second version of both applications: some objects change, some go, one comes."""
        for name, objects in (("shop", shop(2)), ("billing", billing(2))):
            commit = await self.host.commit(name, {"deploy/all.yaml": manifests(*objects)}, message=f"{name} 2")
            self.commits[commit] = f"{name}-2"

    async def converge(self) -> Converge:
        """Start a controller that ends when all is at rest."""
        return await Converge.start(
            "run", "--once", "--timeout", "60", "--log-level", "debug",
            "--platform", f"{self.git_url}/platform.git",
            "--credentials", str(self.folder / "credentials"),
            "--cache", str(self.folder / "cache"),
            log=self.folder / "log",
        )  # fmt: skip

    async def _create(self, name: str, files: dict[str, bytes]) -> None:
        commit = await self.host.create(name, files)
        self.commits[commit] = f"{name}-1"

    def _platform(self) -> dict[str, bytes]:
        platform = {
            "apiVersion": "converge/v1", "kind": "Platform", "metadata": {"name": "test"},
            "spec": {
                "installation": self.installation,
                "repositories": {name: {"url": f"{self.git_url}/{name}.git"} for name in ("shop", "billing")},
                "records": {"branch": RECORDS},
            },
        }  # fmt: skip
        files: dict[str, Any] = {"converge.yaml": platform}
        for environment in ("dev", "prod"):
            files[f"environments/{environment}.yaml"] = self._environment(environment)
        return {path: manifests(value) for path, value in files.items()}

    def _environment(self, name: str) -> dict[str, Any]:
        applications = [one.partition("/")[2] for one in PLACEMENTS if one.startswith(f"{name}/")]
        return {
            "apiVersion": "converge/v1", "kind": "Environment", "metadata": {"name": name},
            "spec": {
                "targets": {"hangzhou": {"kubernetes": {}}},
                "applications": {
                    one: {
                        "repository": one, "path": "deploy", "revision": "main",
                        "namespace": f"{self.prefix}-{name}-{one}", "createNamespace": True,
                    }
                    for one in applications
                },
            },
        }  # fmt: skip


def kubeconfig(server: str, token: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": server}}],
        "users": [{"name": "test", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    }  # fmt: skip


def manifests(*objects: dict[str, Any]) -> bytes:
    return yaml.safe_dump_all(objects, sort_keys=False).encode()


def shop(version: int) -> list[dict[str, Any]]:
    web = {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": f"registry.example.com/web:{version}"}]},
            },
        },
    }  # fmt: skip
    service = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
    }  # fmt: skip
    return [config("settings", version), web, *([service] if version == 1 else [])]


def billing(version: int) -> list[dict[str, Any]]:
    gone_or_new = config("old", 1) if version == 1 else config("new", 1)
    return [config("rates", version), gone_or_new]


def config(name: str, version: int) -> dict[str, Any]:
    return {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"version": str(version)},
    }  # fmt: skip
