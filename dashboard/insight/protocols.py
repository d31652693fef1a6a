"""What the rules read through. The cache's stores fulfil it, and so does a dictionary in a test."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, runtime_checkable


class Objects(Protocol):
    """Typed objects by the plural of their kind; empty for a kind that is unknown or not read."""

    def all(self, plural: str, namespace: str | None = None) -> Sequence[Any]:
        """Every object of a kind, in one namespace or in all of them."""

    def get(self, plural: str, namespace: str, name: str) -> Any | None:
        """One object; the namespace is "" for kinds that have none."""

    def reads(self, plural: str, namespace: str = "") -> bool:
        """Whether all objects of a kind in a namespace are known, so that one that is not here does not exist."""


@runtime_checkable
class Knows(Protocol):
    """Objects that can tell whether they are all there are."""

    def knows(self, plural: str, namespace: str) -> bool | None:
        """Whether every object of a kind in a namespace is here; None where the account may not list them."""


@runtime_checkable
class Sifted(Protocol):
    """Objects that know which pods are worth a look."""

    def unwell(self) -> Sequence[Any]:
        """Every pod for which :func:`~.pod_health.healthy` does not hold, and few others."""


@runtime_checkable
class Versioned(Protocol):
    """Objects of a cluster whose API server has told its version."""

    @property
    def version(self) -> str:
        """Such as ``v1.36.3``; "" where it was not asked yet."""


def unwell(objects: Objects) -> Sequence[Any]:
    """The pods among which are all that are not healthy."""
    return objects.unwell() if isinstance(objects, Sifted) else objects.all("pods")


def unlisted(objects: Objects, plurals: Iterable[str], namespace: str) -> tuple[str, ...]:
    """The kinds that may not be listed in a namespace, in order: about those, nothing can be said there."""
    if not isinstance(objects, Knows):
        return ()
    return tuple(sorted(plural for plural in plurals if objects.knows(plural, namespace) is None))


def unread(objects: Objects, plurals: Iterable[str], namespace: str) -> tuple[str, ...]:
    """The kinds of which it is not known what there is in a namespace, in order: that may not be listed, or have not
    been read yet. That nothing is there is said of none of them.
    """
    if not isinstance(objects, Knows):
        return ()
    return tuple(sorted(plural for plural in plurals if objects.knows(plural, namespace) is not True))
