from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from controller.runtime import scratch, sweep_scratch


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_scratch_folder_is_private_and_gone_afterwards(*, in_memory: bool) -> None:
    with scratch("test", in_memory=in_memory) as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "key").write_text("x")
    assert not folder.exists()


def test_it_is_gone_after_an_error_too() -> None:
    with pytest.raises(ZeroDivisionError), scratch("test") as folder:
        raise ZeroDivisionError
    assert not folder.exists()


def test_what_a_killed_process_left_behind_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import os, signal\nfrom controller.runtime import scratch\n"
        "with scratch('left', in_memory=True) as folder:\n"
        "    print(folder, flush=True)\n    os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    folder = Path(done.stdout.strip())
    assert folder.is_dir()
    sweep_scratch()
    assert not folder.exists()
