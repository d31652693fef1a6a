"""What a page of logs shows, as its address says it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import urlencode

from django.http import QueryDict

from dashboard.queries.bounds import chosen_of

TAILS = (10, 100, 500, 2_000)
MAX_FILTER = 1_000  # characters that a line must have
SEARCHED = 20_000  # lines of each container that a filter looks through
_DURATION = re.compile(r"(?:\d+[smhd])+")
_PART = re.compile(r"(\d+)([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


@dataclass(frozen=True)
class LogOptions:
    """Equal options of equal objects show the same lines. Empty ``pods`` or ``containers``: all of them.

    ``wrong`` is the field that cannot be read and why; what was typed stays in its field.
    """

    pods: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()
    previous: bool = False
    since: str = ""
    tail: int = 100
    q: str = ""
    default_tail: int = 100
    wrong: tuple[str, str] = ("", "")

    @classmethod
    def read(cls, params: QueryDict, default_tail: int = 100) -> LogOptions:
        """From an address."""
        options = cls(
            pods=chosen_of(params, "pod"),
            containers=chosen_of(params, "container"),
            previous=params.get("previous") == "1",
            since=params.get("since", "").strip(),
            q=params.get("q", "").strip("\r\n"),
            tail=default_tail,
            default_tail=default_tail,
        )
        tail = params.get("tail", "").strip()
        if len(tail) <= 6 and tail.isascii() and tail.isdigit() and 0 < int(tail) <= TAILS[-1]:
            options = replace(options, tail=int(tail))
        elif tail:
            typed = tail if len(tail) <= 20 else f"{tail[:20]}…"
            why = f"tail is {typed!r}: enter the number of lines per container, from 1 to {TAILS[-1]}."
            options = replace(options, wrong=("tail", why))
        if len(options.q) > MAX_FILTER:
            why = f"The text is {len(options.q):,} characters long: enter at most {MAX_FILTER:,}."
            options = replace(options, q=options.q[:MAX_FILTER], wrong=("q", why))
        if options.since and options.since_seconds is None and options.since_moment is None:
            why = (
                f"since is {options.since[:20]!r}: enter a duration such as 5m, 1h30m or 2d, "
                "or a moment such as 2026-01-31T10:00Z (without a zone it is UTC)."
            )
            options = replace(options, wrong=("since", why))
        return options

    @property
    def since_seconds(self) -> int | None:
        """``since`` as a duration, at least a second; None when it is none."""
        text = self.since.replace(" ", "")
        if not _DURATION.fullmatch(text) or len(text) > 20:
            return None
        return max(1, sum(int(count) * _UNITS[unit] for count, unit in _PART.findall(text)))

    @property
    def since_moment(self) -> datetime | None:
        """``since`` as a moment; None when it is none."""
        try:
            moment = datetime.fromisoformat(self.since)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            return None

    def url_query(self, **changes: object) -> str:
        """The query string with some of it changed, in one fixed order and without what is default."""
        new = replace(self, **changes)  # type: ignore[arg-type]
        pairs = [("pod", pod) for pod in new.pods] + [("container", name) for name in new.containers]
        pairs += [("previous", "1")] if new.previous else []
        pairs += [("since", new.since)] if new.since else []
        pairs += [("tail", str(new.tail))] if new.tail != new.default_tail else []
        pairs += [("q", new.q)] if new.q else []
        return f"?{urlencode(pairs)}" if pairs else ""

    def api_query(self) -> dict[str, str]:
        """The query of the log's first reading, besides the container."""
        query = {"tailLines": str(SEARCHED if self.q else self.tail)}
        if self.since_seconds is not None:
            query["sinceSeconds"] = str(self.since_seconds)
        elif self.since_moment is not None:
            query["sinceTime"] = self.since_moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        return query

    def kubectl(self) -> list[str]:
        """The options of ``kubectl logs`` for the same; its filter is grep's."""
        words = [f"--tail={SEARCHED if self.q else self.tail}"]
        if self.since_seconds is not None:
            words.append(f"--since={self.since_seconds}s")  # kubectl knows no days
        elif self.since_moment is not None:
            words.append(f"--since-time={self.since_moment.strftime('%Y-%m-%dT%H:%M:%SZ')}")
        return [*words, "--previous" if self.previous else "--follow"]
