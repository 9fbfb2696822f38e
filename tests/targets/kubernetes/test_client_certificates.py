"""Client certificates that somebody renews on disk while a connection is in use."""

from __future__ import annotations

import json
import ssl
import subprocess
from pathlib import Path

import pytest
from aiohttp import web

from controller.model import Secret
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
