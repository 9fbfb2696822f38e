"""One poll per repository and interval, whatever the number of applications in it.

A Source follows the revisions that the platform names in its repository. A poll is one ref advertisement;
only a revision that moved is fetched, verified and published. A repository that is away keeps what is
known of it in force: its applications go on being healed, and nobody else waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from controller.engine.backoff import backoff_seconds
from controller.engine.events import RevisionFound, SourceFailed, Tell
from controller.git import CommitInfo, Mirror
from controller.model import CommitId, ConvergeError, RepositoryName, Stalled, Transient, Tree
from controller.runtime import Clock

INFOS = 1_000  # commits that are remembered; an older one is read anew from the mirror


@dataclass(frozen=True, slots=True)
class Checkout:
    """A revision at a commit: nothing is checked out; the tree is read from the mirror."""

    repository: RepositoryName
    revision: str
    commit: CommitId
    tree: Tree
    info: CommitInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Signers:
    """Whose signatures are demanded: a file's bytes and what kind of file it is."""

    ssh: bytes = b""
    gpg: bytes = b""


class Source:
    """One repository. `moved` is called after a poll that changed what `current` answers."""

    def __init__(
        self,
        name: RepositoryName,
        mirror: Mirror,
        *,
        clock: Clock,
        interval_seconds: float,
        tell: Tell,
        moved: Callable[[RepositoryName], None],
        chance: Callable[[], float],
    ) -> None:
        self.name = name
        self._mirror = mirror
        self._clock = clock
        self._interval_seconds = interval_seconds
        self._tell = tell
        self._moved = moved
        self._chance = chance
        self._revisions: frozenset[str] = frozenset()
        self._signers = Signers()
        self._known: dict[str, Checkout] = {}
        self._errors: dict[str, Stalled] = {}
        self._away: Transient | None = None
        self._infos: dict[CommitId, CommitInfo] = {}
        self._asking: dict[CommitId, asyncio.Lock] = {}
        self._poke = asyncio.Event()

    @property
    def mirror(self) -> Mirror:
        return self._mirror

    def follow(self, revisions: frozenset[str], signers: Signers) -> None:
        """Say which revisions are wanted and whose signatures count; a change polls at once."""
        if revisions == self._revisions and signers == self._signers:
            return
        if signers != self._signers:
            self._known.clear()
        self._revisions, self._signers = revisions, signers
        self.poke()

    def poke(self) -> None:
        """Poll now: a watched file moved, or a webhook came."""
        self._poke.set()

    def current(self, revision: str) -> Checkout:
        """Give the revision's checkout.

        Raises Stalled where it is not to be had or not to be trusted, Transient where nothing is known yet.
        """
        if revision in self._errors:
            raise self._errors[revision]
        if revision in self._known:
            return self._known[revision]
        raise self._away or Transient(f"repository {self.name}: {revision or 'HEAD'} was not read yet")

    def is_read(self, revision: str) -> bool:
        """Tell whether `current` has an answer of any kind yet; `moved` is called once it has."""
        return revision in self._known or revision in self._errors or self._away is not None

    async def describe(self, commit: CommitId) -> CommitInfo | None:
        """Tell of a commit, also of one that is the head no more. None: the host has it no longer."""
        known = self._infos.get(commit)
        if known is not None:
            return known
        async with self._asking.setdefault(commit, asyncio.Lock()):  # a thousand runs ask at once
            try:
                known = self._infos.get(commit) or await self._mirror.describe(commit)
            except ConvergeError:
                return None
            finally:
                self._asking.pop(commit, None)
        self._infos[commit] = known
        while len(self._infos) > INFOS:
            del self._infos[next(iter(self._infos))]
        return known

    async def run(self) -> None:
        """Poll for ever: after every interval, or at once when poked."""
        failures = 0
        while True:
            self._poke.clear()
            failures = 0 if await self.poll() else failures + 1
            pause = backoff_seconds(failures, chance=self._chance()) if failures else self._interval_seconds
            try:
                async with asyncio.timeout(min(pause, self._interval_seconds) * (0.95 + 0.1 * self._chance())):
                    await self._poke.wait()
            except TimeoutError:
                continue

    async def poll(self) -> bool:
        """Ask once where the refs are, and read what moved. False: the repository is away."""
        revisions = self._revisions
        if not revisions:
            return True
        before = self._answers()
        try:
            for revision, head in sorted((await self._mirror.heads(revisions)).items()):
                await self._read(revision, head)
        except Transient as error:
            self._went_away(error)
            return False
        except Stalled as error:  # the repository as a whole: no such one, no right to read it
            for revision in revisions:
                self._refuse(revision, error)
        self._away = None
        for gone in (self._known.keys() | self._errors.keys()) - revisions:
            self._known.pop(gone, None)
            self._errors.pop(gone, None)
        if self._answers() != before:
            self._moved(self.name)
        return True

    def _answers(self) -> Mapping[str, str]:
        known = {revision: one.commit for revision, one in self._known.items()}
        return {**known, **{revision: str(error) for revision, error in self._errors.items()}}

    def _went_away(self, error: Transient) -> None:
        is_news = self._away is None
        self._away = error
        if is_news:
            self._tell(SourceFailed(self.name, "", str(error)))
            if not self._known:
                self._moved(self.name)

    async def _read(self, revision: str, head: CommitId | Stalled) -> None:
        known = self._known.get(revision)
        try:
            if isinstance(head, Stalled):
                raise head
            checkout = known if known and known.commit == head else await self._checkout(revision, head)
        except Stalled as error:
            self._refuse(revision, error)
            return
        self._errors.pop(revision, None)
        self._known[revision] = checkout
        if checkout is not known:
            self._tell(RevisionFound(self.name, revision, head, checkout.info.subject))

    def _refuse(self, revision: str, error: Stalled) -> None:
        if str(self._errors.get(revision, "")) != str(error):
            self._tell(SourceFailed(self.name, revision, str(error)))
        self._errors[revision] = error

    async def _checkout(self, revision: str, head: CommitId) -> Checkout:
        for other in self._known.values():
            if other.commit == head:
                return replace(other, revision=revision)
        await self._mirror.fetch(head)
        if self._signers.ssh:
            await self._mirror.verify(head, self._signers.ssh, kind="ssh")
        if self._signers.gpg:
            await self._mirror.verify(head, self._signers.gpg, kind="gpg")
        tree = await self._mirror.tree(head, repository=self.name)
        return Checkout(self.name, revision, head, tree, await self._mirror.describe(head))
