"""The quotas of a namespace: how much of each is used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dashboard import render
from dashboard.kinds.base import Detail, Kind
from dashboard.kinds.quantity import QuantityError, parse
from dashboard.kinds.units import percent
from dashboard.live.screens.common import not_told, object_url
from dashboard.live.snapshot import Snapshot

from ..piece import Card

NEARLY = 0.9


class QuotasCard(Card):
    main = "cards/quotas.html"
    plurals = frozenset({"resourcequotas"})

    @classmethod
    def fits(cls, kind: Kind[Any]) -> bool:
        return kind.plural == "namespaces"

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        return Snapshot(regions={"quotas": render.region("quotas", self._facts())})

    def _facts(self) -> dict[str, Any]:
        return {"rows": list(self._rows()), "unknown": not_told(self.screen.session, ("resourcequotas",))}

    def _rows(self) -> Iterator[dict[str, Any]]:
        screen = self.screen
        namespace = screen.name
        quotas = screen.session.reader.all("resourcequotas", namespace)
        for quota in sorted(quotas, key=lambda each: each.metadata.name):
            for resource, hard in sorted(quota.status.hard.items()):
                used = quota.status.used.get(resource, "0")
                share = _share(used, hard)
                yield {
                    "quota": quota.metadata.name,
                    "url": object_url(screen.runtime, "resourcequotas", namespace, quota.metadata.name),
                    "resource": resource,
                    "used": used,
                    "hard": hard,
                    "share": percent(share, 1.0),
                    "state": "warn" if share >= NEARLY else "ok",
                    "bar": {"used": round(min(100.0, 100 * share), 1), "requested": 0, "limit": None},
                }


def _share(used: str, hard: str) -> float:
    try:
        whole = parse(hard)
        return float(parse(used) / whole) if whole else 0.0
    except QuantityError:
        return 0.0
