"""What the log brings into a process, and what it leaves to those who ask for it."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
import controller.cli.run_command, controller.engine
assert "rich" not in sys.modules
from rich.cells import cell_len
print(cell_len("ab"))
"""


def test_a_controller_loads_no_colours_and_who_wants_them_still_gets_them() -> None:
    argv = [sys.executable, "-c", PROGRAM]
    assert subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True).stdout == "2\n"
