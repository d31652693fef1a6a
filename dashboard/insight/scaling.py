"""What a change of replicas touches, told before it happens: of a Deployment, a ReplicaSet, or anything that has a scale
subresource. What is its own about StatefulSets stands in ``ordinals``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cached_property

from dashboard.kinds.base import Ref
from dashboard.kinds.deployments import Deployment
from dashboard.kinds.horizontalpodautoscalers import HorizontalPodAutoscaler
from dashboard.kinds.references import meant
from dashboard.kinds.replicasets import ReplicaSet
from dashboard.kinds.rows import listed, plural
from dashboard.kinds.scales import Scale
from dashboard.kinds.selectors import NOTHING, Selector, SelectorError, from_labels, parse
from dashboard.kinds.services import Service
from dashboard.kinds.statefulsets import StatefulSet

from .capacity import Headroom, in_words, namespace_headroom, pod_amounts
from .impact import Effect, EffectState, Impact, Notice, reach, selector_of
from .ownership import controllers
from .protocols import Objects
from .rules.ingresses import routes
from .scheduling.room import Room, room_on_nodes
from .survey import Survey
from .words import bold, parts

# --horizontal-pod-autoscaler-sync-period and --…-downscale-stabilization of the controller manager, by default.
HPA_SYNC = "within about 15 s"
HPA_SETTLE = "after up to 5 minutes"
GRACE_SECONDS = 30

Scalable = Deployment | StatefulSet | ReplicaSet | Scale


def scale_hint(objects: Objects, workload: Scalable) -> str:
    """One sentence beside the field: how many more pods of this size quota and nodes leave room for; "" where the size of
    its pods is not known.
    """
    if isinstance(workload, Scale):
        return ""
    namespace, spec = workload.metadata.namespace, workload.spec.template.spec
    headroom = namespace_headroom(objects, namespace, spec)
    nodes = objects.all("nodes")
    room = room_on_nodes(spec, nodes, objects.all("pods"), 1000) if nodes else None
    if headroom is not None and headroom.unset:
        return f"The quota of {namespace} refuses its pods: they must specify {headroom.resource}."
    if headroom is not None and (room is None or headroom.pods <= room.pods):
        return (
            f"The quota of {namespace} allows {plural(headroom.pods, 'more pod', 'more pods')} of this size."
        )
    if room is not None and room.pods < 1000:
        return f"The nodes have capacity for {plural(room.pods, 'more pod', 'more pods')} of this size."
    return ""


class Scaling:
    """One change of replicas, and what the objects say about it."""

    def __init__(self, objects: Objects, workload: Scalable, ref: Ref, replicas: int, now: datetime) -> None:
        self.workload, self.ref, self.replicas = workload, ref, replicas
        self.name, self.namespace = workload.metadata.name, workload.metadata.namespace
        self.current = workload.spec.replicas
        self.survey = Survey(objects, now, self.namespace)
        self.objects = objects
        self.spec = None if isinstance(workload, Scale) else workload.spec.template.spec
        selector = _selector(workload)
        self.pods = [
            pod
            for pod in self.survey.all("pods")
            if selector.matches(pod.metadata.labels)
            and pod.metadata.deletion_timestamp is None
            and pod.status.phase not in ("Succeeded", "Failed")
            and (isinstance(workload, Scale) or ref in controllers(objects, pod))
        ]
        self.services: list[Service] = [
            service
            for service in self.survey.all("services")
            if from_labels(service.spec.selector).matches(self.labels)
        ]

    @property
    def labels(self) -> Mapping[str, str]:
        """Its pods'; a Scale does not tell those of pods to come."""
        if not isinstance(self.workload, Scale):
            return self.workload.spec.template.metadata.labels or {}
        return self.pods[0].metadata.labels if self.pods else {}

    def impact(self) -> Impact:
        """What the change touches."""
        return Impact(
            self.headline(),
            (
                *self.on_services(),
                *self.on_ingresses(),
                *self.on_pods(),
                *self.on_budgets(),
                *self.on_resources(),
                *self.on_the_rest(),
            ),
            tuple(self.notices()),
            self.danger,
        )

    @property
    def danger(self) -> bool:
        """Whether something stops."""
        return bool(self.stopped) or (self.replicas == 0 and self.current > 0)

    @property
    def more(self) -> int:
        return self.replicas - self.current

    # What stops

    def endpoints(self, service: Service) -> tuple[int, int]:
        """Ready endpoints of a Service that are pods of the workload, and all of them."""
        own = {pod.metadata.name for pod in self.pods}
        ready = self.survey.endpoints(service)
        return len(ready & own), len(ready)

    def stops(self, service: Service) -> bool:
        """Whether the change takes the last endpoint of a Service that answers now."""
        own, every = self.endpoints(service)
        return self.replicas == 0 and 0 < own == every

    @cached_property
    def stopped(self) -> list[Service]:
        return [service for service in self.services if self.stops(service)]

    def on_services(self) -> Iterator[Effect]:
        if not self.more:
            return
        for service in self.services:
            own, every = self.endpoints(service)
            name = service.metadata.name
            ref = Ref("Service", self.namespace, name, "services")
            subject, note = bold(f"Service {name}"), reach(service)
            if self.stops(service):
                yield Effect(
                    "bad", "bad", parts(subject, f" loses {own} of {every} endpoints"), note, "stops", ref
                )
            elif not every:
                yield Effect("info", "info", parts(subject, " has no ready endpoints now"), note, "", ref)
            elif self.replicas == 0:
                yield Effect(
                    "warn", "warn", parts(subject, f" loses {own} of {every} endpoints"), note, "fewer", ref
                )
            elif self.more < 0:
                kept = f" keeps {plural(self.replicas, 'endpoint')} of this {self.ref.kind}"
                yield Effect("info", "info", parts(subject, kept), note, "", ref)
            else:
                ready = "once it is ready" if self.more == 1 else "once they are ready"
                gets = f" gets {plural(self.more, 'more endpoint', 'more endpoints')} {ready}"
                yield Effect("info", "info", parts(subject, gets), note, "", ref)

    def on_ingresses(self) -> Iterator[Effect]:
        names = {service.metadata.name for service in self.stopped}
        for ingress in self.survey.all("ingresses"):
            places = list(routes(ingress))
            lost = [place for place, service in places if service in names]
            if not lost:
                continue
            others = len(places) - len(lost)
            note = (
                "the other path is not affected"
                if others == 1
                else f"the other {others} paths are not affected"
            )
            name = ingress.metadata.name
            text = parts(bold(f"Ingress {name}"), f", at {listed(lost)}, answers 503")
            ref = Ref("Ingress", self.namespace, name, "ingresses")
            yield Effect("bad", "bad", text, note if others else "", "stops", ref)

    def headline(self) -> Notice | None:
        """The consequence that a person must not miss."""
        if not self.more:
            return Notice(
                "info",
                f"{self.name} already has {plural(self.current, 'replica')}",
                "Nothing would change.",
            )
        if self.stopped:
            return self._stopped(self.stopped)
        if not self.replicas:
            text = f"{_all_end(self.current)}. It starts again when it is scaled up."
            return Notice("warn", f"Nothing of {self.name} will run", text)
        return self._too_many() if self.more > 0 else None

    def _stopped(self, stopped: list[Service]) -> Notice:
        names = [service.metadata.name for service in stopped]
        title = f"Service {names[0]} will have no ready endpoints"
        if len(names) > 1:
            title = f"Services {listed(names)} will have no ready endpoints"
        every = self.endpoints(stopped[0])[1]
        pods = "This 1 pod is" if every == 1 else f"These {every} pods are"
        places = [
            place
            for one in self.survey.all("ingresses")
            for place, service in routes(one)
            if service in names
        ]
        answer = "answers" if len(places) == 1 else "answer"
        from_then = f"{listed(places)} {answer} 503" if places else "connections to it fail"
        text = f"{pods} all it has. From then on {from_then}, until it is scaled up again."
        return Notice("bad", title, text)

    def _too_many(self) -> Notice | None:
        room = self.room
        if room is not None and room.pods < self.more:
            waiting = plural(self.more - room.pods, "pod")
            few = f"Only {room.pods}" if room.pods else "None"
            title = f"{few} of {plural(self.more, 'more pod', 'more pods')} can be scheduled"
            return Notice("warn", title, f"{waiting} would stay Pending until a node has capacity.")
        return None

    # Pods and what they take

    def on_pods(self) -> Iterator[Effect]:
        if self.spec is None:
            if self.of_pods and self.more > 0:
                yield Effect("info", "plus", parts(plural(self.more, "pod starts", "pods start")))
            elif self.of_pods and self.more < 0:
                text = parts(plural(-self.more, "pod is terminated", "pods are terminated"))
                yield Effect("info", "end", text, self.ending().removeprefix("; "))
            elif self.more:
                text = parts(f"{plural(self.replicas, 'replica')} instead of {self.current}")
                yield Effect(
                    "info", "scale", text, f"what a replica is, the controller of {self.ref.kind} decides"
                )
        elif self.more > 0:
            limits = [found.pods for found in (self.room, self.headroom) if found is not None]
            start = min([self.more, *limits])
            if start < self.more:
                yield Effect("warn", "plus", parts(f"{start} of {self.more} pods start"), self.starting())
            else:
                yield Effect("ok", "plus", parts(plural(start, "pod starts", "pods start")), self.starting())
        elif self.more < 0:
            grace = self.spec.termination_grace_period_seconds
            seconds = GRACE_SECONDS if grace is None else grace
            has = "it has" if self.more == -1 else "each has"
            note = f"{has} {seconds} s to finish its requests, then it is killed{self.ending()}"
            yield Effect(
                "info", "end", parts(plural(-self.more, "pod is terminated", "pods are terminated")), note
            )

    @property
    def of_pods(self) -> bool:
        """Whether a replica is a pod though only the scale tells of it: of Kubernetes' own, that is said."""
        return (self.ref.kind, self.ref.group) == ("ReplicationController", "")

    def starting(self) -> str:
        """Which pods start."""
        images = [one.image for one in (self.spec.containers if self.spec else None) or () if one.image]
        return f"from {listed(images)}" if images else ""

    def ending(self) -> str:
        """Which pods end, as the end of a sentence."""
        return "; those that are not ready go first, then the youngest" if self.replicas else ""

    def on_resources(self) -> Iterator[Effect]:
        if self.spec is None:
            return
        size = pod_amounts(self.spec)
        if self.more < 0:
            if freed := in_words(size, -self.more):
                nodes = sorted({pod.spec.node_name for pod in self.pods if pod.spec.node_name})
                note = f"on {listed(nodes)}" if nodes and not self.replicas else ""
                yield Effect("info", "gauge", parts(f"{freed} become free"), note)
        elif self.more > 0:
            yield from self._room_effects(in_words(size, self.more))

    def _room_effects(self, asked: str) -> Iterator[Effect]:
        room = self.room
        asks = f"{asked} more requested" if asked else "The pods request no CPU or memory"
        if room is None:
            yield Effect("info", "gauge", parts(asks))
        elif room.pods >= self.more:
            note = f"all of them fit on the nodes{_unsure(room)}"
            yield Effect("ok", "gauge", parts(asks), note)
        else:
            text = parts(f"{asks}: {room.pods} of {self.more} more pods fit")
            yield Effect("warn", "gauge", text, f"the others stay Pending{_unsure(room)}", "too big")
        if room is not None:
            text = parts(
                bold("How many more fit"), " by all rules of the scheduler, and what stops the next one"
            )
            yield Effect("info", "search", text, ref=self.ref, fit=True)

    @cached_property
    def room(self) -> Room | None:
        nodes = self.survey.all("nodes")
        if self.spec is None or not nodes:
            return None
        return room_on_nodes(self.spec, nodes, self.objects.all("pods"), self.more)

    @cached_property
    def headroom(self) -> Headroom | None:
        if self.spec is None:
            return None
        return namespace_headroom(self.objects, self.namespace, self.spec)

    # Who else has a say

    def on_budgets(self) -> Iterator[Effect]:
        for budget in self.survey.all("poddisruptionbudgets") if self.more < 0 else ():
            if selector_of(budget.spec.selector).matches(self.labels):
                name = budget.metadata.name
                ref = Ref("PodDisruptionBudget", self.namespace, name, "poddisruptionbudgets")
                text = parts(bold(f"PodDisruptionBudget {name}"), " does not prevent this")
                yield Effect(
                    "info", "info", text, "budgets protect from evictions, not from scaling", "", ref
                )

    def on_the_rest(self) -> Iterator[Effect]:
        if self.more < 0:
            text = parts("ConfigMaps, Secrets and volumes stay as they are")
            yield Effect("ok", "ok", text, "nothing is deleted but the pods")

    def notices(self) -> Iterator[Notice]:
        """Who else sets the number."""
        for autoscaler in self.survey.all("horizontalpodautoscalers"):
            if meant(autoscaler.spec.scale_target_ref, self.namespace) == self.ref:
                yield self._autoscaler(autoscaler)

    def _autoscaler(self, autoscaler: HorizontalPodAutoscaler) -> Notice:
        least, most = autoscaler.spec.min_replicas, autoscaler.spec.max_replicas
        least = 1 if least is None else least
        name = autoscaler.metadata.name
        ref = Ref("HorizontalPodAutoscaler", self.namespace, name, "horizontalpodautoscalers")
        title = f"HorizontalPodAutoscaler {name} keeps {least} to {most} replicas"
        state: EffectState = "warn"
        if self.replicas == 0 and least > 0:
            text = "At 0 it is disabled (ScalingDisabled) and will not scale the workload up."
            if least > 1:
                below = "1" if least == 2 else "1 or 2" if least == 3 else f"1 to {least - 1}"
                text += f" With {below} it would set it back to {least} {HPA_SYNC}."
        elif self.replicas < least:
            text = f"It would set it back to {least} {HPA_SYNC}. To stay below, lower its minimum."
        elif self.replicas > most:
            text = f"It would set it back to {most} {HPA_SYNC}. To stay above, raise its maximum."
        else:
            state, wants = "info", autoscaler.status.desired_replicas
            text = f"It goes on from here: up {HPA_SYNC}, down {HPA_SETTLE}, as its metrics ask"
            text += f" (now {wants})." if wants else "."
            if wants and wants != self.replicas:
                state = "warn"
            if not self.current:
                text = f"It is enabled again. {text}"
        return Notice(state, title, text, ref, "Look at the autoscaler")


def _all_end(count: int) -> str:
    return "Its only pod is terminated" if count == 1 else f"All {count} pods are terminated"


def _unsure(room: Room) -> str:
    return f"; not evaluated: {listed(room.unsure)}" if room.unsure else ""


def _selector(workload: Scalable) -> Selector:
    """The selector of its pods."""
    if not isinstance(workload, Scale):
        return selector_of(workload.spec.selector)
    try:
        return parse(workload.status.selector) if workload.status.selector else NOTHING
    except SelectorError:
        return NOTHING
