"""Changes that the resilience report suggests, made in the object itself: the editor opens with them filled in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from .losing.loss import ZONE

HOST = "kubernetes.io/hostname"
HANDLERS = ("httpGet", "tcpSocket", "grpc", "exec")


def mended(manifest: Mapping[str, Any], remedy: str) -> dict[str, Any]:
    """The object with what a remedy changes: its name, and behind a colon what was chosen for it. As it is where the name
    is none, or where the object has none of what would be changed.
    """
    made = deepcopy(dict(manifest))
    name, _, chosen = remedy.partition(":")
    mend = _REMEDIES.get(name)
    spec = made.get("spec")
    if mend is not None and isinstance(spec, dict):
        mend(spec, chosen)
    return made


def _pods(spec: dict[str, Any]) -> dict[str, Any]:
    """The part of a workload that says what its pods are; of what has none, one that goes nowhere."""
    found = (spec.get("template") or {}).get("spec")
    return found if isinstance(found, dict) else {}


def _spread(key: str, spec: dict[str, Any]) -> None:
    """Pods that find no other place still get one: a soft rule makes nothing worse than it was."""
    pods = _pods(spec)
    rules = pods.setdefault("topologySpreadConstraints", [])
    if all(each.get("topologyKey") != key for each in rules):
        rules.append({
            "maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": deepcopy(spec.get("selector") or {}),
        })  # fmt: skip


def _probe(spec: dict[str, Any], _: str) -> None:
    """As its liveness probe asks, else whether its first port takes connections."""
    for container in _pods(spec).get("containers") or ():
        if "readinessProbe" in container:
            continue
        alive = container.get("livenessProbe") or {}
        asked = {key: deepcopy(alive[key]) for key in HANDLERS if key in alive}
        ports = [each for each in container.get("ports") or () if each.get("protocol", "TCP") == "TCP"]
        if not asked and ports:
            asked = {"tcpSocket": {"port": ports[0].get("name") or ports[0].get("containerPort")}}
        if asked:
            container["readinessProbe"] = {**asked, "periodSeconds": 10}


def _priority(spec: dict[str, Any], chosen: str) -> None:
    if chosen:
        _pods(spec)["priorityClassName"] = chosen


def _allow_one(spec: dict[str, Any], _: str) -> None:
    """Of a budget."""
    spec.pop("minAvailable", None)
    spec["maxUnavailable"] = 1


def _cpu_metric(spec: dict[str, Any], _: str) -> None:
    """Of an autoscaler: the metric and target that the API server gives to one without metrics."""
    metrics = spec.setdefault("metrics", [])
    if all((each.get("resource") or {}).get("name") != "cpu" for each in metrics):
        target = {"type": "Utilization", "averageUtilization": 80}
        metrics.append({"type": "Resource", "resource": {"name": "cpu", "target": target}})


_REMEDIES: Mapping[str, Callable[[dict[str, Any], str], None]] = {
    "spread-nodes": lambda spec, _: _spread(HOST, spec),
    "spread-zones": lambda spec, _: _spread(ZONE, spec),
    "probe": _probe,
    "priority": _priority,
    "allow-one": _allow_one,
    "cpu-metric": _cpu_metric,
}
