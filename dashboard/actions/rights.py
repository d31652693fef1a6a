"""Which rights of Kubernetes each action needs, from its form to its undo, told by its declaration."""

from __future__ import annotations

from typing import Any, NamedTuple

from dashboard.kinds.base import GVR, Kind

from .action import Action, Target


class Right(NamedTuple):
    """One verb on one resource, as a rule of RBAC grants it."""

    verb: str
    gvr: GVR
    subresource: str = ""

    @property
    def resource(self) -> str:
        """As rules name it: ``pods/log``."""
        return f"{self.gvr.plural}/{self.subresource}" if self.subresource else self.gvr.plural

    @property
    def full(self) -> str:
        """The same with its API group: ``deployments.apps/scale``."""
        group = f".{self.gvr.group}" if self.gvr.group else ""
        return f"{self.gvr.plural}{group}{'/' if self.subresource else ''}{self.subresource}"

    def __str__(self) -> str:
        return f"{self.verb} {self.full}"


def needed(action: Action, kind: Kind[Any]) -> tuple[Right, ...]:
    """The rights on objects of a kind without which an action, or its undo, can't be carried out. What else its preview
    tells from is left out where it may not be read.
    """
    written = action.subject(Target.of("", kind, "namespace", "name"))
    found = [Right("get", kind.gvr, action.source(Target.of("", kind, "namespace", "name")))]
    verb, subresource = action.rights[0]  # the others do it in another way, which is an ability of its own
    found.append(Right(verb, written.gvr, subresource))
    if action.undo_verb:
        found += [Right("get", written.gvr), Right(action.undo_verb, written.gvr)]
    found += [Right(verb, gvr, subresource) for verb, gvr, subresource in action.besides(kind)]
    return tuple(dict.fromkeys(found))
