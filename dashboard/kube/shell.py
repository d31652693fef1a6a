"""Commands that somebody copies into a terminal."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

# Quotation marks do not hold them: a terminal acts on them while they are pasted, before the shell reads the line.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def shell_line(words: Iterable[str]) -> str:
    """The command as a shell takes it. Words may come from an address, which anybody may have written: each is
    quoted, and loses its control characters."""
    return shlex.join(_CONTROL.sub("", word) for word in words)
