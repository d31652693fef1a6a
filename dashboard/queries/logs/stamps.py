"""The moments at the head of a log's lines, as numbers that can be compared.

The kubelet writes RFC 3339 with up to nine digits of a second, in UTC or in the node's zone: as texts they do not
order (``…00.5Z`` comes before ``…00Z``).
"""

from __future__ import annotations

from calendar import timegm
from datetime import UTC, datetime

SECOND = 1_000_000_000


class Stamps:
    """Reads moments. One a log: it remembers the second it read last, since lines come by the thousand in one."""

    def __init__(self) -> None:
        self._head: tuple[bytes, bytes] = (b"", b"")
        self._base = 0

    def nanoseconds(self, stamp: bytes) -> int | None:
        """Nanoseconds since 1970, or None for what is no moment."""
        zone = 1 if stamp[-1:] == b"Z" else 6
        head = (stamp[:19], stamp[-zone:])
        fraction = stamp[20:-zone]
        try:
            if head != self._head:
                self._base, self._head = _whole(*head), head
            if not fraction:
                return self._base if len(stamp) == 19 + zone else None
            return self._base + int(fraction) * 10 ** (9 - len(fraction)) if len(fraction) <= 9 else None
        except (ValueError, OverflowError):  # a zone may lead out of the years 1 to 9999
            return None


def _whole(seconds: bytes, zone: bytes) -> int:
    moment = datetime.fromisoformat((seconds + zone).decode("ascii"))
    if moment.tzinfo is None:
        raise ValueError("no zone")
    return timegm(moment.utctimetuple()) * SECOND


def since_time(nanoseconds: int) -> str:
    """A moment for the API's ``sinceTime``, which knows whole seconds only: the second that it is in."""
    moment = datetime.fromtimestamp(nanoseconds // SECOND, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
