from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.git import Mirror
from controller.model import CommitId, Stalled
from controller.runtime import bare_environment
from controller.sandbox import GitHost


def make_key(folder: Path, name: str) -> tuple[Path, bytes]:
    """Make an ssh key; give its file and the line that allows it."""
    key = folder / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(key)], check=True)
    public = key.with_suffix(".pub").read_text().split()
    return key, f"{name}@example.com {public[0]} {public[1]}\n".encode()


def commit_signed(host: GitHost, *settings: str, env: dict[str, str] | None = None) -> CommitId:
    """Sign a commit as a person would, and put it on the branch."""
    identity = {f"GIT_{role}_{part}": f"a@{part}" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    options = [option for setting in settings for option in ("-c", setting)]
    argv = ["git", *options, "commit-tree", "-S", "HEAD^{tree}", "-p", "HEAD", "-m", "Signed"]
    done = subprocess.run(
        argv,
        cwd=host.path("shop"),
        env=bare_environment(identity | (env or {})),
        capture_output=True,
        text=True,
        check=True,
    )
    commit = CommitId(done.stdout.strip())
    subprocess.run(["git", "update-ref", "refs/heads/main", commit], cwd=host.path("shop"), check=True)
    return commit


@pytest.fixture
def alice(tmp_path: Path) -> tuple[Path, bytes]:
    return make_key(tmp_path, "alice")


def sign_with(host: GitHost, key: Path) -> CommitId:
    return commit_signed(host, "gpg.format=ssh", f"user.signingkey={key}")


async def test_an_allowed_ssh_key_is_enough(git_host: GitHost, shop: Mirror, alice: tuple[Path, bytes]) -> None:
    await shop.verify(sign_with(git_host, alice[0]), alice[1], kind="ssh")


async def test_somebody_elses_ssh_key_is_not(
    git_host: GitHost, shop: Mirror, alice: tuple[Path, bytes], tmp_path: Path
) -> None:
    commit = sign_with(git_host, make_key(tmp_path, "mallory")[0])
    with pytest.raises(Stalled, match="no good signature by an allowed ssh key"):
        await shop.verify(commit, alice[1], kind="ssh")


async def test_an_unsigned_commit_is_refused(shop: Mirror, alice: tuple[Path, bytes]) -> None:
    commit = await shop.resolve("main")
    with pytest.raises(Stalled, match="it is not signed"):
        await shop.verify(commit, alice[1], kind="ssh")


async def test_no_signers_at_all_allow_nobody(git_host: GitHost, shop: Mirror, alice: tuple[Path, bytes]) -> None:
    with pytest.raises(Stalled):
        await shop.verify(sign_with(git_host, alice[0]), b"", kind="ssh")


async def test_a_key_that_was_valid_only_until_last_year_is_refused(
    git_host: GitHost, shop: Mirror, alice: tuple[Path, bytes]
) -> None:
    who, _, key = alice[1].partition(b" ")
    with pytest.raises(Stalled):
        await shop.verify(sign_with(git_host, alice[0]), who + b' valid-before="20200101" ' + key, kind="ssh")


def forge(folder: Path, signed: CommitId) -> CommitId:
    """Change a signed commit's message and keep its signature."""
    show = ["git", "cat-file", "commit", signed]
    text = subprocess.run(show, cwd=folder, capture_output=True, check=True).stdout.replace(
        b"\n\nSigned", b"\n\nForged"
    )
    write = ["git", "hash-object", "-t", "commit", "-w", "--stdin"]
    return CommitId(
        subprocess.run(write, cwd=folder, input=text, capture_output=True, check=True).stdout.decode().strip()
    )


async def test_a_changed_commit_keeps_no_signature(git_host: GitHost, shop: Mirror, alice: tuple[Path, bytes]) -> None:
    signed = sign_with(git_host, alice[0])
    forged = forge(git_host.path("shop"), signed)
    with pytest.raises(Stalled):
        await shop.verify(forged, alice[1], kind="ssh")


async def test_a_damaged_mirror_does_not_pass_for_a_missing_signature(
    git_host: GitHost, shop: Mirror, alice: tuple[Path, bytes]
) -> None:
    commit = sign_with(git_host, alice[0])
    await shop.fetch(commit)
    for pack in (shop.path / "objects" / "pack").iterdir():
        pack.unlink()
    await shop.verify(commit, alice[1], kind="ssh")


needs_gpg = pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg is not installed")


@pytest.fixture
def gpg_home(tmp_path: Path) -> Iterator[Path]:
    """Give a home for keys whose agent ends with the test."""
    home = tmp_path / "g"
    home.mkdir(mode=0o700)
    yield home
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False)


def make_gpg_key(home: Path, name: str) -> bytes:
    """Make a GnuPG key; give its public part, armoured."""
    start = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""]
    subprocess.run(
        [*start, "--quick-gen-key", f"{name}@example.com", "ed25519", "sign"], check=True, capture_output=True
    )
    return subprocess.run([*start, "--armor", "--export", name], check=True, capture_output=True).stdout


def sign_by_gpg(host: GitHost, home: Path, name: str) -> CommitId:
    return commit_signed(host, f"user.signingkey={name}@example.com", env={"GNUPGHOME": str(home)})


@needs_gpg
async def test_an_allowed_gpg_key_is_enough_and_another_is_not(git_host: GitHost, shop: Mirror, gpg_home: Path) -> None:
    alice, bob = make_gpg_key(gpg_home, "alice"), make_gpg_key(gpg_home, "bob")
    commit = sign_by_gpg(git_host, gpg_home, "alice")
    await shop.verify(commit, alice, kind="gpg")
    with pytest.raises(Stalled, match="allowed gpg key"):
        await shop.verify(commit, bob, kind="gpg")
    with pytest.raises(Stalled, match="allowed ssh key"):
        await shop.verify(commit, b"", kind="ssh")


@needs_gpg
async def test_an_ssh_signature_does_not_pass_for_gpg(
    git_host: GitHost, shop: Mirror, alice: tuple[Path, bytes], gpg_home: Path
) -> None:
    keys = make_gpg_key(gpg_home, "alice")
    with pytest.raises(Stalled, match="allowed gpg key"):
        await shop.verify(sign_with(git_host, alice[0]), keys, kind="gpg")


@needs_gpg
async def test_a_file_of_no_keys_is_said(shop: Mirror) -> None:
    with pytest.raises(Stalled, match="keys can't be read"):
        await shop.verify(await shop.resolve("main"), b"nonsense", kind="gpg")
