"""What is free on paper, yet in pieces that are too small; and which nodes could go, since their pods fit elsewhere."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from statistics import median

from dashboard.insight.capacity import Amounts, amounts, in_words, pod_amounts, template_of
from dashboard.insight.deletion import asks_budgets, budget_lets_go
from dashboard.insight.draining import ENDED, DrainOptions, drain_verdict
from dashboard.insight.impact import selector_of
from dashboard.insight.protocols import Objects
from dashboard.insight.scheduling.elsewhere import Elsewhere
from dashboard.insight.scheduling.nodes import takes
from dashboard.insight.scheduling.room import asked_on_nodes
from dashboard.insight.survey import Survey
from dashboard.kinds.meta import condition_true
from dashboard.kinds.nodes import CONTROL_PLANE, Node
from dashboard.kinds.poddisruptionbudgets import PodDisruptionBudget
from dashboard.kinds.pods import Pod
from dashboard.kinds.podspec import PodSpec
from dashboard.kinds.references import meant
from dashboard.kinds.rows import listed
from dashboard.kinds.selectors import Selector

CANDIDATES = 12  # nodes, the emptiest, of which it is tried whether they could go; docs/limits.md
# What is read for it.
PLURALS = (
    "nodes", "pods", "poddisruptionbudgets", "persistentvolumeclaims", "persistentvolumes", "namespaces", "daemonsets",
)  # fmt: skip
RESOURCES = ("cpu", "memory")
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Fragmentation:
    """``size`` is that of a usual pod, in words; ``on_paper`` of them fit into what is free together, ``really``
    into what is free on single nodes. ``largest`` is the most that one pod may still request, in words.
    """

    size: str
    on_paper: int
    really: int
    nodes: int
    largest: str


@dataclass(frozen=True, slots=True)
class Spare:
    """Nodes that could go together, and of others why they can't. ``moves``: how many pods that would move; ``scratch``
    of them have data in emptyDir volumes, which is lost. ``after`` is the share of CPU and memory that is requested then
    on the nodes that are left, 0–1; ``tried`` how many nodes were.
    """

    nodes: tuple[str, ...]
    moves: int
    scratch: int
    after: tuple[float, float]
    kept: tuple[tuple[str, str], ...]
    tried: int
    total: int


class Pieces:
    """The nodes that take pods, with what is free on them."""

    def __init__(self, objects: Objects, now: datetime) -> None:
        self.objects, self.survey = objects, Survey(objects, now)
        self.nodes: Sequence[Node] = [
            node
            for node in self.survey.all("nodes")
            if condition_true(node.status.conditions or (), "Ready") and not node.spec.unschedulable
        ]
        self.pods_on: dict[str, list[Pod]] = defaultdict(list)
        for pod in self.survey.all("pods"):
            if pod.spec.node_name and pod.status.phase not in ENDED:
                self.pods_on[pod.spec.node_name].append(pod)

    @cached_property
    def given(self) -> dict[str, Amounts]:
        return {node.metadata.name: amounts(node.status.allocatable) for node in self.nodes}

    @cached_property
    def free(self) -> dict[str, Amounts]:
        taken = asked_on_nodes(self.survey.all("pods"))
        return {
            name: {
                key: max(ZERO, amount - taken.get(name, {}).get(key, ZERO)) for key, amount in each.items()
            }
            for name, each in self.given.items()
        }

    # ---- In pieces

    def fragmentation(self) -> Fragmentation | None:
        """None where no pod requests anything, or no node takes any pod."""
        size = self._usual()
        open_ = [node.metadata.name for node in self.nodes if takes(node, PodSpec())]
        if not size or not open_:
            return None
        free = [self.free[name] for name in open_]
        each = [*size.items(), ("pods", Decimal(1))]
        together = {key: sum((one.get(key, ZERO) for one in free), ZERO) for key, _ in each}
        really = [min(int(one.get(key, ZERO) // amount) for key, amount in each) for one in free]
        with_room = [one for one in free if one.get("pods", ZERO) >= 1]
        best = max(with_room, key=lambda one: tuple(one.get(key, ZERO) for key in RESOURCES), default={})
        return Fragmentation(
            in_words(size),
            min(int(together[key] // amount) for key, amount in each),
            sum(really),
            sum(count > 0 for count in really),
            in_words({key: best.get(key, ZERO) for key in RESOURCES}),
        )

    def _usual(self) -> Amounts:
        """The median of what the pods request that are no DaemonSet's, which run on every node anyway."""
        sizes: dict[tuple[int, ...], Amounts] = {}
        found: dict[str, list[Decimal]] = defaultdict(list)
        for pod in (pod for pods in self.pods_on.values() for pod in pods):
            owner = pod.metadata.controller
            if owner is None or meant(owner, pod.metadata.namespace).plural in ("daemonsets", "nodes"):
                continue
            key = template_of(pod.spec)
            size = sizes.get(key)
            if size is None:
                size = sizes[key] = pod_amounts(pod.spec)
            for resource in RESOURCES:
                if amount := size.get(resource):
                    found[resource].append(amount)
        return {resource: Decimal(median(amounts_)) for resource, amounts_ in found.items()}

    # ---- Nodes that could go

    def spare(self) -> Spare:
        """The emptiest first, each together with those before it; a node of the control plane stays."""
        workers = [node for node in self.nodes if CONTROL_PLANE not in node.metadata.labels]
        order = sorted(workers, key=lambda node: (self._fullness(node.metadata.name), node.metadata.name))
        gone: list[str] = []
        moving: list[Pod] = []
        kept: list[tuple[str, str]] = []
        for node in order[:CANDIDATES]:
            name = node.metadata.name
            mine = [pod for pod in self.pods_on[name] if self._moves(pod)]
            why = next(self._held(name), "") or self._crowded([*gone, name], [*moving, *mine])
            if why:
                kept.append((name, why))
            else:
                gone.append(name)
                moving += mine
        left = [name for name in self.given if name not in gone]
        scratch = sum(any(one.empty_dir is not None for one in pod.spec.volumes or ()) for pod in moving)
        tried = min(len(order), CANDIDATES)
        return Spare(
            tuple(gone), len(moving), scratch, self._after(left, moving), tuple(kept), tried, len(workers)
        )

    def _moves(self, pod: Pod) -> bool:
        return drain_verdict(self.objects, pod, DrainOptions(delete_emptydir=True)).fate == "evict"

    def _held(self, name: str) -> Iterator[str]:
        """Why a drain would not empty a node."""
        for pod in self.pods_on[name]:
            verdict = drain_verdict(self.objects, pod, DrainOptions(delete_emptydir=True))
            if verdict.fate == "refuse":
                yield f"pod {pod.metadata.name}: {verdict.why}"
            elif verdict.fate == "evict" and asks_budgets(pod):
                budgets = self._budgets[pod.metadata.namespace]
                over = [budget for selector, budget in budgets if selector.matches(pod.metadata.labels)]
                if len(over) > 1:  # the Eviction API refuses to choose
                    names = listed([each.metadata.name for each in over])
                    yield f"budgets {names} cover pod {pod.metadata.name}: its eviction is refused."
                for budget in over:
                    if not budget.status.disruptions_allowed and not budget_lets_go(budget, pod):
                        yield f"budget {budget.metadata.name} allows 0 disruptions now."

    @cached_property
    def _budgets(self) -> Mapping[str, list[tuple[Selector, PodDisruptionBudget]]]:
        found: dict[str, list[tuple[Selector, PodDisruptionBudget]]] = defaultdict(list)
        for budget in self.survey.all("poddisruptionbudgets"):
            found[budget.metadata.namespace].append((selector_of(budget.spec.selector), budget))
        return found

    def _crowded(self, without: Sequence[str], moving: Sequence[Pod]) -> str:
        """Why the pods do not all fit on the other nodes; "" where they do."""
        rest = [node for node in self.nodes if node.metadata.name not in without]
        if not rest:
            return "no other node would be left."
        elsewhere = Elsewhere(self.survey, rest, moving)
        places = elsewhere.places()
        homeless = next((pod for pod in moving if not places[pod.metadata.uid]), None)
        if homeless is None:
            return ""
        return f"pod {homeless.metadata.name}: {elsewhere.why_nowhere(homeless)}"

    def _fullness(self, name: str) -> float:
        given, free = self.given[name], self.free[name]
        return max((float(1 - free[key] / given[key]) for key in RESOURCES if given.get(key)), default=0.0)

    def _after(self, left: Sequence[str], moving: Sequence[Pod]) -> tuple[float, float]:
        more = [pod_amounts(pod.spec) for pod in moving]

        def share(resource: str) -> float:
            given = sum((self.given[name].get(resource, ZERO) for name in left), ZERO)
            free = sum((self.free[name].get(resource, ZERO) for name in left), ZERO)
            asked = sum((each.get(resource, ZERO) for each in more), ZERO)
            return float((given - free + asked) / given) if given else 0.0

        return share("cpu"), share("memory")
