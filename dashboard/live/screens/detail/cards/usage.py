"""What an object uses against what it requests and may use: now, and over time."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from dashboard.errors import Forbidden
from dashboard.insight.ownership import controller
from dashboard.insight.usage import (
    RESOURCES,
    Size,
    Sum,
    container_size,
    ended,
    size_of,
)
from dashboard.kinds.base import Detail, Kind
from dashboard.kinds.pods import Pod
from dashboard.kinds.references import title
from dashboard.kinds.usage import PodUse
from dashboard.live.rings import Point
from dashboard.live.screens.usage import (
    NOT_BEGUN,
    ROLES,
    Meter,
    PastUsage,
    meters_part,
    state_part,
    sum_meters,
    why_empty,
)
from dashboard.live.snapshot import Snapshot
from dashboard.live.usage import Reading
from dashboard.queries.access import Visible
from dashboard.queries.prometheus import Question
from dashboard.queries.relations import pods_of
from dashboard.queries.usage import UsageRights, usage_rights
from dashboard.rights import MissingRight

from ..piece import Card

if TYPE_CHECKING:
    from ..screen import DetailScreen

OWNERS = ("deployments", "cronjobs")  # under whose name their ReplicaSets and Jobs are counted
WORKLOADS = frozenset({"deployments", "replicasets", "statefulsets", "daemonsets", "jobs", "cronjobs"})
FIRST_SECONDS = 1.0
EVERY_LINE = frozenset(ROLES)
OF_NODE = frozenset({"used", "allocatable"})  # what the node tells itself, whatever runs on it


class UsageCard(Card):
    """The part that all of them have alike: rights, sampling, history. Kinds say what they add up."""

    main = "cards/usage.html"
    recorded = False
    plurals = frozenset({"pods"})
    asks: ClassVar[tuple[str, ...]] = ("pods",)  # whose metrics it shows
    whole = ""  # what the meters' last column is called

    def __init__(self, screen: DetailScreen) -> None:
        super().__init__(screen)
        self.past = PastUsage(screen.runtime, screen.params.get("range", "1h"))
        self.rights = UsageRights()
        self._unsubscribe: Callable[[], None] | None = None

    @classmethod
    def fits(cls, kind: Kind[Any]) -> bool:
        return kind.plural in WORKLOADS

    @property
    def key(self) -> Hashable:
        return self.past.range

    async def prepare(self) -> None:
        usage = self.screen.runtime.usage
        usage.touch()
        visible: Mapping[str, Visible] = self.screen.visible
        rights = {plural: visible[plural] for plural in self.asks}
        self.rights = await usage_rights(self.screen.session, **rights)
        await usage.first(FIRST_SECONDS)
        if self.denied is None:
            screen = self.screen
            self.past.question = Question(self.past.range, screen.kind.plural, screen.namespace, screen.name)
            await self.past.prepare()

    def open(self, changed: Callable[[], None]) -> None:
        super().open(changed)
        self._unsubscribe = self.screen.runtime.usage.subscribe(changed)

    def close(self) -> None:
        super().close()
        if self._unsubscribe is not None:
            self._unsubscribe()

    @property
    def reading(self) -> Reading:
        return self.screen.runtime.usage.pods

    @property
    def denied(self) -> Forbidden | None:
        """Why what it uses may not be seen."""
        if self.rights.sees_pods_in(self._namespace):
            return None
        refusal = MissingRight("list", "pods.metrics.k8s.io", namespace=self._namespace)
        return self.rights.pods.denied or refusal

    @property
    def _namespace(self) -> str:
        return self.screen.namespace

    @property
    def _pods_known(self) -> bool:
        """Whether a pod that is not here does not exist."""
        return self.screen.session.reader.reads("pods", self._namespace)

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        denied = self.denied
        points = self.points(obj) if denied is None else ()
        regions = {
            "usage-state": state_part(self.screen.runtime, self.reading, denied),
            "usage-now": meters_part("usage-now", self.meters(obj), of=self.whole, note=self.note(obj)),
        }
        past = (
            self.past.snapshot(points, empty=why_empty(self.reading, self.empty(obj)))
            if denied is None
            else Snapshot()
        )
        return Snapshot.joined([Snapshot(regions=regions), past])

    def context(self) -> Mapping[str, Any]:
        screen = self.screen
        return {"usage_ranges": self.past.ranges(screen.url), "usage_past": self.denied is None}

    def meters(self, obj: Any) -> Sequence[Meter]:
        pods = [pod for pod in self._pods(obj) if pod.spec.node_name and not ended(pod)]
        if not pods:
            return ()
        whole = Sum()
        by_container: dict[str, Sum] = {}
        for pod in pods:
            use = self._use(pod)
            whole.add(size_of(pod.spec), use.total if use else None)
            for name, size in _containers(pod):
                container = use.containers.get(name) if use else None
                by_container.setdefault(name, Sum()).add(size, container)
        if len(by_container) == 1:
            return sum_meters("", whole)
        meters = sum_meters("All of it", whole)
        for name, each in by_container.items():
            meters += sum_meters(name, each)
        return meters

    def note(self, obj: Any) -> str:
        pods = [pod for pod in self._pods(obj) if not ended(pod)]
        unmeasured = sum(self._use(pod) is None for pod in pods)
        if not pods:
            return "No pod of it runs now." if self._pods_known else ""
        if self.reading.state != "ok" or not unmeasured or self.denied is not None:
            return ""
        return (
            f"{unmeasured} of {len(pods)} pods not measured yet: that takes about a minute from their start."
        )

    def points(self, obj: Any) -> Sequence[Point]:
        screen = self.screen
        return screen.runtime.usage.of_workloads.points((screen.kind.plural, screen.namespace, screen.name))

    def empty(self, obj: Any) -> str:
        owner, _ = controller(self.screen.session.reader, obj)
        if owner is not None and owner.plural in OWNERS:
            return f"The history is kept for the {title(owner)}, which it belongs to."
        return NOT_BEGUN

    def _pods(self, obj: Any) -> Sequence[Pod]:
        return pods_of(self.screen.session.reader, self.screen.kind.plural, obj)

    def _use(self, pod: Pod) -> PodUse | None:
        if self.denied is not None:
            return None
        return self.screen.runtime.usage.tally.pods.get(pod.metadata.uid)


class PodUsageCard(UsageCard):
    """A pod, container by container."""

    @classmethod
    def fits(cls, kind: Kind[Any]) -> bool:
        return kind.plural == "pods"

    def _pods(self, obj: Any) -> Sequence[Pod]:
        return (obj,)

    def meters(self, obj: Any) -> Sequence[Meter]:
        if ended(obj):
            return ()
        use = self._use(obj)
        containers = _containers(obj)
        meters = _meters(
            "The pod" if len(containers) > 1 else "", size_of(obj.spec), use.total if use else None
        )
        for name, size in containers if len(containers) > 1 else ():
            meters += _meters(name, size, use.containers.get(name) if use else None)
        return meters

    def note(self, obj: Any) -> str:
        if ended(obj):
            return "It has ended: it uses nothing any more."
        if self.denied is None and self.reading.state == "ok" and self._use(obj) is None:
            return "Not measured yet: that takes about a minute from its start."
        return ""

    def points(self, obj: Any) -> Sequence[Point]:
        """With what the pod requests now beside it: of a pod, that hardly ever changes."""
        size = size_of(obj.spec)
        beside = (size.cpu or None, size.memory or None, size.cpu_limit, size.memory_limit)
        usage = self.screen.runtime.usage
        return [(at, (*values, *beside)) for at, values in usage.of_pods.points(obj.metadata.uid)]

    def empty(self, obj: Any) -> str:
        if self.screen.runtime.usage.of_pods.full:
            return "This cluster has more pods than single histories are kept of: look at its workload."
        return NOT_BEGUN


class NamespaceUsageCard(UsageCard):
    """A namespace, and its quotas."""

    @classmethod
    def fits(cls, kind: Kind[Any]) -> bool:
        return kind.plural == "namespaces"

    @property
    def _namespace(self) -> str:
        return self.screen.name

    def _sum(self) -> Sum:
        seen = self.screen.visible["pods"]
        within = seen.namespaces
        if seen.denied is not None or (within is not None and self.screen.name not in within):
            return Sum()
        each = self.screen.runtime.usage.tally.namespaces.get(self.screen.name, Sum())
        return each if self.denied is None else each.unmeasured()

    def meters(self, obj: Any) -> Sequence[Meter]:
        each = self._sum()
        return sum_meters("", each) if each.pods else ()

    def note(self, obj: Any) -> str:
        each = self._sum()
        if not each.pods:
            return "No pod runs in it now." if self.denied is None and self._pods_known else ""
        return f"{each.waiting} more wait for a node." if each.waiting else ""

    def points(self, obj: Any) -> Sequence[Point]:
        return self.screen.runtime.usage.of_namespaces.points(self.screen.name)


class NodeUsageCard(UsageCard):
    """A node, and what the pods on it request."""

    plurals = frozenset({"pods", "nodes"})
    asks = ("pods", "nodes")
    whole = "Allocatable"

    @classmethod
    def fits(cls, kind: Kind[Any]) -> bool:
        return kind.plural == "nodes"

    @property
    def reading(self) -> Reading:
        return self.screen.runtime.usage.nodes

    @property
    def denied(self) -> Forbidden | None:
        if self.rights.sees_nodes:
            return None
        return self.rights.nodes.denied or MissingRight("list", "nodes.metrics.k8s.io")

    @property
    def _all_pods(self) -> bool:
        seen = self.screen.visible["pods"]
        return seen.denied is None and seen.namespaces is None

    def meters(self, obj: Any) -> Sequence[Meter]:
        tally = self.screen.runtime.usage.tally.nodes.get(self.screen.name)
        if tally is None:
            return ()
        whole = Sum.of((tally.asked,)) if self._all_pods else Sum()
        whole.measured = int(tally.use is not None and self.denied is None)
        if tally.use is not None:
            whole.cpu.used, whole.memory.used = tally.use
        return sum_meters("", whole, of=tally.of)

    def note(self, obj: Any) -> str:
        if not self._all_pods:
            return "What is requested on a node needs the right to list pods everywhere."
        tally = self.screen.runtime.usage.tally.nodes.get(self.screen.name)
        if tally is not None and tally.use is None and self.reading.state == "ok" and self.denied is None:
            return "Not measured yet: a node has figures about a minute after its first pod has started."
        return ""

    def points(self, obj: Any) -> Sequence[Point]:
        return self.screen.runtime.usage.of_nodes.points(self.screen.name)

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        self.past.shown = EVERY_LINE if self._all_pods else OF_NODE
        return super().show(obj, detail)


def _containers(pod: Pod) -> list[tuple[str, Size]]:
    """Those that run as long as the pod does: sidecars and containers."""
    sidecars = [one for one in pod.spec.init_containers or () if one.sidecar]
    return [(one.name, container_size(one)) for one in (*sidecars, *(pod.spec.containers or ()))]


def _meters(name: str, size: Size, use: Any) -> list[Meter]:
    return [
        Meter(
            name,
            resource,
            getattr(use, resource) if use is not None else None,
            getattr(size, resource),
            getattr(size, f"{resource}_limit"),
        )
        for resource in RESOURCES
    ]
