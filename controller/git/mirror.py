"""Repositories as the rest of the program sees them: refs polled, commits fetched on demand, Trees read locally.

What happens when… a branch was force-pushed: the next poll gives its new commit, which is fetched like any other. A
branch was deleted: `resolve` is Stalled and names it. The host has forgotten a commit: `fetch` raises CommitGone. A
repository is away: Transient at the deadline. The mirror is damaged or deleted: it is fetched again.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakSet

from controller.git.access import access_to
from controller.git.charts import ChartAddress, ChartHost, chart_address
from controller.git.command import Answer, git
from controller.git.failures import CommitGone, failure
from controller.git.history import CommitInfo, parse_commit
from controller.git.objects import Damaged, objects_at
from controller.git.push import PushResult, push_args, read_push
from controller.git.refs import FULL_ID, choose, read_advertisement, read_symref, ref_patterns, wire_patterns
from controller.git.remote import Remote, parse_remote
from controller.git.signatures import SignatureKind, signer_of, verify
from controller.git.signing import Sign, ssh_signer
from controller.git.store import Store
from controller.git.stream import NewCommit, import_stream
from controller.git.threads import Given, Threads
from controller.git.tree import GitTree
from controller.model import CommitId, RepositoryName, Secret, Stalled, Transient
from controller.runtime import Credential, CredentialStore

HISTORY_LIMIT = 1000  # commits that are fetched at most to answer a question about history
REMOTE_THREADS = 16  # as many repositories may hang at once before another one waits
LOCAL_THREADS = 4
UNNAMED = RepositoryName("")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """How long the remote may take, in seconds."""

    refs: float = 30.0
    fetch: float = 300.0
    push: float = 60.0


class Mirrors:
    """All mirrors under one folder, which is a cache: deleting it loses nothing."""

    def __init__(
        self,
        root: Path,
        credentials: CredentialStore,
        *,
        deadlines: Deadlines | None = None,
        is_one_moment: bool = False,
    ) -> None:
        """With `is_one_moment`, where a ref is is asked once: for commands that look at the world at one moment."""
        self.root = root.absolute()
        self._credentials = credentials
        self._deadlines = deadlines or Deadlines()
        self._is_one_moment = is_one_moment
        self._remote_threads = Threads(REMOTE_THREADS, "git-remote")
        self._local_threads = Threads(LOCAL_THREADS, "git-local")
        self._known: dict[tuple[str, str], Mirror] = {}

    def mirror(self, url: str, credentials: str = "") -> Mirror:
        """Give the one mirror of a repository. Raises Stalled for an address that Converge doesn't go to.

        Who reads by another credential has a mirror of its own: what one may see the other may not.
        """
        key = (url, credentials)
        if key not in self._known:
            chart = chart_address(url)
            remote = Remote(url, "https") if chart else parse_remote(url)
            path = self.root / folder_name(url, credentials)
            store = Store(path, remote, deadline_seconds=self._deadlines.fetch)
            self._known[key] = Mirror(
                store,
                credentials=lambda: self._credentials.get(credentials) if credentials else None,
                deadlines=self._deadlines,
                remote_threads=self._remote_threads,
                local_threads=self._local_threads,
                chart=chart,
                is_one_moment=self._is_one_moment,
            )
        return self._known[key]

    def credential(self, name: str) -> Credential:
        """Give a credential of the store that mirrors use. Raises Stalled where there is none."""
        return self._credentials.get(name)

    def signing(self, credentials: str) -> Sign:
        """Give what signs commits with a credential's `ssh-privatekey`; it raises Stalled where there is none."""

        def key() -> Secret:
            found = self._credentials.get(credentials).ssh_private_key
            if found is None:
                raise Stalled(f'credential "{credentials}" has no ssh-privatekey, so that commits can\'t be signed')
            return found

        return ssh_signer(key)

    def close(self) -> None:
        """End the children that read; what still runs ends by its deadline, or with the process."""
        for mirror in self._known.values():
            mirror.close()


class Mirror:
    """One repository."""

    def __init__(
        self,
        store: Store,
        *,
        credentials: Callable[[], Credential | None],
        deadlines: Deadlines,
        remote_threads: Threads,
        local_threads: Threads,
        chart: ChartAddress | None = None,
        is_one_moment: bool = False,
    ) -> None:
        self._store = store
        self._credentials = credentials
        self._deadlines = deadlines
        self._remote_threads = remote_threads
        self._local_threads = local_threads
        self._writing = asyncio.Lock()
        self._objects = objects_at(store.path)
        self._trees: WeakSet[GitTree] = WeakSet()
        self._is_one_moment = is_one_moment
        self._answers: dict[str, Mapping[str, CommitId]] = {}  # by pattern, where they are asked for once
        self._chart: ChartHost | None = None
        if chart is not None:
            self._chart = ChartHost(
                chart,
                archives=store.path.parent / "charts",
                credentials=credentials,
                import_commits=self.import_commits,
            )

    @property
    def is_chart(self) -> bool:
        """Tell whether it is no git repository, but the versions of a chart: revisions are ranges of these."""
        return self._chart is not None

    @property
    def remote(self) -> Remote:
        return self._store.remote

    @property
    def url(self) -> str:
        return self._store.remote.url

    @property
    def path(self) -> Path:
        """Where the mirror lies."""
        return self._store.path

    @property
    def watchable(self) -> Path | None:
        """Give the folder to watch, with all in it, where the repository is on this machine; None for one elsewhere."""
        folder = self.remote.folder
        places = () if folder is None else (folder / ".git" / "refs", folder / "refs")
        return next((place for place in places if place.is_dir()), None)

    async def refs(self, patterns: Sequence[str]) -> Mapping[str, CommitId]:
        """Ask for refs by their full names or globs (`refs/heads/*`, `HEAD`): one ref advertisement, nothing else.

        Annotated tags come as the commits they stand for. Where the mirror was damaged or deleted, Trees that somebody
        still holds are fetched again now. Raises Stalled, Transient.
        """
        self._objects.rest()
        if self._chart is not None:
            return {}
        for pattern in patterns:
            if pattern.startswith("-") or not pattern.isprintable():
                raise Stalled(f"{pattern!r} can't be the name of a ref")
        if patterns and self._answers.keys() >= set(patterns):
            return {name: commit for pattern in patterns for name, commit in self._answers[pattern].items()}
        argv = ("ls-remote", "--quiet", "--", self.url, *wire_patterns(patterns))
        answer = await self._in(self._remote_threads, lambda: self._talk(argv, self._deadlines.refs))
        if answer.status:
            raise failure(f"{self.url}: its branches can't be asked for", answer)
        await self._heal()
        told = answer.stdout.decode(errors="replace")
        if self._is_one_moment:
            self._answers |= {pattern: read_advertisement(told, (pattern,)) for pattern in patterns}
        return read_advertisement(told, patterns)

    async def heads(self, revisions: Collection[str]) -> Mapping[str, CommitId | Stalled]:
        """Find the commits of branches, tags and commit ids ("" is HEAD), or why there is none of a name.

        Of a chart they are ranges of versions. Raises Stalled, Transient, where the repository as a whole is not to be
        had.
        """
        if self._chart is not None:
            return await self._chart.heads(revisions)
        patterns = {pattern for revision in revisions for pattern in ref_patterns(revision)}
        refs = await self.refs(sorted(patterns)) if patterns else {}
        found: dict[str, CommitId | Stalled] = {}
        for revision in revisions:
            try:
                found[revision] = choose(revision, refs, url=self.url)
            except Stalled as error:
                found[revision] = error
        return found

    async def resolve(self, revision: str) -> CommitId:
        """Find the commit of a branch, tag or commit id; "" is HEAD. Raises Stalled (no such name), Transient."""
        found = (await self.heads([revision]))[revision]
        if isinstance(found, Stalled):
            raise found
        return found

    async def default_branch(self) -> str:
        """Give the name of the branch that HEAD stands for. Raises Stalled where the host does not tell, Transient."""
        argv = ("ls-remote", "--quiet", "--symref", "--", self.url, "HEAD")
        answer = await self._in(self._remote_threads, lambda: self._talk(argv, self._deadlines.refs))
        if answer.status:
            raise failure(f"{self.url}: its branches can't be asked for", answer)
        name = read_symref(answer.stdout.decode(errors="replace"))
        if not name:
            raise Stalled(f"{self.url}: the host doesn't say which branch is its default one. Name a branch")
        return name

    async def fetch(self, commit: CommitId) -> None:
        """Have a commit and its files here; nothing is sent when they are. Raises CommitGone, Stalled, Transient."""
        await self._fetch(commit, depth=1)

    async def tree(self, commit: CommitId, *, repository: RepositoryName = UNNAMED) -> GitTree:
        """Give a commit's Tree, fetched where it isn't here. `repository` is the name it is read under."""
        info = await self.describe(commit)
        tree = GitTree(self.path, commit, info.tree, repository)
        self._trees.add(tree)
        return tree

    async def describe(self, commit: CommitId) -> CommitInfo:
        """Say who wrote a commit, when, and why."""

        def read() -> CommitInfo:
            info = parse_commit(commit, self._objects.commit(commit))
            self._objects.directory(info.tree)
            return info

        return await self._reading(commit, read)

    async def first_parents(self, commit: CommitId, *, limit: int) -> tuple[CommitId, ...]:
        """Give a commit and its first-parent ancestors, newest first, at most `limit` (and HISTORY_LIMIT)."""
        limit = min(limit, HISTORY_LIMIT)
        found = await self._reading(commit, lambda: self._store.first_parents(commit, limit))
        if len(found) < limit and self._store.is_cut(found[-1]):
            await self._fetch(commit, depth=limit)
            found = await self._reading(commit, lambda: self._store.first_parents(commit, limit))
        return found

    async def log(
        self, commit: CommitId, *, limit: int, repository: RepositoryName = UNNAMED
    ) -> tuple[tuple[CommitInfo, GitTree], ...]:
        """Give what `first_parents` names, each with its Tree; they came in one fetch, and none is fetched alone."""
        commits = await self.first_parents(commit, limit=limit)

        def read() -> tuple[tuple[CommitInfo, GitTree], ...]:
            infos = [parse_commit(one, self._objects.commit(one)) for one in commits]
            return tuple((info, GitTree(self.path, info.commit, info.tree, repository)) for info in infos)

        return await self._reading(commit, read)

    async def changed_paths(self, old: CommitId, new: CommitId) -> frozenset[str] | None:
        """Name the files that differ between two commits; None where the host doesn't have one of them any more."""
        try:
            before, after = await self.tree(old), await self.tree(new)
        except CommitGone:
            return None
        return await self._in(self._local_threads, lambda: frozenset(after.differences(before)))

    async def verify(self, commit: CommitId, signers: bytes, *, kind: SignatureKind) -> None:
        """Check a commit's signature against allowed signers (ssh) or public keys (gpg). Raises Stalled."""
        await self.signer(commit, signers, kind=kind)

    async def signer(self, commit: CommitId, signers: bytes, *, kind: SignatureKind) -> str:
        """Name who signed a commit, of allowed signers (ssh) or public keys (gpg). Raises Stalled where nobody did."""
        await self.describe(commit)  # a damaged mirror shall not pass for a missing signature
        words = await verify(self.path, commit, signers, kind=kind, threads=self._local_threads)
        return signer_of(words, kind=kind)

    async def import_commits(
        self, ref: str, commits: Sequence[NewCommit], *, sign: Sign | None = None
    ) -> tuple[CommitId, ...]:
        """Write a chain of commits into the mirror, without a work tree. Raises Damaged, Transient, and as `sign`."""

        def work() -> tuple[CommitId, ...]:
            return self._store.import_commits(import_stream(ref, commits), sign)

        async with self._writing:
            return await self._in(self._local_threads, work)

    async def compute(self, work: Callable[[], Given]) -> Given:
        """Run what reads Trees of this mirror for long, off the event loop."""
        return await self._in(self._local_threads, work)

    async def tidy(self) -> None:
        """Keep the mirror small after imports; cheap when there is nothing to do."""
        async with self._writing:
            await self._in(self._local_threads, self._store.tidy)

    async def push(self, commit: CommitId, ref: str) -> PushResult:
        """Push a commit of the mirror to a ref, forward only. Raises Stalled (refused), Transient (fate unknown)."""
        argv = push_args(self.url, commit, ref)
        env = {"GIT_DIR": str(self.path)}
        answer = await self._in(self._remote_threads, lambda: self._talk(argv, self._deadlines.push, env))
        return read_push(answer, what=f"{self.url}: {ref} can't be pushed")

    def close(self) -> None:
        """End the child that reads."""
        self._objects.close()

    async def _in(self, threads: Threads, work: Callable[[], Given]) -> Given:
        """Run blocking work that uses the disk; the disk's own troubles (full, read-only, gone) are hiccups."""
        try:
            return await threads.run(work)
        except OSError as error:
            raise Transient(f"{self.url}: its mirror {self.path} can't be used: {error}") from error

    async def _heal(self) -> None:
        """Fetch what Trees in use have lost with the mirror; a few looks at the disk when all is well."""
        for commit in {tree.commit for tree in self._trees}:
            with suppress(CommitGone):
                await self.fetch(commit)

    async def _fetch(self, commit: CommitId, *, depth: int) -> None:
        if not FULL_ID.fullmatch(commit):
            raise Stalled(f"{commit!r} is no commit id: it has 40 (or 64) hex digits")
        if depth == 1 and self._store.has(commit):
            return
        if self._chart is not None:
            if not self._store.has(commit) and not await self._chart.find(commit):
                raise CommitGone(f"{self.url}: none of its newest versions is commit {commit}")
            return

        def work() -> None:
            with access_to(self.remote, self._credentials()) as access:
                self._store.fetch(commit, access, depth=depth)

        async with self._writing:
            await self._in(self._remote_threads, work)

    async def _reading(self, commit: CommitId, read: Callable[[], Given]) -> Given:
        """Read from the mirror; where it turns out to be broken, fetch it again and read once more."""
        await self.fetch(commit)
        try:
            return await self._in(self._local_threads, read)
        except Damaged:
            await self.fetch(commit)
            return await self._in(self._local_threads, read)

    def _talk(self, argv: Sequence[str], deadline_seconds: float, env: Mapping[str, str] | None = None) -> Answer:
        """Run a command that talks to the remote and writes nothing here; blocking."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with access_to(self.remote, self._credentials()) as access:
            answer = git(
                argv,
                cwd=self.path.parent,
                deadline_seconds=deadline_seconds,
                env={"GIT_CEILING_DIRECTORIES": str(self.path.parent.parent), **access.env, **(env or {})},
                settings=access.settings,
            )
            return Answer(answer.status, answer.stdout, access.redact(answer.stderr))


def folder_name(url: str, credentials: str) -> str:
    """Name a mirror's folder: telling for people, unique by the hash. Pure."""
    telling = re.sub(r"[^A-Za-z0-9]+", "-", url.rstrip("/").removesuffix(".git").rsplit("/", 1)[-1])[:40].strip("-")
    return f"{telling}-{hashlib.sha256(f'{url} {credentials}'.encode()).hexdigest()[:16]}.git"
