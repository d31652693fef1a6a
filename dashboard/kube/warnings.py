"""What the API server warns of beside an answer: ``Warning`` headers, of which it sends one for each warning.

Rules: RFC 7234, 5.5 (the header; RFC 9111 no longer defines it, Kubernetes goes on sending it); RFC 9110, 5.6.4 (quoted
strings); kubernetes/kubernetes, staging/src/k8s.io/apimachinery/pkg/util/net/http.go (what clients take).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

CODE = "299"  # of all that Kubernetes sends; others are of caches on the way
MAX_WARNINGS = 10
MAX_CHARACTERS = 1000  # of one

_WARNING = re.compile(r'[\s,]*(\d{3}) ([^\s",]+) "((?:[^"\\]|\\.)*)"(?: "[^"]*")?\s*(?:,|$)', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def warnings_of(
    headers: Mapping[str, str], clean: Callable[[Sequence[str]], Sequence[str]] = tuple
) -> tuple[str, ...]:
    """The texts of the warnings of an answer, each once; of too many, the last says how many more there are. ``clean``
    takes out of the whole texts what nobody may see.
    """
    said = clean([_decoded(text) for text in dict.fromkeys(_texts(headers))])
    found = dict.fromkeys(words for text in said if (words := " ".join(_printable(text).split())))
    shown = [_cut(words) for words in found][:MAX_WARNINGS]
    if more := len(found) - len(shown):
        shown.append(f"{more} more {'warning' if more == 1 else 'warnings'}.")
    return tuple(shown)


def _texts(headers: Mapping[str, str]) -> Iterator[str]:
    """Of several in one header, those before the first that is none."""
    for name, value in headers.items():  # a name comes as often as it was sent
        if name.lower() != "warning":
            continue
        at = 0
        while (found := _WARNING.match(value, at)) is not None:
            at = found.end()
            if found[1] == CODE:
                yield _ESCAPED.sub(r"\1", found[3])


def _decoded(text: str) -> str:
    """The HTTP library keeps bytes that are no UTF-8 as surrogates, which nothing can write."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else " " for each in text)


def _cut(words: str) -> str:
    return words if len(words) <= MAX_CHARACTERS else f"{words[: MAX_CHARACTERS - 1]}…"
