"""Usage, requests, limits and allocatable out of Prometheus, by the names of cAdvisor and kube-state-metrics."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from dashboard.kinds.usage import NodeUse, PodUse, Use
from dashboard.kube.prometheus import Answer, Prometheus, PrometheusError

Resource = Literal["cpu", "memory"]
Times = tuple[float, ...]
Values = tuple[float | None, ...]
RESOURCES: tuple[Resource, ...] = ("cpu", "memory")

# How far back, and a point each so many seconds: a quarter of a thousand points at most.
RANGES: Mapping[str, tuple[float, float]] = {
    "1h": (3600.0, 15.0),
    "6h": (6 * 3600.0, 90.0),
    "24h": (24 * 3600.0, 360.0),
    "7d": (7 * 86400.0, 2520.0),
}
RATE_SECONDS = 300.0  # four scrapes and more, at the usual interval of a minute

_USED = {"cpu": "container_cpu_usage_seconds_total", "memory": "container_memory_working_set_bytes"}
_CONTAINERS = {"container!": ("", "POD")}
_GENERATED = "-[bcdfghjklmnpqrstvwxz2456789]{1,10}"  # k8s.io/apimachinery/pkg/util/rand


@dataclass(frozen=True)
class Lines:
    """Values of one resource at common moments (Unix time): of what is used, requested, …; None: not known."""

    at: Times = ()
    lines: Mapping[str, Values] = field(default_factory=dict)


@dataclass(frozen=True)
class Question:
    """What a chart wants to know. ``name`` with ``plural``: one node, pod, namespace or workload; without: all
    nodes, or the pods of some namespaces."""

    range: str
    plural: str = ""
    namespace: str = ""
    name: str = ""
    namespaces: frozenset[str] | None = None

    @property
    def step(self) -> float:
        return RANGES[self.range][1]


@dataclass(frozen=True)
class History:
    """The answer, by resource; ``notes`` say what Prometheus does not know."""

    lines: Mapping[Resource, Lines]
    notes: tuple[str, ...] = ()

    @property
    def newest(self) -> float | None:
        """The moment of its latest figure."""
        return max((lines.at[-1] for lines in self.lines.values() if lines.at), default=None)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)  # PromQL's strings follow Go's; JSON's are among them


class PromQL:
    """The words of questions to a Prometheus; ``labels`` go into each selector."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._labels = labels

    def select(self, metric: str, matchers: Mapping[str, str | Iterable[str]] = {}, /) -> str:
        """``metric{…}``. A key ends in ``!`` for unequal, in ``~`` for a pattern; several values are all demanded."""
        found = [f"{key}={_text(value)}" for key, value in self._labels.items()]
        for key, values in matchers.items():
            sign = {"!": "!=", "~": "=~"}.get(key[-1], "=")
            each = (values,) if isinstance(values, str) else values
            found += [f"{key.rstrip('!~')}{sign}{_text(value)}" for value in each]
        return f"{metric}{{{','.join(found)}}}"

    def used(self, resource: Resource, matchers: Mapping[str, str | Iterable[str]], window: float) -> str:
        selected = self.select(_USED[resource], matchers)
        return f"rate({selected}[{window:.0f}s])" if resource == "cpu" else selected

    def asked(self, what: Literal["requests", "limits"], resource: Resource, pods: dict[str, str]) -> str:
        """Of pods that are on a node and have not ended: kube-state-metrics tells of the others too."""
        placed = {"node!": ""} if "node" not in pods else {}
        metric = self.select(f"kube_pod_container_resource_{what}", {"resource": resource, **placed, **pods})
        phase = self.select("kube_pod_status_phase", {"phase~": "Pending|Running"})
        return f"{metric} * on (namespace, pod) group_left () (max by (namespace, pod) ({phase}) == 1)"

    def questions(self, question: Question, resource: Resource) -> dict[str, str]:
        """What to ask, by the name of the line."""
        window = max(RATE_SECONDS, question.step)
        asked: dict[str, Literal["requests", "limits"]] = {"requested": "requests", "limits": "limits"}
        match question.plural:
            case "" if question.namespaces is None:
                used = self.used(resource, {"id": "/"}, window)
                pods: dict[str, str] = {}
            case "nodes":
                return self._of_node(question.name, resource, window)
            case "" | "namespaces" | "pods":
                pods = _pods(question)
                used = self.used(resource, {**pods, **_CONTAINERS}, window)
            case _:
                return self._of_workload(question, resource, window)
        found = {"used": f"sum({used})"}
        found |= {line: f"sum({self.asked(what, resource, pods)})" for line, what in asked.items()}
        if not question.plural and question.namespaces is None:
            found["allocatable"] = (
                f"sum({self.select('kube_node_status_allocatable', {'resource': resource})})"
            )
        return found

    def _of_node(self, name: str, resource: Resource, window: float) -> dict[str, str]:
        # The kubelet's own job labels its node "node" or "instance", which may carry a port.
        by_label = [
            self.used(resource, {"id": "/", **matcher}, window)
            for matcher in ({"node": name}, {"instance~": f"{re.escape(name)}(:[0-9]+)?"})
        ]
        on_node = {"node": name}
        return {
            "used": " or ".join(f"sum({one})" for one in by_label),
            "requested": f"sum({self.asked('requests', resource, on_node)})",
            "limits": f"sum({self.asked('limits', resource, on_node)})",
            "allocatable": f"sum({self.select('kube_node_status_allocatable', {'resource': resource, 'node': name})})",
        }

    def _of_workload(self, question: Question, resource: Resource, window: float) -> dict[str, str]:
        pods = {"namespace": question.namespace}
        owned = self.select("kube_pod_owner", {**pods, **_owner(question.plural, question.name)})
        join = f"* on (namespace, pod) group_left () max by (namespace, pod) ({owned})"
        return {
            "used": f"sum({self.used(resource, {**pods, **_CONTAINERS}, window)} {join})",
            "requested": f"sum({self.asked('requests', resource, pods)} {join})",
            "limits": f"sum({self.asked('limits', resource, pods)} {join})",
        }


def _pods(question: Question) -> dict[str, str]:
    if question.plural == "pods":
        return {"namespace": question.namespace, "pod": question.name}
    names = {question.name} if question.plural else question.namespaces or ()
    return {"namespace~": "|".join(re.escape(name) for name in sorted(names))}


def _owner(plural: str, name: str) -> dict[str, str]:
    """The direct owner of the pods: a Deployment's are its ReplicaSets, a CronJob's its Jobs."""
    kinds = {
        "statefulsets": "StatefulSet",
        "daemonsets": "DaemonSet",
        "jobs": "Job",
        "replicasets": "ReplicaSet",
    }
    if plural in kinds:
        return {"owner_kind": kinds[plural], "owner_name": name}
    if plural == "deployments":
        return {"owner_kind": "ReplicaSet", "owner_name~": re.escape(name) + _GENERATED}
    return {"owner_kind": "Job", "owner_name~": re.escape(name) + "-[0-9]+"}


async def history(prometheus: Prometheus, question: Question, now: float | None = None) -> History:
    """Raises PrometheusError when what is used cannot be told; lines that are only not known are left out."""
    length, step = RANGES[question.range]
    end = ((time.time() if now is None else now) // step) * step
    promql = PromQL(prometheus.target.labels)
    asked = {
        (resource, line): text
        for resource in RESOURCES
        for line, text in promql.questions(question, resource).items()
    }
    answers = await asyncio.gather(
        *(prometheus.query_range(text, start=end - length, end=end, step=step) for text in asked.values())
    )
    by_line = dict(zip(asked, answers, strict=True))
    lines = {resource: _lines(by_line, resource) for resource in RESOURCES}
    return History(lines, _notes(by_line, lines))


def _lines(answers: Mapping[tuple[Resource, str], Answer], resource: Resource) -> Lines:
    values = {
        line: dict(answer.series[0].points)
        for (of, line), answer in answers.items()
        if of == resource and answer.series
    }
    at = tuple(sorted({moment for each in values.values() for moment in each}))
    return Lines(at, {line: tuple(each.get(moment) for moment in at) for line, each in values.items()})


def _notes(
    answers: Mapping[tuple[Resource, str], Answer], lines: Mapping[Resource, Lines]
) -> tuple[str, ...]:
    notes = []
    missing = [resource for resource, each in lines.items() if "used" not in each.lines]
    if missing:
        words = " and ".join("CPU" if each == "cpu" else each for each in missing)
        notes.append(
            f"Prometheus has no figures of the {words} in use here ({_USED[missing[0]]}, from cAdvisor)."
        )
    if not any("requested" in each.lines for each in lines.values()):
        notes.append("Prometheus has no requests here: it seems not to scrape kube-state-metrics.")
    warnings = {warning for answer in answers.values() for warning in answer.warnings}
    notes += [f"Prometheus warns: {warning}" for warning in sorted(warnings)[:2]]
    return tuple(notes)


class PrometheusUsage:
    """What is used now, where the cluster serves no metrics of its own."""

    name = "Prometheus"

    def __init__(self, prometheus: Prometheus, node_names: Callable[[], Mapping[str, str]]) -> None:
        """``node_names`` gives the node's name for a name or an address of it."""
        self._prometheus = prometheus
        self._promql = PromQL(prometheus.target.labels)
        self._node_names = node_names

    async def nodes(self) -> dict[str, NodeUse]:
        """What each node uses. Raises PrometheusError."""
        cpu, memory = await self._both("node, instance", {"id": "/"})
        names = self._node_names()
        found: dict[str, NodeUse] = {}
        for labels, (at, used) in cpu.items():
            node, instance = dict(labels).get("node", ""), dict(labels).get("instance", "")
            name = names.get(node) or names.get(instance) or names.get(instance.rpartition(":")[0])
            if name and labels in memory:
                found[name] = NodeUse(at, Use(used, memory[labels][1]))
        return found

    async def pods(self, namespaces: frozenset[str] | None) -> dict[tuple[str, str], PodUse]:
        """What each pod uses, by namespace and name. Raises PrometheusError."""
        matchers: dict[str, str | Iterable[str]] = dict(_CONTAINERS)
        if namespaces is not None:
            matchers["namespace~"] = "|".join(re.escape(name) for name in sorted(namespaces))
        cpu, memory = await self._both("namespace, pod, container", matchers)
        containers: dict[tuple[str, str], dict[str, Use]] = {}
        moments: dict[tuple[str, str], float] = {}
        for labels in cpu.keys() & memory.keys():
            named = dict(labels)
            key = named.get("namespace", ""), named.get("pod", "")
            moments[key] = cpu[labels][0]
            containers.setdefault(key, {})[named.get("container", "")] = Use(
                cpu[labels][1], memory[labels][1]
            )
        return {key: PodUse(moments[key], found) for key, found in containers.items()}

    async def _both(
        self, labels: str, matchers: Mapping[str, str | Iterable[str]]
    ) -> tuple[_Vector, _Vector]:
        cpu, memory = await asyncio.gather(
            *(
                self._prometheus.query(
                    f"sum by ({labels}) ({self._promql.used(resource, matchers, RATE_SECONDS)})"
                )
                for resource in RESOURCES
            )
        )
        return _vector(cpu), _vector(memory)


_Vector = dict[frozenset[tuple[str, str]], tuple[float, float]]


def _vector(answer: Answer) -> _Vector:
    return {frozenset(one.labels.items()): one.points[-1] for one in answer.series if one.points}


__all__ = [
    "RANGES",
    "History",
    "Lines",
    "PromQL",
    "PrometheusError",
    "PrometheusUsage",
    "Question",
    "history",
]
