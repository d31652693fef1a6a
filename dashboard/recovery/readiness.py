"""How well a cluster could be brought back from its backups: the last good one, its age, and what is in none of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    """``last`` is the newest archive of the whole cluster, ``age`` its age. ``uncovered``: namespaces that no archive
    holds, ``covered``: how many some do; None for both where archives can't be read here. ``claims``: volumes, whose data
    none holds.
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
    namespaces: Mapping[str, datetime | None] | None,
    claims: int | None,
    now: datetime,
) -> Readiness:
    """Of one context: its good archives, the newest first, those of their ``headers`` that could be read, its namespaces
    with when they were created, and how many claims it has; None for what is not known.
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
    last = newest_whole(stored, headers)
    held: dict[str, Stored] = {}  # the newest archive of each namespace
    uncovered: tuple[str, ...] | None = None
    if namespaces is not None and own is not None and (last or any(each.name in headers for each in stored)):
        for name in own:
            made = namespaces[name]  # what is older is of an earlier namespace of that name, or of none
            since = (each for each in stored if made is None or each.at >= made)
            if newest := next((each for each in since if holds(each, headers.get(each.name), name)), None):
                held[name] = newest
        uncovered = tuple(name for name in own if name not in held)
    age, texts = None, list[str]()
    if last is None:
        headline = "No backup of the whole cluster"
        texts.append("Each backup is of some namespaces: the cluster's own objects are in none.")
        alone = list(held)
    else:
        age = max(now - last.at, timedelta())
        later = sum(1 for name in own or () if (made := (namespaces or {})[name]) and made > last.at)
        gaps = [plural(later, "namespace")] if later else []
        gaps += [f"the data of {plural(claims, 'volume')}"] if claims else []
        are = "are" if later > 1 or len(gaps) > 1 else "is"
        words = listed(gaps)
        said = f" {words[:1].upper()}{words[1:]} {are} not in it." if gaps else ""
        headline = f"The last good backup of the cluster is {ago(age)} old.{said}"
        texts.append(f"It was read back and verified when it was made, on {last.at:%Y-%m-%d at %H:%M} UTC.")
        alone = [name for name, one in held.items() if one.at > last.at]
    if alone:
        since_then = "Since then backed up on their own" if last is not None else "Backed up on their own"
        texts.append(f"{since_then}: {listed(alone, 'more namespaces')}.")
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
    state: Literal["ok", "warn", "bad", "info"] = "info"
    if age is None or age > GOAL or uncovered:
        state = "bad" if age is not None and age > STALE else "warn"
    return Readiness(
        state=state,
        headline=headline,
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


def newest_whole(stored: Sequence[Stored], headers: Mapping[str, Header]) -> Stored | None:
    """The first of some archives in which all of the cluster is: one of a namespace says nothing of how old the last
    backup of the others is.
    """
    return next((each for each in stored if is_whole(each, headers.get(each.name))), None)


def holds(stored: Stored, header: Header | None, namespace: str) -> bool:
    """Whether all of a namespace is in an archive, alone or beside others."""
    if header is not None and header.labels:
        return False
    names = (stored.scope,) if header is None else header.namespaces
    return of_cluster(stored, header) or namespace in names


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
    stored: Sequence[Stored], headers: Mapping[str, Header], now: datetime, *, velero: bool = False
) -> tuple[Literal["ok", "warn", "info"], str]:
    """State and a few words about the good archives of a context, the newest first, for other pages. ``velero``: whether
    that is installed, of whose backups only the page of recovery tells, to whom may list them.
    """
    last = newest_whole(stored, headers)
    if last is None:
        if velero:
            return "info", "Backups by Velero"
        return "warn", "No backup of the whole cluster" if stored else NEVER
    age = max(now - last.at, timedelta())
    return ("warn" if age > GOAL else "ok"), f"Last good backup {ago(age)} ago"
