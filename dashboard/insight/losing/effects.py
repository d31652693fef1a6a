"""What follows from the pods that end: Services without endpoints, lost quorums, broken budgets, lost data."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Literal

from dashboard.insight.durability import durability
from dashboard.insight.impact import Notice, selector_of
from dashboard.insight.pod_health import is_ready
from dashboard.insight.protocols import Objects
from dashboard.insight.restart import rollout_limits
from dashboard.insight.rollout import Workload
from dashboard.insight.scheduling.elsewhere import Filled
from dashboard.kinds.base import Ref
from dashboard.kinds.nodes import CONTROL_PLANE, Node
from dashboard.kinds.pods import Pod
from dashboard.kinds.references import reference
from dashboard.kinds.rows import listed, plural
from dashboard.kinds.statefulsets import StatefulSet

from .loss import Loss
from .pods import Fates, PodFate

# Of durability's answers: to a pod that is recreated, a lost node, a deleted claim.
_ANSWER = {"pod": 1, "preempted": 1, "node": 2, "claim": 3}
# Without all of these nobody can say that every Service keeps an endpoint.
_NEEDED = ("pods", "services", "endpointslices")
# What is read, what matters most first.
PLURALS = (
    "nodes", "pods", "services", "endpointslices", "statefulsets", "deployments", "persistentvolumeclaims",
    "persistentvolumes", "poddisruptionbudgets", "daemonsets", "replicasets", "jobs", "storageclasses", "namespaces",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ServiceLoss:
    """Ready endpoints before and right after; of an update, the fewest while it runs."""

    ref: Ref
    before: int
    after: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """One pod of a StatefulSet."""

    name: str
    node: str
    state: Literal["stays", "ends", "not ready"]


@dataclass(frozen=True, slots=True)
class WorkloadLoss:
    """Ready pods before and right after, of ``wanted``. ``quorum`` is said of a StatefulSet with claims: whether more
    than half of its members are left; "" of others, and where it had none before.
    """

    ref: Ref
    before: int
    after: int
    wanted: int
    quorum: Literal["", "kept", "lost"] = ""
    members: tuple[Member, ...] = ()

    @property
    def needed(self) -> int:
        return self.wanted // 2 + 1


@dataclass(frozen=True, slots=True)
class BudgetLoss:
    """Healthy pods before and right after, and how many the budget asks for."""

    ref: Ref
    before: int
    after: int
    desired: int

    @property
    def broken(self) -> bool:
        return self.after < self.desired


@dataclass(frozen=True, slots=True)
class DataLoss:
    """What becomes of data: ``lost``, or ``unreachable`` while what holds it is away. ``pods`` are those that use it."""

    ref: Ref
    title: str
    state: Literal["lost", "unreachable"]
    why: str
    pods: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Consequences:
    """All of it, the worst first. ``unknown`` are the losses that name nothing that is there; ``unread`` the kinds about
    which nothing can be said. Not ``known``: there may be more than this, for some of it is not there or may not be seen.
    """

    losses: tuple[Loss, ...]
    headline: Notice
    known: bool
    lost_nodes: tuple[Node, ...]
    left_nodes: tuple[Node, ...]
    pods: tuple[PodFate, ...]
    services: tuple[ServiceLoss, ...]
    workloads: tuple[WorkloadLoss, ...]
    budgets: tuple[BudgetLoss, ...]
    data: tuple[DataLoss, ...]
    filled: tuple[Filled, ...]
    running: dict[str, int]  # pods by node, before
    unknown: tuple[Loss, ...]
    unread: tuple[str, ...]


def consequences(objects: Objects, losses: Sequence[Loss], now: datetime) -> Consequences:
    """What happens when all of them are lost at once, as far as the objects tell."""
    return _Following(Fates(objects, losses, now)).told()


class _Following:
    def __init__(self, fates: Fates) -> None:
        self.fates, self.survey = fates, fates.survey
        self.ending = [each for each in fates.all if each.ends]

    def told(self) -> Consequences:
        nodes = sorted(self.fates.nodes, key=lambda node: node.metadata.name)
        lost = self.fates.lost_nodes
        return Consequences(
            losses=tuple(self.fates.losses),
            headline=self._headline(),
            known=self._known,
            lost_nodes=tuple(node for node in nodes if node.metadata.name in lost),
            left_nodes=tuple(node for node in nodes if node.metadata.name not in lost),
            pods=tuple(self.fates.all),
            services=tuple(self.services),
            workloads=tuple(self.workloads),
            budgets=tuple(self.budgets),
            data=tuple(self.data),
            filled=tuple(self.fates.filled),
            running={name: len(pods) for name, pods in self.survey.placed.on.items()},
            unknown=self.fates.missing,
            unread=tuple(each for each in PLURALS if not self.survey.objects.reads(each)),
        )

    # ---- Of updates, only as many end at once as the strategy lets go

    @cached_property
    def _at_once(self) -> dict[Ref, int]:
        """How many pods of each updated workload may be missing at any time."""
        found = {}
        for loss in self.fates.losses:
            ref = loss.ref
            workload: Workload | None = (
                self.survey.objects.get(ref.plural, ref.namespace, ref.name)
                if ref is not None and loss.what == "update"
                else None
            )
            if ref is not None and workload is not None:
                found[ref] = rollout_limits(workload)[0]
        return found

    def _missing(self, ending: Sequence[PodFate]) -> int:
        """How many of these are gone at the same time."""
        updated = Counter(self.survey.owner(each.pod) for each in ending if each.cause == "update")
        at_once = sum(min(count, self._at_once.get(owner, count)) for owner, count in updated.items())
        return at_once + sum(each.cause != "update" for each in ending)

    # ---- Services

    @cached_property
    def services(self) -> list[ServiceLoss]:
        by_name = {(each.pod.metadata.namespace, each.pod.metadata.name): each for each in self.ending}
        spaces = {space for space, _ in by_name}
        found = []
        for service in self.survey.all("services"):
            space = service.metadata.namespace
            if space not in spaces:
                continue
            ready = self.survey.endpoints(service)
            ending = [each for name in ready if (each := by_name.get((space, name))) is not None]
            if not ending:
                continue
            after = len(ready) - self._missing(ending)
            ref = reference("Service", space, service.metadata.name)
            found.append(ServiceLoss(ref, len(ready), after, _why(ending, len(ready), after)))
        return sorted(found, key=lambda each: (each.after > 0, each.after / each.before, *_place(each.ref)))

    # ---- Workloads

    @cached_property
    def workloads(self) -> list[WorkloadLoss]:
        by_owner: dict[Ref, list[PodFate]] = defaultdict(list)
        for each in self.ending:
            if each.pod.metadata.controller is not None and not each.own:
                by_owner[self.survey.owner(each.pod)].append(each)
        found = []
        for owner, ending in by_owner.items():
            pods = [pod for pod in self._pods_of[owner] if is_ready(pod)]
            gone = [each for each in ending if is_ready(each.pod)]
            found.append(self._workload(owner, pods, ending, len(pods) - self._missing(gone)))
        return sorted(found, key=lambda each: (each.quorum != "lost", each.after > 0, *_place(each.ref)))

    @cached_property
    def _pods_of(self) -> dict[Ref, list[Pod]]:
        """The pods of the namespaces in which any ends, by what they belong to."""
        found: dict[Ref, list[Pod]] = defaultdict(list)
        for space in {each.pod.metadata.namespace for each in self.ending}:
            for pod in self.survey.objects.all("pods", space):
                found[self.survey.owner(pod)].append(pod)
        return found

    def _workload(
        self, owner: Ref, ready: Sequence[Pod], ending: Sequence[PodFate], after: int
    ) -> WorkloadLoss:
        workload = self.survey.objects.get(owner.plural, owner.namespace, owner.name)
        wanted = getattr(getattr(workload, "spec", None), "replicas", None) or len(ready)
        if not isinstance(workload, StatefulSet):
            return WorkloadLoss(owner, len(ready), after, wanted)
        uids = {each.pod.metadata.uid for each in ending if each.cause != "update"}
        members = tuple(
            Member(
                pod.metadata.name,
                pod.spec.node_name,
                "ends" if pod.metadata.uid in uids else "stays" if is_ready(pod) else "not ready",
            )
            for pod in sorted(self._pods_of[owner], key=_by_number)
        )
        quorum: Literal["", "kept", "lost"] = ""
        if workload.spec.volume_claim_templates and wanted > 1 and len(ready) >= wanted // 2 + 1:
            quorum = "kept" if after >= wanted // 2 + 1 else "lost"
        return WorkloadLoss(owner, len(ready), after, wanted, quorum, members)

    # ---- Budgets

    @cached_property
    def budgets(self) -> list[BudgetLoss]:
        by_space: dict[str, list[PodFate]] = defaultdict(list)
        for each in self.ending:
            if is_ready(each.pod):
                by_space[each.pod.metadata.namespace].append(each)
        found = []
        for budget in self.survey.all("poddisruptionbudgets"):
            space, status = budget.metadata.namespace, budget.status
            selector = selector_of(budget.spec.selector)
            ending = [each for each in by_space.get(space, ()) if selector.matches(each.pod.metadata.labels)]
            if ending:
                ref = reference("PodDisruptionBudget", space, budget.metadata.name)
                after = max(0, status.current_healthy - self._missing(ending))
                found.append(BudgetLoss(ref, status.current_healthy, after, status.desired_healthy))
        return sorted(found, key=lambda each: (not each.broken, *_place(each.ref)))

    # ---- Data

    @cached_property
    def data(self) -> list[DataLoss]:
        found: dict[tuple[Ref, str], DataLoss] = {}
        for each in self.ending:
            if each.cause == "update":
                continue
            for one in self._data_of(each):
                known = found.get((one.ref, one.title))
                pods = (*known.pods, *one.pods) if known else one.pods
                found[one.ref, one.title] = DataLoss(one.ref, one.title, one.state, one.why, pods)
        for loss in self.fates.losses:
            if loss.what == "claim" and loss.ref is not None and loss not in self.fates.missing:
                users = self.survey.users.get((loss.namespace, loss.name), ())
                names = tuple(pod.metadata.name for pod in users)
                why = "The volume itself is gone: only a backup or a snapshot restores it."
                found[loss.ref, ""] = DataLoss(loss.ref, f"Claim {loss.name}", "lost", why, names)
        return sorted(found.values(), key=lambda each: (each.state != "lost", *_place(each.ref), each.title))

    def _data_of(self, each: PodFate) -> Iterator[DataLoss]:
        if each.own:  # what is on the node's own disk, as its logs, is no data of the pod that reads it
            return
        told = durability(self.survey.objects, "pods", each.pod)
        pod = reference("Pod", each.pod.metadata.namespace, each.pod.metadata.name)
        cause = "node" if each.pod.spec.node_name in self.fates.lost_nodes else each.cause
        lost_claims = {loss.ref for loss in self.fates.losses if loss.what == "claim"}
        for keeping in told.keepings if told is not None else ():
            # The files of its image, and what is made anew, are no data; a lost claim is told for itself.
            if not keeping.volume or keeping.ref in lost_claims or cause == "claim":
                continue
            answer = keeping.answers[_ANSWER[cause]]
            if answer.fate == "lost" and not (keeping.claim and self._comes_back(each, keeping.claim)):
                what = f"{keeping.title}: {keeping.what}"
                yield DataLoss(
                    keeping.ref or pod, what, "lost", answer.words or "It goes with the pod.", (pod.name,)
                )
            elif keeping.claim and cause == "node" and self._comes_back(each, keeping.claim):
                why = "No node that is left can access it; it is there again with its node or zone."
                yield DataLoss(keeping.ref or pod, keeping.title, "unreachable", why, (pod.name,))

    def _comes_back(self, each: PodFate, claim: str) -> bool:
        """Whether a volume is only out of reach: of a zone or another topology, not the disk of a lost node."""
        found = self.survey.objects.get("persistentvolumeclaims", each.pod.metadata.namespace, claim)
        volume = found and self.survey.objects.get("persistentvolumes", "", found.spec.volume_name)
        if volume is None or volume.local:
            return False
        return self.fates.reaches_none(volume)

    # ---- In one sentence

    @cached_property
    def _known(self) -> bool:
        """Whether all that is lost is there, and all may be seen that could be hit: of nodes and zones everywhere, of the
        rest in its namespace.
        """
        spaces = {loss.namespace for loss in self.fates.losses}
        reads = self.survey.objects.reads
        return not self.fates.missing and all(reads(each, space) for each in _NEEDED for space in spaces)

    def _headline(self) -> Notice:
        what = listed([loss.title for loss in self.fates.losses])
        some = len(self.fates.losses) > 1
        verb = "come together" if some else "is lost"
        if all(loss.what == "update" for loss in self.fates.losses):
            verb = "begin" if some else "begins"
        elif all(loss.what != "update" for loss in self.fates.losses) and some:
            verb = "are lost"
        down = [each for each in self.services if not each.after]
        no_quorum = [each for each in self.workloads if each.quorum == "lost"]
        lost = [each for each in self.data if each.state == "lost"]
        broken = [each for each in self.budgets if each.broken]
        worst = [
            f"{plural(len(down), 'Service')} without endpoints" if down else "",
            f"{listed([each.ref.name for each in no_quorum])} without quorum" if no_quorum else "",
            f"data of {plural(len(lost), 'volume')} gone" if lost else "",
            f"{plural(len(broken), 'budget')} broken" if broken else "",
        ]
        state: Literal["bad", "warn", "info", "ok"] = "ok"
        if down or no_quorum or lost or self._control_plane_left() is not None:
            state = "bad"
        if state == "ok" and not self._known:
            state = "info"
        if state in ("ok", "info") and (
            broken or any(each.fate in ("lost", "pending") and not each.own for each in self.ending)
        ):
            state = "warn"
        said = listed([each for each in worst if each])
        title = f"If {what} {verb}, every Service keeps an endpoint"
        if said:
            title = f"If {what} {verb}: {'' if self._known else 'at least '}{said}"
        elif not self._known:
            title = f"Not known what happens if {what} {verb}"
        return Notice(state, title, " ".join(self._sentences()))

    def _sentences(self) -> Iterator[str]:
        if (left := self._control_plane_left()) is not None:
            what = (
                "No control plane node is left"
                if not left
                else "Fewer than half of the control plane nodes are left"
            )
            why = "" if not left else ", and etcd, where it runs on them, accepts no writes"
            yield f"{what}{why}: running pods keep running, but nothing is recreated until more of them are back."
        counted = Counter(each.fate for each in self.ending if not each.own)
        words = [
            (counted["moves"], "moves", "move"),
            (counted["pending"], "does not run again", "do not run again"),
            (counted["lost"], "is lost for good", "are lost for good"),
        ]
        said = [f"{count} {one if count == 1 else many}" for count, one, many in words if count]
        if said:
            yield f"Of {plural(sum(counted.values()), 'pod')}, {listed(said)}."
        if own := sum(each.own for each in self.ending):
            yield f"{plural(own, 'pod')} of DaemonSets or static ones {'ends' if own == 1 else 'end'} with the node."
        if not self._known:
            yield self._why_unknown()
        elif not self.ending:
            yield "No pod is terminated."

    def _why_unknown(self) -> str:
        """Why there may be more than is told."""
        if not (missing := self.fates.missing):
            return "There may be more pods and Services than you may see."
        what = listed([loss.title for loss in missing])
        return f"{what[:1].upper()}{what[1:]} {'is' if len(missing) == 1 else 'are'} not there, or may not be seen."

    def _control_plane_left(self) -> int | None:
        """How many control plane nodes are left, where that is no majority of them; None where it is, or none is seen."""
        planes = {node.metadata.name for node in self.fates.nodes if CONTROL_PLANE in node.metadata.labels}
        left = len(planes - self.fates.lost_nodes)
        return left if len(planes) > left and left < len(planes) // 2 + 1 else None


def _why(ending: Sequence[PodFate], before: int, after: int) -> str:
    if after:
        return f"{plural(after, 'endpoint')} {'carries' if after == 1 else 'carry'} what {before} did."
    fates = {each.fate for each in ending}
    if fates == {"moves"}:
        where = sorted({each.node for each in ending if each.node})
        on = f" on {listed(where)}" if where else ""
        text = "Its only endpoint is lost" if before == 1 else "All its endpoints are lost at the same time"
        return (
            f"{text}; recreated{on}."
            if ending[0].cause != "update"
            else f"{text} before its successor is ready."
        )
    if fates == {"lost"}:
        return "Nothing recreates its pods."
    return next(each.why for each in ending if each.fate != "moves")


def _place(ref: Ref) -> tuple[str, str, str]:
    return ref.namespace, ref.name, ref.kind


def _by_number(pod: Pod) -> tuple[int, str]:
    number = pod.metadata.name.rpartition("-")[2]
    return int(number) if number.isdigit() else 0, pod.metadata.name
