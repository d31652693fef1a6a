"""What of the map is asked for: applications with an object of some name, kind and state, or by their own name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from django.http import QueryDict

from dashboard.errors import BadInput
from dashboard.insight.topology import CONFIGURATION, WORKLOADS, App
from dashboard.insight.usedby import ref_of
from dashboard.kinds import KINDS
from dashboard.kinds.base import Ref, State
from dashboard.queries.bounds import text_of, words_of
from dashboard.queries.lists import RANK, STATES

from .boxes import Boxes

FILTERED = ("ingresses", "services", *WORKLOADS, "pods", *CONFIGURATION, "nodes")
# By what people call an application: https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/
LABELS = ("app.kubernetes.io/part-of", "app.kubernetes.io/instance", "app.kubernetes.io/name", "app")


@dataclass(frozen=True)
class MapFilter:
    """The filter of an address. An application fits by one of its objects: by its name and its kind, and by its state."""

    q: str = ""
    kind: str = ""
    state: str = ""
    app: str = ""

    @classmethod
    def read(cls, params: QueryDict) -> MapFilter:
        """From an address. Raises BadInput for a kind or state that cannot be."""
        kind, state = params.get("kind", ""), params.get("state", "")
        if kind and kind not in FILTERED:
            raise BadInput(f"kind is {kind[:40]!r}: enter one of {', '.join(FILTERED)}.", field="kind")
        if state and state not in STATES:
            raise BadInput(f"state is {state[:40]!r}: enter one of {', '.join(STATES)}.", field="state")
        return cls(q=words_of(params, "q"), kind=kind, state=state, app=text_of(params, "app"))

    def __bool__(self) -> bool:
        return self != MapFilter()

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The filter as it stands in an address."""
        return [(key, text) for key in ("q", "kind", "app", "state") if (text := getattr(self, key))]

    @property
    def picks(self) -> bool:
        """Whether it asks for single objects, which the map then marks."""
        return bool(self.q or self.kind)

    def fitting(self, boxes: Boxes, app: App) -> State | None:
        """The worst state among the objects that fit by name and kind; None where none does."""
        if self.app and not any(self.app.lower() in name.lower() for name in names(app)):
            return None
        if not self.picks:
            return boxes.state(app)
        return min((judge() for _, judge in self._objects(boxes, app)), key=RANK.__getitem__, default=None)

    def marked(self, boxes: Boxes, app: App) -> Iterator[Ref]:
        """The boxes of what was asked for; that of a pod is its workload's."""
        if self.picks:
            wanted = STATES.get(self.state)
            yield from (
                box for box, judge in self._objects(boxes, app) if wanted is None or judge() in wanted
            )

    def _objects(self, boxes: Boxes, app: App) -> Iterator[tuple[Ref, Callable[[], State]]]:
        """The objects that fit by name and kind: the box that each is in, and its state."""
        words = self.q.lower().split()

        def fits(ref: Ref) -> bool:
            if self.kind and ref.plural != self.kind:
                return False
            return all(word in ref.name.lower() for word in words)

        own = (*app.ingresses, *app.services, *app.reads, *(one.ref for one in app.workloads))
        for ref in filter(fits, dict.fromkeys((*own, *app.nodes))):
            yield ref, lambda ref=ref: boxes.judge(ref)[0]  # type: ignore[misc]
        for one in app.workloads:
            for pod in one.pods:
                if one.ref.plural != "pods" and fits(ref_of("pods", pod)):
                    yield one.ref, lambda pod=pod: boxes.seen.row("pods", pod).state  # type: ignore[misc]


def names(app: App) -> set[str]:
    """What people may call an application: the name of its first object, and what its pods' labels say."""
    labels: list[Mapping[str, str]] = list(
        {id(pod.metadata.labels): pod.metadata.labels for one in app.workloads for pod in one.pods}.values()
    )
    return {app.first.name} | {each[key] for each in labels for key in LABELS if each.get(key)}


def kinds() -> list[tuple[str, str]]:
    """The kinds that can be asked for, with their words."""
    return [(plural, KINDS[plural].title) for plural in FILTERED]
