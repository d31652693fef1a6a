"""What can be wrong with Services: nobody behind them, a port that nobody has, no address from outside."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from dashboard.insight.finding import (
    Evidence,
    Finding,
    Known,
    Page,
    Severity,
    Step,
    reported,
    stands,
    subject,
)
from dashboard.insight.observed import Observed
from dashboard.insight.pod_health import is_ready
from dashboard.insight.traffic import declared
from dashboard.insight.words import Part, Parts, code, parts
from dashboard.kinds import KINDS
from dashboard.kinds.base import Ref
from dashboard.kinds.meta import find_condition
from dashboard.kinds.pods import Pod
from dashboard.kinds.references import title
from dashboard.kinds.rows import listed, plural, shorten
from dashboard.kinds.selectors import format_labels, from_labels
from dashboard.kinds.services import Service, ServicePort

from .ingresses import backends
from .nearest import nearest
from .policies import closed
from .serviceports import PortEnds, pod_behind, port_ends
from .templates import knows_templates, templates

# Pods and Services are made one after the other, and pods need a while to get ready.
STARTING = timedelta(minutes=1)
# Clouds need a minute or two for a load balancer.
BALANCING = timedelta(minutes=3)
_EXPOSED = ("NodePort", "LoadBalancer")  # somebody is to reach it from outside
# What the DNS of a cluster answers for itself; under another domain it may be another cluster's.
_IN_CLUSTER = re.compile(r"([a-z0-9-]+)\.([a-z0-9-]+)\.svc\.cluster\.local\.?")
_ENSURING = re.compile(r"^(?:Error syncing load balancer: )?(?:failed to ensure load balancer: )?")


def services(survey: Observed, known: Known) -> Iterator[Finding]:
    """Each Service by what is behind it, and besides by its address from outside."""
    routed = {(one.metadata.namespace, to.name) for one in survey.all("ingresses") for _, to in backends(one)}
    for service in survey.all("services"):
        if service.metadata.deletion_timestamp is not None:
            continue
        ref = Ref("Service", service.metadata.namespace, service.metadata.name, "services")
        if (found := _external_name(service, ref) or _alias_of_none(survey, service, ref)) is not None:
            yield found
        yield from _behind(survey, known, service, ref)
        if service.spec.selector and survey.answers(service):
            exposed = service.spec.type in _EXPOSED or (ref.namespace, ref.name) in routed
            yield from closed(survey, service, ref, exposed=exposed)
        if (found := _pending(survey, service, ref)) is not None:
            yield found


def _behind(survey: Observed, known: Known, service: Service, ref: Ref) -> Iterator[Finding]:
    """Whether anybody answers, and on which ports."""
    spec = service.spec
    if spec.type == "ExternalName":
        return
    if not spec.selector:
        if survey.slices.get((ref.namespace, ref.name)):  # else somebody may route it without any
            yield from _ports(survey, service, ref) if survey.answers(service) else _none_ready(service, ref)
    elif not survey.reads("pods", ref.namespace):
        return
    elif survey.answers(service):
        yield from _ports(survey, service, ref)
    elif not (spec.publish_not_ready_addresses and survey.selected(service)):  # it wants unready ones as well
        found = _no_endpoint(survey, known, service, ref)
        if found is not None:
            yield found


def _none_ready(service: Service, ref: Ref) -> Iterator[Finding]:
    """Somebody else keeps its EndpointSlices."""
    text = parts(*subject(ref), " has no ready endpoints: none in its EndpointSlices is ready.")
    step = Step("Look at its EndpointSlices and at what manages them: the Service has no selector.", ref)
    evidence = (*stands("spec.selector", "none"), *stands("EndpointSlices", "no endpoint is ready"))
    yield Finding("service-no-endpoint", "bad", 75, ref, text, step, evidence)


def _no_endpoint(survey: Observed, known: Known, service: Service, ref: Ref) -> Finding | None:
    pods = survey.selected(service)
    if not pods:
        return _selects_nothing(survey, known, service, ref)
    if ready := [pod for pod in pods if is_ready(pod)]:
        return _unlisted(survey, service, ref, pods, ready)
    owners = list(dict.fromkeys(survey.owner(pod) for pod in pods))
    causes = [cause for owner in owners if (cause := _problem(known, owner)) is not None]
    if not causes and not any(survey.older(_ready_changed(pod), STARTING) for pod in pods):
        return None  # they only just started
    none = "its only pod is not ready" if len(pods) == 1 else f"none of its {len(pods)} pods is ready"
    text = parts(*subject(ref), f" has no ready endpoints: {none}.")
    evidence = (
        *stands("spec.selector", f"{format_labels(service.spec.selector)}: {plural(len(pods), 'pod')}"),
        *stands("EndpointSlices", "no endpoint is ready"),
    )
    step = Step(f"Look at {listed(title(owner) for owner in owners)}.", owners[0])
    since = max(map(_ready_changed, pods), key=str)
    found = Finding("service-no-endpoint", "bad", 75, ref, text, step, evidence, since)
    return found.following(*causes) if len(causes) == len(owners) else found


def _unlisted(
    survey: Observed, service: Service, ref: Ref, pods: Sequence[Pod], ready: Sequence[Pod]
) -> Finding | None:
    """Its EndpointSlices name none of its ready pods: they are not kept, or the pods have no address that fits."""
    if not any(survey.older(_ready_changed(pod), STARTING) for pod in ready):
        return None  # the EndpointSlice controller is about to
    event = survey.event(service.metadata.uid, "FailedToUpdateEndpointSlices")
    which = f"{len(ready)} of its {len(pods)} pods" if len(pods) > 1 else "its only pod"
    why = "can't be updated" if event is not None else "list none of its pods as ready"
    are = "is" if len(ready) == 1 else "are"
    text = parts(
        *subject(ref), f" has no ready endpoints, although {which} {are} ready: its EndpointSlices {why}."
    )
    evidence = (
        *reported(event),
        *stands("spec.selector", f"{format_labels(service.spec.selector)}: {plural(len(pods), 'pod')}"),
        *stands("EndpointSlices", "no endpoint is ready"),
    )
    todo = "See that kube-controller-manager runs, and that the pods have addresses of its IP families (spec.ipFamilies)."
    step = Step("Correct what the event names.", ref, "events") if event is not None else Step(todo, ref)
    return Finding("service-no-endpoint", "bad", 75, ref, text, step, evidence)


def _problem(known: Known, ref: Ref) -> Finding | None:
    found = known.get(ref)
    return found if found is not None and found.severity != "note" else None


def _ready_changed(pod: Pod) -> datetime | None:
    ready = find_condition(pod.status.conditions or (), "Ready")
    return ready.last_transition_time if ready is not None else pod.metadata.creation_timestamp


def _selects_nothing(survey: Observed, known: Known, service: Service, ref: Ref) -> Finding | None:
    selector, labels = from_labels(service.spec.selector), format_labels(service.spec.selector)
    meant = [one for one in templates(survey, ref.namespace) if selector.matches(one.labels)]
    if meant:
        wanted = [one.ref for one in meant if one.size]
        if not wanted:
            return _rests(service, ref, meant[0].ref)
        causes = [cause for one in wanted if (cause := _problem(known, one)) is not None]
        if not causes:
            return None  # its pods are just being made
        have = f"{listed(map(title, wanted))} {'has' if len(wanted) == 1 else 'have'} no pods"
        text = parts(*subject(ref), f" has no ready endpoints: {have}.")
        return Finding(
            "service-no-endpoint", "bad", 75, ref, text, evidence=stands("spec.selector", labels)
        ).following(*causes)
    if ended := list(survey.matching(ref.namespace, selector)):
        return _all_ended(survey, known, ref, labels, ended)
    if not survey.older(service.metadata.creation_timestamp, STARTING):
        return None
    if (role := _role_of_none(survey, service)) is not None:
        return _no_such_role(survey, known, ref, labels, *role)
    text = parts(*subject(ref), " selects no pod: none has the labels ", code(labels), ".")
    evidence, step = (
        stands("spec.selector", labels),
        Step("Correct its selector, or start the pods that it should select.", ref, "yaml"),
    )
    if near := nearest(survey, ref.namespace, service.spec.selector or {}, ref.name):
        text = parts(*text, f" The nearest is {title(near.ref)}: ", *_differences(near.differences), ".")
        evidence = (
            *evidence,
            Evidence(f"Pods of {title(near.ref)}", format_labels(near.labels), near.ref),
        )
        step = Step(f"Change its selector to match the labels of {title(near.ref)}.", ref, "yaml")
    since = service.metadata.creation_timestamp
    # It may be meant for a workload that is scaled to 0 and that may not be seen.
    severity: Severity = "warn" if knows_templates(survey, ref.namespace) else "note"
    return Finding("service-selects-nothing", severity, 52, ref, text, step, evidence, since)


def _all_ended(survey: Observed, known: Known, ref: Ref, labels: str, pods: Sequence[Pod]) -> Finding | None:
    """It selects only pods that have ended, or are about to."""
    owners = list(dict.fromkeys(survey.owner(pod) for pod in pods))
    causes = [cause for owner in owners if (cause := _problem(known, owner)) is not None]
    if not causes and any(pod.metadata.deletion_timestamp is not None for pod in pods):
        return None  # others may take their place
    have = "its only pod has" if len(pods) == 1 else f"its {len(pods)} pods have"
    text = parts(*subject(ref), f" has no ready endpoints: {have} ended.")
    step = Step("Nothing, if their work is done; else recreate them under a Deployment.", owners[0])
    evidence = stands("spec.selector", f"{labels}: {plural(len(pods), 'pod')}")
    severity: Severity = "warn" if causes else "note"
    return Finding("service-no-endpoint", severity, 51, ref, text, step, evidence).following(*causes)


def _role_of_none(survey: Observed, service: Service) -> tuple[Pod, str, str] | None:
    """A pod that the Service would select but for one label that is set while pods run, as operators of databases tell
    the primary from its replicas; with that label and what is asked for.
    """
    namespace, wanted = service.metadata.namespace, service.spec.selector or {}
    for alike in survey.alike.get(namespace, ()) if len(wanted) > 1 else ():
        missing = [key for key, value in wanted.items() if alike.labels.get(key) != value]
        if len(missing) == 1 and missing[0] in alike.labels and _set_later(survey, alike.pods[0], missing[0]):
            return alike.pods[0], missing[0], wanted[missing[0]]
    return None


def _set_later(survey: Observed, pod: Pod, key: str) -> bool:
    """Whether a label is not of the template that the pod was made of; an operator's kind shows none."""
    owner = survey.owner(pod)
    made_of = next((one for one in templates(survey, pod.metadata.namespace) if one.ref == owner), None)
    if made_of is None:
        return pod.metadata.controller is not None and owner.plural not in KINDS
    return key not in made_of.labels


# What operators call the one that takes writes.
_LEADING = ("primary", "master", "leader", "active", "true")


def _no_such_role(
    survey: Observed, known: Known, ref: Ref, labels: str, pod: Pod, key: str, value: str
) -> Finding:
    """Without a replica there is none to ask; without a primary, nobody takes writes."""
    label, owner = code(f"{key}={value}"), survey.owner(pod)
    text = parts(*subject(ref), " selects no pod: none of ", f"{title(owner)} has the label ", label, " now.")
    evidence = (
        *stands("spec.selector", labels),
        Evidence(
            f"Pod {pod.metadata.name}",
            f"{key}={pod.metadata.labels[key]}",
            Ref("Pod", ref.namespace, pod.metadata.name, "pods"),
        ),
    )
    step = Step("Nothing, if no pod should have that role now: its operator sets the label.", owner)
    if value.lower() not in _LEADING:
        return Finding("service-selects-nothing", "note", 18, ref, text, step, evidence)
    step = Step("Read the logs of its pods and of its operator to see why none of them leads.", owner)
    cause = _problem(known, owner)
    found = Finding("service-selects-nothing", "warn", 52, ref, text, step, evidence)
    return found.following(cause) if cause is not None else found


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
    text = parts(*subject(ref), f" has no ready endpoints: {title(owner)} behind it {rests}.")
    page: Page = "scale" if owner.plural == "deployments" else ""
    step = Step(f"Scale {title(owner)} up when it is needed again.", owner, page)
    if rests != "is scaled to 0":
        step = Step("Nothing, if that is intended.", owner)
    evidence = stands("spec.selector", format_labels(service.spec.selector))
    return Finding("service-scaled-to-zero", "note", 20, ref, text, step, evidence)


def _ports(survey: Observed, service: Service, ref: Ref) -> Iterator[Finding]:
    """Whether those who get traffic have the ports that it is sent to."""
    for ends in port_ends(survey, service):
        if not service.spec.selector:
            if ends.dead:
                yield _no_slice(ref, ends)
        elif ends.without:
            yield _named_port(survey, service, ref, ends)
        elif (found := _undeclared(survey, service, ref, ends)) is not None:
            yield found


def _no_slice(ref: Ref, ends: PortEnds) -> Finding:
    """Of EndpointSlices that somebody else writes: each finds its Service's port by name and protocol."""
    port = ends.port
    name = f'endpoint port "{port.name}"' if port.name else "unnamed port"
    why = f"none of its EndpointSlices has an {name} of protocol {port.protocol}"
    step = Step("Give the port the same name in the Service and in its EndpointSlices.", ref, "yaml")
    if ends.unready:
        why = "those that have it are not ready"
        step = Step("Look at its EndpointSlices and at what manages them: the Service has no selector.", ref)
    text = parts(*subject(ref), f" has no ready endpoints on port {port.port}: {why}.")
    evidence = (
        *stands("spec.ports", f"{port.name or 'unnamed'} {port.port}/{port.protocol}"),
        *stands(
            "EndpointSlices",
            f"{len(ends.without)} ready without this port, {len(ends.unready)} not ready with it",
        ),
    )
    return Finding("service-port-missing", "bad", 71, ref, text, step, evidence)


def _named_port(survey: Observed, service: Service, ref: Ref, ends: PortEnds) -> Finding:
    """A targetPort by name, which not every pod has."""
    port, names, to = ends.port, sorted(ends.without), code(_target(ends.port))
    pods = [pod for name in names if (pod := pod_behind(survey, service, name)) is not None]
    owners = dict.fromkeys(title(survey.owner(pod)) for pod in pods)
    having = (pod_behind(survey, service, name) for name in ends.answering | ends.unready)
    if any(title(survey.owner(pod)) in owners for pod in having if pod):  # of two templates, as in a rollout
        owners = dict.fromkeys(f"pod {pod.metadata.name}" for pod in pods)
    of = listed(owners) or "these endpoints"
    step = Step("Correct targetPort, or name the port in the pod template.", ref, "yaml")
    what = "port"
    if any(one.name == port.target_port for pod in pods for one in declared(pod)):  # of another protocol
        what = f"{port.protocol} port"
        step = Step("Correct the protocol of the port, in the Service or in the pod template.", ref, "yaml")
    counts = f"{len(ends.answering)} ready with this port, {len(names)} ready without it"
    evidence = (
        *stands(f"spec.ports, port {port.port}", f"targetPort {_target(port)}"),
        Evidence("EndpointSlices", f"{counts}, {len(ends.unready)} not ready with it"),
        *_declarations(survey, pods),
    )
    if service.headless:
        text = parts(
            *subject(ref), f" has no SRV record of port {port.port} for {of}: no container there has a {what} named ", to,
            ". Clients that connect to the pods' own addresses are not affected.",
        )  # fmt: skip
        return Finding("service-port-missing", "note", 19, ref, text, step, evidence)
    if ends.answering:
        every = len(names) + len(ends.answering)
        text = parts(
            *subject(ref), f" sends no traffic for port {port.port} to {len(names)} of its {every} ready endpoints: ",
            f"no container of {of} has a {what} named ", to, ".",
        )  # fmt: skip
        return Finding("service-port-missing", "warn", 43, ref, text, step, evidence)
    if ends.unready:
        text = parts(
            *subject(ref), f" has no ready endpoints on port {port.port}: pods with a {what} named ", to,
            f" are not ready, and no container of {of} has one.",
        )  # fmt: skip
    else:
        text = parts(
            *subject(ref), f" has no ready endpoints on port {port.port}: it routes to targetPort ", to,
            f", but no container of {of} has a {what} with that name.",
        )  # fmt: skip
    return Finding("service-port-missing", "bad", 71, ref, text, step, evidence)


def _declarations(survey: Observed, pods: Sequence[Pod]) -> Iterator[Evidence]:
    """The ports of one pod for each of those they belong to: pods of one template have the same."""
    for pod in {survey.owner(pod): pod for pod in reversed(pods)}.values():
        has = (f"{one.name or 'unnamed'} {one.container_port}/{one.protocol}" for one in declared(pod))
        ref = Ref("Pod", pod.metadata.namespace, pod.metadata.name, "pods")
        yield Evidence(f"Ports of pod {pod.metadata.name}", ", ".join(has) or "none declared", ref)


def _undeclared(survey: Observed, service: Service, ref: Ref, ends: PortEnds) -> Finding | None:
    """Only a hint: a container may listen on a port that it does not declare. Where one pod declares it, or one declares
    nothing, there is no hint.
    """
    port = ends.port
    number = port.target_port or port.port
    if not isinstance(number, int) or service.headless:
        return None
    pods = [pod for name in sorted(ends.answering) if (pod := pod_behind(survey, service, name)) is not None]
    numbers = [{one.container_port for one in declared(pod) if one.protocol == port.protocol} for pod in pods]
    if not pods or not all(numbers) or any(number in each for each in numbers):
        return None
    of = listed(dict.fromkeys(title(survey.owner(pod)) for pod in pods))
    text = parts(
        *subject(ref), f" routes port {port.port} to port {number}, which the containers of {of} do not declare; ",
        "they may listen there all the same.",
    )  # fmt: skip
    step = Step("If connections are refused, correct targetPort.", ref, "yaml")
    evidence = (
        *stands(f"spec.ports, port {port.port}", f"targetPort {_target(port)}"),
        *_declarations(survey, pods),
    )
    return Finding("service-port-undeclared", "note", 18, ref, text, step, evidence)


def _target(port: ServicePort) -> str:
    return str(port.target_port or port.port)


def _pending(survey: Observed, service: Service, ref: Ref) -> Finding | None:
    """A load balancer that has got no address for longer than clouds take."""
    created = service.metadata.creation_timestamp
    if service.spec.type != "LoadBalancer" or service.status.load_balancer.addresses:
        return None
    if not survey.older(created, BALANCING):
        return None
    # Each controller has reasons of its own; those of endpoints are about something else.
    event = next((one for one in survey.events(service.metadata.uid) if "Endpoint" not in one.reason), None)
    if event is not None:
        why = f"provisioning fails: {shorten(_ENSURING.sub('', event.message)).rstrip('.')}"
        text_step = (
            "Correct what its controller names: the Service's annotations, an address pool or a permission."
        )
    else:
        why = "no controller in this cluster provisions load balancers, or provisioning is still in progress"
        text_step = "Install a load balancer controller, or use type NodePort behind your own load balancer."
    text = parts(*subject(ref), f" has no external IP: {why}.")
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


def _alias_of_none(survey: Observed, service: Service, ref: Ref) -> Finding | None:
    """It stands for a Service of its own cluster that does not exist, or for itself: DNS finds no address."""
    name = service.spec.external_name
    found = _IN_CLUSTER.fullmatch(name)
    if service.spec.type != "ExternalName" or found is None:
        return None
    to = Ref("Service", found[2], found[1], "services")
    text, step = parts(*subject(ref), " stands for itself, so its name has no address."), Step(
        "Set externalName to the name of what it should stand for.", ref, "yaml"
    )  # fmt: skip
    if to != ref:
        if not survey.lacks("services", to.namespace, to.name):
            return None
        text = parts(
            *subject(ref), " stands for Service ", code(to.name), f" in {to.namespace}, which does not exist, so its ",
            "name has no address.",
        )  # fmt: skip
        step = Step(f"Correct externalName, or create Service {to.name} in {to.namespace}.", ref, "yaml")
    if not survey.older(service.metadata.creation_timestamp, STARTING):
        return None
    since = service.metadata.creation_timestamp
    evidence = stands("spec.externalName", name)
    return Finding("service-external-name", "warn", 53, ref, text, step, evidence, since)


def _address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
