from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import uvloop

from controller.model import Stalled, Transient
from controller.runtime import Completed, Overdue, bare_environment, run
from tests.fixtures.waiting import eventually


async def run_python(code: str, *arguments: str, cwd: Path, **options: Any) -> Completed:
    return await run_argv(sys.executable, "-c", code, *arguments, cwd=cwd, **options)


async def run_shell(script: str, *, cwd: Path, **options: Any) -> Completed:
    """Run a script of sh, which is under way within milliseconds on any machine."""
    return await run_argv("sh", "-c", script, cwd=cwd, **options)


async def run_argv(*argv: str, cwd: Path, **options: Any) -> Completed:
    settings: dict[str, Any] = {"cwd": cwd, "env": bare_environment(), "deadline_seconds": 30.0, **options}
    return await run(argv, **settings)


def is_gone(process: int) -> bool:
    """A zombie that init has not collected yet is gone too."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"


async def test_output_and_exit_code_come_back(tmp_path: Path) -> None:
    done = await run_python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(2)", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.error_text) == (2, b"out\n", "err")


async def test_stdin_is_given_and_then_closed(tmp_path: Path) -> None:
    done = await run_python("import sys; print(len(sys.stdin.read()))", cwd=tmp_path, stdin=b"x" * 1_000_000)
    assert done.stdout == b"1000000\n"


async def test_stdin_is_empty_unless_given(tmp_path: Path) -> None:
    assert (await run_python("import sys; print(repr(sys.stdin.read()))", cwd=tmp_path)).stdout == b"''\n"


async def test_lines_are_heard_while_the_child_goes_on(tmp_path: Path) -> None:
    lines: list[bytes] = []

    def heard(line: bytes) -> None:
        lines.append(line)
        (tmp_path / "go").touch()

    script = "echo one; while [ ! -e go ]; do sleep 0.05; done; printf 'tw'; echo o; printf rest"
    done = await run_shell(script, cwd=tmp_path, heard=heard)
    assert lines == [b"one", b"two"]
    assert done.stdout == b"one\ntwo\nrest"


async def test_a_child_that_does_not_read_its_input_is_no_error(tmp_path: Path) -> None:
    assert (await run_python("pass", cwd=tmp_path, stdin=b"x" * 1_000_000)).returncode == 0


@pytest.mark.parametrize("size", [0, 1, 1_000_000])
def test_uvloop_takes_an_early_end_as_calmly(tmp_path: Path, size: int) -> None:
    settings: dict[str, Any] = {"cwd": tmp_path, "env": bare_environment(), "deadline_seconds": 30.0}

    async def often() -> list[int]:
        return [(await run(["sh", "-c", "exit 3"], stdin=b"x" * size, **settings)).returncode for _ in range(20)]

    assert uvloop.run(often()) == [3] * 20


async def test_the_environment_is_only_what_was_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/elsewhere")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    env = bare_environment({"ASKED": "1"})
    done = await run_python("import os; print(sorted(os.environ))", cwd=tmp_path, env=env)
    assert b"ASKED" in done.stdout
    assert b"GIT_DIR" not in done.stdout
    assert b"AWS_SECRET" not in done.stdout


async def test_at_its_deadline_a_child_may_clean_up(tmp_path: Path) -> None:
    script = "trap 'echo clean > mark; exit' INT; while :; do sleep 0.1; done"
    with pytest.raises(Overdue, match="took longer than 2 s"):
        await run_shell(script, cwd=tmp_path, deadline_seconds=2.0, grace_seconds=30.0)
    assert (tmp_path / "mark").read_text() == "clean\n"


async def test_a_child_that_ignores_the_request_is_killed(tmp_path: Path) -> None:
    code = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(60)"
    with pytest.raises(Overdue):
        await run_python(code, cwd=tmp_path, deadline_seconds=1.0, grace_seconds=0.2)


GRANDCHILD = "sleep 60 & echo $! > pid"


async def test_a_grandchild_that_holds_the_output_open_ends_with_the_deadline(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    with pytest.raises(Overdue):
        await run_shell(GRANDCHILD, cwd=tmp_path, deadline_seconds=2.0, grace_seconds=0.2)
    await eventually(lambda: is_gone(int(mark.read_text())))


async def test_cancelling_the_wait_ends_the_child_and_its_children(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    task = asyncio.create_task(run_shell(f"{GRANDCHILD}; wait", cwd=tmp_path, grace_seconds=0.2))
    await eventually(lambda: mark.exists() and mark.read_text())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await eventually(lambda: is_gone(int(mark.read_text())))


async def test_too_much_output_ends_the_child(tmp_path: Path) -> None:
    with pytest.raises(Stalled, match="more than 1000 bytes"):
        await run_python("while True: print('x' * 100)", cwd=tmp_path, output_limit_bytes=1000)


async def test_output_that_nobody_reads_any_more_does_not_keep_the_child(tmp_path: Path) -> None:
    script = "trap '' INT; head -c 1000000 /dev/zero; sleep 60"
    with pytest.raises(Stalled, match="more than 1000 bytes"):
        await run_shell(script, cwd=tmp_path, output_limit_bytes=1000, grace_seconds=0.5)


async def test_a_child_that_says_much_while_it_cleans_up_is_let_finish(tmp_path: Path) -> None:
    script = "trap 'head -c 1000000 /dev/zero; echo clean > mark; exit' INT; while :; do sleep 0.1; done"
    with pytest.raises(Overdue):
        await run_shell(script, cwd=tmp_path, deadline_seconds=1.0, grace_seconds=30.0)
    assert (tmp_path / "mark").exists()


async def test_a_missing_program_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Stalled, match="no-such-program can't be started"):
        await run(["no-such-program"], cwd=tmp_path, env=bare_environment(), deadline_seconds=5)


async def test_a_missing_folder_is_not_a_missing_program(tmp_path: Path) -> None:
    with pytest.raises(Transient, match="is gone"):
        await run(["true"], cwd=tmp_path / "gone", env=bare_environment(), deadline_seconds=5)


async def test_a_child_is_not_in_our_process_group(tmp_path: Path) -> None:
    done = await run_python("import os; print(os.getpgid(0) == os.getpid())", cwd=tmp_path)
    assert done.stdout == b"True\n"
    assert os.getpgid(0) != 0
