"""A change whose end nobody recorded: what the object tells of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from dashboard.actions import records
from dashboard.actions.action import Actor
from dashboard.actions.scale import SCALE
from dashboard.actions.settling import MADE_AFTER, NOT_MADE_AFTER, change_settle, changes_unsettled
from dashboard.kinds import KINDS
from dashboard.models import AuditEntry, Change
from tests import acting

from ..insight.world import World
from .fake import FakeTransport

pytestmark = pytest.mark.django_db(transaction=True)


class Died(BaseException):
    """The process ends here."""


@pytest.fixture
def api() -> Any:
    return FakeTransport()


@pytest.fixture
def mara() -> Actor:
    return Actor(user=User.objects.create(username="mara"), name="mara")


async def cut(api: Any, mara: Actor, monkeypatch: pytest.MonkeyPatch, at: str) -> Change:
    """A change to 5 replicas whose process ends before its end is recorded; ``at``: where in ``records``."""
    what: Any = {"transport": api, "actor": mara, "namespace": "shop", "name": "web", "replicas": "5"}
    token = (await acting.preview(SCALE, **what, objects=World())).token

    def dies(*_: Any) -> None:
        raise Died

    with monkeypatch.context() as patch:
        if at == "written":
            patch.setattr(records, "finish", dies)
        else:
            api.before_write = lambda dry: None if dry else dies()
        with pytest.raises(Died):
            await acting.apply(SCALE, **what, token=token)
    api.before_write = lambda dry: None
    return await Change.objects.select_related("user").aget()


async def settle(api: Any, after: timedelta) -> Change:
    now = timezone.now() + after
    for change in await changes_unsettled(now):
        await change_settle(transport=api, change=change, now=now, kinds=KINDS)
    return await Change.objects.afirst() or Change()


async def test_what_the_object_has_was_made_and_is_recorded_as_if_nothing_had_happened(
    api: Any, mara: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await cut(api, mara, monkeypatch, "written")
    assert (await settle(api, timedelta(0))).state == "sending", "its process may still be at it"
    change = await settle(api, MADE_AFTER)
    assert (change.state, change.uid, change.touched) == ("done", "u1", {"/spec/replicas": [3, 5]})
    assert change.inverse["input"] == {"replicas": 3}
    audit = [(entry.user_name, entry.result, entry.detail) async for entry in AuditEntry.objects.all()]
    assert audit == [
        ("mara", "done", "3 replicas → 5 replicas. Found in the cluster: the answer was not recorded.")
    ]
    await settle(api, MADE_AFTER)
    assert await AuditEntry.objects.acount() == 1


async def test_what_was_never_sent_is_said_once_no_request_can_be_under_way(
    api: Any, mara: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await cut(api, mara, monkeypatch, "sent")
    assert (await settle(api, MADE_AFTER)).state == "sending"
    await settle(api, NOT_MADE_AFTER)
    assert not await Change.objects.aexists()
    entry = await AuditEntry.objects.aget()
    assert (entry.result, api.writes) == ("failed", []) and "still 3 replicas" in entry.detail


async def test_what_somebody_else_changed_since_stays_unknown(
    api: Any, mara: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await cut(api, mara, monkeypatch, "written")
    api.scale(9)
    assert (await settle(api, NOT_MADE_AFTER)).state == "sending"
    assert not await AuditEntry.objects.aexists()


async def test_a_recreated_object_tells_nothing(
    api: Any, mara: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await cut(api, mara, monkeypatch, "written")
    api.uid = "u2"
    assert (await settle(api, NOT_MADE_AFTER)).state == "sending"


async def test_a_process_that_was_only_slow_records_nothing_twice(
    api: Any, mara: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    what: Any = {"transport": api, "actor": mara, "namespace": "shop", "name": "web", "replicas": "5"}
    token = (await acting.preview(SCALE, **what, objects=World())).token
    finish = records.finish

    def slow(change: Change, *given: Any) -> None:
        records.found_done(Change.objects.get(pk=change.pk), "found", {})
        finish(change, *given)

    monkeypatch.setattr(records, "finish", slow)
    change = await acting.apply(SCALE, **what, token=token)
    assert change.state == "done"
    assert await AuditEntry.objects.acount() == 1
