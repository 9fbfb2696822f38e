"""Which cluster a context points at: known by the uid of its `kube-system` namespace (rule 13).

A context that suddenly points at another cluster would show nothing of ours, and everything would be made anew there.
So whenever another server may answer (`Connection` tells when), and before each burst of writes, the cluster is asked
who it is; where a login leads to another address, before anything else is asked there. A server that is replaced
while every connection to the one before it lives on is seen when one of them ends.
"""

from __future__ import annotations

import asyncio
from typing import Final

import orjson

from controller.model import ObjectKey, Stalled
from controller.targets.kubernetes.errors import refusal
from controller.targets.kubernetes.exchange import Request, Sender

KUBE_SYSTEM: Final = ObjectKey("", "Namespace", "", "kube-system")


class Identity:
    """Who a target is. `known` is its uid, when somebody remembers it; else the first answer counts.

    `is_hidden`: we may see single namespaces only, kube-system not among them, and nobody is asked.
    """

    def __init__(self, name: str, known: str = "", *, is_hidden: bool = False) -> None:
        self._name = name
        self._is_hidden = is_hidden
        self.uid = known
        self.is_certain = False
        self._asking = asyncio.Lock()

    def doubt(self) -> None:
        self.is_certain = False

    async def verify(self, connection: Sender) -> None:
        """Ask the cluster who it is, unless we are certain. Raises Stalled when it is another one."""
        if self.is_certain or self._is_hidden:
            return
        async with self._asking:  # who comes while it is asked takes that answer
            if not self.is_certain:
                await self._ask(connection)

    async def vet(self, line: Sender) -> None:
        """Ask who answers over a line that nobody used yet. Raises Stalled when it is another one."""
        if not self._is_hidden:
            await self._ask(line)

    async def _ask(self, connection: Sender) -> None:
        response = await connection.send(Request("GET", "/api/v1/namespaces/kube-system"))
        if response.status in {403, 404}:  # rights in single namespaces only: nobody can tell
            self.is_certain = True
            return
        if response.status != 200:
            raise refusal(response, KUBE_SYSTEM)
        uid = str(orjson.loads(response.body)["metadata"]["uid"])
        if self.uid and uid != self.uid:
            raise Stalled(
                f"{self._name}: this is another cluster than before (kube-system has uid {uid}, not {self.uid}). "
                f"Point the context back, or give the new cluster a target of its own, or say `uid: {uid}`"
            )
        self.uid = uid
        self.is_certain = True
