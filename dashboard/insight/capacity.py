"""What a pod requests, and what quotas have left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

import msgspec

from dashboard.insight.protocols import Objects
from dashboard.insight.quotascopes import counts, default_class
from dashboard.kinds.limitranges import LimitRange
from dashboard.kinds.podspec import Container, PodSpec, Resources
from dashboard.kinds.quantity import QuantityError, parse
from dashboard.kinds.resourcequotas import ResourceQuota

Amounts = dict[str, Decimal]  # resource name → cores, bytes or a count

_GIB, _MIB = 2**30, 2**20
# Of these a quota demands that each container says how much it takes.
_DEMANDED = ("cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory")


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
    """``pods`` more pods of a size fit into the quota; ``resource`` is what runs out first. ``unset``: of that the pods
    say nothing, for which they are refused, be there some left or not.
    """

    quota: str
    pods: int
    resource: str
    unset: bool = False

    @property
    def why(self) -> str:
        """Why no more of them may be created, as a note."""
        if self.unset:
            return f"its pods must specify {self.resource}"
        return f"the {self.resource} quota is reached first"


def quota_amounts(spec: PodSpec) -> Amounts:
    """What a pod takes of quotas, by the names that they have for it."""
    requests, limits = pod_amounts(spec), pod_amounts(spec, "limits")
    each = {"pods": Decimal(1), "count/pods": Decimal(1)}
    each |= {f"requests.{name}": amount for name, amount in requests.items()}
    each |= {f"limits.{name}": amount for name, amount in limits.items()}
    return each | {name: requests[name] for name in ("cpu", "memory") if name in requests}


def with_defaults(spec: PodSpec, ranges: Iterable[LimitRange]) -> PodSpec:
    """A pod as it is created: what its containers do not set, the LimitRanges of its namespace set
    (plugin/pkg/admission/limitranger, ``mergeContainerResources``).
    """
    limits = [
        limit for each in ranges for limit in each.spec.limits or () if limit.type == "Container"
    ]  # the API server has filled in what of them follows from the other
    if not any(limit.default or limit.default_request for limit in limits):
        return spec

    def filled(container: Container) -> Container:
        own = container.resources or Resources()
        requests, most = dict(own.requests or {}), dict(own.limits or {})
        requests = most | requests
        for limit in limits:
            requests = limit.default_request | requests
            most = limit.default | most
        return msgspec.structs.replace(container, resources=Resources(requests=requests, limits=most))

    return msgspec.structs.replace(
        spec,
        containers=tuple(map(filled, spec.containers or ())),
        init_containers=tuple(map(filled, spec.init_containers or ())),
    )


def _unset(spec: PodSpec, hard: Amounts) -> str:
    """The first resource of a quota of which a container says nothing, for which the API server refuses the pod; "" for
    none (pkg/quota/v1/evaluator/core/pods.go, ``Constraints``).
    """
    if spec.resources and (spec.resources.requests or spec.resources.limits):
        return ""
    return next((name for name in _DEMANDED if name in hard and silent_containers(spec, name)), "")


def silent_containers(spec: PodSpec, name: str) -> list[str]:
    """The containers that say nothing of a resource of a quota, such as ``limits.memory``."""
    which, _, resource = name.rpartition(".")
    every = (*(spec.containers or ()), *(spec.init_containers or ()))
    return [each.name for each in every if resource not in _container(each, which or "requests")]


def namespace_headroom(objects: Objects, namespace: str, spec: PodSpec) -> Headroom | None:
    """The tightest quota of a namespace for more pods like this one, with what its LimitRanges set in them; None when no
    quota limits them.
    """
    ranges = objects.all("limitranges", namespace) if objects.reads("limitranges", namespace) else None
    return quota_headroom(spec, objects.all("resourcequotas", namespace), ranges, default_class(objects))


def quota_headroom(
    spec: PodSpec,
    quotas: Iterable[ResourceQuota],
    ranges: Iterable[LimitRange] | None,
    default: str | None,
) -> Headroom | None:
    """The tightest quota for more pods like this one; None when no quota limits them. ``ranges``: the LimitRanges of the
    namespace; None where they are not known, and then no pod is taken for refused since it does not set something.
    ``default``: the PriorityClass of pods without one (``default_class``).
    """
    spec = with_defaults(spec, ranges or ())
    each = quota_amounts(spec)
    tightest: Headroom | None = None
    for quota in quotas:
        if not counts(quota, spec, default):
            continue
        hard, used = amounts(quota.status.hard or quota.spec.hard), amounts(quota.status.used)
        if ranges is not None and (unset := _unset(spec, hard)):
            return Headroom(quota.metadata.name, 0, unset, unset=True)
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
