"""What somebody types into the search, read as kubectl would read it (``cm web-config``, ``get po -n shop``), or as it is
said: ``web in shop``, ``pods in trouble``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dashboard.kinds.base import Kind

Kinds = Mapping[str, Kind[Any]]

VERBS = frozenset({"get", "describe", "top"})
# Flags of kubectl whose value says nothing that could be looked for.
_WITH_VALUE = frozenset({"-o", "--output", "-c", "--container", "--context", "--sort-by", "--field-selector"})
_ALONE = frozenset({"-A", "--all-namespaces", "-w", "--watch", "--show-labels"})
# What people call objects that are not healthy, at the end of what they type.
_TROUBLE = re.compile(
    r"(?:^|\s)(?:in trouble|(?:with|having) (?:problems?|issues?|errors?|trouble)|(?:that )?need(?:ing)? attention"
    r"|not healthy)$",
    re.IGNORECASE,
)
_TROUBLE_WORDS = frozenset({"unhealthy", "failing", "broken"})


@dataclass(frozen=True)
class Reading:
    """Words that must all be there (in lower case), of these kinds and namespaces only; empty ones: of all.

    ``trouble``: only what is not healthy.
    """

    words: tuple[str, ...] = ()
    plurals: frozenset[str] = frozenset()
    namespaces: tuple[str, ...] = ()
    trouble: bool = False

    @property
    def asks(self) -> bool:
        return bool(self.words or self.plurals or self.namespaces or self.trouble)


def plain(q: str) -> Reading:
    """Every word for itself."""
    return Reading(tuple(dict.fromkeys(q.lower().split())))


def read(q: str, kinds: Kinds) -> Reading:
    """As kubectl would read it, as far as it is kubectl's; else every word for itself."""
    words, namespaces = _flags(q.split())
    words = _without_verb(words)
    words, trouble = _without_trouble(words)
    words = [word for at, word in enumerate(words) if not (word == "namespace" and words[at - 1] == "in")]
    if len(words) > 2 and words[-2].lower() == "in":
        namespaces, words = [*namespaces, words[-1].lower()], words[:-2]
        words, worse = _without_trouble(words)
        trouble = trouble or worse
    plurals = _named(words[0], kinds) if words else frozenset()
    # A kind by itself is a place to go to, and a word that objects have.
    if plurals and (len(words) > 1 or namespaces or trouble):
        words = words[1:]
    else:
        plurals = frozenset()
    lower = tuple(dict.fromkeys(word.lower() for word in words))
    return Reading(lower, plurals, tuple(sorted(set(namespaces))), trouble)


def _without_trouble(words: list[str]) -> tuple[list[str], bool]:
    """``pods in trouble``, ``failing pods``: the rest, and whether only what is not healthy is wanted."""
    text = " ".join(words)
    if (found := _TROUBLE.search(text)) is not None:
        return text[: found.start()].split(), True
    # One such word may be the name of an object as well, or a part of it: there must be another.
    for at in (0, -1):
        if len(words) > 1 and words[at].lower() in _TROUBLE_WORDS:
            return words[1:] if at == 0 else words[:-1], True
    return words, False


def _flags(words: list[str]) -> tuple[list[str], list[str]]:
    """The words without kubectl's flags, and the namespaces that those name. A label selector is its labels."""
    kept: list[str] = []
    namespaces: list[str] = []
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if name in _ALONE:
            continue
        if name in ("-n", "--namespace", "-l", "--selector") or name in _WITH_VALUE:
            value = value if equals else next(rest, "")
            if name in ("-n", "--namespace") and value:
                namespaces.append(value.lower())
            elif name in ("-l", "--selector"):
                kept += [label for label in value.replace("==", "=").split(",") if label]
        else:
            kept.append(word)
    return kept, namespaces


def _without_verb(words: list[str]) -> list[str]:
    """Without "kubectl" and a verb that only looks; a verb alone is a word like others."""
    begun = words[1:] if len(words) > 1 and words[0].lower() in ("kubectl", "k") else words
    return begun[1:] if len(begun) > 1 and begun[0].lower() in VERBS else begun


def _named(word: str, kinds: Kinds) -> frozenset[str]:
    """The kinds that a word names, as ``po,svc`` names two; none when a part of it names none."""
    found: set[str] = set()
    for name in word.lower().split(","):
        plural = next((each.plural for each in kinds.values() if name in names_of(each)), None)
        if plural is None:
            return frozenset()
        found.add(plural)
    return frozenset(found)


def names_of(kind: Kind[Any]) -> frozenset[str]:
    """What kubectl calls a kind: ``deployments``, ``deployment``, ``deploy``, ``deployment.apps``."""
    names = {kind.gvr.plural, kind.kind.lower(), *filter(None, kind.short_names)}
    if kind.gvr.group:
        names |= {f"{name}.{kind.gvr.group}" for name in (kind.gvr.plural, kind.kind.lower())}
    return frozenset(names)


class Misspelling:
    """A word with one slip of the finger: two letters changed places, or one is wrong, or too many. A letter that is
    missing needs nothing of this: those that are left stand in order (``search.like``). Only of letters: another digit is
    another object.
    """

    def __init__(self, word: str) -> None:
        letters = [at for at, letter in enumerate(word) if letter.isalpha()]
        swapped = {
            word[:at] + word[at + 1] + word[at] + word[at + 2 :] for at in letters if at + 1 < len(word)
        }
        self._texts = swapped - {word}
        self._halves: tuple[str, ...] = ()
        if len(word) >= 5:  # of a shorter one, too little is left
            self._texts |= {word[:at] + word[at + 1 :] for at in letters}
            self._halves = word[: len(word) // 2], word[len(word) // 2 :]
        wrong = (f"{re.escape(word[:at])}[a-z]{re.escape(word[at + 1 :])}" for at in letters)
        self._wrong = re.compile("|".join(wrong) or "(?!)")

    def places(self, name: str) -> tuple[int, ...]:
        """The letters of a name (in lower case) that are meant; () when it is not like the word."""
        for text in self._texts:
            at = name.find(text)
            if at >= 0:
                return tuple(range(at, at + len(text)))
        # A wrong letter leaves one half as it is.
        if any(half in name for half in self._halves) and (found := self._wrong.search(name)):
            return tuple(range(*found.span()))
        return ()


def misspelt(names: Iterable[str], word: str) -> bool:
    """Whether a word is one of the names but for one slip."""
    slip = Misspelling(word)
    return any(len(slip.places(name)) == len(name) for name in names)
