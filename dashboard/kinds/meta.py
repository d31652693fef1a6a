"""The parts of ObjectMeta that this program keeps, and the base of every decoded struct.

Fields carry the API's names in snake case. What is not declared is skipped while decoding: managedFields always, and of
the annotations those that repeat whole objects or that programs keep writing for each other. Of long ones only the size
is kept; of Secrets none is read at all.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from sys import intern
from typing import TYPE_CHECKING, Any

import msgspec

from .sizes import TextSize

# They repeat the object (values of ConfigMaps among it), or tell that a program is still alive.
_SKIPPED = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration", "control-plane.alpha.kubernetes.io/leader",
        "endpoints.kubernetes.io/last-change-trigger-time", "node.alpha.kubernetes.io/ttl",
        "deprecated.daemonset.template.generation", "kapp.k14s.io/original", "objectset.rio.cattle.io/applied",
    }
)  # fmt: skip
_SKIPPED_STARTS = (
    "autoscaling.alpha.kubernetes.io/",
    "pv.kubernetes.io/",
    "cni.projectcalico.org/",
    "k8s.ovn.org/",
)
_WHOLE = frozenset({"kubernetes.io/change-cause"})  # shown on pages, however long
_LONGEST = 256  # characters of an annotation that is kept as it is


@lru_cache(maxsize=4096)
def _shared_dict(items: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
    return dict(items)


# Characters of a message: more than kubelet and controllers write. Whoever may write Events or a status may write a
# megabyte, which would be kept, and read by every rule that looks for a cause, for whoever looks.
MAX_MESSAGE = 4096
# runc before 1.2 quotes the variable that it refuses, whose value may be a Secret's (libcontainer/init_linux.go).
_REFUSES = "can't contain null("
_REFUSED = re.compile(r"""(can't contain null\(\\x00\): "[^"=]{0,300})=.*""", re.DOTALL)

if TYPE_CHECKING:
    Word = str
    Message = str
    SharedDict = dict[str, str]
    Annotations = dict[str, str | TextSize]
else:

    class _Anything(type):
        # Asked by isinstance() for every decoded word; a callable in C that says yes is three times as fast as
        # a method of ours. The only maker of words is decode_custom, which makes them from str.
        __instancecheck__ = type

    class Word(metaclass=_Anything):
        """A str that many objects have alike (names of nodes, images, reasons): kept once in memory."""

        from_json = staticmethod(intern)

    class Message(metaclass=_Anything):
        """What somebody says of an object, for people: without the rest of what is very long, and without values."""

        @staticmethod
        def from_json(value: str) -> str:
            value = without_variable(value)
            return value if len(value) <= MAX_MESSAGE else f"{value[: MAX_MESSAGE - 1]}…"

    class SharedDict(metaclass=_Anything):
        """Text by text, as many objects have it alike (labels): kept once in memory; never to be changed."""

        @staticmethod
        def from_json(value: dict[str, str]) -> dict[str, str]:
            return _shared_dict(tuple(value.items()))

    class Annotations(metaclass=_Anything):
        """Name by text, or by size where the text is long; kept once in memory; never to be changed."""

        @staticmethod
        def from_json(value: dict[str, str | int]) -> dict[str, str | TextSize]:
            kept = [(name, _short(name, text)) for name, text in value.items() if not _skipped(name)]
            return _shared_dict(tuple(kept))


def without_variable(text: str) -> str:
    """A message without the value of the variable that it quotes."""
    return _REFUSED.sub(r'\1"', text) if _REFUSES in text else text


def _skipped(name: str) -> bool:
    return name in _SKIPPED or name.startswith(_SKIPPED_STARTS)


def _short(name: str, text: str | int) -> str | TextSize:
    """A number is the size of one that was recorded."""
    if isinstance(text, int):
        return TextSize(text)
    return text if len(text) <= _LONGEST or name in _WHOLE else TextSize.from_json(text)


def decode_custom(type_: Any, value: Any) -> Any:
    """msgspec's ``dec_hook``: our own field types say themselves what they make of a JSON value."""
    return type_.from_json(value)


class Struct(msgspec.Struct, frozen=True, gc=False, kw_only=True, rename="camel", omit_defaults=True):
    """Base of decoded structs: immutable trees, which the garbage collector need not walk. Encoded again (for the record
    of the past) they are what the API server said, as far as it was kept.
    """


class OwnerReference(Struct, frozen=True, gc=False):
    """One entry of metadata.ownerReferences."""

    kind: Word = ""
    name: Word = ""
    uid: Word = ""
    api_version: Word = ""
    controller: bool = False


class ObjectMeta(Struct, frozen=True, gc=False):
    """metadata without managedFields and some of the annotations. Times are aware (UTC)."""

    name: str = ""
    namespace: Word = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    labels: SharedDict = {}
    annotations: Annotations = {}
    owner_references: tuple[OwnerReference, ...] = ()
    finalizers: tuple[Word, ...] = ()

    @property
    def controller(self) -> OwnerReference | None:
        """The owner that manages this object (``controller: true``), if any."""
        return next((owner for owner in self.owner_references if owner.controller), None)

    def note(self, name: str) -> str | None:
        """The text of an annotation that is kept as it is; None where there is none."""
        text = self.annotations.get(name)
        return text if isinstance(text, str) else None


class BareMeta(ObjectMeta, frozen=True, gc=False):
    """metadata whose annotations are not read: those of a Secret repeat its values."""

    annotations: Annotations = msgspec.field(name="-", default={})


class Object(Struct, frozen=True, gc=False):
    """Base of every kind's struct."""

    metadata: ObjectMeta


class ObjectCondition(Struct, frozen=True, gc=False):
    """One entry of status.conditions, alike in all kinds."""

    type: Word = ""
    status: Word = ""
    reason: Word = ""
    message: Message = ""
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
