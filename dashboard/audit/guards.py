"""Triggers that keep the database's tables of the audit append-only, whoever asks.

An entry is never updated. One is inserted only behind the last, and deleted only up to the entry that the newest
checkpoint names. A checkpoint is inserted only when it names an entry with its hash, beyond the checkpoint before; it is
never updated, and deleted only when there is a newer one.

A migration that changes one of these tables has its operations within ``without_guards``: SQLite makes such a table anew,
which the other table's trigger does not let it do, as that asks for the old one; and what is made has no triggers.
"""

from __future__ import annotations

from typing import Any

from django.db.migrations import RunPython
from django.db.migrations.operations.base import Operation

ENTRIES, CHECKPOINTS = "dashboard_auditentry", "dashboard_auditcheckpoint"
_THROUGH = f"COALESCE((SELECT max(through) FROM {CHECKPOINTS}), 0)"  # noqa: S608 # of names that stand here
_NEXT = f"COALESCE((SELECT max(id) FROM {ENTRIES}), {_THROUGH}) + 1"  # noqa: S608
_KNOWN = (
    f"NEW.through > {_THROUGH} AND EXISTS "  # noqa: S608
    f"(SELECT 1 FROM {ENTRIES} WHERE id = NEW.through AND hash = NEW.hash)"
)

# By name: the table, the event, when it is refused, and what is said then.
RULES = {
    "audit_entry_follows": (ENTRIES, "INSERT", f"NEW.id <> {_NEXT}", "an audit entry follows the last one"),
    "audit_entry_stays": (ENTRIES, "UPDATE", "TRUE", "an audit entry is never changed"),
    "audit_entry_goes": (
        ENTRIES, "DELETE", f"OLD.id > {_THROUGH}", "an audit entry is deleted only up to a checkpoint",
    ),
    "audit_checkpoint_follows": (
        CHECKPOINTS, "INSERT", f"NOT ({_KNOWN})", "a checkpoint names a later entry and its hash",
    ),
    "audit_checkpoint_stays": (CHECKPOINTS, "UPDATE", "TRUE", "a checkpoint is never changed"),
    "audit_checkpoint_goes": (
        CHECKPOINTS, "DELETE", f"OLD.through >= {_THROUGH}", "the newest checkpoint is never deleted",
    ),
}  # fmt: skip
_TRUNCATES = {"audit_entry_truncate": ENTRIES, "audit_checkpoint_truncate": CHECKPOINTS}


def guards_create(vendor: str) -> list[str]:
    """The statements that put the triggers there, for ``connection.vendor``."""
    return _sqlite() if vendor == "sqlite" else _postgres()


def guards_drop(vendor: str) -> list[str]:
    if vendor == "sqlite":
        return [f"DROP TRIGGER IF EXISTS {name}" for name in RULES]
    tables = {name: table for name, (table, *_) in RULES.items()} | _TRUNCATES
    return [
        statement
        for name, table in tables.items()
        for statement in (f"DROP TRIGGER IF EXISTS {name} ON {table}", f"DROP FUNCTION IF EXISTS {name}()")
    ]


def guards_put(apps: Any, schema_editor: Any) -> None:
    """As a step of a migration; ``guards_take`` undoes it."""
    for statement in guards_create(schema_editor.connection.vendor):
        schema_editor.execute(statement)


def guards_take(apps: Any, schema_editor: Any) -> None:
    for statement in guards_drop(schema_editor.connection.vendor):
        schema_editor.execute(statement)


def without_guards(*operations: Operation) -> list[Operation]:
    """The operations of a migration that changes a table of the audit: the triggers are away meanwhile, within its
    transaction, and there again at its end, whichever way it goes.
    """
    return [RunPython(guards_take, guards_put), *operations, RunPython(guards_put, guards_take)]


def guards_names(vendor: str) -> frozenset[str]:
    return frozenset(RULES) if vendor == "sqlite" else frozenset({*RULES, *_TRUNCATES})


def guards_found(vendor: str) -> str:
    """The question for the names of the triggers that are there, and do something."""
    if vendor == "sqlite":
        return "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    return "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled IN ('O', 'A')"


def _sqlite() -> list[str]:
    return [
        f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW WHEN {refused} "
        f"BEGIN SELECT RAISE(ABORT, '{words}'); END"
        for name, (table, event, refused, words) in RULES.items()
    ]


def _postgres() -> list[str]:
    # A function, not WHEN: that may ask no table.
    made = []
    for name, (table, event, refused, words) in RULES.items():
        row = "OLD" if event == "DELETE" else "NEW"
        made.append(_function(name, f"IF {refused} THEN RAISE EXCEPTION '{words}'; END IF; RETURN {row};"))
        made.append(f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()")
    for name, table in _TRUNCATES.items():
        made.append(_function(name, "RAISE EXCEPTION 'the audit is never emptied';"))
        made.append(f"CREATE TRIGGER {name} BEFORE TRUNCATE ON {table} EXECUTE FUNCTION {name}()")
    return made


def _function(name: str, body: str) -> str:
    return f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN {body} END $body$"
