"""Text as lines whose endings are kept: what a browser's text field changes is put back.

A text field gives every line ending as one kind, whatever it was. So its content is compared with what it was filled
with, and each line that is still there keeps the ending that it had.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TypeVar

# Lines with their endings; what follows the last ending, when there is anything.
_LINE = re.compile(r"([^\r\n]*)(\r\n|\r|\n)|([^\r\n]+)\Z")
# Comparing lines costs their product: 2,000 against 2,000 take about a second at worst.
MOST_PAIRS = 4_000_000

Line = tuple[str, str]  # text, ending ("" at the end of a text without one)
Block = tuple[str, int, int, int, int]
T = TypeVar("T")


def editable(value: bytes) -> str | None:
    """The text of a value that a text field can hold, or None: it is not UTF-8, or holds a NUL."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def normal(text: str) -> str:
    """The text with every line ending as a line feed, as browsers show it."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def restore(base: str, typed: str) -> str:
    """``typed``, which came out of a text field that was filled with ``base``, with the line endings of ``base``.

    Nothing typed gives exactly ``base``. A new line ends as the one whose place it takes, else as most lines do.
    """
    text = normal(typed)
    if text == normal(base):
        return base
    old, new = split(base), split(text)
    usual = usual_ending(base)
    made: list[str] = []
    for tag, a1, a2, b1, b2 in blocks([_alike(line) for line in old], [_alike(line) for line in new]):
        for at in range(b1, b2):
            content, ending = new[at]
            there = a1 + at - b1
            if ending and tag != "insert" and there < a2:
                ending = old[there][1] or usual
            elif ending:
                ending = usual
            if not content and ending == "\n" and made and made[-1].endswith("\r"):
                made[-1] += "\n"  # or these two endings would become one; the line that came before gives way
            made.append(content + ending)
    return "".join(made)


def split(text: str) -> list[Line]:
    """The lines of a text, each with its ending."""
    return [
        (match[1], match[2]) if match[2] is not None else (match[3], "") for match in _LINE.finditer(text)
    ]


def usual_ending(text: str) -> str:
    """The ending that most lines have; a line feed where there is none."""
    counts = Counter(ending for _, ending in split(text) if ending)
    return counts.most_common(1)[0][0] if counts else "\n"


def blocks(old: Sequence[T], new: Sequence[T]) -> Iterator[Block]:
    """How ``old`` becomes ``new``, as ``SequenceMatcher.get_opcodes`` says it, in bounded time.

    What is alike at both ends is set aside first; a middle too large to compare counts as replaced.
    """
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    if head:
        yield "equal", 0, head, 0, head
    a, b = old[head : len(old) - tail], new[head : len(new) - tail]
    if len(a) * len(b) > MOST_PAIRS:
        yield "replace", head, head + len(a), head, head + len(b)
    elif a or b:
        for tag, a1, a2, b1, b2 in difflib.SequenceMatcher(a=a, b=b, autojunk=False).get_opcodes():
            yield tag, head + a1, head + a2, head + b1, head + b2
    if tail:
        yield "equal", len(old) - tail, len(old), len(new) - tail, len(new)


def _alike(line: Line) -> tuple[str, bool]:
    return line[0], bool(line[1])
