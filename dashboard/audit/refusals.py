"""What is refused before any view decides, or to whoever is not signed in: in the audit, however often it is sent.

Anybody can send it, so it is counted. Of the same person, address and reason the first in a minute is an entry at once,
and when the minute is over one more says how many there were besides. Of all who are not signed in together there are so
many in an hour; above that they are told by what they tried alone. Nothing of what was sent is kept: neither a name that
somebody typed, nor an address of the web, nor a header.
"""

from __future__ import annotations

import hashlib
import logging
import time
from dataclasses import dataclass, replace

from dashboard.database import AWAY, in_database
from dashboard.kinds.rows import plural
from dashboard.throttle import counted, counted_address

from .origin import Origin, coming_from, current_origin

log = logging.getLogger(__name__)

MINUTE, HOUR = 60, 3600  # seconds
STRANGERS = 100  # entries an hour of all who are not signed in, each with at most one more that counts
NOBODY = "(nobody)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What was tried, and in ``detail`` why it was refused, in words of ours. ``failed``: something broke instead.
    ``apart`` tells it from others that are refused alike, and is not kept.
    """

    action: str
    detail: str
    user_name: str = NOBODY
    context: str = ""
    plural: str = ""
    namespace: str = ""
    name: str = ""
    failed: bool = False
    apart: str = ""


@dataclass(frozen=True, slots=True)
class Counted:
    refusal: Refusal
    origin: Origin
    window: int
    until: float


class Refusals:
    """Those of this process that are being counted, by the name of their counter."""

    def __init__(self) -> None:
        self.counted: dict[str, Counted] = {}

    def note(self, refusal: Refusal) -> None:
        """Reads and writes the database. That it is away keeps nobody's refusal from them."""
        origin = current_origin()
        if origin.session:
            self._note(refusal, origin, MINUTE)
        elif counted("refusals", HOUR, count=0) < STRANGERS:
            if self._note(refusal, origin, MINUTE):
                counted("refusals", HOUR)
        else:
            # By what they tried alone, so that there are not more counters than the bound either.
            words = (
                f"more than {STRANGERS} in an hour of people who are not signed in: these are only counted"
            )
            self._note(Refusal(action=refusal.action, detail=words), Origin(), HOUR)

    def _note(self, refusal: Refusal, origin: Origin, window: int) -> bool:
        """Whether it is the first."""
        begun = int(time.time()) // window * window
        whose = (refusal.user_name, counted_address(origin.address), refusal.apart)
        facts = (*whose, refusal.action, refusal.detail, begun)
        name = f"refusal:{hashlib.sha256(repr(facts).encode('utf-8', 'replace')).hexdigest()}"
        if counted(name, 2 * window) > 1:
            return False
        self.counted[name] = Counted(refusal, origin, window, begun + window)
        _write(refusal, origin)
        return True

    def tell(self, now: float) -> None:
        """Puts into the audit how many more there were, of what is over by then."""
        for name, each in list(self.counted.items()):
            if each.until > now or self.counted.pop(name, None) is None:
                continue
            more = counted(name, 2 * each.window, count=0) - 1
            if more > 0:
                often = (
                    f"{plural(more, 'more time')} within {'an hour' if each.window == HOUR else 'a minute'}"
                )
                _write(replace(each.refusal, detail=f"{often}: {each.refusal.detail}"), each.origin)


def _write(refusal: Refusal, origin: Origin) -> None:
    from dashboard.models import AuditEntry

    result = AuditEntry.Result.FAILED if refusal.failed else AuditEntry.Result.REFUSED
    try:
        with coming_from(origin):
            AuditEntry.objects.create(
                user_name=refusal.user_name,
                action=refusal.action,
                context=refusal.context,
                plural=refusal.plural,
                namespace=refusal.namespace,
                name=refusal.name,
                detail=refusal.detail,
                result=result,
            )
    except AWAY as error:
        log.warning("a refusal was not recorded: %s: %s", refusal.action, error)


refusals = Refusals()
refused = in_database(refusals.note)
