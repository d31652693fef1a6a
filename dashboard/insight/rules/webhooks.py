"""Admission webhooks that can't be reached, and so keep everybody from doing what they are asked about."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from dashboard.insight.finding import Finding, Known, Step, stands, subject
from dashboard.insight.observed import Observed
from dashboard.insight.words import code, parts
from dashboard.kinds.base import Ref
from dashboard.kinds.references import reference
from dashboard.kinds.webhooks import WEBHOOKS, Webhook, WebhookConfiguration, WebhookService

STARTING = timedelta(minutes=1)


def without_service(survey: Observed, known: Known) -> Iterator[Finding]:
    """Those whose Service does not exist: what they refuse follows from that."""
    for ref, hook, service in _strict(survey):
        if survey.lacks("services", service.namespace, service.name):
            step = Step("Delete it if what it belonged to is gone; else restore that Service.", ref, "delete")
            yield _finding(ref, hook, service, "does not exist", step)


def without_endpoints(survey: Observed, known: Known) -> Iterator[Finding]:
    """Those whose Service has no ready endpoints."""
    for ref, hook, service in _strict(survey):
        behind = survey.objects.get("services", service.namespace, service.name)
        judged = survey.namespace in (None, service.namespace) and survey.reads("pods", service.namespace)
        if behind is None or behind.spec.type == "ExternalName" or not judged or survey.answers(behind):
            continue
        if not behind.spec.selector and not survey.slices.get((service.namespace, service.name)):
            continue  # somebody may route it without any
        target = reference("Service", service.namespace, service.name)
        step = Step(f"Start what runs behind Service {service.name}, or set failurePolicy to Ignore.", target)
        found = _finding(ref, hook, service, "has no ready endpoints", step)
        cause = known.get(target)
        yield found.following(cause) if cause is not None and cause.severity != "note" else found


def refuser(survey: Observed, name: str) -> Ref | None:
    """The configuration of the webhook of that name whose Service does not exist."""
    found = (ref for ref, hook, service in _strict(survey)
             if hook.name == name and survey.lacks("services", service.namespace, service.name))  # fmt: skip
    return next(found, None)


def configuration_of(survey: Observed, name: str) -> Ref | None:
    """The only configuration with a webhook of that name."""
    found = dict.fromkeys(ref for ref, hook in _hooks(survey) if hook.name == name)
    return next(iter(found)) if len(found) == 1 else None


def _strict(survey: Observed) -> Iterator[tuple[Ref, Webhook, WebhookService]]:
    """Webhooks without whose answer a request is refused, that call a Service."""
    for ref, hook in _hooks(survey):
        if hook.failure_policy == "Fail" and hook.client_config.service is not None and hook.rules:
            yield ref, hook, hook.client_config.service


def _hooks(survey: Observed) -> Iterator[tuple[Ref, Webhook]]:
    for kind in WEBHOOKS:
        for one in survey.all(kind.plural):
            ref = Ref(kind.kind, "", one.metadata.name, kind.plural, kind.gvr.group)
            if not isinstance(one, WebhookConfiguration) or one.metadata.deletion_timestamp is not None:
                continue
            if survey.older(one.metadata.creation_timestamp, STARTING):
                yield from ((ref, hook) for hook in one.webhooks or ())


def _finding(ref: Ref, hook: Webhook, service: WebhookService, why: str, step: Step) -> Finding:
    text = parts(
        *subject(ref), f" lets nobody {hook.requests}{hook.where}: its webhook ", code(hook.name), " calls Service ",
        code(service.name), f" in {service.namespace}, which {why}.",
    )  # fmt: skip
    evidence = (
        *stands("failurePolicy", "Fail: without an answer, the request is refused"),
        *stands("clientConfig.service", f"{service.namespace}/{service.name}"),
    )
    return Finding("webhook-unreachable", "bad", 63, ref, text, step, evidence, shared=hook.name)
