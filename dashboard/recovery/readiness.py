"""How well a cluster could be brought back from its backups: the last good one, its age, and what is in none of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from dashboard.kinds.rows import listed, plural

from .archive import Header
from .choice import SYSTEM
from .storage import WHOLE, Stored

NEVER = "Never backed up"  # the headline
GOAL = timedelta(hours=24)  # an older backup is said to be one
STALE = timedelta(days=8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """``last`` is the newest archive, ``age`` its age. ``uncovered``: namespaces that no archive holds, ``covered``: how
    many some do; None for both where archives can't be read here. ``claims``: volumes, whose data none holds.
    """

    state: Literal["ok", "warn", "bad", "info"]
    headline: str
    text: str
    last: Stored | None = None
    age: timedelta | None = None
    uncovered: tuple[str, ...] | None = None
    covered: int | None = None
    namespaces: int | None = 0
    claims: int | None = 0


def readiness(
    stored: Sequence[Stored],
    headers: Mapping[str, Header],
    *,
    namespaces: Collection[str] | None,
    claims: int | None,
    now: datetime,
) -> Readiness:
    """Of one context: its archives, the newest first, those of their ``headers`` that could be read, its namespaces, and
    how many claims it has; None for what is not known.
    """
    own = None if namespaces is None else sorted(set(namespaces) - SYSTEM)
    if not stored:
        return Readiness(
            state="warn",
            headline=NEVER,
            text="If this cluster is lost, there is nothing to restore it from.",
            uncovered=None if own is None else tuple(own),
            covered=None if own is None else 0,
            namespaces=None if own is None else len(own),
            claims=claims,
        )
    last = stored[0]
    age = max(now - last.at, timedelta())
    known = [headers[each.name] for each in stored if each.name in headers]
    whole = any(is_whole(each, headers.get(each.name)) for each in stored)
    uncovered: tuple[str, ...] | None = None
    if own is not None and (known or whole):
        held = {name for each in known for name in each.namespaces}
        uncovered = () if whole else tuple(name for name in own if name not in held)
    gaps = [plural(len(uncovered), "namespace")] if uncovered else []
    gaps += [f"the data of {plural(claims, 'volume')}"] if claims else []
    old = age > GOAL
    missing = listed(gaps)
    are = "is" if gaps == ["1 namespace"] or gaps == ["the data of 1 volume"] else "are"
    said = f" {missing[:1].upper()}{missing[1:]} {are} not in it." if gaps else ""
    texts = [f"It was read back and verified when it was made, on {last.at:%Y-%m-%d at %H:%M} UTC."]
    if uncovered:
        texts.append(f"In no backup: {listed(uncovered, 'more namespaces')}.")
    if own is None:
        texts.append("Whether it covers all namespaces is not known.")
    elif uncovered is None:
        texts.append("What it covers is unknown: it is encrypted, and no key is configured here.")
    if claims is None:
        texts.append(
            "How many claims there are is not known. Backups do not contain the data on their volumes."
        )
    elif claims:
        texts.append("Backups contain claims, but not the data on their volumes.")
    state: Literal["ok", "warn", "bad", "info"] = (
        "bad" if age > STALE else "warn" if old or uncovered else "info"
    )
    return Readiness(
        state=state,
        headline=f"The last good backup is {ago(age)} old.{said}",
        text=" ".join(texts),
        last=last,
        age=age,
        uncovered=uncovered,
        covered=len(own) - len(uncovered) if own is not None and uncovered is not None else None,
        namespaces=None if own is None else len(own),
        claims=claims,
    )


def is_whole(stored: Stored, header: Header | None) -> bool:
    """Whether all of the cluster is in an archive: of no namespaces alone, and not only what has some labels."""
    return of_cluster(stored, header) and (header is None or not header.labels)


def of_cluster(stored: Stored, header: Header | None) -> bool:
    """Whether an archive is of the cluster, if only of what has some labels: by its header, and by its name where that
    can't be read. (Once a namespace that is called "all" had the cluster's scope.)
    """
    return stored.scope == WHOLE if header is None else not header.namespaces


def ago(age: timedelta) -> str:
    """ "11 hours", by the largest unit of which there are two."""
    seconds = int(age.total_seconds())
    for size, word in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size * (2 if size != 60 else 1):
            return plural(seconds // size, word)
    return "less than a minute" if seconds < 60 else plural(seconds // 60, "minute")


def backup_badge(
    stored: Sequence[Stored], now: datetime, *, velero: bool = False
) -> tuple[Literal["ok", "warn", "info"], str]:
    """State and a few words about the archives of a context, the newest first, for other pages. ``velero``: whether that
    is installed, of whose backups only the page of recovery tells, to whom may list them.
    """
    if not stored:
        return ("info", "Backups by Velero") if velero else ("warn", NEVER)
    age = max(now - stored[0].at, timedelta())
    return ("warn" if age > GOAL else "ok"), f"Last good backup {ago(age)} ago"
