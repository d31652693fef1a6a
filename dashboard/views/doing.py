"""What somebody types to have something done, as they would type it for kubectl: ``scale web``, ``create secret tls``,
``rollout undo deploy/web``. Which words mean what, the declarations of actions, tabs and forms say (``said``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from typing import Any

from dashboard.actions.newobjects.form import NewObject
from dashboard.actions.newobjects.registry import NEW_OBJECTS, VARIANTS
from dashboard.actions.registry import ACTIONS
from dashboard.kinds import KINDS
from dashboard.kinds.base import Kind
from dashboard.live.screens.detail.tabs import TABS
from dashboard.queries.reading import names_of

YAML = "yaml"  # names the form that takes any YAML, among those of new objects
OBJECTS = ("-n", "--namespace", "-l", "--selector", "-c", "--container")  # flags that a search understands
# Flags of kubectl whose value is no object, where it does not follow a "=".
_VALUED = frozenset(
    {
        "--filename", "-p", "--patch", "--replicas", "--image", "--to-revision", "--port", "--target-port",
        "--type", "--name", "--min", "--max", "--cpu-percent", "--grace-period", "--timeout", "--tail", "--since",
        "--cert", "--key", "--from", "--schedule", "--limits", "--requests",
    }
)  # fmt: skip
_FILES = frozenset(
    {"create", "apply", "delete", "replace", "patch"}
)  # whose "-f" is a file; of logs it is alone
_SETS = frozenset({"set", "label", "annotate", "taint"})  # after which key=value is no label to look for


@dataclass(frozen=True, slots=True)
class Doing:
    """``ids``: the actions, tabs and forms (see ``offers``) that the words mean, ``rest`` what they are to be done with.
    ``whole``: the words are all there, as opposed to the beginning of some.
    """

    ids: frozenset[str] = frozenset()
    rest: str = ""
    whole: bool = False


def doing_of(q: str) -> Doing:
    """What is to be done by what was typed, and with what."""
    tokens = _tokens(q)
    ids, taken, whole = _meant(tokens, phrases())
    if not whole and _meant(tokens, _creations())[1] > taken:
        return Doing(rest=" ".join(tokens))  # something is to be created, which is not there yet
    rest = tokens[taken:]
    if taken and tokens[0].lower() in _SETS:
        rest = [token for token in rest if "=" not in token]
    return Doing(ids, " ".join(rest), whole)


def creating(q: str) -> tuple[list[str], str]:
    """The forms of new objects that are meant, by ``form_id``, and the name that is typed after them; none where nothing
    is to be created.
    """
    tokens = _tokens(q)
    if not tokens or tokens[0].lower() not in ("create", "apply"):
        return [], ""
    ids, taken, whole = _meant(tokens, _creations())
    every = (*map(form_id, all_forms()), YAML)
    if tokens == ["create"]:
        return list(every), ""
    name = tokens[taken] if whole and taken < len(tokens) else ""
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


def _tokens(q: str) -> list[str]:
    """The words, without kubectl itself, its flags that say nothing of objects, and what is run in a container."""
    tokens = list(takewhile(lambda word: word != "--", q.split()))
    if len(tokens) > 1 and tokens[0].lower() in ("kubectl", "k"):
        tokens = tokens[1:]
    valued = _VALUED | ({"-f"} if tokens and tokens[0].lower() in _FILES else frozenset())
    kept, rest = [], iter(tokens)
    for word in rest:
        if word in valued:
            next(rest, None)
        elif not word.startswith("-") or word.partition("=")[0] in OBJECTS:
            kept.append(word)
    return kept


def _meant(tokens: list[str], known: Mapping[str, Iterable[str]]) -> tuple[frozenset[str], int, bool]:
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


def _fit(tokens: list[str], phrase: list[str]) -> tuple[int, bool]:
    """How many words begin a phrase, and whether they are all of it. Only the last may be the beginning of a word."""
    for at, word in enumerate(phrase):
        token = tokens[at].lower() if at < len(tokens) else ""
        if token != word:
            return (at + 1, False) if token and word.startswith(token) else (at, False)
    return len(phrase), True
