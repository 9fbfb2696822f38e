"""Where the following of one kind stands, and a second look at an object that a watch shows no more."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from controller.model import ObjectKey, Stalled, Transient
from controller.runtime import Clock
from controller.targets.kubernetes.connection import Connection, Request
from controller.targets.kubernetes.discovery import Resource
from controller.targets.kubernetes.seeing import Sight, see_answer

RETRY_SECONDS: Final = (1.0, 30.0)

Place = tuple[str, str, str]  # group-kind, api version and namespace, "" for all of them


class Follower:
    """Where one kind stands, in one namespace or in all of them."""

    __slots__ = ("is_listed", "is_new", "is_refused", "is_settled", "namespace", "resource", "seen", "since", "why")

    def __init__(self, resource: Resource, namespace: str, since: datetime) -> None:
        self.resource = resource
        self.namespace = namespace  # "" for all of them
        self.seen: set[ObjectKey] = set()  # in the LIST that is in progress
        self.is_listed = False
        self.since = since  # of what `why` says
        self.why = "it is being listed for the first time"  # "" while it is heard
        self.is_new = True  # no answer of any kind has come yet
        self.is_refused = False
        self.is_settled = False  # listed, or refused


async def looked_up(connection: Connection, clock: Clock, resource: Resource, key: ObjectKey) -> Sight | None:
    """GET an object; None when it is not there. While nobody answers it counts as it was."""
    pause = RETRY_SECONDS[0]
    while True:
        try:
            answer = await connection.send(Request("GET", resource.path(key.namespace, key.name)))
            if answer.status == 404:
                return None
            if answer.status == 200:
                return see_answer(answer.body)
            pause = max(pause, answer.retry_after_seconds)
        except (Transient, Stalled):
            pass  # the follower of its kind tells of that, and `Cache.members` with it
        await clock.sleep(pause)
        pause = min(pause * 2, RETRY_SECONDS[1])


def place_of(resource: Resource, namespace: str) -> Place:
    return (resource.group_kind, resource.api_version, namespace)
