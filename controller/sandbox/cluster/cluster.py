"""The sandbox cluster as a whole: started, reached by a kubeconfig, ended."""

from __future__ import annotations

import asyncio
import json
import secrets
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from controller.sandbox.cluster.controllers import Loop
from controller.sandbox.cluster.controllers.pods import NODE
from controller.sandbox.cluster.http import Api
from controller.sandbox.cluster.objects import Objects, Request
from controller.sandbox.cluster.registry import Registry
from controller.sandbox.cluster.schema import Body
from controller.sandbox.cluster.store import Store

NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
SHUTDOWN_SECONDS = 1.0


class SandboxCluster:
    """A Kubernetes API in this process, on loopback, for the demo and the fast tests. Used as an async context manager.

    Its scope stands in the docstring of the package; tests/sandbox/contract holds it and a real control
    plane to the same behaviour. It has one user, who may do everything, known by `token`.
    """

    def __init__(self, *, port: int = 0) -> None:
        self.token = secrets.token_hex(16)
        self.server = ""  # its URL, once it is started
        self._port = port
        self._store = Store()
        registry = Registry(self._store)
        self._objects = Objects(self._store, registry)
        self._api = Api(self._store, registry, self._objects, self.token)
        self._runner: web.AppRunner | None = None
        self._loop: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._loop = asyncio.create_task(Loop(self._objects).run(), name="sandbox-controllers")
        self._furnish()
        self._runner = web.AppRunner(
            self._api.application(),
            shutdown_timeout=SHUTDOWN_SECONDS,
            access_log=None,
            handler_cancellation=True,  # a watch whose client went would wait for its next event
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self.server = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner:
            await self._runner.cleanup()
        if self._loop:
            self._loop.cancel()
            await asyncio.wait([self._loop])

    def kubeconfig(self, *, namespace: str = "default", name: str = "sandbox") -> Body:
        """Give a kubeconfig whose context, cluster and user are called `name`."""
        return {
            "apiVersion": "v1", "kind": "Config", "current-context": name,
            "clusters": [{"name": name, "cluster": {"server": self.server}}],
            "users": [{"name": name, "user": {"token": self.token}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": namespace}}],
        }  # fmt: skip

    def write_kubeconfig(self, path: Path, *, namespace: str = "default", name: str = "sandbox") -> Path:
        """Write the kubeconfig as JSON, which every reader of one takes for YAML; only its owner may read it."""
        path.touch(mode=0o600)
        path.write_text(json.dumps(self.kubeconfig(namespace=namespace, name=name), indent=2))
        return path

    def compact(self) -> None:
        """Forget the history, as a real cluster does every few minutes: older watches are Gone."""
        self._store.compact()

    def _furnish(self) -> None:
        """Make what every cluster has from its first moment on."""
        for name in NAMESPACES:
            self._create("Namespace", {"metadata": {"name": name}})
        node = {"metadata": {"name": NODE, "labels": {"kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux"}}}
        self._create("Node", node)
        rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}, {"nonResourceURLs": ["*"], "verbs": ["*"]}]
        self._create("ClusterRole", {"metadata": {"name": "cluster-admin"}, "rules": rules})

    def _create(self, kind: str, body: Body) -> None:
        known = self._objects.registry.builtin(kind)
        self._objects.create(Request(kind=known, manager="kube-apiserver"), body)
