"""What a confined child sees, tried by children that look."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from controller.runtime import Completed, Confinement, bare_environment, can_confine, run

pytestmark = pytest.mark.skipif(not can_confine(), reason="this kernel has no Landlock")
SECRET = "canary-7f3a"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Give a folder with a secret, beside one without."""
    (tmp_path / "store" / "aws").mkdir(parents=True)
    (tmp_path / "store" / "aws" / "key").write_text(SECRET)
    (tmp_path / "work" / "own").mkdir(parents=True)
    (tmp_path / "work" / "other").mkdir()
    (tmp_path / "work" / "other" / "state").write_text(SECRET)
    (tmp_path / "plain").write_text("plain")
    return tmp_path / "store"


async def look(store: Path, script: str) -> Completed:
    place = store.parent
    return await run(
        ("sh", "-c", script),
        cwd=place / "work" / "own",
        env=bare_environment({}),
        deadline_seconds=30,
        confinement=Confinement.of((store, place / "work"), (place / "work" / "own",)),
    )


async def test_what_is_not_hidden_is_there_as_ever(store: Path) -> None:
    done = await look(store, f"cat {store.parent}/plain && echo new > file && mkdir -p a/b && mv file a/b && ls a/b")
    assert (done.returncode, done.stdout) == (0, b"plainfile\n")


@pytest.mark.parametrize(
    "script",
    [
        "cat {store}/aws/key",
        "ls {store}/aws",
        "cat ../other/state",
        "ln -s {store}/aws/key link; cat link",
        "cat /proc/self/root{store}/aws/key",
        "cd {store}/aws && cat key",
        "cat /proc/{parent}/root{store}/aws/key",
        "sh -c 'cat {store}/aws/key'",
        "ln {store}/aws/key copy && cat copy",
    ],
)
async def test_no_way_leads_to_what_is_hidden(store: Path, script: str) -> None:
    done = await look(store, script.format(store=store, parent=os.getpid()))
    assert done.returncode != 0
    assert SECRET.encode() not in done.stdout + done.stderr


async def test_a_link_that_leads_to_it_does_not_open_it(store: Path) -> None:
    (store.parent / "way").symlink_to(store)
    done = await look(store, f"cat {store.parent}/way/aws/key")
    assert done.returncode != 0
    assert SECRET.encode() not in done.stdout


async def test_a_hidden_place_may_be_named_by_a_link(store: Path) -> None:
    link = store.parent / "named"
    link.symlink_to(store)
    done = await run(
        ("cat", str(store / "aws" / "key")),
        cwd=store.parent,
        env=bare_environment({}),
        deadline_seconds=30,
        confinement=Confinement.of((link,), ()),
    )
    assert done.returncode != 0


async def test_a_process_outside_is_neither_seen_nor_signalled(store: Path) -> None:
    seen = await look(store, f"cat /proc/{os.getpid()}/environ")
    assert (seen.returncode != 0, seen.stdout) == (True, b"")
    if os.geteuid() == 0:
        capabilities = await look(store, "grep CapEff /proc/self/status")
        assert capabilities.stdout.split() == [b"CapEff:", b"0000000000000000"]


async def test_a_child_that_is_interrupted_ends_as_any_other(store: Path) -> None:
    done = await look(store, "kill -INT $$")
    assert done.returncode == -2


async def test_a_program_that_is_missing_says_so(store: Path) -> None:
    done = await run(
        ("no-such-program",),
        cwd=store.parent,
        env=bare_environment({}),
        deadline_seconds=30,
        confinement=Confinement.of((store,), ()),
    )
    assert done.returncode != 0
    assert b"no-such-program can't be started" in done.stderr
    assert done.program == "no-such-program"


async def test_nothing_hidden_hides_nothing(store: Path) -> None:
    done = await run(
        (sys.executable, "-c", f"print(open({str(store / 'aws' / 'key')!r}).read())"),
        cwd=store.parent,
        env=bare_environment({}),
        deadline_seconds=30,
        confinement=Confinement.of((), ()),
    )
    assert done.stdout.decode().strip() == SECRET
