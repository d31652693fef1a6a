"""Search over what the cache holds: names, labels, addresses, images, host names, whatever a list shows.

One pass over the rows' prepared ``search`` texts answers; no index has to be kept beside them (``bench/search.py``).
Rows of kinds that nobody watches come from lists (``unwatched.py``) and are searched alike.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict

from dashboard.kinds.base import Found, Kind, Row
from dashboard.kinds.rows import natural

from .access import Visible
from .bounds import MAX_WORDS, chosen_of, text_of, words_of
from .kubectl import taken_apart
from .lists import RANK, STATES, TROUBLE, finding
from .reader import Namespaces
from .reading import Misspelling, Reading, misspelt, names_of, plain, read
from .seenreader import SeenReader

LIMIT = 50
FUZZY = 10  # names that are only like what was typed are shown when fewer than so many have it
FUZZY_LETTERS = 3
WHY = 80  # letters of a text that tells why something was found

# How well a word fits. Of equals the worst state comes first, then the kind that people use most.
EXACT, PREFIX, WORD, PART, WHOLE, START, INSIDE, ROOM, LIKE = range(9)
FIRST = (
    "deployments", "pods", "services", "statefulsets", "daemonsets", "cronjobs", "jobs", "ingresses", "configmaps",
    "secrets", "nodes", "namespaces", "persistentvolumeclaims",
)  # fmt: skip
# A Deployment makes them and changes them back: among objects that fit as well they are seldom meant, however they are.
MADE = frozenset({"replicasets"})
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
        command = taken_apart(text_of(params, "q"))
        looked_for = len(command.words) + len(command.labels)  # most flags are not
        return cls(
            q=words_of(params, "q", looked_for or None),
            namespaces=chosen_of(params, "namespace"),
            plural=params.get("kind", ""),
        )

    @property
    def words(self) -> tuple[str, ...]:
        return plain(self.q).words

    def reading(self, kinds: Mapping[str, Kind[Any]]) -> Reading:
        """The words as kubectl would read them."""
        return read(self.q, kinds)

    def chosen(self, reading: Reading) -> Namespaces:
        """Where to look: everywhere when the words say themselves where."""
        return None if reading.namespaces or reading.everywhere else frozenset(self.namespaces) or None

    def list_query(self, kind: Kind[Any], reading: Reading | None = None) -> str:
        """The query string of the list of a kind with all that was found of it; ``reading``: how the words were read."""
        read = plain(self.q) if reading is None else reading
        words = [part for word in read.words for part in _list_words(word, kind)]
        here = () if read.everywhere else self.namespaces
        spaces = (read.namespaces or here) if kind.gvr.namespaced else ()
        pairs = [("namespace", each) for each in spaces]
        pairs += [("q", " ".join(words))] if words else []
        pairs += [("state", TROUBLE)] if read.trouble else []
        return f"?{urlencode(pairs)}" if pairs else ""


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
    """The best hits in order, and how many there are of each kind. ``like``: only alike, nothing has all words.
    ``reading``: how the words were read.
    """

    hits: tuple[Hit, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    like: bool = False
    reading: Reading = field(default_factory=Reading, compare=False)

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
    reader: SeenReader,
    kinds: Mapping[str, Kind[Any]],
    query: SearchQuery,
    where: Mapping[str, Namespaces],
    *,
    reading: Reading,
    unwatched: Mapping[str, list[Row]] = {},
    limit: int = LIMIT,
) -> Answer:
    """What has every word of the query, best first, out of the namespaces that ``where`` names for each kind, and out of
    the ``unwatched`` rows. ``reading`` is of the query; when nothing is found so, each word is read for itself.

    Nothing is looked at, counted or hinted at that is in neither.
    """
    return searching(reader, kinds, query, where, reading=reading, unwatched=unwatched, limit=limit)()


def searching(
    reader: SeenReader,
    kinds: Mapping[str, Kind[Any]],
    query: SearchQuery,
    where: Mapping[str, Namespaces],
    *,
    reading: Reading,
    unwatched: Mapping[str, list[Row]] = {},
    limit: int = LIMIT,
) -> Callable[[], Answer]:
    """As ``search``, of the rows as they are now; what is left to do may be done in a thread."""
    rows = {plural: reader.rows(plural, namespaces) for plural, namespaces in where.items()}
    rows |= unwatched
    return partial(_best, reader, kinds, rows, query, reading, limit)


def _best(
    reader: SeenReader,
    kinds: Mapping[str, Kind[Any]],
    rows: Mapping[str, list[Row]],
    query: SearchQuery,
    reading: Reading,
    limit: int,
) -> Answer:
    ranks = {plural: place for place, plural in enumerate(dict.fromkeys((*FIRST, *kinds)))}
    found: Answer | None = None
    for each in _readings(kinds, query, reading):
        answer = _answer(reader, kinds, rows, ranks, each, limit)
        if answer.hits and not answer.like:
            return answer
        found = found if found and (found.hits or not answer.hits) else answer
    return found or Answer()


def _readings(kinds: Mapping[str, Kind[Any]], query: SearchQuery, reading: Reading) -> Iterator[Reading]:
    """How the words can be read, the likeliest first; a later one counts where those before it find nothing."""
    yield reading
    single = plain(query.q)
    if single != reading and len(single.words) <= MAX_WORDS:
        yield single
    guess = read(query.q, kinds, guess=True)
    if guess.plurals != reading.plurals:
        yield guess


def _answer(
    reader: SeenReader,
    kinds: Mapping[str, Kind[Any]],
    rows: Mapping[str, list[Row]],
    ranks: Mapping[str, int],
    reading: Reading,
    limit: int,
) -> Answer:
    words = reading.words
    rows, reading = _read(rows, kinds, reading)
    found: list[_Found] = []
    counts = {}
    for plural, each in rows.items():
        some = _fitting_any(kinds[plural], each, reading, ranks[plural])
        if some:
            counts[plural] = len(some)
            found += some
    like = not found or reading.guessed
    if len(found) < FUZZY:
        found += _alike(rows, words, ranks, {id(each[1]) for each in found}, FUZZY - len(found))
    best = heapq.nsmallest(limit, found, key=lambda each: each[0])
    best.sort(key=lambda each: (*each[0][:4], natural(each[1].name), each[1].namespace))
    hits = tuple(_hit(reader, kinds[plural], row, words) for _, row, plural in best)
    return Answer(hits, counts, like and bool(hits), reading)


def _read(
    rows: Mapping[str, list[Row]], kinds: Mapping[str, Kind[Any]], reading: Reading
) -> tuple[dict[str, list[Row]], Reading]:
    """The rows among which a reading asks for its words; and the reading with the namespaces that there are: those whose
    names begin so, where none is called so (yet, as it is being typed), or those that are called almost so.
    """
    some = {plural: each for plural, each in rows.items() if not reading.plurals or plural in reading.plurals}
    if reading.namespaces:
        some = {plural: each for plural, each in some.items() if kinds[plural].gvr.namespaced}
        known = {row.namespace for each in rows.values() for row in each}
        meant = known.intersection(reading.namespaces) or {
            name for name in known if name.startswith(reading.namespaces)
        }
        if not meant:
            meant = {name for name in known for typed in reading.namespaces if misspelt((name,), typed)}
            reading = replace(reading, guessed=reading.guessed or bool(meant))
        some = {plural: [row for row in each if row.namespace in meant] for plural, each in some.items()}
        if meant:
            reading = replace(reading, namespaces=tuple(sorted(meant)))
    if reading.trouble:
        ill = STATES[TROUBLE]
        some = {plural: [row for row in each if row.state in ill] for plural, each in some.items()}
    return some, reading


_Found = tuple[tuple[Any, ...], Row, str]  # its rank, itself, its kind


def _fitting_any(kind: Kind[Any], rows: list[Row], reading: Reading, rank: int) -> list[_Found]:
    """Those that fit all the words, or, where each is a name, one of them."""
    if not reading.either or len(reading.words) < 2:
        return _fitting(kind, rows, reading.words, rank)
    found: dict[int, _Found] = {}
    for word in reading.words:
        for each in _fitting(kind, rows, (word,), rank):
            found[id(each[1])] = min(found.get(id(each[1]), each), each, key=lambda one: one[0])
    return list(found.values())


def _fitting(kind: Kind[Any], rows: list[Row], words: tuple[str, ...], rank: int) -> list[_Found]:
    pairs = [(word, _sides(word, kind)) for word in words]
    for word, sides in pairs:
        if sides:
            rows = [row for row in rows if word in row.search or any(_at_sides(row, *side) for side in sides)]
        else:
            rows = list(filter(finding(word), rows))
    plural = kind.plural
    base = 100 if plural in LAST else 0
    if len(pairs) == 1:
        ((word, sides),) = pairs
        fits = [_fit(row, word, sides) for row in rows]
    else:
        fits = [sum(_fit(row, word, sides) for word, sides in pairs) for row in rows]
    return [
        ((base + fit, plural in MADE, RANK[row.state], rank, row.name, row.namespace), row, plural)
        for fit, row in zip(fits, rows, strict=True)
    ]


def kinds_meant(kinds: Iterable[Kind[Any]], reading: Reading) -> list[Kind[Any]]:
    """The kinds themselves that were asked for, as ``get po -n shop`` asks for one."""
    if not reading.plurals:
        return kinds_named(kinds, reading.words)
    return [] if reading.words else [kind for kind in kinds if kind.plural in reading.plurals][:KINDS_FOUND]


def kinds_named(kinds: Iterable[Kind[Any]], words: tuple[str, ...]) -> list[Kind[Any]]:
    """The kinds that the one word names, or begins to name, by any of kubectl's words for them, whole names first; or
    that it names but for a slip of the finger.
    """
    if len(words) != 1 or len(words[0]) < 2:
        return []
    word = words[0]
    named = [(names_of(kind), kind) for kind in kinds]
    fits = [(word not in names, kind) for names, kind in named if any(_begins(name, word) for name in names)]
    if not fits:
        fits = [(True, kind) for names, kind in named if misspelt(names, word)]
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
    """Objects whose names have the one word but for a slip of the finger, or its letters in order, closest together
    first.
    """
    if len(words) != 1 or len(words[0]) < FUZZY_LETTERS:
        return []
    found: list[_Found] = []
    slip = Misspelling(words[0])
    for plural, each in rows.items():
        if plural in LAST:
            continue
        for row in each:
            name = row.name.lower()
            places = slip.places(name) or like(name, words[0])
            if places and id(row) not in known:
                spread = places[-1] - places[0]
                rank = (
                    LIKE + spread,
                    plural in MADE,
                    RANK[row.state],
                    ranks[plural],
                    row.name,
                    row.namespace,
                )
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


def _hit(reader: SeenReader, kind: Kind[Any], row: Row, words: tuple[str, ...]) -> Hit:
    name = row.name.lower()
    pieces = [part for word in words for part in _name_words(row, word, kind)]
    rest = [word for word in words if not _name_words(row, word, kind)]
    if not pieces and len(words) == 1 and not finding(words[0])(row):
        return Hit(
            kind, row, _marked(row.name, Misspelling(words[0]).places(name) or like(name, words[0])), ()
        )
    why = dict.fromkeys(reason for word in rest if (reason := _why(reader, kind, row, word)))
    return Hit(kind, row, parts(row.name, pieces), tuple(why))


def _name_words(row: Row, word: str, kind: Kind[Any]) -> list[str]:
    """The piece of the name that a word stands for."""
    if word in row.name.lower():
        return [word]
    return [part for namespace, part in _sides(word, kind) if part and _at_sides(row, namespace, part)][:1]


def _why(reader: SeenReader, kind: Kind[Any], row: Row, word: str) -> Why | None:
    texts = [(label, text) for label, text in _texts(reader, kind, row) if word in text.lower()]
    if not texts:
        return None
    label, text = next((each for each in texts if each[1].lower() == word), texts[0])
    return Why(label, parts(_around(text, word), [word]))


def _texts(reader: SeenReader, kind: Kind[Any], row: Row) -> Iterator[Found]:
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
