"""A value is planted encrypted, and everything that Converge writes or says is searched for it (rule 9)."""

from __future__ import annotations

import base64

import pytest

from tests.cluster.api import Api
from tests.engine.test_secrets import secret
from tests.fixtures.age import AgeKey
from tests.fixtures.canary import CANARY, converge, everything_kept, found_in
from tests.fixtures.loop import Loop, dump
from tests.fixtures.sops import Encryption

pytestmark = [pytest.mark.slow, pytest.mark.sops]


async def test_a_decrypted_value_surfaces_nowhere(
    loop: Loop, live: Api, sops: Encryption, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVERGE_SOPS", str(sops.program))
    key = AgeKey()
    folder = loop.directory / "credentials" / "sops"
    folder.mkdir(parents=True)
    (folder / "age.key").write_text(key.identity)
    kustomization = {"kind": "Kustomization", "resources": ["db.yaml"],
                     "secretGenerator": [{"name": "made", "files": ["token"]}]}  # fmt: skip
    encrypted = {
        "deploy/kustomization.yaml": dump(kustomization),
        "deploy/db.yaml": sops.manifest(secret(CANARY), key),
        "deploy/token": sops.encrypt(CANARY.encode(), key, path="token"),
    }
    await loop.host.create("shop", encrypted)
    await loop.platform({"shop": {}}, spec={"secrets": "encrypted"})
    told = await converge(loop, "run", "--once", "--log-level", "debug", "--log-format", "json")
    stored = await live.get("v1", "Secret", "db")
    assert base64.b64decode(stored["data"]["password"]).decode() == CANARY, told
    for command in ("plan", "diff", "render", "status"):
        told += await converge(loop, command, *(("dev/shop",) if command in {"diff", "render"} else ()))
    explained = await converge(loop, "explain", "dev/shop", "Secret/db", "data.password")
    assert "deploy/db.yaml:" in explained
    told += explained + await converge(loop, "plan", "--output", "json")

    leak = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"x": CANARY}}
    wrong = {
        "a value in another object": {"deploy/db.yaml": sops.encrypt(dump(leak), key)},
        "a number where text belongs": {"deploy/db.yaml": sops.manifest(secret(CANARY) + b"  n: 5\n", key)},
        "somebody else's key": {"deploy/db.yaml": sops.manifest(secret(CANARY), AgeKey())},
        "a file that was tampered with": {
            "deploy/db.yaml": sops.encrypt(secret(CANARY), key, options=["--encrypted-regex", "^stringData$"]).replace(
                b"Opaque", b"Opacke"
            )
        },
    }
    for why, files in wrong.items():
        await loop.host.commit("shop", files, message=why)
        told += await converge(loop, "run", "--once", "--log-level", "debug")
        told += await converge(loop, "render", "dev/shop")
    assert "changed without sops" in told
    assert found_in(told) == []
    names = await loop.host.names("platform", branch="converge-status")
    records = "\n".join([await loop.host.show("platform", name, branch="converge-status") for name in names])
    history = "\n".join(await loop.host.log("platform", "converge-status", form="%B"))
    assert found_in(records + history) == []
    assert found_in(everything_kept(loop.directory / "cache")) == []
