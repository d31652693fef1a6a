"""What restarting a workload would touch: which pods are replaced, in which order, and who answers meanwhile.

A restart is a new pod template, so a rollout: rules of the Deployment, StatefulSet and DaemonSet controllers.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from dashboard.kinds.base import Ref
from dashboard.kinds.daemonsets import DaemonSet
from dashboard.kinds.deployments import Deployment
from dashboard.kinds.podspec import PodSpec
from dashboard.kinds.rows import listed, plural
from dashboard.kinds.selectors import from_labels
from dashboard.kinds.services import Service
from dashboard.kinds.statefulsets import StatefulSet
from dashboard.kinds.uses import mentions

from .impact import Effect, Impact, Notice, reach
from .pod_health import is_ready
from .protocols import Objects
from .rollout import Workload
from .survey import Survey
from .words import bold, parts

RESTARTS_AGAIN = Notice(
    "info", "This restarts it again", "The annotation is restored, and its pods are replaced once more."
)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a restart comes to, before it is tried. ``held``: why it replaces no pod, as a sentence; ``empty``: there is
    none to replace; ``partly``: which stay as they are, as a sentence; ``unready``: how many are ready, where some are
    not; ``down``: none is.
    """

    held: str = ""
    empty: bool = False
    partly: str = ""
    unready: str = ""
    down: bool = False

    @property
    def replaces(self) -> bool:
        return not self.held and not self.empty


def restart_outlook(workload: Workload) -> Outlook:
    """What a restart of it comes to, by its spec and status alone."""
    ready = (
        workload.status.number_ready if isinstance(workload, DaemonSet) else workload.status.ready_replicas
    )
    wanted = pods_wanted(workload)
    if workload.metadata.deletion_timestamp:
        return Outlook(held="It is being deleted.")
    if isinstance(workload, Deployment) and workload.spec.paused:
        return Outlook(held="It is paused: its pods stay as they are until it is resumed and restarted.")
    if not wanted:
        return Outlook(empty=True)
    if _strategy(workload) == "OnDelete":
        return Outlook(held="Its update strategy is OnDelete: each pod is replaced when it is deleted.")
    partly = ""
    if isinstance(workload, StatefulSet) and workload.partition:
        partly = f"Its partition is {workload.partition}: pods below that number stay as they are."
        if workload.partition >= wanted:
            return Outlook(held=partly)
    unready = f"{ready} of {plural(wanted, 'pod')} ready" if ready < wanted else ""
    return Outlook(partly=partly, unready=unready, down=not ready)


def pods_wanted(workload: Workload) -> int:
    """How many pods it keeps."""
    if isinstance(workload, DaemonSet):
        return workload.status.desired_number_scheduled
    return workload.spec.replicas


def _strategy(workload: Workload) -> str:
    if isinstance(workload, Deployment):
        return workload.spec.strategy.type
    return workload.spec.update_strategy.type


def rollout_limits(workload: Workload) -> tuple[int, int]:
    """How many pods may be missing, and how many more there may be, at any time of a rollout."""
    strategy, wanted = _strategy(workload), pods_wanted(workload)
    if isinstance(workload, Deployment):
        if strategy == "Recreate":
            return wanted, 0
        rolling = workload.spec.strategy.rolling_update
        missing = _share(rolling.max_unavailable if rolling else None, "25%", wanted, up=False)
        extra = _share(rolling.max_surge if rolling else None, "25%", wanted, up=True)
        # ResolveFenceposts of the deployment controller: one of both must let it go on.
        return (1, 0) if not missing and not extra else (min(missing, wanted), extra)
    update = workload.spec.update_strategy.rolling_update
    missing = _share(update.max_unavailable if update else None, "1", wanted, up=True)
    if isinstance(workload, DaemonSet):
        extra = _share(update.max_surge if update else None, "0", wanted, up=True)
        return (0, extra) if extra else (max(1, missing), 0)
    return min(max(1, missing), wanted), 0


def restart_impact(objects: Objects, workload: Workload, now: datetime) -> Impact:
    """What happens when every pod is replaced, as far as the objects tell."""
    restart = _Restart(objects, workload, now)
    return Impact(
        restart.headline(),
        (*restart.on_pods(), *restart.on_services(), *restart.on_data()),
        tuple(restart.notices()),
        bool(restart.pods) and restart.least == 0 and restart.rolls and bool(restart.stopped),
    )


def template_impact(
    objects: Objects,
    workload: Workload,
    made: Workload,
    now: datetime,
    *,
    stays: Collection[str] = (),
) -> Impact:
    """What happens when its pod template becomes that of ``made``: every pod is replaced but those in ``stays`` (their
    names), which were created from that template.
    """
    change = _Template(objects, workload, made, now, stays)
    stops = bool(change.pods) and change.least == 0 and change.rolls and bool(change.stopped)
    return Impact(
        change.headline(),
        (*change.on_pods(), *change.on_services(), *change.on_data()),
        tuple(change.notices()),
        stops or bool(change.unselected),
    )


def resume_impact(objects: Objects, deployment: Deployment, now: datetime) -> Impact:
    """What happens when a paused Deployment is resumed: what has waited rolls out, and replaces the pods that are on an
    old revision.
    """
    resume = _Resume(objects, deployment, now)
    if not resume.replaced:
        return Impact(resume.nothing_waits(), (), (), False)
    return Impact(
        resume.headline() or resume.waits(),
        (*resume.on_pods(), *resume.on_services(), *resume.on_data()),
        tuple(resume.notices()),
        bool(resume.pods) and resume.least == 0 and resume.rolls and bool(resume.stopped),
    )


class _Restart:
    def __init__(self, objects: Objects, workload: Workload, now: datetime) -> None:
        self.workload = workload
        self.name, self.namespace = workload.metadata.name, workload.metadata.namespace
        self.survey = Survey(objects, now, self.namespace)
        self.kind = type(workload).__name__
        own = Ref(self.kind, self.namespace, self.name, f"{self.kind.lower()}s")
        self.pods = [
            pod
            for pod in self.survey.all("pods")
            if self.survey.owner(pod) == own
            and pod.metadata.deletion_timestamp is None
            and pod.status.phase not in ("Succeeded", "Failed")
        ]
        labels = workload.spec.template.metadata.labels or {}
        self.services: list[Service] = [
            service
            for service in self.survey.all("services")
            if service.spec.selector and from_labels(service.spec.selector).matches(labels)
        ]

    @property
    def template(self) -> PodSpec:
        return self.workload.spec.template.spec

    @property
    def wanted(self) -> int:
        return pods_wanted(self.workload)

    @property
    def strategy(self) -> str:
        return _strategy(self.workload)

    @property
    def replaced(self) -> int:
        """How many pods get the new template by themselves."""
        if isinstance(self.workload, StatefulSet):
            return max(0, self.wanted - self.workload.partition)
        return self.wanted

    @property
    def rolls(self) -> bool:
        return self.strategy != "OnDelete" and self.replaced > 0

    @cached_property
    def limits(self) -> tuple[int, int]:
        return rollout_limits(self.workload)

    @property
    def least(self) -> int:
        """How many of its pods stay up at every moment, when nothing goes wrong."""
        return max(0, self.wanted - self.limits[0])

    @property
    def stopped(self) -> list[Service]:
        """Services that answer now, by its pods alone, and for which none may be left for a while."""
        if self.least or not self.rolls:
            return []
        own = {pod.metadata.name for pod in self.pods}
        return [one for one in self.services if (ready := self.survey.endpoints(one)) and ready <= own]

    def headline(self) -> Notice | None:
        if self.strategy == "OnDelete" and self.wanted:
            text = (
                f"Its update strategy is OnDelete: the restart is only recorded, and each of its "
                f"{plural(self.wanted, 'pod')} restarts when it is deleted."
            )
            return Notice("warn", f"No pod of {self.name} restarts by itself", text)
        if not self.wanted:
            return Notice("info", f"{self.name} has no pods now", "Pods that start later are not affected.")
        if not self.replaced:
            assert isinstance(self.workload, StatefulSet)  # noqa: S101 # only they have a partition
            text = f"Its partition is {self.workload.partition}: pods below that number stay as they are."
            return Notice("warn", f"No pod of {self.name} is replaced", text)
        if self.stopped:
            names = listed(one.metadata.name for one in self.stopped)
            title = f"{'Service' if len(self.stopped) == 1 else 'Services'} {names} will be unavailable for a while"
            return Notice("bad", title, f"{self._gap()} It is unavailable until a new pod is ready.")
        if not self.least and self.wanted:
            return Notice("warn", f"{self.name} stops for a while", self._gap())
        return None

    def _gap(self) -> str:
        """Why there is a moment without any pod."""
        if self.strategy == "Recreate":
            return "Its strategy is Recreate: all pods are terminated before new ones are created."
        if self.wanted == 1:
            return "Its only pod is terminated before the new one starts."
        return f"Its strategy allows all {self.wanted} pods to be unavailable at the same time."

    def on_pods(self) -> Iterator[Effect]:
        if not self.wanted:
            return
        count = plural(self.replaced, "pod is replaced", "pods are replaced")
        if not self.rolls:
            text = parts(
                f"{plural(self.wanted, 'pod')} go on as they are" if self.wanted > 1 else "1 pod goes on"
            )
            yield Effect("info", "info", text)
            return
        yield Effect("info", "restart", parts(count), self._order())
        grace = self.template.termination_grace_period_seconds
        yield Effect(
            "info",
            "end",
            parts("In-flight requests are dropped when a pod's grace period ends"),
            f"each pod has {30 if grace is None else grace} s to shut down, then it is killed",
        )

    def _order(self) -> str:
        missing, extra = self.limits
        if self.strategy == "Recreate":
            return "Recreate: all are terminated first, then new ones start"
        if isinstance(self.workload, StatefulSet):
            first = self.workload.spec.ordinals.start
            last, low = first + self.wanted - 1, first + self.wanted - self.replaced
            if self.replaced == 1:
                return f"{self.name}-{last}"
            each = "one" if missing == 1 else f"up to {missing}"
            return f"from {self.name}-{last} down to {self.name}-{low}, {each} at a time, the next when it is ready"
        if isinstance(self.workload, DaemonSet):
            if extra:
                return f"on {plural(extra, 'node')} at a time, the new pod starts before the old one is terminated"
            return (
                f"on {plural(missing, 'node')} at a time, the old pod is terminated before the new one starts"
            )
        more = f"up to {extra} more at a time" if extra else "none more than now"
        less = f"at most {missing} unavailable" if missing else "none unavailable"
        return f"RollingUpdate: {more}, {less}"

    def on_services(self) -> Iterator[Effect]:
        if not self.rolls:
            return
        own = {pod.metadata.name for pod in self.pods}
        for service in self.services:
            name = service.metadata.name
            ref = Ref("Service", self.namespace, name, "services")
            subject, note = bold(f"Service {name}"), reach(service)
            ready = self.survey.endpoints(service)
            others = len(ready - own)
            if service in self.stopped:
                yield Effect(
                    "bad", "bad", parts(subject, " has no ready endpoints for a while"), note, "stops", ref
                )
            elif not ready:
                yield Effect("info", "info", parts(subject, " has no ready endpoints now"), note, "", ref)
            elif self.least + others < len(ready):
                kept = f" keeps {self.least + others} or more of {len(ready)} endpoints"
                yield Effect("info", "info", parts(subject, kept), note, "fewer", ref)
            else:
                yield Effect("ok", "ok", parts(subject, " stays available"), note, "", ref)

    def on_data(self) -> Iterator[Effect]:
        if not self.wanted:
            return
        scratch = sorted(
            volume.name for volume in self.template.volumes or () if volume.empty_dir is not None
        )
        if scratch and self.rolls:
            text = parts(f"What is in emptyDir {listed(scratch)} is lost")
            yield Effect("warn", "warn", text, "it lives as long as its pod", "lost")
        if isinstance(self.workload, StatefulSet) and self.workload.spec.volume_claim_templates:
            yield Effect("ok", "ok", parts("Each pod comes back with its name and its volumes"))
        yield Effect(
            "info",
            "info",
            parts("New pods read ConfigMaps and Secrets as they are then"),
            "the image too, by its tag",
        )

    def notices(self) -> Iterator[Notice]:
        if not self.rolls:
            return
        ready = sum(is_ready(pod) for pod in self.pods)
        if isinstance(self.workload, StatefulSet) and self.wanted > 1:
            yield from self._quorum(ready)
        elif self.wanted > 0 and ready < self.wanted:
            text = "The rollout continues as its strategy allows; pods that do not become ready block it."
            yield Notice("warn", f"{ready} of {plural(self.wanted, 'pod')} ready now", text)
        unchecked = [one.name for one in self.template.containers or () if one.readiness_probe is None]
        if unchecked and self.services and self.least:
            word = "Container" if len(unchecked) == 1 else "Containers"
            text = (
                "A new pod counts as ready as soon as it runs, and may get traffic before it can handle it."
            )
            yield Notice("info", f"{word} {listed(unchecked)} without a readiness probe", text)

    def _quorum(self, ready: int) -> Iterator[Notice]:
        """What members that vote have left while one is away: a majority is more than half of all."""
        wanted, missing = self.wanted, self.limits[0]
        majority = wanted // 2 + 1
        left = max(0, min(ready, wanted) - missing)
        if left < majority:
            title = f"While a pod restarts, {left} of {wanted} are left: no quorum"
            text = (
                f"Quorum members (databases, queues, etcd) need {majority} of {wanted}; without quorum, writes stop."
                if ready == wanted
                else f"Only {ready} of {wanted} are ready now. A quorum needs {majority}: let it recover first."
            )
            yield Notice("warn", title, text)
        else:
            spare = left - majority
            text = f"A quorum needs {majority} of {wanted}" + (
                ": no other pod may fail meanwhile." if not spare else f": {spare} more may fail meanwhile."
            )
            yield Notice("info", f"While a pod restarts, {left} of {wanted} are left: quorum", text)


def _share(value: int | str | None, default: str, whole: int, *, up: bool) -> int:
    """A number, or a percentage of the pods: rounded up or down as the controller does."""
    text = str(default if value is None else value)
    try:
        if not text.endswith("%"):
            return max(0, int(text))
        exact = int(text[:-1]) * whole / 100
    except ValueError:  # only a server that does not validate lets one through
        return 0
    return math.ceil(exact) if up else math.floor(exact)


def waiting_pods(deployment: Deployment) -> int:
    """How many pods of a paused Deployment are not on its newest revision."""
    return max(deployment.status.replicas, deployment.spec.replicas) - deployment.status.updated_replicas


class _Resume(_Restart):
    """A rollout that goes on: only the pods that are on an old revision are replaced."""

    @property
    def replaced(self) -> int:
        assert isinstance(self.workload, Deployment)  # noqa: S101 # only they can be paused
        return waiting_pods(self.workload)

    def waits(self) -> Notice:
        count = f"{plural(self.replaced, 'pod')} of {self.wanted}"
        text = f"{count} {'is' if self.replaced == 1 else 'are'} not on the newest revision."
        return Notice("info", f"{self.name} rolls out what has waited", text)

    def nothing_waits(self) -> Notice:
        text = "All its pods are on the newest revision. From now on each change of its pod template rolls out at once."
        return Notice("info", f"{self.name} has nothing to roll out", text)


_CONFIGURATION = {"ConfigMap": "configmaps", "Secret": "secrets"}


class _Template(_Restart):
    """A new pod template, of which some pods may be already."""

    def __init__(
        self, objects: Objects, workload: Workload, made: Workload, now: datetime, stays: Collection[str]
    ) -> None:
        super().__init__(objects, workload, now)
        self.made = made
        self.stays = [pod for pod in self.pods if pod.metadata.name in stays]
        labels = made.spec.template.metadata.labels or {}
        self.unselected = [one for one in self.services if not from_labels(one.spec.selector).matches(labels)]

    @property
    def paused(self) -> bool:
        return isinstance(self.workload, Deployment) and self.workload.spec.paused

    @property
    def replaced(self) -> int:
        return max(0, super().replaced - len(self.stays))

    @property
    def rolls(self) -> bool:
        return super().rolls and not self.paused

    @property
    def least(self) -> int:
        return max(super().least, sum(is_ready(pod) for pod in self.stays))

    def headline(self) -> Notice | None:
        if self.paused:
            text = "Its pods stay as they are. The new template rolls out when it is resumed."
            return Notice("warn", f"{self.name} is paused", text)
        if self.strategy == "OnDelete" and self.wanted:
            text = "Its update strategy is OnDelete: a pod gets the new template when it is deleted."
            return Notice("warn", f"No pod of {self.name} is replaced by itself", text)
        if self.unselected and self.wanted:
            names = listed(one.metadata.name for one in self.unselected)
            title = f"{'Service' if len(self.unselected) == 1 else 'Services'} {names} will not select the new pods"
            return Notice("bad", title, "The labels of the new template do not match its selector.")
        if self.wanted and not self.replaced and self.stays:
            text = "Every pod that it keeps was created from this template."
            return Notice("info", f"No pod of {self.name} is replaced", text)
        return super().headline()

    def notices(self) -> Iterator[Notice]:
        yield from self._missing()
        workload = self.workload
        if isinstance(workload, StatefulSet) and workload.spec.pod_management_policy == "OrderedReady":
            names = [pod.metadata.name for pod in self.pods if not is_ready(pod) and pod not in self.stays]
            if names and self.rolls:
                title = f"{listed(names)} may have to be deleted"
                text = (
                    "It replaces no pod before that one is ready (OrderedReady). A pod that does not become ready on the "
                    "old template gets the new one when it is deleted."
                )
                yield Notice("warn", title, text)
        yield from super().notices()

    def _missing(self) -> Iterator[Notice]:
        """What no container of the new template starts without, and is not there."""
        needed = [
            one for one in mentions(self.made.spec.template.spec) if one.needed and one.kind in _CONFIGURATION
        ]
        for kind, name in dict.fromkeys((one.kind, one.name) for one in needed):
            if self.survey.lacks(_CONFIGURATION[kind], self.namespace, name):
                text = "Pods of this template can't start without it. Create it first."
                yield Notice("bad", f"{kind} {name} does not exist", text)

    def _order(self) -> str:
        if not self.stays:
            return super()._order()
        count = plural(len(self.stays), "pod was", "pods were")
        stay = "stays" if len(self.stays) == 1 else "stay"
        return f"{super()._order()}; {count} created from this template and {stay}"
