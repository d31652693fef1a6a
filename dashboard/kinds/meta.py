"""The parts of ObjectMeta that this program keeps, and the base of every decoded struct.

Fields carry the API's names in snake case. What is not declared is skipped while decoding: managedFields
always, and annotations unless a kind module names single ones (``last-applied-configuration`` holds whole
objects, values of Secrets among them).
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from sys import intern
from typing import TYPE_CHECKING, Any

import msgspec


@lru_cache(maxsize=4096)
def _shared_dict(items: tuple[tuple[str, str], ...]) -> dict[str, str]:
    return dict(items)


if TYPE_CHECKING:
    Word = str
    SharedDict = dict[str, str]
else:

    class _Anything(type):
        # Asked by isinstance() for every decoded word; a callable in C that says yes is three times as fast as
        # a method of ours. The only maker of words is decode_custom, which makes them from str.
        __instancecheck__ = type

    class Word(metaclass=_Anything):
        """A str that many objects have alike (names of nodes, images, reasons): kept once in memory."""

        from_json = staticmethod(intern)

    class SharedDict(metaclass=_Anything):
        """Text by text, as many objects have it alike (labels): kept once in memory; never to be changed."""

        @staticmethod
        def from_json(value: dict[str, str]) -> dict[str, str]:
            return _shared_dict(tuple(value.items()))


def decode_custom(type_: Any, value: Any) -> Any:
    """msgspec's ``dec_hook``: our own field types say themselves what they make of a JSON value."""
    return type_.from_json(value)


class Struct(msgspec.Struct, frozen=True, gc=False, kw_only=True, rename="camel"):
    """Base of decoded structs: immutable trees, which the garbage collector need not walk."""


class OwnerReference(Struct, frozen=True, gc=False):
    """One entry of metadata.ownerReferences."""

    kind: Word = ""
    name: Word = ""
    uid: Word = ""
    api_version: Word = ""
    controller: bool = False


class ObjectMeta(Struct, frozen=True, gc=False):
    """metadata without annotations and managedFields. Times are aware (UTC)."""

    name: str = ""
    namespace: Word = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    labels: SharedDict = {}
    owner_references: tuple[OwnerReference, ...] = ()
    finalizers: tuple[Word, ...] = ()

    @property
    def controller(self) -> OwnerReference | None:
        """The owner that manages this object (``controller: true``), if any."""
        return next((owner for owner in self.owner_references if owner.controller), None)


class Object(Struct, frozen=True, gc=False):
    """Base of every kind's struct."""

    metadata: ObjectMeta


class ObjectCondition(Struct, frozen=True, gc=False):
    """One entry of status.conditions, alike in all kinds."""

    type: Word = ""
    status: Word = ""
    reason: Word = ""
    message: str = ""
    last_transition_time: datetime | None = None


class LocalObjectReference(Struct, frozen=True, gc=False):
    """A reference to an object by name, in the same namespace."""

    name: Word = ""


class ObjectReference(Struct, frozen=True, gc=False):
    """A reference to any object."""

    kind: Word = ""
    namespace: Word = ""
    name: Word = ""
    uid: Word = ""
    api_version: Word = ""
    field_path: Word = ""


def find_condition(conditions: tuple[ObjectCondition, ...], type_: str) -> ObjectCondition | None:
    """The first condition of that type."""
    for condition in conditions:
        if condition.type == type_:
            return condition
    return None


def condition_true(conditions: tuple[ObjectCondition, ...], type_: str) -> bool:
    """Whether the first condition of that type has status True."""
    condition = find_condition(conditions, type_)
    return condition is not None and condition.status == "True"
