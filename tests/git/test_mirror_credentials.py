"""Credentials open repositories, and show themselves nowhere."""

from __future__ import annotations

import asyncio
import base64
import ssl
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from controller.git import Mirrors
from controller.model import Stalled
from controller.sandbox import Access, GitHost
from tests.fixtures.waiting import eventually


def credential(tmp_path: Path, name: str, **values: str) -> None:
    folder = tmp_path / "credentials" / name
    folder.mkdir(parents=True)
    for key, value in values.items():
        (folder / key.replace("_", "-")).write_text(value)


@pytest.mark.parametrize(
    "values", [{"username": "robot", "password": "canary-pw"}, {"username": "robot", "token": "canary-pw"}]
)
async def test_a_password_or_a_token_opens_a_repository(
    tmp_path: Path, mirrors: Mirrors, values: dict[str, str]
) -> None:
    credential(tmp_path, "shop", **values)
    async with GitHost(tmp_path / "host", access=Access(username="robot", password="canary-pw")) as host:
        commit = await host.create("shop", {"a": b"1"})
        mirror = mirrors.mirror(host.url("shop"), "shop")
        assert await mirror.resolve("main") == commit
        assert (await mirror.tree(commit)).read("a") == b"1"
        assert "canary-pw" not in "".join(p.read_text(errors="replace") for p in mirror.path.rglob("*") if p.is_file())


async def test_a_password_stands_in_no_command_line(tmp_path: Path, mirrors: Mirrors) -> None:
    credential(tmp_path, "shop", username="robot", password="canary-pw")
    access = Access(username="robot", password="canary-pw")
    async with GitHost(tmp_path / "host", access=access, latency_seconds=0.3) as host:
        await host.create("shop", {"a": b"1"})
        asking = asyncio.create_task(mirrors.mirror(host.url("shop"), "shop").resolve("main"))
        await eventually(lambda: host.requests)
        lines = command_lines()
        await asking
    assert any("ls-remote" in line and host.url("shop") in line for line in lines)
    header = base64.b64encode(b"robot:canary-pw").decode()
    assert not any("canary-pw" in line or header in line for line in lines)


def command_lines() -> list[str]:
    """Give what every process of this machine was started with."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return found


async def test_a_wrong_password_is_stalled_and_not_repeated(tmp_path: Path, mirrors: Mirrors) -> None:
    credential(tmp_path, "shop", username="robot", password="canary-wrong")
    async with GitHost(tmp_path / "host", access=Access(username="robot", password="right")) as host:
        await host.create("shop", {"a": b"1"})
        with pytest.raises(Stalled, match="wants a credential") as caught:
            await mirrors.mirror(host.url("shop"), "shop").resolve("main")
        assert "canary" not in str(caught.value)


async def test_a_rotated_password_counts_at_once(tmp_path: Path, mirrors: Mirrors) -> None:
    credential(tmp_path, "shop", username="robot", password="wrong")
    async with GitHost(tmp_path / "host", access=Access(username="robot", password="right")) as host:
        commit = await host.create("shop", {"a": b"1"})
        mirror = mirrors.mirror(host.url("shop"), "shop")
        with pytest.raises(Stalled):
            await mirror.resolve("main")
        (tmp_path / "credentials" / "shop" / "password").write_text("right")
        assert await mirror.resolve("main") == commit


@pytest.fixture
def tls(tmp_path: Path) -> tuple[ssl.SSLContext, str]:
    """Give a server's context, and the certificate of the authority that vouches for it: itself."""
    key, certificate = tmp_path / "tls.key", tmp_path / "tls.crt"
    argv = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    names = ["-subj", "/CN=git", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*argv, *names, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context, certificate.read_text()


async def test_a_private_authority_is_trusted_where_the_credential_names_it(
    tmp_path: Path, mirrors: Mirrors, tls: tuple[ssl.SSLContext, str]
) -> None:
    credential(tmp_path, "shop", **{"ca.crt": tls[1]})
    async with GitHost(tmp_path / "host", tls=tls[0]) as host:
        commit = await host.create("shop", {"a": b"1"})
        assert await mirrors.mirror(host.url("shop"), "shop").resolve("main") == commit
        with pytest.raises(Stalled, match=r"ca\.crt"):
            await mirrors.mirror(host.url("shop")).resolve("main")


async def test_a_proxy_is_gone_through(git_host: GitHost, mirrors: Mirrors, tmp_path: Path) -> None:
    commit = await git_host.create("shop", {"a": b"1"})
    credential(tmp_path, "proxied", proxy=git_host.url("").removesuffix("/.git"))
    # Nobody listens on port 1: whoever gets an answer got it from the proxy, which here is the host itself.
    assert await mirrors.mirror("http://127.0.0.1:1/shop.git", "proxied").resolve("main") == commit


async def test_a_credential_that_is_not_in_the_store_is_named(git_host: GitHost, mirrors: Mirrors) -> None:
    with pytest.raises(Stalled, match='credential "absent"'):
        await mirrors.mirror(git_host.url("shop"), "absent").resolve("main")


def test_who_reads_by_another_credential_has_a_mirror_of_its_own(mirrors: Mirrors) -> None:
    url = "https://git.example.com/shop.git"
    assert mirrors.mirror(url) is mirrors.mirror(url)
    assert mirrors.mirror(url).path != mirrors.mirror(url, "robot").path
