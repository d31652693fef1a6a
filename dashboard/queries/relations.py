"""What an object is connected to, out of the cache: owners, children, pods, and all that it uses and is used by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dashboard.insight.mentions import Mention
from dashboard.insight.ownership import controllers
from dashboard.insight.protocols import Objects
from dashboard.insight.relations import USERS, Relations, named, selector_of, uses
from dashboard.kinds import KINDS
from dashboard.kinds.base import Kind, Ref, Row
from dashboard.kinds.catalogue import kind_in, kind_named
from dashboard.kinds.meta import OwnerReference
from dashboard.kinds.references import meant

from .seenreader import SeenReader
from .unwatched import Listing, Unwatched

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


def owners(objects: Objects, kinds: Mapping[str, Kind[Any]], obj: Any) -> list[Ref]:
    """The controllers above an object, the topmost first, of whatever kinds discovery tells of."""

    def refer(owner: OwnerReference, namespace: str) -> Ref:
        kind = kind_named(kinds, owner.api_version, owner.kind)
        return meant(owner, namespace) if kind is None else _ref(kind, namespace, owner.name)

    return controllers(objects, obj, refer)[::-1]


def owned(objects: Objects, plural: str, obj: Any) -> Iterator[Any]:
    """The objects of a kind that an object controls."""
    for each in objects.all(plural, obj.metadata.namespace):
        if any(
            owner.controller and owner.uid == obj.metadata.uid
            for owner in each.metadata.owner_references or ()
        ):
            yield each


def children(reader: SeenReader, plural: str, obj: Any) -> list[tuple[Ref, Row]]:
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


def pods_of(objects: Objects, plural: str, obj: Any) -> Sequence[Any]:
    """The pods of a workload (those it controls), of a Service (those it selects) or of a Node (those on it)."""
    if plural == "nodes":
        return [pod for pod in objects.all("pods") if pod.spec.node_name == obj.metadata.name]
    if plural == "services":
        selector = selector_of("services", obj)
        return [
            pod
            for pod in objects.all("pods", obj.metadata.namespace)
            if selector.matches(pod.metadata.labels or {})
        ]
    if plural == "cronjobs":
        return [pod for made in owned(objects, "jobs", obj) for pod in owned(objects, "pods", made)]
    if plural == "deployments":
        return [pod for made in owned(objects, "replicasets", obj) for pod in owned(objects, "pods", made)]
    return list(owned(objects, "pods", obj))


@dataclass(frozen=True)
class Related:
    """What an object uses and what uses it, as far as the user may see. ``hidden``: kinds that use such objects and
    of which the user may not list all, so that more may use it.
    """

    uses: Relations
    used_by: Relations
    hidden: tuple[str, ...]


def related(reader: SeenReader, plural: str, obj: Any) -> Related:
    """What the object's own fields name is told to whoever reads the object; all else only where the user may list it.

    Of a kind without a module here the owners are known, what it made and what names it; what its spec names,
    ``mentioned`` tells.
    """
    kinds = reader.kinds
    own = named(plural, obj)
    if plural in KINDS:
        using, by = uses(reader, plural, obj), reader.used_by(plural, obj)
        users = USERS.get(plural, frozenset())
    else:
        meta, kind = obj.metadata, kinds[plural]
        target = Ref(kind.kind, meta.namespace, meta.name, group=kind.gvr.group)
        using, by = own, reader.used_by_other(target, meta.uid)
        users = frozenset(KINDS) - {"events"}
    return Related(
        _known(kinds, {ref: ways for ref, ways in using.items() if ref in own or reader.sees_ref(ref)}),
        by,
        reader.hides((user for user in KINDS if user in users), obj.metadata.namespace),
    )


def _known(kinds: Mapping[str, Kind[Any]], found: Relations) -> Relations:
    """The relations with kinds without a module here as what discovery tells of them."""
    return {
        ref if kind is None else _ref(kind, ref.namespace, ref.name): ways
        for ref, ways in found.items()
        for kind in [None if ref.plural else kind_in(kinds, ref.group, ref.kind)]
    }


def mentioned(kinds: Mapping[str, Kind[Any]], namespace: str, found: Iterable[Mention]) -> Relations:
    """What a spec names, with the fields that do; without what is of no kind that is known."""
    relations: dict[Ref, tuple[str, ...]] = {}
    for mention in found:
        kind = kind_in(kinds, mention.group, mention.kind)
        where = mention.namespace or namespace
        if kind is None or (kind.gvr.namespaced and not where):
            continue
        ref = _ref(kind, where, mention.name)
        relations[ref] = (*relations.get(ref, ()), mention.path)
    return relations


@dataclass(frozen=True)
class MadeBesides:
    """What an object made of kinds without a module here. ``denied`` and ``partly``: the titles of those that may not be
    listed, and of those that were not read in whole; ``reading``: more may come.
    """

    rows: Mapping[Ref, Row] = field(default_factory=dict)
    denied: Sequence[str] = ()
    partly: Sequence[str] = ()
    reading: bool = False


def made_besides(
    reader: SeenReader, unwatched: Unwatched, kinds: Iterable[Kind[Any]], uid: str
) -> MadeBesides:
    """Out of the cache where it was asked what may be seen there of a kind, else as the kind was last listed."""
    rows: dict[Ref, Row] = {}
    read: list[tuple[Kind[Any], Listing]] = []
    reading = False
    for kind in kinds:
        if kind.plural in reader.visible:
            made = [reader.row(kind.plural, each) for each in _naming(reader.all(kind.plural), uid)]
        elif (listing := unwatched.of(kind.plural)) is not None:
            made = list(listing.made_by.get(uid, ()))
            read.append((kind, listing))
        else:
            made, reading = [], True
        rows |= {_ref(kind, row.namespace, row.name): row for row in made}
    silent = [kind.title for kind, each in read if each.more or (each.trouble and not each.denied)]
    return MadeBesides(rows, [kind.title for kind, each in read if each.denied], silent, reading)


def _naming(objects: Iterable[Any], uid: str) -> Iterator[Any]:
    """Those that name an owner."""
    for each in objects:
        if any(owner.uid == uid for owner in each.metadata.owner_references or ()):
            yield each


def _ref(kind: Kind[Any], namespace: str, name: str) -> Ref:
    return Ref(kind.kind, namespace if kind.gvr.namespaced else "", name, kind.plural)
