"""What the loss of a node does to each pod on it, in a word: for the node's page and for the map. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from dashboard.insight.protocols import Objects
from dashboard.insight.survey import Survey

from .effects import Consequences, DataLoss, consequences
from .loss import Loss
from .pods import PodFate

MarkName = Literal["lost", "data", "down", "only", "moves", "own"]
MarkState = Literal["bad", "warn", "info", "plain"]


@dataclass(frozen=True, slots=True)
class Mark:
    """``word`` is what a pod is marked with, ``text`` what that means; ``icon`` is a name of the sprite."""

    name: MarkName
    state: MarkState
    icon: str
    word: str
    text: str


# The worst first: a pod has the first that applies.
MARKS: tuple[Mark, ...] = (
    Mark("lost", "bad", "x", "Lost", "No controller recreates it."),
    Mark("data", "bad", "bad", "Loses data", "Its volume lies on this node alone."),
    Mark("down", "warn", "wait", "Stays down", "It does not run elsewhere by itself."),
    Mark("only", "warn", "warn", "Only copy", "It is recreated elsewhere; until then no pod of its workload is ready."),
    Mark("moves", "info", "right", "Moves", "It is recreated on another node, and other pods are ready meanwhile."),
    Mark("own", "plain", "minus", "Node's own", "A DaemonSet's or static pod: it needs no other node."),
)  # fmt: skip
BY_NAME = {mark.name: mark for mark in MARKS}


@dataclass(frozen=True, slots=True)
class Marked:
    """One pod on the node."""

    fate: PodFate
    mark: Mark


@dataclass(frozen=True, slots=True)
class NodeLoss:
    """The pods, those of the worst marks first. Not ``known``: there may be more, or worse, than may be seen."""

    pods: Sequence[Marked]
    told: Consequences

    @property
    def known(self) -> bool:
        # A mark rests on owners, claims and volumes too: a pod moves, or loses its data, by what those say.
        return self.told.known and not self.told.unread

    def of(self, mark: Mark) -> list[Marked]:
        return [each for each in self.pods if each.mark is mark]


def node_loss(objects: Objects, node: str, now: datetime) -> NodeLoss:
    """What would become of each pod on a node that is lost for good."""
    told, survey = consequences(objects, [Loss("node", node)], now), Survey(objects, now)
    silent = {each.ref for each in told.workloads if each.before and not each.after}
    # What a pod writes beside its volumes goes with every pod, and is no loss of this node alone.
    lost_data = {
        name
        for each in told.data
        if each.state == "lost" and each.ref.kind != "Pod"
        for name in _places(each)
    }
    pods = []
    for each in told.pods:
        metadata = each.pod.metadata
        if each.pod.spec.node_name == node and each.ends:
            only, data = survey.owner(each.pod) in silent, (metadata.namespace, metadata.name) in lost_data
            pods.append(Marked(each, BY_NAME[_mark(each, only=only, data=data)]))
    rank = {mark: at for at, mark in enumerate(MARKS)}
    pods.sort(
        key=lambda each: (rank[each.mark], each.fate.pod.metadata.namespace, each.fate.pod.metadata.name)
    )
    return NodeLoss(pods, told)


def _places(each: DataLoss) -> Iterator[tuple[str, str]]:
    """The pods that use what is lost; a claim is in their namespace."""
    return ((each.ref.namespace, name) for name in each.pods)


def _mark(each: PodFate, *, only: bool, data: bool) -> MarkName:
    if each.own:
        return "own"
    if each.fate == "lost":
        return "lost"
    if data:
        return "data"
    if each.fate != "moves":
        return "down"
    return "only" if only else "moves"
