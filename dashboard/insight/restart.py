"""What restarting a workload would touch: which pods are replaced, in which order, and who answers meanwhile.

A restart is a new pod template, so a rollout: rules of the Deployment, StatefulSet and DaemonSet controllers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
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

from .impact import Effect, Notice, reach
from .protocols import Objects
from .rollout import Workload
from .survey import Survey, is_ready
from .words import bold, parts


@dataclass(frozen=True, slots=True)
class RestartImpact:
    """``headline`` is the consequence that comes first, when there is one; ``danger`` that something stops."""

    headline: Notice | None
    effects: tuple[Effect, ...]
    notices: tuple[Notice, ...]
    danger: bool


def restart_impact(objects: Objects, workload: Workload, now: datetime) -> RestartImpact:
    """What happens when every pod is replaced, as far as the objects tell."""
    restart = _Restart(objects, workload, now)
    return RestartImpact(
        restart.headline(),
        (*restart.on_pods(), *restart.on_services(), *restart.on_data()),
        tuple(restart.notices()),
        bool(restart.pods) and restart.least == 0 and restart.rolls and bool(restart.stopped),
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
        """How many pods it keeps."""
        if isinstance(self.workload, DaemonSet):
            return self.workload.status.desired_number_scheduled
        return self.workload.spec.replicas

    @property
    def strategy(self) -> str:
        if isinstance(self.workload, Deployment):
            return self.workload.spec.strategy.type
        return self.workload.spec.update_strategy.type

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
        """How many pods may be missing, and how many more there may be, at any time."""
        workload, wanted = self.workload, self.wanted
        if isinstance(workload, Deployment):
            if self.strategy == "Recreate":
                return wanted, 0
            rolling = workload.spec.strategy.rolling_update
            missing = _share(rolling.max_unavailable if rolling else None, "25%", wanted, up=False)
            extra = _share(rolling.max_surge if rolling else None, "25%", wanted, up=True)
            # ResolveFenceposts of the deployment controller: one of both must let it go on.
            return (1, 0) if not missing and not extra else (min(missing, wanted), extra)
        update = workload.spec.update_strategy.rolling_update
        missing = _share(update.max_unavailable if update else None, "1", wanted, up=True)
        extra = 0
        if isinstance(workload, DaemonSet):
            extra = _share(update.max_surge if update else None, "0", wanted, up=True)
            return (0, extra) if extra else (max(1, missing), 0)
        return min(max(1, missing), wanted), 0

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
                f"Its update strategy is OnDelete: the restart is only written down, and each of its "
                f"{plural(self.wanted, 'pod')} follows when somebody deletes it."
            )
            return Notice("warn", f"No pod of {self.name} restarts by itself", text)
        if not self.wanted:
            return Notice("info", f"{self.name} has no pods now", "What starts later is not changed by this.")
        if not self.replaced:
            assert isinstance(self.workload, StatefulSet)  # noqa: S101 # only they have a partition
            text = f"Its partition is {self.workload.partition}: pods below that number stay as they are."
            return Notice("warn", f"No pod of {self.name} restarts", text)
        if self.stopped:
            names = listed(one.metadata.name for one in self.stopped)
            title = (
                f"{'Service' if len(self.stopped) == 1 else 'Services'} {names} will not answer for a while"
            )
            return Notice("bad", title, f"{self._gap()} Nobody answers until a new pod is ready.")
        if not self.least and self.wanted:
            return Notice("warn", f"{self.name} stops for a while", self._gap())
        return None

    def _gap(self) -> str:
        """Why there is a moment without any pod."""
        if self.strategy == "Recreate":
            return "Its strategy is Recreate: every pod ends before the first new one starts."
        if self.wanted == 1:
            return "Its only pod ends before the new one starts."
        return f"Its strategy lets all {self.wanted} pods be away at once."

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
            parts("Requests under way are cut when a pod's time is over"),
            f"each pod has {30 if grace is None else grace} s to finish, then it is killed",
        )

    def _order(self) -> str:
        missing, extra = self.limits
        if self.strategy == "Recreate":
            return "Recreate: all end first, then the new ones start"
        if isinstance(self.workload, StatefulSet):
            first = self.workload.spec.ordinals.start
            last, low = first + self.wanted - 1, first + self.wanted - self.replaced
            if self.replaced == 1:
                return f"{self.name}-{last}"
            each = "one" if missing == 1 else f"up to {missing}"
            return f"from {self.name}-{last} down to {self.name}-{low}, {each} at a time, the next when it is ready"
        if isinstance(self.workload, DaemonSet):
            if extra:
                return f"on {plural(extra, 'node')} at a time, the new pod before the old one ends"
            return f"on {plural(missing, 'node')} at a time, the old pod ends before the new one starts"
        more = f"up to {extra} more at a time" if extra else "none more than now"
        less = f"at most {missing} missing" if missing else "none missing meanwhile"
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
                yield Effect("bad", "bad", parts(subject, " has no endpoint for a while"), note, "stops", ref)
            elif not ready:
                yield Effect("info", "info", parts(subject, " answers nobody now"), note, "", ref)
            elif self.least + others < len(ready):
                kept = f" keeps {self.least + others} or more of {len(ready)} endpoints"
                yield Effect("info", "info", parts(subject, kept), note, "fewer", ref)
            else:
                yield Effect("ok", "ok", parts(subject, " goes on answering"), note, "", ref)

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
            text = "The rollout goes on as its strategy allows; pods that do not come up hold it."
            yield Notice("warn", f"{ready} of {plural(self.wanted, 'pod')} ready now", text)
        unchecked = [one.name for one in self.template.containers or () if one.readiness_probe is None]
        if unchecked and self.services and self.least:
            word = "Container" if len(unchecked) == 1 else "Containers"
            text = "A new pod counts as ready as soon as it runs, and gets traffic before it may be able to answer."
            yield Notice("info", f"{word} {listed(unchecked)} without a readiness probe", text)

    def _quorum(self, ready: int) -> Iterator[Notice]:
        """What members that vote have left while one is away: a majority is more than half of all."""
        wanted, missing = self.wanted, self.limits[0]
        majority = wanted // 2 + 1
        left = max(0, min(ready, wanted) - missing)
        if left < majority:
            title = f"While a pod restarts, {left} of {wanted} are left: no majority"
            text = (
                f"What votes (databases, queues, etcd) needs {majority} of {wanted} and stops writing meanwhile."
                if ready == wanted
                else f"Only {ready} of {wanted} are ready now. What votes needs {majority}: let it recover first."
            )
            yield Notice("warn", title, text)
        else:
            spare = left - majority
            text = f"What votes needs {majority} of {wanted}" + (
                ": no other pod may fail meanwhile." if not spare else f": {spare} more may fail meanwhile."
            )
            yield Notice("info", f"While a pod restarts, {left} of {wanted} are left: a majority", text)


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
