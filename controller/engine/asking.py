"""The state of the world that renders ask for: what a target is, and what other targets of the group give out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from controller.documents import canonical
from controller.engine.preparing import Facts
from controller.model import JsonValue, Secret, Stalled, TargetName, Unequipped, Waiting
from controller.render import NO_FACTS, NOT_GIVEN, Head, Result, TakenOutput

Outputs: TypeAlias = "Mapping[TargetName, Mapping[str, JsonValue | Secret]]"


class NotGiven(Waiting):
    """Outputs that a render takes in, and that nobody gives out yet."""

    def __init__(self, needs: Sequence[TakenOutput]) -> None:
        self.needs = tuple(needs)
        super().__init__(f"waits for the output {', '.join(map(str, needs))}")


def given(outputs: Outputs, needs: Iterable[TakenOutput]) -> dict[TakenOutput, Result]:
    """Give what is given out for each need now; NOT_GIVEN where nothing is."""
    return {need: _result(outputs.get(need.target, {}), need.output) for need in needs}


def _result(outputs: Mapping[str, JsonValue | Secret], name: str) -> Result:
    if name not in outputs:
        return NOT_GIVEN
    value = outputs[name]
    return value if isinstance(value, Secret) else canonical(value)


class Asked:
    """The state of the world that a render asks for, as it was told.

    A target is asked what it is at most once per render. `must_know`: what nobody gives out yet is waited for, and no
    symbol stands for it.
    """

    def __init__(self, facts: Facts | None, outputs: Outputs, *, must_know: bool) -> None:
        self._facts = facts
        self._outputs = outputs
        self._must_know = must_know
        self.taken: dict[TakenOutput, Result] = {}
        self.answer: bytes | None = None
        self.heads: dict[Head, Result] = {}
        self.has_needs = False  # of any kind: charts, what is decrypted

    async def __call__(self) -> bytes:
        if self.answer is None:
            try:
                self.answer = await self._facts() if self._facts else NO_FACTS
            except Stalled as error:  # no verdict on what is rendered
                raise Unequipped(str(error)) from error
        return self.answer

    def give(self, needs: Iterable[TakenOutput]) -> Mapping[TakenOutput, Result]:
        """Tell what other targets give out. Raises NotGiven."""
        found = given(self._outputs, needs)
        lacking = [need for need, one in found.items() if one == NOT_GIVEN]
        if lacking and self._must_know:
            raise NotGiven(lacking)
        self.taken |= found
        return found

    def is_as(self, taken: Mapping[TakenOutput, Result]) -> bool:
        """Tell whether a render that was told this would be told the same."""
        is_enough = not (self._must_know and NOT_GIVEN in taken.values())
        return is_enough and given(self._outputs, taken) == taken
