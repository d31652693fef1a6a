"""What scaling a Deployment would touch, told before it happens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Literal

from dashboard.kinds.base import Ref
from dashboard.kinds.deployments import Deployment
from dashboard.kinds.horizontalpodautoscalers import HorizontalPodAutoscaler
from dashboard.kinds.rows import listed, plural
from dashboard.kinds.selectors import (
    NOTHING,
    LabelSelector,
    Selector,
    SelectorError,
    from_label_selector,
    from_labels,
)
from dashboard.kinds.services import Service

from .capacity import Headroom, Room, in_words, pod_amounts, quota_headroom, room_on_nodes
from .protocols import Objects
from .rules.ingresses import routes
from .survey import Survey
from .words import Parts, bold, parts

EffectState = Literal["bad", "warn", "info", "ok"]

# --horizontal-pod-autoscaler-sync-period and --…-downscale-stabilization of the controller manager, by default.
HPA_SYNC = "within about 15 s"
HPA_SETTLE = "after up to 5 minutes"
GRACE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing that the change touches. ``word`` is a tag beside it ("stops"), ``icon`` a name of the sprite."""

    state: EffectState
    icon: str
    text: Parts
    note: str = ""
    word: str = ""
    ref: Ref | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to know before deciding; ``link`` is the text of a link to ``ref``."""

    state: EffectState
    title: str
    text: str
    ref: Ref | None = None
    link: str = ""


@dataclass(frozen=True, slots=True)
class Impact:
    """What a change of replicas touches. ``headline`` is the consequence that comes first, when there is one;
    ``danger`` that something stops.
    """

    current: int
    replicas: int
    headline: Notice | None
    effects: tuple[Effect, ...]
    notices: tuple[Notice, ...]
    danger: bool


def scale_impact(objects: Objects, deployment: Deployment, replicas: int, now: datetime) -> Impact:
    """What happens when the Deployment is scaled to ``replicas``, as far as the objects tell.

    What is not read (a kind the account may not list) is left out, not guessed.
    """
    scale = _Scale(objects, deployment, replicas, now)
    stopped = [service for service in scale.services if scale.stops(service)]
    effects = (
        *scale.on_services(),
        *scale.on_ingresses(stopped),
        *scale.on_pods(),
        *scale.on_budgets(),
        *scale.on_resources(),
        *scale.on_the_rest(),
    )
    headline = scale.headline(stopped)
    danger = bool(stopped) or (replicas == 0 and deployment.spec.replicas > 0)
    return Impact(
        deployment.spec.replicas, replicas, headline, effects, tuple(scale.on_autoscalers()), danger
    )


def scale_hint(objects: Objects, deployment: Deployment) -> str:
    """One sentence beside the field: how many more pods of this size quota and nodes leave room for."""
    namespace, spec = deployment.metadata.namespace, deployment.spec.template.spec
    headroom = quota_headroom(spec, objects.all("resourcequotas", namespace))
    nodes = objects.all("nodes")
    room = room_on_nodes(spec, nodes, objects.all("pods"), 1000) if nodes else None
    if headroom is not None and (room is None or headroom.pods <= room.pods):
        return f"The quota of {namespace} leaves room for {plural(headroom.pods, 'more pod', 'more pods')} of this size."
    if room is not None and room.pods < 1000:
        return f"The nodes have room for {plural(room.pods, 'more pod', 'more pods')} of this size."
    return ""


class _Scale:
    """One change of replicas, and what the objects say about it."""

    def __init__(self, objects: Objects, deployment: Deployment, replicas: int, now: datetime) -> None:
        self.deployment, self.replicas = deployment, replicas
        self.name, self.namespace = deployment.metadata.name, deployment.metadata.namespace
        self.current = deployment.spec.replicas
        self.survey = Survey(objects, now, self.namespace)
        self.objects = objects
        self.template = deployment.spec.template
        own = Ref("Deployment", self.namespace, self.name, "deployments")
        selector = selector_of(deployment.spec.selector)
        self.pods = [
            pod
            for pod in self.survey.all("pods")
            if selector.matches(pod.metadata.labels)
            and pod.metadata.deletion_timestamp is None
            and pod.status.phase not in ("Succeeded", "Failed")
            and self.survey.owner(pod) == own
        ]
        labels = self.template.metadata.labels or {}
        self.services: list[Service] = [
            service
            for service in self.survey.all("services")
            if from_labels(service.spec.selector).matches(labels)
        ]

    @property
    def more(self) -> int:
        return self.replicas - self.current

    # What stops

    def endpoints(self, service: Service) -> tuple[int, int]:
        """Ready endpoints of a Service that are pods of the Deployment, and all of them."""
        own = {pod.metadata.name for pod in self.pods}
        ready = self.survey.endpoints(service)
        return len(ready & own), len(ready)

    def stops(self, service: Service) -> bool:
        """Whether the change takes the last endpoint of a Service that answers now."""
        own, every = self.endpoints(service)
        return self.replicas == 0 and 0 < own == every

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
                yield Effect("info", "info", parts(subject, " answers nobody now"), note, "", ref)
            elif self.replicas == 0:
                yield Effect(
                    "warn", "warn", parts(subject, f" loses {own} of {every} endpoints"), note, "fewer", ref
                )
            elif self.more < 0:
                kept = f" keeps {plural(self.replicas, 'endpoint')} of this Deployment"
                yield Effect("info", "info", parts(subject, kept), note, "", ref)
            else:
                gets = f" gets {plural(self.more, 'more endpoint', 'more endpoints')} once they are ready"
                yield Effect("info", "info", parts(subject, gets), note, "", ref)

    def on_ingresses(self, stopped: list[Service]) -> Iterator[Effect]:
        names = {service.metadata.name for service in stopped}
        for ingress in self.survey.all("ingresses"):
            places = list(routes(ingress))
            lost = [place for place, service in places if service in names]
            if not lost:
                continue
            others = len(places) - len(lost)
            note = (
                "the other path is not touched"
                if others == 1
                else f"the other {others} paths are not touched"
            )
            name = ingress.metadata.name
            text = parts(bold(f"Ingress {name}"), f", at {listed(lost)}, answers 503")
            ref = Ref("Ingress", self.namespace, name, "ingresses")
            yield Effect("bad", "bad", text, note if others else "", "stops", ref)

    def headline(self, stopped: list[Service]) -> Notice | None:
        """The consequence that a person must not miss."""
        if not self.more:
            return Notice(
                "info",
                f"{self.name} already wants {plural(self.current, 'replica')}",
                "Nothing would change.",
            )
        if stopped:
            return self._stopped(stopped)
        if not self.replicas:
            text = f"{_all_end(self.current)}. It starts again when somebody scales it up."
            return Notice("warn", f"Nothing of {self.name} will run", text)
        return self._too_many() if self.more > 0 else None

    def _stopped(self, stopped: list[Service]) -> Notice:
        names = [service.metadata.name for service in stopped]
        title = f"Service {names[0]} will stop answering"
        if len(names) > 1:
            title = f"Services {listed(names)} will stop answering"
        every = self.endpoints(stopped[0])[1]
        pods = "This 1 pod is" if every == 1 else f"These {every} pods are"
        places = [
            place
            for one in self.survey.all("ingresses")
            for place, service in routes(one)
            if service in names
        ]
        answer = "answers" if len(places) == 1 else "answer"
        from_then = f"{listed(places)} {answer} 503" if places else "its clients get no answer"
        text = f"{pods} all it has. From then on {from_then}, until somebody scales back up."
        return Notice("bad", title, text)

    def _too_many(self) -> Notice | None:
        headroom, room = self.headroom, self.room
        if headroom is not None and headroom.pods < self.more:
            title = f"The quota of {self.namespace} stops it at {self.current + headroom.pods}"
            refused = plural(self.more - headroom.pods, "pod")
            return Notice(
                "warn",
                title,
                f"Quota {headroom.quota} ({headroom.resource}) refuses {refused} of {self.more}.",
            )
        if room is not None and room.pods < self.more:
            waiting = plural(self.more - room.pods, "pod")
            few = f"Only {room.pods}" if room.pods else "None"
            title = f"{few} of {plural(self.more, 'more pod', 'more pods')} find room"
            return Notice("warn", title, f"{waiting} would wait as Pending until a node has room.")
        return None

    # Pods and what they take

    def on_pods(self) -> Iterator[Effect]:
        if self.more > 0:
            limits = [found.pods for found in (self.room, self.headroom) if found is not None]
            start = min([self.more, *limits])
            if start < self.more:
                yield Effect("warn", "plus", parts(f"{start} of {self.more} pods start"), self._image())
            else:
                yield Effect("ok", "plus", parts(plural(start, "pod starts", "pods start")), self._image())
        elif self.more < 0:
            grace = self.template.spec.termination_grace_period_seconds
            seconds = GRACE_SECONDS if grace is None else grace
            has = "it has" if self.more == -1 else "each has"
            note = f"{has} {seconds} s to finish its requests, then it is killed"
            if self.replicas:
                note += "; those that are not ready go first, then the youngest"
            yield Effect("info", "end", parts(plural(-self.more, "pod ends", "pods end")), note)

    def _image(self) -> str:
        images = [one.image for one in self.template.spec.containers or () if one.image]
        return f"from {listed(images)}" if images else ""

    def on_resources(self) -> Iterator[Effect]:
        size = pod_amounts(self.template.spec)
        if self.more < 0:
            if freed := in_words(size, -self.more):
                nodes = sorted({pod.spec.node_name for pod in self.pods if pod.spec.node_name})
                note = f"on {listed(nodes)}" if nodes and not self.replicas else ""
                yield Effect("info", "gauge", parts(f"{freed} become free"), note)
        elif self.more > 0:
            yield from self._room_effects(in_words(size, self.more))

    def _room_effects(self, asked: str) -> Iterator[Effect]:
        room, headroom = self.room, self.headroom
        asks = f"{asked} more are asked for" if asked else "The pods ask for no CPU or memory"
        if room is None:
            yield Effect("info", "gauge", parts(asks))
        elif room.pods >= self.more:
            note = f"all of them fit on the nodes{_unsure(room)}"
            yield Effect("ok", "gauge", parts(asks), note)
        else:
            text = parts(f"{asks}: {room.pods} of {self.more} more pods fit")
            yield Effect("warn", "gauge", text, f"the others wait as Pending{_unsure(room)}", "too big")
        if headroom is not None:
            ref = Ref("ResourceQuota", self.namespace, headroom.quota, "resourcequotas")
            left = plural(headroom.pods, "more pod", "more pods")
            text = parts(bold(f"ResourceQuota {headroom.quota}"), f" leaves room for {left} of this size")
            state: EffectState = "ok" if headroom.pods >= self.more else "warn"
            word = "" if state == "ok" else "refuses"
            yield Effect(state, "gauge", text, f"{headroom.resource} runs out first", word, ref)

    @cached_property
    def room(self) -> Room | None:
        nodes = self.survey.all("nodes")
        return (
            room_on_nodes(self.template.spec, nodes, self.objects.all("pods"), self.more) if nodes else None
        )

    @cached_property
    def headroom(self) -> Headroom | None:
        return quota_headroom(self.template.spec, self.survey.all("resourcequotas"))

    # Who else has a say

    def on_budgets(self) -> Iterator[Effect]:
        labels = self.template.metadata.labels or {}
        for budget in self.survey.all("poddisruptionbudgets") if self.more < 0 else ():
            if selector_of(budget.spec.selector).matches(labels):
                name = budget.metadata.name
                ref = Ref("PodDisruptionBudget", self.namespace, name, "poddisruptionbudgets")
                text = parts(bold(f"PodDisruptionBudget {name}"), " does not prevent this")
                yield Effect(
                    "info", "info", text, "budgets guard against evictions, not against scaling", "", ref
                )

    def on_the_rest(self) -> Iterator[Effect]:
        if self.more < 0:
            text = parts("ConfigMaps, Secrets and volumes stay as they are")
            yield Effect("ok", "ok", text, "nothing is deleted but the pods")

    def on_autoscalers(self) -> Iterator[Notice]:
        for autoscaler in self.survey.all("horizontalpodautoscalers"):
            target = autoscaler.spec.scale_target_ref
            if (target.kind, target.name) == ("Deployment", self.name):
                yield self._autoscaler(autoscaler)

    def _autoscaler(self, autoscaler: HorizontalPodAutoscaler) -> Notice:
        least, most = autoscaler.spec.min_replicas, autoscaler.spec.max_replicas
        least = 1 if least is None else least
        name = autoscaler.metadata.name
        ref = Ref("HorizontalPodAutoscaler", self.namespace, name, "horizontalpodautoscalers")
        title = f"HorizontalPodAutoscaler {name} keeps {least} to {most} replicas"
        state: EffectState = "warn"
        if self.replicas == 0 and least > 0:
            text = "At 0 it switches itself off (ScalingDisabled) and will not bring pods back."
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
                text = f"It switches itself on again. {text}"
        return Notice(state, title, text, ref, "Look at the autoscaler")


def selector_of(selector: LabelSelector | None) -> Selector:
    try:
        return from_label_selector(selector)
    except SelectorError:  # only a server that does not validate lets one through
        return NOTHING


def reach(service: Service) -> str:
    ports = listed(str(port.port) for port in service.spec.ports or ())
    word = "port" if len(service.spec.ports or ()) == 1 else "ports"
    inside = "; also used inside the cluster by name" if service.spec.type != "ExternalName" else ""
    return f"{service.spec.type}, {word} {ports}{inside}" if ports else service.spec.type


def _all_end(count: int) -> str:
    return "Its only pod ends" if count == 1 else f"All {count} pods end"


def _unsure(room: Room) -> str:
    return f"; not reckoned: {listed(room.unsure)}" if room.unsure else ""
