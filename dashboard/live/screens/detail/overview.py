"""The first tab: what the object is and how it is, card by card."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING, Any

from dashboard import showing
from dashboard.kinds.base import Detail, Kind
from dashboard.live.snapshot import Snapshot

from .cards import cards_of
from .piece import Tab

if TYPE_CHECKING:
    from .screen import DetailScreen


class OverviewTab(Tab):
    id = "overview"
    title = "Overview"
    said = ("describe", "get", "rollout status")
    template = "tabs/overview.html"

    def __init__(self, screen: DetailScreen) -> None:
        super().__init__(screen)
        self.cards = [
            card(screen) for card in cards_of(screen.kind) if card.recorded or showing.moment() is None
        ]

    @classmethod
    def plurals_of(cls, kind: Kind[Any]) -> frozenset[str]:
        return frozenset[str]().union(*(card.plurals_of(kind) for card in cards_of(kind)))

    @classmethod
    def waits_of(cls, kind: Kind[Any]) -> frozenset[str]:
        return frozenset[str]().union(*(card.waits_of(kind) for card in cards_of(kind)))

    @property
    def key(self) -> Hashable:
        return tuple(card.key for card in self.cards)

    @property
    def of_viewer(self) -> bool:
        return any(card.of_viewer for card in self.cards)

    async def prepare(self) -> None:
        for card in self.cards:
            await card.prepare()

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        return Snapshot.joined(card.show(obj, detail) for card in self.cards)

    def context(self) -> Mapping[str, Any]:
        columns = {
            "main": [{"template": card.main, "region": card.region} for card in self.cards if card.main],
            "side": [{"template": card.side, "region": card.region} for card in self.cards if card.side],
        }
        return {key: value for card in self.cards for key, value in card.context().items()} | columns

    def open(self, changed: Callable[[], None]) -> None:
        for card in self.cards:
            card.open(changed)

    def close(self) -> None:
        for card in self.cards:
            card.close()

    def kubectl(self) -> list[str]:
        return ["describe", *self.screen.kubectl_name]
