"""What uses an object, out of an index: asking each of 10,000 pods what it names takes too long for every showing.

The index holds ``named`` the other way round. It is told of every object that comes, changes or goes, and forgets by
the old object what it learned by it: it can only say what asking every object would say.
"""

from __future__ import annotations

from typing import Any

from dashboard.kinds import KINDS
from dashboard.kinds.base import Ref

from .protocols import Objects
from .relations import SELECTING, Relations, keeps, named, reference, selector_of

# Events are about objects; they use none.
SOURCES = tuple(plural for plural in KINDS if plural != "events")
_ORDER = {plural: at for at, plural in enumerate(KINDS)}


class Users:
    """Target → whoever names it, with the ways."""

    def __init__(self) -> None:
        self._by_target: dict[Ref, Relations] = {}
        self._by_owner: dict[str, set[Ref]] = {}

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
        self._own(plural, old, new)
        before = named(plural, old) if old is not None else {}
        after = named(plural, new) if new is not None else {}
        if before == after:
            return
        source = ref_of(plural, new if new is not None else old)
        for target in before.keys() - after.keys():
            self._forget(target, source)
        for target, ways in after.items():
            self._by_target.setdefault(target, {})[source] = ways

    def owned_by(self, uid: str) -> frozenset[Ref]:
        """Whoever names the object of this uid as an owner, be it of a kind that is unknown here."""
        return frozenset(self._by_owner.get(uid, ()))

    def of(self, target: Ref) -> Relations:
        """Whoever names the target."""
        return self._by_target.get(target, {})

    def _own(self, plural: str, old: Any | None, new: Any | None) -> None:
        before, after = _owners(old), _owners(new)
        if before == after:
            return
        source = ref_of(plural, new if new is not None else old)
        for uid in before - after:
            self._by_owner.get(uid, set()).discard(source)
            if not self._by_owner.get(uid):
                self._by_owner.pop(uid, None)
        for uid in after:
            self._by_owner.setdefault(uid, set()).add(source)

    def _forget(self, target: Ref, source: Ref) -> None:
        users = self._by_target.get(target)
        if users is not None and users.pop(source, None) is not None and not users:
            del self._by_target[target]


def used_by(objects: Objects, users: Users, plural: str, obj: Any) -> Relations:
    """What uses an object, and how; in the order of the menu, then by name."""
    found = dict(users.of(ref_of(plural, obj)))
    for source, how in _choosers(objects, plural, obj):
        found[source] = tuple(dict.fromkeys((*found.get(source, ()), how)))
    return {ref: found[ref] for ref in sorted(found, key=_order)}


def made_by(users: Users, uid: str) -> Relations:
    """What the object of this uid owns, in the same order."""
    return dict.fromkeys(sorted(users.owned_by(uid), key=_order), ("owner",))


def _order(ref: Ref) -> tuple[int, str, str]:
    return _ORDER.get(ref.plural, len(_ORDER)), ref.namespace, ref.name


def _owners(obj: Any | None) -> frozenset[str]:
    return (
        frozenset(owner.uid for owner in obj.metadata.owner_references or ())
        if obj is not None
        else frozenset()
    )


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
