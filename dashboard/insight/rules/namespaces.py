"""Namespaces that do not go."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from dashboard.insight.finding import Finding, Known, Step, because_of, stands, subject
from dashboard.insight.observed import Observed
from dashboard.insight.words import parts
from dashboard.kinds.base import Ref
from dashboard.kinds.rows import listed, shorten

from .apiservices import ref_of
from .pod_creation import why_refused
from .webhooks import configuration_of, refuser

ENDING = timedelta(minutes=2)
_WEBHOOK = "failed calling webhook"

# As "down.example.com/v1: stale GroupVersion discovery: down.example.com/v1".
_APIS = re.compile(r"(?<![\w.-])([\w.-]++)/(v\w+):")
# As "Some content in the namespace has finalizers remaining: example.com/keep in 1 resource instances".
_FINALIZERS = re.compile(r"(?:remaining: |, )([^\s,]+) in \d+ resource instance")

# The most telling first (pkg/controller/namespace/deletion/status_condition_utils.go).
_WHY = {
    "NamespaceDeletionDiscoveryFailure": (
        "an aggregated API is unavailable, so it is not known what is left in it",
        "Look at the APIServices: one is not available. Restore its backend, or delete it.",
    ),
    "NamespaceDeletionGroupVersionParsingFailure": (
        "an API group of the cluster can't be parsed",
        "Look at the APIServices and CustomResourceDefinitions.",
    ),
    "NamespaceDeletionContentFailure": (
        "something in it cannot be deleted",
        "Look at the message: it names what failed.",
    ),
    "NamespaceFinalizersRemaining": (
        "objects in it have a finalizer that is not removed",
        "Check that the controller of that finalizer is running.",
    ),
    "NamespaceContentRemaining": (
        "objects in it are still there",
        "Look at what is left in it.",
    ),
}


def stuck(survey: Observed, known: Known) -> Iterator[Finding]:
    """Terminating for longer than a deletion takes."""
    for namespace in survey.all("namespaces"):
        since = namespace.metadata.deletion_timestamp
        if since is None or not survey.older(since, ENDING):
            continue
        found = {one.type: one for one in namespace.status.conditions or () if one.status == "True"}
        reason = next((type_ for type_ in _WHY if type_ in found), "")
        ref = Ref("Namespace", "", namespace.metadata.name, "namespaces")
        why, text_step = _WHY.get(reason, ("its conditions don't say why", "Look at its conditions."))
        own = namespace.metadata.finalizers
        if not reason and own:  # its content is gone
            why = f"it waits for finalizer {listed(own)}, which has not been removed"
            text_step = _WHY["NamespaceFinalizersRemaining"][1]
        message, step = found[reason].message if reason else "", Step(text_step, ref)
        said = dict.fromkeys(_APIS.findall(message))
        apis = [ref_of(f"{version}.{group}") for group, version in said if "." in group]
        if reason == "NamespaceDeletionDiscoveryFailure" and apis:
            named = f"APIService {listed(api.name for api in apis)}"
            are = "is" if len(apis) == 1 else "are"
            why = f"{named} {are} not available, so it is not known what is left in it"
            step = Step(f"Restore the backend of {named}, or delete what is not needed any more.", apis[0])
        refusal = why_refused(message, ref) if _WEBHOOK in message else None
        if refusal is not None:
            why = f"{why}, because {refusal.why}"
            step = Step(refusal.step, refusal.ref or configuration_of(survey, refusal.shared) or ref)
        elif reason == "NamespaceDeletionContentFailure" and (failed := message.partition(" remaining: ")[2]):
            why = f"{why}: {shorten(failed).rstrip('.')}"
        left = found.get("NamespaceFinalizersRemaining")
        finalizers = _FINALIZERS.findall(left.message) if left is not None else []
        if finalizers:
            waits = f"objects in it wait for finalizer {listed(finalizers)}, which has not been removed"
            why = waits if found[reason] is left else f"{why}, and {waits}"
        text = parts(*subject(ref), f" can't be deleted: {why}.")
        evidence = (
            *(one for type_ in _WHY if type_ in found for one in because_of(found[type_])),
            *stands("metadata.finalizers", ", ".join(own)),
        )
        stays = Finding("namespace-stuck", "warn", 31, ref, text, step, evidence, since)
        causes = [known[api] for api in apis if api in known]
        hook = refuser(survey, refusal.shared) if refusal is not None else None
        causes += [known[hook]] if hook is not None and hook in known else []
        follows = replace(stays.following(*causes), since=since)
        if causes and finalizers:  # which stay when the API is back
            after = f"{step.text} Then see that the controller of finalizer {listed(finalizers)} runs."
            follows = replace(follows, step=replace(step, text=after))
        yield follows
