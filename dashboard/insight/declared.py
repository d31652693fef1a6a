"""Rules that plugins declare (docs/plugins.md); they run after all others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .finding import Finding, Known
from .observed import Observed

Rule = Callable[[Observed, Known], Iterator[Finding]]


@dataclass(frozen=True, kw_only=True)
class DeclaredRule:
    """``names``: the ``rule`` of each finding is one of these, and they begin with the plugin's name and a hyphen.
    ``find`` is run in a thread, over what one person may see, whenever something of it has changed: it must be quick,
    and read nothing but what it is given. ``reads``: the kinds it reads by their key (``backups.example.com``), besides
    those that the dashboard's own rules read (``findings.READ``).
    """

    names: frozenset[str]
    find: Rule
    reads: frozenset[str] = frozenset()


DECLARED: list[DeclaredRule] = []


def declared_reads() -> frozenset[str]:
    """The kinds that plugins' rules read besides; of those, a cluster need not offer any."""
    return frozenset[str]().union(*(each.reads for each in DECLARED))
