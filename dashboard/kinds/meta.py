"""The parts of ObjectMeta that this program keeps, and the base of every decoded struct.

Fields carry the API's names in snake case. What is not declared is skipped while decoding: managedFields
always, and annotations unless a kind module names single ones (``last-applied-configuration`` holds whole
objects, values of Secrets among them).
"""

from __future__ import annotations

from datetime import datetime

import msgspec


class Struct(msgspec.Struct, frozen=True, gc=False, kw_only=True, rename="camel"):
    """Base of decoded structs: immutable trees, which the garbage collector need not walk."""


class OwnerReference(Struct, frozen=True, gc=False):
    """One entry of metadata.ownerReferences."""

    kind: str = ""
    name: str = ""
    uid: str = ""
    api_version: str = ""
    controller: bool = False


class ObjectMeta(Struct, frozen=True, gc=False):
    """metadata without annotations and managedFields. Times are aware (UTC)."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    labels: dict[str, str] = {}
    owner_references: tuple[OwnerReference, ...] = ()
    finalizers: tuple[str, ...] = ()

    @property
    def controller(self) -> OwnerReference | None:
        """The owner that manages this object (``controller: true``), if any."""
        return next((owner for owner in self.owner_references if owner.controller), None)


class Object(Struct, frozen=True, gc=False):
    """Base of every kind's struct."""

    metadata: ObjectMeta


class ObjectCondition(Struct, frozen=True, gc=False):
    """One entry of status.conditions, alike in all kinds."""

    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    last_transition_time: datetime | None = None


class LocalObjectReference(Struct, frozen=True, gc=False):
    """A reference to an object by name, in the same namespace."""

    name: str = ""


class ObjectReference(Struct, frozen=True, gc=False):
    """A reference to any object."""

    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    api_version: str = ""
    field_path: str = ""


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
