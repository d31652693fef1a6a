"""Velero's objects in every state that its controllers write (phases of velero.io/v1 in Velero 1.18)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.recovery.velero import (
    VeleroRow,
    backup_row,
    ended,
    location_row,
    new_backup,
    new_restore,
    new_schedule,
    restorable,
    restore_row,
    schedule_row,
)

RUNS = {
    "": "info", "New": "info", "InProgress": "info", "WaitingForPluginOperations": "info", "Finalizing": "info",
    "WaitingForPluginOperationsPartiallyFailed": "warn", "FinalizingPartiallyFailed": "warn", "Completed": "ok",
    "PartiallyFailed": "warn", "Failed": "bad", "FailedValidation": "bad",
}  # fmt: skip
OF_BACKUPS = RUNS | {"Queued": "info", "ReadyToStart": "info", "Deleting": "info"}


def made(spec: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": "velero", "name": "nightly"}, "spec": spec or {}, "status": status}


def known(row: VeleroRow) -> bool:
    return "does not know" not in row.text and bool(row.word)


@pytest.mark.parametrize(("phase", "state"), OF_BACKUPS.items())
def test_each_phase_of_a_backup(phase: str, state: str) -> None:
    row = backup_row(made(phase=phase))
    assert row.state == state and known(row)


@pytest.mark.parametrize(("phase", "state"), RUNS.items())
def test_each_phase_of_a_restore(phase: str, state: str) -> None:
    row = restore_row(made({"backupName": "b"}, phase=phase))
    assert row.state == state and known(row)


@pytest.mark.parametrize(
    ("phase", "state"), {"": "info", "New": "info", "Enabled": "ok", "FailedValidation": "bad"}.items()
)
def test_each_phase_of_a_schedule(phase: str, state: str) -> None:
    row = schedule_row(made({"schedule": "0 7 * * *"}, phase=phase))
    assert row.state == state and known(row)


@pytest.mark.parametrize(("phase", "state"), {"": "info", "Available": "ok", "Unavailable": "bad"}.items())
def test_each_phase_of_a_storage_location(phase: str, state: str) -> None:
    row = location_row(made(phase=phase))
    assert row.state == state and known(row)


def test_a_phase_of_tomorrow_is_shown_as_it_is() -> None:
    row = backup_row(made(phase="Teleporting"))
    assert (row.state, row.word) == ("warn", "Teleporting") and not known(row)


def test_a_partial_backup() -> None:
    spec = {"includedNamespaces": ["shop", "blog"], "excludedResources": ["secrets"], "storageLocation": "default",
            "labelSelector": {"matchLabels": {"app": "web"}}}  # fmt: skip
    body = made(
        spec, phase="PartiallyFailed", errors=13, warnings=1, startTimestamp="2026-11-27T07:00:00Z",
        expiration="2026-12-27T07:00:00Z", progress={"itemsBackedUp": 598, "totalItems": 611},
        csiVolumeSnapshotsAttempted=4, csiVolumeSnapshotsCompleted=3,
    )  # fmt: skip
    body["metadata"]["labels"] = {"velero.io/schedule-name": "nightly"}
    row = backup_row(body)
    assert (row.word, row.done, row.total, row.errors, row.location, row.schedule) == (
        "Partial", 598, 611, 13, "default", "nightly",
    )  # fmt: skip
    assert row.holds == "shop and blog, without secrets, with app=web, and snapshots of 3 of 4 volumes"
    assert row.text == "13 errors and 1 warning; see Velero's log."
    assert row.expires == datetime(2026, 12, 27, 7, tzinfo=UTC)


def test_why_it_failed() -> None:
    row = backup_row(
        made(phase="FailedValidation", validationErrors=["backup storage location is unavailable"])
    )
    assert row.text == "Velero's validation rejected it. backup storage location is unavailable."
    assert (
        backup_row(made(phase="Failed", failureReason="403 from the bucket")).text == "403 from the bucket."
    )
    spec = {
        "provider": "aws",
        "objectStorage": {"bucket": "b", "prefix": "p"},
        "default": True,
        "accessMode": "ReadOnly",
    }
    row = location_row(made(spec, phase="Unavailable", message="403"))
    assert row.text == "Nothing can be stored there or restored from it. 403."
    assert row.holds == "aws: b/p, read-only: no backups are stored there, the default"


def test_restores_and_schedules() -> None:
    row = restore_row(made({"backupName": "b", "namespaceMapping": {"shop": "drill"}}, phase="Completed"))
    assert row.holds == "all namespaces from b, shop as drill"
    row = restore_row(made({"scheduleName": "s", "includedResources": ["configmaps"]}))
    assert row.holds == "all namespaces, configmaps alone from the latest backup of schedule s"
    spec = {
        "schedule": "0 7 * * *",
        "paused": True,
        "template": {"ttl": "720h0m0s", "includedNamespaces": ["*"]},
    }
    row = schedule_row(made(spec, phase="Enabled", lastBackup="2026-11-28T07:00:00Z"))
    assert (row.state, row.word, row.holds) == (
        "warn",
        "Paused",
        "all namespaces, every day at 07:00 (0 7 * * *), kept for 30 days",
    )
    assert row.at == datetime(2026, 11, 28, 7, tzinfo=UTC)


def test_a_schedule_that_has_no_words_and_a_time_that_is_no_number_of_days() -> None:
    for ttl, kept in (("36h0m0s", "36 hours"), ("24h", "1 day"), ("90m0s", "90m0s"), ("0h0m0s", "0 hours")):
        row = schedule_row(made({"schedule": "@every 3h", "template": {"ttl": ttl}}))
        assert row.holds.endswith(f", kept for {kept}")


def test_a_namespace_that_is_called_like_a_word_is_said_to_be_one() -> None:
    row = backup_row(made({"includedNamespaces": ["all"], "excludedNamespaces": ["none"]}))
    assert row.holds == "namespace all but namespace none"


KEYS = st.sampled_from([
    "metadata", "spec", "status", "labels", "name", "phase", "errors", "validationErrors", "progress", "template",
    "includedNamespaces", "labelSelector", "matchLabels", "namespaceMapping", "objectStorage", "expiration",
    "itemsBackedUp",
])  # fmt: skip
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("2026-11-28T07:00:00"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_whatever_somebody_wrote_into_them_makes_a_row(body: dict[str, Any]) -> None:
    for row in (backup_row, restore_row, schedule_row, location_row):
        assert row(body).word


def test_what_is_asked_of_it_reads_as_it_was_asked() -> None:
    asked = new_backup(
        name="shop-1", namespace="velero", namespaces=["shop", "blog"], labels="app=web,tier in (a,b),!old",
        secrets=False, snapshots=False, hours=48,
    )  # fmt: skip
    assert asked["spec"]["labelSelector"]["matchExpressions"] == [
        {"key": "app", "operator": "In", "values": ["web"]},
        {"key": "old", "operator": "DoesNotExist"},
        {"key": "tier", "operator": "In", "values": ["a", "b"]},
    ]
    assert asked["spec"]["ttl"] == "48h0m0s"
    row = backup_row(asked)
    assert (row.namespace, row.name, row.word) == ("velero", "shop-1", "New")
    assert row.holds == "shop and blog, without secrets, what its label selector matches, without volume data"
    nightly = new_schedule(schedule="0 2 * * *", name="nightly", namespace="velero")
    assert nightly["kind"] == "Schedule"
    assert schedule_row(nightly).holds == "all namespaces, every day at 02:00 (0 2 * * *), kept for 30 days"
    assert "labelSelector" not in nightly["spec"]["template"]


def test_a_restore_that_is_asked_for_reads_as_it_was_asked() -> None:
    asked = new_restore(
        name="back",
        namespace="velero",
        backup="shop-1",
        namespaces=["shop"],
        maps={"shop": "copy"},
        update=True,
    )
    assert restore_row(asked).holds == "shop from shop-1, shop as copy"
    assert asked["spec"]["existingResourcePolicy"] == "update" and "labelSelector" not in asked["spec"]
    assert new_restore(name="a", namespace="velero", backup="b")["spec"]["includedNamespaces"] == ["*"]


@pytest.mark.parametrize(
    ("spec", "phase", "namespaces", "said"),
    [
        ({"includedNamespaces": ["shop"]}, "Completed", ["shop"], ""),
        ({"includedNamespaces": ["shop"]}, "PartiallyFailed", [], ""),
        ({}, "Completed", ["shop"], ""),
        ({"includedNamespaces": ["*"], "excludedNamespaces": ["shop"]}, "Completed", ["shop"], "not in this backup"),
        ({"includedNamespaces": ["shop"]}, "Completed", ["blog"], "not in this backup"),
        ({}, "InProgress", [], "can't be restored"),
        ({}, "FailedValidation", [], "can't be restored"),
        ({}, "", [], "can't be restored"),
        ({}, "Deleting", [], "can't be restored"),
    ],
)  # fmt: skip
def test_what_of_a_backup_can_be_restored(
    spec: dict[str, Any], phase: str, namespaces: list[str], said: str
) -> None:
    why = restorable(made(spec, phase=phase), namespaces)
    assert said in why and bool(why) == bool(said)


@pytest.mark.parametrize("phase", RUNS)
def test_a_restore_has_ended_in_four_of_its_phases(phase: str) -> None:
    through = phase in ("Completed", "PartiallyFailed", "Failed", "FailedValidation")
    assert ended(restore_row(made({"backupName": "b"}, phase=phase))) == through


def test_a_selector_that_velero_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="operator >"):
        new_backup(name="a", namespace="velero", labels="size>3")
