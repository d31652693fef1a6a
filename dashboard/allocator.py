"""How the C library's allocator is told to keep less of what was given back (docs/adr/0088).

Lists come in chunks of megabytes and are decoded in threads. glibc raises the size from which on it maps memory apart to
that of the largest block that was freed, so that the next chunks lie between objects that stay; and each thread gets an
arena of its own, with holes of its own. Both make a process larger than what it holds.
"""

from __future__ import annotations

import ctypes
import sys

# From glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
ARENAS = 2  # the loop's thread, and one for all that decode, render and ask the database
APART_BYTES = 128 * 1024  # glibc's own values, which it does not raise any more once they are set


def memory_give_back() -> bool:
    """Call it before there are threads. Whether the allocator takes all of it: others than glibc's have other ways."""
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return False
    wanted = ((_ARENA_MAX, ARENAS), (_MMAP_THRESHOLD, APART_BYTES), (_TRIM_THRESHOLD, APART_BYTES))
    return all(library.mallopt(option, value) == 1 for option, value in wanted)
