"""What uses an object among many pods: out of the index, and by asking every pod what it names."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from dashboard.insight.relations import named
from dashboard.insight.usedby import Users, ref_of, used_by
from dashboard.kinds import KINDS

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


def _ms(work: Callable[[], object], rounds: int) -> float:
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken) * 1000


def run(*, pods: int, rounds: int) -> str:
    """Medians: reading all pods into the index, one question, one status change, and the same question without it."""
    world = Pods(pods)
    users = Users.among(world)
    target = ref_of("configmaps", world.config)
    changed = Pods.pod(1, "Failed")

    def brute() -> list[Any]:
        return [pod for pod in world.pods if target in named("pods", pod)]

    found = used_by(world, users, "configmaps", world.config)
    if len(found) != len(brute()):
        raise RuntimeError("the index and the search differ")
    read = _ms(lambda: Users.among(world), rounds)
    asked = _ms(lambda: used_by(world, users, "configmaps", world.config), rounds)
    told = _ms(lambda: users.change("pods", world.pods[1], changed), rounds)
    return (
        f"what uses a ConfigMap, {pods} pods:\n"
        f"  reading them into the index   {read:8.1f} ms, in slices, once\n"
        f"  asking the index              {asked:8.3f} ms\n"
        f"  a status that changes         {told:8.3f} ms\n"
        f"  asking every pod              {_ms(brute, rounds):8.1f} ms"
    )
