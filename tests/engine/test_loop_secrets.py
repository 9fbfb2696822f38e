"""Encrypted files through the whole loop: a key that comes late, and one that takes another's place."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from controller.engine import RevisionFound, Sops, Workshop
from controller.model import SyncStatus
from controller.render import Decryption
from controller.runtime import CredentialStore
from tests.cluster.api import Api
from tests.fixtures.age import AgeKey
from tests.fixtures.loop import Loop, config_map, dump
from tests.fixtures.sops import Encryption

pytestmark = pytest.mark.sops

SECRET = dump(
    {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "stringData": {"password": "0pen sesame"}}
)


@pytest.fixture
def house(loop: Loop, sops: Encryption) -> Path:
    """Let the loop decrypt, and give the folder that its keys belong in."""
    store = CredentialStore(loop.directory / "credentials")
    loop.workshop = Workshop({Decryption: Sops(store, str(sops.program))})
    folder = loop.directory / "credentials" / "sops"
    folder.mkdir(parents=True)
    return folder


def give(folder: Path, *keys: AgeKey) -> None:
    (folder / "age.key").write_text("\n".join(one.identity for one in keys))


async def test_a_key_that_comes_late_heals_without_a_commit(
    loop: Loop, live: Api, house: Path, sops: Encryption
) -> None:
    key = AgeKey()
    await loop.host.create("shop", {"deploy/db.yaml": sops.manifest(SECRET, key)})
    await loop.host.create("other", {"deploy/a.yaml": config_map("a", x="1")})
    await loop.platform({"shop": {}, "other": {}})
    async with loop.start() as controller:
        failed = await loop.report("shop", SyncStatus.FAILED)
        assert "deploy/db.yaml:1" in failed.reason
        assert "holds no key" in failed.reason
        await loop.synced("other")
        give(house, key)
        controller.credentials_moved()
        await loop.synced("shop")
        stored = await live.get("v1", "Secret", "db")
        assert base64.b64decode(stored["data"]["password"]) == b"0pen sesame"


async def test_another_key_is_a_commit_that_changes_nothing(
    loop: Loop, live: Api, house: Path, sops: Encryption
) -> None:
    old, new = AgeKey(), AgeKey()
    give(house, old)
    await loop.host.create("shop", {"deploy/db.yaml": sops.manifest(SECRET, old)})
    await loop.platform({"shop": {}})
    async with loop.start() as controller:
        first = await loop.synced("shop")
        before = await live.get("v1", "Secret", "db")
        give(house, old, new)
        controller.credentials_moved()
        commit = await loop.host.commit("shop", {"deploy/db.yaml": sops.manifest(SECRET, new)}, message="Rotate")
        give(house, new)
        mark = loop.mark()
        controller.poke()
        await loop.until(RevisionFound, lambda found: found.commit == commit, since=mark)
        await controller.settled()
        after = await live.get("v1", "Secret", "db")
        assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
        report = controller.board.of(first.placement)
        assert report is not None
        assert report.sync is SyncStatus.SYNCED
