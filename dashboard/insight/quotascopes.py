"""Which pods a quota with scopes counts: those that all of its scopes match.

Rules: kubernetes.io, Resource Quotas; kubernetes/kubernetes, pkg/quota/v1/evaluator/core/pods.go
(``podMatchesScopeFunc``) and pkg/apis/core/v1/helper/qos.
"""

from __future__ import annotations

from collections.abc import Iterator

from dashboard.kinds.podspec import AffinityTerm, PodSpec
from dashboard.kinds.quantity import QuantityError, parse
from dashboard.kinds.resourcequotas import ResourceQuota, Scope

from .protocols import Objects


def default_class(objects: Objects) -> str | None:
    """The PriorityClass that pods without one get, "" for none; None where that is not known."""
    if not objects.reads("priorityclasses"):
        return None
    defaults = [each for each in objects.all("priorityclasses") if each.global_default]
    return min(defaults, key=lambda each: each.value).metadata.name if defaults else ""


def counts(quota: ResourceQuota, spec: PodSpec, default: str | None) -> bool:
    """Whether a quota counts a pod as it is created. ``default``: see ``default_class``; where it matters and is not
    known, nothing is said of the quota.
    """
    return all(_matches(scope, spec, default) for scope in quota.spec.required)


def _matches(scope: Scope, spec: PodSpec, default: str | None) -> bool:
    match scope.scope_name:
        case "Terminating":
            return spec.active_deadline_seconds is not None
        case "NotTerminating":
            return spec.active_deadline_seconds is None
        case "BestEffort":
            return _best_effort(spec)
        case "NotBestEffort":
            return not _best_effort(spec)
        case "PriorityClass":
            return _of_class(scope, spec.priority_class_name or default)
        case "CrossNamespacePodAffinity":
            return any(term.namespaces or term.namespace_selector is not None for term in _terms(spec))
    return False  # of claims, or of a later version of Kubernetes: it counts no pod


def _of_class(scope: Scope, name: str | None) -> bool:
    if name is None:
        return False
    match scope.operator:
        case "Exists":
            return bool(name)
        case "DoesNotExist":
            return not name
        case "In":
            return name in (scope.values or ())
        case "NotIn":
            return name not in (scope.values or ())
    return False


def _best_effort(spec: PodSpec) -> bool:
    """Neither CPU nor memory is requested or limited: for the pod as a whole, where that says anything, else by any
    container.
    """
    whole = spec.resources
    if whole is not None and (whole.requests or whole.limits):
        said = [whole]
    else:
        every = (*(spec.containers or ()), *(spec.init_containers or ()))
        said = [each.resources for each in every if each.resources is not None]
    return not any(
        _some(quantities[name])
        for each in said
        for quantities in (each.requests or {}, each.limits or {})
        for name in ("cpu", "memory")
        if name in quantities
    )


def _some(quantity: str) -> bool:
    try:
        return parse(quantity) > 0
    except QuantityError:  # of a hostile server
        return False


def _terms(spec: PodSpec) -> Iterator[AffinityTerm]:
    """Every term of its pod affinity and anti-affinity."""
    if spec.affinity is None:
        return
    for each in (spec.affinity.pod_affinity, spec.affinity.pod_anti_affinity):
        if each is not None:
            yield from each.required or ()
            yield from (one.pod_affinity_term for one in each.preferred or () if one.pod_affinity_term)
