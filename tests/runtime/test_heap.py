import subprocess
import sys

import pytest

from controller.runtime.heap import keep_small_heap

# Blocks below the size that is mapped by itself; every other one is freed, so that none of it is at the heap's end.
PROGRAM = """
import asyncio, re, sys
from pathlib import Path
from controller.runtime import heap

class Clock:
    rounds = 0
    def monotonic(self): raise NotImplementedError
    def now(self): raise NotImplementedError
    async def sleep(self, seconds):
        self.rounds += 1
        if self.rounds == 2:
            raise asyncio.CancelledError

def resident():
    return int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) << 10

assert heap.keep_small_heap()
blocks = [bytes(50_000) for _ in range(2000)]
kept = [bytearray(b"x" * 50_000) for _ in range(2000)]
for at in range(0, 2000, 2):
    kept[at] = None
full = resident()
try:
    asyncio.run(heap.stay_small(Clock()))
except asyncio.CancelledError:
    pass
print(full - resident())
"""


@pytest.mark.skipif(not keep_small_heap(), reason="the C library is another one than glibc")
def test_what_is_free_between_live_blocks_goes_back_to_the_system() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True)
    assert int(done.stdout) > 30_000_000
