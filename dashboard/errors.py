"""What can go wrong with a cluster, in words for a person.

Every error knows its HTTP status, a short title, one sentence of what happened and, where there is one, the
way out. Layers below raise these and chain the cause; views turn them into one clear page or message.
Messages never hold tokens or Secret values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

__all__ = [
    "BadInput", "ClusterError", "Conflict", "FieldCause", "Forbidden", "Gone", "Invalid", "NotFound",
    "Protected", "ReadOnly", "TooManyRequests", "Unauthenticated", "Unavailable",
]  # fmt: skip


class ClusterError(Exception):
    """Base of all.

    ``title``: a few words for a page; ``message``: a sentence; ``next_step``: a sentence or "".
    """

    title: ClassVar[str] = "Something went wrong"
    status: ClassVar[int] = 500

    def __init__(self, message: str, *, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step


class NotFound(ClusterError):
    """The object, or the kind itself, is not there."""

    title = "Not found"
    status = 404


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


class Invalid(ClusterError):
    """The API server understood the object and refuses its content."""

    title = "Not valid"
    status = 422

    def __init__(self, message: str, *, next_step: str = "", causes: tuple[FieldCause, ...] = ()) -> None:
        super().__init__(message, next_step=next_step)
        self.causes = causes


class TooManyRequests(ClusterError):
    """The cluster asks to slow down; ``retry_after`` is in seconds, when it says."""

    title = "The cluster is busy"
    status = 429

    def __init__(self, message: str, *, next_step: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, next_step=next_step)
        self.retry_after = retry_after


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


class BadInput(ClusterError):
    """The request makes no sense; ``field`` names the input at fault, or is ""."""

    title = "That cannot be right"
    status = 400

    def __init__(self, message: str, *, next_step: str = "", field: str = "") -> None:
        super().__init__(message, next_step=next_step)
        self.field = field
