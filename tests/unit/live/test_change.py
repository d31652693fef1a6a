"""The page of an edit: what pods started with is compared with what its keys hold now, whoever wrote that."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.http import QueryDict

from dashboard.actions.configmap_history import own_history
from dashboard.actions.undo import UndoState
from dashboard.errors import ClusterError
from dashboard.insight.keyhistory import KeyHistory
from dashboard.kinds import KINDS
from dashboard.live.screens import change as module
from dashboard.live.screens.change import ChangeScreen
from dashboard.live.sightings import Sightings
from dashboard.models import Change
from tests.unit.insight.world import NOW, ago, meta, pod

from .seen import everything, runtime, sees, session

ENV = {"envFrom": [{"configMapRef": {"name": "settings"}}]}


def config(version: str) -> Any:
    about = meta("settings") | {"uid": "cm", "resourceVersion": version}
    return KINDS["configmaps"].decode_object(json.dumps({"metadata": about, "data": {"a": "1"}}).encode())


@pytest.fixture
def screen() -> ChangeScreen:
    found = runtime()
    found.sightings = Sightings(found.cache)
    found.transport = None
    found.cache.stores["configmaps"].add([config("1")])
    alone = pod("alone", owner=None, container=ENV)
    found.cache.put("pods", alone | {"metadata": alone["metadata"] | {"creationTimestamp": ago(hours=5)}})
    made = ChangeScreen(session(found), QueryDict(), 7)
    sees(made, everything())
    made.undo = UndoState(possible=False, words="")
    made.change = Change(
        pk=7, action="edit", plural="configmaps", kind="ConfigMap", namespace="shop", name="settings", uid="cm",
        state="done", created_at=NOW, touched={"/data/a": ["old 1", "new 1"]},
        result={"written": NOW.isoformat(), "since": {"a": [(NOW - timedelta(hours=6)).isoformat(), False]}},
    )  # fmt: skip
    return made


def told(monkeypatch: pytest.MonkeyPatch, *answers: KeyHistory | ClusterError) -> Callable[[], int]:
    """What each look finds; gives how often it was looked."""
    left = list(answers)

    async def look(**_: Any) -> KeyHistory:
        answer = left.pop(0)
        if isinstance(answer, ClusterError):
            raise answer
        return answer

    monkeypatch.setattr(module, "edit_history", look)
    return lambda: len(answers) - len(left)


def shown(screen: ChangeScreen) -> str:
    return screen.snapshot().regions["change-progress"].html


async def test_what_is_there_now_decides_not_what_the_change_made(
    screen: ChangeScreen, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = own_history(screen.change)
    put_back = KeyHistory(writes=writes.writes, now={"a": writes.writes[0].was["a"]}, version="2")
    told(monkeypatch, writes, put_back, ClusterError("away"), KeyHistory(writes=writes.writes))
    assert "a restart may be required" in shown(screen), "not looked yet: nothing is claimed"
    await screen._look()
    assert "restart required" in shown(screen)
    key = screen.key
    for _ in ("put back", "away: the last look stands"):
        await screen._look()
        assert "has the present values" in shown(screen)
        assert screen.key == key
    await screen._look()
    assert "a restart may be required" in shown(screen), "it may not be read any more"
    assert screen.key != key, "others may read it"


async def test_it_looks_again_when_the_watch_tells_of_another_version(
    screen: ChangeScreen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.001)
    first = KeyHistory(now={}, version="1")
    looks = told(monkeypatch, first, KeyHistory(now={}, version="2"))
    await screen._look()
    woken = asyncio.Event()
    screen.open(woken.set)
    try:
        await asyncio.sleep(0.05)
        assert looks() == 1, "nothing has changed"
        screen.runtime.cache.store("configmaps").add([config("2")])
        async with asyncio.timeout(30):
            await woken.wait()
        assert (looks(), screen.history.version) == (2, "2")
    finally:
        screen.close()


async def test_a_script_is_told_how_far_it_has_come_and_the_way_back(screen: ChangeScreen) -> None:
    progress = screen.progress()
    facts = {"state": progress.state, "headline": progress.headline, "done": progress.done}
    assert await screen.told() == facts | {"undo_url": ""}
    screen.undo = UndoState(possible=True, words="")
    assert (await screen.told())["undo_url"] == "/changes/7/undo/"
