"""How a remote is reached: credentials as environment and private files, never in an argv, a URL or a log."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from controller.git.remote import Remote
from controller.model import Secret, Stalled
from controller.runtime import Credential, scratch

DEFAULT_USER = "x-access-token"  # forges that take a token as the password don't look at the user
MASK = "•••"


@dataclass(frozen=True, slots=True)
class Access:
    """What a git command needs beside its arguments, and the texts that may not be repeated."""

    env: Mapping[str, str] = field(repr=False, default_factory=dict)
    settings: Mapping[str, str] = field(repr=False, default_factory=dict)
    secrets: tuple[str, ...] = field(repr=False, default=())

    def redact(self, text: str) -> str:
        for secret in self.secrets:
            text = text.replace(secret, MASK)
        return text


@contextmanager
def access_to(remote: Remote, credential: Credential | None) -> Iterator[Access]:
    """Prepare the way to a remote for the length of the block. Raises Stalled when the credential doesn't fit it."""
    protocol = {"GIT_ALLOW_PROTOCOL": remote.scheme}
    if credential is None and remote.scheme != "ssh":
        yield Access(protocol, {"http.followRedirects": "initial"})
        return
    with ExitStack() as stack:
        if remote.scheme == "file" or credential is None:
            found = _ssh(None, Path()) if remote.scheme == "ssh" else Access()
        else:
            folder = stack.enter_context(scratch("git", in_memory=True))
            found = _ssh(credential, folder) if remote.scheme == "ssh" else _http(remote, credential, folder)
        yield Access({**protocol, **found.env}, found.settings, found.secrets)


def basic_header(credential: Credential) -> str:
    """Give the value of an Authorization header (RFC 7617), "" where the credential has neither password nor token."""
    password = credential.password or credential.token
    if password is None:
        return ""
    user = credential.username.reveal_text() if credential.username else DEFAULT_USER
    return "Basic " + base64.b64encode(user.encode() + b":" + password.reveal()).decode()


def _http(remote: Remote, credential: Credential, folder: Path) -> Access:
    settings = {"http.followRedirects": "initial"}
    secrets = [credential.password, credential.token]
    header = basic_header(credential)
    if header:
        # A redirect could carry the header to a host that it isn't meant for.
        settings |= {f"http.{remote.origin}.extraHeader": f"Authorization: {header}", "http.followRedirects": "false"}
        secrets.append(Secret(header.removeprefix("Basic ")))
    if credential.ca_bundle:
        settings["http.sslCAInfo"] = str(_file(folder / "ca.crt", credential.ca_bundle))
    if credential.proxy:
        settings["http.proxy"] = credential.proxy.reveal_text()
        secrets += [credential.proxy, Secret(urlsplit(credential.proxy.reveal_text()).password or "")]
    return Access({}, settings, tuple(one.reveal_text() for one in secrets if one and one.reveal()))


def _ssh(credential: Credential | None, folder: Path) -> Access:
    if credential is None or credential.ssh_private_key is None or credential.known_hosts is None:
        name = f'credential "{credential.name}"' if credential else "no credential"
        raise Stalled(f"{name}: ssh:// needs one with ssh-privatekey and known_hosts in the credential store")
    key = _file(folder / "key", Secret(credential.ssh_private_key.reveal().rstrip() + b"\n"))
    hosts = _file(folder / "known_hosts", credential.known_hosts)
    return Access({"GIT_SSH_COMMAND": shlex.join(ssh_command(key, hosts)), "GIT_SSH_VARIANT": "ssh"})


def ssh_command(key: Path, known_hosts: Path) -> tuple[str, ...]:
    """Give ssh with this key, these hosts, and nothing of the user's or the machine's own (see ssh_config(5))."""
    options = {
        "BatchMode": "yes",
        "ConnectTimeout": "10",
        "ControlMaster": "no",
        "GlobalKnownHostsFile": "/dev/null",
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "ServerAliveCountMax": "3",
        "ServerAliveInterval": "10",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": str(known_hosts),
    }
    pairs = [argument for name, value in options.items() for argument in ("-o", f"{name}={value}")]
    return ("ssh", "-F", "/dev/null", "-i", str(key), *pairs)


def _file(path: Path, content: Secret) -> Path:
    path.touch(mode=0o600)
    path.write_bytes(content.reveal())
    return path
