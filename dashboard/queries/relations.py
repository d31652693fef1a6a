"""What an object is connected to, out of the cache: owners, children, pods, and all that it uses and is used by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dashboard.insight.mentions import Mention
from dashboard.insight.protocols import Objects
from dashboard.insight.relations import USERS, Relations, named, reference, selector_of, uses
from dashboard.kinds import KINDS
from dashboard.kinds.base import Kind, Ref, Row
from dashboard.kinds.catalogue import kind_named

from .access import Visible
from .reader import Reader
from .seen import Seen
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
    """The controllers above an object, the topmost first: the one that it names, and those above as far as
    ``objects`` has those below them.
    """
    chain: list[Ref] = []
    seen = {obj.metadata.uid}
    while True:
        owner = next((each for each in obj.metadata.owner_references or () if each.controller), None)
        if owner is None or owner.uid in seen:
            return chain
        seen.add(owner.uid)
        kind = kind_named(kinds, owner.api_version, owner.kind)
        namespace = obj.metadata.namespace if kind is None or kind.gvr.namespaced else ""
        chain.insert(0, Ref(owner.kind, namespace, owner.name, kind.plural if kind else ""))
        above = objects.get(kind.plural, namespace, owner.name) if kind else None
        if above is None or above.metadata.uid != owner.uid:
            return chain
        obj = above


def owned(objects: Objects, plural: str, obj: Any) -> Iterator[Any]:
    """The objects of a kind that an object controls."""
    for each in objects.all(plural, obj.metadata.namespace):
        if any(
            owner.controller and owner.uid == obj.metadata.uid
            for owner in each.metadata.owner_references or ()
        ):
            yield each


def children(reader: Reader, objects: Objects, plural: str, obj: Any) -> list[tuple[Ref, Row]]:
    """What a controller made besides pods, of ``objects``, newest first; old ReplicaSets that are scaled to 0 are left
    out.
    """
    found: list[tuple[Ref, Row, Any]] = []
    for child_plural in MAKES.get(plural, ()):
        if child_plural not in KINDS:
            continue
        kind = KINDS[child_plural]
        for child in owned(objects, child_plural, obj):
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
        selector = selector_of("services", obj)
        return [
            pod
            for pod in reader.all("pods", obj.metadata.namespace)
            if selector.matches(pod.metadata.labels or {})
        ]
    if plural == "cronjobs":
        return [pod for made in owned(reader, "jobs", obj) for pod in owned(reader, "pods", made)]
    if plural == "deployments":
        return [pod for made in owned(reader, "replicasets", obj) for pod in owned(reader, "pods", made)]
    return list(owned(reader, "pods", obj))


@dataclass(frozen=True)
class Related:
    """What an object uses and what uses it, as far as the user may see. ``hidden``: kinds that use such objects and
    of which the user may not list all, so that more may use it.
    """

    uses: Relations
    used_by: Relations
    hidden: tuple[str, ...]


def related(reader: Reader, visible: Mapping[str, Visible], plural: str, obj: Any) -> Related:
    """What the object's own fields name is told to whoever reads the object; all else only where the user may list it.

    Of a kind without a module here the owners are known, and what it made; what its spec names, ``mentioned`` tells.
    """
    kinds = reader.cache.kinds
    own = named(plural, obj)
    sees = Sight(visible)
    if plural in KINDS:
        using, by = uses(reader, plural, obj), reader.used_by(plural, obj)
        users = USERS.get(plural, frozenset())
    else:
        using, by = own, reader.made_by(obj.metadata.uid)
        users = frozenset(KINDS) - {"events"}
    return Related(
        _owners_known(kinds, obj, {ref: ways for ref, ways in using.items() if ref in own or sees.ref(ref)}),
        {ref: ways for ref, ways in by.items() if sees.ref(ref)},
        tuple(user for user in KINDS if user in users and not sees.all(user, obj.metadata.namespace)),
    )


def _owners_known(kinds: Mapping[str, Kind[Any]], obj: Any, found: Relations) -> Relations:
    """The relations with owners of kinds without a module here as what discovery tells of them; two such kinds may have
    one name.
    """
    namespace = obj.metadata.namespace
    told: dict[Ref, list[Ref]] = {}
    for owner in obj.metadata.owner_references or ():
        ref = reference(owner.kind, namespace, owner.name, owner.api_version)
        kind = None if ref.plural else kind_named(kinds, owner.api_version, owner.kind)
        told.setdefault(ref, []).append(ref if kind is None else _ref(kind, namespace, owner.name))
    return {known: ways for ref, ways in found.items() for known in told.get(ref, [ref])}


def mentioned(kinds: Mapping[str, Kind[Any]], namespace: str, found: Iterable[Mention]) -> Relations:
    """What a spec names, with the fields that do; without what is of no kind that is known."""
    relations: dict[Ref, tuple[str, ...]] = {}
    for mention in found:
        kind = _kind_meant(kinds, mention)
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
    reader: Reader, unwatched: Unwatched, kinds: Iterable[Kind[Any]], visible: Mapping[str, Visible], uid: str
) -> MadeBesides:
    """Out of the cache where ``visible`` says what may be seen there of a kind, else as the kind was last listed."""
    seen = Seen(reader, visible)
    rows: dict[Ref, Row] = {}
    read: list[tuple[Kind[Any], Listing]] = []
    reading = False
    for kind in kinds:
        if kind.plural in visible:
            made = [reader.row(kind.plural, each) for each in _naming(seen.all(kind.plural), uid)]
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


def _kind_meant(kinds: Mapping[str, Kind[Any]], mention: Mention) -> Kind[Any] | None:
    if mention.group is None:
        return kind_named(kinds, "", mention.kind)
    return next(
        (each for each in kinds.values() if (each.kind, each.gvr.group) == (mention.kind, mention.group)),
        None,
    )


def _ref(kind: Kind[Any], namespace: str, name: str) -> Ref:
    return Ref(kind.kind, namespace if kind.gvr.namespaced else "", name, kind.plural)


@dataclass(frozen=True)
class Sight:
    """What a user may list, as yes or no. A kind that nobody asked about may not be seen."""

    visible: Mapping[str, Visible]

    def ref(self, ref: Ref) -> bool:
        """Whether the user may list the object."""
        return self.all(ref.plural, ref.namespace)

    def all(self, plural: str, namespace: str) -> bool:
        """Whether the user may list the kind in the namespace ("": in the whole cluster)."""
        seen = self.visible.get(plural)
        if seen is None or seen.denied is not None:
            return False
        if seen.namespaces is None or not KINDS[plural].gvr.namespaced:
            return True
        return bool(namespace) and namespace in seen.namespaces
