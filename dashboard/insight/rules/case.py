"""One pod that is not simply fine, as the rules about pods see it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from dashboard.insight.finding import Trouble
from dashboard.insight.words import Part, code
from dashboard.kinds.base import Ref
from dashboard.kinds.meta import ObjectCondition, find_condition
from dashboard.kinds.pods import Pod
from dashboard.kinds.podspec import Container
from dashboard.kinds.podstatus import ContainerStatus, Terminated
from dashboard.kinds.rows import plural

_EXITS = {
    0: "although it should keep running",
    126: "its command cannot be executed",
    127: "its command was not found in the image",
    128: "its command could not be started",
    137: "it was killed, often by a failing liveness probe",
    139: "it crashed with a memory fault",
    143: "it was asked to stop, often by a failing liveness probe",
}


class Case(NamedTuple):
    """``warning`` gives the message of the latest Warning event about the pod, or ""; ``node_silent`` says that its
    node does not report.
    """

    pod: Pod
    now: datetime
    warning: Callable[[], str]
    node_silent: bool

    @property
    def ref(self) -> Ref:
        return Ref("Pod", self.pod.metadata.namespace, self.pod.metadata.name, "pods")

    def condition(self, type_: str) -> ObjectCondition | None:
        return find_condition(self.pod.status.conditions or (), type_)

    def since(self, type_: str) -> datetime | None:
        """Since when a condition is as it is; without it, since the pod was made."""
        found = self.condition(type_)
        return (found.last_transition_time if found else None) or self.pod.metadata.creation_timestamp

    def older(self, moment: datetime | None, than: timedelta) -> bool:
        return moment is None or self.now - moment > than

    def containers(self) -> Iterator[tuple[ContainerStatus, bool]]:
        """Each container's status, and whether it is one that must end before the others start."""
        sidecars = {one.name for one in self.pod.spec.init_containers or () if one.sidecar}
        for status in self.pod.status.init_container_statuses or ():
            yield status, status.name not in sidecars
        for status in self.pod.status.container_statuses or ():
            yield status, False

    def spec_of(self, status: ContainerStatus) -> Container | None:
        spec = self.pod.spec
        every = (*(spec.containers or ()), *(spec.init_containers or ()))
        return next((one for one in every if one.name == status.name), None)


Rule = Callable[[Case], Trouble | None]


def exits(status: ContainerStatus, ended: Terminated) -> tuple[str | Part, ...]:
    """How a container ended, and what its exit code usually means."""
    container = ("container ", code(status.name))
    if ended.reason == "OOMKilled":
        return *container, " used more memory than its limit"
    means = _EXITS.get(ended.exit_code)
    if means is None and ended.exit_code > 128:
        means = f"ended by signal {ended.signal or ended.exit_code - 128}"
    return *container, f" exits with code {ended.exit_code}, {means or 'an error of the program itself'}"


def restarts(status: ContainerStatus) -> str:
    """How often it was started again, as evidence."""
    return f"It was started again {plural(status.restart_count, 'time')}. " if status.restart_count else ""
