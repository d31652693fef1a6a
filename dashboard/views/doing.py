"""What somebody types to have something done, as they would type it for kubectl: ``scale web``, ``create secret tls``,
``rollout undo deploy/web``. Which words mean what, the declarations of actions, tabs and forms say (``said``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from dashboard.actions.newobjects.form import NewObject
from dashboard.actions.newobjects.registry import NEW_OBJECTS, VARIANTS
from dashboard.actions.registry import ACTIONS
from dashboard.kinds import KINDS
from dashboard.kinds.base import Kind
from dashboard.live.screens.detail.tabs import TABS
from dashboard.queries.kubectl import taken_apart
from dashboard.queries.reading import names_of

YAML = "yaml"  # names the form that takes any YAML, among those of new objects
_SETS = frozenset({"set", "label", "annotate", "taint"})  # after which key=value is no label to look for


@dataclass(frozen=True, slots=True)
class Doing:
    """``ids``: the actions, tabs and forms (see ``offers``) that the words mean, ``rest`` what they are to be done with.
    ``whole``: the words are all there, as opposed to the beginning of some. ``verb``: the first of them.
    """

    ids: frozenset[str] = frozenset()
    rest: str = ""
    whole: bool = False
    verb: str = ""


def doing_of(q: str) -> Doing:
    """What is to be done by what was typed, and with what."""
    command = taken_apart(q)
    words = command.words
    ids, taken, whole = _meant(words, phrases())
    if not whole and _meant(words, _creations())[1] > taken:
        return Doing(
            rest=" ".join((*words, *command.scope))
        )  # something is to be created, which is not there yet
    rest = words[taken:]
    if taken and words[0].lower() in _SETS:
        rest = tuple(word for word in rest if "=" not in word and not word.endswith("-"))
    return Doing(ids, " ".join((*rest, *command.scope)), whole, words[0].lower() if taken else "")


def creating(q: str) -> tuple[list[str], str]:
    """The forms of new objects that are meant, by ``form_id``, and the name that is typed after them; none where nothing
    is to be created.
    """
    words = taken_apart(q).words
    if not words or words[0].lower() not in ("create", "apply"):
        return [], ""
    ids, taken, whole = _meant(words, _creations())
    every = (*map(form_id, all_forms()), YAML)
    if words == ("create",):
        return list(every), ""
    name = words[taken] if whole and taken < len(words) else ""
    return [each for each in every if each in ids], name


def phrases() -> Mapping[str, tuple[str, ...]]:
    """Everything that can be done with some object: id → the words for it."""
    found: dict[str, dict[str, None]] = {}
    for action in ACTIONS:
        if any(action.fits(kind) for kind in KINDS.values()):
            found.setdefault(action.name, {}).update(dict.fromkeys((action.name, *action.said)))
    for tab in TABS.values():
        found.setdefault(tab.id, {}).update(dict.fromkeys((tab.id, *tab.said)))
    for form in NEW_OBJECTS:
        if form.offered_on:
            found[offered_id(form)] = dict.fromkeys(form.said)
    return {each: tuple(words) for each, words in found.items()}


def knows(kind: Kind[Any], doing: str) -> bool:
    """Whether objects of this kind know it at all."""
    if any(action.name == doing and action.fits(kind) for action in ACTIONS):
        return True
    if any(offered_id(form) == doing and kind.plural in form.offered_on for form in NEW_OBJECTS):
        return True
    return doing in TABS and TABS[doing].fits(kind)


def offered_id(form: NewObject) -> str:
    """Names a form among what can be done with another object."""
    return f"create-{form.plural}"


def all_forms() -> list[NewObject]:
    """Those of kinds with several forms one by one."""
    return [each for form in NEW_OBJECTS for each in VARIANTS.get(form.plural, (form,))]


def form_id(form: NewObject) -> str:
    return f"{form.plural} {form.variant}".strip()


@cache
def _creations() -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {YAML: ("create", "apply")}
    for form in all_forms():
        names = form.created or (
            (form.kind.kind.lower(), f"{form.kind.kind.lower()} {form.variant}")
            if form.variant
            else sorted(names_of(form.kind))
        )
        found[form_id(form)] = tuple(f"create {name}" for name in names)
    return found


def _meant(tokens: Sequence[str], known: Mapping[str, Iterable[str]]) -> tuple[frozenset[str], int, bool]:
    """What the first words mean, as many of them as can be: the ids, how many words that are, and whether they are all
    there. Words that are there are meant rather than those that only begin so.
    """
    best: tuple[int, bool] = (0, False)
    ids: set[str] = set()
    for each, said in known.items():
        fit = max((_fit(tokens, phrase.split()) for phrase in said), default=(0, False))
        if fit > best:
            best, ids = fit, set()
        if fit == best and fit[0]:
            ids.add(each)
    return frozenset(ids), *best


def _fit(tokens: Sequence[str], phrase: Sequence[str]) -> tuple[int, bool]:
    """How many words begin a phrase, and whether they are all of it. Only the last may be the beginning of a word."""
    for at, word in enumerate(phrase):
        token = tokens[at].lower() if at < len(tokens) else ""
        if token != word:
            return (at + 1, False) if token and word.startswith(token) else (at, False)
    return len(phrase), True
