"""Judging 10,000 pods by all rules, against decoding the list of them: rules run at each showing, a list once."""

from __future__ import annotations

import gc
import json
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from dashboard.insight import findings
from dashboard.kinds import KINDS

from .figure import Figure, Place
from .report import Report, Table, spread

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
APPS = 200  # Deployments, each with a Service
BROKEN = 50  # one in so many pods crashes
RESTARTED = 4  # one in so many was restarted once, long ago


def _pod(number: int) -> dict[str, Any]:
    app, broken = f"app-{number % APPS}", number % BROKEN == 0
    ended = {
        "terminated": {
            "exitCode": 1,
            "reason": "Error",
            "finishedAt": "2026-03-01T11:59:00Z" if broken else "2026-02-01T00:00:00Z",
        }
    }
    restarted = broken or number % RESTARTED == 0
    status = {
        "name": "app", "ready": not broken, "started": True, "restartCount": 9 if broken else int(restarted),
        "state": {"waiting": {"reason": "CrashLoopBackOff"}} if broken else {"running": {}},
        "lastState": ended if restarted else {},
    }  # fmt: skip
    owner = {"kind": "ReplicaSet", "name": app, "uid": app, "controller": True}
    ready = {
        "type": "Ready",
        "status": "False" if broken else "True",
        "lastTransitionTime": "2026-03-01T11:00:00Z",
    }
    return {
        "metadata": {
            "name": f"{app}-{number}", "namespace": f"ns-{number % 20}", "uid": f"pod-{number}",
            "labels": {"app": app, "pod-template-hash": "5d4f"}, "ownerReferences": [owner],
        },
        "spec": {"nodeName": f"node-{number % 100}", "containers": [{"name": "app", "image": "registry.example/app:1"}]},
        "status": {"phase": "Running", "conditions": [ready], "containerStatuses": [status]},
    }  # fmt: skip


def _app(number: int) -> dict[str, Any]:
    meta = {"name": f"app-{number}", "namespace": f"ns-{number % 20}", "uid": f"app-{number}"}
    return {"metadata": meta, "spec": {"replicas": 50, "selector": {"app": f"app-{number}"}}, "status": {}}


class _World:
    """Decoded objects, as the cache holds them."""

    def __init__(self, **kinds: Sequence[Any]) -> None:
        self._all = kinds
        self._within: dict[tuple[str, str], list[Any]] = defaultdict(list)
        self._by_name: dict[tuple[str, str, str], Any] = {}
        for plural, objects in kinds.items():
            for obj in objects:
                self._within[plural, obj.metadata.namespace].append(obj)
                self._by_name[plural, obj.metadata.namespace, obj.metadata.name] = obj

    def all(self, plural: str, namespace: str | None = None) -> Sequence[Any]:
        return self._all.get(plural, ()) if namespace is None else self._within.get((plural, namespace), ())

    def get(self, plural: str, namespace: str, name: str) -> Any | None:
        return self._by_name.get((plural, namespace, name))

    def reads(self, plural: str, namespace: str = "") -> bool:
        return plural in self._all


def _list(items: list[dict[str, Any]]) -> bytes:
    return json.dumps({"metadata": {"resourceVersion": "1"}, "items": items}).encode()


def _decoded(plural: str, items: list[dict[str, Any]]) -> Sequence[Any]:
    return KINDS[plural].decode_list(_list(items)).items


def _seconds(work: Callable[[], object]) -> float:
    gc.collect()
    began = time.process_time()
    work()
    return time.process_time() - began


def run(_: Place, *, pods: int, rounds: int) -> Report:
    """The two by turns, ``rounds`` times; CPU time of this process, and the ratio round by round."""
    raw = _list([_pod(number) for number in range(pods)])
    apps = [_app(number) for number in range(APPS)]
    nodes = [{"metadata": {"name": f"node-{number}"}, "status": {}} for number in range(100)]
    world = _World(
        pods=KINDS["pods"].decode_list(raw).items, deployments=_decoded("deployments", apps),
        services=_decoded("services", apps), nodes=_decoded("nodes", nodes),
    )  # fmt: skip
    found = findings(world, NOW)
    if not found:
        raise RuntimeError("the rules found nothing, though pods crash")
    pairs = [
        (_seconds(lambda: KINDS["pods"].decode_list(raw)) * 1e3, _seconds(lambda: findings(world, NOW)) * 1e3)
        for _ in range(rounds)
    ]
    decode, judge = zip(*pairs, strict=True)
    rows = (
        ("decode the list, once", spread(decode, "ms")),
        ("all rules, at most once a second while somebody looks", spread(judge, "ms")),
        ("ratio", spread((slow / fast for slow, fast in pairs), "×", 1)),
    )
    return Report(
        f"Judging {pods:,} pods by all rules ({APPS} Deployments and Services, one pod in {BROKEN} crashing, one in "
        f"{RESTARTED} restarted once: {len(found)} findings), {rounds} rounds",
        (Table(columns=("", "CPU time"), rows=rows, yardstick=rows[0][0]),),
    )


FIGURE = Figure(name="judge", run=run, full={"pods": 10_000, "rounds": 9}, short={"pods": 1_000, "rounds": 2})
