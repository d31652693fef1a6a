"""Where the counts of the map lead: to the list with the filter that shows just what was counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from dashboard.insight.protocols import Objects
from dashboard.insight.topology import Workload
from dashboard.kinds.base import State
from dashboard.kinds.selectors import (
    MAX_LETTERS,
    MAX_REQUIREMENTS,
    OR,
    Requirement,
    Selector,
    SelectorError,
    from_label_selector,
)
from dashboard.live.screens.listing import CHIP_STATES

CHIP_OF = {state: chip for chip, state in CHIP_STATES.items()}
JOB = "batch.kubernetes.io/job-name"
HOSTNAME = "kubernetes.io/hostname"


def pods_query(objects: Objects, workload: Workload, state: State | None = None) -> str:
    """The query of a list of the pods of a workload, or those of one state: by its selector, as another workload's
    name may begin with its own.
    """
    labels = _text(_selector(objects, workload))
    pairs = [("namespace", workload.ref.namespace)]
    pairs.append(("labels", labels) if labels else ("q", f"{workload.ref.name}-"))
    return _query(pairs, state)


def node_query(objects: Objects, workloads: Sequence[Workload], node: str) -> str:
    """The query of a list of the pods of these workloads on a node; "" where no filter shows just them."""
    on_it = [one for one in workloads if one.nodes[node]]
    if not on_it:
        return ""
    namespace, name = on_it[0].ref.namespace, on_it[0].ref.name
    if len(on_it) == 1 and on_it[0].ref.plural == "pods":
        return _query([("namespace", namespace), ("q", f"node:{node} name:{name}")])
    labels = _either([_selector(objects, one) for one in on_it])
    return _query([("namespace", namespace), ("q", f"node:{node}"), ("labels", labels)]) if labels else ""


def nodes_query(nodes: Sequence[Any], names: Sequence[str]) -> str:
    """The query of a list of just these nodes, by the label that their kubelets give them; "" where it shows others."""
    wanted = set(names)
    hosts = {node.metadata.name: node.metadata.labels.get(HOSTNAME, "") for node in nodes}
    values = {hosts.get(name, "") for name in wanted}
    if "" in values or any(host in values for name, host in hosts.items() if name not in wanted):
        return ""
    labels = _text(Selector((Requirement(HOSTNAME, "in", tuple(sorted(values))),)))
    return _query([("labels", labels)]) if labels else ""


def _query(pairs: list[tuple[str, str]], state: State | None = None) -> str:
    if state is not None:
        pairs.append(("state", CHIP_OF[state]))
    return f"?{urlencode(pairs)}"


def _selector(objects: Objects, workload: Workload) -> Selector:
    """The label selector that finds its pods; without requirements where none is known."""
    ref = workload.ref
    obj = objects.get(ref.plural, ref.namespace, ref.name) if ref.plural else None
    try:
        selector = from_label_selector(getattr(getattr(obj, "spec", None), "selector", None))
    except SelectorError:
        return Selector()
    jobs = {pod.metadata.labels.get(JOB, "") for pod in workload.pods}
    if ref.plural in ("cronjobs", "jobs") and not selector.requirements and "" not in jobs:
        return Selector((Requirement(JOB, "in", tuple(jobs)),))
    return selector


def _either(selectors: Sequence[Selector]) -> str:
    """The text of a filter for all that one of these finds; "" where there is none."""
    parts = [{one.key: one for one in selector.requirements} for selector in selectors]
    differing = {key for part in parts for key in part if any(other.get(key) != part[key] for other in parts)}
    if not differing:
        return _text(selectors[0])
    key = next(iter(differing))
    if len(differing) == 1 and all(key in part and part[key].operator in ("=", "in") for part in parts):
        values = tuple(sorted({value for part in parts for value in part[key].values}))
        return _text(Selector(tuple((parts[0] | {key: Requirement(key, "in", values)}).values())))
    texts = [_text(selector) for selector in selectors]
    either = OR.join(dict.fromkeys(texts))
    return either if all(texts) and len(either) <= MAX_LETTERS else ""


def _text(selector: Selector) -> str:
    """As a list takes it; "" where there is none that it would."""
    text = str(selector)
    return text if len(text) <= MAX_LETTERS and len(selector.requirements) <= MAX_REQUIREMENTS else ""
