"""What can be wrong with Ingresses: they lead nowhere, nobody serves them, or their certificate is not there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from dashboard.insight.finding import Evidence, Finding, Known, Severity, Step, reported, stands, subject
from dashboard.insight.observed import Observed
from dashboard.insight.words import code, parts
from dashboard.kinds.base import Ref
from dashboard.kinds.ingresses import Ingress, ServiceBackend
from dashboard.kinds.rows import listed, shorten
from dashboard.kinds.services import ServicePort

from .serviceports import port_ends

# A controller needs a moment for an address; cert-manager and the like, for a certificate.
SERVING = timedelta(minutes=2)

_TLS = "kubernetes.io/tls"
# The AWS Load Balancer Controller takes what it does there from an annotation of the name of the Service, of which there
# need not be any (kubernetes-sigs.github.io/aws-load-balancer-controller, actions).
_IN_ANNOTATION = "use-annotation"


def ingresses(survey: Observed, known: Known) -> Iterator[Finding]:
    """What is wrong with each, and where two of them want the same address."""
    served = _classes_with_addresses(survey)
    for ingress in survey.all("ingresses"):
        if ingress.metadata.deletion_timestamp is None:
            ref = ref_of(ingress)
            yield from _backends(survey, known, ingress, ref)
            yield from _secrets(survey, ingress, ref)
            found = _no_class(survey, ingress, ref) or _no_address(survey, ingress, ref, served)
            if found is not None:
                yield found
    yield from _clashes(survey)


def ref_of(ingress: Ingress) -> Ref:
    return Ref("Ingress", ingress.metadata.namespace, ingress.metadata.name, "ingresses")


def routes(ingress: Ingress) -> Iterator[tuple[str, str]]:
    """Host and path (``shop.example/checkout``) with the name of the Service behind it."""
    for place, backend in backends(ingress):
        yield place, backend.name


def backends(ingress: Ingress) -> Iterator[tuple[str, ServiceBackend]]:
    """Host and path with the Service and the port behind it."""
    for rule in ingress.spec.rules or ():
        for path in (rule.http.paths or ()) if rule.http else ():
            service = path.backend.service
            if service is not None and service.port.name != _IN_ANNOTATION:
                yield f"{rule.host or '*'}{path.path or '/'}", service
    default = ingress.spec.default_backend
    if default is not None and default.service is not None and default.service.port.name != _IN_ANNOTATION:
        yield "every other address", default.service


def _backends(survey: Observed, known: Known, ingress: Ingress, ref: Ref) -> Iterator[Finding]:
    """A Service that does not exist or answers nobody, and a port that it does not have; each Service once."""
    if not survey.reads("services", ref.namespace):
        return
    told: set[tuple[str, str]] = set()
    for place, backend in backends(ingress):
        key = backend.name, str(backend.port)
        if key not in told:
            told.add(key)
            found = _behind(survey, known, ref, place, backend)
            if found is not None:
                yield found


def _behind(survey: Observed, known: Known, ref: Ref, place: str, backend: ServiceBackend) -> Finding | None:
    name = backend.name
    service = survey.objects.get("services", ref.namespace, name)
    evidence = stands(f"Backend of {place}", f"Service {name}, port {backend.port}")
    if service is None:
        text = parts(*subject(ref), f" has no backend at {place}: there is no Service ", code(name), ".")
        step = Step(f"Create Service {name}, or correct the Ingress.", ref, "yaml")
        return Finding("ingress-no-service", "bad", 74, ref, text, step, evidence)
    if not _has_port(service, backend):
        has = ", ".join(f"{port.name or 'unnamed'} {port.port}" for port in service.spec.ports or ())
        to = Ref("Service", ref.namespace, name, "services")
        text = parts(
            *subject(ref),
            f" has no backend at {place}: Service ",
            code(name),
            f" has no port {backend.port}.",
        )
        step = Step("Correct the port in the Ingress, or add it to the Service.", ref, "yaml")
        evidence = (*evidence, Evidence(f"Ports of Service {name}", has or "none", to))
        return Finding("ingress-no-port", "bad", 74, ref, text, step, evidence)
    cause = known.get(Ref("Service", ref.namespace, name, "services"))
    if cause is not None and cause.rule == "service-external-name" and cause.severity != "note":
        text = parts(
            *subject(ref),
            f" reaches nothing at {place}: Service ",
            code(name),
            " stands for a name without an address.",
        )
        return Finding(
            "ingress-no-endpoint", cause.severity, cause.weight, ref, text, evidence=evidence
        ).following(cause)
    if cause is not None and cause.rule == "service-closed" and _concerns(cause, service, backend):
        text = parts(
            *subject(ref), f" gets no answer at {place} if NetworkPolicies are enforced: they let nothing in to Service ",
            code(name), ".",
        )  # fmt: skip
        found = Finding("ingress-no-endpoint", cause.severity, cause.weight, ref, text, evidence=evidence)
        return found.following(cause)
    dead = next((ends.dead for ends in port_ends(survey, service) if _is(ends.port, backend)), False)
    if cause is None or not (cause.rule in _NOBODY or dead):
        return None
    on = f" on port {backend.port}" if dead else ""
    text = parts(
        *subject(ref), f" answers 503 at {place}: Service ", code(name), f" has no ready endpoints{on}."
    )
    found = Finding(
        "ingress-no-endpoint", cause.severity, min(cause.weight, 73), ref, text, evidence=evidence
    )
    return found.following(cause)


_NOBODY = ("service-no-endpoint", "service-selects-nothing", "service-scaled-to-zero")


def _has_port(service: Any, backend: ServiceBackend) -> bool:
    ports = service.spec.ports or ()
    if service.spec.type == "ExternalName" and (not ports or backend.port.number):
        return True  # of which controllers take the number as it is
    return any(_is(port, backend) for port in ports)


def _concerns(closed: Finding, service: Any, backend: ServiceBackend) -> bool:
    """Whether what NetworkPolicies close, the Service or a port of it, is what the backend names."""
    ports = (f" on port {port.port}" for port in service.spec.ports or () if _is(port, backend))
    return closed.shared in ("", *ports)


def _is(port: ServicePort, backend: ServiceBackend) -> bool:
    return port.name == backend.port.name if backend.port.name else port.port == backend.port.number


def _secrets(survey: Observed, ingress: Ingress, ref: Ref) -> Iterator[Finding]:
    """Secrets of its certificates that are missing or of another kind."""
    young = not survey.older(ingress.metadata.creation_timestamp, SERVING)
    for tls in ingress.spec.tls or ():
        name, hosts = tls.secret_name, listed(tls.hosts or ()) or "every host"
        if not name or young or not survey.reads("secrets", ref.namespace):
            continue
        secret = survey.objects.get("secrets", ref.namespace, name)
        evidence = stands("spec.tls", f"Secret {name} for {hosts}")
        if secret is None:
            text = parts(
                *subject(ref), " has no certificate for ", f"{hosts}: Secret ", code(name),
                " does not exist, so browsers show a security warning.",
            )  # fmt: skip
            step = Step(f"Create Secret {name} of type {_TLS}, or check why it was not issued.", ref)
            yield Finding("ingress-no-secret", "warn", 59, ref, text, step, evidence)
        elif secret.secret_type != _TLS:
            yield _wrong_type(ref, secret, evidence)


def _wrong_type(ref: Ref, secret: Any, evidence: tuple[Evidence, ...]) -> Finding:
    """Most controllers read an Opaque one too, when it has the right keys; those of other types have other keys."""
    name, kind = secret.metadata.name, secret.secret_type
    to = Ref("Secret", ref.namespace, name, "secrets")
    text = parts(
        *subject(ref),
        " takes its certificate from Secret ",
        code(name),
        f", which is of type {kind}, not {_TLS}.",
    )
    step = Step(
        "Check that it has the keys tls.crt and tls.key; better, recreate it with the right type.", to
    )
    severity: Severity = "note" if kind == "Opaque" else "warn"
    evidence = (*evidence, Evidence(f"Type of Secret {name}", kind, to))
    return Finding("ingress-secret-type", severity, 56, ref, text, step, evidence)


def _no_class(survey: Observed, ingress: Ingress, ref: Ref) -> Finding | None:
    """It names an IngressClass that does not exist, so nobody serves it."""
    name = ingress.class_name
    # A controller may serve the older annotation without any IngressClass.
    if not name or ingress.by_annotation or not survey.lacks("ingressclasses", "", name):
        return None
    has = ", ".join(sorted(one.metadata.name for one in survey.all("ingressclasses")))
    text = parts(
        *subject(ref), " is not served by any controller: there is no IngressClass ", code(name), "."
    )
    step = Step("Correct ingressClassName, or install the controller that provides that class.", ref, "yaml")
    evidence = (*stands("spec.ingressClassName", name), *stands("IngressClasses", has or "there are none"))
    since = ingress.metadata.creation_timestamp
    return Finding("ingress-no-class", "bad", 72, ref, text, step, evidence, since, shared=f"class:{name}")


def _classes_with_addresses(survey: Observed) -> frozenset[str]:
    return frozenset(
        one.class_name for one in survey.objects.all("ingresses") if one.status.load_balancer.addresses
    )


# How the reasons of Events begin by which ingress controllers say what keeps them from serving one.
_REFUSALS = ("Failed", "Reject", "Sync", "Translate")
_CLASS_BY = ("spec.ingressClassName", "annotation kubernetes.io/ingress.class")


def _no_address(survey: Observed, ingress: Ingress, ref: Ref, served: frozenset[str]) -> Finding | None:
    """No controller has given it an address. Some never do: then it only explains why the list shows none."""
    created, name = ingress.metadata.creation_timestamp, ingress.class_name
    if ingress.status.load_balancer.addresses or not survey.older(created, SERVING):
        return None
    others = name in served
    of = f"of class {name}" if name else "without a class"
    why = (
        f"other Ingresses {of} have one, this one does not"
        if others
        else f"no controller has assigned one to any Ingress {of}"
    )
    step = Step("Look at its events and at the log of the ingress controller.", ref, "events")
    classes = survey.all("ingressclasses")
    if not name and not others and classes and not any(one.is_default for one in classes):
        # Those that set addresses for their classes are at work, and none of them takes it.
        others = any(one.metadata.name in served for one in classes)
        why = "it names no IngressClass, and none is the default"
        text_step = f"Set ingressClassName to {listed(sorted(one.metadata.name for one in classes))}."
        step = Step(text_step.replace(" and ", " or "), ref, "yaml")
    says = (one for one in survey.events(ingress.metadata.uid) if one.reason.startswith(_REFUSALS))
    if (event := next(says, None)) is not None:
        others, why = True, f"its controller says: {shorten(event.message).rstrip('.')}"
        step = Step("Correct what its controller names.", ref, "events")
    text = parts(*subject(ref), f" has no address: {why}.")
    severity: Severity = "warn" if others else "note"
    evidence = (
        *reported(event),
        *stands(_CLASS_BY[ingress.by_annotation], name or "not set"),
        *stands("status.loadBalancer.ingress", "empty"),
    )
    return Finding("ingress-no-address", severity, 33, ref, text, step, evidence, created)


def _clashes(survey: Observed) -> Iterator[Finding]:
    """The same host and path in two Ingresses of a class: which one answers is up to the controller."""
    places: dict[tuple[str, str, str, str, bool], dict[Ref, str]] = defaultdict(dict)
    for ingress in survey.all("ingresses"):
        if ingress.metadata.deletion_timestamp is not None:
            continue
        for rule in ingress.spec.rules or ():
            for path in (rule.http.paths or ()) if rule.http else ():
                key = (
                    ingress.class_name,
                    rule.host,
                    path.path or "/",
                    path.path_type or "",
                    _canary(ingress),
                )
                service = path.backend.service
                places[key].setdefault(
                    ref_of(ingress), f"{service.name}:{service.port}" if service else "a resource"
                )
    for (_, host, path, *_), owners in places.items():
        if len({(ref.namespace, service) for ref, service in owners.items()}) > 1:
            yield from _clash(f"{host or '*'}{path}", owners)


def _canary(ingress: Ingress) -> bool:
    """Whether it takes a share of another one's requests on purpose, at the same place: its controller weighs the two
    (kubernetes.github.io/ingress-nginx, annotations; the prefix can be configured). Two such clash again.
    """
    notes = ingress.metadata.annotations
    return any(name.rpartition("/")[2] == "canary" and value == "true" for name, value in notes.items())


def _clash(place: str, owners: dict[Ref, str]) -> Iterator[Finding]:
    first, *others = sorted(owners, key=lambda ref: (ref.namespace, ref.name))
    named = listed(f"Ingress {ref.name} in {ref.namespace}" for ref in others)
    text = parts(
        *subject(first),
        f" has {place}, and so does {named}: which of them is used is up to the controller.",
    )
    step = Step("Keep the host and path in one of them.", others[0], "yaml")
    evidence = tuple(
        Evidence(f"Ingress {ref.name} in {ref.namespace}", f"{place} to {owners[ref]}", ref) for ref in owners
    )
    yield Finding("ingress-clash", "warn", 42, first, text, step, evidence)
