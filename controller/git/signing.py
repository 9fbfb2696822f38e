"""Signatures of our own commits, as git makes them with `gpg.format=ssh` (gitformat-signature(5), PROTOCOL.sshsig).

A signature covers the commit's bytes without it, so that a chain is signed from its first commit on: each one names the
signed one before it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Final

from controller.model import Secret, Stalled, Transient
from controller.runtime import bare_environment, scratch

DEADLINE_SECONDS: Final = 20.0
SHA256_DIGITS: Final = 64

Sign = Callable[[bytes], bytes]


def ssh_signer(key: Callable[[], Secret]) -> Sign:
    """Give what signs with an OpenSSH private key without a passphrase, read anew each time: it may be rotated.

    Blocking. Raises Stalled where the key can't be used, Transient at the deadline.
    """
    return lambda payload: _sign(payload, key())


def _sign(payload: bytes, key: Secret) -> bytes:
    with scratch("signing", in_memory=True) as folder:
        file = folder / "key"
        file.touch(mode=0o600)
        file.write_bytes(key.reveal().rstrip() + b"\n")
        argv = ("ssh-keygen", "-Y", "sign", "-n", "git", "-f", str(file))
        try:
            done = subprocess.run(
                argv,
                cwd=folder,
                env=bare_environment(),
                input=payload,
                capture_output=True,
                timeout=DEADLINE_SECONDS,
                check=False,
                start_new_session=True,
            )
        except subprocess.TimeoutExpired as error:
            raise Transient(f"a commit was not signed within {DEADLINE_SECONDS:g} s") from error
        except OSError as error:
            raise Stalled("ssh-keygen can't be started: commits can't be signed without it. Install OpenSSH") from error
    if done.returncode or not done.stdout.startswith(b"-----BEGIN SSH SIGNATURE-----"):
        raise Stalled(
            "commits can't be signed with the key of the credential store. "
            "It must be an OpenSSH private key without a passphrase"
        )
    return done.stdout


def with_parent(commit: bytes, parent: str) -> bytes:
    """Give a commit's bytes with another (only) parent. Pure."""
    head, _, rest = commit.partition(b"\n\n")
    lines = [b"parent " + parent.encode() if line.startswith(b"parent ") else line for line in head.split(b"\n")]
    return b"\n".join(lines) + b"\n\n" + rest


def with_signature(commit: bytes, signature: bytes, *, digits: int) -> bytes:
    """Give a commit's bytes with a signature in their head. `digits` of an id tell which hash the repository has."""
    name = b"gpgsig-sha256" if digits == SHA256_DIGITS else b"gpgsig"
    head, _, rest = commit.partition(b"\n\n")
    lines = signature.rstrip(b"\n").split(b"\n")
    return head + b"\n" + name + b" " + b"\n ".join(lines) + b"\n\n" + rest
