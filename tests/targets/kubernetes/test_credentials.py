"""Kubeconfigs and pods: read by the kubernetes package in a child process."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.model import PLATFORM, CommitId, KubernetesTarget, Origin, Secret, Stalled, TargetName, Transient
from controller.runtime import CredentialStore
from controller.targets.kubernetes.connection import Connection, Request
from controller.targets.kubernetes.credentials import Kubeconfig, Login, Logins
from tests.cluster.access import KubeAccess

pytestmark = pytest.mark.slow

CANARY = "c4n4ry-0f-a-t0ken"
SERVER = "https://cluster.example.com:6443"


def kubeconfig(folder: Path, user: dict[str, Any], **cluster: Any) -> Kubeconfig:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": SERVER, **cluster}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "one",
    }
    return Kubeconfig(Secret(yaml.safe_dump(config)), folder)


def script(folder: Path, body: str) -> str:
    path = folder / "plugin"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o700)
    return str(path)


def plugin(command: str, **more: Any) -> dict[str, Any]:
    asked = {"apiVersion": "client.authentication.k8s.io/v1", "command": command, "interactiveMode": "Never"}
    return {"exec": asked | more}


def credential(**status: Any) -> str:
    said = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}
    return f"echo '{json.dumps(said)}'"


AUTHORITY = base64.b64encode(b"an authority").decode()
ENTRIES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {  # by context: a user and a cluster entry
    "token": (
        {"token": CANARY},
        {
            "certificate-authority-data": AUTHORITY,
            "tls-server-name": "other.example.com",
            "proxy-url": "http://proxy:3128",
        },
    ),
    "files": (
        {"client-certificate": "client.crt", "client-key": "client.key"},
        {"certificate-authority": "ca.crt"},
    ),
    "token file": ({"tokenFile": "token"}, {}),
    "password": ({"username": "me", "password": "pw"}, {}),
    "unverified": ({}, {"insecure-skip-tls-verify": True}),
    "no server": ({}, {"server": ""}),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kubeconfig")
    for name in ("ca.crt", "client.crt", "client.key", "token"):
        (folder / name).write_text(name)
    return folder


@pytest.fixture(scope="module")
def logins(folder: Path) -> dict[str, Login | BaseException]:
    """Log in to every context at about the same time: one child answers for all of them."""
    config = {
        "clusters": [{"name": name, "cluster": {"server": SERVER} | entry[1]} for name, entry in ENTRIES.items()],
        "users": [{"name": name, "user": entry[0]} for name, entry in ENTRIES.items()],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}} for name in ENTRIES],
        "current-context": "password",
    }
    asked = [*ENTRIES, "", "not there", "token"]

    async def answers() -> list[Login | BaseException]:
        one = Logins()
        text = Kubeconfig(Secret(yaml.safe_dump(config)), folder)
        return await asyncio.gather(*(one.context(text, name) for name in asked), return_exceptions=True)

    return dict(zip(asked, asyncio.run(answers()), strict=True))


def test_a_token_with_everything_a_cluster_entry_may_say(logins: dict[str, Login]) -> None:
    assert logins["token"] == Login(
        server=SERVER,
        ca=b"an authority",
        server_name="other.example.com",
        proxy="http://proxy:3128",
        authorization=Secret(f"Bearer {CANARY}"),
    )
    assert CANARY not in repr(logins)


def test_the_current_context_is_taken_where_none_is_named(logins: dict[str, Login]) -> None:
    assert logins[""] == logins["password"]


def test_files_beside_the_kubeconfig_are_read_from_its_folder(logins: dict[str, Login]) -> None:
    login = logins["files"]
    assert (login.ca, login.certificate, login.key) == (b"ca.crt", b"client.crt", Secret("client.key"))
    assert login.authorization is None


def test_a_token_file_is_handed_on_by_its_path(logins: dict[str, Login], folder: Path) -> None:
    assert logins["token file"].token_path == str(folder / "token")


def test_user_and_password_are_basic_authentication(logins: dict[str, Login]) -> None:
    assert logins["password"].authorization == Secret("Basic " + base64.b64encode(b"me:pw").decode())


def test_an_unverified_server_is_taken_as_one(logins: dict[str, Login]) -> None:
    assert not logins["unverified"].is_verified


def test_a_context_that_is_not_there_is_named(logins: dict[str, Exception]) -> None:
    assert isinstance(logins["not there"], Stalled)
    assert 'context "not there"' in str(logins["not there"])


def test_a_cluster_without_a_server_is_stalled(logins: dict[str, Exception]) -> None:
    assert isinstance(logins["no server"], Stalled)
    assert "names no server" in str(logins["no server"])


async def test_an_allowed_plugin_is_run_and_its_token_expires_when_it_says(tmp_path: Path) -> None:
    said = credential(token=CANARY, expirationTimestamp="2030-01-01T00:00:00Z")
    command = script(tmp_path, said)
    login = await Logins(allowed_plugins={command}).context(kubeconfig(tmp_path, plugin(command)), "one")
    assert login.authorization == Secret(f"Bearer {CANARY}")
    assert login.expires_at == 1893456000.0


async def test_a_plugin_may_give_a_certificate(tmp_path: Path) -> None:
    command = script(tmp_path, credential(clientCertificateData="cert", clientKeyData="key"))
    login = await Logins(allowed_plugins={command}).context(kubeconfig(tmp_path, plugin(command)), "one")
    assert (login.certificate, login.key) == (b"cert", Secret("key"))


async def test_a_plugin_sees_its_own_environment_and_little_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIDDEN", "from-us")
    command = script(tmp_path, credential(token="%s").replace("echo", "printf") + ' "[$HIDDEN][$GIVEN][$MINE]"')
    logins = Logins(allowed_plugins={command}, environment={"GIVEN": "given"})
    user = plugin(command, env=[{"name": "MINE", "value": "mine"}])
    login = await logins.context(kubeconfig(tmp_path, user), "one")
    assert login.authorization == Secret("Bearer [][given][mine]")


@pytest.mark.parametrize(
    "user",
    [
        plugin("/usr/bin/touch", args=["ran"]),
        {"auth-provider": {"name": "gcp", "config": {"cmd-path": "/usr/bin/touch ran"}}},
    ],
    ids=["exec", "auth-provider"],
)
async def test_a_program_that_is_not_on_the_list_is_never_run(user: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(Stalled, match=r"`/usr/bin/touch`.*not on the list of allowed plug-ins.*CONVERGE_EXEC_PLUGINS"):
        await Logins(allowed_plugins={"touch"}).context(kubeconfig(tmp_path, user), "one")
    assert not (tmp_path / "ran").exists()


async def test_a_plugin_that_fails_is_tried_again_and_says_why(tmp_path: Path) -> None:
    command = script(tmp_path, "echo 'the token service is down' >&2; exit 3")
    with pytest.raises(Transient, match=r"process returned 3.*token service is down"):
        await Logins(allowed_plugins={command}).context(kubeconfig(tmp_path, plugin(command)), "one")


async def test_a_plugin_that_is_not_installed_is_stalled(tmp_path: Path) -> None:
    with pytest.raises(Stalled, match="No such file"):
        await Logins(allowed_plugins={"no-such"}).context(kubeconfig(tmp_path, plugin("no-such")), "one")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: [", "no YAML in line 2"),
        (f"users: [{{token: {CANARY}", "no YAML in line"),
        ("[]", "can't be used"),
        ("apiVersion: v1", "can't be used"),
    ],
)
async def test_a_kubeconfig_that_is_none_is_stalled_and_shows_nothing_of_itself(
    text: str, why: str, tmp_path: Path
) -> None:
    with pytest.raises(Stalled, match=why) as raised:
        await Logins().context(Kubeconfig(Secret(text), tmp_path), "one")
    assert CANARY not in str(raised.value)


async def test_a_cancelled_wait_leaves_the_others_their_answers(tmp_path: Path) -> None:
    config = kubeconfig(tmp_path, {"token": "t"})
    logins = Logins()
    tasks = [asyncio.create_task(logins.context(config, "one")) for _ in range(3)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one).__name__ for one in done] == ["CancelledError", "Login", "Login"]


async def test_a_pod_logs_in_as_its_service_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("t")
    (tmp_path / "ca.crt").write_text("an authority")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    login = await Logins().in_cluster(tmp_path)
    assert login.server == "https://10.96.0.1:443"
    assert (login.ca, login.token_path) == (b"an authority", str(tmp_path / "token"))


async def test_outside_a_pod_there_is_no_service_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(Stalled, match="not in a pod"):
        await Logins().in_cluster(tmp_path)


def target(**more: Any) -> KubernetesTarget:
    return KubernetesTarget(name=TargetName("hz"), origin=Origin(PLATFORM, "e.yaml", 1, CommitId("0" * 40)), **more)


async def test_a_target_names_a_credential_and_a_context(tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").mkdir()
    (tmp_path / "empty").mkdir()
    text = kubeconfig(tmp_path, {"token": "t"}).text
    (tmp_path / "kubeconfig" / "kubeconfig").write_bytes(text.reveal())
    store, logins = CredentialStore(tmp_path), Logins()
    assert (await logins.source(target(context="one"), store)()).server == SERVER
    with pytest.raises(Stalled, match='hz: credential "empty" has no file `kubeconfig`'):
        await logins.source(target(kubeconfig="empty"), store)()
    with pytest.raises(Stalled, match="missing"):
        await logins.source(target(kubeconfig="missing"), store)()


@pytest.mark.cluster
async def test_a_real_cluster_answers_a_login_by_plugin(cluster: KubeAccess, tmp_path: Path) -> None:
    command = script(tmp_path, credential(token=cluster.token))
    assert cluster.ca is not None
    ca = base64.b64encode(cluster.ca.read_bytes()).decode()
    config = kubeconfig(tmp_path, plugin(command), server=cluster.server, **{"certificate-authority-data": ca})
    logins = Logins(allowed_plugins={command})
    async with Connection("t", lambda: logins.context(config, "one")) as connection:
        assert (await connection.send(Request("GET", "/api/v1/namespaces"))).status == 200
