"""Does what renders need of other programs, and renders again with the results.

A render that needs nothing passes through at no cost. One that does raises Needed; the needs are worked off, a few at a
time, and the render is tried again, until it needs nothing that is not there. Results are kept in memory, by digest, up
to a bound: a change of an overlay templates no chart anew. They are never written anywhere: some are secret.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from typing import Any, Final, TypeAlias, TypeVar
from weakref import WeakValueDictionary

from controller.engine.masking import masked
from controller.model import Digest, Secret, Stalled, Unequipped
from controller.render import (
    NO_FACTS,
    NOT_GIVEN,
    ChartArchive,
    ChartHead,
    ChartTemplate,
    ClusterFacts,
    Decryption,
    Head,
    ModuleFolder,
    ModuleHead,
    Needed,
    Prepared,
    Result,
    TakenOutput,
    clear_values,
)

T = TypeVar("T")
Facts: TypeAlias = "Callable[[], Awaitable[bytes]]"  # what a target is, as `facts_of` writes it
Work: TypeAlias = ChartTemplate | ChartArchive | Head | ModuleFolder | Decryption
Give: TypeAlias = "Callable[[Sequence[TakenOutput]], Mapping[TakenOutput, Result]]"  # what other targets give out
Craft: TypeAlias = "Callable[[Any], Awaitable[Result]]"  # does one kind of need; raises ConvergeErrors

MOST_ROUNDS: Final = 16  # a need's result may lead to another need; more than this is a bug
KEPT_BYTES: Final = 64 << 20


class Workshop:
    """Has needs done. `crafts` are the functions that do them, by the type of the need.

    What a craft gives is kept, and so is a Stalled that it raises, since its verdict is about the need alone. What is
    Unequipped (no such program, no such key) and what passes by itself is tried again the next time.
    """

    def __init__(
        self, crafts: Mapping[type[Any], Craft] | None = None, *, places: int = 4, kept_bytes: int = KEPT_BYTES
    ) -> None:
        self._crafts = dict(crafts or {})
        self._places = asyncio.Semaphore(places)
        self._kept_bytes = kept_bytes
        self._kept: OrderedDict[Digest, Result | Stalled] = OrderedDict()
        self._bytes = 0
        self._turns: WeakValueDictionary[Digest, asyncio.Lock] = WeakValueDictionary()
        self.works = 0  # how many were really done, for tests and metrics

    async def work(
        self,
        do: Callable[[Prepared], Awaitable[T]],
        facts: Facts | None = None,
        heads: MutableMapping[Head, Result] | None = None,
        give: Give | None = None,
    ) -> T:
        """Do what raises Needed where something is missing, with what it needs. Raises what it and the crafts raise.

        `facts` tells what the target is; without it, charts are for no cluster of note. `heads` takes up what ranges
        of versions led to. `give` tells what other targets give out, or raises; without it, nobody does.
        """
        prepared: dict[Digest, Result | Stalled] = {}
        decryptions: list[Decryption] = []
        for _ in range(MOST_ROUNDS):
            try:
                return await do(prepared)
            except Needed as needed:
                needs = needed.needs
            except Stalled as error:
                raise _told(error, decryptions, prepared) from None
            if any(isinstance(need, ClusterFacts) for need in needs):
                prepared[ClusterFacts().digest] = await facts() if facts else NO_FACTS
            taken = [one for one in needs if isinstance(one, TakenOutput)]
            given = give(taken) if taken and give else {}
            prepared |= {one.digest: given.get(one, NOT_GIVEN) for one in taken}
            try:
                prepared |= await self._done([one for one in needs if not isinstance(one, ClusterFacts | TakenOutput)])
            except Stalled as error:
                raise _told(error, decryptions, prepared) from None
            decryptions += [one for one in needs if isinstance(one, Decryption)]
            if heads is not None:
                for need in needs:
                    if isinstance(need, ChartHead | ModuleHead) and isinstance(found := prepared[need.digest], bytes):
                        heads[need] = found
        raise RuntimeError("a render needs something else whenever it is given what it needs")

    async def _done(self, needs: Sequence[Work]) -> dict[Digest, Result | Stalled]:
        """Do them at the same time; a verdict on one is its result. Raises the first error that is none."""
        wanted = {need.digest: need for need in needs}
        given = await asyncio.gather(*(self._one(*one) for one in wanted.items()), return_exceptions=True)
        results: dict[Digest, Result | Stalled] = {}
        for digest, one in zip(wanted, given, strict=True):
            if isinstance(one, BaseException) and (not isinstance(one, Stalled) or isinstance(one, Unequipped)):
                raise one
            results[digest] = one
        return results

    async def head(self, need: Head) -> Result:
        """Ask what a range of versions, or a ref, leads to now. Raises Stalled, Transient."""
        found = await self._made(need)
        if isinstance(found, Stalled):
            raise found
        return found

    async def _one(self, digest: Digest, need: Work) -> Result | Stalled:
        if isinstance(need, ChartHead | ModuleHead):  # the state of the world: who asks keeps it while it holds
            return await self._made(need)
        turn = self._turns.setdefault(digest, asyncio.Lock())
        async with turn:  # whoever needs the same waits for it, and does not do it again
            kept = self._kept.get(digest)
            if kept is None:
                kept = await self._made(need)
                self._keep(digest, kept)
            else:
                self._kept.move_to_end(digest)
        return kept

    async def _made(self, need: Work) -> Result | Stalled:
        craft = self._crafts.get(type(need))
        if craft is None:
            raise Unequipped(f"{need.where}: this process has no means for a {type(need).__name__}")
        async with self._places:
            self.works += 1
            try:
                return await craft(need)
            except Unequipped:
                raise
            except Stalled as error:
                return error

    def _keep(self, digest: Digest, result: Result | Stalled) -> None:
        self._kept[digest] = result
        self._bytes += _size(result)
        while self._bytes > self._kept_bytes and self._kept:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= _size(dropped)


def _size(result: Result | Stalled) -> int:
    match result:
        case Secret():
            return len(result.reveal())
        case bytes():
            return len(result)
        case _:
            return len(str(result))


def is_shareable(prepared: Prepared) -> bool:
    """Tell whether results may cross to another process: a Secret does not."""
    return not any(isinstance(one, Secret) for one in prepared.values())


def _told(error: Stalled, decryptions: Iterable[Decryption], prepared: Prepared) -> Stalled:
    """Give an error as it may be told: a template may say again what it was given."""
    values = [
        value
        for need in decryptions
        if isinstance(clear := prepared.get(need.digest), Secret)
        for value in clear_values(need.where.path, need.data, clear.reveal(), need.format)
    ]
    return masked(error, values) if values else error
