"""What can go wrong with a change, beyond the cluster's own errors."""

from __future__ import annotations

from datetime import datetime

from dashboard.errors import ClusterError, Conflict


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
