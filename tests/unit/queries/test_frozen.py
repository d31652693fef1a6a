"""Rules read the objects of one moment in a thread, and nobody waits for them on the loop."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from django.http import QueryDict

from dashboard.insight import findings
from dashboard.insight.protocols import unlisted
from dashboard.kinds import KINDS
from dashboard.kinds.catalogue import BESIDES
from dashboard.live.screens import overview
from dashboard.live.screens.overview import OverviewScreen
from dashboard.queries import reader as reader_module
from dashboard.queries.access import Visible
from dashboard.queries.frozen import Frozen
from dashboard.queries.reader import judgeable
from dashboard.queries.seen import Seen
from dashboard.queries.seenreader import SeenReader
from tests.unit.insight.cases import EXAMPLES
from tests.unit.insight.world import NOW
from tests.unit.live.seen import everything, nothing, runtime, sees, session

SERVICE = {"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}
POD = {
    "metadata": {"name": "web", "labels": {"app": "web"}},
    "spec": {"containers": [{"name": "app", "image": "a"}], "nodeName": "n"},
    "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
}


READ = frozenset(KINDS) | BESIDES


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_rules_find_the_same_in_what_is_frozen(name: str) -> None:
    world = EXAMPLES[name].world
    assert findings(Frozen(world, READ), NOW) == findings(world, NOW)


def test_what_may_not_be_seen_is_not_there_and_not_known() -> None:
    found = runtime()
    found.cache.put("services", SERVICE)
    found.cache.put("pods", POD, POD | {"metadata": {"name": "other", "namespace": "bank"}})
    rights = everything(secrets=nothing("secrets"), pods=Visible(frozenset({"shop"})))
    seen = Seen(found.reader, rights)
    frozen = Frozen(seen, rights)
    found.cache.remove("services", "shop", "web")
    assert [one.metadata.name for one in frozen.all("services")] == ["web"], "it was there at that moment"
    assert frozen.get("pods", "shop", "web") is not None and frozen.get("pods", "bank", "other") is None
    assert [frozen.reads("pods", each) for each in ("", "shop", "bank")] == [False, True, False]
    assert not frozen.reads("secrets", "shop") and frozen.reads("services", "anywhere")


def test_what_may_not_be_listed_is_told_from_what_is_not_known() -> None:
    found = runtime()
    found.cache.knows = lambda *_: True
    found.cache.put("pods", POD, POD | {"metadata": {"name": "other", "namespace": "bank"}})
    rights = everything(secrets=nothing("secrets"), pods=Visible(frozenset({"shop"})), nodes=nothing("nodes"))
    frozen = Frozen(SeenReader(found.reader, rights), rights)
    asked = ("pods", "secrets", "nodes", "services")
    assert unlisted(frozen, asked, "shop") == ("nodes", "secrets")
    assert unlisted(frozen, asked, "") == ("nodes", "pods", "secrets")
    assert (frozen.knows("pods", "shop"), frozen.knows("services", "")) == (True, True)


def noting(monkeypatch: pytest.MonkeyPatch, module: Any) -> list[int]:
    """In which threads the rules are asked."""
    threads: list[int] = []

    def noted(*arguments: Any) -> Any:
        threads.append(threading.get_ident())
        return findings(*arguments)

    monkeypatch.setattr(module, "findings", noted)
    return threads


async def test_the_overview_asks_the_rules_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    found = runtime()
    found.cache.put("services", SERVICE)
    threads = noting(monkeypatch, overview)
    screen = OverviewScreen(session(found), QueryDict(""))
    sees(screen, everything())
    await screen._judge()
    assert [each.lead.name for each in screen._wrong] == ["web"]
    assert threads and threading.get_ident() not in threads


async def test_judged_rows_follow_the_changes_and_no_rule_runs_on_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reader_module, "JUDGE_SECONDS", 0.0)
    threads = noting(monkeypatch, reader_module)
    found = runtime()
    found.cache.put("services", SERVICE)
    judged = judgeable(everything())
    await found.reader.judge(judged)

    def state() -> str:
        (row,) = found.reader.rows("services", None, judged)
        return str(row.state)

    told = asyncio.Event()
    found.reader.on_judged(told.set)
    assert state() == "warn"
    found.cache.put("pods", POD)
    assert state() == "warn", "as it was, until the rules have answered"
    async with asyncio.timeout(10):
        await told.wait()
    assert state() == "ok"
    assert threading.get_ident() not in threads
