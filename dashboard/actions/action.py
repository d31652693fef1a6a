"""What differs between actions, and what all of them show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from django.contrib.auth.models import User

from dashboard.errors import ClusterError
from dashboard.insight import Effect, Notice, Objects, PodSet
from dashboard.kinds.base import GVR, Ref, State
from dashboard.kube.transport import Transport

if TYPE_CHECKING:
    from dashboard.models import Change

    from .diff import Line

Manifest = dict[str, Any]  # an object as the API server sends it
Wanted = dict[str, Any]  # what a person asked for, validated; plain JSON
Touched = dict[str, Any]  # JSON Pointer → value of what an action writes


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who does it. ``name`` is what the audit keeps."""

    user: User
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The object that is changed. ``context`` is the cluster's name."""

    context: str
    gvr: GVR
    kind: str
    namespace: str
    name: str

    @property
    def plural(self) -> str:
        return self.gvr.plural

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """The request that an action makes, without the precondition, which the engine adds: to ``metadata``, for a DELETE
    to the options that are its body, for a POST (an Eviction) to its ``deleteOptions``.
    """

    method: Literal["PATCH", "PUT", "DELETE", "POST"]
    content_type: str
    subresource: str
    body: Manifest
    accept: str = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What an action says about itself before it is done."""

    headline: Notice | None
    effects: tuple[Effect, ...]
    notices: tuple[Notice, ...]
    kubectl: str
    undo_words: str
    button: str
    danger: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A change, shown. Without a ``token`` there is nothing to apply: the object is already so.

    ``checked_at`` is when the API server accepted the dry run.
    """

    told: Told
    diff: tuple[Line, ...]
    diff_words: str
    checked_at: datetime
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """What one more change does that began with this one. ``change`` is its id; None where it could not be made, for the
    reason in ``text``.
    """

    ref: Ref
    state: State
    headline: str
    text: str
    change: int | None
    done: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an applied change has come. ``percent`` is 0–100, None when it cannot be told; ``restart`` are the
    workloads that must still be restarted to see it, ``following`` the changes that began with it.
    """

    state: State
    headline: str
    text: str
    percent: int | None
    sets: tuple[PodSet, ...] = ()
    done: bool = False
    restart: tuple[Ref, ...] = ()
    following: tuple[Following, ...] = ()


class Action(Protocol):
    """One kind of change. Everything here is pure; a Secret's value never appears in what it returns, but for
    ``write``: such an action gives digests as touched values.
    """

    @property
    def name(self) -> str:
        """The word in addresses and in the audit, such as ``scale``."""

    @property
    def verb(self) -> str:
        """The verb that the user needs on the resource (and subresource)."""

    @property
    def subresource(self) -> str:
        """The subresource that is written, or ""."""

    def touched(self, manifest: Manifest) -> Touched:
        """What the action writes, as it stands in the object."""

    def write(self, manifest: Manifest, wanted: Wanted) -> Write:
        """The request that brings the object to what is wanted."""

    def after(self, manifest: Manifest, answer: Manifest) -> Manifest:
        """The object as it would be, from the answer to a dry run of the request."""

    def inverse(self, touched: Touched) -> Wanted | None:
        """What to want to get back to these values; None when there is no way back."""

    def words(self, touched: Touched) -> str:
        """The values for a sentence: ``3 replicas``."""

    def tell(
        self,
        target: Target,
        manifest: Manifest,
        after: Manifest,
        wanted: Wanted,
        objects: Objects,
        now: datetime,
    ) -> Told:
        """Consequences, effects and words of the change."""

    def follow(self, change: Change, objects: Objects, now: datetime) -> Progress:
        """How far the change has come."""


@runtime_checkable
class TellsWayBack(Protocol):
    """An action whose undo needs other words than “back to the values before”."""

    def way_back(self, change: Change) -> str:
        """What undoing the change does, or why it cannot be undone."""


@runtime_checkable
class Keyed(Protocol):
    """An action on some of many keys, such as an edit of a ConfigMap: what it touches depends on what is wanted.

    Its touched values are digests; the values themselves, which may be large, are kept only to go back.
    """

    def on(self, wanted: Wanted) -> Action:
        """The action on just the keys that are wanted."""

    def back(self, manifest: Manifest) -> Wanted | None:
        """What to want to get back to the object as it is in ``manifest``; used instead of ``inverse``."""


@runtime_checkable
class Confidential(Action, Protocol):
    """An action on values that nobody may see: not in a diff, a digest without a key, an answer or an error.

    Its writes ask for metadata answers, so what was sent stands for the content in what ``after`` is given.
    """

    async def supply(self, order: Order, manifest: Manifest, *, dry: bool) -> Wanted:
        """What to write in full, fetched where the order only names it. Not ``dry``: a write follows at once."""

    def shown(self, before: Manifest, after: Manifest) -> tuple[Manifest, Manifest]:
        """Both as they may be shown and compared."""

    def scrub(self, error: ClusterError, manifest: Manifest, wanted: Wanted) -> None:
        """Takes the values, old and new, out of what the cluster said."""


@runtime_checkable
class Sums(Protocol):
    """An action for which “from these values to those” would say too much."""

    def summary(self, change: Change) -> str:
        """What a change did, as the beginning of a sentence."""


@runtime_checkable
class Differs(Protocol):
    """An action that shows what it writes in a way of its own, not as the lines of the object's YAML."""

    def diff(self, before: Manifest, after: Manifest) -> tuple[Line, ...]:
        """The changed lines; empty when both are alike."""


def pointer(manifest: Mapping[str, Any], path: str) -> Any:
    """The value at a JSON Pointer, or None."""
    value: Any = manifest
    for step in path.strip("/").split("/"):
        if not isinstance(value, Mapping):
            return None
        value = value.get(step.replace("~1", "/").replace("~0", "~"))
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One change that somebody asks for: who, of what, where. ``undoes`` is the id of the change it takes back."""

    transport: Transport
    actor: Actor
    target: Target
    action: Action
    wanted: Wanted
    undoes: int | None = None
