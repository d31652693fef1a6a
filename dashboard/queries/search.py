"""Search over what the cache holds: names, labels, addresses, images, host names, whatever a list shows.

One pass over the rows' prepared ``search`` texts answers; no index has to be kept beside them (``bench/search.py``).
Rows of kinds that nobody watches come from lists (``unwatched.py``) and are searched alike.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict

from dashboard.errors import BadInput
from dashboard.kinds.base import Found, Kind, Row
from dashboard.kinds.rows import natural

from .access import Visible
from .lists import RANK, having
from .reader import NONE_JUDGED, Judged, Namespaces, Reader

LIMIT = 50
FUZZY = 10  # names that are only like what was typed are shown when fewer than so many have it
FUZZY_LETTERS = 3
LONGEST = 200
WHY = 80  # letters of a text that tells why something was found

# How well a word fits. Of equals the worst state comes first, then the kind that people use most.
EXACT, PREFIX, WORD, PART, WHOLE, START, INSIDE, ROOM, LIKE = range(9)
FIRST = (
    "deployments", "pods", "services", "statefulsets", "daemonsets", "cronjobs", "jobs", "ingresses", "configmaps",
    "secrets", "nodes", "namespaces", "persistentvolumeclaims",
)  # fmt: skip
# They tell of other objects, in whose names they begin.
LAST = frozenset(
    {
        "events",
        "endpoints",
        "endpointslices",
        "controllerrevisions.apps",
        "leases.coordination.k8s.io",
        "csinodes.storage.k8s.io",
    }
)
KINDS_FOUND = 8

_GAPS = "-./:_"


@dataclass(frozen=True)
class SearchQuery:
    """What is looked for: words that must all be there; in some namespaces only; of one kind only."""

    q: str = ""
    namespaces: tuple[str, ...] = ()
    plural: str = ""

    @classmethod
    def read(cls, params: QueryDict) -> SearchQuery:
        """From an address. Raises BadInput for more than can be meant."""
        q = " ".join(params.get("q", "").split())
        if len(q) > LONGEST:
            raise BadInput(f"q is {len(q)} letters long: say at most {LONGEST}.", field="q")
        return cls(
            q=q,
            namespaces=tuple(sorted(set(params.getlist("namespace")) - {""})),
            plural=params.get("kind", ""),
        )

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.q.lower().split()))

    @property
    def chosen(self) -> Namespaces:
        return frozenset(self.namespaces) or None

    def list_query(self, kind: Kind[Any]) -> str:
        """The query string of the list of a kind with all that was found of it."""
        words = [part for word in self.words for part in _list_words(word, kind)]
        spaces = [("namespace", each) for each in self.namespaces] if kind.gvr.namespaced else []
        return f"?{urlencode([*spaces, ('q', ' '.join(words))])}" if words or spaces else ""


@dataclass(frozen=True)
class Why:
    """What of an object fits: a label ("IP"), and its text in pieces, those that fit marked."""

    label: str
    parts: tuple[tuple[str, bool], ...]


@dataclass(frozen=True)
class Hit:
    """An object that was found. ``name`` is its name in pieces; ``why`` says what fits besides."""

    kind: Kind[Any]
    row: Row
    name: tuple[tuple[str, bool], ...]
    why: tuple[Why, ...]


@dataclass(frozen=True)
class Answer:
    """The best hits in order, and how many there are of each kind. ``like``: only alike, nothing has all words."""

    hits: tuple[Hit, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    like: bool = False

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def scopes(
    kinds: Mapping[str, Kind[Any]], seen: Mapping[str, Visible], chosen: Namespaces
) -> dict[str, Namespaces]:
    """Where to look, by kind: what the user may list, within the chosen namespaces. Other kinds are not looked at."""
    return {
        plural: each.within(chosen) if kinds[plural].gvr.namespaced else each.within(None)
        for plural, each in seen.items()
        if each.denied is None
    }


def search(
    reader: Reader,
    kinds: Mapping[str, Kind[Any]],
    query: SearchQuery,
    where: Mapping[str, Namespaces],
    *,
    judged: Judged = NONE_JUDGED,
    unwatched: Mapping[str, list[Row]] = {},
    limit: int = LIMIT,
) -> Answer:
    """What has every word of the query, best first, out of the namespaces that ``where`` names for each kind, and out of
    the ``unwatched`` rows.

    Nothing is looked at, counted or hinted at that is in neither; only objects of the ``judged`` kinds have the state
    that objects behind them give.
    """
    ranks = {plural: place for place, plural in enumerate(dict.fromkeys((*FIRST, *kinds)))}
    rows = {plural: reader.rows(plural, namespaces, judged) for plural, namespaces in where.items()}
    rows |= unwatched
    found: list[_Found] = []
    counts = {}
    for plural, each in rows.items():
        some = _fitting(kinds[plural], each, query.words, ranks[plural])
        if some:
            counts[plural] = len(some)
            found += some
    like = not found
    if len(found) < FUZZY:
        found += _alike(rows, query.words, ranks, {id(each[1]) for each in found}, FUZZY - len(found))
    best = heapq.nsmallest(limit, found, key=lambda each: each[0])
    best.sort(key=lambda each: (*each[0][:3], natural(each[1].name), each[1].namespace))
    hits = tuple(_hit(reader, kinds[plural], row, query.words) for _, row, plural in best)
    return Answer(hits, counts, like and bool(hits))


_Found = tuple[tuple[Any, ...], Row, str]  # its rank, itself, its kind


def _fitting(kind: Kind[Any], rows: list[Row], words: tuple[str, ...], rank: int) -> list[_Found]:
    pairs = [(word, _sides(word, kind)) for word in words]
    for word, sides in pairs:
        if sides:
            rows = [row for row in rows if word in row.search or any(_at_sides(row, *side) for side in sides)]
        else:
            rows = having(rows, word)
    plural = kind.plural
    base = 100 if plural in LAST else 0
    if len(pairs) == 1:
        ((word, sides),) = pairs
        fits = [_fit(row, word, sides) for row in rows]
    else:
        fits = [sum(_fit(row, word, sides) for word, sides in pairs) for row in rows]
    return [
        ((base + fit, RANK[row.state], rank, row.name, row.namespace), row, plural)
        for fit, row in zip(fits, rows, strict=True)
    ]


def names_of(kind: Kind[Any]) -> frozenset[str]:
    """What kubectl calls a kind: ``deployments``, ``deployment``, ``deploy``, ``deployment.apps``."""
    names = {kind.gvr.plural, kind.kind.lower(), *filter(None, kind.short_names)}
    if kind.gvr.group:
        names |= {f"{name}.{kind.gvr.group}" for name in (kind.gvr.plural, kind.kind.lower())}
    return frozenset(names)


def kinds_named(kinds: Iterable[Kind[Any]], words: tuple[str, ...]) -> list[Kind[Any]]:
    """The kinds that the one word names, or begins to name, by any of kubectl's words for them; whole names first."""
    if len(words) != 1 or len(words[0]) < 2:
        return []
    word = words[0]
    named = ((names_of(kind), kind) for kind in kinds)
    fits = [(word not in names, kind) for names, kind in named if any(_begins(name, word) for name in names)]
    return [kind for _, kind in sorted(fits, key=lambda each: each[0])[:KINDS_FOUND]]


def _begins(name: str, word: str) -> bool:
    return name.startswith(word) or f".{word}" in name


def _sides(word: str, kind: Kind[Any]) -> list[tuple[str, str]]:
    """The ways to read ``a/b``: a namespace and a name, or as kubectl writes it a kind and a name."""
    left, slash, right = word.partition("/")
    if not slash or not left:
        return []
    if left in names_of(kind):
        return [(left, right), ("", right)]
    return [(left, right)]


def _at_sides(row: Row, namespace: str, name: str) -> bool:
    return row.namespace.startswith(namespace) and name in row.name.lower()


def _list_words(word: str, kind: Kind[Any]) -> list[str]:
    # A list knows no pairs; both halves together find the same objects and, seldom, some more.
    left, slash, right = word.partition("/")
    if not slash:
        return [word]
    return [half for half in ((right,) if left in names_of(kind) else (left, right)) if half]


def _fit(row: Row, word: str, sides: list[tuple[str, str]]) -> int:
    for namespace, part in sides:
        if _at_sides(row, namespace, part):
            fit = _fit_name(row.name.lower(), part)
            return fit if namespace in ("", row.namespace) else max(fit, PREFIX)
    name = row.name.lower()
    if word in name:
        return _fit_name(name, word)
    text = row.search
    # The namespace is the first line.
    if text.find(word, len(row.namespace)) < 0:
        return ROOM if word in row.namespace else WHOLE
    if f"\n{word}" in text:
        return WHOLE if f"\n{word}\n" in text or text.endswith(f"\n{word}") else START
    if f"={word}" in text:
        return WHOLE if f"={word}\n" in text or text.endswith(f"={word}") else START
    return START if f"/{word}" in text else INSIDE


def _fit_name(name: str, word: str) -> int:
    at = name.find(word)
    if at == 0:
        return EXACT if len(name) == len(word) else PREFIX
    if name[at - 1] in _GAPS:
        return WORD
    return WORD if any(f"{gap}{word}" in name for gap in _GAPS) else PART


def _alike(
    rows: Mapping[str, list[Row]],
    words: tuple[str, ...],
    ranks: Mapping[str, int],
    known: set[int],
    count: int,
) -> list[_Found]:
    """Objects whose names have the letters of the one word in order, closest together first."""
    if len(words) != 1 or len(words[0]) < FUZZY_LETTERS:
        return []
    found: list[_Found] = []
    for plural, each in rows.items():
        if plural in LAST:
            continue
        for row in each:
            places = like(row.name.lower(), words[0])
            if places and id(row) not in known:
                spread = places[-1] - places[0]
                rank = (LIKE + spread, RANK[row.state], ranks[plural], row.name, row.namespace)
                found.append((rank, row, plural))
    return heapq.nsmallest(count, found, key=lambda each: each[0])


def like(name: str, word: str) -> tuple[int, ...]:
    """Where the letters of a word stand in a name, in order, the first at the start of a word of it; () if they do not.

    They may be spread over three times the word's length at most: farther apart, anything is like anything.
    """
    begin = 0 if name[:1] == word[0] else _word_start(name, word[0])
    if begin < 0:
        return ()
    places = [begin]
    for letter in word[1:]:
        at = name.find(letter, places[-1] + 1)
        if at < 0:
            return ()
        places.append(at)
    return tuple(places) if places[-1] - begin < 3 * len(word) else ()


def _word_start(name: str, letter: str) -> int:
    starts = [at + 1 for gap in _GAPS if (at := name.find(gap + letter)) >= 0]
    return min(starts, default=-1)


# ---- Why something was found


def _hit(reader: Reader, kind: Kind[Any], row: Row, words: tuple[str, ...]) -> Hit:
    name = row.name.lower()
    pieces = [part for word in words for part in _name_words(row, word, kind)]
    rest = [word for word in words if not _name_words(row, word, kind)]
    if not pieces and len(words) == 1 and not having([row], words[0]):
        return Hit(kind, row, _marked(row.name, like(name, words[0])), ())
    why = dict.fromkeys(reason for word in rest if (reason := _why(reader, kind, row, word)))
    return Hit(kind, row, parts(row.name, pieces), tuple(why))


def _name_words(row: Row, word: str, kind: Kind[Any]) -> list[str]:
    """The piece of the name that a word stands for."""
    if word in row.name.lower():
        return [word]
    return [part for namespace, part in _sides(word, kind) if part and _at_sides(row, namespace, part)][:1]


def _why(reader: Reader, kind: Kind[Any], row: Row, word: str) -> Why | None:
    texts = [(label, text) for label, text in _texts(reader, kind, row) if word in text.lower()]
    if not texts:
        return None
    label, text = next((each for each in texts if each[1].lower() == word), texts[0])
    return Why(label, parts(_around(text, word), [word]))


def _texts(reader: Reader, kind: Kind[Any], row: Row) -> Iterator[Found]:
    """All that an object is found by, what says most first; but its name and namespace, which are seen anyway."""
    obj = reader.get(kind.plural, row.namespace, row.name)
    if obj is not None:
        yield from kind.found_by(obj)
    yield from (("Label", f"{key}={value}") for key, value in row.labels.items())
    for column in kind.columns:
        if column.key != "name" and column.order < len(row.cells):
            yield column.title, row.cells[column.order].text
    yield "State", row.reason
    yield "UID", row.uid


def _around(text: str, word: str) -> str:
    """One line, not too long, with the word in it."""
    line = " ".join(text.split())
    at = line.lower().find(word)
    start = max(0, at - WHY // 2) if len(line) > WHY else 0
    cut = line[start : start + max(WHY, len(word))]
    return ("…" if start else "") + cut + ("…" if start + len(cut) < len(line) else "")


def parts(text: str, words: Iterable[str]) -> tuple[tuple[str, bool], ...]:
    """A text in pieces, each with whether it is one of the words (in lower case). Joined they are the text."""
    lower = text.lower()
    if len(lower) != len(text):  # a letter whose small form is longer: places would not agree
        return ((text, False),)
    marked: set[int] = set()
    for word in words:
        at = lower.find(word)
        while word and at >= 0:
            marked.update(range(at, at + len(word)))
            at = lower.find(word, at + len(word))
    return _marked(text, marked)


def _marked(text: str, places: Iterable[int]) -> tuple[tuple[str, bool], ...]:
    wanted = frozenset(places)
    pieces: list[tuple[str, bool]] = []
    for at, letter in enumerate(text):
        if pieces and pieces[-1][1] == (at in wanted):
            pieces[-1] = (pieces[-1][0] + letter, pieces[-1][1])
        else:
            pieces.append((letter, at in wanted))
    return tuple(pieces)
