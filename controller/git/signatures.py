"""Whether a commit is signed by one of the keys that the platform trusts: `git verify-commit`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from controller.git.command import Answer, git
from controller.git.failures import said
from controller.git.threads import Threads
from controller.model import CommitId, Stalled, Transient
from controller.runtime import bare_environment, run, scratch

SignatureKind = Literal["ssh", "gpg"]
DEADLINE_SECONDS = 30.0
# `man gpg`, doc/DETAILS: what makes a signature that checks out unusable all the same.
GPG_REFUSALS = re.compile(r"\[GNUPG:\] (EXPKEYSIG|REVKEYSIG|EXPSIG|BADSIG|ERRSIG|NO_PUBKEY)")
# git picks the program by the signature's own form, so those for the other forms must not exist.
NO_PROGRAM = "/nonexistent/not-allowed-here"


SSH_PRINCIPAL = re.compile(r'^Good "git" signature for (?P<who>.+?) with ', re.MULTILINE)
GPG_USER = re.compile(r"^\[GNUPG:\] GOODSIG [0-9A-F]+ (?P<who>.+)$", re.MULTILINE)
ADDRESS = re.compile(r"<(?P<address>[^<>]+)>")


async def verify(mirror: Path, commit: CommitId, signers: bytes, *, kind: SignatureKind, threads: Threads) -> str:
    """Give what is said of the signature. Raises Stalled for one that is missing, bad or by somebody else.

    `signers` is an allowed-signers file of ssh-keygen(1), or public keys as GnuPG exports them.
    """
    with scratch("signers", in_memory=True) as folder:
        settings = _for_ssh(folder, signers) if kind == "ssh" else await _for_gpg(folder, signers)
        answer = await threads.run(lambda: _verify(mirror, commit, folder, settings))
    if answer.is_overdue:
        raise Transient(f"commit {commit[:12]}: its signature was not checked within {DEADLINE_SECONDS:g} s")
    if answer.status or GPG_REFUSALS.search(answer.stderr):
        raise Stalled(
            f"commit {commit[:12]} has no good signature by an allowed {kind} key ({_reason(answer)}). "
            "Sign it with one of them, or add its key to the file that `verify` names"
        )
    return answer.stderr


def signer_of(words: str, *, kind: SignatureKind) -> str:
    """Name who signed, out of what `verify` gave: an allowed signer's principal, or the address of a GPG user id."""
    match = (SSH_PRINCIPAL if kind == "ssh" else GPG_USER).search(words)
    who = match["who"].strip() if match else ""
    address = ADDRESS.search(who)
    return address["address"] if address else who


def _for_ssh(folder: Path, signers: bytes) -> dict[str, str]:
    (folder / "signers").write_bytes(signers)
    return {"gpg.ssh.allowedSignersFile": str(folder / "signers"), "gpg.program": NO_PROGRAM}


async def _for_gpg(folder: Path, signers: bytes) -> dict[str, str]:
    """Make a keyring of these keys alone. GnuPG trusts none of them, which here is what being in the file means."""
    argv = ("gpg", "--homedir", str(folder), "--no-autostart", "--batch", "--quiet", "--import")
    done = await run(argv, cwd=folder, env=bare_environment(), deadline_seconds=DEADLINE_SECONDS, stdin=signers)
    if done.returncode:
        raise Stalled(f"the file of trusted GnuPG keys can't be read: {said(done.error_text)}")
    return {"gpg.ssh.program": NO_PROGRAM}


def _verify(mirror: Path, commit: CommitId, folder: Path, settings: dict[str, str]) -> Answer:
    env = {"GIT_DIR": str(mirror), "GNUPGHOME": str(folder)}
    settings = {"gpg.x509.program": NO_PROGRAM, "gpg.minTrustLevel": "undefined", **settings}
    return git(
        ("verify-commit", "--raw", commit), cwd=folder, deadline_seconds=DEADLINE_SECONDS, env=env, settings=settings
    )


def _reason(answer: Answer) -> str:
    words = said(answer.stderr)
    return "it is not signed" if words == "git said nothing" else words
