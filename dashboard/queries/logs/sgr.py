"""Colours that programs write for terminals (ECMA-48 "select graphic rendition"), as spans of plain text."""

from __future__ import annotations

import re

from dashboard.kinds.legible import legible

# A span: from, to (characters of the plain text), class names of the style sheet.
Span = tuple[int, int, str]

# ECMA-48, each function in 7 bits (ESC and a letter) and in 8 (C1). What begins a string that does not end hides nothing.
_ESCAPE = re.compile(
    r"(?:\x1b\[|\x9b)([0-9;:]*)m"  # colours and weights
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*(?:[@-~]|\Z)"  # the cursor (CSI)
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\n\x07\x1b\x80-\x9f]*(?:\x07|\x1b\\|\x9c)"  # OSC, DCS, SOS, PM, APC
    r"|\x1b[ -/]*[0-~]?|[\x80-\x9f]"
)
_BEGINS = re.compile(r"[\x1b\x80-\x9f]")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_WEIGHTS = {1: "b", 2: "d", 3: "i", 4: "u"}
_ENDS = {22: ("b", "d"), 23: ("i",), 24: ("u",), 39: ("c",)}


def plain(text: str) -> str:
    """The text without what only a terminal understands."""
    return styled(text)[0]


def styled(text: str) -> tuple[str, tuple[Span, ...]]:
    """The plain text, and which of its parts are bold (``b``), dim, italic, underlined or coloured (``c1`` to ``c7``).
    Places are counted as JavaScript does, in UTF-16: an emoji is two.

    Backgrounds and exact colours are left out: they were chosen for another ground than ours. Where a program went back
    to the beginning of its line, as to count up, there is a line break: all that it wrote is shown.
    """
    text = text.rstrip("\r").replace("\r", "\n")
    if _BEGINS.search(text) is None:
        return _shown(text), ()
    parts: list[str] = []
    spans: list[Span] = []
    style: dict[str, str] = {}
    length = end = 0
    for match in [*_ESCAPE.finditer(text), None]:
        piece = _shown(text[end : match.start() if match else len(text)])
        if piece:
            after = length + len(piece) + sum(letter > "\uffff" for letter in piece)
            if style:
                spans.append((length, after, " ".join(style.values())))
            parts.append(piece)
            length = after
        if match is not None:
            end = match.end()
            if match[1] is not None:
                _apply(style, match[1])
    return "".join(parts), tuple(spans)


def _shown(text: str) -> str:
    return legible(_CONTROLS.sub("", text))


def _apply(style: dict[str, str], codes: str) -> None:
    numbers = [int(code or 0) if len(code) < 4 else -1 for code in codes.replace(":", ";").split(";")]
    while numbers:
        code = numbers.pop(0)
        if code == 0:
            style.clear()
        elif code in _WEIGHTS:
            style[_WEIGHTS[code]] = _WEIGHTS[code]
        elif code in _ENDS:
            for name in _ENDS[code]:
                style.pop(name, None)
        elif 30 <= code <= 37 or 90 <= code <= 97:
            _colour(style, code % 10)
        elif code in (38, 48):
            _extended(style, code, numbers)


def _extended(style: dict[str, str], code: int, numbers: list[int]) -> None:
    """``38;5;n`` (one of 256) or ``38;2;r;g;b``; 48 is the same for the background."""
    how = numbers.pop(0) if numbers else 0
    given = [numbers.pop(0) for _ in range({5: 1, 2: 3}.get(how, 0)) if numbers]
    if code == 38 and how == 5 and given and 0 <= given[0] < 16:
        _colour(style, given[0] % 8)


def _colour(style: dict[str, str], number: int) -> None:
    if number == 0:
        style.pop("c", None)  # black on our ground is the text's own colour
    else:
        style["c"] = f"c{number}"
