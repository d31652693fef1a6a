"""What can go wrong with a cluster, in words for a person.

Every error knows its HTTP status, a short title, one sentence of what happened and, where there is one, the
way out. Layers below raise these and chain the cause; views turn them into one clear page or message.
Messages never hold tokens or Secret values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Self

__all__ = [
    "AddressTooLong", "AnswerTooLarge", "BadInput", "BodyTooLarge", "BodyTooSlow", "ClusterBusy", "ClusterError",
    "Conflict", "DatabaseUnavailable", "FieldCause", "FieldConflict", "Forbidden", "Gone", "HeadersTooLarge",
    "Invalid", "NoAccount", "NotFound", "NotKept", "NotSignedIn", "Protected", "ReadOnly", "SignedOut", "TooDeep",
    "TooManyRequests", "Unauthenticated", "Unavailable",
]  # fmt: skip


class ClusterError(Exception):
    """Base of all.

    ``title``: a few words for a page; ``message``: a sentence; ``next_step``: a sentence or ""; ``field``: the input of a
    form that it is about, or "".
    """

    title: ClassVar[str] = "Something went wrong"
    status: ClassVar[int] = 500
    field: str = ""

    def __init__(self, message: str, *, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __copy__(self) -> Self:
        """Whatever it was made from: an exception's own copy calls it with ``args`` alone."""
        made = type(self).__new__(type(self), *self.args)
        made.__dict__.update(self.__dict__)
        return made

    def to_keep(self) -> Self:
        """The same, to be shown for as long as it stands: where it came from would keep alive what was being read, which
        may be a hundred megabytes."""
        self.__cause__ = self.__context__ = None
        return self.with_traceback(None)


class NotFound(ClusterError):
    """The object, or the kind itself, is not there. ``links`` are where to go on: each a ``text`` and a ``url``."""

    title = "Not found"
    status = 404

    def __init__(self, message: str, *, next_step: str = "", links: Sequence[Mapping[str, str]] = ()) -> None:
        super().__init__(message, next_step=next_step)
        self.links = links


class NotKept(NotFound):
    """A moment, or something of it, that was not recorded or is kept no more. ``moments``: the last one before it and the
    first one after it that are known, as far as there are such.
    """

    title = "Not kept"

    def __init__(
        self,
        message: str,
        *,
        next_step: str = "",
        moments: tuple[datetime | None, datetime | None] = (None, None),
    ) -> None:
        super().__init__(message, next_step=next_step)
        self.moments = moments


class Unauthenticated(ClusterError):
    """The cluster does not accept who we say we are."""

    title = "Not signed in to the cluster"
    status = 401


class Forbidden(ClusterError):
    """The account may not do this; ``verb`` to ``name`` are what was asked, as far as it is known."""

    title = "Not allowed"
    status = 403

    def __init__(
        self,
        message: str,
        *,
        next_step: str = "",
        verb: str = "",
        resource: str = "",
        namespace: str = "",
        name: str = "",
    ) -> None:
        super().__init__(message, next_step=next_step)
        self.verb = verb
        self.resource = resource
        self.namespace = namespace
        self.name = name


class NoAccount(Forbidden):
    """Nobody has said as whom somebody acts in this cluster."""

    title = "No account in this cluster"


class ReadOnly(ClusterError):
    """This installation, or this cluster in it, does not take changes."""

    title = "Read-only"
    status = 403


class Conflict(ClusterError):
    """The object changed meanwhile, or another one has that name."""

    title = "Changed meanwhile"
    status = 409


class Gone(ClusterError):
    """The asked resourceVersion or continue token is too old: list again."""

    title = "Out of date"
    status = 410


@dataclass(frozen=True, slots=True)
class FieldCause:
    """What is wrong with one field; ``field`` is its path, such as ``spec.replicas``, or ""."""

    field: str
    message: str


class FieldConflict(Conflict):
    """A manifest sets fields to other values that somebody else owns; ``owners`` are those fields, each with the name of
    its field manager as the message.
    """

    title = "Owned by another field manager"

    def __init__(self, message: str, *, next_step: str = "", owners: tuple[FieldCause, ...] = ()) -> None:
        super().__init__(message, next_step=next_step)
        self.owners = owners


class Invalid(ClusterError):
    """The API server understood the object and refuses its content."""

    title = "Not valid"
    status = 422

    def __init__(self, message: str, *, next_step: str = "", causes: tuple[FieldCause, ...] = ()) -> None:
        super().__init__(message, next_step=next_step)
        self.causes = causes


class TooDeep(ClusterError):
    """An object that can be kept in a cluster, and is beyond what this program reads."""

    title = "Too much to be shown"
    status = 422


class TooManyRequests(ClusterError):
    """More than may be at once; ``retry_after`` is in seconds, where that is known."""

    title = "Too many at once"
    status = 429

    def __init__(self, message: str, *, next_step: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, next_step=next_step)
        self.retry_after = retry_after


class ClusterBusy(TooManyRequests):
    """The API server asks to slow down."""

    title = "The cluster is busy"


class NotSignedIn(Unauthenticated, TooManyRequests):
    """Somebody acts in this cluster with a token of their own, and has none that holds: nothing was done, and it may be
    done once they have signed in again.
    """

    title = "Sign in to this cluster"
    status = 401


class Protected(TooManyRequests):
    """A PodDisruptionBudget does not let the pod go now."""

    title = "A disruption budget protects it"


class Unavailable(ClusterError):
    """There is no way to the cluster, or it fails itself; ``retry_after`` is in seconds, when it says."""

    title = "The cluster cannot be reached"
    status = 503

    def __init__(self, message: str, *, next_step: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, next_step=next_step)
        self.retry_after = retry_after


class AnswerTooLarge(Unavailable):
    """There is more in an answer than is read of it."""


class DatabaseUnavailable(Unavailable):
    """The dashboard's own database is locked, full or away; the cluster has no part in it."""

    title = "The dashboard's database does not answer"


class BadInput(ClusterError):
    """The request makes no sense; ``field`` names the input at fault, or is ""."""

    title = "Invalid value"
    status = 400

    def __init__(self, message: str, *, next_step: str = "", field: str = "") -> None:
        super().__init__(message, next_step=next_step)
        self.field = field


class AddressTooLong(ClusterError):
    """The path and query of a request are longer than is taken."""

    title = "The address is too long"
    status = 414


class HeadersTooLarge(ClusterError):
    """The headers of a request are larger than is taken."""

    title = "The request's headers are too large"
    status = 431


class BodyTooLarge(ClusterError):
    """The body of a request is larger than its route takes."""

    title = "The request is too large"
    status = 413


class SignedOut(BodyTooLarge):
    """Too much for whoever has no session, though not for the route."""


class BodyTooSlow(ClusterError):
    """The body of a request did not come in time."""

    title = "The request came too slowly"
    status = 408
