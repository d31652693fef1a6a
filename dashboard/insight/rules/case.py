"""One pod that is not simply fine, as the rules about pods see it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from dashboard.insight.finding import Evidence, LogWish, Page, Step, Trouble, stands
from dashboard.insight.observed import Observed
from dashboard.kinds.base import Ref
from dashboard.kinds.events import Event
from dashboard.kinds.meta import ObjectCondition, find_condition
from dashboard.kinds.pods import Pod
from dashboard.kinds.podspec import Container
from dashboard.kinds.podstatus import ContainerStatus, Terminated

from .earlier import ROLLED_OUT, back_step

WAITED = "Unable to attach or mount volumes"  # the sum of what is said of each volume
# What fails is tried again within some two minutes (pkg/util/goroutinemap/exponentialbackoff).
TRIES_AGAIN = timedelta(minutes=5)
# How the kubelet's messages of reasons BackOff and Unhealthy begin that tell of a container that ends.
_OF_ENDS = ("Back-off restarting", "Liveness", "Startup")


class Case(NamedTuple):
    """A pod among everything else; with ``only``, as if it had but that container."""

    pod: Pod
    survey: Observed
    only: str = ""

    @property
    def now(self) -> datetime:
        return self.survey.now

    @property
    def namespace(self) -> str:
        return self.pod.metadata.namespace

    @property
    def ref(self) -> Ref:
        return Ref("Pod", self.pod.metadata.namespace, self.pod.metadata.name, "pods")

    @property
    def node(self) -> Ref:
        return Ref("Node", "", self.pod.spec.node_name, "nodes")

    @property
    def of_daemonset(self) -> bool:
        """Whether it is for one node, and no other can take it."""
        owner = self.pod.metadata.controller
        return owner is not None and owner.kind == "DaemonSet"

    def condition(self, type_: str) -> ObjectCondition | None:
        return find_condition(self.pod.status.conditions or (), type_)

    def since(self, type_: str) -> datetime | None:
        """Since when a condition is as it is; without it, since the pod was made."""
        found = self.condition(type_)
        return (found.last_transition_time if found else None) or self.pod.metadata.creation_timestamp

    def older(self, moment: datetime | None, than: timedelta) -> bool:
        return self.survey.older(moment, than)

    def event(self, *reasons: str) -> Event | None:
        """The latest Warning Event about the pod with one of these reasons."""
        return self.survey.event(self.pod.metadata.uid, *reasons)

    def in_the_way(self, *reasons: str) -> list[Event]:
        """What is said now with these reasons of its start, the latest first, and then that volumes were waited for. What
        was said before has passed.
        """
        every = self.survey.events(self.pod.metadata.uid, *reasons)
        last = every[0].last_seen if every else None
        now = [one for one in every if not (last and one.last_seen and last - one.last_seen > TRIES_AGAIN)]
        return sorted(now, key=lambda one: one.message.startswith(WAITED))

    def containers(self) -> Iterator[tuple[ContainerStatus, bool]]:
        """Each container's status, and whether it is one that must end before the others start."""
        yield from (each for each in self._every() if not self.only or each[0].name == self.only)

    def _every(self) -> Iterator[tuple[ContainerStatus, bool]]:
        sidecars = {one.name for one in self.pod.spec.init_containers or () if one.sidecar}
        for status in self.pod.status.init_container_statuses or ():
            yield status, status.name not in sidecars
        for status in self.pod.status.container_statuses or ():
            yield status, False

    def spec_of(self, status: ContainerStatus) -> Container | None:
        spec = self.pod.spec
        every = (*(spec.containers or ()), *(spec.init_containers or ()))
        return next((one for one in every if one.name == status.name), None)

    def look(self, text: str, page: Page = "") -> Step:
        """A step on the pod's own page, or on one under it."""
        return Step(text, self.ref, page)

    def image_step(self, text: str) -> Step:
        """A step that leads to Set image of the pod's workload, or back to its earlier revision."""
        owner = self.survey.owner(self.pod)
        if owner.plural not in ROLLED_OUT:
            return self.look(text)
        return Step(text, owner, "image", instead=back_step(self.survey, owner))

    def log_step(self, text: str, status: ContainerStatus) -> Step:
        """A step that leads to the log of the container's last run."""
        return Step(text, self.ref, "logs", status.name, ended_before(status))

    def log(self, status: ContainerStatus) -> LogWish:
        """The log of the container's last run."""
        ended = status.state.terminated or status.last_state.terminated
        return LogWish(
            self.namespace,
            self.pod.metadata.name,
            status.name,
            ended_before(status),
            ended.finished_at if ended else None,
        )

    def trouble_since(self, status: ContainerStatus, ended: Terminated) -> datetime | None:
        """When a container's ends began, not when it ended last: the first of the kubelet's Events about them, and since
        when it has kept the pod from being ready."""
        path = f"{{{status.name}}}"
        moments = [ended.finished_at]
        for event in self.survey.events(self.pod.metadata.uid, "BackOff", "Unhealthy"):
            where = event.involved_object.field_path
            if (where.endswith(path) or not where) and event.message.startswith(_OF_ENDS):
                moments.append(event.first_seen)
        others = (other for other, _ in self._every() if other.name != status.name)
        ready = self.condition("Ready")
        unready = ready is not None and ready.status != "True"
        if unready and not status.ready and all(other.ready or other.state.terminated for other in others):
            moments.append(ready.last_transition_time if ready else None)
        return min((each for each in moments if each is not None), default=None)


Rule = Callable[[Case], Trouble | None]


def ended_before(status: ContainerStatus) -> bool:
    """Whether the last run that ended is the one before the present one, for which the kubelet keeps a log of its own."""
    return status.state.terminated is None and status.last_state.terminated is not None


def waiting_as(status: ContainerStatus) -> tuple[Evidence, ...]:
    """What the kubelet says of a container that waits, as evidence."""
    waiting = status.state.waiting
    if waiting is None:
        return ()
    says = f"{waiting.reason}: {waiting.message}" if waiting.message else waiting.reason
    return stands(f"Container {status.name} waits", says)
