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
from .signing import signed_from_kept

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
    the log. ``through`` is the checkpoint's entry (0: none), of ``since``. ``signed_from`` is the first entry that is
    signed with a key (0: none).
    """

    entries: int = 0
    last: int = 0
    hash: str = GENESIS
    signed: int = 0
    signed_from: int = 0
    through: int = 0
    since: datetime | None = None
    breaks: list[Break] = field(default_factory=list)
    broken: int = 0
    signs: bool = False  # the last one that was read is signed
    unsigned_checkpoint: bool = False

    @property
    def whole(self) -> bool:
        return not self.broken

    @property
    def signatures(self) -> str:
        """What a key that is set now says of the entries, in words; "" without one."""
        if not (keys := settings.CLUSTER_UI_AUDIT_KEYS) or not self.entries:
            return ""
        if not self.signed_from:
            return (
                f"No entry is signed with the key {signer(keys)} yet; the next one will be. If one was before, somebody "
                "has taken the signatures away: compare with the log."
            )
        if self.signed == self.entries:
            return ""
        return (
            f"Not signed up to entry {self.signed_from - 1}; signed from entry {self.signed_from} on, which holds the "
            "hash of the one before."
        )

    def found(self, wrong: Wrong, entry: int | None, text: str) -> None:
        self.broken += 1
        if len(self.breaks) < MAX_BREAKS:
            self.breaks.append(Break(wrong, entry, text))


def verify_steps(signed_from: int = 0) -> Iterator[Chain]:
    """Reads the chain; after each slice what has been found so far, which grows. The last is all. ``signed_from``: the
    entry from which on all have to be signed, as somebody knows who keeps that elsewhere (0: as this machine does).
    """
    chain, signed_from = Chain(), signed_from or signed_from_kept()
    _check_guards(chain)
    _go_on(chain, checkpoint_newest())
    while rows := list(AuditEntry.objects.filter(pk__gt=chain.last).order_by("pk").values(*COLUMNS)[:SLICE]):
        for row in rows:
            _read(chain, row, signed_from)
        yield chain
    if signed_from > chain.last:
        chain.found("missing", signed_from, f"The chain ends before it, at entry {chain.last}.")
    yield chain


def _read(chain: Chain, row: dict[str, Any], signed_from: int) -> None:
    number = row["id"]
    gap = number != chain.last + 1 and not _pruned(chain, number)
    if gap:
        _missing(chain, number)
    own = _own(row)
    if own is None:
        chain.found("unknown key", number, f"It is signed with the key {row['key']}, which is not at hand.")
    elif own != row["hash"]:
        chain.found("changed", number, "What it says is not what was written: its hash does not fit.")
    _check_signature(chain, row, signed_from)
    if row["previous"] != chain.hash and not gap:
        _unlinked(chain, row)
    chain.entries += 1
    chain.signed += bool(row["key"])
    chain.last, chain.hash, chain.signs = number, row["hash"], bool(row["key"])


def _check_signature(chain: Chain, row: dict[str, Any], signed_from: int) -> None:
    """Entries from before a key was set have none; since then all have one, and retention signs what it leaves behind."""
    number, known = row["id"], signed_from > 0
    after_unsigned = chain.unsigned_checkpoint and number == chain.through + 1
    if after_unsigned and (row["key"] or (known and chain.through >= signed_from)):
        text = "The checkpoint has no signature, though what follows it has, or should have."
        chain.found("unsigned", chain.through, text)
    if row["key"]:
        chain.signed_from = chain.signed_from or number
    elif chain.signs and settings.CLUSTER_UI_AUDIT_KEYS:
        chain.found("unsigned", number, "It has no signature, though the one before it has.")
    elif known and number >= signed_from and (chain.last < signed_from or not chain.entries):
        chain.found("unsigned", number, f"It has no signature, as all should have from {signed_from} on.")


def verify(signed_from: int = 0) -> Chain:
    """The same at once."""
    *_, chain = verify_steps(signed_from)
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
    chain.unsigned_checkpoint = bool(settings.CLUSTER_UI_AUDIT_KEYS) and not checkpoint.key
    try:
        seal = digest(sealed(vars(checkpoint)), checkpoint.key, settings.CLUSTER_UI_AUDIT_KEYS)
    except UnknownKey:
        text = f"It is signed with the key {checkpoint.key}, which is not at hand."
        chain.found("unknown key", checkpoint.through, text)
        return
    if seal != checkpoint.seal:
        chain.found("checkpoint", checkpoint.through, "The checkpoint is not what retention wrote.")


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
