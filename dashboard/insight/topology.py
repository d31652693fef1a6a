"""Grouped by, for a map: Ingress → Service → workload and its pods → what these read → the nodes.

An application here is whatever traffic and ownership connect. What many read alike (a pull Secret) does not make one
application of all of them: it stands with each.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dashboard.kinds.base import Ref
from dashboard.kinds.pods import Pod
from dashboard.kinds.references import meant, reference
from dashboard.kinds.uses import mentions

from .ownership import controller, pod_owner
from .protocols import Objects
from .relations import keeps, pod_labels, pod_spec, selector_of
from .traffic import routes
from .usedby import ref_of

READ = frozenset(
    {
        "ingresses", "services", "endpointslices", "deployments", "statefulsets", "daemonsets", "replicasets", "jobs",
        "cronjobs", "pods", "configmaps", "secrets", "persistentvolumeclaims", "nodes", "horizontalpodautoscalers",
    }
)  # fmt: skip
WORKLOADS = ("deployments", "statefulsets", "daemonsets", "cronjobs", "jobs", "replicasets")
CONFIGURATION = ("configmaps", "secrets", "persistentvolumeclaims")
# The API server's own certificate, which Kubernetes gives to every namespace and mounts into every pod.
EVERYWHERE = "kube-root-ca.crt"


@dataclass(frozen=True, slots=True, eq=False)
class Workload:
    """A workload, or a pod of none, with its pods; ``reads``: what these read; ``spare``: what of it they can start
    without; ``nodes``: pods by node name.
    """

    ref: Ref
    pods: tuple[Pod, ...]
    reads: tuple[Ref, ...]
    spare: frozenset[Ref]
    nodes: Counter[str]


@dataclass(frozen=True, slots=True, eq=False)
class App:
    """One application. Links lead from left to right; each end is among its members or a node."""

    namespace: str
    ingresses: tuple[Ref, ...]
    services: tuple[Ref, ...]
    workloads: tuple[Workload, ...]
    reads: tuple[Ref, ...]
    links: frozenset[tuple[Ref, Ref]]

    @property
    def first(self) -> Ref:
        """The object that stands for it: its first workload, else its Service or Ingress."""
        return next(iter((*(one.ref for one in self.workloads), *self.services, *self.ingresses)))

    @property
    def alone(self) -> bool:
        """Whether it is one object that nothing leads to and that reads nothing."""
        return len(self.ingresses) + len(self.services) + len(self.workloads) == 1 and not self.reads

    @property
    def nodes(self) -> list[Ref]:
        """The nodes that its pods run on."""
        return [node_ref(name) for name in sorted({name for one in self.workloads for name in one.nodes})]

    @property
    def refs(self) -> Iterator[Ref]:
        """Every object of it, its pods among them."""
        yield from (*self.ingresses, *self.services, *self.reads)
        for one in self.workloads:
            yield one.ref
            yield from (ref_of("pods", pod) for pod in one.pods)
            yield from (node_ref(name) for name in one.nodes)


@dataclass(frozen=True, slots=True)
class Area:
    """A namespace: its applications, and the ConfigMaps, Secrets and claims that none of them reads; none of these where
    not every application is known.
    """

    namespace: str
    apps: tuple[App, ...]
    unused: tuple[Ref, ...]


def node_ref(name: str) -> Ref:
    return reference("Node", "", name)


def areas(objects: Objects, namespaces: Iterable[str]) -> list[Area]:
    """The areas of these namespaces, in their order; those with nothing in them are left out."""
    found = [_area(objects, namespace) for namespace in namespaces]
    return [area for area in found if area.apps or area.unused]


def _area(objects: Objects, namespace: str) -> Area:
    workloads = _workloads(objects, namespace)
    links: set[tuple[Ref, Ref]] = set()
    services = [ref_of("services", one) for one in objects.all("services", namespace)]
    for service in objects.all("services", namespace):
        links |= {(ref_of("services", service), ref) for ref in _behind(objects, service, workloads)}
    ingresses = []
    for ingress in objects.all("ingresses", namespace):
        ingresses.append(ref_of("ingresses", ingress))
        links |= {
            (ingresses[-1], reference("Service", namespace, route.service_name))
            for route in routes(objects, ingress) if route.service_name
        }  # fmt: skip
    tls = {
        ref: tuple(
            reference("Secret", namespace, one.secret_name)
            for one in ingress.spec.tls or ()
            if one.secret_name
        )
        for ref, ingress in zip(ingresses, objects.all("ingresses", namespace), strict=True)
    }
    apps = _apps(namespace, ingresses, services, workloads, links, tls)
    used = {ref for app in apps for ref in app.reads}
    known = all(objects.reads(plural, namespace) for plural in ("pods", "ingresses", *WORKLOADS))
    unused = [
        ref
        for plural in (CONFIGURATION if known else ())
        for one in objects.all(plural, namespace)
        if (ref := ref_of(plural, one)) not in used and ref.name != EVERYWHERE
    ]
    return Area(namespace, apps, tuple(sorted(unused, key=_place)))


def _workloads(objects: Objects, namespace: str) -> dict[Ref, Workload]:
    pods: dict[Ref, list[Pod]] = defaultdict(list)
    owners: dict[Ref, Ref] = {}
    for pod in objects.all("pods", namespace):
        above, _ = controller(objects, pod)
        if above is None or above.plural == "nodes":  # a static pod: its node's kubelet keeps it
            pods[ref_of("pods", pod)].append(pod)
            continue
        if above not in owners:
            owners[above] = pod_owner(objects, pod)
        pods[owners[above]].append(pod)
    found = {ref: _workload(objects, ref, tuple(own)) for ref, own in pods.items()}
    for plural in WORKLOADS:
        for one in objects.all(plural, namespace):
            ref = ref_of(plural, one)
            above = one.metadata.controller
            if ref not in found and (above is None or meant(above, namespace).plural not in WORKLOADS):
                found[ref] = _workload(objects, ref, ())
    return found


def _workload(objects: Objects, ref: Ref, pods: Sequence[Pod]) -> Workload:
    reads: dict[Ref, bool] = {}  # whether they need it
    obj = objects.get(ref.plural, ref.namespace, ref.name) if ref.plural else None
    spec = pod_spec(ref.plural, obj) if obj is not None else None
    specs = [] if spec is None or ref.plural == "pods" else [(spec, "")]
    seen: set[tuple[int, ...]] = set()
    for pod in pods:
        # Pods of a workload share the parts of their specs in memory.
        mark = (id(pod.spec.containers), id(pod.spec.init_containers), id(pod.spec.volumes))
        own_claims = any(volume.ephemeral is not None for volume in pod.spec.volumes or ())
        if mark not in seen or own_claims:
            seen.add(mark)
            specs.append((pod.spec, pod.metadata.name))
    if obj is not None and ref.plural == "statefulsets":
        # Those of pods that are gone too: they wait for the next pod of that number.
        for claim in objects.all("persistentvolumeclaims", ref.namespace):
            if keeps(obj, claim.metadata.name):
                reads[ref_of("persistentvolumeclaims", claim)] = True
    for one, pod_name in specs:
        for mention in mentions(one, pod_name):
            if mention.name != EVERYWHERE:
                read = reference(mention.kind, ref.namespace, mention.name)
                reads[read] = reads.get(read, False) or mention.needed
    nodes = Counter(pod.spec.node_name for pod in pods if pod.spec.node_name)
    spare = frozenset(read for read, needed in reads.items() if not needed)
    return Workload(ref, tuple(pods), tuple(reads), spare, nodes)


def _behind(objects: Objects, service: Any, workloads: dict[Ref, Workload]) -> Iterator[Ref]:
    """The workloads of which a Service selects pods, or would select them."""
    selector = selector_of("services", service)
    if selector.nothing:
        return
    for ref, workload in workloads.items():
        kept = {id(pod.metadata.labels): pod.metadata.labels for pod in workload.pods}
        if not kept and ref.plural:
            obj = objects.get(ref.plural, ref.namespace, ref.name)
            labels = pod_labels(ref.plural, obj) if obj is not None else None
            kept = {0: labels} if labels is not None else {}
        if any(selector.matches(labels) for labels in kept.values()):
            yield ref


def _apps(
    namespace: str,
    ingresses: list[Ref],
    services: list[Ref],
    workloads: dict[Ref, Workload],
    links: set[tuple[Ref, Ref]],
    tls: dict[Ref, tuple[Ref, ...]],
) -> tuple[App, ...]:
    members = _connected([*ingresses, *services, *workloads], links)
    apps = [_app(namespace, sorted(group, key=_place), workloads, links, tls) for group in members]
    # What is reached from outside comes first, then what has an address, then the rest.
    apps.sort(key=lambda app: (not app.ingresses, not app.services, not app.workloads, app.first.name))
    return tuple(apps)


def _app(
    namespace: str,
    group: list[Ref],
    workloads: dict[Ref, Workload],
    links: set[tuple[Ref, Ref]],
    tls: dict[Ref, tuple[Ref, ...]],
) -> App:
    own = [workloads[ref] for ref in group if ref in workloads]
    ingresses = tuple(ref for ref in group if ref.plural == "ingresses")
    inside = set(group)
    joined = {link for link in links if link[0] in inside}
    for one in own:
        joined |= {(one.ref, ref) for ref in one.reads}
        joined |= {(one.ref, node_ref(name)) for name in one.nodes}
    joined |= {(ref, secret) for ref in ingresses for secret in tls[ref]}
    reads = {ref for one in own for ref in one.reads} | {secret for ref in ingresses for secret in tls[ref]}
    services = tuple(ref for ref in group if ref.plural == "services")
    return App(
        namespace, ingresses, services, tuple(own), tuple(sorted(reads, key=_place)), frozenset(joined)
    )


def _connected(refs: list[Ref], links: set[tuple[Ref, Ref]]) -> list[list[Ref]]:
    """The groups that the links make; what a link names and is not there is a member too."""
    root: dict[Ref, Ref] = {ref: ref for ref in (*refs, *(end for link in links for end in link))}

    def top(ref: Ref) -> Ref:
        while root[ref] is not ref:
            root[ref] = root[root[ref]]
            ref = root[ref]
        return ref

    for one, other in links:
        root[top(one)] = top(other)
    groups: dict[Ref, list[Ref]] = defaultdict(list)
    for ref in root:
        groups[top(ref)].append(ref)
    return list(groups.values())


def _place(ref: Ref) -> tuple[str, str]:
    return ref.plural, ref.name
