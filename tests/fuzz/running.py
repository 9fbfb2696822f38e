"""One loop for all fuzz tests: new input until the time is up, each with a deadline, each failure with its seed."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from controller.model import ConvergeError

from .conftest import Budget

DEADLINE_SECONDS = 10.0  # of this process' own CPU time, so that a busy machine spoils nothing


class Hang(BaseException):
    """An input took longer than the deadline; no `except` of the code under test catches it."""


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    def ring(*_: object) -> None:
        raise Hang(f"more than {seconds} s of CPU time")

    before = signal.signal(signal.SIGVTALRM, ring)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def fuzz(budget: Budget, attempt: Callable[[random.Random], bool]) -> None:
    """Try one input after another. `attempt` says whether its input was accepted; a ConvergeError refuses it.

    Fails on any other exception and on a hang, and where nothing was ever accepted or refused: then it tests nothing.
    """
    until = time.monotonic() + budget.seconds
    outcomes = {True: 0, False: 0}
    seed = budget.seed
    while time.monotonic() < until or not sum(outcomes.values()):
        try:
            with deadline(DEADLINE_SECONDS):
                is_accepted = attempt(random.Random(seed))
        except ConvergeError as error:
            str(error)  # a message that can't be told is a crash too
            is_accepted = False
        except (Exception, Hang) as error:
            raise AssertionError(f"run it again: pytest tests/fuzz --fuzz-seed {seed}") from error
        outcomes[is_accepted] += 1
        seed += 1
    print(f"seeds {budget.seed} to {seed - 1}: {outcomes[True]} accepted, {outcomes[False]} refused")  # noqa: T201
    if sum(outcomes.values()) > 200:
        assert all(outcomes.values()), f"nothing was {'refused' if outcomes[True] else 'accepted'}: {outcomes}"
