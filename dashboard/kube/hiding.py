"""Taking values out of what the cluster said: a rule of its own may quote what is and what was."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator
from html import escape
from itertools import islice
from urllib.parse import quote, quote_plus

from dashboard.errors import ClusterError, Invalid

HIDDEN = "(hidden)"
SHORTEST = 4  # a shorter value is in any text by chance
SHORTEST_LINE = 12  # the same of one line among several
MAX_PARTS = 1000  # strings of one value that is JSON
CUT_AT = 256  # characters: what is longer the API server may have cut off, in the middle of a value too


def hide_values(error: ClusterError, values: Iterable[str]) -> None:
    """Takes values, given in base64, out of an error and out of those that led to it: a traceback prints them all."""
    clean = hider(values)
    for each in _chain(error):
        each.message = clean(each.message)
        each.args = (each.message,)
        if isinstance(each, Invalid):
            each.causes = tuple(
                dataclasses.replace(cause, message=clean(cause.message)) for cause in each.causes
            )


def hider(values: Iterable[str]) -> Callable[[str], str]:
    """What takes values, given in base64, out of a text."""
    hide = sorted({text for value in values for text in _spellings(value)}, key=len, reverse=True)

    def clean(said: str) -> str:
        for text in hide:
            said = said.replace(text, HIDDEN)
        return _without_beginning(said, hide) if len(said) >= CUT_AT else said

    return clean


def _without_beginning(said: str, hide: Iterable[str]) -> str:
    """Without the beginning of one of them at the end of what was said."""
    for text in hide:
        at = max(len(said) - len(text), 0)
        while (at := said.find(text[:SHORTEST], at + 1)) > 0:
            if text.startswith(said[at:]):
                return said[:at] + HIDDEN
    return said


def _chain(error: BaseException | None) -> Iterator[ClusterError]:
    while error is not None:
        if isinstance(error, ClusterError):
            yield error
        error = error.__cause__ or error.__context__


def _spellings(encoded: str) -> Iterator[str]:
    """How a value may be quoted, whole, by one of its lines, or by one string of the JSON that it is, as the credentials
    of a registry are; without those that are in any text by chance.
    """
    raw = base64.b64decode(encoded).decode("utf-8", "replace")
    lines = (line.strip() for line in raw.splitlines())
    for text in (raw, raw.strip(), *(line for line in lines if len(line) >= SHORTEST_LINE)):
        yield from _spelled(text)
    yield from _long(encoded, encoded.rstrip("="))
    for part in islice(_parts(raw), MAX_PARTS):
        yield from _spelled(part)
        coded = base64.b64encode(part.encode("utf-8", "replace")).decode()
        yield from _long(coded, coded.rstrip("="))


def _spelled(text: str) -> Iterator[str]:
    yield from _long(text, json.dumps(text, ensure_ascii=False)[1:-1], json.dumps(text)[1:-1])
    yield from _long(quote(text), quote(text, safe=""), quote_plus(text), escape(text))


def _parts(raw: str) -> Iterator[str]:
    """The strings in a value that is a JSON object, at whatever depth; none of its keys."""
    if not raw.lstrip().startswith("{"):
        return
    try:
        left = [json.loads(raw)]
    except (ValueError, RecursionError):
        return
    while left:
        found = left.pop()
        if isinstance(found, str) and len(found) >= SHORTEST:
            yield found
        elif isinstance(found, dict):
            left += found.values()
        elif isinstance(found, list):
            left += found


def _long(*texts: str) -> Iterator[str]:
    return (text for text in texts if len(text) >= SHORTEST)
