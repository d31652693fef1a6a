"""What the rules read through. The cache's stores fulfil it, and so does a dictionary in a test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class Objects(Protocol):
    """Typed objects by the plural of their kind; empty for a kind that is unknown or not read."""

    def all(self, plural: str, namespace: str | None = None) -> Sequence[Any]:
        """Every object of a kind, in one namespace or in all of them."""

    def get(self, plural: str, namespace: str, name: str) -> Any | None:
        """One object; the namespace is "" for kinds that have none."""

    def reads(self, plural: str, namespace: str = "") -> bool:
        """Whether all objects of a kind in a namespace are known, so that one that is not here does not exist."""
