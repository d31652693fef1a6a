"""What can go wrong with a change, beyond the cluster's own errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from dashboard.errors import BadInput, ClusterError, Conflict, Invalid
from dashboard.kinds.deletion import deletion_waits
from dashboard.kube.shell import shell_line


class StaleView(Conflict):
    """What the action touches is no longer what was shown. ``was`` and ``now`` are words for the values, ``who``
    wrote the new one ("" when nobody knows), ``when`` that was.
    """

    def __init__(
        self, message: str, *, was: str, now: str, who: str = "", when: datetime | None = None
    ) -> None:
        super().__init__(message, next_step="Look at the new preview; what you typed is kept.")
        self.was = was
        self.now = now
        self.who = who
        self.when = when


class AlreadyThere(Conflict):
    """An object of the name that a new one was to get is there."""

    def __init__(self, what: str) -> None:
        super().__init__(f"There is already a {what}.", next_step="Look at it, or choose another name.")


class Unconfirmed(BadInput):
    """The object's name has to be typed, and was not."""

    title = "Confirm the name"
    status = 422


class Uncounted(BadInput):
    """The number of objects has to be typed, and was not, or another one."""

    title = "Confirm the number"
    status = 422


class Unreasoned(BadInput):
    """A reason has to be given, and was not."""

    title = "Give a reason"
    status = 422


class BadReason(BadInput):
    """More was given as a reason than is kept, or what nobody may read."""

    title = "The reason can't be kept"
    status = 422


class NotStarted(ClusterError):
    """A container that was waited for does not run, and will not soon."""

    title = "The container did not start"
    status = 409


class TextsFull(ClusterError):
    """So many texts are being created, or stopped on their way, that no other one is kept."""

    title = "Too much is being created at once"
    status = 429

    def __init__(self, most: int) -> None:
        super().__init__(
            f"{most} texts of several objects are being created here, or were stopped: no more are kept in memory.",
            next_step="Try again once some are done; leave or undo those that were stopped.",
        )


class BeingDeleted(Conflict):
    """The object is on its way out: what is written to it goes with it."""

    title = "It is being deleted"

    def __init__(self, what: str, finalizers: Iterable[str]) -> None:
        super().__init__(
            f"{what} is being deleted, so nothing can be changed on it any more. {deletion_waits(finalizers)}",
            next_step="Wait until it is gone, then create it again if it is still needed.",
        )


class Busy(Conflict):
    """Nobody touched the same fields, yet another write came before each attempt."""

    title = "Written too often"

    def __init__(self, what: str, attempts: int, writer: str) -> None:
        by = f", last by {writer}" if writer else ""
        super().__init__(
            f"{what} is written so often{by} that each of {attempts} attempts came too late. Nothing was changed.",
            next_step="Try again, or find out what keeps writing it.",
        )


class NoWayBack(Conflict):
    """The change cannot be undone (any more)."""

    title = "It cannot be undone"


class Unrecorded(ClusterError):
    """The change was made, and only its record could not be written."""

    title = "The change was made, but not recorded"
    status = 500


class Unsettled(ClusterError):
    """The request was sent and its answer was lost: whether the change was made is not known yet."""

    title = "No answer"
    status = 504


class UnderWay(Conflict):
    """Another operation on the object has not ended. ``change`` is that change's id, ``what`` the word for it."""

    title = "An operation is under way"
    what = "operation"

    def __init__(self, text: str, change: int) -> None:
        super().__init__(
            text, next_step="Wait until it has finished, or stop it or undo that change on its page."
        )
        self.change = change


class DrainUnderWay(UnderWay):
    title = "A drain is under way"
    what = "drain"

    def __init__(self, name: str, who: str, change: int) -> None:
        super().__init__(f"{name} is being drained already, by {who}.", change)


class RotationUnderWay(UnderWay):
    title = "A rotation is under way"
    what = "rotation"

    def __init__(self, name: str, change: int) -> None:
        super().__init__(
            f"{name} has been given another value already, and what reads it is still being restarted.",
            change,
        )


def not_paused(deployment: Mapping[str, Any], why: str) -> None:
    """Raises Invalid, which ends in ``why``, for a Deployment whose rollout is paused; other workloads never are."""
    if deployment["spec"].get("paused"):
        name, namespace = (deployment["metadata"][key] for key in ("name", "namespace"))
        resume = shell_line(["kubectl", "rollout", "resume", f"deployment/{name}", "-n", namespace])
        raise Invalid(f"Deployment {name} is paused{why}", next_step=f"Resume it first: {resume}")
