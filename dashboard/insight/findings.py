"""All rules over all objects: what is wrong now, worst first."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from dashboard.kinds import CUSTOM, KINDS
from dashboard.kinds.base import Ref
from dashboard.kinds.catalogue import APISERVICES, RESOURCE_CLAIMS
from dashboard.kinds.references import reference
from dashboard.kinds.webhooks import WEBHOOKS

from .declared import DECLARED, Rule, declared_reads
from .finding import RANK, Finding, Known
from .ownership import controller
from .protocols import Objects
from .reliance import Reliances
from .rules import (
    access,
    apiservices,
    autoscalers,
    budgets,
    ingresses,
    jobs,
    namespaces,
    nodes,
    services,
    storage,
    webhooks,
    workloads,
)
from .rules.pods import pod_troubles
from .scheduling.reasons import node_by_node
from .survey import Survey

# In the order of cause and effect: later rules mark what follows from what earlier ones found. Plugins' come after them.
RULES: tuple[Rule, ...] = (
    nodes.unready,
    nodes.under_pressure,
    nodes.cordoned,
    nodes.versions,
    nodes.reported,
    storage.claims,
    storage.volumes,
    webhooks.without_service,
    workloads.keepers,
    workloads.replicasets,
    workloads.pods_of_others,
    jobs.jobs,
    jobs.cronjobs,
    services.services,
    webhooks.without_endpoints,
    ingresses.ingresses,
    apiservices.unavailable,
    autoscalers.autoscalers,
    namespaces.stuck,
    budgets.budgets,
    access.bindings,
)
# Every kind that the rules read, but for those about access rights.
READ = frozenset(
    {
        "nodes", "namespaces", "persistentvolumeclaims", "persistentvolumes", "storageclasses", "pods", "replicasets",
        "deployments", "statefulsets", "daemonsets", "jobs", "cronjobs", "horizontalpodautoscalers",
        "poddisruptionbudgets", "services", "endpointslices", "ingresses", "ingressclasses", "networkpolicies",
        "configmaps", "secrets", "events",
    }
)  # fmt: skip
ACCESS = frozenset({"rolebindings", "clusterrolebindings", "roles", "clusterroles", "serviceaccounts"})
# The rules about objects that have no namespace look at nothing else.
_ALONE: dict[str, tuple[Rule, ...]] = {
    "nodes": (nodes.unready, nodes.under_pressure, nodes.cordoned, nodes.versions, nodes.reported),
    "namespaces": (webhooks.without_service, apiservices.unavailable, namespaces.stuck),
    APISERVICES.key: (apiservices.unavailable,),
    "persistentvolumes": (storage.volumes,),
    "clusterrolebindings": (access.bindings,),
    **dict.fromkeys(
        (kind.plural for kind in WEBHOOKS), (webhooks.without_service, webhooks.without_endpoints)
    ),
}


def findings(objects: Objects, now: datetime) -> list[Finding]:
    """What is wrong now: bad before warn, causes before what follows from them, by weight, then by what relies on
    them, then by name.

    One problem is told once, about the object that a person would act on: the Deployment, not its pods. Notes, which
    are no problems by themselves, come last.
    """
    return _every(Survey(objects, now))


def _every(survey: Survey) -> list[Finding]:
    return _run(survey, (*RULES, *(each.find for each in DECLARED)))


def read_for(plural: str) -> frozenset[str]:
    """The kinds that the rules read to tell what is wrong with an object of this kind, whether or not a cluster offers
    them.
    """
    read = READ | declared_reads() | {RESOURCE_CLAIMS, *(kind.plural for kind in WEBHOOKS)}
    if plural in ("namespaces", "horizontalpodautoscalers"):
        return read | {APISERVICES.key}
    return read | ACCESS if plural in ACCESS else read


def findings_for(
    objects: Objects,
    plural: str,
    namespace: str,
    name: str,
    now: datetime,
    *,
    group: str = "",
    kind: str = "",
) -> list[Finding]:
    """What is wrong with one object, in the same order, with what follows from it (the Services before it) and what
    has its next step there, and with more evidence: for a pod without a node, each node's reasons.

    A pod's own problems, of each of its containers, are told about the pod, that of a ReplicaSet's pods about the
    ReplicaSet; a CronJob's Jobs are told with it. A kind without a module here is known to the rules by its ``group`` and
    ``kind``.
    """
    survey = Survey(objects, now, namespace or None)
    if plural in KINDS or plural in _ALONE:
        found = _of(survey, plural, namespace, name)
    else:
        found = _of_other(survey, plural, (group, kind, name), namespace)
    return [_closer(survey, one) for one in found]


def _of_other(survey: Survey, plural: str, wanted: tuple[str, str, str], namespace: str) -> list[Finding]:
    """About an object of a kind without a module here; pods name one that has no namespace from their own. A plugin's
    rules may name one of its kinds by the plural.
    """

    def means(ref: Ref | None) -> bool:
        if ref is None or namespace not in ("", ref.namespace):
            return False
        if ref.plural:
            return plural in CUSTOM and (ref.plural, ref.name) == (plural, wanted[2])
        return (ref.group, ref.kind, ref.name) == wanted

    return [one for one in _every(survey) if any(map(means, (one.ref, one.follows, one.step.ref)))]


def _of(survey: Survey, plural: str, namespace: str, name: str) -> list[Finding]:
    if plural in _ALONE:
        return [
            found for found in _run(survey, _ALONE[plural]) if (found.plural, found.name) == (plural, name)
        ]
    if plural == "pods":
        return _of_pod(survey, namespace, name)
    if plural == "replicasets":
        obj = survey.objects.get("replicasets", namespace, name)
        return list(workloads.replicaset(survey, obj)) if obj is not None else []
    if plural not in READ | ACCESS:
        return [one for one in _every(survey) if _key(one.step.ref) == (plural, namespace, name)]
    wanted = {(plural, namespace, name)}
    if plural == "cronjobs":
        wanted |= _made_by(survey, namespace, name)
    every = _every(survey)
    return [one for one in every if wanted & {_key(one.ref), _key(one.follows), _key(one.step.ref)}]


def _made_by(survey: Survey, namespace: str, cron: str) -> set[tuple[str, str, str]]:
    return {
        ("jobs", namespace, job.metadata.name)
        for job in survey.all("jobs")
        if controller(survey.objects, job)[0] == reference("CronJob", namespace, cron)
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
    known_by = Reliances(survey)
    found = _raised(found, known)
    found = [one if one.severity == "note" else replace(one, reliance=known_by.of(one)) for one in found]
    found.sort(key=order)
    return found


def _raised(found: list[Finding], known: Known) -> list[Finding]:
    """A cause is as bad as the worst that follows from it: a pod that only warns stands for the Service that is down with
    it. What follows comes after its cause.
    """
    harm: dict[Ref, Finding] = {}
    raised = []
    for one in reversed(found):
        if known[one.ref] is one and one.severity != "note":
            worst = min(one, harm.get(one.ref, one), key=_harm)
            one = replace(one, severity=worst.severity, weight=worst.weight)
        if one.follows is not None:
            harm[one.follows] = min(one, harm.get(one.follows, one), key=_harm)
        raised.append(one)
    return raised


def _harm(one: Finding) -> tuple[int, int]:
    return RANK[one.severity], -one.weight


def order(one: Finding) -> tuple[int, bool, int, int, int, int, str, str, str]:
    """The key by which findings stand on a page: the worst first; of equals, what most relies on."""
    outside, services, pods = one.reliance
    worst_first = RANK[one.severity], one.follows is not None, -one.weight
    return (*worst_first, -outside, -services, -pods, one.namespace, one.plural, one.name)


def _of_pod(survey: Survey, namespace: str, name: str) -> list[Finding]:
    pod = survey.objects.get("pods", namespace, name)
    if pod is None or not (troubles := pod_troubles(survey, pod)):
        return []
    causes: Known = {}
    if any(trouble.because for trouble in troubles):
        every = _run(survey, (nodes.unready, nodes.under_pressure, nodes.cordoned, storage.claims))
        causes = {one.ref: one for one in every}
    ref = Ref("Pod", namespace, name, "pods")
    return sorted((workloads.told(causes, ref, [(pod, trouble)]) for trouble in troubles), key=order)


def _closer(survey: Survey, found: Finding) -> Finding:
    """The finding with what takes longer to find out, for the page of one object."""
    pod = survey.objects.get("pods", found.pod.namespace, found.pod.name) if found.pod is not None else None
    if pod is None or found.rule != "pod-unschedulable":
        return found
    return replace(found, evidence=(*found.evidence, *node_by_node(survey, pod)))
