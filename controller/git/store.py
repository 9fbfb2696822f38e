"""One bare mirror on disk: a cache that may be deleted, damaged or left half-written at any moment.

Blocking; runs in threads. Whatever writes holds an flock beside the mirror, and git inherits its descriptor: so the
lock lives exactly as long as somebody writes, also when the controller is killed and its git lives on. Under it, lock
files that git left behind belong to nobody and are removed.

Each wanted commit is fetched alone (depth 1) and kept by a ref of its own. The `KEPT_COMMITS` wanted last stay.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from controller.git.access import Access
from controller.git.command import ALLOCATION, Answer, git, hardened
from controller.git.failures import NOT_ADVERTISED, CommitGone, failure, is_damage
from controller.git.objects import DAMAGE_MARK, Damaged
from controller.git.remote import Remote
from controller.git.signing import Sign, with_parent, with_signature
from controller.git.stream import FAST_IMPORT_ARGS
from controller.model import CommitId, Transient
from controller.runtime import Pipe

KEPT = "refs/converge/kept"
KEPT_COMMITS = 128
PACK_LIMIT = 40  # packs, before they are made fewer
FULL_ROUND = 25  # of these rounds, the one that drops what no ref names any more
LOCK_POLL_SECONDS = 0.02
LOCAL_SECONDS = 120.0


class Store:
    """The files of one mirror. `deadline_seconds` bounds a fetch."""

    def __init__(self, path: Path, remote: Remote, *, deadline_seconds: float) -> None:
        self.path = path
        self.remote = remote
        self._deadline_seconds = deadline_seconds
        self._rounds = 0

    def has(self, commit: CommitId) -> bool:
        """Tell whether a commit is here, whole, and remember that it was wanted; a look at the disk."""
        try:
            os.utime(self.path / KEPT / commit)
        except OSError:
            return False
        return not (self.path / DAMAGE_MARK).exists()

    def fetch(self, commit: CommitId, access: Access, *, depth: int = 1) -> None:
        """Get a commit and all its files, or more of its history; a broken mirror is begun anew, once.

        Raises CommitGone, Stalled, Transient.
        """
        with self.locked() as lock:
            if depth == 1 and self.has(commit):
                return
            answer = self._fetch(commit, access, depth, lock)
            if answer.status and is_damage(answer):
                self._discard()
                self._prepare()
                answer = self._fetch(commit, access, depth, lock)
            if answer.status and NOT_ADVERTISED.search(answer.stderr):
                answer = self._fetch_everything(commit, access, lock)
            if answer.status:
                raise failure(f"{self.remote.url}: commit {commit} can't be fetched", answer)
            self._tidy(lock)

    def discard(self) -> None:
        """Delete the mirror: the next fetch begins anew."""
        with self.locked():
            self._discard()

    def import_commits(self, stream: bytes, sign: Sign | None = None) -> tuple[CommitId, ...]:
        """Add the commits of a fast-import stream, a chain, each signed. Raises Damaged, Transient, and as `sign`."""
        env = hardened({}, {**ALLOCATION, "GIT_DIR": str(self.path)})
        with (
            self.locked(),
            Pipe(("git", *FAST_IMPORT_ARGS), cwd=self.path, env=env, deadline_seconds=LOCAL_SECONDS) as pipe,
        ):
            pipe.send(stream)
            status, output, words = pipe.finish()
            commits = tuple(CommitId(line) for line in output.decode().split())
            if status == 0:
                commits = self._signed(commits, sign) if sign is not None else commits
                self._keep(commits[-1])
        if status:
            raise self._trouble("commits can't be written into the mirror", Answer(status, output, words))
        return commits

    def _signed(self, commits: Sequence[CommitId], sign: Sign) -> tuple[CommitId, ...]:
        """Write each commit of a chain again, signed, over the signed one before it."""
        done: list[CommitId] = []
        for commit in commits:
            answer = self._git(("cat-file", "commit", commit))
            if answer.status:
                raise self._trouble("a commit can't be read back", answer)
            data = with_parent(answer.stdout, done[-1]) if done else answer.stdout
            done.append(self._write_commit(with_signature(data, sign(data), digits=len(commit))))
        return tuple(done)

    def _write_commit(self, data: bytes) -> CommitId:
        env = hardened({}, {"GIT_DIR": str(self.path)})
        argv = ("git", "hash-object", "-t", "commit", "-w", "--stdin")
        with Pipe(argv, cwd=self.path, env=env, deadline_seconds=LOCAL_SECONDS) as pipe:
            pipe.send(data)
            status, output, words = pipe.finish()
        if status:
            raise self._trouble("a signed commit can't be written into the mirror", Answer(status, output, words))
        return CommitId(output.decode().strip())

    def tidy(self) -> None:
        """Keep the mirror small; for whoever adds to it without fetching."""
        with self.locked() as lock:
            self._tidy(lock)

    def first_parents(self, commit: CommitId, limit: int) -> tuple[CommitId, ...]:
        """Give what is here of a commit's first-parent history, itself first. Raises Damaged."""
        answer = self._git(("log", "--first-parent", "--format=%H", f"--max-count={limit}", commit, "--"))
        if answer.status:
            raise self._trouble("the history can't be read", answer)
        return tuple(CommitId(line) for line in answer.stdout.decode().split())

    def is_cut(self, commit: CommitId) -> bool:
        """Tell whether history ends at a commit because more of it was not fetched."""
        try:
            return commit in (self.path / "shallow").read_text().split()
        except FileNotFoundError:
            return False

    @contextmanager
    def locked(self) -> Iterator[int]:
        """Hold the mirror for writing; it exists and is free of stale locks. Gives the lock's descriptor."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._wait_for(descriptor)
            self._prepare()
            yield descriptor
        finally:
            os.close(descriptor)

    def _wait_for(self, descriptor: int) -> None:
        deadline = time.monotonic() + self._deadline_seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise Transient(f"{self.remote.url}: another process is still writing its mirror") from error
                time.sleep(LOCK_POLL_SECONDS)
            else:
                return

    def _prepare(self) -> None:
        if (self.path / DAMAGE_MARK).exists():
            self._discard()
        if not (self.path / "HEAD").is_file() or not (self.path / "objects").is_dir():
            self._discard()
            self._init()
        stale = (*self.path.glob("*.lock"), *(self.path / "refs").rglob("*.lock"))
        for one in (*stale, *(self.path / "objects" / "pack").glob("tmp_*")):  # what a killed git had begun
            one.unlink(missing_ok=True)

    def _init(self) -> None:
        """Make the mirror under another name first: whoever is killed leaves all of it or nothing."""
        new = self.path.with_suffix(f".new-{uuid.uuid4().hex}")
        answer = git(
            ("init", "--quiet", "--bare", "--template=", "--initial-branch=main", str(new)),
            cwd=self.path.parent,
            deadline_seconds=LOCAL_SECONDS,
        )
        if answer.status:
            raise failure(f"{self.path}: the mirror can't be made", answer)
        new.rename(self.path)

    def _discard(self) -> None:
        trash = self.path.with_suffix(f".trash-{uuid.uuid4().hex}")
        if self.path.exists():
            self.path.rename(trash)
        for leftover in self.path.parent.glob(f"{self.path.stem}.*-*"):
            shutil.rmtree(leftover, ignore_errors=True)

    def _fetch(self, commit: CommitId, access: Access, depth: int, lock: int) -> Answer:
        return self._git(fetch_args(self.remote.url, commit, depth), lock, access)

    def _fetch_everything(self, commit: CommitId, access: Access, lock: int) -> Answer:
        """Get all branches and tags, where a host gives out nothing but what its refs name."""
        spec = ("+refs/heads/*:refs/converge/heads/*", "+refs/tags/*:refs/converge/tags/*")
        is_shallow = (self.path / "shallow").exists()
        options = (
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--prune",
            *(("--unshallow",) if is_shallow else ()),
        )
        answer = self._git(("fetch", *options, "--", self.remote.url, *spec), lock, access)
        if answer.status:
            return answer
        if self._git(("cat-file", "-e", f"{commit}^{{commit}}"), lock).status:
            raise CommitGone(f"{self.remote.url}: no branch or tag holds commit {commit} (any more)")
        return self._git(("update-ref", f"{KEPT}/{commit}", commit), lock)

    def _keep(self, commit: CommitId) -> None:
        """Name a commit, so that it counts as fetched: all of it is here."""
        ref = self.path / KEPT / commit
        ref.parent.mkdir(parents=True, exist_ok=True)
        new = ref.with_suffix(".lock")
        new.write_text(f"{commit}\n")
        new.rename(ref)

    def _tidy(self, lock: int) -> None:
        """Keep the mirror small: the last commits, in few packs. Failing at it is no failure."""
        refs = (self.path / KEPT).iterdir() if (self.path / KEPT).is_dir() else ()
        kept = sorted(refs, key=lambda ref: ref.stat().st_mtime_ns, reverse=True)
        for ref in kept[KEPT_COMMITS:]:
            ref.unlink(missing_ok=True)
        if len(list((self.path / "objects" / "pack").glob("*.pack"))) > PACK_LIMIT:
            self._rounds += 1
            if self._rounds % FULL_ROUND:
                self._git(("repack", "--geometric=2", "-d", "-q"), lock)  # joins the small packs, leaves the large
            else:
                self._git(("repack", "-a", "-d", "-q"), lock)
                self._git(("prune", "--expire=now"), lock)

    def _git(self, arguments: Sequence[str], lock: int | None = None, access: Access | None = None) -> Answer:
        env: Mapping[str, str] = access.env if access else {}
        answer = git(
            arguments,
            cwd=self.path if self.path.is_dir() else self.path.parent,
            deadline_seconds=self._deadline_seconds if access else LOCAL_SECONDS,
            env={**env, "GIT_DIR": str(self.path)},
            settings=access.settings if access else {},
            keep_open=() if lock is None else (lock,),
        )
        return Answer(answer.status, answer.stdout, access.redact(answer.stderr)) if access else answer

    def _trouble(self, what: str, answer: Answer) -> Exception:
        if is_damage(answer):
            (self.path / DAMAGE_MARK).touch()
            return Damaged(f"{self.remote.url}: {what}: its mirror is damaged; it is fetched again")
        return failure(f"{self.remote.url}: {what}", answer)


def fetch_args(url: str, commit: CommitId, depth: int) -> tuple[str, ...]:
    """Give the arguments that fetch one commit, shallow. Pure."""
    options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", f"--depth={depth}")
    return ("fetch", *options, "--", url, f"+{commit}:{KEPT}/{commit}")
