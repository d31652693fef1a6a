"""How an object of an unknown kind is, judged from the columns of its Table. In doubt: fine, but where its controller
has reported nothing it is not known.

A custom kind's columns are its author's words. Only those are judged that mean the same wherever they are used: the
condition types and phases of Kubernetes' API conventions, and of the projects that follow them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from .base import Column, State
from .rows import shorten

How = Literal["good", "awaited", "poor", "moving", "word"]

# By the column's key without hyphens, the most telling first. Of these, the first that a kind has is its status.
_COLUMNS: dict[str, How] = {
    "ready": "good",
    "health": "word",
    "healthstatus": "word",
    "healthy": "good",
    "available": "good",
    "phase": "word",
    "state": "word",
    "status": "word",
    "programmed": "good",
    "accepted": "good",
    "established": "good",
    "readytouse": "awaited",
    "synced": "good",
    "syncstatus": "word",
    "reconciled": "good",
    "valid": "good",
    "resolvedrefs": "good",
    "degraded": "poor",
    "stalled": "poor",
    "failing": "poor",
    "progressing": "moving",
    "reconciling": "moving",
}
_WORDS: dict[str, State] = {
    **dict.fromkeys(("failed", "failure", "error", "errored", "lost", "invalid", "crashloopbackoff"), "bad"),
    **dict.fromkeys(
        ("degraded", "unhealthy", "partiallyfailed", "warning", "outofsync", "missing", "stalled", "conflict"),
        "warn",
    ),
    **dict.fromkeys(
        (
            "pending", "progressing", "creating", "provisioning", "deleting", "terminating", "updating", "upgrading",
            "initializing", "reconciling", "waiting", "inprogress", "queued", "processing", "starting", "stopping",
            "installing", "uninstalling", "scaling", "restoring", "rollingout",
        ),
        "info",
    ),
    **dict.fromkeys(
        (
            "ready", "healthy", "active", "running", "bound", "available", "synced", "deployed", "established",
            "accepted", "enabled", "online", "connected", "normal", "ok", "green", "valid",
        ),
        "ok",
    ),
    **dict.fromkeys(("succeeded", "success", "successful", "complete", "completed", "finished", "done"), "done"),
}  # fmt: skip
_WEIGHT = {"bad": 0, "warn": 1, "info": 2, "ok": 3, "done": 4}
# Where a controller says why; "status" is often a sentence beside "ready".
_WHY = ("message", "reason", "status")
# The conditions that a controller always reports, and what stands in a column of which nothing is known.
_AWAITED = ("good", "awaited")
UNREPORTED = frozenset({"", "<none>", "<unknown>", "unknown"})
_RATIO = re.compile(r"(\d{1,18})/(\d{1,18})")


@dataclass(frozen=True, slots=True)
class Judge:
    """Which columns tell how an object is (their places, the status column's first), and which say why.

    ``hidden`` are those that a list shows only where it has room: what they say is said beside the status.
    """

    columns: tuple[tuple[int, How], ...]
    why: tuple[int, ...]
    hidden: frozenset[int]

    @classmethod
    def of(cls, columns: Sequence[Column]) -> Judge:
        """By the keys of the columns."""
        by_key = {column.key.replace("-", ""): column.order for column in columns}
        found = tuple((by_key[key], how) for key, how in _COLUMNS.items() if key in by_key)
        hidden = frozenset(column.order for column in columns if column.wide)
        return cls(found, tuple(by_key[key] for key in _WHY if key in by_key), hidden)

    @property
    def status(self) -> int | None:
        """The place of the column that a state's mark stands in."""
        return self.columns[0][0] if self.columns else None

    def state(self, words: Sequence[str]) -> State:
        """The worst of what the columns say."""
        return self._worst(words)[0]

    def reason(self, words: Sequence[str], titles: Sequence[str], *, beside: bool = False) -> str:
        """Why it is as it is, when that is not fine. ``beside``: what the columns of a list do not say anyway."""
        state, place = self._worst(words)
        if state in ("ok", "done"):
            return ""
        why = (
            at for at in self.why if at != place and _says(words[at]) and (at in self.hidden or not beside)
        )
        if (at := next(why, None)) is not None:
            return shorten(words[at])
        if words[place].lower() in UNREPORTED:
            return f"{titles[place]} is not reported"
        return "" if beside and place not in self.hidden else f"{titles[place]} is {words[place]}"

    def _worst(self, words: Sequence[str]) -> tuple[State, int]:
        said = [(state, place) for place, how in self.columns if (state := judged(how, words[place]))]
        if not said:
            silent = (at for at, how in self.columns if how in _AWAITED and words[at].lower() in UNREPORTED)
            said = [("info", at) for at in silent]
        return min(said, key=lambda each: _WEIGHT[each[0]], default=("ok", 0))

    def knows(self, word: str) -> bool:
        """Whether the status column's word means something here."""
        return bool(self.columns) and judged(self.columns[0][1], word) is not None


def judged(how: How, text: str) -> State | None:
    """What one cell says; None for a word that means nothing here."""
    # An APIService says "False (MissingEndpoints)".
    word = text.partition(" (")[0].replace(" ", "").replace("-", "").lower()
    if how == "word":
        return _WORDS.get(word)
    if how == "good" and (ratio := _RATIO.fullmatch(word)):
        return "ok" if int(ratio[1]) >= int(ratio[2]) else "warn"
    if word == "unknown":
        return "info"
    if word not in ("true", "false"):
        return None
    well = (word == "true") == (how in ("good", "awaited"))
    return "ok" if well else "info" if how in ("awaited", "moving") else "warn"


def condition_state(type_: str, status: str) -> State:
    """How a condition of an unknown kind is: by its type, where that means the same everywhere; else fine."""
    how = _COLUMNS.get(type_.lower())
    return (judged(how, status) if how not in (None, "word") else None) or "ok"  # type: ignore[arg-type]


def _says(text: str) -> bool:
    """Whether it is a reason: more than a bare word that says all is well."""
    return bool(text) and text.lower() not in (*_WORDS, "true", "false")
