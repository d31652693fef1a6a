"""Questions to Prometheus: as many at once as may be, and of namespaces that there are."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from django.http import QueryDict

from dashboard.live import longer
from dashboard.live.longer import MAX_QUESTIONS, Longer
from dashboard.live.screens.capacity import CapacityScreen
from dashboard.queries.access import Visible
from dashboard.queries.prometheus import History, Question
from dashboard.queries.usage import UsageRights

from .seen import sees, session


def question(number: int) -> Question:
    return Question("1h", namespaces=frozenset({f"n{number}"}))


async def test_no_more_are_asked_at_once_than_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Question] = []
    answered = asyncio.Event()

    async def history(_: Any, one: Question) -> History:
        asked.append(one)
        await answered.wait()
        return History({}, ())

    monkeypatch.setattr(longer, "history", history)
    known = Longer(None, lambda: None)  # type: ignore[arg-type]
    for number in range(MAX_QUESTIONS + 5):
        await known.ask(question(number), wait=0)
    await asyncio.sleep(0)
    late = question(MAX_QUESTIONS)
    assert len(asked) == MAX_QUESTIONS and late not in asked
    answered.set()
    await known.ask(question(0), wait=5)
    await known.ask(late, wait=5)
    assert late in asked and known.known(late).answer is not None
    await known.close()


def test_only_of_namespaces_that_are_known() -> None:
    usage = SimpleNamespace(tally=SimpleNamespace(namespaces={"shop": None, "data": None}))
    runtime: Any = SimpleNamespace(usage=usage, longer=object())

    def asked(address: str) -> Question | None:
        screen = CapacityScreen(session(runtime), QueryDict(address))
        sees(screen, {"pods": Visible(), "nodes": Visible()})
        screen.rights = UsageRights(pods=Visible())
        return screen._question()

    assert asked("namespace=shop&namespace=nowhere") == Question("1h", namespaces=frozenset({"shop"}))
    assert asked("namespace=nowhere") is None
