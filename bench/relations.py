"""What uses an object among many pods: out of the index, and by asking every pod what it names."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from dashboard.insight.relations import named
from dashboard.insight.usedby import Users, ref_of, used_by
from dashboard.kinds import KINDS

from .figure import Figure, Place
from .report import Report, Table, spread
from .search import cpu_times

PER_WORKLOAD = 20
VARIABLES = 15


class Pods:
    """Decoded pods, alike by twenty as a workload's are, and the ConfigMap that the first twenty read."""

    def __init__(self, count: int) -> None:
        self.pods = [self.pod(number) for number in range(count)]
        config = {"metadata": {"name": "config-0", "namespace": "bench"}}
        self.config = KINDS["configmaps"].decode_object(json.dumps(config).encode())

    def all(self, plural: str, namespace: str | None = None) -> Sequence[Any]:
        return self.pods if plural == "pods" else [self.config] if plural == "configmaps" else []

    def get(self, plural: str, namespace: str, name: str) -> Any | None:
        return next((one for one in self.all(plural) if one.metadata.name == name), None)

    @staticmethod
    def pod(number: int, phase: str = "Running") -> Any:
        workload = number // PER_WORKLOAD
        literal = [{"name": f"V{at}", "value": "x"} for at in range(VARIABLES)]
        secret = {"name": "S", "valueFrom": {"secretKeyRef": {"name": f"secret-{workload}", "key": "k"}}}
        source = {"configMapRef": {"name": f"config-{workload}"}}
        container = {"name": "c", "image": "x", "env": [*literal, secret], "envFrom": [source]}
        owner = {"kind": "ReplicaSet", "apiVersion": "apps/v1", "name": f"w-{workload}", "controller": True}
        meta = {"name": f"p-{number}", "namespace": "bench", "uid": f"u-{number}", "ownerReferences": [owner]}
        spec = {"nodeName": f"n-{number % 100}", "serviceAccountName": "default", "containers": [container]}
        raw = {"metadata": meta, "spec": spec, "status": {"phase": phase}}
        return KINDS["pods"].decode_object(json.dumps(raw).encode())


def run(_: Place, *, pods: int, rounds: int) -> Report:
    """Reading all pods into the index, one question, one status change, and the same question without it."""
    world = Pods(pods)
    users = Users.among(world)
    target = ref_of("configmaps", world.config)
    changed = Pods.pod(1, "Failed")

    def brute() -> list[Any]:
        return [pod for pod in world.pods if target in named("pods", pod)]

    found = used_by(world, users, "configmaps", world.config)
    if len(found) != len(brute()):
        raise RuntimeError("the index and the search differ")
    read = cpu_times(lambda: Users.among(world), rounds)
    asked = cpu_times(lambda: used_by(world, users, "configmaps", world.config), rounds)
    told = cpu_times(lambda: users.change("pods", world.pods[1], changed), rounds)
    rows = (
        ("asking every pod", spread(cpu_times(brute, rounds), "ms")),
        ("asking the index", spread(asked, "ms", 3)),
        ("a pod whose status changes", spread(told, "ms", 3)),
        ("reading the pods into the index, in slices, once", spread(read, "ms")),
    )
    return Report(
        f"What uses a ConfigMap, among {pods:,} pods (made up), CPU time, {rounds} rounds",
        (Table(columns=("", "time"), rows=rows, yardstick=rows[0][0]),),
    )


FIGURE = Figure(
    name="relations", run=run, full={"pods": 10_000, "rounds": 9}, short={"pods": 500, "rounds": 2}
)
