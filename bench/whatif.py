"""What happens when a node, or a zone, of a cluster of 10,000 pods is lost; the report; and capacity ahead of it.

Of 200 Deployments one in ten keeps its pods apart by node, one in ten spreads them over zones; each has a Service and
every second one a budget.
"""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from dashboard.insight.ahead.pieces import Pieces
from dashboard.insight.ahead.replicas import more_replicas
from dashboard.insight.losing import consequences, read_loss
from dashboard.insight.losing.effects import PLURALS
from dashboard.insight.losing.report import REPORTED, preparedness
from dashboard.kinds import KINDS
from dashboard.queries.frozen import Frozen

from .figure import Figure, Place
from .report import Report, Table, spread

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
APPS, NODES, ZONES = 200, 100, 3
AIM_SECONDS = 0.3
HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"


def _spec(app: int) -> dict[str, Any]:
    labels = {"labelSelector": {"matchLabels": {"app": f"app-{app}"}}}
    spec: dict[str, Any] = {
        "containers": [
            {
                "name": "app",
                "image": "registry.example/app:1",
                "resources": {"requests": {"cpu": "200m", "memory": "256Mi"}},
            }
        ]
    }
    if app % 10 == 1:
        term = {"topologyKey": HOST, **labels}
        spec["affinity"] = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    if app % 10 == 2:
        spec["topologySpreadConstraints"] = [
            {"topologyKey": ZONE, "maxSkew": 2, "whenUnsatisfiable": "DoNotSchedule", **labels}
        ]
    return spec


def _meta(name: str, app: int, **more: Any) -> dict[str, Any]:
    return {"name": name, "namespace": f"ns-{app % 20}", "uid": name, "labels": {"app": f"app-{app}"}, **more}


def _pod(number: int) -> dict[str, Any]:
    app = number % APPS
    # Each app's pods on nodes one after the other, so that those that stay apart do.
    node = (number // APPS + app * 7) % NODES
    owner = {"kind": "ReplicaSet", "name": f"app-{app}-1", "uid": f"app-{app}-1", "controller": True}
    return {
        "metadata": _meta(f"app-{app}-1-{number}", app, ownerReferences=[owner]),
        "spec": {"nodeName": f"node-{node}", **_spec(app)},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
    }


def _node(number: int) -> dict[str, Any]:
    name = f"node-{number}"
    return {
        "metadata": {"name": name, "uid": name, "labels": {HOST: name, ZONE: f"zone-{number % ZONES}"}},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "allocatable": {"cpu": "32", "memory": "128Gi", "pods": "250"},
        },
    }


def _manifests(pods: int) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {
        "pods": [_pod(number) for number in range(pods)],
        "nodes": [_node(number) for number in range(NODES)],
    }
    for app in range(APPS):
        name, selector = f"app-{app}", {"matchLabels": {"app": f"app-{app}"}}
        owner = {"kind": "Deployment", "name": name, "uid": name, "controller": True}
        template = {"metadata": {"labels": {"app": name}}, "spec": _spec(app)}
        count = pods // APPS
        spec = {"replicas": count, "selector": selector, "template": template}
        made = {
            "deployments": {"metadata": _meta(name, app), "spec": spec},
            "replicasets": {"metadata": _meta(f"{name}-1", app, ownerReferences=[owner]), "spec": spec},
            "services": {
                "metadata": _meta(name, app),
                "spec": {"selector": {"app": name}, "ports": [{"port": 80}]},
            },
        }
        if app % 2:
            status = {
                "currentHealthy": count,
                "desiredHealthy": count - 1,
                "expectedPods": count,
                "disruptionsAllowed": 1,
            }
            made["poddisruptionbudgets"] = {
                "metadata": _meta(name, app),
                "spec": {"selector": selector},
                "status": status,
            }
        for plural, manifest in made.items():
            found.setdefault(plural, []).append(manifest)
    return found


class _World:
    """Decoded objects, as the cache holds them."""

    version = ""

    def __init__(self, pods: int) -> None:
        self._kept = {
            plural: KINDS[plural].decode_list(json.dumps({"metadata": {}, "items": each}).encode()).items
            for plural, each in _manifests(pods).items()
        }

    def all(self, plural: str, namespace: str | None = None) -> Sequence[Any]:
        return self._kept.get(plural, ())

    def get(self, plural: str, namespace: str, name: str) -> Any | None:
        return None

    def reads(self, plural: str, namespace: str = "") -> bool:
        return True


def run(_: Place, *, pods: int, rounds: int) -> Report:
    """Made-up objects, frozen anew each time as a page does; no sandbox. Times are of CPU, medians."""
    world = _World(pods)

    def frozen() -> Frozen:
        return Frozen(world, (*PLURALS, *REPORTED, "resourcequotas"))

    asked: dict[str, Callable[[], object]] = {
        "a node is lost": lambda: consequences(frozen(), [read_loss("node/node-7")], NOW),
        "two nodes are lost": lambda: consequences(
            frozen(), [read_loss("node/node-7"), read_loss("node/node-8")], NOW
        ),
        "a third of the nodes is lost, a zone": lambda: consequences(
            frozen(), [read_loss("zone/zone-1")], NOW
        ),
        "the report of all workloads": lambda: preparedness(frozen(), NOW),
        "how many more replicas fit, apart": lambda: more_replicas(
            frozen(), "deployments", "ns-1", "app-1", NOW
        ),
        "pieces, and 12 nodes that might go": lambda: (
            Pieces(frozen(), NOW).fragmentation(),
            Pieces(frozen(), NOW).spare(),
        ),
    }
    raw = json.dumps(_manifests(pods)).encode()
    asked["`json.loads` of the same objects"] = lambda: json.loads(raw)
    rows = []
    for words, ask in asked.items():
        took = []
        for _round in range(rounds):
            gc.collect()
            began = time.process_time()
            if not ask():
                raise RuntimeError(f"{words}: nothing is said")
            took.append((time.process_time() - began) * 1e3)
        rows.append((words, spread(took, "ms")))
    return Report(
        f"What if: {pods:,} pods on {NODES} nodes in {ZONES} zones, {APPS} Deployments with Services, one in ten keeping "
        f"its pods apart, one in ten spreading them (made up), CPU time in a thread, {rounds} rounds; aim for a node: "
        f"{AIM_SECONDS * 1000:.0f} ms",
        (Table(columns=("asked", "time"), rows=rows, yardstick=rows[-1][0]),),
    )


FIGURE = Figure(
    name="whatif", run=run, full={"pods": 10_000, "rounds": 5}, short={"pods": 1_000, "rounds": 1}
)
