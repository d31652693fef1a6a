"""What can be wrong between a client and pods: Services without endpoints, Ingresses that lead nowhere."""

from __future__ import annotations

from collections.abc import Iterator

from dashboard.insight.finding import Finding, about
from dashboard.insight.survey import Known, Survey
from dashboard.insight.words import bold, code, parts
from dashboard.kinds.base import Ref
from dashboard.kinds.ingresses import Ingress
from dashboard.kinds.selectors import format_labels, from_labels
from dashboard.kinds.services import Service


def services(survey: Survey, known: Known) -> Iterator[Finding]:
    """Services that select pods and have no ready endpoint."""
    if not survey.knows("pods"):
        return
    for service in survey.all("services"):
        spec = service.spec
        if not spec.selector or spec.type == "ExternalName" or spec.publish_not_ready_addresses:
            continue  # somebody else keeps its endpoints, or it wants unready ones as well
        if service.metadata.deletion_timestamp is None and not survey.answers(service):
            yield _no_endpoint(survey, known, service)


def _no_endpoint(survey: Survey, known: Known, service: Service) -> Finding:
    meta = service.metadata
    ref = Ref("Service", meta.namespace, meta.name, "services")
    pods = survey.selected(service)
    if not pods:
        return _selects_nothing(survey, service, ref)
    none = "its only pod is not ready" if len(pods) == 1 else f"none of its {len(pods)} pods is ready"
    how = f"has no ready endpoint: {none}, so it answers nobody"
    text = parts(bold(f"Service {ref.name}"), f" in {ref.namespace} {how}.")
    owner = survey.owner(pods[0])
    cause = known.get(owner)
    if cause is not None:
        return about(ref, "service-no-endpoint", "bad", 75, text, cause=cause)
    # Its pods only just started, or nobody knows more.
    return about(ref, "service-no-endpoint", "warn", 55, text, f"Look at {owner.kind} {owner.name}.", owner)


def _selects_nothing(survey: Survey, service: Service, ref: Ref) -> Finding:
    selector, subject = from_labels(service.spec.selector), bold(f"Service {ref.name}")
    for kind, plural_ in (("Deployment", "deployments"), ("StatefulSet", "statefulsets")):
        for workload in survey.objects.all(plural_, ref.namespace):
            if not workload.spec.replicas and selector.matches(workload.spec.template.metadata.labels or {}):
                owner = Ref(kind, ref.namespace, workload.metadata.name, plural_)
                how = f"answers nobody: {kind} {owner.name} behind it is scaled to 0"
                text = parts(subject, f" in {ref.namespace} {how}.")
                step = f"Scale {kind} {owner.name} up when it is needed again."
                return about(ref, "service-scaled-to-zero", "warn", 20, text, step, owner)
    labels = code(format_labels(service.spec.selector))
    text = parts(subject, f" in {ref.namespace} selects no pod: none has the labels ", labels, ".")
    step = "Correct its selector, or start the pods it is meant for."
    return about(ref, "service-selects-nothing", "warn", 52, text, step, ref)


def ingresses(survey: Survey, known: Known) -> Iterator[Finding]:
    """Ingresses to a Service that does not exist, or that answers nobody; each Service behind it once."""
    if not survey.knows("services"):
        return
    for ingress in survey.all("ingresses"):
        behind: dict[str, str] = {}
        for place, service in routes(ingress):
            behind.setdefault(service, place)
        for service, place in behind.items():
            yield from _behind(survey, known, ingress, service, place)


def _behind(survey: Survey, known: Known, ingress: Ingress, service: str, place: str) -> Iterator[Finding]:
    namespace = ingress.metadata.namespace
    ref = Ref("Ingress", namespace, ingress.metadata.name, "ingresses")
    subject = bold(f"Ingress {ref.name}")
    if survey.objects.get("services", namespace, service) is None:
        how = f" in {namespace} leads nowhere at {place}: there is no Service "
        text = parts(subject, how, code(service), ".")
        step = f"Create Service {service}, or correct the Ingress."
        yield about(ref, "ingress-no-service", "bad", 74, text, step, ref)
    elif (cause := known.get(Ref("Service", namespace, service, "services"))) is not None:
        how = f" in {namespace} answers 503 at {place}: Service "
        text = parts(subject, how, code(service), " has no ready endpoint.")
        weight = min(cause.weight, 73)
        yield about(ref, "ingress-no-endpoint", cause.severity, weight, text, cause=cause)


def routes(ingress: Ingress) -> Iterator[tuple[str, str]]:
    """Host and path (``shop.example/checkout``) with the name of the Service behind it."""
    for rule in ingress.spec.rules or ():
        for path in (rule.http.paths or ()) if rule.http else ():
            if path.backend.service is not None:
                yield f"{rule.host or '*'}{path.path or '/'}", path.backend.service.name
    default = ingress.spec.default_backend
    if default is not None and default.service is not None:
        yield "every other address", default.service.name
