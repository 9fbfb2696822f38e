"""Client certificates that somebody renews on disk while a connection is in use."""

from __future__ import annotations

import json
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiohttp import web

from controller.model import Secret, Transient
from controller.targets.kubernetes.connection import Connection, Request
from controller.targets.kubernetes.credentials import Kubeconfig, Login, Logins
from tests.fixtures.tls import CURVE, Identity, served

pytestmark = pytest.mark.slow


def renew(folder: Path, name: str) -> None:
    """Write a certificate and its key, both for `name`, where the kubeconfig looks for them."""
    made = ("-keyout", str(folder / "client.key"), "-out", str(folder / "client.crt"))
    subprocess.run(["openssl", "req", "-x509", *CURVE, "-subj", f"/CN={name}", *made], check=True, capture_output=True)


def kubeconfig(server: str, ca: Identity) -> str:
    user = {"client-certificate": "client.crt", "client-key": "client.key"}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": server, "certificate-authority-data": ca.bundle}}],
            "users": [{"name": "u", "user": user}],
        }
    )


class Server:
    """Takes one certificate at a time, as an API server whose clients' certificates run out."""

    def __init__(self, identity: Identity) -> None:
        self._context = identity.context
        self._context.verify_mode = ssl.CERT_OPTIONAL
        self.valid = ""
        self.answered: list[tuple[str, int]] = []

    def trust(self, folder: Path, name: str) -> None:
        self._context.load_verify_locations(folder / "client.crt")
        self.valid = name

    async def answer(self, request: web.Request) -> web.Response:
        assert request.transport is not None
        certificate = request.transport.get_extra_info("peercert") or {}
        name = dict(pair for one in certificate.get("subject", ()) for pair in one).get("commonName", "")
        status = 200 if name == self.valid else 401
        self.answered.append((name, status))
        return web.Response(status=status)


async def test_a_certificate_that_is_renewed_on_disk_is_used_without_a_restart(
    tmp_path: Path, loopback_tls: Identity
) -> None:
    folder = tmp_path / "credential"
    folder.mkdir()
    server = Server(loopback_tls)
    renew(folder, "first")
    server.trust(folder, "first")
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.answer)
    async with served(application, loopback_tls) as url:
        config, logins = Kubeconfig(Secret(kubeconfig(url, loopback_tls).encode()), folder), Logins()

        async def source() -> Login:
            return await logins.context(config, "")

        async with Connection("t", source) as connection:
            assert (await connection.send(Request("GET", "/version"))).status == 200
            renew(folder, "second")
            server.trust(folder, "second")
            assert (await connection.send(Request("GET", "/version"))).status == 200
            assert (await connection.send(Request("GET", "/version"))).status == 200
    assert server.answered == [("first", 200), ("first", 401), ("second", 200), ("second", 200)]


class Front(socketserver.ThreadingTCPServer):
    """A proxy that asks for a certificate in the handshake, and ends it with an alert where it does not trust it."""

    daemon_threads = True
    block_on_close = True

    def __init__(self, folder: Path, highest: ssl.TLSVersion) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self._highest = highest
        self._folder = folder
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.asked = 0

    def trust(self, folder: Path) -> None:
        """Take the certificate in `folder`, and no other one."""
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.maximum_version = self._highest
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.context.load_cert_chain(self._folder / "loopback.crt", self._folder / "loopback.key")
        self.context.load_verify_locations(folder / "client.crt")


class Handler(socketserver.BaseRequestHandler):
    server: Front

    def handle(self) -> None:
        try:
            with self.server.context.wrap_socket(self.request, server_side=True) as peer:
                peer.recv(1 << 16)
                self.server.asked += 1
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        except OSError:
            return


@contextmanager
def fronted(folder: Path, highest: ssl.TLSVersion) -> Iterator[Front]:
    with Front(folder, highest) as front:
        thread = threading.Thread(target=front.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield front
        finally:
            front.shutdown()
            thread.join()


@pytest.mark.parametrize("highest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_certificate_that_a_front_refuses_in_the_handshake_is_renewed(
    tmp_path: Path, loopback_tls: Identity, highest: ssl.TLSVersion
) -> None:
    folder, strangers = tmp_path / "credential", tmp_path / "strangers"
    for one in (folder, strangers):
        one.mkdir()
    renew(folder, "first")
    with fronted(tmp_path, highest) as front:
        front.trust(folder)
        url = f"https://127.0.0.1:{front.server_address[1]}"
        config, logins = Kubeconfig(Secret(kubeconfig(url, loopback_tls).encode()), folder), Logins()
        made = 0

        async def source() -> Login:
            nonlocal made
            made += 1
            return await logins.context(config, "")

        async with Connection("t", source) as connection:
            assert (await connection.send(Request("GET", "/version"))).status == 200
            renew(folder, "second")
            front.trust(folder)
            try:
                answer = await connection.send(Request("GET", "/version"))
            except Transient:  # TLS 1.3 refuses after the handshake, and the reset may be faster than its alert
                assert highest is ssl.TLSVersion.TLSv1_3
                answer = await connection.send(Request("GET", "/version"))
            assert answer.status == 200
            assert (front.asked, made) == (2, 2)

            renew(strangers, "third")
            front.trust(strangers)
            with pytest.raises(Transient):  # what no renewal helps is told, after one at most
                await connection.send(Request("GET", "/version"))
            assert front.asked == 2
            assert made <= 3
