"""The cache as one user may see it: rules that read through this cannot tell what the user may not list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dashboard.kinds import KINDS

from .access import Visible
from .reader import Reader
from .relations import Sight


@dataclass(frozen=True)
class Seen:
    """Fulfils the protocol through which ``insight`` reads."""

    reader: Reader
    visible: Mapping[str, Visible]

    def all(self, plural: str, namespace: str | None = None) -> Sequence[Any]:
        """Every object of a kind that the user may list, in one namespace or in all."""
        if plural not in KINDS or plural not in self.visible:
            return []
        chosen = frozenset({namespace}) if namespace else None
        if not KINDS[plural].gvr.namespaced:
            chosen = None
        return self.reader.cache.store(plural).values(self.visible[plural].within(chosen))

    def get(self, plural: str, namespace: str, name: str) -> Any | None:
        """One object, where the user may list it."""
        return (
            self.reader.get(plural, namespace, name) if Sight(self.visible).all(plural, namespace) else None
        )
