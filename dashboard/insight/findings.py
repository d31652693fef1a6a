"""All rules over all objects: what is wrong now, worst first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from dashboard.kinds.base import Ref

from .finding import Finding
from .protocols import Objects
from .rules import network, nodes, others, workloads
from .survey import Known, Survey

Rule = Callable[[Survey, Known], Iterator[Finding]]

# In the order of cause and effect: later rules mark what follows from what earlier ones found.
RULES: tuple[Rule, ...] = (
    nodes.silent,
    nodes.under_pressure,
    nodes.cordoned,
    others.claims,
    workloads.pods_in_trouble,
    workloads.deployments,
    others.jobs,
    others.autoscalers,
    network.services,
    network.ingresses,
)
_NODE_RULES = (nodes.silent, nodes.under_pressure, nodes.cordoned)


def findings(objects: Objects, now: datetime) -> list[Finding]:
    """What is wrong now: bad before warn, causes before what follows from them, by weight, then by name.

    One problem is told once, about the object that a person would act on: the Deployment, not its pods.
    """
    return _run(Survey(objects, now), RULES)


def findings_for(objects: Objects, plural: str, namespace: str, name: str, now: datetime) -> list[Finding]:
    """What is wrong with one object, in the same order, with what follows from it (the Services before it).

    A pod's own problem is told about the pod, that of a ReplicaSet's pods about the ReplicaSet.
    """
    survey = Survey(objects, now, namespace or None)
    if plural == "nodes":
        return [found for found in _run(survey, _NODE_RULES) if found.name == name]
    if plural == "pods":
        return _of_pod(survey, namespace, name)
    if plural == "replicasets":
        return _of_replicaset(survey, namespace, name)
    wanted = (plural, namespace, name)
    return [one for one in _run(survey, RULES) if wanted in (_key(one.ref), _key(one.follows))]


def _key(ref: Ref | None) -> tuple[str, str, str]:
    return (ref.plural, ref.namespace, ref.name) if ref is not None else ("", "", "")


def _run(survey: Survey, rules: tuple[Rule, ...]) -> list[Finding]:
    known: Known = {}
    found: list[Finding] = []
    for rule in rules:
        for one in rule(survey, known):
            found.append(one)
            known.setdefault(one.ref, one)
    found.sort(key=_order)
    return found


def _order(one: Finding) -> tuple[bool, bool, int, str, str, str]:
    worst_first = one.severity != "bad", one.follows is not None, -one.weight
    # Not by since: a crash loop that is an hour old begins anew with every crash.
    return (*worst_first, one.namespace, one.plural, one.name)


def _of_pod(survey: Survey, namespace: str, name: str) -> list[Finding]:
    pod = survey.objects.get("pods", namespace, name)
    if pod is None or (trouble := survey.trouble(pod)) is None:
        return []
    return [workloads.told({}, Ref("Pod", namespace, name, "pods"), [(pod, trouble)])]


def _of_replicaset(survey: Survey, namespace: str, name: str) -> list[Finding]:
    group = [
        (pod, trouble)
        for pod in survey.all("pods")
        if (owner := pod.metadata.controller) is not None
        and (owner.kind, owner.name) == ("ReplicaSet", name)
        and (trouble := survey.trouble(pod)) is not None
    ]
    return [workloads.told({}, Ref("ReplicaSet", namespace, name, "replicasets"), group)] if group else []
