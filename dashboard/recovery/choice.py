"""What somebody wants restored, and how: read from a form, or from a command line. The rest is not written.

An archive may have been made by anybody. So whatever reaches beyond the chosen namespaces (roles and definitions of the
whole cluster, webhooks, everything in ``kube-system``) is written only where its kind, or that namespace, was named.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from dashboard.errors import BadInput
from dashboard.kinds.selectors import Selector, SelectorError, parse

from .mapping import read_maps
from .order import Placed

Conflict = Literal["leave", "update", "refuse"]
CONFLICTS: tuple[Conflict, ...] = get_args(Conflict)
MAX_ONLY = 200  # kinds and names that are asked for

# Whose objects belong to the cluster itself.
SYSTEM = frozenset({"kube-system", "kube-public", "kube-node-lease"})
_ONLY = re.compile(r"[a-z0-9.-]+(/[^/\s]+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """``namespaces`` of the backup (none: all but those of the system), ``only`` kinds or ``kind/name``, ``labels`` as
    typed, ``maps`` of namespaces, what is done with an object that exists and differs (``conflict``, and ``each`` for
    single ones by ``key_of``), and the ``cluster_kinds`` (``plural`` or ``plural.group``) that are written besides.
    """

    namespaces: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    labels: str = ""
    maps: Mapping[str, str] = field(default_factory=dict)
    conflict: Conflict = "leave"
    each: Mapping[str, Conflict] = field(default_factory=dict)
    cluster_kinds: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON, to be kept with the operation."""
        return {
            "namespaces": list(self.namespaces),
            "only": list(self.only),
            "labels": self.labels,
            "maps": dict(self.maps),
            "conflict": self.conflict,
            "each": dict(self.each),
            "cluster_kinds": list(self.cluster_kinds),
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Choice:
        """What ``to_json`` gave."""
        return cls(
            namespaces=tuple(kept["namespaces"]),
            only=tuple(kept["only"]),
            labels=kept["labels"],
            maps=kept["maps"],
            conflict=kept["conflict"],
            each=kept["each"],
            cluster_kinds=tuple(kept["cluster_kinds"]),
        )

    def conflict_of(self, key: str) -> Conflict:
        """What is done with one object that exists and differs."""
        return self.each.get(key, self.conflict)

    def into(self, namespace: str) -> str:
        """Where what is in a namespace of the backup goes."""
        return self.maps.get(namespace, namespace)


def read_choice(
    *,
    namespaces: Iterable[str] = (),
    only: Iterable[str] = (),
    labels: str = "",
    maps: Iterable[str] = (),
    conflict: str = "",
    each: Mapping[str, str] | None = None,
    cluster_kinds: Iterable[str] = (),
) -> Choice:
    """What was typed. Raises BadInput with the field's name."""
    if conflict not in ("", *CONFLICTS):
        raise BadInput(f"conflict is {conflict[:40]!r}: say leave, update or refuse.", field="conflict")
    wanted = tuple(dict.fromkeys(text for each_text in only for text in each_text.replace(",", " ").split()))
    for text in wanted:
        if not _ONLY.fullmatch(text):
            raise BadInput(f"{text[:130]!r} is not a kind or KIND/NAME such as configmaps/web.", field="only")
    if len(wanted) > MAX_ONLY:
        raise BadInput(f"More than {MAX_ONLY} kinds and names: use a label selector.", field="only")
    try:
        parse(labels)
    except SelectorError as error:
        raise BadInput(str(error), field="labels") from error
    single: dict[str, Conflict] = {}
    for key, said in (each or {}).items():
        if said in ("leave", "update") and said != (
            conflict or "leave"
        ):  # the others say nothing of their own
            single[key] = "leave" if said == "leave" else "update"
    return Choice(
        namespaces=tuple(dict.fromkeys(filter(None, namespaces))),
        only=wanted,
        labels=labels.strip(),
        maps=read_maps(maps),
        conflict=next((one for one in CONFLICTS if one == conflict), "leave"),
        each=single,
        cluster_kinds=tuple(dict.fromkeys(filter(None, cluster_kinds))),
    )


# Names of namespaces that would be read as a word of the sentence that they stand in.
_WORDS = frozenset({"all", "any", "cluster", "everything", "new", "none"})


def named(namespaces: Iterable[str]) -> list[str]:
    """Namespaces for a sentence: "shop", but "namespace all"."""
    return [f"namespace {each}" if each in _WORDS else each for each in namespaces]


def kind_key(group: str, plural: str) -> str:
    """``deployments.apps``, or the plural in the core group."""
    return f"{plural}.{group}" if group else plural


def key_of(one: Placed) -> str:
    """Names an object of a backup: ``deployments.apps/shop/web``, ``-`` for what is in no namespace."""
    return f"{kind_key(one.group, one.plural)}/{one.namespace or '-'}/{one.name}"


class Chosen:
    """A choice, ready to be asked of each object."""

    def __init__(self, choice: Choice) -> None:
        self.choice = choice
        self._selector: Selector = parse(choice.labels)

    def asks_for(self, one: Placed, kind: str, labels: Mapping[str, str]) -> bool:
        """Whether an object belongs to what was chosen at all; of what does not, nothing is said."""
        choice = self.choice
        home = one.namespace or (one.name if (one.group, one.plural) == ("", "namespaces") else "")
        if home and choice.namespaces and home not in choice.namespaces:
            return False
        if not home and choice.namespaces and not self._names_kind(one):
            return False
        names = {each.lower() for each in (one.plural, kind_key(one.group, one.plural), kind)}
        if choice.only and not any(self._named(text, names, one.name) for text in choice.only):
            return False
        return self._selector.matches(labels)

    def _names_kind(self, one: Placed) -> bool:
        """Whether objects of the whole cluster of this kind were named."""
        return not {one.plural, kind_key(one.group, one.plural)}.isdisjoint(self.choice.cluster_kinds)

    @staticmethod
    def _named(text: str, names: set[str], name: str) -> bool:
        kind, slash, wanted = text.partition("/")
        return kind.lower() in names and (not slash or wanted == name)

    def refused(self, one: Placed) -> str:
        """Why an object that was chosen is not written all the same, as a sentence; "" for one that is."""
        choice = self.choice
        key = kind_key(one.group, one.plural)
        if (one.group, one.plural) == ("", "namespaces"):
            if one.name in SYSTEM:
                return "It belongs to the cluster itself."
            return ""
        if not one.namespace and not self._names_kind(one):
            return f"It is cluster-scoped: choose {key} to write such objects."
        if one.namespace in SYSTEM and one.namespace not in choice.namespaces:
            return f"{one.namespace} belongs to the cluster itself: choose that namespace to write into it."
        return ""
