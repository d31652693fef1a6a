"""How many old values are kept, and what is removed."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User

from dashboard.actions.backups import KEPT, backup_of, backups_prune
from dashboard.actions.rotate import ROTATE
from dashboard.errors import ClusterError, Forbidden, NotFound, Unavailable
from dashboard.kinds.secrets import BACKUP_OF
from dashboard.kube.transport import Response
from dashboard.models import AuditEntry, Change

pytestmark = pytest.mark.django_db(transaction=True)


class Api:
    """Backups by name, with the uid that their label names."""

    def __init__(self, kept: dict[str, str]) -> None:
        self.cluster = SimpleNamespace(name="dev")
        self.kept = kept
        self.error: ClusterError | None = None

    async def request(self, method: str, target: Any, *, name: str, **given: Any) -> Response:
        if self.error is not None:
            raise self.error
        if name not in self.kept:
            raise NotFound(name)
        if method == "DELETE":
            assert json.loads(given["body"])["preconditions"] == {"uid": f"uid-{name}"}
            del self.kept[name]
        meta = {"uid": f"uid-{name}", "labels": {BACKUP_OF: self.kept.get(name)}}
        return Response(200, json.dumps({"metadata": meta}).encode(), {})


def rotations(*marks: str, uid: str = "u1") -> list[Change]:
    user, _ = User.objects.get_or_create(username="mara")
    return [
        Change.objects.create(
            nonce=f"{uid}{at}", state=Change.State.DONE, user=user, context="dev", action="rotate", plural="secrets",
            kind="Secret", namespace="shop", name="database", uid=uid,
            inverse={"action": "rotate", "input": {"key": "password", "mark": mark, "keeps": True}},
        )
        for at, mark in enumerate(marks)
    ]  # fmt: skip


def kept(changes: list[Change]) -> dict[str, str]:
    return {backup_of(change): change.uid for change in changes}


def marks(count: int) -> list[str]:
    return [f"{at:012d}" for at in range(count)]


@pytest.fixture
def changes() -> list[Change]:
    return rotations(*marks(KEPT + 2))


async def test_the_newest_are_kept_and_older_ones_removed_and_said(changes: list[Change]) -> None:
    api: Any = Api(kept(changes))
    await backups_prune(change=changes[-1], transport=api)
    assert list(api.kept) == [backup_of(change) for change in changes[2:]]
    old = await Change.objects.aget(pk=changes[0].pk)
    assert old.inverse == {} and f"newest {KEPT}" in ROTATE.way_back(old)
    audit = [(entry.action, entry.name) async for entry in AuditEntry.objects.order_by("-pk")]
    assert audit == [("delete", backup_of(change)) for change in changes[:2]]
    await backups_prune(change=changes[-1], transport=api)
    assert await AuditEntry.objects.acount() == 2


async def test_a_value_that_came_again_is_as_new_as_its_latest_use() -> None:
    changes = await sync_to_async(rotations)("again0000000", *marks(KEPT + 1), "again0000000")
    api: Any = Api(kept(changes))
    await backups_prune(change=changes[-1], transport=api)
    assert backup_of(changes[-1]) in api.kept and len(api.kept) == KEPT
    assert (await Change.objects.aget(pk=changes[0].pk)).inverse, "it can still be brought back"


async def test_what_is_not_a_backup_of_this_secret_is_left_alone(changes: list[Change]) -> None:
    api: Any = Api(kept(changes) | {backup_of(changes[0]): "another"})
    await backups_prune(change=changes[-1], transport=api)
    assert backup_of(changes[0]) in api.kept and backup_of(changes[1]) not in api.kept


async def test_another_secret_has_its_own_count(changes: list[Change]) -> None:
    others = await sync_to_async(rotations)(*marks(2), uid="u2")
    api: Any = Api(kept(others))
    await backups_prune(change=others[-1], transport=api)
    assert len(api.kept) == 2


@pytest.mark.parametrize("error", [Forbidden("no"), Unavailable("away")])
async def test_what_cannot_be_removed_stays_undoable(changes: list[Change], error: ClusterError) -> None:
    api: Any = Api(kept(changes))
    api.error = error
    await backups_prune(change=changes[-1], transport=api)
    assert (await Change.objects.aget(pk=changes[0].pk)).inverse
    assert not await AuditEntry.objects.aexists()
