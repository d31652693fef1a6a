"""The part of many keys that a page shows: those whose name has a text in it, a window at a time."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Self

MAX_SHOWN_KEYS = 100  # at once; a ConfigMap of 1 MiB may have a hundred thousand


@dataclass(frozen=True, slots=True)
class KeyWindow:
    """``names`` are shown, ``first`` (counted from 1) to ``last`` of the ``found`` ones; there are ``total``."""

    q: str
    names: tuple[str, ...]
    first: int
    found: int
    total: int
    page: int
    pages: int

    @classmethod
    def of(cls, names: Collection[str], asked: Mapping[str, str]) -> Self:
        """As asked for by ``q`` and ``page``; a page that is not there is the nearest that is."""
        q = asked.get("q", "").strip()[:300]
        found = [name for name in names if q.casefold() in name.casefold()] if q else list(names)
        pages = max(1, -(-len(found) // MAX_SHOWN_KEYS))
        text = asked.get("page", "1")
        page = min(pages, max(1, int(text))) if text.isascii() and text.isdigit() and len(text) < 7 else 1
        start = (page - 1) * MAX_SHOWN_KEYS
        shown = tuple(found[start : start + MAX_SHOWN_KEYS])
        return cls(q, shown, start + 1 if shown else 0, len(found), len(names), page, pages)

    @property
    def last(self) -> int:
        return self.first + len(self.names) - 1 if self.names else 0

    @property
    def previous(self) -> int:
        """The number of the page before, 0 where there is none."""
        return self.page - 1

    @property
    def next(self) -> int:
        """The number of the page behind, 0 where there is none."""
        return self.page + 1 if self.page < self.pages else 0
