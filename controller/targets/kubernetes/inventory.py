"""What a placement has on a cluster: its ApplySet parent, a ConfigMap in `converge-system` (KEP-3659).

The parent names group-kinds and namespaces before the first object of them is written, so that a crash between any two
writes leaks nothing: whoever comes next knows where to look. It also keeps what no member can: the revision that was
applied last, which objects were part of it, and the Jobs that ran to their end (whatever their TTL took away since).
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import orjson

from controller.model import CommitId, Digest, InstallationId, ObjectKey, PlacementRef, Revision, Transient
from controller.targets.kubernetes.cache import Cache
from controller.targets.kubernetes.connection import JSON, Connection, Request
from controller.targets.kubernetes.errors import refusal
from controller.targets.kubernetes.kept_hooks import DATA
from controller.targets.kubernetes.labels import (
    APPLYSET_GROUP_KINDS_ANNOTATION,
    APPLYSET_ID_LABEL,
    APPLYSET_NAMESPACES_ANNOTATION,
    APPLYSET_TOOLING_ANNOTATION,
    INSTALLATION_LABEL,
    MANAGER,
    OWNER_ANNOTATION,
    SYSTEM_NAMESPACE,
    TOOLING,
    Owner,
    applyset_id,
    installation_hash,
    parent_key,
)
from controller.targets.kubernetes.status import is_missing_namespace, is_modified, read_status

REVISION_ANNOTATION: Final = "converge/revision"  # application and platform commit that were applied completely
APPLIED_ANNOTATION: Final = "converge/applied-digest"  # the digest of that Desired
OBJECTS_ANNOTATION: Final = "converge/objects"  # a hash per object of that Desired
KEPT_ANNOTATION: Final = "converge/kept"  # previous versions of generated objects, kept for a rollback
ACCOUNT_ANNOTATION: Final = "converge/service-account"  # `namespace:name`
FINISHED_ANNOTATION: Final = "converge/finished-jobs"  # Jobs that ran to their end, with the digest they ran at
FAILED_ANNOTATION: Final = "converge/failed-jobs"  # the same of those that failed
ATTEMPTS: Final = 5
REMEMBERED: Final = 64  # inventories that were read

BY_MANAGER: Final = ("fieldManager", MANAGER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What a parent says."""

    group_kinds: frozenset[str] = frozenset()
    home: str = SYSTEM_NAMESPACE  # the parent's own namespace
    namespaces: frozenset[str] = frozenset()  # beside it
    revision: Revision | None = None
    digest: Digest | None = None
    objects: str = ""  # base64 of sorted four-byte hashes
    kept: frozenset[str] = frozenset()  # object keys, as text
    finished: Mapping[str, Digest] = field(default_factory=dict)  # by object key, as text
    failed: Mapping[str, Digest] = field(default_factory=dict)  # those of them that failed in the end
    hooks: str = ""  # of its deletion, packed (`kept_hooks`)
    account: str = ""  # the service account in whose place it is written: it also takes away what left git

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing was ever said."""
        return self == Inventory(home=self.home)

    def covers(self, keys: Iterable[ObjectKey]) -> bool:
        """Tell whether somebody who reads this parent would find all of these."""
        return self.widened(keys) == self

    def widened(self, keys: Iterable[ObjectKey]) -> Inventory:
        """Add the group-kinds and namespaces of objects that are about to be written."""
        found = tuple(keys)
        return replace(
            self,
            group_kinds=self.group_kinds | {one.group_kind for one in found},
            namespaces=self.namespaces | ({one.namespace for one in found} - {"", self.home}),
        )

    def has_loose_ends(self, members: Iterable[ObjectKey]) -> bool:
        """Tell whether it names kinds of which nothing is left: a run died between a deletion and saying so here."""
        finished = {text.partition(" ")[0] for text in (*self.finished, *self.failed)}
        return not self.group_kinds <= {one.group_kind for one in members} | finished

    def written_by(self, account: str) -> Inventory:
        """Name the account in whose place the objects are written."""
        return replace(self, account=account)

    def narrowed(self, keys: Iterable[ObjectKey]) -> Inventory:
        """Name exactly the group-kinds and namespaces of these objects."""
        return replace(self, group_kinds=frozenset(), namespaces=frozenset()).widened(keys)

    def applied(self, revision: Revision, digest: Digest, keys: Iterable[ObjectKey]) -> Inventory:
        """Say that a revision's objects are all written."""
        return replace(self, revision=revision, digest=digest, objects=_hashes(keys))

    def named(self, key: ObjectKey) -> bool:
        """Tell whether the object was part of the revision that was applied last."""
        wanted = _hash(key)
        hashes = base64.b64decode(self.objects)
        return any(hashes[index : index + 4] == wanted for index in range(0, len(hashes), 4))

    def has_run(self, key: ObjectKey, digest: Digest) -> bool:
        """Tell whether a Job or hook of this content came to its end already, be it a failure."""
        if not self.finished and not self.failed:
            return False
        return digest in {self.finished.get(str(key)), self.failed.get(str(key))}

    def with_jobs(self, finished: Mapping[str, Digest], failed: Mapping[str, Digest]) -> Inventory:
        """Note Jobs that ran to their end: each as it ended last."""
        return replace(
            self,
            finished={key: one for key, one in {**self.finished, **finished}.items() if key not in failed},
            failed={key: one for key, one in {**self.failed, **failed}.items() if key not in finished},
        )

    def jobs_among(self, digests: Mapping[str, Digest]) -> Inventory:
        """Forget the Jobs that are not desired any more, or with another content."""
        return replace(
            self,
            finished={key: one for key, one in self.finished.items() if digests.get(key) == one},
            failed={key: one for key, one in self.failed.items() if digests.get(key) == one},
        )


EMPTY: Final = Inventory()


def _hash(key: ObjectKey) -> bytes:
    return zlib.crc32(str(key).encode()).to_bytes(4, "big")


def _hashes(keys: Iterable[ObjectKey]) -> str:
    return base64.b64encode(b"".join(sorted(_hash(key) for key in keys))).decode()


def read_inventory(live: Mapping[str, Any]) -> Inventory:
    """Read a parent. What somebody spoiled by hand reads as if it were not there: it only costs a closer look."""
    metadata = live.get("metadata") or {}
    annotations = metadata.get("annotations") or {}
    commits = annotations.get(REVISION_ANNOTATION, "").split(" ")
    return Inventory(
        group_kinds=_names(annotations.get(APPLYSET_GROUP_KINDS_ANNOTATION, "")),
        home=str(metadata.get("namespace") or SYSTEM_NAMESPACE),
        namespaces=_names(annotations.get(APPLYSET_NAMESPACES_ANNOTATION, "")),
        revision=Revision(CommitId(commits[0]), CommitId(commits[1])) if len(commits) == 2 else None,
        digest=Digest(annotations[APPLIED_ANNOTATION]) if annotations.get(APPLIED_ANNOTATION) else None,
        hooks=str((live.get("data") or {}).get(DATA, "")),
        account=annotations.get(ACCOUNT_ANNOTATION, ""),
        objects=_base64(annotations.get(OBJECTS_ANNOTATION, "")),
        kept=frozenset(str(one) for one in _json(annotations.get(KEPT_ANNOTATION, ""), list)),
        finished=_digests(annotations.get(FINISHED_ANNOTATION, "")),
        failed=_digests(annotations.get(FAILED_ANNOTATION, "")),
    )


def _names(text: str) -> frozenset[str]:
    return frozenset(one for one in text.split(",") if one)


def _base64(text: str) -> str:
    try:
        base64.b64decode(text, validate=True)
    except ValueError:
        return ""
    return text


def _digests(text: str) -> Mapping[str, Digest]:
    return {str(key): Digest(str(digest)) for key, digest in _json(text, dict).items()}


def _json(text: str, kind: type[Any]) -> Any:
    if not text:
        return kind()
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return kind()
    return value if isinstance(value, kind) else kind()


def parent_body(inventory: Inventory, installation: InstallationId, placement: PlacementRef) -> dict[str, Any]:
    """Write a parent: the same inventory gives the same body."""
    key = parent_key(installation, placement, inventory.home)
    annotations = {
        OWNER_ANNOTATION: Owner(installation, placement, key).annotation(),
        APPLYSET_TOOLING_ANNOTATION: TOOLING,
        APPLYSET_GROUP_KINDS_ANNOTATION: ",".join(sorted(inventory.group_kinds)),
        APPLYSET_NAMESPACES_ANNOTATION: ",".join(sorted(inventory.namespaces)),
    }
    if inventory.revision is not None and inventory.digest is not None:
        annotations[REVISION_ANNOTATION] = f"{inventory.revision.application} {inventory.revision.platform}"
        annotations[APPLIED_ANNOTATION] = inventory.digest
        annotations[OBJECTS_ANNOTATION] = inventory.objects
    if inventory.account:
        annotations[ACCOUNT_ANNOTATION] = inventory.account
    if inventory.kept:
        annotations[KEPT_ANNOTATION] = orjson.dumps(sorted(inventory.kept)).decode()
    for name, jobs in ((FINISHED_ANNOTATION, inventory.finished), (FAILED_ANNOTATION, inventory.failed)):
        if jobs:
            annotations[name] = orjson.dumps(dict(jobs), option=orjson.OPT_SORT_KEYS).decode()
    labels = {INSTALLATION_LABEL: installation_hash(installation), APPLYSET_ID_LABEL: applyset_id(key)}
    metadata = {"name": key.name, "namespace": key.namespace, "labels": labels, "annotations": annotations}
    data = {"data": {DATA: inventory.hooks}} if inventory.hooks else {}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **data}


@dataclass(frozen=True, slots=True)
class Stored:
    """An inventory as the cluster holds it."""

    inventory: Inventory
    uid: str
    resource_version: str


class Inventories:
    """The parents of one installation on one cluster: read from the cache, written by compare-and-swap.

    What we wrote last is remembered until the cache has seen it, so that nobody reads an older state than he wrote.
    """

    def __init__(
        self, connection: Connection, cache: Cache, installation: InstallationId, *, home: str = SYSTEM_NAMESPACE
    ) -> None:
        self._connection = connection
        self._cache = cache
        self._installation = installation
        self._empty = Inventory(home=home)
        self._written: dict[PlacementRef, Stored] = {}
        self._read: dict[PlacementRef, Stored] = {}  # of the last few: a run asks again and again

    def key(self, placement: PlacementRef) -> ObjectKey:
        """Name a placement's parent."""
        return parent_key(self._installation, placement, self._empty.home)

    def stored(self, placement: PlacementRef) -> Stored | None:
        """Give a placement's inventory; None when it has no parent. Raises Transient while the cache can't tell."""
        seen = self._cache.parent(placement)
        written = self._written.get(placement)
        if written is not None and (seen is None or _is_older(seen.resource_version, written.resource_version)):
            return written
        self._written.pop(placement, None)
        if seen is None:
            return None
        known = self._read.get(placement)
        if known is None or (known.uid, known.resource_version) != (seen.uid, seen.resource_version):
            known = Stored(read_inventory(seen.live()), seen.uid, seen.resource_version)
            self._read[placement] = known
            if len(self._read) > REMEMBERED:
                del self._read[next(iter(self._read))]
        return known

    def inventory(self, placement: PlacementRef) -> Inventory:
        """Give what a placement's parent says, nothing where there is none."""
        stored = self.stored(placement)
        return stored.inventory if stored else self._empty

    async def update(self, placement: PlacementRef, change: Callable[[Inventory], Inventory]) -> None:
        """Change a parent, creating it where there is none; nothing when it says so already.

        Raises Transient when others keep writing it, and what the server's refusals mean.
        """
        stored = self.stored(placement)
        for _ in range(ATTEMPTS):
            before = stored.inventory if stored else self._empty
            wanted = change(before)
            if wanted == before:
                return
            written = await self._write(placement, wanted, stored)
            if written is not None:
                self._written[placement] = written
                return
            stored = await self._get(placement)
        key = self.key(placement)
        raise Transient(f"{key}: somebody else keeps changing it. Does another controller run as this installation?")

    async def remove(self, placement: PlacementRef) -> None:
        """Delete a parent whose last member is gone."""
        key = self.key(placement)
        stored = await self._get(placement)
        if stored is not None:
            preconditions = {"uid": stored.uid, "resourceVersion": stored.resource_version}
            body = orjson.dumps({"preconditions": preconditions})
            response = await self._connection.send(Request("DELETE", _path(key), (), body, JSON))
            if response.status not in {200, 202, 404}:
                raise refusal(response, key)
            self._cache.note_deleted(key, stored.uid)
        self._written.pop(placement, None)

    async def _get(self, placement: PlacementRef) -> Stored | None:
        key = self.key(placement)
        response = await self._connection.send(Request("GET", _path(key)))
        if response.status == 404:
            return None
        if response.status != 200:
            raise refusal(response, key)
        return _stored(response.body)

    async def _write(self, placement: PlacementRef, wanted: Inventory, stored: Stored | None) -> Stored | None:
        """Create or replace a parent; None when it is not as we thought."""
        key = self.key(placement)
        body = parent_body(wanted, self._installation, placement)
        if stored is None:
            request = Request("POST", _path(key, of_collection=True), (BY_MANAGER,), orjson.dumps(body), JSON)
        else:
            body["metadata"] |= {"uid": stored.uid, "resourceVersion": stored.resource_version}
            request = Request("PUT", _path(key), (BY_MANAGER,), orjson.dumps(body), JSON)
        response = await self._connection.send(request)
        if response.status in {200, 201}:
            return _stored(response.body)
        if is_missing_namespace(response) == SYSTEM_NAMESPACE:
            await create_system_namespace(self._connection)
            return None
        is_gone = response.status == 404 and stored is not None
        is_there = response.status == 409 and read_status(response).reason == "AlreadyExists"
        if is_gone or is_there or is_modified(response):
            return None
        raise refusal(response, key)


async def create_system_namespace(connection: Connection) -> None:
    """Create the namespace that parents and Leases live in; it belongs to no installation and is never pruned."""
    key = ObjectKey("", "Namespace", "", SYSTEM_NAMESPACE)
    body = orjson.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM_NAMESPACE}})
    response = await connection.send(Request("POST", "/api/v1/namespaces", (BY_MANAGER,), body, JSON))
    is_there = response.status == 409 and read_status(response).reason == "AlreadyExists"
    if response.status not in {200, 201} and not is_there:
        raise refusal(response, key)


def _path(key: ObjectKey, *, of_collection: bool = False) -> str:
    collection = f"/api/v1/namespaces/{key.namespace}/configmaps"
    return collection if of_collection else f"{collection}/{key.name}"


def _stored(body: bytes) -> Stored:
    live = orjson.loads(body)
    return Stored(read_inventory(live), live["metadata"]["uid"], live["metadata"]["resourceVersion"])


def _is_older(one: str, other: str) -> bool:
    """Compare resource versions, which a conformant server makes comparable as numbers (KEP-5504)."""
    return int(one) < int(other) if one.isdigit() and other.isdigit() else one != other
