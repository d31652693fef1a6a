"""APIServices whose backend does not answer: their API is gone, and no namespace can end meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from dashboard.insight.finding import Finding, Known, Step, stands, subject
from dashboard.insight.observed import Observed
from dashboard.insight.words import code, parts
from dashboard.kinds.base import Ref
from dashboard.kinds.catalogue import APISERVICES
from dashboard.kinds.references import reference
from dashboard.kinds.tablekinds import TableObject

STARTING = timedelta(minutes=1)

# Reasons of the condition Available (kube-aggregator, pkg/controllers/status).
_WHY = {
    "ServiceNotFound": "does not exist",
    "ServiceAccessError": "can't be read by the API server",
    "ServicePortError": "has no such port",
    "EndpointsNotFound": "has no endpoints",
    "EndpointsAccessError": "has endpoints that the API server can't read",
    "MissingEndpoints": "has no ready endpoints",
}


def ref_of(name: str) -> Ref:
    return Ref("APIService", "", name, APISERVICES.key)


def unavailable(survey: Observed, known: Known) -> Iterator[Finding]:
    """Available is False, as the columns of the kind say it: "False (MissingEndpoints)"."""
    for one in survey.all(APISERVICES.key):
        state, _, reason = _cell(one, "available").removesuffix(")").partition(" (")
        young = not survey.older(one.metadata.creation_timestamp, STARTING)
        if state == "False" and one.metadata.deletion_timestamp is None and not young:
            yield _finding(known, one, reason)


def _finding(known: Known, one: TableObject, reason: str) -> Finding:
    ref = ref_of(one.metadata.name)
    namespace, _, name = _cell(one, "service").partition("/")
    service = reference("Service", namespace, name)
    why = _WHY.get(reason, "does not respond as an API server")
    text = parts(
        *subject(ref), " is not available: Service ", code(f"{namespace}/{name}"), f", which serves it, {why}. ",
        "Until it is, its API can't be used, and no namespace can be deleted.",
    )  # fmt: skip
    step = Step(
        f"Restore Service {name} in {namespace} and its pods, or delete the APIService if it is not needed.",
        service,
    )
    if reason == "ServiceNotFound":  # no page to look at
        step = replace(step, ref=ref)
    elif reason == "ServicePortError":
        step = Step(
            f"Correct spec.service.port: it has to be a port of Service {name} in {namespace}.", ref, "yaml"
        )
    evidence = (
        *stands("Condition Available", f"False, {reason}"),
        *stands("spec.service", f"{namespace}/{name}"),
    )
    found = Finding(
        "apiservice-unavailable", "bad", 62, ref, text, step, evidence, shared=f"service:{namespace}/{name}"
    )
    cause = known.get(service)
    return found.following(cause) if cause is not None and cause.severity == "bad" else found


def _cell(one: TableObject, key: str) -> str:
    at = one.header.places.get(key)
    return str(one.cells[at]) if at is not None and at < len(one.cells) else ""
