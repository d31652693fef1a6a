"""What somebody types into the search, read as kubectl would read it (``cm web-config``, ``get po -n shop``), or as it is
said: ``web in shop``, ``pods in trouble``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dashboard.kinds.base import Kind

from .kubectl import Command, taken_apart

Kinds = Mapping[str, Kind[Any]]

VERBS = frozenset({"get", "describe", "top"})  # they only look
# What else kubectl does with objects; read as that where kubectl itself is typed before it.
_DOING = frozenset(
    {
        "annotate", "attach", "autoscale", "cordon", "cp", "debug", "delete", "drain", "edit", "exec", "expose", "label",
        "logs", "patch", "port-forward", "restart", "scale", "taint", "uncordon", "wait",
    }
)  # fmt: skip
_DOING_WITH = frozenset({"rollout", "set"})  # and the word after it
# kubectl's category "all".
_ALL = frozenset(
    {
        "pods", "replicationcontrollers", "services", "daemonsets", "deployments", "replicasets", "statefulsets",
        "horizontalpodautoscalers", "cronjobs", "jobs",
    }
)  # fmt: skip
MIN_SLIP = 4  # letters of a word that may be misspelt: of a shorter one, too little is left
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

    ``either``: one of them is enough. ``trouble``: only what is not healthy. ``everywhere``: whichever namespaces are
    chosen. ``guessed``: a kind or a namespace is not what was typed, but like it.
    """

    words: tuple[str, ...] = ()
    plurals: frozenset[str] = frozenset()
    namespaces: tuple[str, ...] = ()
    trouble: bool = False
    everywhere: bool = False
    guessed: bool = False
    either: bool = False

    @property
    def asks(self) -> bool:
        return bool(self.words or self.plurals or self.namespaces or self.trouble)


def plain(q: str) -> Reading:
    """Every word for itself."""
    return Reading(tuple(dict.fromkeys(q.lower().split())))


def read(q: str, kinds: Kinds, *, guess: bool = False) -> Reading:
    """As kubectl would read it, as far as it is kubectl's; else every word for itself. ``guess``: with kinds that are
    misspelt.
    """
    command = taken_apart(q)
    namespaces = [*command.namespaces]
    words, asked = _without_verb(command)
    words, trouble = _without_trouble(words)
    words = [word for at, word in enumerate(words) if not (word == "namespace" and words[at - 1] == "in")]
    if len(words) > 2 and words[-2].lower() == "in":
        namespaces, words = [*namespaces, words[-1].lower()], words[:-2]
        words, worse = _without_trouble(words)
        trouble = trouble or worse
    # A kind by itself is a place to go to, and a word that objects have.
    if asked or namespaces or trouble or command.labels or command.everywhere or len(words) > 1:
        plurals, names = _of_kinds(words, kinds, asked=asked, guess=guess)
    else:
        plurals, names = frozenset(), words
    found = Reading(
        tuple(dict.fromkeys(word.lower() for word in (*names, *command.labels))),
        plurals,
        tuple(sorted(set(namespaces))),
        trouble,
        command.everywhere,
        guess,
        either=asked and bool(plurals) and not command.labels,
    )
    return found if found.asks else plain(q)


def _of_kinds(
    words: list[str], kinds: Kinds, *, asked: bool, guess: bool
) -> tuple[frozenset[str], list[str]]:
    """The kinds that are named, and the words of objects: ``po web``, ``po/web svc/web``. One such pair by itself may as
    well be a namespace and a name.
    """
    pairs = [word.partition("/") for word in words]
    if pairs and (asked or len(pairs) > 1) and all(slash for _, slash, _ in pairs):
        named = [_named(kind, kinds, guess=guess) for kind, _, _ in pairs]
        if all(named):
            return frozenset().union(*named), [name for _, _, name in pairs if name]
    plurals = _named(words[0], kinds, guess=guess) if words else frozenset()
    return plurals, words[1:] if plurals else words


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


def _without_verb(command: Command) -> tuple[list[str], bool]:
    """The words without a verb, and whether there was one; a verb alone is a word like others."""
    words = [*command.words]
    first = words[0].lower() if len(words) > 1 else ""
    if first in VERBS or (command.called and first in _DOING):
        return words[1:], True
    if command.called and first in _DOING_WITH and len(words) > 2:
        return words[2:], True
    return words, False


def _named(word: str, kinds: Kinds, *, guess: bool) -> frozenset[str]:
    """The kinds that a word names, as ``po,svc`` names two; none when a part of it names none."""
    found: set[str] = set()
    for name in word.lower().split(","):
        if name == "all":
            found |= _ALL & kinds.keys()
            continue
        plural = next((each.plural for each in kinds.values() if name in names_of(each)), None)
        if plural is None and guess:
            plural = next((each.plural for each in kinds.values() if misspelt(names_of(each), name)), None)
        if plural is None:
            return frozenset()
        found.add(plural)
    return frozenset(found)


def names_of(kind: Kind[Any]) -> frozenset[str]:
    """What kubectl calls a kind: ``deployments``, ``deploy``, ``deployment.apps``, ``deployment.v1.apps``."""
    names = {kind.gvr.plural, kind.kind.lower(), *filter(None, kind.short_names)}
    if group := kind.gvr.group:
        both = (kind.gvr.plural, kind.kind.lower())
        names |= {f"{name}.{end}" for name in both for end in (group, f"{kind.gvr.version}.{group}")}
    else:
        names |= {f"{name}.{kind.gvr.version}." for name in (kind.gvr.plural, kind.kind.lower())}
    return frozenset(names)


MAX_SLIP = 63  # letters of a word that is looked for with a slip: the work grows by their cube


class Misspelling:
    """A word with one slip of the finger: two letters changed places, or one is wrong, or too many. A letter that is
    missing needs nothing of this: those that are left stand in order (``search.like``). Only of letters: another digit is
    another object.
    """

    def __init__(self, word: str) -> None:
        short = word if len(word) <= MAX_SLIP else ""
        letters = [at for at, letter in enumerate(short) if letter.isalpha()]
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
    return len(word) >= MIN_SLIP and any(_one_slip(name, word) for name in names)


def _one_slip(name: str, word: str) -> bool:
    """Whether two letters changed places, or one is wrong, missing or too many. As above, only letters."""
    at = next(
        (place for place, (right, typed) in enumerate(zip(name, word, strict=False)) if right != typed),
        min(len(name), len(word)),
    )
    right, typed = name[at:], word[at:]
    if right[1:] == typed[1:] or (right[2:] == typed[2:] and right[:2] == typed[1::-1]):
        return right[:1].isalpha() and typed[:1].isalpha()
    return (at > 0 and right[1:] == typed and right[:1].isalpha()) or (
        right == typed[1:] and typed[:1].isalpha()
    )
