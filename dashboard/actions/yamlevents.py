"""The events of a YAML text by libyaml, which refuses what YAML allows: a block scalar whose first line begins with a tab
after its indentation. And the line of a place in it, as editors count lines.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from itertools import islice
from typing import Any

import yaml

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
MAX_AGAIN = 100  # such scalars in a text
MAX_READ_AGAIN = 8 * 1024 * 1024  # letters in all: for each of them the text is read once more

_TAB_REFUSED = "found a tab character where an indentation space is expected"
_LEAD = re.compile(r"(?: *[-?:](?= ))* *")
_KEY = re.compile(r":(?:\s|\Z)")
_BREAKS = "\n\x85\u2028\u2029"  # of YAML 1.1; carriage returns are line feeds by now


def events(text: str) -> Iterator[Any]:
    """The events of a text whose lines end in line feeds. Raises yaml.YAMLError."""
    stand_in = next(each for each in map(chr, range(0xE000, 0xF8FF)) if each not in text)
    again = most_with_tabs(text)
    given = 0
    while True:
        try:
            for event in islice(yaml.parse(text, Loader=LOADER), given, None):
                given += 1
                if isinstance(event, yaml.ScalarEvent):
                    event.value = event.value.replace(stand_in, "\t")
                yield event
            return
        except yaml.MarkedYAMLError as error:
            if not again or not allows_tab(text, error) or not error.problem_mark.column:  # type: ignore[union-attr]
                raise
            again -= 1
            at = error.problem_mark.index  # type: ignore[union-attr]
            text = f"{text[:at]}{stand_in}{text[at + 1 :]}"


def most_with_tabs(text: str) -> int:
    """How many block scalars of a text may begin with a tab."""
    return min(MAX_AGAIN, MAX_READ_AGAIN // max(1, len(text)))


def allows_tab(text: str, error: yaml.MarkedYAMLError) -> bool:
    """Whether an error is about such a tab: the first letter of a block scalar, farther in than what the scalar is of."""
    if error.problem != _TAB_REFUSED or error.context_mark is None or error.problem_mark is None:
        return False
    start, tab = error.context_mark.index, error.problem_mark.index
    header, _, before = text[start:tab].partition("\n")
    if before.strip(f" {_BREAKS}") or re.match(r"[|>][-+]?[1-9]", header):
        return False
    line = text[text.rfind("\n", 0, start) + 1 : start]
    return int(error.problem_mark.column) > _indentation(line)


def _indentation(line: str) -> int:
    """Of what a block scalar belongs to, by what stands before the scalar in its line; -1 for a document."""
    if line.startswith("---"):
        return -1
    lead = _LEAD.match(line)
    end = lead.end() if lead else 0
    return end if _KEY.search(line, end) else len(line[:end].rstrip()) - 1


class Lines:
    """The lines of a text, of which libyaml counts some more: YAML 1.1 has other line ends besides."""

    def __init__(self, text: str) -> None:
        self._ends = [found.start() for found in re.finditer("\n", text)]

    def of(self, mark: Any) -> int:
        """The line of a mark, from 1; 0 for None."""
        return 0 if mark is None else bisect_left(self._ends, mark.index) + 1


def line_of_letter(text: str, error: yaml.reader.ReaderError) -> int:
    """The line of the letter that YAML does not allow, from 1. libyaml counts bytes."""
    at = error.position if isinstance(error.position, int) else 0
    if LOADER is yaml.SafeLoader:
        return text.count("\n", 0, at) + 1
    return text.encode("utf-8", "surrogatepass").count(b"\n", 0, at) + 1
