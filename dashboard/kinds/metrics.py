"""The measures of autoscaling/v2, and the Targets column made of them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from .meta import Struct
from .quantity import parse

_SHOWN = 2
_NOT_KNOWN = Decimal(-1)


class MetricTarget(Struct, frozen=True, gc=False):
    """What a measure should be; quantities as texts."""

    value: str | None = None
    average_value: str | None = None
    average_utilization: int | None = None


class MetricIdentifier(Struct, frozen=True, gc=False):
    """The name of a custom or external measure."""

    name: str = ""


class MetricSource(Struct, frozen=True, gc=False):
    """A measure and its target. ``name`` for CPU and memory, ``metric`` for all others."""

    target: MetricTarget = MetricTarget()
    name: str = ""
    container: str = ""
    metric: MetricIdentifier = MetricIdentifier()


class MetricSpec(Struct, frozen=True, gc=False):
    """One entry of spec.metrics."""

    type: str = ""
    resource: MetricSource | None = None
    container_resource: MetricSource | None = None
    pods: MetricSource | None = None
    object: MetricSource | None = None
    external: MetricSource | None = None


class MetricCurrent(Struct, frozen=True, gc=False):
    """What a measure is now."""

    current: MetricTarget = MetricTarget()


class MetricStatus(Struct, frozen=True, gc=False):
    """One entry of status.currentMetrics."""

    type: str = ""
    resource: MetricCurrent | None = None
    container_resource: MetricCurrent | None = None
    pods: MetricCurrent | None = None
    object: MetricCurrent | None = None
    external: MetricCurrent | None = None


def targets(specs: Sequence[MetricSpec], statuses: Sequence[MetricStatus]) -> str:
    """The Targets column (``formatHPAMetrics``): the first two measures, and how many more there are."""
    texts = target_texts(specs, statuses)
    if not texts:
        return "<none>"
    text = ", ".join(texts[:_SHOWN])
    return f"{text} + {len(texts) - _SHOWN} more..." if len(texts) > _SHOWN else text


def target_texts(specs: Sequence[MetricSpec], statuses: Sequence[MetricStatus]) -> list[str]:
    """Each measure as ``now/wanted``."""
    padded = [*statuses[: len(specs)], *(MetricStatus() for _ in range(len(specs) - len(statuses)))]
    return [_target(spec, status) for spec, status in zip(specs, padded, strict=True)]


def unread(specs: Sequence[MetricSpec], statuses: Sequence[MetricStatus]) -> list[MetricSpec]:
    """The metrics that could not be read: the controller leaves the status empty at their places."""
    return [spec for at, spec in enumerate(specs) if at >= len(statuses) or not statuses[at].type]


def name_of(spec: MetricSpec) -> str:
    """What a metric is called: by its name, of CPU and memory also by the container."""
    source = _source(spec)
    if source is None:
        return spec.type
    return (
        f"{source.name} of container {source.container}"
        if source.container
        else source.name or source.metric.name
    )


def load_key(specs: Sequence[MetricSpec], statuses: Sequence[MetricStatus]) -> Decimal:
    """Orders by the busiest measure: 1 is as wanted, 2 twice as much; what is not known comes first."""
    pairs = zip(specs, statuses, strict=False)
    return max((_load(_source(spec), _source(status)) for spec, status in pairs), default=_NOT_KNOWN)


def _source(entry: Any) -> Any:
    found = (entry.resource, entry.container_resource, entry.pods, entry.object, entry.external)
    return next((each for each in found if each is not None), None)


def _load(source: MetricSource | None, status: MetricCurrent | None) -> Decimal:
    if source is None or status is None:
        return _NOT_KNOWN
    wanted, now = source.target, status.current
    pairs = (
        (wanted.average_value, now.average_value),
        (wanted.average_utilization, now.average_utilization),
        (wanted.value, now.value),
    )
    limit, used = next((pair for pair in pairs if pair[0] is not None), (None, None))
    if limit is None or used is None or not (whole := parse(str(limit))):
        return _NOT_KNOWN
    return parse(str(used)) / whole


def _target(spec: MetricSpec, status: MetricStatus) -> str:
    if spec.type == "Resource" and spec.resource is not None:
        return _resource(spec.resource, status.resource)
    if spec.type == "ContainerResource" and spec.container_resource is not None:
        return _resource(spec.container_resource, status.container_resource)
    if spec.type == "Pods" and spec.pods is not None:
        current = "<unknown>" if status.pods is None else _text(status.pods.current.average_value)
        return f"{current}/{_text(spec.pods.target.average_value)}"
    if spec.type == "Object" and spec.object is not None:
        return _custom(spec.object, status.object)
    if spec.type == "External" and spec.external is not None:
        return _custom(spec.external, status.external)
    return "<unknown type>"


def _resource(source: MetricSource, status: MetricCurrent | None) -> str:
    target = source.target
    if target.average_value is not None:
        current = "<unknown>" if status is None else _text(status.current.average_value)
        return f"{source.name}: {current}/{target.average_value}"
    used = status.current.average_utilization if status is not None else None
    now = "<unknown>" if used is None else f"{used}%"
    wanted = "<auto>" if target.average_utilization is None else f"{target.average_utilization}%"
    return f"{source.name}: {now}/{wanted}"


def _custom(source: MetricSource, status: MetricCurrent | None) -> str:
    target = source.target
    if target.average_value is not None:
        now = status.current.average_value if status is not None else None
        return f"{'<unknown>' if now is None else now}/{target.average_value} (avg)"
    current = "<unknown>" if status is None else _text(status.current.value)
    return f"{current}/{_text(target.value)}"


def _text(quantity: str | None) -> str:
    return "<nil>" if quantity is None else quantity
