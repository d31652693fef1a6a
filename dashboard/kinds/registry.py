"""The one list of kinds. A new kind is a module and a line here."""

from __future__ import annotations

from typing import Any

from .base import Kind
from .pods import PODS

_ALL: tuple[Kind[Any], ...] = (PODS,)

KINDS: dict[str, Kind[Any]] = {kind.plural: kind for kind in _ALL}

# In the order of the menu: section title, its kinds.
SECTIONS: tuple[tuple[str, tuple[Kind[Any], ...]], ...] = tuple(
    (section, tuple(kind for kind in _ALL if kind.section == section))
    for section in dict.fromkeys(kind.section for kind in _ALL)
)

_BY_KIND = {kind.kind: kind for kind in _ALL}


def by_kind(kind: str) -> Kind[Any] | None:
    """The registered kind of that name (``Pod``), or None."""
    return _BY_KIND.get(kind)
