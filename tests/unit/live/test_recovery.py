"""The page of recovery: what it says of an archive, from what was recorded when it was made."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.http import QueryDict

from dashboard.live.screens.recovery import RecoveryScreen
from dashboard.models import Backup
from dashboard.recovery.shelf import shelves
from dashboard.recovery.storage import Storage, archive_name

from .seen import everything, runtime, sees, session

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def storage(tmp_path: Path, settings: Any) -> Storage:
    """With four archives of this context, the newest first 1."""
    settings.CLUSTER_UI_BACKUP_TO = str(tmp_path / "store")
    made = Storage(settings.CLUSTER_UI_BACKUP_TO)
    slug = runtime().cluster.slug
    for day in (1, 2, 3, 4):
        with made.writing(
            archive_name(slug, "all", datetime(2026, 11, 29 - day, tzinfo=UTC), encrypted=False)
        ) as file:
            file.file.write(b"archive")
            file.close()
            file.publish()
    return made


def opened() -> RecoveryScreen:
    found = runtime()
    found.cluster.name = "tests"
    screen = RecoveryScreen(session(found), QueryDict(""))
    sees(screen, everything())
    return screen


async def rows(screen: RecoveryScreen) -> list[dict[str, Any]]:
    await shelves.now(fresh=True)
    await screen._look()
    return list(screen._backups()["rows"])


async def test_counts_and_states_are_those_of_the_records(storage: Storage) -> None:
    whole, partial, damaged, _ = storage.archives()
    kept = {"context": "tests", "objects_count": 12345}
    await Backup.objects.acreate(url=whole.url, state="verified", **kept)
    missing = [{"what": "roles.rbac", "why": "Forbidden.", "objects": 0}]
    await Backup.objects.acreate(url=partial.url, name=partial.name, state="partial", missing=missing, **kept)
    await Backup.objects.acreate(
        url=damaged.url, name=damaged.name, state="verified", damaged="Cut off.", **kept
    )
    screen = opened()
    found = await rows(screen)
    assert [(each["state"], each["word"], each["objects"]) for each in found] == [
        ("ok", "Verified", "12,345"), ("warn", "Partial", "12,345"), ("bad", "Damaged", "12,345"), ("ok", "Verified", ""),
    ]  # fmt: skip
    assert found[0]["note"].startswith("Last good backup.")
    assert "Missing: roles.rbac." in found[1]["note"]


async def test_the_newest_is_not_the_last_good_one_where_something_is_missing(storage: Storage) -> None:
    newest, *_ = storage.archives()
    missing = [{"what": "roles.rbac", "why": "Forbidden.", "objects": 0}]
    await Backup.objects.acreate(
        context="x", url=newest.url, name=newest.name, state="partial", missing=missing
    )
    screen = opened()
    found = await rows(screen)
    assert "Last good backup." not in found[0]["note"] and "Last good backup." in found[1]["note"]
    second = storage.archives()[1]
    assert screen.ready.last == second
    assert shelves.last.good(runtime().cluster.slug)[0].name == second.name
