"""Draining a node of a real API server: compared with ``kubectl drain``, budgets that refuse, stop and resume, a process
that ends in the middle, two people at once.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from dashboard.actions import evictions as machine
from dashboard.actions.action import Actor, Preview
from dashboard.actions.drain import DRAIN
from dashboard.actions.operation import operation_advance
from dashboard.actions.operations import (
    LEASE_SECONDS,
    operation_begin,
    operation_replace,
    operation_resume,
    operation_stop,
    operations_claim,
)
from dashboard.actions.problems import DrainUnderWay
from dashboard.actions.undo import change_undo_apply, change_undo_preview
from dashboard.errors import Forbidden
from dashboard.insight.words import text_of
from dashboard.kinds import KINDS
from dashboard.kube.transport import Transport
from dashboard.models import AuditEntry, Change, Operation
from sandbox import Sandbox
from sandbox.api import ApiError
from tests import acting
from tests.nodes import make_node, spec_for

from .place import RBAC, Place, rule, until

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True)]

SCRATCH = [{"name": "cache", "emptyDir": {}}]


class Rack(Place):
    """Nodes of its own, each for the pods that are made for it, and the pods' namespace."""

    reads = DRAIN.reads | DRAIN.follows

    def __init__(self, cluster: Sandbox, transport: Transport, namespace: str) -> None:
        super().__init__(cluster, transport, namespace)
        self.cluster = cluster
        self.nodes: list[str] = []

    def node(self) -> str:
        """A simulated node that takes only pods made for it."""
        name = make_node(self.api, self.namespace)
        self.nodes.append(name)
        return name

    def workload(self, plural: str, name: str, node: str, replicas: int = 1, **spec: Any) -> None:
        labels = {"app": name}
        body: dict[str, Any] = {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec_for(self.namespace, node, **spec)},
        }
        if plural != "daemonsets":
            body["replicas"] = replicas
        if plural == "statefulsets":
            body |= {"serviceName": name, "podManagementPolicy": "Parallel"}
        self.make(f"/apis/apps/v1/namespaces/{{ns}}/{plural}", {"metadata": {"name": name}, "spec": body})

    def pod(self, name: str, node: str, metadata: dict[str, Any] | None = None, **spec: Any) -> None:
        meta = {"name": name} | (metadata or {})
        self.make(
            "/api/v1/namespaces/{ns}/pods", {"metadata": meta, "spec": spec_for(self.namespace, node, **spec)}
        )

    def budget(self, name: str, least: int) -> None:
        spec = {"minAvailable": least, "selector": {"matchLabels": {"app": name}}}
        path = "/apis/policy/v1/namespaces/{ns}/poddisruptionbudgets"
        self.make(path, {"metadata": {"name": name}, "spec": spec})

    @property
    def budgets(self) -> str:
        return f"/apis/policy/v1/namespaces/{self.namespace}/poddisruptionbudgets"

    def pods(self, node: str = "") -> dict[str, dict[str, Any]]:
        """The living pods of the namespace, on a node, by name."""
        found = self.api.get(f"/api/v1/namespaces/{self.namespace}/pods")["items"]
        return {
            each["metadata"]["name"]: each
            for each in found
            if node in ("", each["spec"].get("nodeName")) and not each["metadata"].get("deletionTimestamp")
        }

    def cordoned(self, node: str) -> bool:
        return bool(self.api.get(f"/api/v1/nodes/{node}")["spec"].get("unschedulable"))

    async def run(self, node: str, count: int) -> None:
        """Waits until that many pods run on a node."""

        async def running() -> bool:
            found = self.pods(node).values()
            ready = [
                each
                for each in found
                if any(
                    one["type"] == "Ready" and one["status"] == "True"
                    for one in each["status"].get("conditions", ())
                )
            ]
            return len(ready) == count

        await until(running, 120)

    async def protected(self, name: str, allowed: int) -> None:
        """Waits until a budget allows that many disruptions."""

        async def told() -> bool:
            status = self.api.get(f"{self.budgets}/{name}").get("status", {})
            return bool(status.get("expectedPods")) and status.get("disruptionsAllowed") == allowed

        await until(told)

    # ---- Drains

    async def preview(self, who: Actor, node: str, **typed: str) -> Preview:
        return await acting.preview(
            DRAIN,
            transport=self.transport,
            actor=who,
            namespace="",
            name=node,
            objects=await self.objects(),
            **typed,
        )

    async def apply(self, who: Actor, node: str, token: str, **typed: str) -> Change:
        return await acting.apply(
            DRAIN, transport=self.transport, actor=who, namespace="", name=node, token=token, **typed
        )

    async def drain(self, who: Actor, node: str, **typed: str) -> Change:
        shown = await self.preview(who, node, **typed)
        lost = node if typed.keys() & {"force", "delete_emptydir"} else ""
        change = await self.apply(who, node, shown.token, confirm=lost, **typed)
        await self.begin(change)
        return change

    async def begin(self, change: Change) -> Operation:
        return await operation_begin(
            action=DRAIN, change=change, transport=self.transport, objects=await self.objects()
        )

    async def move(self, holder: str = "a", now: datetime | None = None) -> Operation | None:
        """One move by one process; what it then holds."""
        claimed = await sync_to_async(operations_claim)(holder, now or datetime.now(UTC))
        for operation in claimed:
            await operation_advance(
                action=DRAIN, operation=operation, holder=holder, transport=self.transport,
                objects=await self.objects(), now=datetime.now(UTC),
            )  # fmt: skip
        return claimed[0] if claimed else None

    async def follow(self, change: Change, holder: str = "a") -> Operation:
        """The drain, once it has ended."""

        async def ended() -> Operation | None:
            await self.move(holder)
            found = await Operation.objects.aget(change=change)
            return found if found.state != Operation.State.RUNNING else None

        found: Operation = await until(ended, 120)
        return found

    async def results(self, change: Change) -> dict[str, tuple[str, str]]:
        """State and text of each pod."""
        found = Operation.objects.get
        operation = await sync_to_async(found)(change=change)
        return {each.name: (each.state, each.text) async for each in operation.results.all()}

    async def moved_until(self, change: Change, name: str, state: str) -> str:
        """Moves until a pod is in a state; its text."""

        async def so() -> bool:
            await self.move()
            return (await self.results(change))[name][0] == state

        await until(so)
        return (await self.results(change))[name][1]

    async def kubectl(self, node: str, *flags: str, within: str = "60s") -> tuple[set[str], set[str]]:
        """``kubectl drain``: the pods that it evicts, and those that it, or the API server until the end, refuses."""
        command = [
            str(self.cluster.kubectl), "--kubeconfig", str(self.cluster.kubeconfig), "drain", node,
            "--ignore-daemonsets", f"--timeout={within}", *flags,
        ]  # fmt: skip
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=120)
        evicted = set(re.findall(rf"evicting pod {self.namespace}/(\S+)", done.stdout))
        errors = "\n".join(line for line in done.stderr.splitlines() if "due to error" in line)
        filtered = set(re.findall(rf"{self.namespace}/([a-z0-9.-]+)", errors))
        tried = set(re.findall(rf'pods/"(\S+)" -n "{self.namespace}"', done.stderr))
        refused = tried & set(self.pods(node))
        return evicted - refused, filtered | refused


@pytest.fixture
def rack(cluster: Sandbox, transport: Transport, namespace: str) -> Iterator[Rack]:
    made = Rack(cluster, transport, namespace)
    yield made
    for name in made.nodes:
        made.api.delete(f"/api/v1/nodes/{name}")


def alike(names: set[str]) -> set[str]:
    """Names without the node that they are for, and without what is random."""
    return {re.sub(r"-(one|two)(-.*)?$", "", name) for name in names}


@pytest.mark.parametrize("emptydir", [False, True], ids=["", "emptydir"])
@pytest.mark.parametrize("force", [False, True], ids=["", "force"])
async def test_it_evicts_and_refuses_the_pods_that_kubectl_does(
    rack: Rack, mara: Actor, emptydir: bool, force: bool
) -> None:
    nodes = {"one": rack.node(), "two": rack.node()}
    for suffix, node in nodes.items():
        rack.workload("deployments", f"web-{suffix}", node, 2)
        rack.workload("statefulsets", f"queue-{suffix}", node)
        rack.workload("deployments", f"charts-{suffix}", node, volumes=SCRATCH)
        rack.workload("daemonsets", f"agent-{suffix}", node)
        rack.pod(f"shell-{suffix}", node)
        rack.pod(f"shellcache-{suffix}", node, volumes=SCRATCH)
        mirror = {"annotations": {"kubernetes.io/config.mirror": "x"}}
        rack.pod(f"static-{suffix}", node, mirror, nodeName=node)
        await rack.run(node, 8)
    flags = ["--delete-emptydir-data"] * emptydir + ["--force"] * force
    evicted, refused = await rack.kubectl(nodes["two"], *flags)

    typed = {name: "true" for name, yes in (("delete_emptydir", emptydir), ("force", force)) if yes}
    shown = await rack.preview(mara, nodes["one"], **typed)
    assert all(flag in shown.told.kubectl for flag in flags)
    change = await rack.drain(mara, nodes["one"], **typed)
    operation = await rack.follow(change)
    results = await rack.results(change)
    ours = {name for name, (state, _) in results.items() if state == "done"}
    assert alike(ours) == alike(evicted)
    assert alike({name for name, (state, _) in results.items() if state == "failed"}) == alike(refused)
    needs = {
        text_of(each.text).split(" in ")[0] for each in shown.told.effects if each.word == "needs a choice"
    }
    assert alike(needs) == alike(refused)
    assert operation.state == ("stopped" if refused else "done")
    assert rack.cordoned(nodes["one"]) and rack.cordoned(nodes["two"])
    assert alike(set(rack.pods(nodes["one"]))) == alike(set(rack.pods(nodes["two"])))


async def test_it_leaves_the_pods_that_a_budget_keeps_as_kubectl_does(rack: Rack, mara: Actor) -> None:
    nodes = {"one": rack.node(), "two": rack.node()}
    for suffix, node in nodes.items():
        for app, count, least in (("web", 2, 2), ("half", 2, 1), ("mail", 1, 0)):
            rack.workload("deployments", f"{app}-{suffix}", node, count)
            rack.budget(f"{app}-{suffix}", least)
        await rack.run(node, 5)
        for app, allowed in (("web", 0), ("half", 1), ("mail", 1)):
            await rack.protected(f"{app}-{suffix}", allowed)
    before = {suffix: set(rack.pods(node)) for suffix, node in nodes.items()}
    evicted, refused = await rack.kubectl(nodes["two"], within="10s")
    assert alike(refused) == {"web", "half"} and len(refused) == 3

    change = await rack.drain(mara, nodes["one"], timeout="10s")
    operation = await rack.follow(change)
    assert operation.state == "stopped"
    results = await rack.results(change)
    ours = {
        state: {name for name, (is_, _) in results.items() if is_ == state} for state in ("done", "failed")
    }
    for found, theirs in ((ours["done"], evicted), (ours["failed"], refused)):
        assert (alike(found), len(found)) == (alike(theirs), len(theirs))
    for suffix, node in nodes.items():
        left = before[suffix] & set(rack.pods(node))
        assert left == (refused if suffix == "two" else ours["failed"]), "never deleted"
        assert rack.cordoned(node)


async def test_a_budget_that_refuses_is_tried_again_until_it_is_lifted(rack: Rack, mara: Actor) -> None:
    node = rack.node()
    rack.workload("deployments", "web", node, 2)
    rack.workload("deployments", "mail", node)
    rack.budget("web", 2)
    await rack.run(node, 3)
    await rack.protected("web", 0)
    shown = await rack.preview(mara, node)
    assert shown.told.headline is not None
    assert shown.told.headline.title == "2 of 3 pods block this drain"
    assert sum(each.word == "refused" for each in shown.told.effects) == 2
    before = rack.pods(node)
    change = await rack.drain(mara, node)
    web, mail = (next(name for name in before if name.startswith(app)) for app in ("web", "mail"))
    text = await rack.moved_until(change, web, "retrying")
    assert "The disruption budget web needs 2 healthy pods and has 2 currently" in text
    await rack.moved_until(change, mail, "done")
    assert (await Operation.objects.aget(change=change)).state == "running"
    rack.api.patch(f"{rack.budgets}/web", {"spec": {"minAvailable": 0}})
    assert (await rack.follow(change)).state == "done"
    assert rack.pods(node).keys().isdisjoint(before)
    audit = [
        (each.action, each.name, each.result) async for each in AuditEntry.objects.filter(action="evict")
    ]
    assert sorted(audit) == sorted(("evict", name, "done") for name in before)


async def test_at_the_time_out_it_stops_and_says_what_blocks_and_a_resume_goes_on(
    rack: Rack, mara: Actor
) -> None:
    node = rack.node()
    rack.workload("deployments", "web", node)
    rack.budget("web", 1)
    await rack.run(node, 1)
    await rack.protected("web", 0)
    change = await rack.drain(mara, node, timeout="10s")
    operation = await rack.follow(change)
    assert operation.state == "stopped"
    ((name, (state, text)),) = (await rack.results(change)).items()
    assert state == "failed" and "needs 1 healthy pods and has 1 currently" in text
    assert operation.steps[0]["text"] == f"The time-out of 10 seconds passed with 1 pod left: {name}."
    assert name in rack.pods(node), "never deleted"
    refused = await AuditEntry.objects.aget(action="evict")
    assert (refused.name, refused.result) == (name, "refused")
    rack.api.delete(f"{rack.budgets}/web")
    await operation_resume(transport=rack.transport, actor=mara, change=change)
    assert (await rack.follow(change)).state == "done"
    assert name not in rack.pods(node)


async def test_stopped_it_evicts_nothing_more_until_it_is_resumed(
    rack: Rack, mara: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "AT_ONCE", 1)
    node = rack.node()
    rack.workload("deployments", "web", node, 3)
    await rack.run(node, 3)
    before = set(rack.pods(node))
    change = await rack.drain(mara, node)
    await rack.move()
    await operation_stop(actor=mara, change=change)
    assert await rack.move() is None
    left = before & set(rack.pods(node))
    assert len(left) == 2 and rack.cordoned(node)
    await operation_resume(transport=rack.transport, actor=mara, change=change)
    assert (await rack.follow(change)).state == "done"
    assert before.isdisjoint(rack.pods(node))


async def test_another_process_goes_on_after_a_kill_and_evicts_nothing_twice(
    rack: Rack, mara: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = rack.node()
    rack.workload("deployments", "web", node, 2, terminationGracePeriodSeconds=30)
    await rack.run(node, 2)
    change = await rack.drain(mara, node)
    evict = machine._evict
    sent: list[str] = []

    async def cut(*given: Any) -> bool:
        sent.append(given[1].name)
        await evict(*given)
        raise asyncio.CancelledError

    monkeypatch.setattr(machine, "_evict", cut)
    with pytest.raises(asyncio.CancelledError):
        await rack.move("first")
    assert {state for state, _ in (await rack.results(change)).values()} == {"running"}
    monkeypatch.setattr(machine, "_evict", evict)
    assert await rack.move("second") is None, "the first process may still be alive"
    later = datetime.now(UTC) + timedelta(seconds=LEASE_SECONDS + 1)
    assert await rack.move("second", later) is not None
    await Operation.objects.aupdate(held_until=datetime.now(UTC) + timedelta(seconds=60))
    assert (await rack.follow(change, "second")).state == "done"
    assert set(await rack.results(change)) == set(sent)


async def test_two_people_at_once_drain_it_once(rack: Rack, mara: Actor, jon: Actor) -> None:
    node = rack.node()
    rack.workload("deployments", "web", node)
    await rack.run(node, 1)
    tokens = [(await rack.preview(who, node)).token for who in (mara, jon)]
    change = await rack.apply(mara, node, tokens[0])
    with pytest.raises(DrainUnderWay):  # and not that the node was cordoned meanwhile
        await rack.apply(jon, node, tokens[1])
    await rack.begin(change)
    with pytest.raises(DrainUnderWay) as error:
        await rack.preview(jon, node)
    assert (error.value.change, "by mara" in error.value.message) == (change.pk, True)
    assert (await rack.follow(change)).state == "done"
    # What is cordoned already can still be drained.
    assert (await rack.preview(jon, node)).token


async def test_uncordoned_meanwhile_it_stops_and_undone_it_ends(
    rack: Rack, mara: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "AT_ONCE", 1)
    node = rack.node()
    rack.workload("deployments", "web", node, 2)
    await rack.run(node, 2)
    change = await rack.drain(mara, node)
    await rack.move()
    rack.api.patch(f"/api/v1/nodes/{node}", {"spec": {"unschedulable": False}})
    operation = await rack.follow(change)
    assert (operation.state, operation.steps[0]["state"]) == ("stopped", "failed")
    assert operation.steps[0]["text"] == f"{node} was uncordoned meanwhile. Cordon it to go on."
    rack.api.patch(f"/api/v1/nodes/{node}", {"spec": {"unschedulable": True}})
    await operation_resume(transport=rack.transport, actor=mara, change=change)
    shown = await change_undo_preview(
        kinds=KINDS, transport=rack.transport, actor=mara, change_id=change.pk, objects=await rack.objects()
    )
    assert "mara's drain stops" in [each.title for each in shown.preview.told.notices]
    undone = await change_undo_apply(
        kinds=KINDS, transport=rack.transport, actor=mara, change_id=change.pk, token=shown.preview.token
    )
    await sync_to_async(operation_replace)(undone)
    assert (await Operation.objects.aget(change=change)).state == "replaced"
    assert not rack.cordoned(node) and await rack.move() is None


async def test_a_right_that_is_missing_is_said_before_anything_is_cordoned(rack: Rack, mara: Actor) -> None:
    node = rack.node()
    rack.workload("deployments", "web", node)
    await rack.run(node, 1)
    admin = rack.transport
    role = {
        "metadata": {"name": node},
        "rules": [rule("", "nodes", "get", "patch"), rule("", "pods", "list")],
    }
    subject = {"kind": "ServiceAccount", "name": "reader", "namespace": rack.namespace}
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": node}
    rack.make(f"{RBAC}/clusterroles", role)
    binding = {"metadata": {"name": node}, "roleRef": ref, "subjects": [subject]}
    rack.make(f"{RBAC}/clusterrolebindings", binding)
    objects = await rack.objects()
    try:
        async with rack.restricted() as rack.transport:

            async def refused() -> str:
                try:
                    await acting.preview(
                        DRAIN, transport=rack.transport, actor=mara, namespace="", name=node, objects=objects
                    )
                except Forbidden as error:
                    return error.message
                except ApiError:
                    pass
                return ""

            said = await until(refused)
            assert said in (
                f"Your account may not create pods/eviction in namespace {rack.namespace}.",
                "Your account may not patch nodes.",
            )
    finally:
        rack.transport = admin
        for plural in ("clusterrolebindings", "clusterroles"):
            rack.api.delete(f"{RBAC}/{plural}/{node}")
    assert not rack.cordoned(node)
