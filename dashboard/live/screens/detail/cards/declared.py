"""Cards that plugins declare (docs/plugins.md): a template over plain facts, in the frame that all cards have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from dashboard import render
from dashboard.guard import Guard
from dashboard.kinds import declared
from dashboard.kinds.base import Detail, Kind
from dashboard.live.screens.declared import Showing, plugin_part
from dashboard.live.snapshot import Snapshot

from ..piece import Card


@dataclass(frozen=True, kw_only=True)
class DeclaredCard:
    """A card on the pages of these ``kinds``, by their keys (``pods``, ``backups.example.com``). ``facts`` makes what the
    template shows from the typed object and what its viewer may see of the kinds it ``reads``; it is made anew with every
    change of those, and sent when its ``repr`` differs: dicts, tuples, texts, numbers and moments. ``name``: lower-case
    letters, digits and hyphens; ``side``: in the narrow column.
    """

    name: str
    title: str
    kinds: frozenset[str]
    template: str
    facts: Callable[[Any, Showing], Mapping[str, Any]]
    reads: frozenset[str] = frozenset()
    side: bool = False


class PluginCard(Card):
    """A declared card on a page: made for each declaration by ``card_of``."""

    declared: ClassVar[DeclaredCard]
    guard: ClassVar[Guard]

    @classmethod
    def fits(cls, kind: Kind[Any]) -> bool:
        return kind.plural in cls.declared.kinds

    @classmethod
    def waits_of(cls, kind: Kind[Any]) -> frozenset[str]:
        return frozenset()

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        return Snapshot(regions={self.region: self._part(obj)})

    def _part(self, obj: Any) -> render.Part:
        card = self.declared
        showing = Showing.of(self.screen.session, {})
        return plugin_part(
            self.guard,
            self.region,
            card.title,
            card.template,
            lambda: card.facts(obj, showing) if self._typed(obj) else None,
        )

    def _typed(self, obj: Any) -> bool:
        """Whether the object is what the plugin knows: in another version of its API it is a row of a Table, and of one
        that was deleted while nobody looked little is known.
        """
        kind = declared(self.screen.kind.plural) or self.screen.kind
        return isinstance(obj, kind.type)


def card_of(card: DeclaredCard, guard: Guard) -> type[PluginCard]:
    """The card of a declaration."""
    members = {
        "declared": card,
        "guard": guard,
        "plurals": card.reads,
        "region": f"plugin-{guard.plugin}-{card.name}",
        "side" if card.side else "main": "cards/plugin.html",
    }
    return type(f"Card_{guard.plugin}_{card.name}", (PluginCard,), members)
