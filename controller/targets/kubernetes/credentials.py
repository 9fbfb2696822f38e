"""How to reach a cluster and who we are there: a kubeconfig's context, or the pod's own service account.

The `kubernetes` package reads kubeconfigs, runs exec plug-ins and refreshes tokens. Importing it costs 35 MB and 300
ms, so a short child process (`login_child.py`) does it, for all contexts that are asked for at about the same time;
what it hands back stays in memory. Contexts that need a program or a server get a child of their own, so that a slow
one delays nobody else.
"""

from __future__ import annotations

import asyncio
import base64
import os
import sys
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import orjson

from controller.model import KubernetesTarget, Secret, Stalled, Transient
from controller.runtime import Credential, CredentialStore, bare_environment, run

CHILD: Final = Path(__file__).with_name("login_child.py")
CHILD_SECONDS: Final = 30.0
PLUGIN_SECONDS: Final = 60.0
PLUGINS_AT_ONCE: Final = 4
SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
POD_VARIABLES: Final = ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A server, what proves it to us, and what proves us to it."""

    server: str  # scheme, host and port (and a path, behind a proxy), without a slash at the end
    ca: bytes = b""  # PEM; empty: the machine's own authorities
    is_verified: bool = True  # False: `insecure-skip-tls-verify`
    server_name: str = ""  # to expect in the server's certificate; "" is the host's
    proxy: str = ""
    authorization: Secret | None = None  # the header's whole value
    certificate: bytes = b""  # PEM, with its chain
    key: Secret | None = None  # PEM
    token_path: str = ""  # a file that holds the bearer token, renewed by others: read again every minute
    expires_at: float = 0.0  # seconds since the epoch; 0: never

    @property
    def way(self) -> tuple[object, ...]:
        """Where it leads, and how that is proven: another way may lead to another cluster."""
        return (self.server, self.ca, self.is_verified, self.server_name, self.proxy)

    @property
    def tls(self) -> tuple[object, ...]:
        """What a TLS context and its connections are made of: while it stays equal, they are kept."""
        return (*self.way, self.certificate, self.key)


LoginSource: TypeAlias = Callable[[], Awaitable[Login]]  # raises Stalled or Transient


@dataclass(frozen=True, slots=True)
class Kubeconfig:
    """A kubeconfig's text, and the folder that relative paths in it start from."""

    text: Secret
    folder: Path


class Logins:
    """Resolves contexts to logins. One per process, so that many clusters share few children.

    `allowed_plugins` are commands exactly as kubeconfigs write them; `environment` is what plug-ins get to see beside
    the bare environment and their own `env`.
    """

    def __init__(
        self, *, allowed_plugins: Collection[str] = frozenset(), environment: Mapping[str, str] | None = None
    ) -> None:
        self._allowed = sorted(allowed_plugins)
        self._environment = dict(environment or {})
        self._answers: dict[tuple[Kubeconfig, str], asyncio.Future[dict[str, Any]]] = {}
        self._batch = asyncio.Lock()
        self._plugins = asyncio.Semaphore(PLUGINS_AT_ONCE)

    def source(self, target: KubernetesTarget, store: CredentialStore) -> TargetLogin:
        """Give the source of a target's logins: it reads the store anew each time, so that a rotated Secret counts."""
        return TargetLogin(self, target, store)

    async def context(self, kubeconfig: Kubeconfig, context: str) -> Login:
        """Log in as a context says ("": the current one). Raises Stalled or Transient."""
        answer = await self._batched(kubeconfig, context)
        if answer.get("plugin"):
            async with self._plugins:
                answer = (await self._ask(kubeconfig, [context], runs_plugins=True))[context]
        return _login(answer, f'context "{context}"' if context else "the current context")

    async def in_cluster(self, folder: Path = SERVICE_ACCOUNT) -> Login:
        """Log in as the pod's own service account. Raises Stalled outside a pod."""
        pod = {name: os.environ[name] for name in POD_VARIABLES if name in os.environ}
        answers = await _child({"service_account": str(folder)}, bare_environment(pod), CHILD_SECONDS)
        return _login(answers[""], "in-cluster")

    async def _batched(self, kubeconfig: Kubeconfig, context: str) -> dict[str, Any]:
        """Ask together with whoever else waits: the first to get the lock asks for all of them."""
        place = (kubeconfig, context)
        future = self._answers.get(place)
        if future is None:
            future = self._answers[place] = asyncio.get_running_loop().create_future()
        async with self._batch:
            if not future.done():
                await self._lead(kubeconfig)
            if self._answers.get(place) is future:
                del self._answers[place]
        return future.result()

    async def _lead(self, kubeconfig: Kubeconfig) -> None:
        contexts = [context for known, context in self._answers if known == kubeconfig]
        answers = await self._ask(kubeconfig, contexts, runs_plugins=False)
        for context in contexts:
            future = self._answers.pop((kubeconfig, context))
            if not future.done():
                future.set_result(answers[context])

    async def _ask(self, kubeconfig: Kubeconfig, contexts: Iterable[str], *, runs_plugins: bool) -> dict[str, Any]:
        question = {
            "kubeconfig": kubeconfig.text.reveal_text(),
            "folder": str(kubeconfig.folder),
            "contexts": list(contexts),
            "allowed": self._allowed,
            "runs_plugins": runs_plugins,
        }
        environment = bare_environment(self._environment if runs_plugins else None)
        return await _child(question, environment, PLUGIN_SECONDS if runs_plugins else CHILD_SECONDS)


class TargetLogin:
    """The source of one target's logins, which knows whether the store has another one than it gave last."""

    def __init__(self, logins: Logins, target: KubernetesTarget, store: CredentialStore) -> None:
        self._logins = logins
        self._target = target
        self._store = store
        self._name = target.kubeconfig or "kubeconfig"
        self._given: Credential | None = None  # what the last login was made of

    async def __call__(self) -> Login:
        if self._target.in_cluster:
            return await self._logins.in_cluster()
        found = self._store.get(self._name)
        if found.kubeconfig is None:
            raise Stalled(
                f'{self._target.name}: credential "{self._name}" has no file `kubeconfig`. Add it to the store.'
            )
        config = Kubeconfig(found.kubeconfig, self._store.root / self._name)
        login = await self._logins.context(config, self._target.context)
        self._given = found
        return login

    def has_moved(self) -> bool:
        """Tell whether something in the credential's folder is other than when it was last logged in with."""
        if self._target.in_cluster:
            return False
        try:
            return self._store.get(self._name) is not self._given
        except Stalled:
            return True


async def _child(question: Mapping[str, Any], environment: Mapping[str, str], seconds: float) -> dict[str, Any]:
    done = await run(
        [sys.executable, "-I", str(CHILD)],
        cwd=CHILD.parent,
        env=environment,
        deadline_seconds=seconds,
        stdin=orjson.dumps(question),
    )
    if done.returncode != 0:
        last = "".join(done.error_text.splitlines()[-1:])
        raise Stalled(f"the kubernetes package can't be used: {last[:300]}. Install Converge anew.")
    answers: dict[str, Any] = orjson.loads(done.stdout)
    return answers


def _login(answer: Mapping[str, Any], who: str) -> Login:
    if "error" in answer:
        raise (Stalled if answer["is_final"] else Transient)(f"{who}: {answer['error']}.")
    server = str(answer["server"]).rstrip("/")
    if not server.startswith(("https://", "http://")):
        raise Stalled(f'{who}: its cluster names no server ("{server}"). Write `server: https://…` in the kubeconfig.')
    key, authorization = answer.get("key"), answer.get("authorization")
    return Login(
        server=server,
        ca=base64.b64decode(answer.get("ca") or ""),
        is_verified=bool(answer.get("is_verified", True)),
        server_name=answer.get("server_name") or "",
        proxy=answer.get("proxy") or "",
        authorization=Secret(authorization) if authorization else None,
        certificate=base64.b64decode(answer.get("certificate") or ""),
        key=Secret(base64.b64decode(key)) if key else None,
        token_path=answer.get("token_path") or "",
        expires_at=float(answer.get("expires_at") or 0.0),
    )
