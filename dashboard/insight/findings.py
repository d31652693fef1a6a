"""All rules over all objects: what is wrong now, worst first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

from dashboard.kinds.base import Ref

from .finding import RANK, Finding
from .placement import node_by_node
from .protocols import Objects
from .rules import (
    access,
    autoscalers,
    budgets,
    ingresses,
    jobs,
    namespaces,
    nodes,
    services,
    storage,
    workloads,
)
from .rules.pods import pod_troubles
from .survey import Known, Survey

Rule = Callable[[Survey, Known], Iterator[Finding]]

# In the order of cause and effect: later rules mark what follows from what earlier ones found.
RULES: tuple[Rule, ...] = (
    nodes.unready,
    nodes.under_pressure,
    nodes.cordoned,
    nodes.versions,
    namespaces.stuck,
    storage.claims,
    storage.volumes,
    workloads.keepers,
    workloads.replicasets,
    workloads.pods_of_others,
    jobs.jobs,
    jobs.cronjobs,
    autoscalers.autoscalers,
    budgets.budgets,
    services.services,
    ingresses.ingresses,
    access.bindings,
)
# Every kind that the rules read, but for those about access rights.
READ = frozenset(
    {
        "nodes", "namespaces", "persistentvolumeclaims", "persistentvolumes", "storageclasses", "pods", "replicasets",
        "deployments", "statefulsets", "daemonsets", "jobs", "cronjobs", "horizontalpodautoscalers",
        "poddisruptionbudgets", "services", "endpointslices", "ingresses", "ingressclasses", "secrets",
        "events",
    }
)  # fmt: skip
ACCESS = frozenset({"rolebindings", "clusterrolebindings", "roles", "clusterroles", "serviceaccounts"})
# The rules about objects that have no namespace look at nothing else.
_ALONE: dict[str, tuple[Rule, ...]] = {
    "nodes": (nodes.unready, nodes.under_pressure, nodes.cordoned, nodes.versions),
    "namespaces": (namespaces.stuck,),
    "persistentvolumes": (storage.volumes,),
    "clusterrolebindings": (access.bindings,),
}


def findings(objects: Objects, now: datetime) -> list[Finding]:
    """What is wrong now: bad before warn, causes before what follows from them, by weight, then by name.

    One problem is told once, about the object that a person would act on: the Deployment, not its pods. Notes, which
    are no problems by themselves, come last.
    """
    return _run(Survey(objects, now), RULES)


def read_for(plural: str) -> frozenset[str]:
    """The kinds that the rules read to tell what is wrong with an object of this kind."""
    return READ | ACCESS if plural in ACCESS else READ


def findings_for(objects: Objects, plural: str, namespace: str, name: str, now: datetime) -> list[Finding]:
    """What is wrong with one object, in the same order, with what follows from it (the Services before it) and what
    has its next step there, and with more evidence: for a pod without a node, each node's reasons.

    A pod's own problems, of each of its containers, are told about the pod, that of a ReplicaSet's pods about the
    ReplicaSet; a CronJob's Jobs are told with it.
    """
    survey = Survey(objects, now, namespace or None)
    return [_closer(survey, one) for one in _of(survey, plural, namespace, name)]


def _of(survey: Survey, plural: str, namespace: str, name: str) -> list[Finding]:
    if plural in _ALONE:
        return [found for found in _run(survey, _ALONE[plural]) if found.name == name]
    if plural == "pods":
        return _of_pod(survey, namespace, name)
    if plural == "replicasets":
        obj = survey.objects.get("replicasets", namespace, name)
        return list(workloads.replicaset(survey, obj)) if obj is not None else []
    if plural not in READ | ACCESS:
        return [one for one in _run(survey, RULES) if _key(one.step.ref) == (plural, namespace, name)]
    wanted = {(plural, namespace, name)}
    if plural == "cronjobs":
        wanted |= _made_by(survey, namespace, name)
    every = _run(survey, RULES)
    return [one for one in every if wanted & {_key(one.ref), _key(one.follows), _key(one.step.ref)}]


def _made_by(survey: Survey, namespace: str, cron: str) -> set[tuple[str, str, str]]:
    return {
        ("jobs", namespace, job.metadata.name)
        for job in survey.all("jobs")
        if (owner := job.metadata.controller) is not None and (owner.kind, owner.name) == ("CronJob", cron)
    }


def _key(ref: Ref | None) -> tuple[str, str, str]:
    return (ref.plural, ref.namespace, ref.name) if ref is not None else ("", "", "")


def _run(survey: Survey, rules: tuple[Rule, ...]) -> list[Finding]:
    known: Known = {}
    found: list[Finding] = []
    for rule in rules:
        for one in rule(survey, known):
            if one.namespace in survey.ending_namespaces:
                continue  # everything in it is on its way out, one after the other
            found.append(one)
            if one.ref not in known or (known[one.ref].severity == "note" and one.severity != "note"):
                known[one.ref] = one
    found.sort(key=order)
    return found


def order(one: Finding) -> tuple[int, bool, int, str, str, str]:
    """The key by which findings stand on a page."""
    worst_first = RANK[one.severity], one.follows is not None, -one.weight
    # Not by since: a crash loop that is an hour old begins anew with every crash.
    return (*worst_first, one.namespace, one.plural, one.name)


def _of_pod(survey: Survey, namespace: str, name: str) -> list[Finding]:
    pod = survey.objects.get("pods", namespace, name)
    if pod is None or not (troubles := pod_troubles(survey, pod)):
        return []
    causes: Known = {}
    if any(trouble.because is not None for trouble in troubles):
        every = _run(survey, (nodes.unready, storage.claims))
        causes = {one.ref: one for one in every}
    ref = Ref("Pod", namespace, name, "pods")
    return sorted((workloads.told(causes, ref, [(pod, trouble)]) for trouble in troubles), key=order)


def _closer(survey: Survey, found: Finding) -> Finding:
    """The finding with what takes longer to find out, for the page of one object."""
    pod = survey.objects.get("pods", found.pod.namespace, found.pod.name) if found.pod is not None else None
    if pod is None or found.rule != "pod-unschedulable":
        return found
    return replace(found, evidence=(*found.evidence, *node_by_node(survey, pod)))
