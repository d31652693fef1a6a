"""What people can do here, in the words of the pages, each with the rights of Kubernetes that it needs and the role from
which on it is meant for them (docs/roles.md).

All of it is told by the registries: a new kind, action or form is among it by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from dashboard.kinds import KINDS
from dashboard.kinds.base import Kind
from dashboard.kinds.catalogue import DEFINITIONS
from dashboard.kinds.configmaps import CONFIGMAPS
from dashboard.kinds.secrets import SECRETS
from dashboard.kinds.usage import NODE_METRICS, POD_METRICS
from dashboard.kinds.webhooks import WEBHOOKS
from dashboard.kube.subjectreviews import SUBJECT_REVIEWS

from .action import Part, RoleName
from .delete import EVICT
from .newobjects.registry import has_form
from .registry import actions_of
from .rights import Right, needed
from .shell import VERBS

ROLES: tuple[RoleName, ...] = ("viewer", "operator", "configurator", "administrator")
Column = Literal["see", "create", "change", "operate", "delete", "logs", "shell"]
_OF_PART: dict[Part, RoleName] = {
    "operate": "operator", "change": "configurator", "delete": "configurator", "shell": "administrator",
}  # fmt: skip
# Who may do what is shown to those who hand it out, as in Kubernetes' own roles. Whoever may list Secrets may read them.
_SEEN_BY: dict[str, RoleName] = {
    "secrets": "configurator",
    **dict.fromkeys(("roles", "rolebindings", "clusterroles", "clusterrolebindings"), "administrator"),
}
# What applications are not made of: bounds and rights that others set them, and what controllers write.
_NOT_OF_APPLICATIONS = frozenset(
    {"events", "endpointslices", "limitranges", "resourcequotas", "roles", "rolebindings"}
)


@dataclass(frozen=True, slots=True)
class Ability:
    """Something that can be done with objects of a kind; all of ``rights`` are needed for it."""

    name: str  # as in addresses: "scale"
    title: str
    kind: Kind[Any]
    column: Column
    rights: tuple[Right, ...]
    role: RoleName


@cache
def abilities() -> tuple[Ability, ...]:
    """Of Kubernetes' own kinds, in the order of the menu."""
    return tuple(ability for kind in KINDS.values() for ability in abilities_of(kind))


def abilities_of(kind: Kind[Any]) -> tuple[Ability, ...]:
    """With objects of a kind, be it a custom one."""
    return tuple(_of(kind))


def _of(kind: Kind[Any]) -> Iterator[Ability]:
    gvr, plural = kind.gvr, kind.plural
    seen_by = _SEEN_BY.get(plural, "viewer")
    yield Ability("see", "See", kind, "see", (Right("list", gvr), Right("get", gvr)), seen_by)
    if plural == "secrets":
        yield Ability("reveal", "Reveal values", kind, "see", (Right("get", gvr),), "configurator")
    if plural == "pods":
        yield Ability("logs", "Logs", kind, "logs", (Right("get", gvr, "log"),), "viewer")
        shell = tuple(Right(verb, gvr, "exec") for verb in VERBS)
        yield Ability("shell", "Shell", kind, "shell", (Right("get", gvr), *shell), "administrator")
    word = "Create" if has_form(plural) else "Create from YAML"
    made = tuple(Right(verb, gvr) for verb in ("get", "create", "patch", "delete"))
    yield Ability("create", word, kind, "create", made, _role(kind, "configurator"))
    actions = [*actions_of(kind), EVICT] if plural == "pods" else actions_of(kind)
    for action in actions:
        role = action.role or _OF_PART[action.part]
        # What is declared for nodes and the like by name is meant for who keeps them running.
        role = role if action.part == "operate" else _role(kind, role)
        yield Ability(action.name, action.title, kind, action.part, needed(action, kind), role)


def _role(kind: Kind[Any], role: RoleName) -> RoleName:
    """From which role on something that fits every kind is for people, with objects of this one."""
    of_applications = kind.gvr.namespaced and kind.plural not in _NOT_OF_APPLICATIONS
    return role if of_applications else "administrator"


# What pages show besides objects of the registered kinds, with the rights that takes and the role from which on.
_PAGES: tuple[tuple[str, tuple[Right, ...], RoleName], ...] = (
    ("usage", (Right("list", NODE_METRICS), Right("list", POD_METRICS)), "viewer"),
    (
        "definitions of custom kinds",
        (Right("list", DEFINITIONS.gvr), Right("get", DEFINITIONS.gvr)),
        "viewer",
    ),
    ("webhooks that can't be reached", tuple(Right("list", kind.gvr) for kind in WEBHOOKS), "viewer"),
    ("who can do this, checked with the API server", (Right("create", SUBJECT_REVIEWS),), "administrator"),
)


def rights_of(role: RoleName) -> dict[Right, list[str]]:
    """Every right that a role holds, each with what it is for."""
    held = ROLES[: ROLES.index(role) + 1]
    needs = [(each.title, each.rights) for each in abilities() if each.role in held]
    found: dict[Right, list[str]] = {}
    pages = [(words, rights) for words, rights, role in _PAGES if role in held]
    for words, rights in (*needs, *pages):
        for right in rights:
            found.setdefault(right, []).append(words)
            if right.verb == "list" and right.gvr in _WATCHED:
                # A page of them is kept up to date; kubectl asks for this right to do the same.
                found.setdefault(right._replace(verb="watch"), []).append(words)
    return {right: list(dict.fromkeys(words)) for right, words in found.items()}


def rights_of_the_cache() -> dict[Right, list[str]]:
    """What the dashboard needs for itself where people act as themselves: it watches what they are shown. Secrets, which
    it can be without, stand apart (``SECRETS_SEEN``).
    """
    found = {
        Right(verb, gvr): ["what lists show"]
        for gvr in _WATCHED
        if gvr != SECRETS.gvr
        for verb in ("list", "watch")
    }
    found |= {Right("list", gvr): ["usage"] for gvr in (NODE_METRICS, POD_METRICS)}
    found[Right("get", CONFIGMAPS.gvr)] = ["versions of ConfigMaps"]
    return found


SECRETS_SEEN = (Right("list", SECRETS.gvr), Right("watch", SECRETS.gvr))
_WATCHED = frozenset({DEFINITIONS.gvr, *(kind.gvr for kind in (*KINDS.values(), *WEBHOOKS))})
