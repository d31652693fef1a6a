"""The objects as one user may see them: ``insight`` reads through this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dashboard.insight.protocols import Objects, Versioned, unwell

from .access import Visible


class Seen:
    """Fulfils the protocol of ``insight``. A kind that is not in ``visible`` was not asked for, and is not seen."""

    def __init__(self, objects: Objects, visible: Mapping[str, Visible]) -> None:
        self._objects = objects
        self.visible = visible

    @property
    def version(self) -> str:
        """The API server's, as it said last; whoever may sign in may read it."""
        return self._objects.version if isinstance(self._objects, Versioned) else ""

    def all(self, plural: str, namespace: str | None = None) -> Sequence[Any]:
        """Every object of a kind that may be seen, in one namespace or in all."""
        chosen = frozenset({namespace}) if namespace else None
        scopes = self.within(plural, chosen)
        return self._objects.all(plural, namespace) if scopes == chosen else self._of(plural, scopes)

    def unwell(self) -> Sequence[Any]:
        """Those of the pods that may be seen."""
        scopes, found = self.within("pods"), unwell(self._objects)
        return found if scopes is None else [pod for pod in found if pod.metadata.namespace in scopes]

    def get(self, plural: str, namespace: str, name: str) -> Any | None:
        """The object, or None when it is not there or may not be seen."""
        return self._objects.get(plural, namespace, name) if self.sees(plural, namespace) else None

    def reads(self, plural: str, namespace: str = "") -> bool:
        """Whether all objects of a kind in a namespace are known and may be seen."""
        return self.sees(plural, namespace) and self._objects.reads(plural, namespace)

    def sees(self, plural: str, namespace: str = "") -> bool:
        """Whether the user may list a kind in a namespace ("": in the whole cluster)."""
        chosen = frozenset({namespace}) if namespace else None
        return self.within(plural, chosen) == chosen

    def within(self, plural: str, chosen: frozenset[str] | None = None) -> frozenset[str] | None:
        """Of the chosen namespaces (None: all) those in which the user may list a kind."""
        visible = self.visible.get(plural)
        return frozenset() if visible is None else visible.within(chosen)

    def _of(self, plural: str, scopes: frozenset[str] | None) -> Sequence[Any]:
        return [obj for scope in sorted(scopes or ()) for obj in self._objects.all(plural, scope)]
