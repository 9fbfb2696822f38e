"""Repositories over ssh, by a real sshd on loopback; skipped where the machine has none."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from controller.git import Committer, Identity, Mirrors
from controller.model import Stalled
from controller.runtime import SystemClock
from controller.sandbox import GitHost
from tests.fixtures.waiting import eventually
from tests.git.test_changes import Write

SSHD = shutil.which("sshd", path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin")
pytestmark = pytest.mark.skipif(SSHD is None, reason="sshd is not installed (Debian: openssh-server)")


@dataclass(frozen=True)
class Server:
    port: int
    known_hosts: str
    key: str

    def url(self, path: Path) -> str:
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{path}"


def make_key(path: Path) -> str:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path.with_suffix(".pub").read_text()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Give an sshd that lets one key in, and knows of no other file than these."""
    host_key = make_key(tmp_path / "host")
    (tmp_path / "authorized").write_text(make_key(tmp_path / "user"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = tmp_path / "sshd_config"
    config.write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {tmp_path}/host\nAuthorizedKeysFile {tmp_path}/authorized\n"
        "StrictModes no\nUsePAM no\nPasswordAuthentication no\nPidFile none\nPermitRootLogin yes\n"
    )
    check = subprocess.run([str(SSHD), "-t", "-f", str(config)], capture_output=True, text=True, check=False)
    if check.returncode:
        pytest.skip(f"sshd can't run here: {check.stderr.strip()}")
    process = subprocess.Popen([str(SSHD), "-D", "-e", "-f", str(config)], stderr=subprocess.DEVNULL)
    yield Server(port, f"[127.0.0.1]:{port} {host_key}", (tmp_path / "user").read_text())
    process.terminate()
    process.wait()


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def store(tmp_path: Path, key: str, known_hosts: str) -> None:
    folder = tmp_path / "credentials" / "shop"
    folder.mkdir(parents=True)
    (folder / "ssh-privatekey").write_text(key)
    (folder / "known_hosts").write_text(known_hosts)


async def test_a_key_and_a_known_host_are_enough_to_read_and_to_push(
    server: Server, git_host: GitHost, mirrors: Mirrors, tmp_path: Path
) -> None:
    commit = await git_host.create("shop", {"a": b"1"})
    store(tmp_path, server.key, server.known_hosts)
    await eventually(lambda: is_listening(server.port))
    mirror = mirrors.mirror(server.url(git_host.path("shop")), "shop")
    assert await mirror.resolve("main") == commit
    assert (await mirror.tree(commit)).read("a") == b"1"
    async with Committer(mirror, "records", identity=Identity("C", "c@x"), clock=SystemClock()) as committer:
        await committer.submit(Write({"b": b"2"}))
    assert await git_host.show("shop", "b", branch="records") == "2"


async def test_a_host_that_is_not_known_is_not_trusted(
    server: Server, git_host: GitHost, mirrors: Mirrors, tmp_path: Path
) -> None:
    await git_host.create("shop", {"a": b"1"})
    store(tmp_path, server.key, f"[127.0.0.1]:{server.port} {make_key(tmp_path / 'another')}")
    await eventually(lambda: is_listening(server.port))
    with pytest.raises(Stalled, match="known_hosts"):
        await mirrors.mirror(server.url(git_host.path("shop")), "shop").resolve("main")


async def test_a_key_that_the_host_does_not_know_is_stalled(
    server: Server, git_host: GitHost, mirrors: Mirrors, tmp_path: Path
) -> None:
    await git_host.create("shop", {"a": b"1"})
    make_key(tmp_path / "stranger")
    store(tmp_path, (tmp_path / "stranger").read_text(), server.known_hosts)
    await eventually(lambda: is_listening(server.port))
    with pytest.raises(Stalled, match="Add the credential's public key"):
        await mirrors.mirror(server.url(git_host.path("shop")), "shop").resolve("main")
