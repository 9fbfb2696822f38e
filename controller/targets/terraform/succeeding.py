"""A state that a person puts in place of the one that is kept. Pure."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from controller.model import PlacementRef, Stalled
from controller.targets.states import StateMark
from controller.targets.terraform.sealing import Opened, Sealer, mark_of_state

_SERIAL: Final = re.compile(rb'"serial"\s*:\s*\d+')


def succeed(
    sealer: Sealer, placement: PlacementRef, data: bytes, kept: bytes | None, *, above: int = 0
) -> tuple[bytes, StateMark]:
    """Seal a state as the one that follows what is kept, with a serial above that one's and `above`.

    Raises Stalled for what is no state; for a kept one that can't be opened, unless `above` says from where to go on.
    """
    mark = mark_of_state(data)
    opened = _opened(sealer, placement, kept, above=above)
    known = max(above, opened.mark.serial if opened else 0)
    serial = max(mark.serial, known + 1 if opened or above else 0)
    after = StateMark(opened.mark.lineage, known) if opened else None
    raised = data if serial == mark.serial else _with_serial(data, serial)
    return sealer.seal(placement, raised, after=after), StateMark(mark.lineage, serial)


def _opened(sealer: Sealer, placement: PlacementRef, kept: bytes | None, *, above: int) -> Opened | None:
    if kept is None:
        return None
    try:
        return sealer.open(placement, kept)
    except Stalled as error:
        if above:
            return None
        raise Stalled(f"what is kept there can't be used ({error}). To replace it, say --above SERIAL") from error


def _with_serial(data: bytes, serial: int) -> bytes:
    """Change the serial and no other byte: numbers in a state have more digits than a parser keeps."""
    for found in _SERIAL.finditer(data):
        changed = data[: found.start()] + b'"serial": %d' % serial + data[found.end() :]
        if mark_of_state(changed).serial == serial and _rest(changed) == _rest(data):
            return changed
    raise Stalled("the state's serial can't be raised: its field was not found")


def _rest(data: bytes) -> dict[str, bytes]:
    found = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    return {name: bytes(value) for name, value in found.items() if name != "serial"}
