"""The chain of the audit: what every kind of tampering looks like, and what the database itself refuses."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.test.utils import CaptureQueriesContext

from dashboard.audit import signing, verifying
from dashboard.audit.appending import MAX_DETAIL, MAX_KEYS
from dashboard.audit.chain import GENESIS, canonical, digest, read_keys
from dashboard.audit.checkpoints import audit_prune
from dashboard.audit.guards import ENTRIES, guards_create, guards_drop
from dashboard.audit.origin import Origin, coming_from
from dashboard.audit.verifying import verify
from dashboard.models import AuditCheckpoint, AuditEntry

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
KEY, OTHER = "k" * 32, "o" * 40


def entry(number: int = 0, **facts: Any) -> AuditEntry:
    made = {"user_name": "mara", "action": "scale", "result": "done", "detail": str(number)}
    return AuditEntry.objects.create(**{**made, "at": NOW + timedelta(minutes=number), **facts})


def sql(statement: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


@pytest.fixture
def unguarded() -> Iterator[None]:
    """Somebody who owns the database, and has put its triggers away."""
    for statement in guards_drop(connection.vendor):
        sql(statement)
    yield
    for statement in guards_create(connection.vendor):
        sql(statement)


def wrong() -> list[tuple[str, int | None]]:
    return [(each.wrong, each.entry) for each in verify().breaks if each.wrong != "trigger"]


def test_each_entry_follows_the_one_before() -> None:
    with coming_from(Origin("192.0.2.7", "link", "abcd")):
        first = entry(1)
    AuditEntry.objects.bulk_create(
        [AuditEntry(user_name="jon", action="evict", result="done") for _ in range(3)]
    )
    rows = list(AuditEntry.objects.order_by("pk"))
    assert [row.pk for row in rows] == [1, 2, 3, 4]
    assert [row.previous for row in rows] == [GENESIS, *(row.hash for row in rows[:3])]
    assert (first.address, first.sign_in, first.session) == ("192.0.2.7", "link", "abcd")
    assert rows[1].address == ""
    chain = verify()
    assert chain.whole and (chain.entries, chain.last, chain.hash) == (4, 4, rows[3].hash)


def test_the_canonical_form_is_what_the_documentation_says() -> None:
    made = entry(0, name="wörk\n\u202e", keys=["/spec/replicas"], context="dev")
    assert canonical(made.pk, made.previous, vars(made)) == (
        b'{"action":"scale","address":"","at":"2026-11-29T12:00:00.000000Z","change_id":null,"context":"dev",'
        b'"detail":"0","id":1,"keys":["/spec/replicas"],"name":"w\\u00f6rk\\n\\u202e","namespace":"","plural":"",'
        b'"previous":"' + b"0" * 64 + b'","reason":"","result":"done","session":"","sign_in":"",'
        b'"user_name":"mara","v":1}'
    )
    assert made.hash == digest(canonical(made.pk, made.previous, vars(made)), "", {})


def test_an_entry_costs_one_question_and_one_insert() -> None:
    entry(1)
    with CaptureQueriesContext(connection) as asked:
        entry(2)
    words = [query["sql"].split()[0] for query in asked]
    assert [word for word in words if word not in ("BEGIN", "COMMIT")] == ["SELECT", "INSERT"]


def test_an_entry_that_fails_leaves_no_gap() -> None:
    entry(1)
    with pytest.raises(DatabaseError):
        entry(2, result="nonsense")
    with pytest.raises(RuntimeError), transaction.atomic():
        entry(3)
        raise RuntimeError
    entry(4)
    assert verify().whole and AuditEntry.objects.count() == 2


def test_nothing_that_somebody_typed_keeps_an_entry_away() -> None:
    keys = [f"/data/{number}" for number in range(MAX_KEYS + 7)]
    made = entry(name="n" * 900, detail="d\0\ud800" * MAX_DETAIL, keys=keys, user_name="u" * 400)
    made.refresh_from_db()
    assert (len(made.name), len(made.detail), len(made.user_name)) == (253, MAX_DETAIL, 150)
    assert made.keys[-1] == "and 7 more" and len(made.keys) == MAX_KEYS + 1
    assert verify().whole


@pytest.mark.parametrize(
    "statement",
    [
        f"UPDATE {ENTRIES} SET detail = 'other' WHERE id = 2",
        f"DELETE FROM {ENTRIES} WHERE id = 3",
        f"DELETE FROM {ENTRIES}",
        f"INSERT OR REPLACE INTO {ENTRIES} SELECT * FROM {ENTRIES} WHERE id = 2",
        f"UPDATE OR REPLACE {ENTRIES} SET id = 1 WHERE id = 2",
        f"INSERT INTO {ENTRIES} SELECT 9, at, user_name, context, action, plural, namespace, name, detail, result, "
        f"reason, change_id, address, sign_in, session, keys, previous, key, hash FROM {ENTRIES} WHERE id = 2",
        "INSERT INTO dashboard_auditcheckpoint (at, through, hash, entries, key, seal) "
        "VALUES ('2026-01-01', 3, 'invented', 3, '', '')",
        "UPDATE dashboard_auditcheckpoint SET through = 3",
        "DELETE FROM dashboard_auditcheckpoint",
        "INSERT OR REPLACE INTO dashboard_auditcheckpoint SELECT * FROM dashboard_auditcheckpoint",
    ],
)
def test_the_database_itself_refuses(statement: str) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL's are tried in tests/services")
    entry(-90)
    entry(-60)
    assert audit_prune(NOW - timedelta(minutes=61), 10) == 1
    entry(3)
    with pytest.raises(DatabaseError, match=r"audit entry|checkpoint"):
        sql(statement)
    assert verify().whole and AuditEntry.objects.count() == 2


@pytest.mark.usefixtures("unguarded")
@pytest.mark.parametrize(
    ("tampering", "found"),
    [
        (["UPDATE {} SET detail = 'other' WHERE id = 3"], [("changed", 3)]),
        (["UPDATE {} SET user_name = 'jon', hash = '{new}' WHERE id = 3"], [("changed", 3), ("missing", 4)]),
        (["DELETE FROM {} WHERE id = 3"], [("missing", 3)]),
        (["DELETE FROM {} WHERE id IN (1, 2)"], [("missing", 1)]),
        (["DELETE FROM {} WHERE id = 3", "UPDATE {} SET id = id - 1 WHERE id > 3"],
         [("changed", 3), ("missing", 3), ("changed", 4), ("changed", 5)]),
        (["UPDATE {} SET id = 99 WHERE id = 3", "UPDATE {} SET id = 3 WHERE id = 4",
          "UPDATE {} SET id = 4 WHERE id = 99"],
         [("changed", 3), ("reordered", 3), ("changed", 4), ("reordered", 4), ("reordered", 5)]),
    ],
)  # fmt: skip
def test_tampering_is_found_with_its_place(tampering: list[str], found: list[tuple[str, int]]) -> None:
    for number in range(6):
        entry(number)
    for statement in tampering:
        sql(statement.replace("{new}", "f" * 64).replace("{}", ENTRIES))
    assert wrong() == found


@pytest.mark.usefixtures("unguarded")
def test_a_fork_is_found_though_its_hash_fits() -> None:
    """With the hash worked out anew, as whoever has no key to fear can."""
    for number in range(6):
        entry(number)
    rows = list(AuditEntry.objects.order_by("pk"))
    forged = dict(vars(rows[3]))
    forged["previous"] = rows[1].hash  # 4 follows 2, as 3 does
    forged_hash = digest(canonical(4, forged["previous"], forged), "", {})
    sql(f"UPDATE {ENTRIES} SET previous = %s, hash = %s WHERE id = 4", forged["previous"], forged_hash)
    assert wrong() == [("forked", 4), ("missing", 5)]


@pytest.mark.usefixtures("unguarded")
def test_missing_triggers_are_told() -> None:
    chain = verify()
    assert not chain.whole and {each.wrong for each in chain.breaks} == {"trigger"}


def test_retention_leaves_a_checkpoint_from_which_the_chain_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    for number in range(20):
        entry(number)
    last = AuditEntry.objects.get(pk=9)
    caplog.clear()
    with caplog.at_level(logging.INFO, "dashboard.audit"):
        assert audit_prune(NOW + timedelta(minutes=9), 4) == 4
        assert audit_prune(NOW + timedelta(minutes=9), 400) == 5
    assert audit_prune(NOW + timedelta(minutes=9), 400) == 0
    checkpoint = AuditCheckpoint.objects.get()
    assert (checkpoint.through, checkpoint.hash, checkpoint.entries) == (9, last.hash, 9)
    assert [record.getMessage().partition(" ")[0] for record in caplog.records] == ["checkpoint"] * 2
    chain = verify()
    assert chain.whole and (chain.entries, chain.through, chain.last) == (11, 9, 20)
    assert audit_prune(NOW + timedelta(days=1), 400) == 10, "all but the last one"
    assert audit_prune(NOW + timedelta(days=1), 400) == 0
    entry(5000)
    chain = verify()
    assert chain.whole and (chain.entries, chain.last) == (2, 21)


def test_only_the_first_entries_go_however_their_clocks_ran() -> None:
    for minutes in (1, 2, 500, 3):
        entry(minutes)
    assert audit_prune(NOW + timedelta(minutes=100), 400) == 2
    assert list(AuditEntry.objects.order_by("pk").values_list("pk", flat=True)) == [3, 4]


@pytest.mark.usefixtures("unguarded")
def test_a_checkpoint_that_retention_did_not_write_is_found() -> None:
    for number in range(5):
        entry(number)
    audit_prune(NOW + timedelta(minutes=2), 400)
    sql("UPDATE dashboard_auditcheckpoint SET entries = 1")
    assert wrong() == [("checkpoint", 2)]


def test_entries_that_go_while_the_chain_is_read_are_not_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifying, "SLICE", 3)
    for number in range(12):
        entry(number)
    steps = verifying.verify_steps()
    next(steps)
    audit_prune(NOW + timedelta(minutes=7), 400)
    *_, chain = steps
    assert chain.whole and chain.last == 12


@pytest.fixture(autouse=True)
def home(settings: Any, tmp_path: Path) -> None:
    settings.CLUSTER_UI_AUDIT_SIGNED_FROM = tmp_path / "audit-signed-from"


def keyed(settings: Any, text: str) -> None:
    settings.CLUSTER_UI_AUDIT_KEYS = read_keys(text)


def test_with_a_key_nobody_works_the_hashes_out_anew(settings: Any) -> None:
    entry(1)
    keyed(settings, KEY)
    entry(2)
    entry(3)
    assert verify().whole and verify().signed == 2
    audit_prune(NOW + timedelta(minutes=3), 400)
    assert verify().whole
    keyed(settings, f"{OTHER}\n{KEY}\n")
    entry(4)
    assert verify().whole, "an older key still verifies"
    keyed(settings, OTHER)
    assert {kind for kind, _ in wrong()} == {"unknown key"}
    settings.CLUSTER_UI_AUDIT_KEYS = {}
    assert not verify().whole


def test_a_key_is_switched_on_and_the_chain_is_whole_all_along(settings: Any) -> None:
    for number in range(5):
        entry(number)
    audit_prune(NOW + timedelta(minutes=1), 400)
    assert verify().whole and verify().signatures == ""
    keyed(settings, KEY)
    chain = verify()
    assert chain.whole and chain.signed_from == 0 and "No entry is signed" in chain.signatures
    entry(6)
    chain = verify()
    assert chain.whole and (chain.signed, chain.signed_from) == (1, 6)
    assert "Not signed up to entry 5; signed from entry 6 on" in chain.signatures
    assert verify(6).whole, "as somebody knows who keeps that elsewhere"
    assert [each.entry for each in verify(5).breaks] == [5]
    audit_prune(NOW + timedelta(minutes=3), 400)
    assert verify().whole, "retention signs what it leaves, whatever follows it"
    audit_prune(NOW + timedelta(days=3), 400)
    assert verify().whole and verify().signatures == "" and verify(2).whole


def test_with_a_key_from_the_beginning_nothing_is_said_of_others(settings: Any) -> None:
    keyed(settings, KEY)
    assert verify().whole and verify().signatures == ""
    entry(1)
    assert verify().whole and verify().signatures == ""


def forge(number: int, previous: str, **facts: Any) -> str:
    """Writes an entry anew as whoever has no key can; its hash."""
    row = AuditEntry.objects.get(pk=number)
    said = vars(row) | facts
    new = digest(canonical(number, previous, said), "", {})
    sql(
        f"UPDATE {ENTRIES} SET detail = %s, previous = %s, hash = %s, key = '' WHERE id = %s",
        said["detail"], previous, new, number,
    )  # fmt: skip
    return new


@pytest.mark.usefixtures("unguarded")
def test_the_first_signed_entry_holds_those_from_before_the_key(settings: Any) -> None:
    for number in range(4):
        entry(number)
    keyed(settings, KEY)
    for number in range(4, 7):
        entry(number)
    last = AuditEntry.objects.get(pk=1).hash
    for number in (2, 3, 4):
        last = forge(number, last, detail="invented")
    assert wrong() == [("missing", 5)], "their own hashes fit, and the signed one follows another"


@pytest.mark.usefixtures("unguarded")
def test_signatures_that_were_taken_away_are_missed(settings: Any) -> None:
    entry(0)
    keyed(settings, KEY)
    for number in range(1, 6):
        entry(number)
    last = AuditEntry.objects.get(pk=4).hash
    for number in (5, 6):
        last = forge(number, last)
    assert wrong() == [("unsigned", 5)]
    last = AuditEntry.objects.get(pk=1).hash
    for number in (2, 3, 4, 5, 6):
        last = forge(number, last)
    assert wrong() == [("unsigned", 2)], "this machine knows that entry 2 was the first to be signed"
    entry(7)  # the server goes on, and signs what follows
    assert wrong() == [("unsigned", 2)]
    sql(f"DELETE FROM {ENTRIES} WHERE id > 1")
    assert wrong() == [("missing", 2)]
    settings.CLUSTER_UI_AUDIT_SIGNED_FROM.unlink()
    assert "No entry is signed" in verify().signatures, "as it is when a key was just set"
    assert [(each.wrong, each.entry) for each in verify(2).breaks if each.wrong != "trigger"] == [
        ("missing", 2)
    ]


def test_since_when_the_audit_is_signed_is_kept_once_and_outside_the_database(settings: Any) -> None:
    kept = settings.CLUSTER_UI_AUDIT_SIGNED_FROM
    entry(1)
    assert not kept.exists(), "without a key nothing is signed"
    keyed(settings, KEY)
    entry(2)
    entry(3)
    assert kept.read_text() == "2\n"
    kept.unlink()
    signing._written.clear()  # another machine, which comes later
    entry(4)
    assert kept.read_text() == "2\n", "the first that is signed, as the chain has it"
    signing._written.clear()
    keyed(settings, OTHER)
    entry(5)
    assert kept.read_text() == "2\n", "never written anew"


def test_a_folder_that_takes_no_file_loses_no_entry(settings: Any, tmp_path: Path) -> None:
    settings.CLUSTER_UI_AUDIT_SIGNED_FROM = tmp_path / "no" / "such" / "folder"
    keyed(settings, KEY)
    entry(1)
    assert AuditEntry.objects.count() == 1 and verify().whole


@pytest.mark.usefixtures("unguarded")
def test_a_checkpoint_that_somebody_without_the_key_wrote_is_found(settings: Any) -> None:
    entry(0)
    keyed(settings, KEY)
    for number in range(1, 6):
        entry(number)
    settings.CLUSTER_UI_AUDIT_KEYS = {}
    audit_prune(NOW + timedelta(minutes=3), 400)
    keyed(settings, KEY)
    assert wrong() == [("unsigned", 3)]


@pytest.mark.parametrize("text", ["", "short", f"{KEY}\nshort"])
def test_a_file_of_keys_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="key"):
        read_keys(text)


def test_each_entry_is_a_line_of_the_log_when_it_stands(caplog: pytest.LogCaptureFixture) -> None:
    hostile = "web\n2026 INFO dashboard.audit: entry {}\x1b[2J\u202e"
    with caplog.at_level(logging.INFO, "dashboard.audit"):
        made = entry(name=hostile, user_name=hostile)
        with pytest.raises(RuntimeError), transaction.atomic():
            entry(2)
            raise RuntimeError
    (record,) = caplog.records
    word, _, line = record.getMessage().partition(" ")
    assert word == "entry" and line.isascii() and line.isprintable()
    said = json.loads(line)
    assert (said["id"], said["hash"], said["previous"]) == (made.pk, made.hash, made.previous)
    assert (said["name"], said["user_name"]) == (hostile, hostile)
    assert digest(canonical(said["id"], said["previous"], {**said, "at": NOW}), "", {}) == said["hash"]


def command(*words: str) -> str:
    out = io.StringIO()
    call_command("audit", *words, stdout=out)
    return out.getvalue()


def test_the_command_verifies() -> None:
    for number in range(3):
        entry(number)
    assert command("verify").startswith("Whole: 3 entries read, from the first one on; 0 signed")
    said = json.loads(command("verify", "--format", "json"))
    assert said["whole"] and said["last"] == 3 and said["breaks"] == []


def test_the_command_says_what_is_signed_and_demands_it(settings: Any) -> None:
    entry(0)
    keyed(settings, KEY)
    assert "Whole: 1 entry read" in command("verify") and "No entry is signed" in command("verify")
    entry(1)
    lines = command("verify", "--signed-from", "2").splitlines()
    assert lines[0].endswith("1 signed with a key.") and "signed from entry 2 on" in lines[1]
    with pytest.raises(SystemExit):
        command("verify", "--signed-from", "1")


@pytest.mark.usefixtures("unguarded")
def test_the_command_says_where_it_breaks() -> None:
    for number in range(3):
        entry(number)
    sql(f"UPDATE {ENTRIES} SET detail = 'other' WHERE id = 2")
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("audit", "verify", stdout=out)
    assert ended.value.code == 1
    assert "entry 2: changed: What it says is not what was written" in out.getvalue()
    out = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("audit", "verify", format="json", stdout=out)
    said = json.loads(out.getvalue())
    assert not said["whole"] and {"wrong": "changed", "entry": 2} in [
        {"wrong": each["wrong"], "entry": each["entry"]} for each in said["breaks"]
    ]


def test_the_command_exports_what_is_asked_for() -> None:
    for number in range(5):
        entry(number, user_name="jon" if number % 2 else "mara", name="=cmd|x", keys=["/a", "/b"])
    lines = [json.loads(line) for line in command("export", "--user", "jon").splitlines()]
    assert [(line["id"], line["user_name"], line["keys"]) for line in lines] == [
        (2, "jon", ["/a", "/b"]),
        (4, "jon", ["/a", "/b"]),
    ]
    rows = command("export", "--format", "csv", "--since", "2026-11-29T12:03Z").splitlines()
    assert len(rows) == 3 and "'=cmd|x" in rows[1] and '"/a, /b"' in rows[1]
    with pytest.raises(CommandError, match="result"):
        command("export", "--result", "good")
    with pytest.raises(CommandError, match="such as 2026-11-28"):
        command("export", "--since", "yesterday")


def test_the_migration_takes_entries_into_the_chain_and_lets_them_go_again() -> None:
    executor = MigrationExecutor(connection)
    executor.migrate([("dashboard", "0027_configmap_versions")])
    try:
        sql(
            f"INSERT INTO {ENTRIES} (id, at, user_name, context, action, plural, namespace, name, detail, result, "
            "reason) VALUES (3, '2026-03-01 12:00:00', 'mara', 'dev', 'scale', '', '', 'web', 'x', 'done', ''), "
            "(70, '2026-03-02 12:00:00.25', 'jon', 'dev', 'scale', '', '', 'wörk', '', 'refused', '')"
        )
    finally:
        executor = MigrationExecutor(connection)
        executor.migrate(executor.loader.graph.leaf_nodes())
    assert list(AuditEntry.objects.order_by("pk").values_list("pk", "user_name")) == [(1, "mara"), (2, "jon")]
    entry(1)
    chain = verify()
    assert chain.whole and chain.entries == 3
