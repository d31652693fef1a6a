"""What is said while a kubelet does what one seldom sees: it rotates logs early, is short of memory, hangs."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from dashboard.insight import Finding, findings
from dashboard.kube.transport import Transport
from dashboard.live.runtime import ClusterRuntime
from sandbox import Sandbox
from sandbox.node.objects import EITHER, LABEL, SECOND
from tests.cluster.place import until
from tests.cluster.test_logs import Place, Shown
from tests.cluster.test_shell import Here

from .pods import Pods, spec
from .test_shell import here
from .test_traces import init, inner, inner_or_none

__all__ = ["here"]

pytestmark = pytest.mark.django_db(transaction=True)
PROGRAM = f"--hostname-override={SECOND} "


class Kubelet:
    """The second node's. Its supervisor starts it again when it ends."""

    def __init__(self, cluster: Sandbox) -> None:
        self._cluster, self.api = cluster, cluster.api()
        self._root = Path(f"/proc/{init(cluster)}/root")
        self._file = self._root / "run/sandbox/kubelet-2.yaml"
        self._own = self._file.read_text()

    async def restart(self, **settings: Any) -> None:
        """With other settings than the first one's."""
        self._file.write_text(yaml.safe_dump(yaml.safe_load(self._own) | settings))
        former = self.kill()

        async def again() -> bool:
            return inner_or_none(self._cluster, PROGRAM) not in (None, former)

        await until(again)

    async def ready(self) -> None:
        """Waits until pods are scheduled on its node."""

        async def untainted() -> bool:
            taints = self.api.get(f"/api/v1/nodes/{SECOND}")["spec"].get("taints") or ()
            return [each["key"] for each in taints] == [LABEL]

        await until(untainted)

    def kill(self) -> int | None:
        """The process that it was, if there was one just now."""
        pid = inner_or_none(self._cluster, PROGRAM)
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return pid

    def stop(self) -> None:
        """It says nothing, and takes connections all the same, as on a machine that hangs."""
        os.kill(inner(self._cluster, PROGRAM), signal.SIGSTOP)

    def refuse(self) -> None:
        """It ends each time that it is started, so nothing listens."""
        self._file.write_text("kind: Nonsense\n")
        self.kill()

    def restore(self) -> None:
        self._file.write_text(self._own)

    def logs(self, namespace: str, pod: str) -> list[Path]:
        """The files of a pod's logs, the rotated ones last."""
        folders = (self._root / "var/log/pods-2").glob(f"{namespace}_{pod}_*/app")
        return sorted(file for folder in folders for file in folder.iterdir())


@pytest_asyncio.fixture
async def kubelet(cluster: Sandbox) -> AsyncIterator[Kubelet]:
    found = Kubelet(cluster)
    yield found
    found.restore()
    await found.restart()
    await found.ready()


def second(pods: Pods, name: str, script: str, **container: Any) -> None:
    """A pod on the second node."""
    made = spec(script, **container) | {"runtimeClassName": EITHER, "nodeSelector": {LABEL: SECOND}}
    pods.make("/api/v1/namespaces/{ns}/pods", {"metadata": {"name": name}, "spec": made})


async def of_node(pods: Pods, rule: str) -> Finding:
    """What is said of the node, once it is of this rule."""

    async def check() -> Finding | None:
        found = findings(await pods.objects(), datetime.now(UTC))
        return next((one for one in found if one.ref.name == SECOND and one.rule == rule), None)

    finding: Finding = await until(check, 90)
    return finding


async def test_a_log_is_followed_over_rotations_and_what_is_gone_is_told(
    cluster: Sandbox, transport: Transport, pods: Pods, kubelet: Kubelet
) -> None:
    await kubelet.restart(
        containerLogMaxSize="20Ki", containerLogMaxFiles=2, containerLogMonitorInterval="3s"
    )
    await kubelet.ready()
    # For some fifteen seconds, in which it is rotated several times.
    twenty = "for j in $(seq 20); do i=$((i+1)); echo line $i of a log that is rotated; done"
    second(pods, "web", f"i=0; while [ $i -lt 3000 ]; do {twenty}; usleep 100000; done; exit 3")
    await pods.ready("web")
    place = Place(cluster, ClusterRuntime(transport.cluster), pods.namespace)

    async def rotated_after(before: set[str]) -> bool:
        return any("0.log." in each and each not in before for each in names())

    def names() -> set[str]:
        return {file.name for file in kubelet.logs(pods.namespace, "web")}

    try:
        async with place.page(plural="pods") as tab:
            shown = Shown(tab)
            await shown.until(lambda: len(shown.lines) > 20)
            had, before = shown.feed.position(), names()
            while not await rotated_after(before):
                count = len(shown.lines)
                await shown.until(lambda count=count: len(shown.lines) > count)  # type: ignore[misc]
            count = len(shown.lines) + 500
            await shown.until(lambda: len(shown.lines) > count)
            shown.feed.close()
            numbers = [int(text.split()[1]) for _, _, text in shown.lines]
            assert numbers == list(range(numbers[0], numbers[-1] + 1)), "neither a gap nor a line twice"
            assert shown.marks == []

            late = Shown(tab, had)  # a browser that was away meanwhile
            await late.until(lambda: bool(late.lines))
            late.feed.close()
            assert any("its log no longer reaches back" in mark for mark in late.marks)

        async def restarted() -> bool:
            return pods.found("web")["status"]["containerStatuses"][0]["restartCount"] == 1

        await until(restarted, 60)
        async with place.page("previous=1", plural="pods") as tab:
            for file in kubelet.logs(pods.namespace, "web"):
                file.unlink()
            gone = Shown(tab)
            await gone.until(lambda: f"Node {SECOND} no longer has this log" in gone.notes)
            gone.feed.close()
        assert gone.lines == []
    finally:
        await place.runtime.close()


async def test_pods_are_evicted_where_memory_runs_short(pods: Pods, kubelet: Kubelet) -> None:
    """One while it runs; one, which has requested none, as the kubelet takes it on anew."""
    second(pods, "some", "exec sleep 600", resources={"requests": {"memory": "4Ki"}})
    second(pods, "none", "exec sleep 600")
    for name in ("some", "none"):
        await pods.ready(name)
    capacity = pods.api.get(f"/api/v1/nodes/{SECOND}")["status"]["capacity"]["memory"]
    enough = int(capacity.removesuffix("Ki")) - 256 * 1024
    await kubelet.restart(evictionHard={"memory.available": f"{enough}Ki"})
    for name, evidence in (("some", "The node was low on resource"), ("none", "[MemoryPressure]")):
        found = await pods.told(name, "pod-evicted", saying="its node ran out of memory.")
        assert any(evidence in one.says for one in found.evidence)
    await of_node(pods, "node-memory-pressure")


async def test_a_kubelet_that_does_not_answer_is_named(
    here: Here,
    pods: Pods,
    kubelet: Kubelet,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dashboard.kube.transport.OPEN_SECONDS", 5.0)
    second(pods, "web", "echo started; exec sleep 600")
    await pods.ready("web")
    kubelet.stop()
    async with here.socket("web") as shell:
        said = await shell.start()
    assert said["text"] == "The kubelet of the pod's node does not answer."
    async with Place(here.cluster, here.runtime, pods.namespace).page(plural="pods") as tab:
        shown = Shown(tab)
        await shown.until(lambda: any(shown.notes))
        shown.feed.close()
    assert shown.notes[-1] == f"The kubelet of node {SECOND} does not answer; it is tried again"
    kubelet.refuse()
    async with here.socket("web") as shell:
        said = await shell.start()
    assert said["text"] == "The kubelet of the pod's node does not answer."
