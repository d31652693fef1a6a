"""Commands that somebody copies into a terminal."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable
from typing import Any

# Quotation marks do not hold them: a terminal acts on them while they are pasted, before the shell reads the line.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def shell_line(words: Iterable[str]) -> str:
    """The command as a shell takes it. Words may come from an address, which anybody may have written: each is
    quoted, and loses its control characters."""
    return shlex.join(_CONTROL.sub("", word) for word in words)


def holds_control(text: str) -> bool:
    """Whether a command would lose something of it: JSON would not (``json_word``)."""
    return _CONTROL.search(text) is not None


def json_word(value: Any) -> str:
    """JSON for a command. JSON writes some control characters as they are: here they are all escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def piped(value: Any, words: Iterable[str]) -> str:
    """The command that reads JSON. Not from echo, which in some shells acts on the backslashes in it."""
    return f"printf %s {shlex.quote(json_word(value))} | {shell_line(words)}"
