"""The objects as one user may see them: ``insight`` reads through this where its words are about other objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dashboard.insight.protocols import Objects, Versioned

from .access import Visible


class Seen:
    """Fulfils the protocol of ``insight``. A kind that is not in ``visible`` was not asked for, and is not seen."""

    def __init__(self, objects: Objects, visible: Mapping[str, Visible]) -> None:
        self._objects = objects
        self._visible = visible

    @property
    def version(self) -> str:
        """The API server's, as it said last; whoever may sign in may read it."""
        return self._objects.version if isinstance(self._objects, Versioned) else ""

    def all(self, plural: str, namespace: str | None = None) -> Sequence[Any]:
        """Every object of a kind that may be seen, in one namespace or in all."""
        chosen = frozenset({namespace}) if namespace else None
        scopes = self._scopes(plural, chosen)
        return self._objects.all(plural, namespace) if scopes == chosen else self._within(plural, scopes)

    def get(self, plural: str, namespace: str, name: str) -> Any | None:
        """The object, or None when it is not there or may not be seen."""
        chosen = frozenset({namespace}) if namespace else None
        return self._objects.get(plural, namespace, name) if self._scopes(plural, chosen) == chosen else None

    def reads(self, plural: str, namespace: str = "") -> bool:
        """Whether all objects of a kind in a namespace are known and may be seen."""
        chosen = frozenset({namespace}) if namespace else None
        return self._scopes(plural, chosen) == chosen and self._objects.reads(plural, namespace)

    def _within(self, plural: str, scopes: frozenset[str] | None) -> Sequence[Any]:
        return [obj for scope in sorted(scopes or ()) for obj in self._objects.all(plural, scope)]

    def _scopes(self, plural: str, chosen: frozenset[str] | None) -> frozenset[str] | None:
        visible = self._visible.get(plural)
        return frozenset() if visible is None else visible.within(chosen)
