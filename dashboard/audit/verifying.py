"""Whether the chain is whole: read from the newest checkpoint on, a slice at a time, so that memory is bounded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from django.conf import settings
from django.db import connection

from dashboard.models import AuditCheckpoint, AuditEntry

from .chain import FACTS, GENESIS, UnknownKey, canonical, digest, signer
from .checkpoints import checkpoint_newest, sealed
from .guards import guards_found, guards_names

SLICE = 2000
MAX_BREAKS = 100  # that are told; more are counted
COLUMNS = ("id", "previous", "key", "hash", *FACTS)

Wrong = Literal[
    "changed", "missing", "reordered", "forked", "unsigned", "unknown key", "checkpoint", "trigger"
]


@dataclass(frozen=True, slots=True)
class Break:
    """What is wrong, at which entry (the first of several, or None), in words."""

    wrong: Wrong
    entry: int | None
    text: str


@dataclass(slots=True)
class Chain:
    """What was found. ``entries`` were read, ``last`` and ``hash`` are the end of the chain: compare them with a line of
    the log. ``through`` is the checkpoint's entry (0: none), of ``since``.
    """

    entries: int = 0
    last: int = 0
    hash: str = GENESIS
    signed: int = 0
    through: int = 0
    since: datetime | None = None
    breaks: list[Break] = field(default_factory=list)
    broken: int = 0

    @property
    def whole(self) -> bool:
        return not self.broken

    def found(self, wrong: Wrong, entry: int | None, text: str) -> None:
        self.broken += 1
        if len(self.breaks) < MAX_BREAKS:
            self.breaks.append(Break(wrong, entry, text))


def verify_steps() -> Iterator[Chain]:
    """Reads the chain; after each slice what has been found so far, which grows. The last is all."""
    keys, chain = settings.CLUSTER_UI_AUDIT_KEYS, Chain()
    _check_guards(chain)
    _go_on(chain, checkpoint_newest())
    signed = False
    while rows := list(AuditEntry.objects.filter(pk__gt=chain.last).order_by("pk").values(*COLUMNS)[:SLICE]):
        for row in rows:
            number = row["id"]
            gap = number != chain.last + 1 and not _pruned(chain, number)
            if gap:
                _missing(chain, number)
            own = _own(row)
            if own is None:
                chain.found(
                    "unknown key", number, f"It is signed with the key {row['key']}, which is not at hand."
                )
            elif own != row["hash"]:
                chain.found("changed", number, "What it says is not what was written: its hash does not fit.")
            if signed and not row["key"] and keys:
                chain.found("unsigned", number, "It has no signature, though the one before it has.")
            if row["previous"] != chain.hash and not gap:
                _unlinked(chain, row)
            signed = bool(row["key"])
            chain.entries += 1
            chain.signed += signed
            chain.last, chain.hash = number, row["hash"]
        yield chain
    if keys and chain.entries and not signed:
        chain.found("unsigned", chain.last, f"The last entry is not signed with the key {signer(keys)}.")
    yield chain


def verify() -> Chain:
    """The same at once."""
    *_, chain = verify_steps()
    return chain


def _own(row: dict[str, Any]) -> str | None:
    """The hash that an entry should have; None where that is not known."""
    try:
        return digest(canonical(row["id"], row["previous"], row), row["key"], settings.CLUSTER_UI_AUDIT_KEYS)
    except UnknownKey:
        return None


def _check_guards(chain: Chain) -> None:
    with connection.cursor() as cursor:
        cursor.execute(guards_found(connection.vendor))
        there = {name for (name,) in cursor.fetchall()}
    for name in sorted(guards_names(connection.vendor) - there):
        chain.found(
            "trigger", None, f"The trigger {name} is missing, or off: the database lets entries be changed."
        )


def _go_on(chain: Chain, checkpoint: AuditCheckpoint | None) -> None:
    if checkpoint is None:
        return
    chain.through, chain.since = checkpoint.through, checkpoint.at
    chain.last, chain.hash = checkpoint.through, checkpoint.hash
    try:
        seal = digest(sealed(vars(checkpoint)), checkpoint.key, settings.CLUSTER_UI_AUDIT_KEYS)
    except UnknownKey:
        text = f"It is signed with the key {checkpoint.key}, which is not at hand."
        chain.found("unknown key", checkpoint.through, text)
        return
    if seal != checkpoint.seal:
        chain.found("checkpoint", checkpoint.through, "The checkpoint is not what retention wrote.")
    elif (
        settings.CLUSTER_UI_AUDIT_KEYS and not checkpoint.key and AuditEntry.objects.exclude(key="").exists()
    ):
        chain.found(
            "unsigned", checkpoint.through, "The checkpoint has no signature, though entries have one."
        )


def _pruned(chain: Chain, number: int) -> bool:
    """Whether retention has taken what is missing before an entry since this began."""
    newest = checkpoint_newest()
    if newest is None or newest.through <= chain.through or newest.through != number - 1:
        return False
    _go_on(chain, newest)
    return True


def _missing(chain: Chain, number: int) -> None:
    first, last = chain.last + 1, number - 1
    which = f"Entry {first} is" if first == last else f"The entries {first} to {last} are"
    chain.found("missing", first, f"{which} missing.")


def _unlinked(chain: Chain, row: dict[str, Any]) -> None:
    """What an entry follows, if not the one before it."""
    if chain.broken >= MAX_BREAKS:
        chain.broken += 1  # which one costs a look at all of them
        return
    number, followed = row["id"], AuditEntry.objects.filter(hash=row["previous"])
    other = followed.order_by("pk").values_list("pk", flat=True).first()
    if other is None:
        chain.found("missing", number, f"It does not follow entry {chain.last}, but one that is not there.")
    elif AuditEntry.objects.filter(previous=row["previous"]).exclude(pk=number).exists():
        chain.found("forked", number, f"It follows entry {other}, as another entry does.")
    else:
        chain.found("reordered", number, f"It was written after entry {other}, not after entry {chain.last}.")
