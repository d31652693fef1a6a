"""What can be wrong with Services: nobody behind them, a port that nobody has, no address from outside."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from datetime import datetime, timedelta

from dashboard.insight.finding import Evidence, Finding, Page, Severity, Step, reported, stands, subject
from dashboard.insight.survey import Known, Survey
from dashboard.insight.words import Part, Parts, code, parts
from dashboard.kinds.base import Ref
from dashboard.kinds.meta import find_condition
from dashboard.kinds.pods import Pod
from dashboard.kinds.rows import plural
from dashboard.kinds.selectors import format_labels, from_labels
from dashboard.kinds.services import Service, ServicePort

from .nearest import nearest
from .templates import knows_templates, templates

# Pods and Services are made one after the other, and pods need a while to get ready.
STARTING = timedelta(minutes=1)
# Clouds need a minute or two for a load balancer.
BALANCING = timedelta(minutes=3)


def services(survey: Survey, known: Known) -> Iterator[Finding]:
    """Each Service by the first of its problems, and besides by its address from outside."""
    for service in survey.all("services"):
        if service.metadata.deletion_timestamp is not None:
            continue
        ref = Ref("Service", service.metadata.namespace, service.metadata.name, "services")
        found = _external_name(service, ref) or _behind(survey, known, service, ref)
        if found is not None:
            yield found
        if (found := _pending(survey, service, ref)) is not None:
            yield found


def _behind(survey: Survey, known: Known, service: Service, ref: Ref) -> Finding | None:
    """Whether pods answer, and on the right port."""
    spec = service.spec
    if not spec.selector or spec.type == "ExternalName" or not survey.reads("pods", ref.namespace):
        return None  # somebody else keeps its endpoints
    if survey.answers(service):
        return _ports(survey, service, ref)
    if spec.publish_not_ready_addresses and survey.selected(service):
        return None  # it wants unready ones as well
    return _no_endpoint(survey, known, service, ref)


def _no_endpoint(survey: Survey, known: Known, service: Service, ref: Ref) -> Finding | None:
    pods = survey.selected(service)
    if not pods:
        return _selects_nothing(survey, known, service, ref)
    owner = survey.owner(pods[0])
    cause = _problem(known, owner)
    if cause is None and not any(survey.older(_unready_since(pod), STARTING) for pod in pods):
        return None  # they only just started
    none = "its only pod is not ready" if len(pods) == 1 else f"none of its {len(pods)} pods is ready"
    text = parts(*subject(ref), f" has no ready endpoint: {none}, so it answers nobody.")
    evidence = (
        *stands("spec.selector", f"{format_labels(service.spec.selector)}: {plural(len(pods), 'pod')}"),
        *stands("EndpointSlices", "no endpoint is ready"),
    )
    step, since = Step(f"Look at {owner.kind} {owner.name}.", owner), max(map(_unready_since, pods), key=str)
    found = Finding("service-no-endpoint", "bad", 75, ref, text, step, evidence, since)
    return found.following(cause)


def _problem(known: Known, ref: Ref) -> Finding | None:
    found = known.get(ref)
    return found if found is not None and found.severity != "note" else None


def _unready_since(pod: Pod) -> datetime | None:
    ready = find_condition(pod.status.conditions or (), "Ready")
    return ready.last_transition_time if ready is not None else pod.metadata.creation_timestamp


def _selects_nothing(survey: Survey, known: Known, service: Service, ref: Ref) -> Finding | None:
    selector, labels = from_labels(service.spec.selector), format_labels(service.spec.selector)
    meant = [one for one in templates(survey, ref.namespace) if selector.matches(one.labels)]
    if meant:
        one = meant[0]
        if not one.size:
            return _rests(service, ref, one.ref)
        cause = _problem(known, one.ref)
        if cause is None:
            return None  # its pods are just being made
        text = parts(*subject(ref), f" answers nobody: {one.ref.kind} {one.ref.name} has no pods.")
        return Finding(
            "service-no-endpoint", "bad", 75, ref, text, evidence=stands("spec.selector", labels)
        ).following(cause)
    if not survey.older(service.metadata.creation_timestamp, STARTING):
        return None
    text = parts(*subject(ref), " selects no pod: none has the labels ", code(labels), ".")
    evidence, step = (
        stands("spec.selector", labels),
        Step("Correct its selector, or start the pods it is meant for.", ref, "yaml"),
    )
    if near := nearest(survey, ref.namespace, service.spec.selector or {}):
        text = parts(
            *text, f" The nearest is {near.ref.kind} {near.ref.name}: ", *_differences(near.differences), "."
        )
        evidence = (
            *evidence,
            Evidence(f"Pods of {near.ref.kind} {near.ref.name}", format_labels(near.labels), near.ref),
        )
        step = Step(f"Make its selector like the labels of {near.ref.kind} {near.ref.name}.", ref, "yaml")
    since = service.metadata.creation_timestamp
    # It may be meant for a workload that is scaled to 0 and that may not be seen.
    severity: Severity = "warn" if knows_templates(survey, ref.namespace) else "note"
    return Finding("service-selects-nothing", severity, 52, ref, text, step, evidence, since)


def _differences(found: tuple[tuple[str, str], ...]) -> Parts:
    pieces: list[str | Part] = []
    for has, wants in found:
        pieces += [", " if pieces else "", code(has), " instead of ", code(wants)]
    return parts(*pieces)


def _rests(service: Service, ref: Ref, owner: Ref) -> Finding:
    """What it stands before is scaled to 0, on purpose, or runs only now and then."""
    rests = (
        "is scaled to 0"
        if owner.plural in ("deployments", "statefulsets", "replicasets")
        else "runs no pods now"
    )
    text = parts(*subject(ref), f" answers nobody: {owner.kind} {owner.name} behind it {rests}.")
    page: Page = "scale" if owner.plural == "deployments" else ""
    step = Step(f"Scale {owner.kind} {owner.name} up when it is needed again.", owner, page)
    if rests != "is scaled to 0":
        step = Step("Nothing, when that is as wanted.", owner)
    evidence = stands("spec.selector", format_labels(service.spec.selector))
    return Finding("service-scaled-to-zero", "note", 20, ref, text, step, evidence)


def _ports(survey: Survey, service: Service, ref: Ref) -> Finding | None:
    """Whether one of the pods that it sends traffic to has the ports that it sends it to."""
    pod = _an_endpoint(survey, service)
    if pod is None:
        return None
    declared = [port for one in pod.spec.containers or () for port in one.ports or ()]
    declared += [port for one in pod.spec.init_containers or () if one.sidecar for port in one.ports or ()]
    owner = survey.owner(pod)
    for port in service.spec.ports or ():
        same = [each for each in declared if each.protocol == port.protocol]
        has = ", ".join(
            f"{each.name or 'unnamed'} {each.container_port}/{each.protocol}" for each in declared
        )
        evidence = (
            *stands(f"spec.ports, port {port.port}", f"targetPort {_target(port)}"),
            Evidence(f"Ports of pod {pod.metadata.name}", has or "none declared", _pod_ref(pod)),
        )
        if isinstance(port.target_port, str) and all(each.name != port.target_port for each in same):
            return _named_port(ref, port, owner, evidence)
        number = port.target_port or port.port
        if same and isinstance(number, int) and all(each.container_port != number for each in same):
            return _undeclared(ref, port, number, owner, evidence)
    return None


def _an_endpoint(survey: Survey, service: Service) -> Pod | None:
    namespace = service.metadata.namespace
    for one in survey.slices.get((namespace, service.metadata.name), ()):
        for endpoint in one.endpoints or ():
            if endpoint.ready and endpoint.target_ref is not None and endpoint.target_ref.kind == "Pod":
                return survey.objects.get("pods", namespace, endpoint.target_ref.name)
    return None


def _target(port: ServicePort) -> str:
    return str(port.target_port or port.port)


def _pod_ref(pod: Pod) -> Ref:
    return Ref("Pod", pod.metadata.namespace, pod.metadata.name, "pods")


def _named_port(ref: Ref, port: ServicePort, owner: Ref, evidence: tuple[Evidence, ...]) -> Finding:
    text = parts(
        *subject(ref), f" answers nobody on port {port.port}: it leads to port ", code(_target(port)),
        f" of its pods, but no container of {owner.kind} {owner.name} names a port so.",
    )  # fmt: skip
    step = Step("Correct targetPort, or name the port in the pod template.", ref, "yaml")
    return Finding("service-port-missing", "bad", 71, ref, text, step, evidence)


def _undeclared(
    ref: Ref, port: ServicePort, number: int, owner: Ref, evidence: tuple[Evidence, ...]
) -> Finding:
    """Only a hint: a container may listen on a port that it does not declare."""
    text = parts(
        *subject(ref), f" leads port {port.port} to port {number}, which the containers of {owner.kind} {owner.name}"
        " do not declare; they may listen there all the same.",
    )  # fmt: skip
    step = Step("If connections are refused, correct targetPort.", ref, "yaml")
    return Finding("service-port-undeclared", "note", 18, ref, text, step, evidence)


def _pending(survey: Survey, service: Service, ref: Ref) -> Finding | None:
    """A load balancer that has got no address for longer than clouds take."""
    created = service.metadata.creation_timestamp
    if service.spec.type != "LoadBalancer" or service.status.load_balancer.addresses:
        return None
    if not survey.older(created, BALANCING):
        return None
    event = survey.event(service.metadata.uid, "SyncLoadBalancerFailed", "CreatingLoadBalancerFailed")
    if event is not None:
        why, text_step = (
            "making it fails",
            "Look at what the cloud says, and correct the Service's annotations.",
        )
    else:
        why = "nothing in this cluster makes load balancers, or it is still at it"
        text_step = "Install a controller for load balancers, or make it a NodePort behind one of your own."
    text = parts(*subject(ref), f" has no address from outside: {why}.")
    evidence = (*reported(event), *stands("status.loadBalancer.ingress", "empty"))
    step = Step(text_step, ref, "events" if event else "")
    return Finding(
        "service-pending",
        "warn",
        34,
        ref,
        text,
        step,
        evidence,
        created,
        shared="balancer" if not event else "",
    )


def _external_name(service: Service, ref: Ref) -> Finding | None:
    """An address instead of a name: the API server's own aggregation takes it, DNS does not."""
    name = service.spec.external_name
    if service.spec.type != "ExternalName" or not _address(name):
        return None
    text = parts(
        *subject(ref), " stands for the address ", code(name), ": DNS can only answer with a host name."
    )
    step = Step(
        "If pods are to reach it, use a Service without a selector and an EndpointSlice of your own.",
        ref,
        "yaml",
    )
    return Finding("service-external-name", "note", 40, ref, text, step, stands("spec.externalName", name))


def _address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
