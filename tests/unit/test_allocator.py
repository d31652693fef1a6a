"""What the allocator is told: in processes of their own, as it is told once and for all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# Eight threads that each keep something; then blocks of megabytes, between which something stays, and which are freed.
# Prints how many arenas there are besides the main one, and MiB that are resident in the end.
WORK = """
import ctypes, re, sys, threading
from pathlib import Path

if sys.argv[1] == "told":
    from dashboard.allocator import memory_give_back
    assert memory_give_back()
library = ctypes.CDLL(None)
library.malloc.restype = ctypes.c_void_p
library.free.argtypes = [ctypes.c_void_p]
library.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
meet = threading.Barrier(8)

def keep():
    library.malloc(4096)
    meet.wait()

threads = [threading.Thread(target=keep) for _ in range(8)]
[each.start() for each in threads]
[each.join() for each in threads]
first = library.malloc(16_000_000)
library.free(first)
blocks = []
for _ in range(24):
    block = library.malloc(4_000_000)
    library.memset(block, 1, 4_000_000)
    blocks.append(block)
    library.malloc(2_000)
[library.free(each) for each in blocks]
maps = Path("/proc/self/maps").read_text().splitlines()
arenas = 0
for line in maps:
    begin, end = (int(each, 16) for each in line.split()[0].split("-"))
    arenas += begin % 2**26 == 0 and "rw-p" in line and line.split()[-1] == "0"
resident = int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024
print(arenas, resident)
"""


def measured(how: str) -> tuple[int, float]:
    done = subprocess.run(
        [sys.executable, "-c", WORK, how], cwd=ROOT, check=True, capture_output=True, text=True
    )
    arenas, resident = done.stdout.split()
    return int(arenas), float(resident)


def test_what_was_freed_is_given_back_though_something_stays_in_between() -> None:
    arenas, resident = measured("told")
    untold_arenas, untold = measured("untold")
    assert arenas <= 1 < untold_arenas, "one for all threads but the first"
    assert untold - resident > 60, (resident, untold)
