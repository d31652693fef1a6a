"""Services whose pods no NetworkPolicy lets anybody reach.

Rules: k8s.io/api/networking/v1/types.go. A pod that a policy selects for ingress takes only what a rule of such a policy
allows; a rule without ports allows all of them. Whom a rule lets in is not judged here: somebody may be there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dashboard.insight.finding import Evidence, Finding, Severity, Step, subject
from dashboard.insight.observed import Observed
from dashboard.insight.traffic import declared, port_number
from dashboard.insight.words import parts
from dashboard.kinds.base import Ref
from dashboard.kinds.networkpolicies import NetworkPolicy, PolicyPort
from dashboard.kinds.pods import Pod
from dashboard.kinds.rows import listed
from dashboard.kinds.selectors import SelectorError, from_label_selector
from dashboard.kinds.services import Service, ServicePort

from .serviceports import pod_behind

# Plug-ins that also read policies of kinds of their own: one of those may let in what no NetworkPolicy does.
_OTHERS = "of Cilium or Calico"


def closed(survey: Observed, service: Service, ref: Ref, *, exposed: bool) -> Iterator[Finding]:
    """What nobody reaches behind a Service that has ready endpoints: all of it, or a port. Only where that is certain by
    all NetworkPolicies; whether they are enforced is up to the network plug-in.
    """
    policies = survey.objects.all("networkpolicies", ref.namespace)
    if not policies or not survey.reads("networkpolicies", ref.namespace):
        return
    names = sorted(survey.endpoints(service))
    pods = [pod for name in names if (pod := pod_behind(survey, service, name)) is not None]
    try:
        selectors = [(one, from_label_selector(one.spec.pod_selector)) for one in policies if one.guards[0]]
    except SelectorError:
        return
    # Pods of a template share their decoded labels.
    by_labels = {id(pod.metadata.labels): pod.metadata.labels for pod in pods}
    guarding = {
        at: [one for one, selector in selectors if selector.matches(labels)]
        for at, labels in by_labels.items()
    }
    guards = [guarding[id(pod.metadata.labels)] for pod in pods]
    if not pods or len(pods) < len(names) or not all(guards) or any(pod.spec.host_network for pod in pods):
        return
    found = list({one.metadata.name: one for each in guards for one in each}.values())
    severity: Severity = "warn" if exposed else "note"
    if not any(one.spec.ingress for one in found):
        yield _finding(ref, severity, "", "", found)
        return
    for port in service.spec.ports or ():
        if not any(_open(port, pod, each) for pod, each in zip(pods, guards, strict=True)):
            at = f" on port {port_number(port, pods[0])}"
            yield _finding(ref, severity, f" on port {port.port}", at, found)


def _open(port: ServicePort, pod: Pod, policies: Sequence[NetworkPolicy]) -> bool:
    """Whether a rule may let somebody in where the port leads at a pod; where that is not known, it may."""
    number = port_number(port, pod)
    rules = [rule for one in policies for rule in one.spec.ingress or ()]
    return number is None or any(
        not rule.ports or any(_fits(each, number, port.protocol, pod) for each in rule.ports)
        for rule in rules
    )


def _fits(allowed: PolicyPort, number: int, protocol: str, pod: Pod) -> bool:
    if allowed.protocol != protocol:
        return False
    if allowed.port is None:
        return True
    if isinstance(allowed.port, int):
        return allowed.port <= number <= (allowed.end_port or allowed.port)
    named = [one for one in declared(pod) if one.name == allowed.port and one.protocol == protocol]
    return any(one.container_port == number for one in named)


def _finding(ref: Ref, severity: Severity, on: str, at: str, policies: Sequence[NetworkPolicy]) -> Finding:
    names = [one.metadata.name for one in policies]
    refs = [Ref("NetworkPolicy", ref.namespace, name, "networkpolicies") for name in names]
    who = f"NetworkPolicy {names[0]} lets" if len(names) == 1 else f"NetworkPolicies {listed(names)} let"
    text = parts(
        *subject(ref),
        f" can't be reached{on} if the network plug-in enforces NetworkPolicies: {who} nothing in to its pods{at}.",
    )
    todo = "Allow its clients in an ingress rule; nothing, if they run on the pods' own node, or a policy of another kind"
    step = Step(f"{todo} ({_OTHERS}) lets them in.", refs[0], "yaml")
    evidence = tuple(
        Evidence(f"NetworkPolicy {one.metadata.name}", _rules(one), to)
        for one, to in zip(policies, refs, strict=True)
    )
    return Finding("service-closed", severity, 41, ref, text, step, evidence, shared=on)


def _rules(policy: NetworkPolicy) -> str:
    count = len(policy.spec.ingress or ())
    return f"{count} ingress rule{'' if count == 1 else 's'}" if count else "no ingress rule"
