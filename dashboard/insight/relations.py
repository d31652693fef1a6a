"""What an object names or acts on, and how: the public contract's relations.

- ``named`` is what an object's own fields name: it changes only with the object, so an index can hold it the other
  way round (``usedby.py``).
- What a selector chooses among others, and the EndpointSlices labelled for a Service, depend on those others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from dashboard.kinds.base import Ref
from dashboard.kinds.podspec import NodeSelector, PodSpec
from dashboard.kinds.references import meant, reference
from dashboard.kinds.selectors import NOTHING, Selector, SelectorError, from_label_selector, from_labels
from dashboard.kinds.uses import pod_spec_uses

from .protocols import Objects

Relations = dict[Ref, tuple[str, ...]]
Named = Iterator[tuple[Ref, str]]

TEMPLATES = frozenset({"deployments", "replicasets", "statefulsets", "daemonsets", "jobs"})
HOSTNAME = "kubernetes.io/hostname"


def uses(objects: Objects, plural: str, obj: Any) -> Relations:
    """What an object uses, with the ways in the contract's words, each once and in order of mention."""
    return _gathered([*_named(plural, obj), *_chosen(objects, plural, obj)])


def named(plural: str, obj: Any) -> Relations:
    """What an object's own fields name, whatever else there is."""
    return _gathered(_named(plural, obj))


def pod_spec(plural: str, obj: Any) -> PodSpec | None:
    """The pod spec of a pod or of a workload's template; None for other kinds."""
    spec: PodSpec | None = None
    if plural == "pods":
        spec = obj.spec
    elif plural in TEMPLATES:
        spec = obj.spec.template.spec
    elif plural == "cronjobs":
        spec = obj.spec.job_template.spec.template.spec
    return spec


def pod_labels(plural: str, obj: Any) -> dict[str, str] | None:
    """The labels of a pod, or of the pods that a workload makes; None for other kinds."""
    labels: dict[str, str] | None = None
    if plural == "pods":
        labels = obj.metadata.labels
    elif plural in TEMPLATES:
        labels = obj.spec.template.metadata.labels or {}
    elif plural == "cronjobs":
        labels = obj.spec.job_template.spec.template.metadata.labels or {}
    return labels


def _services_pods(service: Any) -> Selector:
    return NOTHING if service.spec.type == "ExternalName" else from_labels(service.spec.selector)


# Kinds that select pods of their namespace: the word for it, and by which selector.
SELECTING: dict[str, tuple[str, Callable[[Any], Selector]]] = {
    "services": ("selects", _services_pods),
    "poddisruptionbudgets": ("protects", lambda budget: from_label_selector(budget.spec.selector)),
    "networkpolicies": ("selects", lambda policy: from_label_selector(policy.spec.pod_selector)),
}

_PODS_OF = TEMPLATES | {"pods", "cronjobs"}
# By the kind of an object: which kinds, as a rule, use such objects. Owners may be of any kind besides.
USERS: dict[str, frozenset[str]] = {
    "configmaps": _PODS_OF,
    "secrets": _PODS_OF | {"ingresses", "serviceaccounts", "persistentvolumes"},
    "persistentvolumeclaims": _PODS_OF | {"persistentvolumes", "persistentvolumeclaims"},
    "persistentvolumes": frozenset({"persistentvolumeclaims"}),
    "storageclasses": frozenset({"persistentvolumeclaims", "persistentvolumes"}),
    "serviceaccounts": _PODS_OF | {"rolebindings", "clusterrolebindings"},
    "priorityclasses": _PODS_OF,
    "nodes": frozenset({"pods", "persistentvolumes"}),
    "pods": frozenset({*SELECTING, "endpointslices"}),
    "endpointslices": frozenset({"services"}),
    "services": frozenset({"ingresses", "endpointslices", "statefulsets"}),
    "ingressclasses": frozenset({"ingresses"}),
    "roles": frozenset({"rolebindings"}),
    "clusterroles": frozenset({"rolebindings", "clusterrolebindings"}),
    "deployments": frozenset({"horizontalpodautoscalers", "replicasets"}),
    "statefulsets": frozenset({"horizontalpodautoscalers", "pods"}),
    "replicasets": frozenset({"horizontalpodautoscalers", "pods"}),
    "daemonsets": frozenset({"pods"}),
    "jobs": frozenset({"pods"}),
    "cronjobs": frozenset({"jobs"}),
}


def selector_of(plural: str, obj: Any) -> Selector:
    """The selector by which an object of a ``SELECTING`` kind finds pods; one that cannot be read finds none."""
    try:
        return SELECTING[plural][1](obj)
    except SelectorError:
        return NOTHING


def _gathered(mentions: Iterable[tuple[Ref, str]]) -> Relations:
    found: dict[Ref, dict[str, None]] = {}
    for ref, how in mentions:
        if ref.name:
            found.setdefault(ref, {})[how] = None
    return {ref: tuple(ways) for ref, ways in found.items()}


def _chosen(objects: Objects, plural: str, obj: Any) -> Named:
    namespace = obj.metadata.namespace
    if plural in SELECTING:
        how, selector = SELECTING[plural][0], selector_of(plural, obj)
        for pod in [] if selector.nothing else objects.all("pods", namespace):
            if selector.matches(pod.metadata.labels):
                yield reference("Pod", namespace, pod.metadata.name), how
    if plural == "services":
        for one in objects.all("endpointslices", namespace):
            if one.service == obj.metadata.name:
                yield reference("EndpointSlice", namespace, one.metadata.name), "endpoint"
    if plural == "statefulsets" and obj.spec.volume_claim_templates:
        for claim in objects.all("persistentvolumeclaims", namespace):
            if keeps(obj, claim.metadata.name):
                yield reference("PersistentVolumeClaim", namespace, claim.metadata.name), "claim"


def keeps(stateful_set: Any, claim: str) -> bool:
    """Whether a claim of this name is that of one of its pods, which may be gone: ``<template>-<set>-<number>``."""
    before, _, number = claim.rpartition("-")
    return number.isdigit() and any(
        before == f"{template.metadata.name}-{stateful_set.metadata.name}"
        for template in stateful_set.spec.volume_claim_templates or ()
    )


def _named(plural: str, obj: Any) -> Named:
    meta = obj.metadata
    for owner in meta.owner_references or ():
        yield meant(owner, meta.namespace), "owner"
    spec = pod_spec(plural, obj)
    if spec is not None:
        yield from _by_pod_spec(spec, meta.namespace, meta.name if plural == "pods" else "")
    reader = _READERS.get(plural)
    if reader is not None:
        yield from reader(obj, meta.namespace)


def _by_pod_spec(spec: PodSpec, namespace: str, pod_name: str) -> Named:
    for (kind, used), ways in pod_spec_uses(spec, pod_name).items():
        ref = reference(kind, namespace, used)
        for way in ways:
            yield ref, way
    yield reference("ServiceAccount", namespace, spec.service_account_name), "serviceAccount"
    yield reference("PriorityClass", "", spec.priority_class_name), "class"
    if pod_name:
        yield reference("Node", "", spec.node_name), "runsOn"


def _endpointslice(one: Any, namespace: str) -> Named:
    for endpoint in one.endpoints or ():
        target = endpoint.target_ref
        if target is not None:
            yield meant(target, target.namespace or namespace), "endpoint"


def _stateful_set(stateful_set: Any, namespace: str) -> Named:
    yield reference("Service", namespace, stateful_set.spec.service_name), "serviceName"


def _autoscaler(autoscaler: Any, namespace: str) -> Named:
    yield meant(autoscaler.spec.scale_target_ref, namespace), "scales"


def _ingress(ingress: Any, namespace: str) -> Named:
    backends = [ingress.spec.default_backend]
    for rule in ingress.spec.rules or ():
        backends += [path.backend for path in (rule.http.paths if rule.http else None) or ()]
    for backend in backends:
        if backend is not None and backend.service is not None:
            yield reference("Service", namespace, backend.service.name), "backend"
        if backend is not None and backend.resource is not None:
            resource = backend.resource
            yield reference(resource.kind, namespace, resource.name, resource.api_group or ""), "backend"
    for tls in ingress.spec.tls or ():
        yield reference("Secret", namespace, tls.secret_name), "tls"
    yield reference("IngressClass", "", ingress.class_name), "class"


def _claim(claim: Any, namespace: str) -> Named:
    yield reference("PersistentVolume", "", claim.spec.volume_name), "bound"
    yield reference("StorageClass", "", claim.storage_class), "class"
    source = claim.spec.data_source_ref or claim.spec.data_source
    if source is not None:
        where = source.namespace or namespace
        yield reference(source.kind, where, source.name, source.api_group or ""), "dataSource"


def _volume(volume: Any, _: str) -> Named:
    claim = volume.spec.claim_ref
    if claim is not None:
        yield reference("PersistentVolumeClaim", claim.namespace, claim.name), "bound"
    yield reference("StorageClass", "", volume.storage_class), "class"
    for secret in volume.spec.csi.secrets if volume.spec.csi else ():
        yield reference("Secret", secret.namespace, secret.name), "csi"
    for node in _nodes(volume.spec.node_affinity.required if volume.spec.node_affinity else None):
        yield reference("Node", "", node), "runsOn"


def _nodes(selector: NodeSelector | None) -> Iterator[str]:
    """The nodes that a local volume names as its place."""
    for term in (selector.node_selector_terms or ()) if selector else ():
        for wanted in (*(term.match_expressions or ()), *(term.match_fields or ())):
            if wanted.key in (HOSTNAME, "metadata.name") and wanted.operator == "In":
                yield from wanted.values or ()


def _account(account: Any, namespace: str) -> Named:
    for secret in account.secrets or ():
        yield reference("Secret", namespace, secret.name), "serviceAccount"
    for secret in account.image_pull_secrets or ():
        yield reference("Secret", namespace, secret.name), "imagePullSecret"


def _binding(binding: Any, namespace: str) -> Named:
    role = binding.role_ref
    yield reference(role.kind, namespace, role.name, role.api_group or None), "grants"
    for subject in binding.subjects or ():
        if subject.kind == "ServiceAccount":
            yield reference("ServiceAccount", subject.namespace or namespace, subject.name), "serviceAccount"


_READERS: dict[str, Callable[[Any, str], Named]] = {
    "endpointslices": _endpointslice,
    "horizontalpodautoscalers": _autoscaler,
    "ingresses": _ingress,
    "persistentvolumeclaims": _claim,
    "persistentvolumes": _volume,
    "serviceaccounts": _account,
    "statefulsets": _stateful_set,
    "rolebindings": _binding,
    "clusterrolebindings": _binding,
}
