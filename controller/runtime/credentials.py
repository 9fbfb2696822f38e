"""The credential store: a directory outside git with one folder per name, such as mounted Secrets.

    <root>/<name>/username          with `password`: HTTP basic authentication
    <root>/<name>/password
    <root>/<name>/token             HTTP: a forge's access token (sent as the password; `username` is optional)
    <root>/<name>/ssh-privatekey    ssh: an OpenSSH private key without a passphrase
    <root>/<name>/known_hosts       ssh: the host's keys; without it no host is trusted
    <root>/<name>/ca.crt            PEM: certificate authorities to trust instead of the machine's
    <root>/<name>/proxy             http://[user:password@]host:port, for HTTP
    <root>/<name>/kubeconfig        targets
    <root>/<name>/age.key           SOPS
    <root>/<name>/<anything else>   by its name, through `Credential.value`

A value ends before its last newline, which editors add; keys and certificates are taken as they are. Folders are
looked at on every `get`, so that a rotated Secret counts from the next use on (a mounted Secret changes by a move of
`..data`, which the files beside it point through).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from controller.model import Secret, Stalled

NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9._]{0,251}[A-Za-z0-9])?")
FILE_LIMIT_BYTES = 1 << 20  # as a Kubernetes Secret
VERBATIM = frozenset({"ssh-privatekey", "known_hosts", "ca.crt", "kubeconfig", "age.key"})

Stamp = tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Credential:
    """What is known under one name; None for what is not there."""

    name: str
    values: Mapping[str, Secret] = field(default_factory=dict)

    def value(self, key: str) -> Secret | None:
        return self.values.get(key)

    @property
    def username(self) -> Secret | None:
        return self.value("username")

    @property
    def password(self) -> Secret | None:
        return self.value("password")

    @property
    def token(self) -> Secret | None:
        return self.value("token")

    @property
    def ssh_private_key(self) -> Secret | None:
        return self.value("ssh-privatekey")

    @property
    def known_hosts(self) -> Secret | None:
        return self.value("known_hosts")

    @property
    def ca_bundle(self) -> Secret | None:
        return self.value("ca.crt")

    @property
    def proxy(self) -> Secret | None:
        return self.value("proxy")

    @property
    def kubeconfig(self) -> Secret | None:
        return self.value("kubeconfig")

    @property
    def age_key(self) -> Secret | None:
        return self.value("age.key")


class CredentialStore:
    """Reads credentials by name. Keeps the last reading of each folder until something in it moves."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._known: dict[str, tuple[Stamp, Credential]] = {}

    def get(self, name: str) -> Credential:
        """Give a credential as it is now. Raises Stalled for a bad name, or a folder that isn't there."""
        if not NAME.fullmatch(name) or ".." in name:
            raise Stalled(f'"{name}" can\'t be a credential\'s name. Use letters, digits, "-", "_" and "."')
        folder = self.root / name
        try:
            stamp = _stamp(folder)
            known = self._known.get(name)
            if known is None or known[0] != stamp:
                known = (stamp, Credential(name, _read(folder, [entry[0] for entry in stamp])))
                self._known[name] = known
        except OSError as error:
            raise Stalled(
                f'credential "{name}": {folder} can\'t be read ({error.strerror}). Make that folder in the credential '
                "store, with a file per value: username and password, or token, or ssh-privatekey and known_hosts"
            ) from error
        return known[1]


def _stamp(folder: Path) -> Stamp:
    """Give what changes when a value does: each file's inode, size and time, links followed."""
    found = []
    for entry in os.scandir(folder):
        if not entry.name.startswith(".") and entry.is_file():
            status = entry.stat()
            found.append((entry.name, status.st_ino, status.st_size, status.st_mtime_ns))
    return tuple(sorted(found))


def _read(folder: Path, names: list[str]) -> dict[str, Secret]:
    values = {}
    for name in names:
        with (folder / name).open("rb") as file:
            data = file.read(FILE_LIMIT_BYTES + 1)
        if len(data) > FILE_LIMIT_BYTES:
            raise Stalled(f"{folder / name} is larger than {FILE_LIMIT_BYTES} bytes: that is no credential")
        values[name] = Secret(data if name in VERBATIM else data.removesuffix(b"\n").removesuffix(b"\r"))
    return values
