from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest

from controller.git.access import access_to, basic_header, ssh_command
from controller.git.command import hardened
from controller.git.remote import parse_remote
from controller.model import Secret, Stalled
from controller.runtime import Credential

HTTPS = parse_remote("https://git.example.com:8443/shop.git")
SSH = parse_remote("ssh://git@git.example.com/shop.git")


def credential(**values: str) -> Credential:
    return Credential("shop", {key.replace("_", "-"): Secret(value) for key, value in values.items()})


def test_a_header_is_meant_for_its_host_alone_and_redirects_are_not_followed() -> None:
    with access_to(HTTPS, credential(username="robot", password="canary")) as access:
        header = "Authorization: Basic " + base64.b64encode(b"robot:canary").decode()
        assert access.settings["http.https://git.example.com:8443.extraHeader"] == header
        assert access.settings["http.followRedirects"] == "false"
        assert access.env == {"GIT_ALLOW_PROTOCOL": "https"}


def test_a_token_stands_for_the_password() -> None:
    assert base64.b64decode(basic_header(credential(token="t"))[6:]) == b"x-access-token:t"
    assert base64.b64decode(basic_header(credential(token="t", username="u"))[6:]) == b"u:t"
    assert basic_header(credential(username="u")) == ""


def test_what_is_secret_is_taken_out_of_gits_words() -> None:
    values = credential(token="canary-1", proxy="http://me:canary-2@proxy:3128")
    with access_to(HTTPS, values) as access:
        header = base64.b64encode(b"x-access-token:canary-1").decode()
        assert access.redact(f"canary-1 {header} canary-2") == "••• ••• •••"
        assert "canary" not in repr(access)


def test_a_proxy_and_an_authority_are_settings() -> None:
    files = Credential("shop", {"ca.crt": Secret("PEM"), "proxy": Secret("http://proxy:3128")})
    with access_to(HTTPS, files) as access:
        bundle = Path(access.settings["http.sslCAInfo"])
        assert bundle.read_text() == "PEM"
        assert access.settings["http.proxy"] == "http://proxy:3128"
    assert not bundle.exists()


def test_an_ssh_key_lies_in_a_private_file_for_as_long_as_it_is_used() -> None:
    values = credential(ssh_privatekey="KEY")
    values = Credential("shop", {**values.values, "known_hosts": Secret("host ssh-ed25519 AAAA")})
    with access_to(SSH, values) as access:
        words = access.env["GIT_SSH_COMMAND"].split()
        key = Path(words[words.index("-i") + 1])
        assert key.read_bytes() == b"KEY\n"
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        assert "KEY" not in access.env["GIT_SSH_COMMAND"].replace(str(key), "").replace("HostKey", "")
    assert not key.exists()


def test_ssh_trusts_named_hosts_only_and_asks_nobody() -> None:
    words = " ".join(ssh_command(Path("/k"), Path("/h")))
    for option in (
        "StrictHostKeyChecking=yes",
        "UserKnownHostsFile=/h",
        "BatchMode=yes",
        "IdentitiesOnly=yes",
        "-F /dev/null",
    ):
        assert option in words


@pytest.mark.parametrize("values", [None, credential(), credential(ssh_privatekey="KEY"), credential(token="t")])
def test_ssh_without_a_key_and_known_hosts_is_stalled(values: Credential | None) -> None:
    with pytest.raises(Stalled, match="ssh-privatekey and known_hosts"), access_to(SSH, values):
        pass


def test_only_the_remotes_own_protocol_is_allowed() -> None:
    with access_to(parse_remote("/srv/shop.git"), None) as access:
        assert access.env["GIT_ALLOW_PROTOCOL"] == "file"
    assert hardened({}, {})["GIT_ALLOW_PROTOCOL"] == ""
