"""What a pod requests, and what quotas have left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from dashboard.kinds.podspec import Container, PodSpec
from dashboard.kinds.quantity import QuantityError, parse
from dashboard.kinds.resourcequotas import ResourceQuota

Amounts = dict[str, Decimal]  # resource name → cores, bytes or a count

_GIB, _MIB = 2**30, 2**20


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


def container_requests(container: Container) -> Amounts:
    """What one container requests; without a request its limit is that."""
    return _container(container, "requests")


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
class Headroom:
    """``pods`` more pods of a size fit into the quota; ``resource`` is what runs out first."""

    quota: str
    pods: int
    resource: str


def quota_amounts(spec: PodSpec) -> Amounts:
    """What a pod takes of quotas, by the names that they have for it."""
    requests, limits = pod_amounts(spec), pod_amounts(spec, "limits")
    each = {"pods": Decimal(1), "count/pods": Decimal(1)}
    each |= {f"requests.{name}": amount for name, amount in requests.items()}
    each |= {f"limits.{name}": amount for name, amount in limits.items()}
    return each | {name: requests[name] for name in ("cpu", "memory") if name in requests}


def quota_headroom(spec: PodSpec, quotas: Iterable[ResourceQuota]) -> Headroom | None:
    """The tightest quota for more pods like this one; None when no quota limits them.

    Quotas with scopes are left out: they count only some pods.
    """
    each = quota_amounts(spec)
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
