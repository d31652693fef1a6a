"""What uses an object, out of an index: asking each of 10,000 pods what it names takes too long for every showing.

The index holds ``named`` the other way round. It is told of every object that comes, changes or goes, and forgets by
the old object what it learned by it: it can only say what asking every object would say.
"""

from __future__ import annotations

from typing import Any

from dashboard.kinds import KINDS
from dashboard.kinds.base import Ref
from dashboard.kinds.references import meant, reference

from .protocols import Objects
from .relations import SELECTING, Relations, keeps, named, selector_of

# Events are about objects; they use none.
SOURCES = tuple(plural for plural in KINDS if plural != "events")
_ORDER = {plural: at for at, plural in enumerate(KINDS)}


class Users:
    """Target → whoever names it, with the ways. What an owner of a kind without a module here made stands under its uid:
    two such kinds may have one name.
    """

    def __init__(self) -> None:
        self._by_target: dict[Ref, Relations] = {}
        self._made_by: dict[str, Relations] = {}

    @classmethod
    def among(cls, objects: Objects) -> Users:
        """Of every object that there is now."""
        users = cls()
        for plural in SOURCES:
            for obj in objects.all(plural):
                users.change(plural, None, obj)
        return users

    def change(self, plural: str, old: Any | None, new: Any | None) -> None:
        """An object came (``old`` None), changed, or went (``new`` None)."""
        if old is not None and new is not None and _same(plural, old, new):
            return
        before = named(plural, old) if old is not None else {}
        after = named(plural, new) if new is not None else {}
        makers = _makers(old), _makers(new)
        if before == after and makers[0] == makers[1]:
            return
        source = ref_of(plural, new if new is not None else old)
        self._change_makers(source, *makers)
        for target in before.keys() - after.keys():
            self._forget(target, source)
        for target, ways in after.items():
            self._by_target.setdefault(target, {})[source] = ways

    def of(self, target: Ref) -> Relations:
        """Whoever names the target."""
        return self._by_target.get(target, {})

    def made_by(self, uid: str) -> Relations:
        """What names an object of a kind without a module here as its owner; in the order of the menu, then by name."""
        return _in_order(self._made_by.get(uid, {}))

    def of_other(self, target: Ref, uid: str) -> Relations:
        """Whoever names an object of a kind without a module here: by its uid as an owner, else by group and name."""
        found = dict(self.made_by(uid))
        for source, ways in self.of(target).items():
            if others := tuple(way for way in ways if way != "owner"):
                found[source] = (*found.get(source, ()), *others)
        return _in_order(found)

    def _change_makers(self, source: Ref, before: frozenset[str], after: frozenset[str]) -> None:
        for uid in before - after:
            made = self._made_by.get(uid, {})
            made.pop(source, None)
            if not made:
                self._made_by.pop(uid, None)
        for uid in after:
            self._made_by.setdefault(uid, {})[source] = ("owner",)

    def _forget(self, target: Ref, source: Ref) -> None:
        users = self._by_target.get(target)
        if users is not None and users.pop(source, None) is not None and not users:
            del self._by_target[target]


def used_by(objects: Objects, users: Users, plural: str, obj: Any) -> Relations:
    """What uses an object, and how; in the order of the menu, then by name."""
    found = dict(users.of(ref_of(plural, obj)))
    for source, how in _choosers(objects, plural, obj):
        found[source] = tuple(dict.fromkeys((*found.get(source, ()), how)))
    return _in_order(found)


def _in_order(found: Relations) -> Relations:
    order = sorted(found, key=lambda ref: (_ORDER.get(ref.plural, len(_ORDER)), ref.namespace, ref.name))
    return {ref: found[ref] for ref in order}


def _makers(obj: Any | None) -> frozenset[str]:
    """The uids of an object's owners of kinds without a module here."""
    owners = obj.metadata.owner_references or () if obj is not None else ()
    return frozenset(owner.uid for owner in owners if not meant(owner, "").plural)


def ref_of(plural: str, obj: Any) -> Ref:
    """The reference to an object."""
    return Ref(KINDS[plural].kind, obj.metadata.namespace, obj.metadata.name, plural)


def _choosers(objects: Objects, plural: str, obj: Any) -> list[tuple[Ref, str]]:
    """Whoever has chosen the object by labels."""
    namespace = obj.metadata.namespace
    if plural == "endpointslices":
        service = objects.get("services", namespace, obj.service) if obj.service else None
        return [] if service is None else [(reference("Service", namespace, obj.service), "endpoint")]
    if plural == "persistentvolumeclaims":
        return [
            (ref_of("statefulsets", one), "claim")
            for one in objects.all("statefulsets", namespace)
            if keeps(one, obj.metadata.name)
        ]
    if plural != "pods":
        return []
    return [
        (ref_of(selecting, one), how)
        for selecting, (how, _) in SELECTING.items()
        for one in objects.all(selecting, namespace)
        if selector_of(selecting, one).matches(obj.metadata.labels)
    ]


def _same(plural: str, old: Any, new: Any) -> bool:
    """Whether a pod names the same as before, told without reading its spec: a busy cluster changes only statuses."""
    return (
        plural == "pods"
        and bool(old.spec == new.spec)
        and bool(old.metadata.owner_references == new.metadata.owner_references)
    )
