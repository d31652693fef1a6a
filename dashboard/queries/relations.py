"""Owners, children and pods of an object, out of the cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from dashboard.kinds import KINDS
from dashboard.kinds.base import Ref, Row
from dashboard.kinds.catalogue import kind_named
from dashboard.kinds.selectors import from_labels

from .reader import Reader

# Which kinds a controller makes objects of; the pods of a Deployment belong to its ReplicaSets.
MAKES = {
    "deployments": ("replicasets",),
    "cronjobs": ("jobs",),
    "replicasets": (),
    "statefulsets": (),
    "daemonsets": (),
    "jobs": (),
}
CHILDREN = 12


def owners(reader: Reader, obj: Any) -> list[Ref]:
    """The controllers above an object, the topmost first."""
    chain: list[Ref] = []
    seen = {obj.metadata.uid}
    while True:
        owner = next((each for each in obj.metadata.owner_references or () if each.controller), None)
        if owner is None or owner.uid in seen:
            return chain
        seen.add(owner.uid)
        kind = kind_named(reader.cache.kinds, owner.api_version, owner.kind)
        namespace = obj.metadata.namespace if kind is None or kind.gvr.namespaced else ""
        chain.insert(0, Ref(owner.kind, namespace, owner.name, kind.plural if kind else ""))
        above = reader.get(kind.plural, namespace, owner.name) if kind else None
        if above is None or above.metadata.uid != owner.uid:
            return chain
        obj = above


def owned(reader: Reader, plural: str, obj: Any) -> Iterator[Any]:
    """The objects of a kind that an object controls."""
    for each in reader.all(plural, obj.metadata.namespace):
        if any(
            owner.controller and owner.uid == obj.metadata.uid
            for owner in each.metadata.owner_references or ()
        ):
            yield each


def children(reader: Reader, plural: str, obj: Any) -> list[tuple[Ref, Row]]:
    """What a controller made besides pods, newest first; old ReplicaSets that are scaled to 0 are left out."""
    found: list[tuple[Ref, Row, Any]] = []
    for child_plural in MAKES.get(plural, ()):
        if child_plural not in KINDS:
            continue
        kind = KINDS[child_plural]
        for child in owned(reader, child_plural, obj):
            if child_plural == "replicasets" and not (child.spec.replicas or child.status.replicas):
                continue
            ref = Ref(kind.kind, child.metadata.namespace, child.metadata.name, child_plural)
            found.append((ref, reader.row(child_plural, child), child.metadata.creation_timestamp))
    found.sort(key=lambda each: each[2], reverse=True)
    return [(ref, row) for ref, row, _ in found[:CHILDREN]]


def pods_of(reader: Reader, plural: str, obj: Any) -> Sequence[Any]:
    """The pods of a workload (those it controls), of a Service (those it selects) or of a Node (those on it)."""
    if plural == "nodes":
        return [pod for pod in reader.all("pods") if pod.spec.node_name == obj.metadata.name]
    if plural == "services":
        selector = from_labels(obj.spec.selector)
        return [
            pod
            for pod in reader.all("pods", obj.metadata.namespace)
            if selector.matches(pod.metadata.labels or {})
        ]
    if plural == "deployments":
        return [pod for made in owned(reader, "replicasets", obj) for pod in owned(reader, "pods", made)]
    return list(owned(reader, "pods", obj))
