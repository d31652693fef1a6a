"""Adding to the chain: one process at a time, at its end."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from django.conf import settings
from django.db import connection, models, transaction

from dashboard.metrics import ACTIONS, bounded

from .chain import FACTS, GENESIS, canonical, digest, moment, signer
from .guards import CHECKPOINTS, ENTRIES
from .origin import current_origin
from .signing import signed_from_keep

if TYPE_CHECKING:
    from dashboard.models import AuditEntry

# ASCII: nobody's name breaks the line, or acts on the terminal that shows it.
_as_json = structlog.processors.JSONRenderer(separators=(",", ":"))


def _as_line(logger: Any, method: str, event: structlog.typing.EventDict) -> str:
    """What happened, and the facts of it."""
    return f"{event.pop('event')} {_as_json(logger, method, event)!s}"


# A logger of its own: its lines are the audit outside the database, whatever the log level is.
log: structlog.stdlib.BoundLogger = structlog.wrap_logger(
    logging.getLogger("dashboard.audit"), processors=[_as_line], wrapper_class=structlog.stdlib.BoundLogger
)

_LAST_ENTRY = f"SELECT id, hash FROM {ENTRIES} ORDER BY id DESC LIMIT 1"  # noqa: S608 # a name that stands here
_LAST_CHECKPOINT = f"SELECT through, hash FROM {CHECKPOINTS} ORDER BY through DESC LIMIT 1"  # noqa: S608
LOCK = 0x0A0D17  # PostgreSQL's advisory lock of the chain; any number that nobody else takes
MAX_DETAIL = 2000  # characters of what was said; an API server may say a lot
MAX_KEYS, MAX_KEY = 100, 300  # names of what changed; characters of one


def hold_chain() -> None:
    """Until the transaction ends nobody else adds to the chain or takes from it. It is the last lock that a transaction
    takes, so that no two wait for each other. SQLite's transactions hold the whole database from their start.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])


def chain_end() -> tuple[int, str]:
    """The id and the hash of the last entry, also where retention has taken it. Asked with every entry, so in SQL: making
    queries of the models took half of what an entry costs the processor.
    """
    with connection.cursor() as cursor:
        for question in (_LAST_ENTRY, _LAST_CHECKPOINT):
            cursor.execute(question)
            if (found := cursor.fetchone()) is not None:
                return found[0], found[1]
    return 0, GENESIS


@contextmanager
def appending(entries: Sequence[AuditEntry]) -> Iterator[None]:
    """Gives entries their places at the end of the chain; they are inserted in the block. Each becomes a line of the log
    when the transaction is over.
    """
    keys = settings.CLUSTER_UI_AUDIT_KEYS
    with transaction.atomic():
        hold_chain()
        number, last = chain_end()
        for entry in entries:
            _fill(entry)
            number += 1
            entry.pk, entry.previous, entry.key = number, last, signer(keys)
            entry.hash = last = digest(canonical(number, entry.previous, vars(entry)), entry.key, keys)
        yield
        transaction.on_commit(partial(_log, [entry_line(entry) for entry in entries]))
        if keys and entries:
            transaction.on_commit(partial(signed_from_keep, entries[0].pk))


def _fill(entry: AuditEntry) -> None:
    """Where it comes from, and everything as long as its column takes: an entry is never lost to what somebody typed."""
    origin = current_origin()
    entry.address = entry.address or origin.address
    entry.sign_in = entry.sign_in or origin.sign_in
    entry.session = entry.session or origin.session
    for column in entry._meta.concrete_fields:
        if isinstance(column, models.CharField | models.TextField):
            longest = column.max_length or MAX_DETAIL
            setattr(entry, column.attname, _fitting(str(getattr(entry, column.attname)), longest))
    entry.keys = fitting_keys(entry.keys)


def fitting_keys(keys: Sequence[str]) -> list[str]:
    """The names of what changed, as many and as long as an entry keeps."""
    kept = [_fitting(str(key), MAX_KEY) for key in keys[:MAX_KEYS]]
    return [*kept, f"and {len(keys) - MAX_KEYS} more"] if len(keys) > MAX_KEYS else kept


def _fitting(text: str, longest: int) -> str:
    """What a column takes: no NUL, which PostgreSQL refuses, no half of a surrogate pair, and so many characters."""
    text = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    if not text.isascii():
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def entry_line(entry: AuditEntry) -> dict[str, Any]:
    """An entry as the log and a file of JSON lines have it: its facts, and its place in the chain."""
    facts = {name: getattr(entry, name) for name in FACTS}
    facts["at"] = moment(facts["at"])
    return {"id": entry.pk, **facts, "previous": entry.previous, "key": entry.key, "hash": entry.hash}


def _log(lines: Sequence[dict[str, Any]]) -> None:
    for line in lines:
        ACTIONS.labels(bounded(line["action"]), line["result"]).inc()
        log.info("entry", **line)
