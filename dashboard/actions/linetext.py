"""Text as lines whose endings are kept: what a browser's text field changes is put back.

A text field gives every line ending as one kind, whatever it was. So its content is compared with what it was filled
with, and each line that is still there keeps the ending that it had.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from typing import TypeVar

# Lines with their endings; what follows the last ending, when there is anything.
_LINE = re.compile(r"([^\r\n]*)(\r\n|\r|\n)|([^\r\n]+)\Z")
MAX_STEPS = 500_000  # of one comparison: about half a second

Line = tuple[str, str]  # text, ending ("" at the end of a text without one)
Block = tuple[str, int, int, int, int]
T = TypeVar("T", bound=Hashable)


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

    What is alike at both ends is set aside first; a middle that takes too long to compare counts as replaced.
    (SequenceMatcher's own time grows with the cube of the lines where many are alike.)
    """
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    if head:
        yield "equal", 0, head, 0, head
    numbers: dict[T, int] = {}  # equal lines have equal numbers: long ones are compared once
    a = [numbers.setdefault(line, len(numbers)) for line in old[head : len(old) - tail]]
    b = [numbers.setdefault(line, len(numbers)) for line in new[head : len(new) - tail]]
    at_a = at_b = 0
    for start_a, start_b, size in [*_matches(a, b), (len(a), len(b), 0)]:
        if start_a > at_a or start_b > at_b:
            tag = "replace" if start_a > at_a and start_b > at_b else "delete" if start_a > at_a else "insert"
            yield tag, head + at_a, head + start_a, head + at_b, head + start_b
        at_a, at_b = start_a + size, start_b + size
        if size:
            yield "equal", head + start_a, head + at_a, head + start_b, head + at_b
    if tail:
        yield "equal", len(old) - tail, len(old), len(new) - tail, len(new)


def _matches(a: list[int], b: list[int]) -> list[tuple[int, int, int]]:
    """The runs that both have in a shortest way from one to the other (Myers, "An O(ND) Difference Algorithm", 1986);
    none when finding it takes too many steps.
    """
    if not (a and b):
        return []
    reach = {1: 0}  # by diagonal: how far along a, with so many lines taken out or put in
    past: list[dict[int, int]] = []
    steps = 0
    for edits in range(len(a) + len(b) + 1):
        past.append(dict(reach))
        for diagonal in range(-edits, edits + 1, 2):
            down = diagonal == -edits or (diagonal != edits and reach[diagonal - 1] < reach[diagonal + 1])
            x = start = reach[diagonal + 1] if down else reach[diagonal - 1] + 1
            y = x - diagonal
            while x < len(a) and y < len(b) and a[x] == b[y]:
                x += 1
                y += 1
            reach[diagonal] = x
            steps += 1 + x - start
            if x >= len(a) and y >= len(b):
                return _way_back(past, len(a), len(b))
        if steps > MAX_STEPS:
            break
        if edits > 1:  # those that no later step asks for
            reach = {diagonal: reach[diagonal] for diagonal in range(-edits, edits + 1, 2)}
    return []


def _way_back(past: list[dict[int, int]], x: int, y: int) -> list[tuple[int, int, int]]:
    found: list[tuple[int, int, int]] = []
    for edits in range(len(past) - 1, -1, -1):
        reach, diagonal = past[edits], x - y
        down = diagonal == -edits or (diagonal != edits and reach[diagonal - 1] < reach[diagonal + 1])
        before = diagonal + 1 if down else diagonal - 1
        from_x = reach[before] if edits else 0
        from_y = from_x - before if edits else 0
        size = min(x - from_x, y - from_y)
        if size:
            found.append((x - size, y - size, size))
        x, y = from_x, from_y
    return found[::-1]


def _alike(line: Line) -> tuple[str, bool]:
    return line[0], bool(line[1])
