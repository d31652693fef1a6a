"""What is wrong is found among the pods that are not plainly healthy: no question and no change asks all the others."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from dashboard.cache.store import Store
from dashboard.insight import findings, observed
from dashboard.insight.rules import pods as pod_rules
from dashboard.kinds import KINDS
from dashboard.kinds.base import WatchEvent
from dashboard.queries import reader as reader_module
from dashboard.queries import unwell as unwell_module
from dashboard.queries.frozen import Frozen
from dashboard.queries.reader import judgeable
from dashboard.queries.unwell import Unwell
from tests.unit.insight.world import NOW
from tests.unit.live.seen import everything, runtime

PODS = KINDS["pods"]


def manifest(name: str, *, ready: bool = True, restarted: datetime | None = None) -> dict[str, Any]:
    status: dict[str, Any] = {"name": "app", "ready": ready, "restartCount": 0, "state": {"running": {}}}
    if restarted is not None:
        ended = {"exitCode": 1, "finishedAt": f"{restarted:%Y-%m-%dT%H:%M:%SZ}"}
        status |= {"restartCount": 1, "lastState": {"terminated": ended}}
    return {
        "metadata": {"name": name, "namespace": "shop", "uid": name},
        "spec": {"containers": [{"name": "app", "image": "a"}], "nodeName": "n"},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "containerStatuses": [status],
        },
    }


def pod(*arguments: Any, **options: Any) -> Any:
    return PODS.decode_object(json.dumps(manifest(*arguments, **options)).encode())


def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the pods whose health is asked for, by whomever."""
    names: list[str] = []
    for module in (unwell_module, observed, pod_rules):

        def noted(one: Any, since: datetime, real: Callable[..., bool] = module.healthy) -> bool:  # type: ignore[attr-defined]
            names.append(one.metadata.name)
            return real(one, since)

        monkeypatch.setattr(module, "healthy", noted)
    return names


def test_a_change_and_a_question_cost_what_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = runtime()
    found.cache.put("pods", *(manifest(f"web-{n}") for n in range(500)))
    assert found.reader.unwell() == []
    names = asked(monkeypatch)
    found.cache.put("pods", manifest("web-7", ready=False))
    read = ("pods", "services", "nodes", "namespaces")
    findings(Frozen(found.reader, read), NOW)
    findings(Frozen(found.reader, read), NOW)
    assert set(names) == {"web-7"} and len(names) < 10
    assert [one.metadata.name for one in found.reader.unwell()] == ["web-7"]
    found.cache.put("pods", manifest("web-7"))
    assert found.reader.unwell() == []


def test_a_restart_becomes_history_though_nothing_changes() -> None:
    store: Store[Any] = Store(PODS)
    now = [NOW]
    found = Unwell(store, lambda: now[0])
    store.add([pod("web", restarted=NOW - timedelta(minutes=50)), pod("gone", ready=False)])
    assert [one.metadata.name for one in found.pods()] == ["web", "gone"]
    store.replace([store.get("shop", "web")], "")
    now[0] += timedelta(minutes=20)
    assert found.pods() == []


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How often all rules were asked."""
    times: list[float] = []

    def noted(*arguments: Any) -> Any:
        times.append(0.0)
        return findings(*arguments)

    monkeypatch.setattr(reader_module, "findings", noted)
    monkeypatch.setattr(reader_module, "JUDGE_SECONDS", 0.0)
    return times


async def test_what_has_not_changed_is_not_judged_again(judged: list[float]) -> None:
    found = runtime()
    found.cache.put("pods", *(manifest(f"web-{n}") for n in range(5)))
    by = judgeable(everything())
    await found.reader.judge(by)
    before = len(judged)
    for _ in range(10):
        found.reader.states("services", None, by)
    assert not found.reader._judging and len(judged) == before


async def test_many_changes_are_judged_once_and_the_last_one_in_any_case(
    judged: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_module, "JUDGE_SECONDS", 0.05)
    found = runtime()
    by = judgeable(everything())
    await found.reader.judge(by)
    before = len(judged)
    for n in range(10):
        found.cache.put("services", {"metadata": {"name": "web"}, "spec": {"selector": {"app": f"v{n}"}}})
        found.reader.states("services", None, {"services": by["services"]})
    (task,) = found.reader._judging.values()
    await task
    assert len(judged) == before + 1
    (row,) = found.reader.rows("services", None, {"services": by["services"]})
    assert row.state == "warn" and "v9" in str(found.reader._judged[by["services"]].verdicts)


@pytest.mark.parametrize("last", ["DELETED", "ADDED"])
def test_of_several_events_of_one_pod_that_come_together_the_last_counts(last: str) -> None:
    store = Store(PODS)
    unwell = Unwell(store, lambda: NOW)
    types = ["ADDED", "MODIFIED", "DELETED", *([last] if last == "ADDED" else [])]
    events = []
    for number, type_ in enumerate(types, start=1):
        obj = pod("web", ready=number == 1)
        msgspec.structs.force_setattr(obj.metadata, "resource_version", str(number))
        events.append(WatchEvent(type_, obj, str(number)))
    store.apply_all(events)
    assert [each.metadata.name for each in unwell.pods()] == (["web"] if last == "ADDED" else [])
