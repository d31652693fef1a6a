"""What survives what: the data of a pod, of a workload's pods, or of a claim; and how full its volumes are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dashboard import render
from dashboard.insight.durability import EVENTS, Keeping, durability
from dashboard.kinds.base import Detail, Kind
from dashboard.kinds.quantity import format_bytes
from dashboard.live.snapshot import Snapshot
from dashboard.queries.relations import pods_of
from dashboard.queries.seenreader import SeenReader
from dashboard.queries.volumes import Fill, Fills, volume_fills

from ..piece import Card
from .part import url_of

FITS = frozenset(
    {
        "pods", "deployments", "replicasets", "statefulsets", "daemonsets", "jobs", "cronjobs",
        "persistentvolumeclaims", "persistentvolumes",
    }
)  # fmt: skip
STORAGE = frozenset({"persistentvolumeclaims", "persistentvolumes"})
WORDS = {"kept": "Kept", "bound": "It depends", "lost": "Lost", "made": "Recreated"}
ICONS = {"kept": "ok", "bound": "warn", "lost": "x", "made": "restart"}
NEARLY_FULL, FULL = 0.8, 0.95


class DurabilityCard(Card):
    main = "cards/durability.html"
    plurals = frozenset(
        {"pods", "replicasets", "persistentvolumeclaims", "persistentvolumes", "storageclasses"}
    )

    fills = Fills()

    @classmethod
    def fits(cls, kind: Kind[Any]) -> bool:
        return kind.plural in FITS

    async def prepare(self) -> None:
        obj = self.screen.newest()
        found = durability(self._seen, self.screen.kind.plural, obj)
        self.fills = Fills()
        if found is not None and any(each.claim or each.lasting for each in found.keepings):
            nodes = {pod.spec.node_name for pod in self._pods(obj)}
            self.fills = await volume_fills(self.screen.session, nodes)

    @property
    def _seen(self) -> SeenReader:
        return self.screen.session.reader

    def _pods(self, obj: Any) -> list[Any]:
        """The pods whose volumes are meant."""
        plural, seen = self.screen.kind.plural, self._seen
        if plural == "pods":
            return [obj]
        if plural not in STORAGE:
            return list(pods_of(seen, plural, obj))
        claim = obj.metadata if plural == "persistentvolumeclaims" else obj.spec.claim_ref
        if claim is None:
            return []
        return [pod for pod in seen.all("pods", claim.namespace) if any(_volumes_of(pod, claim.name))]

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        found = durability(self._seen, self.screen.kind.plural, obj)
        if found is None:
            return Snapshot(regions={"durability": render.region("durability", {"keepings": []})})
        pods = self._pods(obj)
        facts = {
            "sentence": found.sentence,
            "keepings": [self._keeping(each, pods) for each in found.keepings],
            "trouble": self.fills.trouble,
        }
        return Snapshot(regions={"durability": render.region("durability", facts)})

    def _keeping(self, each: Keeping, pods: list[Any]) -> dict[str, Any]:
        return {
            "title": each.title,
            "what": each.what,
            "where": each.where,
            "mounts": each.mounts,
            "url": url_of(self.screen, each.ref),
            "fates": [
                {
                    "event": event,
                    "fate": answer.fate,
                    "icon": ICONS[answer.fate],
                    "word": WORDS[answer.fate],
                    "words": answer.words,
                }
                for event, answer in zip(EVENTS, each.answers, strict=True)
                if answer.fate != "none"
            ],
            "fill": self._fullest(each, pods),
        }

    def _fullest(self, each: Keeping, pods: list[Any]) -> dict[str, Any] | None:
        """How full the volume is, in the pod where it is fullest."""
        found = [
            (fill, pod.metadata.name)
            for pod in pods
            for name in ([each.volume] if each.volume else _volumes_of(pod, each.claim))
            if (fill := self.fills.of.get((pod.metadata.namespace, pod.metadata.name, name))) is not None
        ]
        if not found:
            return None
        fill, pod_name = max(found, key=lambda each: each[0].share)
        return fill_words(fill) | {"pod": pod_name if len(found) > 1 else ""}


def fill_words(fill: Fill) -> dict[str, Any]:
    """How full it is in words; whole per cents, so that a few bytes are no change."""
    state = "bad" if fill.share >= FULL else "warn" if fill.share >= NEARLY_FULL else "ok"
    return {
        "percent": round(fill.share * 100),
        "used": format_bytes(fill.used),
        "capacity": format_bytes(fill.capacity),
        "state": state,
    }


def _volumes_of(pod: Any, claim: str) -> Iterator[str]:
    """The names of a pod's volumes that a claim is behind."""
    for volume in pod.spec.volumes or ():
        source = volume.persistent_volume_claim
        if (source is not None and source.claim_name == claim) or (
            volume.ephemeral is not None and f"{pod.metadata.name}-{volume.name}" == claim
        ):
            yield volume.name
