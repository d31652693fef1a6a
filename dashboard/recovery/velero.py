"""Velero's objects in plain words: its backups, restores, schedules and storage locations, from whatever its controllers
have written into them so far (velero.io/v1, as of Velero 1.18), where no field has to be there; and the Backup and the
Schedule that ask it for one. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

import msgspec

from dashboard.kinds.base import GVR, State
from dashboard.kinds.rows import listed, plural
from dashboard.kinds.schedules import schedule_words
from dashboard.kinds.selectors import Operator, parse

from .choice import named
from .errors import legible

__all__ = [
    "BACKUPS", "LOCATIONS", "RESTORES", "SCHEDULES", "VeleroRow", "backup_row", "ended", "included", "location_row",
    "new_backup",
    "new_restore", "new_schedule", "restorable", "restore_row", "schedule_row",
]  # fmt: skip

BACKUPS = GVR("velero.io", "v1", "backups")
RESTORES = GVR("velero.io", "v1", "restores")
SCHEDULES = GVR("velero.io", "v1", "schedules")
LOCATIONS = GVR("velero.io", "v1", "backupstoragelocations")

_HOURS = re.compile(r"([0-9]{1,6})h(0m)?(0s)?")
HOURS_KEPT = 720  # where nobody says how long: 30 days, as Velero itself has it
# How a LabelSelector of a spec writes what kubectl's -l does.
_MATCHES: Mapping[Operator, str] = {
    "=": "In", "==": "In", "in": "In", "!=": "NotIn", "notin": "NotIn", "exists": "Exists", "!": "DoesNotExist",
}  # fmt: skip

# A phase: how that is, the word for it, and what it means where the word does not say it.
_PHASES: Mapping[str, tuple[State, str, str]] = {
    "": ("info", "New", "Velero has not processed it yet."),
    "New": ("info", "New", "Velero has not processed it yet."),
    "Queued": ("info", "Queued", "It is waiting in the queue."),
    "ReadyToStart": ("info", "Queued", "It is about to start."),
    "InProgress": ("info", "In progress", ""),
    "WaitingForPluginOperations": ("info", "In progress", "Volume data is still being transferred."),
    "WaitingForPluginOperationsPartiallyFailed": (
        "warn", "In progress", "Volume data is still being transferred; some of it failed.",
    ),
    "Finalizing": ("info", "In progress", "It is finalizing."),
    "FinalizingPartiallyFailed": ("warn", "In progress", "It is finalizing; something failed."),
    "Completed": ("ok", "Completed", ""),
    "PartiallyFailed": ("warn", "Partial", ""),
    "Failed": ("bad", "Failed", ""),
    "FailedValidation": ("bad", "Failed", "Velero's validation rejected it."),
    "Deleting": ("info", "Deleting", "It is being deleted with its data."),
    # Of schedules and storage locations.
    "Enabled": ("ok", "Enabled", ""),
    "Available": ("ok", "Available", ""),
    "Unavailable": ("bad", "Unavailable", "Nothing can be stored there or restored from it."),
}  # fmt: skip


class VeleroRow(msgspec.Struct, frozen=True, kw_only=True):
    """One of its objects: how it is (``state``, ``word``), what there is to say of that, and what it ``holds`` or does.

    ``at``: when it began, or was checked last; ``expires``: when Velero deletes it; ``done`` of ``total`` objects so far,
    None where Velero does not say. ``location`` is the storage location that it needs, ``schedule`` what made it, of a
    schedule its fields of cron.
    """

    namespace: str
    name: str
    state: State
    word: str
    text: str
    holds: str = ""
    at: datetime | None = None
    ended_at: datetime | None = None
    expires: datetime | None = None
    done: int | None = None
    total: int | None = None
    errors: int = 0
    warnings: int = 0
    location: str = ""
    schedule: str = ""


def backup_row(body: Mapping[str, Any]) -> VeleroRow:
    """Of a Backup."""
    spec, status, labels = (
        _part(body, "spec"),
        _part(body, "status"),
        _part(_part(body, "metadata"), "labels"),
    )
    attempted = _count(status, "volumeSnapshotsAttempted") + _count(status, "csiVolumeSnapshotsAttempted")
    completed = _count(status, "volumeSnapshotsCompleted") + _count(status, "csiVolumeSnapshotsCompleted")
    holds = _selection(spec)
    if attempted:
        holds += f", and snapshots of {completed} of {plural(attempted, 'volume')}"
    elif spec.get("snapshotVolumes") is False:
        holds += ", without volume data"
    progress = _part(status, "progress")
    return _row(
        body,
        holds=holds,
        expires=_moment(status, "expiration"),
        done=_number(progress, "itemsBackedUp"),
        total=_number(progress, "totalItems"),
        location=_text(spec, "storageLocation"),
        schedule=_text(labels, "velero.io/schedule-name"),
    )


def restore_row(body: Mapping[str, Any]) -> VeleroRow:
    """Of a Restore."""
    spec, progress = _part(body, "spec"), _part(_part(body, "status"), "progress")
    source = _text(spec, "backupName")
    schedule = _text(spec, "scheduleName")
    begin = f"from {source}" if source else f"from the latest backup of schedule {schedule}"
    renamed = [f"{old} as {new}" for old, new in sorted(_part(spec, "namespaceMapping").items())]
    holds = f"{_selection(spec)} {begin}" + (f", {listed(map(legible, renamed))}" if renamed else "")
    return _row(
        body,
        holds=holds,
        done=_number(progress, "itemsRestored"),
        total=_number(progress, "totalItems"),
        schedule=schedule,
    )


def schedule_row(body: Mapping[str, Any]) -> VeleroRow:
    """Of a Schedule; ``at`` is when it made its last backup, ``expires`` is not known of one that is to come."""
    spec, status = _part(body, "spec"), _part(body, "status")
    template, cron = _part(spec, "template"), _text(spec, "schedule")
    words = schedule_words(cron)
    holds = f"{_selection(template)}, {f'{words} ({cron})' if words else f'at {cron}'}"
    if keeps := _text(template, "ttl"):
        holds += f", kept for {_long(keeps)}"
    row = _row(
        body, holds=holds, at=_moment(status, "lastBackup"), location=_text(template, "storageLocation"),
        schedule=cron,
    )  # fmt: skip
    if spec.get("paused") is True and row.state != "bad":
        return msgspec.structs.replace(
            row, state="warn", word="Paused", text="It makes no backups until it is resumed."
        )
    return row


def _long(duration: str) -> str:
    """``720h0m0s`` as "30 days"; as it is where it is no number of hours."""
    found = _HOURS.fullmatch(duration)
    if found is None:
        return duration
    hours = int(found[1])
    return plural(hours // 24, "day") if hours and hours % 24 == 0 else plural(hours, "hour")


def location_row(body: Mapping[str, Any]) -> VeleroRow:
    """Of a BackupStorageLocation; ``at`` is when Velero checked it last."""
    spec, status = _part(body, "spec"), _part(body, "status")
    store = _part(spec, "objectStorage")
    path = "/".join(filter(None, (_text(store, "bucket"), _text(store, "prefix"))))
    holds = f"{_text(spec, 'provider') or 'unknown provider'}: {path or 'no bucket'}"
    if _text(spec, "accessMode") == "ReadOnly":
        holds += ", read-only: no backups are stored there"
    if spec.get("default") is True:
        holds += ", the default"
    row = _row(body, holds=holds, at=_moment(status, "lastValidationTime"))
    if row.word == "New":
        return msgspec.structs.replace(row, word="Not checked", text="Velero has not checked it yet.")
    return row


def new_backup(
    *,
    name: str,
    namespace: str,
    namespaces: Sequence[str] = (),
    labels: str = "",
    secrets: bool = True,
    snapshots: bool = True,
    hours: int = HOURS_KEPT,
) -> dict[str, Any]:
    """A Backup in Velero's ``namespace`` of these ``namespaces``, of none: of the cluster, deleted after so many hours.
    ``snapshots``: of volumes. Raises ValueError for labels that are no selector, or compare numbers.
    """
    metadata = {"name": name, "namespace": namespace}
    spec = _new_spec(namespaces, labels, secrets=secrets, snapshots=snapshots, hours=hours)
    return {"apiVersion": BACKUPS.api_version, "kind": "Backup", "metadata": metadata, "spec": spec}


def new_schedule(*, schedule: str, **of_backup: Any) -> dict[str, Any]:
    """A Schedule that makes such a Backup at each moment of ``schedule``, five fields of cron in UTC."""
    backup = new_backup(**of_backup)
    spec = {"schedule": schedule, "template": backup["spec"]}
    return {**backup, "kind": "Schedule", "spec": spec}


def new_restore(
    *,
    name: str,
    namespace: str,
    backup: str,
    namespaces: Sequence[str] = (),
    maps: Mapping[str, str] = MappingProxyType({}),
    labels: str = "",
    update: bool = False,
    volumes: bool = True,
) -> dict[str, Any]:
    """A Restore in Velero's ``namespace`` of one of its backups: of these ``namespaces``, of none: of all that it holds;
    ``maps`` is namespace of the backup → the one to write into. ``update``: what exists and differs, which is left else.
    Raises as ``new_backup``.
    """
    spec: dict[str, Any] = {"backupName": backup, "includedNamespaces": list(namespaces) or ["*"]}
    if maps:
        spec["namespaceMapping"] = dict(maps)
    spec |= _new_selector(labels)
    spec |= {"existingResourcePolicy": "update" if update else "none", "restorePVs": volumes}
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": RESTORES.api_version, "kind": "Restore", "metadata": metadata, "spec": spec}


def restorable(body: Mapping[str, Any], namespaces: Sequence[str]) -> str:
    """Why these ``namespaces`` (none: all) can't be restored of a Backup, as a sentence; "" where they can be."""
    status, spec = _part(body, "status"), _part(body, "spec")
    if _text(status, "phase") not in ("Completed", "PartiallyFailed"):
        row = backup_row(body)
        return f"{row.name} can't be restored. It is in this state: {row.word}. {row.text}".strip()
    included, excluded = _texts(spec, "includedNamespaces"), _texts(spec, "excludedNamespaces")
    every = not included or "*" in included
    missing = [each for each in namespaces if each in excluded or not (every or each in included)]
    if missing:
        return f"{listed(named(missing))}: not in this backup. It holds {_selection(spec)}."
    return ""


def included(body: Mapping[str, Any]) -> tuple[str, ...]:
    """The namespaces that a Backup names; none where it holds all there were."""
    names = _texts(_part(body, "spec"), "includedNamespaces")
    return () if "*" in names else tuple(names)


def ended(row: VeleroRow) -> bool:
    """Whether Velero is through with a Restore."""
    return row.word in ("Completed", "Partial", "Failed")


def _new_spec(
    namespaces: Sequence[str], labels: str, *, secrets: bool, snapshots: bool, hours: int
) -> dict[str, Any]:
    spec: dict[str, Any] = {"includedNamespaces": list(namespaces) or ["*"]}
    if not secrets:
        spec["excludedResources"] = ["secrets"]
    return spec | _new_selector(labels) | {"snapshotVolumes": snapshots, "ttl": f"{hours}h0m0s"}


def _new_selector(labels: str) -> dict[str, Any]:
    rules = []
    for key, operator, values in parse(labels).requirements:
        if operator not in _MATCHES:
            raise ValueError(f"Velero doesn't support the operator {operator}")
        rules.append(
            {"key": key, "operator": _MATCHES[operator], **({"values": list(values)} if values else {})}
        )
    return {"labelSelector": {"matchExpressions": rules}} if rules else {}


def _row(body: Mapping[str, Any], **more: Any) -> VeleroRow:
    metadata, status = _part(body, "metadata"), _part(body, "status")
    phase = _text(status, "phase")
    state, word, meaning = _PHASES.get(
        phase, ("warn", phase, "This version of the dashboard does not know this phase.")
    )
    errors, warnings = _count(status, "errors"), _count(status, "warnings")
    invalid = status.get("validationErrors")
    said = [meaning] if meaning else []
    said += [
        f"{_sentence(legible(str(each), 300))}" for each in (invalid if isinstance(invalid, list) else [])[:5]
    ]
    said += [_sentence(text) for key in ("failureReason", "message") if (text := _text(status, key))]
    counted = [plural(count, noun) for count, noun in ((errors, "error"), (warnings, "warning")) if count]
    if counted:
        said.append(f"{' and '.join(counted)}; see Velero's log.")
    if state == "ok" and errors:
        state = "warn"
    return VeleroRow(
        **{
            "namespace": _text(metadata, "namespace"),
            "name": _text(metadata, "name"),
            "state": state,
            "word": word,
            "text": " ".join(said),
            "at": _moment(status, "startTimestamp"),
            "ended_at": _moment(status, "completionTimestamp"),
            "errors": errors,
            "warnings": warnings,
            **more,
        }
    )


def _selection(spec: Mapping[str, Any]) -> str:
    """Which objects, such as "shop and blog, without Secrets, with app=web"."""
    included = [each for each in _texts(spec, "includedNamespaces") if each != "*"]
    excluded = _texts(spec, "excludedNamespaces")
    text = listed(named(included)) if included else "all namespaces"
    if excluded:
        text += f" but {listed(named(excluded))}"
    kinds = [
        each
        for key in ("includedResources", "includedNamespaceScopedResources", "includedClusterScopedResources")
        for each in _texts(spec, key)
        if each != "*"
    ]
    if kinds:
        text += f", {listed(kinds)} alone"
    without = [
        each
        for key in ("excludedResources", "excludedNamespaceScopedResources", "excludedClusterScopedResources")
        for each in _texts(spec, key)
    ]
    if without:
        text += f", without {listed(without)}"
    labels = [
        f"{key}={value}" for key, value in sorted(_part(_part(spec, "labelSelector"), "matchLabels").items())
    ]
    if labels:
        text += f", with {legible(','.join(labels))}"
    elif spec.get("labelSelector") or spec.get("orLabelSelectors"):
        text += ", what its label selector matches"
    return text


def _part(of: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = of.get(key)
    return found if isinstance(found, dict) else {}


def _text(of: Mapping[str, Any], key: str) -> str:
    found = of.get(key)
    return legible(found, 500) if isinstance(found, str) else ""


def _texts(of: Mapping[str, Any], key: str) -> list[str]:
    found = of.get(key)
    return [legible(each) for each in found if isinstance(each, str)] if isinstance(found, list) else []


def _number(of: Mapping[str, Any], key: str) -> int | None:
    found = of.get(key)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def _count(of: Mapping[str, Any], key: str) -> int:
    return _number(of, key) or 0


def _moment(of: Mapping[str, Any], key: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(_text(of, key))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "…")) else f"{text}."
