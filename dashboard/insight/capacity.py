"""Whether more pods find room: what a pod asks for, what nodes and quotas have left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from dashboard.kinds.nodes import Node, Taint
from dashboard.kinds.pods import Pod
from dashboard.kinds.podspec import Container, NodeRequirement, NodeSelector, PodSpec, Toleration
from dashboard.kinds.quantity import QuantityError, parse
from dashboard.kinds.resourcequotas import ResourceQuota
from dashboard.kinds.selectors import Requirement

Amounts = dict[str, Decimal]  # resource name → cores, bytes or a count

CORDONED = "node.kubernetes.io/unschedulable"

_GIB, _MIB = 2**30, 2**20
_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!", "Gt": ">", "Lt": "<"}


def amounts(quantities: Mapping[str, str] | None) -> Amounts:
    """Quantities as numbers; what is no quantity is left out, for a hostile server must not break a page."""
    found: Amounts = {}
    for name, text in (quantities or {}).items():
        try:
            found[name] = parse(text)
        except QuantityError:
            continue
    return found


def pod_amounts(spec: PodSpec, which: str = "requests") -> Amounts:
    """What one pod asks for ("requests") or may use ("limits"), as the scheduler and quotas count it.

    The rule of ``PodRequests`` and ``PodLimits`` in k8s.io/component-helpers/resource: containers and sidecars
    together, or the greatest init container beside the sidecars started before it; what is said of the pod as a whole
    goes before that; the overhead on top, but of limits only where there is one.
    """
    total = _sum(_container(one, which) for one in spec.containers or ())
    sidecars: Amounts = {}
    peak: Amounts = {}
    for container in spec.init_containers or ():
        if container.sidecar:
            sidecars = _sum((sidecars, _container(container, which)))
            peak = _max(peak, sidecars)
        else:
            peak = _max(peak, _sum((sidecars, _container(container, which))))
    total = _max(_sum((total, sidecars)), peak)
    total |= _whole(spec, which, total)
    overhead = amounts(spec.overhead)
    if which == "limits":
        overhead = {name: amount for name, amount in overhead.items() if total.get(name)}
    return _sum((total, overhead))


def whole_limits(spec: PodSpec) -> Amounts:
    """The limits of a pod as a whole; there are such only of CPU, memory and huge pages."""
    return _supported(spec.resources.limits if spec.resources else None)


def _whole(spec: PodSpec, which: str, containers: Amounts) -> Amounts:
    """Without a request, it is what the containers ask for, or else the limit (defaults.go of core/v1)."""
    limits = whole_limits(spec)
    if which == "limits":
        return limits
    missing = {name: amount for name, amount in limits.items() if name not in containers}
    return missing | _supported(spec.resources.requests if spec.resources else None)


def _supported(quantities: Mapping[str, str] | None) -> Amounts:
    return {
        name: amount
        for name, amount in amounts(quantities).items()
        if name in ("cpu", "memory") or name.startswith("hugepages-")
    }


def template_of(spec: PodSpec) -> tuple[int, ...]:
    """Equal for pods of one template, which share what was decoded of it, for as long as one of them lives."""
    whole = spec.resources
    parts = (whole.requests, whole.limits) if whole else (None, None)
    return tuple(map(id, (spec.containers, spec.init_containers, spec.overhead, *parts)))


def _container(container: Container, which: str) -> Amounts:
    resources = container.resources
    if resources is None:
        return {}
    # Without a request, the limit is the request (defaults.go of core/v1).
    requests = {**(resources.limits or {}), **(resources.requests or {})}
    return amounts(requests if which == "requests" else resources.limits)


def _sum(all_: Iterable[Amounts]) -> Amounts:
    total: Amounts = defaultdict(Decimal)
    for one in all_:
        for name, amount in one.items():
            total[name] += amount
    return dict(total)


def _max(left: Amounts, right: Amounts) -> Amounts:
    return {name: max(left.get(name, Decimal(0)), right.get(name, Decimal(0))) for name in {*left, *right}}


@dataclass(frozen=True, slots=True)
class Room:
    """``pods`` more pods of a size find room on ``nodes`` of the nodes; ``unsure`` names what was not reckoned."""

    pods: int
    nodes: int
    unsure: tuple[str, ...]


def room_on_nodes(spec: PodSpec, nodes: Sequence[Node], pods: Sequence[Pod], most: int) -> Room:
    """How many more pods like this one, at most ``most``, the nodes take: what they can give minus what is asked
    for on them already, on nodes that the pod's node selector, node affinity and tolerations allow.
    """
    asked = asked_on_nodes(pods)
    wanted = {**pod_amounts(spec), "pods": Decimal(1)}
    fitting = used = 0
    for node in nodes:
        if fitting >= most or not takes(node, spec):
            continue
        free = amounts(node.status.allocatable)
        taken = asked[node.metadata.name]
        here = min(
            int((free.get(name, Decimal(0)) - taken.get(name, Decimal(0))) // amount)
            for name, amount in wanted.items()
            if amount > 0
        )
        if here > 0:
            fitting, used = min(most, fitting + here), used + 1
    return Room(fitting, used, _unsure(spec))


def asked_on_nodes(pods: Sequence[Pod]) -> dict[str, Amounts]:
    """What the pods on each node ask for together, and how many they are ("pods")."""
    asked: dict[str, Amounts] = defaultdict(lambda: defaultdict(Decimal))
    sizes: dict[tuple[int, ...], Amounts] = {}  # by template: each is added up once
    for pod in pods:
        spec = pod.spec
        if not spec.node_name or pod.status.phase in ("Succeeded", "Failed"):
            continue
        key = template_of(spec)
        size = sizes.get(key)
        if size is None:
            size = sizes[key] = {**pod_amounts(spec), "pods": Decimal(1)}
        on_node = asked[spec.node_name]
        for name, amount in size.items():
            on_node[name] += amount
    return asked


def takes(node: Node, spec: PodSpec) -> bool:
    """Whether the node's labels and taints allow the pod."""
    return affinity_allows(node, spec) and not any(standing_taints(node, spec))


def standing_taints(node: Node, spec: PodSpec) -> Iterator[Taint]:
    """The taints of a node that keep the pod away; a cordoned node has one even before the node controller sets it."""
    taints = list(node.spec.taints or ())
    if node.spec.unschedulable and all(taint.key != CORDONED for taint in taints):
        taints.append(Taint(key=CORDONED, effect="NoSchedule"))
    for taint in taints:
        tolerated = any(_tolerates(one, taint) for one in spec.tolerations or ())
        if taint.effect != "PreferNoSchedule" and not tolerated:
            yield taint


def affinity_allows(node: Node, spec: PodSpec) -> bool:
    """Whether the node's labels are those that the node selector and the node affinity ask for."""
    labels = node.metadata.labels
    if any(labels.get(key) != value for key, value in (spec.node_selector or {}).items()):
        return False
    required = spec.affinity.node_affinity.required if spec.affinity and spec.affinity.node_affinity else None
    return required is None or matches_terms(node, required)


def matches_terms(node: Node, required: NodeSelector) -> bool:
    """Whether a node fulfils one of the terms: the rule of pods' node affinity, and of volumes'."""
    names = {"metadata.name": node.metadata.name}
    return any(
        all(_holds(one, node.metadata.labels) for one in term.match_expressions or ())
        and all(_holds(one, names) for one in term.match_fields or ())
        and bool(term.match_expressions or term.match_fields)
        for term in required.node_selector_terms or ()
    )


def _holds(requirement: NodeRequirement, labels: Mapping[str, str]) -> bool:
    operator = _OPERATORS.get(requirement.operator)
    values = requirement.values or ()
    return operator is not None and Requirement(requirement.key, operator, values).matches(labels)  # type: ignore[arg-type]


def _tolerates(toleration: Toleration, taint: Taint) -> bool:
    """``ToleratesTaint`` of k8s.io/api/core/v1/toleration.go."""
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    if toleration.operator == "Exists":
        return True
    return bool(toleration.key) and toleration.value == taint.value


def _unsure(spec: PodSpec) -> tuple[str, ...]:
    found = []
    if spec.affinity and spec.affinity.pod_anti_affinity and spec.affinity.pod_anti_affinity.required:
        found.append("pod anti-affinity")
    if any(one.when_unsatisfiable == "DoNotSchedule" for one in spec.topology_spread_constraints or ()):
        found.append("topology spread")
    if any(one.persistent_volume_claim or one.ephemeral for one in spec.volumes or ()):
        found.append("volumes")
    if spec.host_network or any(port.host_port for one in spec.containers or () for port in one.ports or ()):
        found.append("host ports")
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Headroom:
    """``pods`` more pods of a size fit into the quota; ``resource`` is what runs out first."""

    quota: str
    pods: int
    resource: str


def quota_headroom(spec: PodSpec, quotas: Iterable[ResourceQuota]) -> Headroom | None:
    """The tightest quota for more pods like this one; None when no quota limits them.

    Quotas with scopes are left out: they count only some pods.
    """
    requests, limits = pod_amounts(spec), pod_amounts(spec, "limits")
    each = {"pods": Decimal(1), "count/pods": Decimal(1)}
    each |= {f"requests.{name}": amount for name, amount in requests.items()}
    each |= {f"limits.{name}": amount for name, amount in limits.items()}
    each |= {name: requests[name] for name in ("cpu", "memory") if name in requests}
    tightest: Headroom | None = None
    for quota in quotas:
        if quota.spec.counts_only:
            continue
        hard, used = amounts(quota.status.hard or quota.spec.hard), amounts(quota.status.used)
        for name, amount in each.items():
            if name in hard and amount > 0:
                left = max(0, int((hard[name] - used.get(name, Decimal(0))) // amount))
                if tightest is None or left < tightest.pods:
                    tightest = Headroom(quota.metadata.name, left, name)
    return tightest


def in_words(wanted: Amounts, times: int = 1) -> str:
    """``750m CPU and 1.5 GiB memory`` for that many pods; "" when they ask for nothing."""
    found = []
    if cpu := wanted.get("cpu", Decimal(0)) * times:
        found.append(f"{_cores(cpu)} CPU")
    if memory := wanted.get("memory", Decimal(0)) * times:
        found.append(f"{_bytes(memory)} memory")
    return " and ".join(found)


def _cores(cores: Decimal) -> str:
    return f"{cores.normalize():f}" if cores == cores.to_integral_value() else f"{int(cores * 1000)}m"


def _bytes(size: Decimal) -> str:
    unit, word = (_GIB, "GiB") if size >= _GIB else (_MIB, "MiB")
    return f"{float(size) / unit:.1f}".removesuffix(".0") + f" {word}"
