from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controller.model import Stalled
from controller.runtime import Pipe, PipeBroken, bare_environment

Opener = Callable[..., Pipe]


@pytest.fixture
def open_pipe(tmp_path: Path) -> Iterator[Opener]:
    pipes = []

    def make(code: str, deadline_seconds: float = 20.0) -> Pipe:
        argv = (sys.executable, "-uc", code)
        pipes.append(Pipe(argv, cwd=tmp_path, env=bare_environment(), deadline_seconds=deadline_seconds))
        return pipes[-1]

    yield make
    for pipe in pipes:
        pipe.close()


ECHO = "import sys\nfor line in sys.stdin: print(len(line), line, end='')"


def test_answers_come_in_the_order_of_the_questions(open_pipe: Opener) -> None:
    pipe = open_pipe(ECHO)
    pipe.send(b"a\nbb\n")
    assert (pipe.line(), pipe.line()) == (b"2 a", b"3 bb")


def test_thousands_of_questions_before_the_first_answer_do_not_hang(open_pipe: Opener) -> None:
    pipe = open_pipe(ECHO)
    for _ in range(20_000):
        pipe.send(b"x" * 99 + b"\n")
    assert all(pipe.line() == b"100 " + b"x" * 99 for _ in range(20_000))


def test_counted_bytes_may_hold_newlines(open_pipe: Opener) -> None:
    pipe = open_pipe("print('a\\nb\\nc')")
    assert (pipe.exactly(3), pipe.exactly(3)) == (b"a\nb", b"\nc\n")


def test_a_child_that_ends_leaves_its_last_words(open_pipe: Opener) -> None:
    pipe = open_pipe("import sys; sys.exit('no such object')")
    with pytest.raises(PipeBroken, match="no such object"):
        pipe.line()
    assert not pipe.is_open


def test_an_answer_that_does_not_come_ends_the_child(open_pipe: Opener) -> None:
    pipe = open_pipe("import time; time.sleep(60)", deadline_seconds=0.2)
    with pytest.raises(PipeBroken, match="did not answer within"):
        pipe.line()
    with pytest.raises(PipeBroken, match="not running"):
        pipe.line()


def test_a_child_that_is_finished_gives_its_status_and_last_words(open_pipe: Opener) -> None:
    pipe = open_pipe("import sys; n = len(sys.stdin.read()); print(n); sys.exit('done')")
    pipe.send(b"x" * 1_000_000)
    assert pipe.finish() == (1, b"1000000\n", "done")
    assert not pipe.is_open


def test_finishing_a_child_that_reads_nothing_does_not_hang(open_pipe: Opener) -> None:
    pipe = open_pipe("raise SystemExit(3)")
    pipe.send(b"x" * 1_000_000)
    assert pipe.finish()[0] == 3


def test_finishing_has_a_deadline_too(open_pipe: Opener) -> None:
    pipe = open_pipe("import time; time.sleep(60)", deadline_seconds=0.2)
    with pytest.raises(PipeBroken, match="did not answer within"):
        pipe.finish()


def test_closing_twice_is_fine(open_pipe: Opener) -> None:
    pipe = open_pipe(ECHO)
    pipe.close()
    pipe.close()


def test_a_missing_program_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Stalled, match="install it"):
        Pipe(["no-such-program"], cwd=tmp_path, env=bare_environment(), deadline_seconds=1)
