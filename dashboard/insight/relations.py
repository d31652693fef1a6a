"""What an object names or acts on, and how: the public contract's relations.

What uses an object is told by asking every other what it uses: slower than an index, and never at odds with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from dashboard.kinds import KINDS, by_kind
from dashboard.kinds.base import Ref
from dashboard.kinds.selectors import Selector, from_label_selector, from_labels
from dashboard.kinds.uses import pod_spec_uses

from .protocols import Objects

Relations = dict[Ref, tuple[str, ...]]

TEMPLATES = frozenset({"deployments", "replicasets", "statefulsets", "daemonsets", "jobs"})


def uses(objects: Objects, plural: str, obj: Any) -> Relations:
    """What an object uses, with the ways in the contract's words, each once and in order of mention."""
    found: dict[Ref, dict[str, None]] = {}
    for ref, how in _mentions(objects, plural, obj):
        if ref.name:
            found.setdefault(ref, {})[how] = None
    return {ref: tuple(ways) for ref, ways in found.items()}


def used_by(objects: Objects, plural: str, obj: Any) -> Relations:
    """What uses an object, and how."""
    wanted = _ref(KINDS[plural].kind, obj.metadata.namespace, obj.metadata.name)
    found: Relations = {}
    for other_plural, kind in KINDS.items():
        # Only Nodes, volumes and the like are used from every namespace.
        namespace = obj.metadata.namespace if kind.gvr.namespaced and obj.metadata.namespace else None
        for other in objects.all(other_plural, namespace):
            if ways := uses(objects, other_plural, other).get(wanted):
                found[_ref(kind.kind, other.metadata.namespace, other.metadata.name)] = ways
    return found


def _ref(kind: str, namespace: str, name: str) -> Ref:
    known = by_kind(kind)
    if known is not None and not known.gvr.namespaced:
        namespace = ""
    return Ref(kind, namespace, name, known.plural if known else "")


def _mentions(objects: Objects, plural: str, obj: Any) -> Iterator[tuple[Ref, str]]:
    namespace = obj.metadata.namespace
    for owner in obj.metadata.owner_references or ():
        yield _ref(owner.kind, namespace, owner.name), "owner"
    spec = pod_spec(plural, obj)
    if spec is not None:
        name = obj.metadata.name if plural == "pods" else ""
        for (kind, used), ways in pod_spec_uses(spec, name).items():
            for way in ways:
                yield _ref(kind, namespace, used), way
        yield _ref("ServiceAccount", namespace, spec.service_account_name), "serviceAccount"
        if plural == "pods":
            yield _ref("Node", "", spec.node_name), "runsOn"
    match plural:
        case "services":
            yield from _selected(objects, namespace, from_labels(obj.spec.selector), "selects")
        case "poddisruptionbudgets":
            yield from _selected(objects, namespace, from_label_selector(obj.spec.selector), "protects")
        case "endpointslices":
            for endpoint in obj.endpoints or ():
                if endpoint.target_ref is not None:
                    yield _ref(endpoint.target_ref.kind, namespace, endpoint.target_ref.name), "endpoint"
        case "horizontalpodautoscalers":
            target = obj.spec.scale_target_ref
            yield _ref(target.kind, namespace, target.name), "scales"
        case "ingresses":
            for backend in _backends(obj):
                yield _ref("Service", namespace, backend), "backend"
            for tls in obj.spec.tls or ():
                yield _ref("Secret", namespace, tls.secret_name), "tls"
        case "persistentvolumeclaims":
            yield _ref("PersistentVolume", "", obj.spec.volume_name), "bound"


def pod_spec(plural: str, obj: Any) -> Any | None:
    """The pod spec of a pod or of a workload's template; None for other kinds."""
    if plural == "pods":
        return obj.spec
    if plural in TEMPLATES:
        return obj.spec.template.spec
    if plural == "cronjobs":
        return obj.spec.job_template.spec.template.spec
    return None


def _selected(objects: Objects, namespace: str, selector: Selector, how: str) -> Iterator[tuple[Ref, str]]:
    for pod in objects.all("pods", namespace):
        if selector.matches(pod.metadata.labels or {}):
            yield _ref("Pod", namespace, pod.metadata.name), how


def _backends(ingress: Any) -> Iterable[str]:
    backends = [ingress.spec.default_backend]
    for rule in ingress.spec.rules or ():
        backends += [path.backend for path in (rule.http.paths if rule.http else None) or ()]
    return [
        backend.service.name for backend in backends if backend is not None and backend.service is not None
    ]
