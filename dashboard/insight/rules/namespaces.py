"""Namespaces that do not go."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from dashboard.insight.finding import Finding, Step, because_of, subject
from dashboard.insight.survey import Known, Survey
from dashboard.insight.words import parts
from dashboard.kinds.base import Ref

ENDING = timedelta(minutes=2)

# The most telling first (pkg/controller/namespace/deletion/status_condition_utils.go).
_WHY = {
    "NamespaceDeletionDiscoveryFailure": (
        "an API of the cluster does not answer, so nobody can tell what is left in it",
        "Look at the APIService whose backend is away; mend it or delete it.",
    ),
    "NamespaceDeletionGroupVersionParsingFailure": (
        "an API of the cluster has a broken name",
        "Look at the APIServices and CustomResourceDefinitions.",
    ),
    "NamespaceDeletionContentFailure": (
        "something in it cannot be deleted",
        "Look at the message: it names what refuses.",
    ),
    "NamespaceFinalizersRemaining": (
        "objects in it wait for a finalizer that nobody removes",
        "See that the controller of that finalizer runs.",
    ),
    "NamespaceContentRemaining": (
        "objects in it are still there",
        "Look at what is left in it.",
    ),
}


def stuck(survey: Survey, known: Known) -> Iterator[Finding]:
    """Terminating for longer than a deletion takes."""
    for namespace in survey.all("namespaces"):
        since = namespace.metadata.deletion_timestamp
        if since is None or not survey.older(since, ENDING):
            continue
        found = {one.type: one for one in namespace.status.conditions or () if one.status == "True"}
        reason = next((type_ for type_ in _WHY if type_ in found), None)
        ref = Ref("Namespace", "", namespace.metadata.name, "namespaces")
        why, text_step = _WHY.get(reason or "", ("it is not told why", "Look at its conditions."))
        text = parts(*subject(ref), f" does not go: {why}.")
        evidence = tuple(one for type_ in _WHY if type_ in found for one in because_of(found[type_]))
        yield Finding("namespace-stuck", "warn", 31, ref, text, Step(text_step, ref), evidence, since)
