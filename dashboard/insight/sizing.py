"""What other requests and limits of its containers mean for a workload: whether nodes and limit ranges take pods of that
size, and whether what they use now is more than they may. What quotas say of them: ``newpods``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cached_property

from dashboard.kinds.base import Ref
from dashboard.kinds.daemonsets import DaemonSet
from dashboard.kinds.pods import Pod
from dashboard.kinds.podspec import Container, PodSpec
from dashboard.kinds.quantity import format_bytes, format_quantity
from dashboard.kinds.rows import plural
from dashboard.kinds.usage import PodUse

from .capacity import (
    amounts,
    in_words,
    pod_amounts,
)
from .impact import Effect, Impact, Notice
from .protocols import Objects
from .restart import pods_wanted, rollout_limits, template_impact
from .rollout import Workload
from .scheduling.room import room_on_nodes
from .survey import Survey
from .words import parts

MANY = 100_000  # more pods than any cluster has


def sizing_impact(objects: Objects, workload: Workload, made: Workload, now: datetime) -> Impact:
    """What happens when its template becomes that of ``made``, which differs by what its containers ask for."""
    sizing = _Sizing(objects, workload, made, now)
    base = template_impact(objects, workload, made, now)
    return Impact(
        base.headline if base.danger else sizing.headline() or base.headline,
        (sizing.size(), *sizing.on_nodes(), *base.effects),
        (*sizing.notices(), *base.notices),
        base.danger or sizing.too_large,
    )


def memory_notices(
    objects: Objects,
    workload: Workload,
    made: Workload,
    now: datetime,
    used: Mapping[tuple[str, str], PodUse],
) -> Iterator[Notice]:
    """The containers that use more memory now than their new limit, by what was measured of each pod."""
    own = _Sizing(objects, workload, made, now).own
    for one in made.spec.template.spec.containers or ():
        limit = amounts(one.resources.limits if one.resources else None).get("memory")
        uses = [
            use.containers[one.name].memory
            for pod in own
            if (use := used.get((pod.metadata.namespace, pod.metadata.name))) and one.name in use.containers
        ]
        if limit and uses and max(uses) > limit:
            most = format_bytes(int(limit))
            text = f"A container above its memory limit is killed (OOMKilled); the new limit is {most}."
            yield Notice("bad", f"{one.name} uses {format_bytes(int(max(uses)))} of memory now", text)


class _Sizing:
    def __init__(self, objects: Objects, workload: Workload, made: Workload, now: datetime) -> None:
        self.workload, self.objects = workload, objects
        self.name, self.namespace = workload.metadata.name, workload.metadata.namespace
        self.survey = Survey(objects, now, self.namespace)
        self.old, self.new = workload.spec.template.spec, made.spec.template.spec
        self.wanted = pods_wanted(workload)
        kind = type(workload).__name__
        ref = Ref(kind, self.namespace, self.name, f"{kind.lower()}s")
        self.own: list[Pod] = [pod for pod in self.survey.all("pods") if self.survey.owner(pod) == ref]
        uids = {pod.metadata.uid for pod in self.own}
        self.others = [pod for pod in objects.all("pods") if pod.metadata.uid not in uids]
        self.nodes = objects.all("nodes")

    def size(self) -> Effect:
        """What a pod asks for, and did."""
        was, asked = in_words(pod_amounts(self.old)), in_words(pod_amounts(self.new))
        text = f"Each pod requests {asked}" if asked else "The pods request no CPU or memory"
        note = "as before" if was == asked else f"{was or 'nothing'} before"
        return Effect("info", "gauge", parts(text), note)

    # Nodes

    @cached_property
    def fits(self) -> int:
        """For how many of its pods there is room, once the old ones are gone; of a DaemonSet on how many nodes."""
        if isinstance(self.workload, DaemonSet):
            return min(self.wanted, room_on_nodes(self.new, self.nodes, self.others, MANY).nodes)
        return room_on_nodes(self.new, self.nodes, self.others, self.wanted).pods

    def _empty(self, spec: PodSpec) -> int:
        """Whether a node that ran nothing else would take one."""
        return room_on_nodes(spec, self.nodes, (), 1).pods

    @property
    def too_large(self) -> bool:
        """For every node, as it was not before."""
        return bool(self.nodes and self.wanted) and not self._empty(self.new) and bool(self._empty(self.old))

    @property
    def blocked(self) -> str:
        """Why the rollout can't begin: no old pod may go first, and beside them there is no room; "" where it can."""
        missing, extra = rollout_limits(self.workload)
        if missing or not extra or not self.wanted or isinstance(self.workload, DaemonSet):
            return ""
        if self.nodes and not room_on_nodes(self.new, self.nodes, self.objects.all("pods"), 1).pods:
            return "the nodes have no room for one more pod"
        return ""

    def headline(self) -> Notice | None:
        if self.too_large:
            largest = in_words(pod_amounts(self.new))
            return Notice(
                "bad", "No node is large enough", f"New pods request {largest}, and would stay Pending."
            )
        if self.nodes and self.fits < self.wanted:
            title = f"{self.fits} of {plural(self.wanted, 'pod')} can be scheduled"
            return Notice("warn", title, "The others would stay Pending until a node has capacity.")
        if self.blocked:
            text = f"Its strategy keeps every old pod until a new one is ready, and {self.blocked}."
            return Notice("warn", f"The rollout of {self.name} can't start", text)
        return None

    def on_nodes(self) -> Iterator[Effect]:
        if not self.nodes or not self.wanted:
            return
        if self.fits >= self.wanted:
            count = "It fits" if self.wanted == 1 else f"All {self.wanted} fit"
            yield Effect("ok", "server", parts(f"{count} on the nodes"), "beside what else runs there")
        else:
            text = f"{self.fits} of {plural(self.wanted, 'pod')} fit on the nodes"
            yield Effect("warn", "server", parts(text), "beside what else runs there", "too big")

    # Limit ranges

    def notices(self) -> Iterator[Notice]:
        for limits in self.survey.all("limitranges"):
            for limit in limits.spec.limits or ():
                if limit.type != "Container":
                    continue
                for one in self.new.containers or ():
                    yield from _outside(limits.metadata.name, one, limit.min, limit.max)


def _outside(
    name: str, one: Container, least: Mapping[str, str], most: Mapping[str, str]
) -> Iterator[Notice]:
    """What a LimitRange refuses of a container (limitranger, ``PodValidateLimitFunc``)."""
    resources = one.resources
    requests = amounts(
        {**((resources and resources.limits) or {}), **((resources and resources.requests) or {})}
    )
    limits = amounts((resources and resources.limits) or {})
    for bound, given, word in ((amounts(least), requests, "at least"), (amounts(most), limits, "at most")):
        for resource, amount in bound.items():
            there = given.get(resource)
            wrong = there is not None and (there < amount if word == "at least" else there > amount)
            if wrong:
                title = f"LimitRange {name} refuses its pods"
                asked = format_bytes(int(amount)) if resource == "memory" else format_quantity(amount)
                text = f"{one.name} may have {word} {asked} {resource}."
                yield Notice("bad", title, text)
