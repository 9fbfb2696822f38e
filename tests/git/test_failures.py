from __future__ import annotations

import pytest

from controller.git.command import Answer
from controller.git.failures import CommitGone, failure, is_damage
from controller.git.push import PushResult, read_push
from controller.model import Stalled, Transient


@pytest.mark.parametrize(
    ("words", "kind", "advice"),
    [
        ("fatal: unable to access 'u': The requested URL returned error: 503", Transient, "503"),
        ("fatal: unable to access 'u': The requested URL returned error: 429", Transient, "429"),
        ("fatal: unable to access 'u': Could not resolve host: git.example.com", Transient, "resolve"),
        ("ssh: connect to host h port 22: Connection refused", Transient, "refused"),
        ("fatal: the remote end hung up unexpectedly\nfatal: early EOF", Transient, "early EOF"),
        ("something that nobody has seen before", Transient, "nobody"),
        ("fatal: Authentication failed for 'https://h/'", Stalled, "name one under `credentials`"),
        ("fatal: could not read Username for 'https://h': terminal prompts disabled", Stalled, "`credentials`"),
        ("fatal: unable to access 'u': The requested URL returned error: 403", Stalled, "Let the credential's user"),
        ("git@h: Permission denied (publickey).", Stalled, "public key"),
        ("No ED25519 host key is known for h and you have requested strict checking.", Stalled, "known_hosts"),
        ("fatal: unable to access 'u': SSL certificate problem: self-signed certificate", Stalled, "ca.crt"),
        ("remote: Repository not found.\nfatal: repository 'https://h/' not found", Stalled, "Check the URL"),
        ("fatal: '/srv/x' does not appear to be a git repository", Stalled, "Check the URL"),
        ("fatal: detected dubious ownership in repository at '/srv/x'", Stalled, "Give the repository's folder"),
        ("fatal: remote error: upload-pack: not our ref 1234", CommitGone, "force-pushed"),
    ],
)
def test_words_are_sorted_by_what_happens_next(words: str, kind: type[Exception], advice: str) -> None:
    error = failure("shop", Answer(128, b"", words))
    assert type(error) is kind
    assert advice in str(error)


def test_a_deadline_is_a_hiccup() -> None:
    assert isinstance(failure("shop", Answer(-9, b"", 'Timeout: the command "git" did not complete')), Transient)


def test_damage_here_is_told_from_damage_there() -> None:
    assert is_damage(Answer(128, b"", "error: inflate: data stream error (incorrect header check)"))
    assert is_damage(Answer(128, b"", "fatal: not a git repository: '/cache/shop.git'"))
    assert not is_damage(Answer(128, b"", "remote: fatal: bad object 1234"))


def test_a_full_disk_is_no_damage_and_tried_again() -> None:
    answer = Answer(128, b"", "fatal: packfile write error: No space left on device\nfatal: index-pack failed")
    assert not is_damage(answer)
    assert isinstance(failure("shop", answer), Transient)


def push(reason: str, stderr: str = "", by: str = "remote rejected") -> PushResult:
    line = f"To u\n!\tabc:refs/heads/main\t[{by}] ({reason})\nDone\n"
    return read_push(Answer(1, line.encode(), stderr), what="main can't be pushed")


@pytest.mark.parametrize(
    ("by", "reason"),
    [
        ("rejected", "fetch first"),
        ("rejected", "non-fast-forward"),
        ("remote rejected", "failed to update ref"),
        ("remote rejected", "cannot lock ref 'refs/heads/main': is at a but expected b"),
        ("remote rejected", "reference already exists"),
        ("remote rejected", "incorrect old value provided"),
    ],
)
def test_who_was_outrun_may_try_again(by: str, reason: str) -> None:
    assert push(reason, by=by) is PushResult.OUTRUN


def test_a_commit_that_was_there_already_is_somebody_elses() -> None:
    said = [b"To u\n*\ta:b\t[new branch]\nDone\n", b"To u\n \ta:b\t1..2\nDone\n", b"To u\nDone\n"]
    results = [read_push(Answer(0, output, ""), what="x") for output in said]
    assert results == [PushResult.ACCEPTED, PushResult.ACCEPTED, PushResult.OUTRUN]


@pytest.mark.parametrize("reason", ["pre-receive hook declined", "protected branch hook declined", "deny updating"])
def test_a_refusal_is_stalled_with_the_hosts_words(reason: str) -> None:
    with pytest.raises(Stalled, match="GH006: Protected branch"):
        push(reason, "remote: error: GH006: Protected branch update failed\nerror: failed to push some refs")


def test_a_full_disk_at_the_host_is_a_hiccup() -> None:
    with pytest.raises(Transient, match="unpacker error"):
        push("unpacker error", "remote: fatal: write error: No space left on device")
