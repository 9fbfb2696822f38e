"""Has files decrypted by the real sops, which is given the file on its standard input and nothing but its keys.

What comes out stays in memory. What sops says is not handed on: its words hold hashes of what is inside. Why it did not
work is told in ours: no program, no key, none that fits, or a file that was changed without sops.
"""

from __future__ import annotations

import base64
import binascii
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from controller.model import Invalid, Problem, Secret, Stalled, Unequipped
from controller.render import Decryption
from controller.runtime import Credential, CredentialStore, bare_environment, run, scratch

DEADLINE_SECONDS: Final = 30.0
MEMORY_BYTES: Final = 1 << 30
_TOO_OLD: Final = ("no file specified", "No help topic for", "flag provided but not defined")
_VARIABLE: Final = re.compile(r"[A-Z][A-Z0-9_]*")
_RECIPIENT: Final = re.compile(
    rb"(?:recipient|sops_age__list_\d+__map_recipient)\W{1,4}(age1[a-z0-9]+|ssh-\S+ \S+)"
    rb"|\b(?:fp|sops_pgp__list_\d+__map_fp)\W{1,4}([0-9A-F]{16,40})"
)
_ARMOR: Final = re.compile(
    rb"-----BEGIN PGP PRIVATE KEY BLOCK-----\r?\n(?:[^\r\n]+: [^\r\n]*\r?\n)*\r?\n(.+?)(?:\r?\n=[A-Za-z0-9+/]{4})?\r?\n"
    rb"-----END PGP PRIVATE KEY BLOCK-----",
    re.DOTALL,
)
_PGP_KEY: Final = "pgp.asc"
_KEYRING: Final = "secring.gpg"  # what sops reads without gpg: the keys in binary, one after the other


@dataclass(frozen=True, slots=True)
class Sops:
    """A craft for Decryption. `program` is sops' path, or its name to be looked for on PATH."""

    credentials: CredentialStore
    program: str = "sops"

    async def __call__(self, need: Decryption) -> Secret:
        """Decrypt a file. Raises Invalid for one that is damaged, Unequipped without a program or a key that fits."""
        path = shutil.which(self.program)
        if path is None:
            raise Unequipped(
                f"{need.where}: a file that SOPS encrypted, and there is no {self.program} on PATH. "
                "Install sops 3.12 or later, or name it in CONVERGE_SOPS"
            )
        keys, ring = self._keys(need)
        argv = [path, "decrypt", "--input-type", need.format, "--output-type", need.format]
        with scratch("sops", in_memory=True) as home:
            if ring is not None:
                _write_ring(home, ring)
            # no gpg: it would leave an agent behind, and sops reads a ring by itself
            own = {"HOME": str(home), "XDG_CONFIG_HOME": str(home), "GNUPGHOME": str(home), "SOPS_GPG_EXEC": "false"}
            done = await run(
                argv,
                cwd=home,
                env=bare_environment({**keys, **own}),
                stdin=need.data,
                deadline_seconds=DEADLINE_SECONDS,
                memory_limit_bytes=MEMORY_BYTES,
            )
        if done.returncode == 0:
            return Secret(done.stdout)
        said = done.error_text
        if "MAC mismatch" in said or "message authentication failed" in said.lower():
            what = "it was changed without sops, or damaged: what it holds does not fit its checksum (MAC)"
            raise Invalid([Problem(need.where, what, advice="Restore it, and change it with `sops edit`.")])
        if "data key" in said or "master key" in said:
            raise Unequipped(f"{need.where}: {_no_fit(need, keys, said)}")
        if any(sign in said for sign in _TOO_OLD):
            raise Unequipped(f"{need.where}: {path} reads no file from its standard input. Install sops 3.12 or later")
        raise Invalid([Problem(need.where, "sops can't read it", advice="Encrypt it anew with sops.")])

    def _keys(self, need: Decryption) -> tuple[dict[str, str], Secret | None]:
        """Give the environment that holds the keys (age's, and variables by their names for others), and PGP's ring."""
        try:
            found: Credential = self.credentials.get(need.credential)
        except Stalled as error:
            raise Unequipped(
                f'{need.where}: a file that SOPS encrypted, and there is no credential "{need.credential}" for it. '
                f"Put `age.key` into the folder {need.credential} of the credential store"
            ) from error
        keys = {name: one.reveal().decode() for name, one in found.values.items() if _VARIABLE.fullmatch(name)}
        if found.age_key is not None:
            keys["SOPS_AGE_KEY"] = found.age_key.reveal().decode()
        armored = found.value(_PGP_KEY)
        ring = None if armored is None else _ring(armored)
        if armored is not None and ring is None:
            raise Unequipped(
                f'{need.where}: {_PGP_KEY} of credential "{need.credential}" holds no PGP private key. '
                "Write it with `gpg --armor --export-secret-keys`"
            )
        if not keys and ring is None:
            raise Unequipped(
                f'{need.where}: credential "{need.credential}" holds no key for SOPS. '
                f"Put `age.key` or `{_PGP_KEY}` into it, or environment variables for another kind of key, a file each"
            )
        return keys, ring


def _ring(armored: Secret) -> Secret | None:
    """Take the armor off PGP private keys; None where there is none."""
    try:
        keys = [base64.b64decode(b"".join(one.split()), validate=True) for one in _ARMOR.findall(armored.reveal())]
    except binascii.Error:
        return None
    return Secret(b"".join(keys)) if keys else None


def _write_ring(home: Path, ring: Secret) -> None:
    place = home / _KEYRING
    place.touch(mode=0o600)
    place.write_bytes(ring.reveal())


def _no_fit(need: Decryption, keys: dict[str, str], said: str) -> str:
    if "SOPS_AGE_KEY" in keys and "failed to parse 'SOPS_AGE_KEY'" in said:
        return f'`age.key` of credential "{need.credential}" is no age key. It begins with AGE-SECRET-KEY-1'
    recipients = sorted({(age or pgp).decode() for age, pgp in _RECIPIENT.findall(need.data)})
    whose = f"It is encrypted to {', '.join(recipients)}" if recipients else "It is encrypted to other keys"
    return f'no key of credential "{need.credential}" opens it. {whose}: add the key, or encrypt it to yours'
