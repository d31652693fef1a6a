"""Restoring five applications on a real API server: as they were, elsewhere, twice, over what was changed, after a
kill at every step, and out of an archive that wants more than it may.
"""

from __future__ import annotations

import asyncio
import io
import json
import secrets
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.management import call_command

from dashboard.actions import restore as machine
from dashboard.actions import restore_held, restore_steps
from dashboard.actions.action import Actor
from dashboard.actions.configmap_versions import versions_of
from dashboard.actions.confirmation import CANT_UNDO
from dashboard.actions.drill import drill_begin, drill_preview
from dashboard.actions.operation import Lost, Run, operation_advance
from dashboard.actions.operations import LEASE_SECONDS, operations_claim
from dashboard.actions.problems import Unconfirmed
from dashboard.actions.registry import action_of
from dashboard.actions.restore import RestoreOrder, restore_begin, restore_preview
from dashboard.actions.restored_pods import lowered_notices
from dashboard.errors import BadInput
from dashboard.kube.config import Cluster
from dashboard.kube.transport import Response, Transport
from dashboard.management.commands import backup
from dashboard.models import AuditEntry, Change, ConfigMapVersion, Operation, OperationResult
from dashboard.recovery.archive import Entry
from dashboard.recovery.choice import read_choice
from dashboard.recovery.cleaning import left_out
from dashboard.recovery.comparing import comparable
from dashboard.recovery.errors import WrongKey
from dashboard.recovery.restoring import CONFLICTS
from sandbox import Sandbox
from sandbox.api import Api, ApiError

from .applications import CANARIES, CANARIES_ENCODED, definition, install, present
from .archives import IDENTITY, KINDS, cluster_entry, objects_of, write_archive
from .place import Place, rule, until
from .stopping import STOPPED, stopped_way

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True)]


class NoObjects:
    """A restore reads nothing of the cache."""

    def all(self, plural: str, namespace: str | None = None) -> list[Any]:
        return []

    def get(self, plural: str, namespace: str, name: str) -> None:
        return None

    def reads(self, plural: str, namespace: str = "") -> bool:
        return True


def owners_of(body: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    return body["metadata"].get("ownerReferences") or ()


class Shop:
    """The five applications in a namespace, an archive of it, and restores of that."""

    def __init__(self, api: Api, transport: Transport, namespace: str, group: str, folder: Path) -> None:
        self.api, self.transport, self.namespace, self.group, self.folder = (
            api,
            transport,
            namespace,
            group,
            folder,
        )
        self.kinds = (*KINDS, (group, "v1", "backends", "Backend"))
        self.others: list[str] = []
        self.archive = ""

    def entries(self, namespace: str = "") -> list[Entry]:
        return objects_of(self.api, namespace or self.namespace, self.kinds)

    def backed_up(self, *more: Entry, encrypted: bool = True) -> None:
        self.archive = write_archive(self.folder, [*self.entries(), *more], encrypted=encrypted)

    def elsewhere(self) -> str:
        """A namespace that isn't there yet."""
        self.others.append(f"{self.namespace}-{secrets.token_hex(2)}")
        return self.others[-1]

    def order(self, who: Actor, **typed: Any) -> RestoreOrder:
        encrypted = self.archive.endswith(".age")
        identities = typed.pop("identities", (IDENTITY,) if encrypted else ())
        return RestoreOrder(
            transport=self.transport, actor=who, archive=self.archive, choice=read_choice(**typed),
            identities=identities,
        )  # fmt: skip

    async def begin(self, who: Actor, **typed: Any) -> Change:
        order = self.order(who, **typed)
        shown = await restore_preview(order)
        assert shown.token, [(each.key, each.does, each.text) for each in shown.plans]
        return await restore_begin(order, shown.token)

    async def move(self, holder: str = "a", now: datetime | None = None) -> None:
        for operation in await sync_to_async(operations_claim)(holder, now or datetime.now(UTC)):
            await operation_advance(
                action=action_of(operation.change), operation=operation, holder=holder,  # type: ignore[arg-type]
                transport=self.transport, objects=NoObjects(), now=datetime.now(UTC),
            )  # fmt: skip

    async def ended(self, change: Change, holder: str = "a") -> dict[str, tuple[str, str]]:
        """State, and word or text, of each row once the restore has ended."""

        async def done() -> bool:
            await self.move(holder)
            return (await Operation.objects.aget(change=change)).state != Operation.State.RUNNING

        await until(done, 120)
        return await self.rows(change)

    async def rows(self, change: Change) -> dict[str, tuple[str, str]]:
        operation = await Operation.objects.aget(change=change)
        return {
            each.data["key"].partition("/")[0] + "/" + each.name: (
                each.state,
                each.data.get("word") or each.text,
            )
            async for each in operation.results.all()
        }

    async def restored(self, who: Actor, **typed: Any) -> dict[str, tuple[str, str]]:
        return await self.ended(await self.begin(who, **typed))

    def delete(self, namespace: str = "") -> None:
        """The namespace, with all that is in it; waits until it is gone."""
        path = f"/api/v1/namespaces/{namespace or self.namespace}"
        self.api.delete(path)

    async def gone(self, namespace: str = "") -> None:
        path = f"/api/v1/namespaces/{namespace or self.namespace}"

        async def away() -> bool:
            return present(self.api, path) is None

        await until(away, 120)

    def differences(self, before: list[Entry], into: str = "") -> list[str]:
        """What of a backup is not there as it was."""
        found = []
        now = {(each.group, each.plural, each.name): each.body for each in self.entries(into)}
        uids = {(each["kind"], each["metadata"]["name"]): each["metadata"]["uid"] for each in now.values()}
        for each in before:
            if left_out(each.group, each.plural, each.body):
                continue
            name = (into or each.name) if each.plural == "namespaces" else each.name
            body = now.get((each.group, each.plural, name))
            if body is None:
                found.append(f"{each.path}: missing")
                continue
            owners = {uids.get((one["kind"], one["name"])) for one in owners_of(each.body)} - {None}
            if owners != {one["uid"] for one in owners_of(body)}:
                found.append(f"{each.path}: owned by {owners_of(body)}")
            one, other = (comparable(each.group, each.plural, one) for one in (each.body, body))
            for made in (one, other):
                made["metadata"].pop("namespace", None)
                made["metadata"].pop("ownerReferences", None)
            if into:
                text = str(one).replace(f"'{self.namespace}'", f"'{into}'")
                if text == str(other):
                    continue
            if one != other:
                found.append(f"{each.path}: {one}\n{other}")
        return found


@pytest.fixture
def shop(cluster: Sandbox, transport: Transport, namespace: str, tmp_path: Path) -> Iterator[Shop]:
    api, group = cluster.api(), f"{namespace}.example"
    api.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition(group))
    made = Shop(api, transport, namespace, group, tmp_path)
    yield made
    for name in made.others:
        if present(api, f"/api/v1/namespaces/{name}"):
            api.delete(f"/api/v1/namespaces/{name}")
    if present(api, f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/backends.{group}"):
        api.delete(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/backends.{group}")


@pytest.fixture
async def full(shop: Shop) -> AsyncIterator[Shop]:
    """With all five applications, and a backup of them."""

    async def served() -> bool:
        try:
            shop.api.get(f"/apis/{shop.group}/v1/namespaces/{shop.namespace}/backends")
        except ApiError:
            return False
        return True

    await until(served)
    install(shop.api, shop.namespace, shop.group)

    async def claimed() -> bool:
        """What the controllers make of them is there."""
        claim = present(
            shop.api, f"/api/v1/namespaces/{shop.namespace}/persistentvolumeclaims/data-database-0"
        )
        slices = shop.api.get(f"/apis/discovery.k8s.io/v1/namespaces/{shop.namespace}/endpointslices")[
            "items"
        ]
        return claim is not None and len(slices) >= 2

    await until(claimed)
    shop.backed_up()
    yield shop


async def test_a_namespace_that_was_deleted_comes_back_as_it_was(
    full: Shop, mara: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By an archive of the command that makes backups, without the logs that the sandbox keeps as objects."""

    async def tests(context: str) -> Cluster:
        return full.transport.cluster

    monkeypatch.setattr(backup, "_cluster", tests)
    out = io.StringIO()
    await asyncio.to_thread(
        call_command, "backup", "create", "--to", str(full.folder), "--namespace", full.namespace,
        "--recipient", str(IDENTITY.to_public()), "--exclude", "logs.kwok.x-k8s.io",
        "--format", "json", stdout=out, stderr=io.StringIO(),
    )  # fmt: skip
    made = json.loads(out.getvalue())
    assert (made["complete"], made["encrypted"]) == (True, True)
    full.archive = made["archive"]
    before = full.entries()
    full.delete()
    await full.gone()
    read = 0
    results = Run.results

    async def counted(run: Run, *states: str, **some: Any) -> list[OperationResult]:
        nonlocal read
        found = await results(run, *states, **some)
        read += len(found) if run.step["do"] == "check" else 0
        return found

    monkeypatch.setattr(restore_steps, "BATCH", 4)
    monkeypatch.setattr(Run, "results", counted)
    rows = await full.restored(mara)
    assert 0 < read <= len(rows), "the check reads no row again"
    assert {each: row for each, row in rows.items() if row[0] == "failed"} == {}
    assert full.differences(before) == []
    # Its addresses were free, so it has them again.
    (web,) = [each.body for each in before if (each.plural, each.name) == ("services", "web")]
    address = f"/api/v1/namespaces/{full.namespace}/services/web"
    now = full.api.get(address)
    for ports in ("clusterIP", "ports"):
        assert now["spec"][ports] == web["spec"][ports]

    # A second run changes nothing, once the sandbox has given the load balancer its address.
    async def addressed() -> bool:
        return bool(full.api.get(address)["status"]["loadBalancer"].get("ingress"))

    await until(addressed)
    versions = {each.path: each.body["metadata"]["resourceVersion"] for each in full.entries()}
    order = full.order(mara)
    shown = await restore_preview(order)
    assert {each.does for each in shown.plans} == {"same"}, [
        (each.key, each.does, each.text) for each in shown.plans if each.does != "same"
    ]
    assert shown.token == ""
    again = {each.path: each.body["metadata"]["resourceVersion"] for each in full.entries()}
    mine = [each.path for each in before if not left_out(each.group, each.plural, each.body)]
    moving = ("statefulsets", "deployments", "daemonsets", "horizontalpodautoscalers", "persistentvolumeclaims",
              "poddisruptionbudgets", "jobs", "ingresses")  # fmt: skip
    still = [path for path in mine if not any(f"/{plural}/" in path for plural in moving)]
    assert {path: versions[path] for path in still} == {path: again[path] for path in still}

    # No value of a Secret is in the database.
    kept = [str(each) async for each in Change.objects.values_list()]
    kept += [str(each) async for each in AuditEntry.objects.values_list()]
    operation = await Operation.objects.aget(change__action="restore")
    kept += [str(each) async for each in operation.results.values_list()]
    for canary in (*CANARIES, *CANARIES_ENCODED):
        assert not any(canary in text for text in kept)
    details = [each.detail async for each in AuditEntry.objects.filter(action="restore").order_by("pk")]
    assert details[0].endswith("begun.") and "written or equal" in details[-1]


async def test_into_another_namespace_beside_the_first(full: Shop, mara: Actor) -> None:
    before, other = full.entries(), full.elsewhere()
    maps = [f"{full.namespace}={other}"]
    await full.restored(mara, maps=maps, only=["namespaces", "configmaps"])

    async def differing(conflict: str) -> dict[str, str]:
        shown = await restore_preview(
            full.order(mara, maps=maps, only=["configmaps", *owning], conflict=conflict)
        )
        return {each.placed.name: each.text for each in shown.plans if each.does not in ("same", "create")}

    # Objects whose owners come later.
    owning = ["deployments", f"backends.{full.group}"]
    owners = {"web-cache": "Deployment web", "orders-state": "Backend orders"}
    assert await differing("update") == {
        name: f"{owner} becomes its owner once it is restored." for name, owner in owners.items()
    }
    assert await differing("leave") == {
        name: f"It exists and differs only in its owner, {owner}: it is left as it is."
        for name, owner in owners.items()
    }
    (web,) = [each.body["spec"] for each in before if (each.plural, each.name) == ("services", "web")]
    taken = [
        f"Its {what} {value} is in use: a new one is allocated."
        for what, value in (
            ("cluster IP", web["clusterIP"]), ("node port", web["ports"][0]["nodePort"]),
            ("health check node port", web["healthCheckNodePort"]),
        )
    ]  # fmt: skip
    for into in (other, full.elsewhere()):  # the second one is not there yet: nothing in it can be tried
        only = ["namespaces", "services/web"]
        shown = await restore_preview(full.order(mara, maps=[f"{full.namespace}={into}"], only=only))
        told = shown.plans[-1].text.replace(f" by Service {full.namespace}/web", "")
        assert [each for each in taken if each not in told] == [], told
    change = await full.begin(mara, maps=maps, conflict="update")
    rows = await full.ended(change)
    assert await differing("update") == {}, "a second run changes nothing"
    assert {each: row for each, row in rows.items() if row[0] == "failed"} == {}
    assert full.differences(before, other) == []
    assert full.differences(before) == [], "the first one stays as it was"
    binding = full.api.get(f"/apis/rbac.authorization.k8s.io/v1/namespaces/{other}/rolebindings/runner")
    assert binding["subjects"][0]["namespace"] == other
    operation = await Operation.objects.aget(change=change)
    (web,) = [each async for each in operation.results.filter(kind="Service", name="web")]
    assert web.text == " ".join(taken)
    settings = await OperationResult.objects.aget(name="web-settings", data__word="created")
    assert f"still name {full.namespace}" in settings.text


async def versions(shop: Shop, name: str) -> list[ConfigMapVersion]:
    """Those that are kept of a ConfigMap, the newest first."""
    uid = shop.api.get(f"/api/v1/namespaces/{shop.namespace}/configmaps/{name}")["metadata"]["uid"]
    return await sync_to_async(versions_of)(shop.transport.cluster.name, uid)


async def test_one_configmap_as_it_was(full: Shop, mara: Actor) -> None:
    path = f"/api/v1/namespaces/{full.namespace}/configmaps/web-settings"
    full.api.patch(path, {"data": {"LOG_LEVEL": "debug", "NEW": "1"}})
    full.api.patch(
        f"/api/v1/namespaces/{full.namespace}/configmaps/report", {"data": {"query.sql": "select 2"}}
    )
    rows = await full.restored(mara, only=["configmaps/web-settings"], conflict="update")
    assert rows == {"configmaps/web-settings": ("done", "updated")}
    assert full.api.get(path)["data"] == {
        "LOG_LEVEL": "info",
        "DATABASE": f"database.{full.namespace}.svc:3306",
    }
    report = full.api.get(f"/api/v1/namespaces/{full.namespace}/configmaps/report")
    assert report["data"] == {"query.sql": "select 2"}
    made, found = await versions(full, "web-settings")
    change = await Change.objects.aget(action="restore")
    assert (made.by, made.change_id, found.change_id) == ("mara", change.pk, None)
    assert made.keys["changed"] == [["LOG_LEVEL", "changed"], ["NEW", "removed"]]
    assert made.at >= change.created_at


async def test_what_kubectl_applied_is_taken_away_by_it_after_a_restore_too(
    full: Shop, mara: Actor, cluster: Sandbox
) -> None:
    def apply(**data: str) -> None:
        settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"}, "data": data}
        command = [
            cluster.kubectl,
            "--kubeconfig",
            cluster.kubeconfig,
            "-n",
            full.namespace,
            "apply",
            "-f",
            "-",
        ]
        subprocess.run(command, input=json.dumps(settings), text=True, check=True, capture_output=True)

    path = f"/api/v1/namespaces/{full.namespace}/configmaps/applied"
    apply(kept="1", dropped="2")
    full.backed_up()
    full.api.delete(path)
    rows = await full.restored(mara, only=["configmaps/applied"])
    assert rows == {"configmaps/applied": ("done", "created")}
    apply(kept="1")
    assert full.api.get(path)["data"] == {"kept": "1"}


async def test_what_differs_is_left_updated_or_refuses_the_restore(full: Shop, mara: Actor) -> None:
    config = f"/api/v1/namespaces/{full.namespace}/configmaps"
    full.api.patch(f"{config}/web-settings", {"data": {"LOG_LEVEL": "debug"}})
    full.api.delete(f"{config}/report")
    only = {"only": ["configmaps"]}

    order = full.order(mara, **only, conflict="refuse")
    shown = await restore_preview(order)
    assert shown.token == ""
    assert [each.placed.name for each in machine.stops(shown.plans, order.choice)] == ["web-settings"]
    assert present(full.api, f"{config}/report") is None

    rows = await full.restored(mara, **only, conflict="leave")
    assert (rows["configmaps/web-settings"], rows["configmaps/report"]) == (
        ("left", "left"),
        ("done", "created"),
    )
    (first,) = await versions(full, "report")
    assert (first.by, first.number) == ("mara", 1), "another object begins anew"
    assert await versions(full, "web-settings") == [], "what is left is not read for it"
    assert full.api.get(f"{config}/web-settings")["data"]["LOG_LEVEL"] == "debug"

    full.api.patch(f"{config}/report", {"data": {"query.sql": "select 2"}})
    one = {f"configmaps/{full.namespace}/report": "leave"}
    rows = await full.restored(mara, **only, conflict="update", each=one)
    assert (rows["configmaps/web-settings"], rows["configmaps/report"]) == (
        ("done", "updated"),
        ("left", "left"),
    )
    assert full.api.get(f"{config}/web-settings")["data"]["LOG_LEVEL"] == "info"


async def test_claims_that_go_with_fewer_replicas_are_told_and_ask_for_the_namespace(
    full: Shop, mara: Actor
) -> None:
    database = f"/apis/apps/v1/namespaces/{full.namespace}/statefulsets/database"
    kept = {"persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete"}}
    was = full.api.patch(database, {"spec": kept})["spec"]["replicas"]
    full.backed_up()
    full.api.patch(database, {"spec": {"replicas": was + 1}})
    order = full.order(mara, only=["statefulsets"], conflict="update")
    shown = await restore_preview(order)
    assert shown.confirm == CANT_UNDO
    assert [each.title for each in lowered_notices(shown.plans)] == [
        "Claims are deleted",
        "It lowers the number of replicas",
    ]
    for confirm in ("", order.cluster.name):
        with pytest.raises(Unconfirmed, match=f"Type {full.namespace}: this can't be undone"):
            await restore_begin(replace(order, confirm=confirm), shown.token)
    assert full.api.get(database)["spec"]["replicas"] == was + 1
    change = await restore_begin(replace(order, confirm=full.namespace), shown.token)
    assert list((await full.ended(change)).values()).count(("done", "updated")) == 1
    assert full.api.get(database)["spec"]["replicas"] == was


class Busy:
    """A transport of a cluster whose controllers write the status of a StatefulSet before each of so many updates."""

    def __init__(self, transport: Transport, api: Api, path: str, times: int) -> None:
        self.transport, self.api, self.path, self.times = transport, api, path, times
        self.updates = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)

    async def request(self, method: Any, *args: Any, **named: Any) -> Response:
        if method == "PUT":
            self.updates += 1
            if self.updates <= self.times:
                revision = f"revision-{secrets.token_hex(4)}"
                self.api.patch(f"{self.path}/status", {"status": {"updateRevision": revision}})
        return await self.transport.request(method, *args, **named)


async def test_a_status_that_is_written_meanwhile_is_no_conflict(full: Shop, mara: Actor) -> None:
    database = f"/apis/apps/v1/namespaces/{full.namespace}/statefulsets/database"
    was = full.api.get(database)["spec"]["replicas"]
    full.backed_up()
    full.api.patch(database, {"spec": {"replicas": was + 1}})
    transport = full.transport
    wish = {"only": ["statefulsets"], "conflict": "update"}

    full.transport = Busy(transport, full.api, database, 10**9)  # type: ignore[assignment]
    (never,) = (await restore_preview(full.order(mara, **wish))).plans
    assert (never.does, full.transport.updates) == ("refused", CONFLICTS + 1)  # type: ignore[attr-defined]

    full.transport = Busy(transport, full.api, database, 2)  # type: ignore[assignment]
    change = await full.begin(mara, **wish)
    full.transport.updates = 0  # type: ignore[attr-defined]
    rows = await full.ended(change)
    assert rows["statefulsets.apps/database"] == ("done", "updated")
    assert full.api.get(database)["spec"]["replicas"] == was


async def test_what_changed_after_the_preview_stops_it_before_any_write(full: Shop, mara: Actor) -> None:
    config = f"/api/v1/namespaces/{full.namespace}/configmaps"
    full.api.patch(f"{config}/web-settings", {"data": {"LOG_LEVEL": "debug"}})
    full.api.delete(f"{config}/report")
    change = await full.begin(mara, only=["configmaps"], conflict="update")
    full.api.patch(f"{config}/web-settings", {"data": {"LOG_LEVEL": "trace"}})
    await full.ended(change)
    operation = await Operation.objects.aget(change=change)
    assert operation.state == Operation.State.STOPPED
    assert "changed since the preview" in operation.steps[0]["text"]
    assert present(full.api, f"{config}/report") is None
    assert full.api.get(f"{config}/web-settings")["data"]["LOG_LEVEL"] == "trace"


@pytest.mark.parametrize("again", [False, True])
async def test_what_was_deleted_or_recreated_after_the_preview_stops_it(
    full: Shop, mara: Actor, again: bool
) -> None:
    config = f"/api/v1/namespaces/{full.namespace}/configmaps"
    full.api.patch(f"{config}/web-settings", {"data": {"LOG_LEVEL": "debug"}})
    full.api.delete(f"{config}/report")
    change = await full.begin(mara, only=["configmaps"], conflict="update")
    full.api.delete(f"{config}/web-settings")
    if again:
        full.api.post(config, {"metadata": {"name": "web-settings"}, "data": {"LOG_LEVEL": "trace"}})
    await full.ended(change)
    operation = await Operation.objects.aget(change=change)
    assert operation.state == Operation.State.STOPPED
    assert "changed since the preview" in operation.steps[0]["text"]
    assert present(full.api, f"{config}/report") is None
    assert (present(full.api, f"{config}/web-settings") is not None) is again


async def test_what_rights_policy_and_quota_refuse_is_told_by_the_preview(
    full: Shop, cluster: Sandbox, mara: Actor, stopped: str
) -> None:
    full.api.delete(f"/api/v1/namespaces/{full.namespace}/configmaps/report")
    only = {"only": ["configmaps"]}

    async def refused(transport: Transport) -> dict[str, str]:
        order = replace(full.order(mara, **only), transport=transport)
        shown = await restore_preview(order)
        return {each.placed.name: each.text for each in shown.plans if each.does == "refused"}

    place = Place(cluster, full.transport, full.namespace)
    async with place.restricted(rule("", "configmaps", "get")) as reader:
        said = await refused(reader)
        assert "allow: create configmaps in namespace" in said["report"], said
    async with stopped_way(full.transport, full.namespace, stopped) as transport:
        assert STOPPED in (await refused(transport))["report"]
    quota = {"metadata": {"name": "none"}, "spec": {"hard": {"count/configmaps": "0"}}}
    full.api.post(f"/api/v1/namespaces/{full.namespace}/resourcequotas", quota)

    async def counted() -> bool:
        return "exceeded quota: none" in (await refused(full.transport)).get("report", "")

    await until(counted)
    assert present(full.api, f"/api/v1/namespaces/{full.namespace}/configmaps/report") is None


async def test_a_kill_at_every_step_of_the_journal(
    full: Shop, mara: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ends right before and right after each of its records; another one goes on."""
    before = full.entries()
    monkeypatch.setattr(restore_steps, "AT_ONCE", 5)
    at, kills = 0, 0
    while True:
        into = full.elsewhere()
        change = await full.begin(mara, maps=[f"{full.namespace}={into}"], only=KILLED)
        at += 1
        if not await killed_at(full, monkeypatch, at):
            break
        kills += 1
        later = datetime.now(UTC) + timedelta(seconds=LEASE_SECONDS + 1)
        await full.move("b", later)
        rows = await full.ended(change, "b")
        assert {each: row for each, row in rows.items() if row[0] != "done"} == {}, at
        assert {word for _, word in rows.values()} <= {"created"}, (at, rows)
        mine = [each for each in before if not {each.plural, f"{each.plural}/{each.name}"}.isdisjoint(KILLED)]
        assert full.differences(mine, into) == [], at
    await full.ended(change)
    assert kills >= 8, "each batch is recorded before and after it is sent"


# Of the two ConfigMaps one owns the other: the batch of their kind is written at once, so that is named at the end.
KILLED = ["namespaces", "configmaps/orders-cache", "configmaps/orders-state", "services"]


class Killed(BaseException):
    """The process ends here."""


async def killed_at(full: Shop, monkeypatch: pytest.MonkeyPatch, at: int) -> bool:
    """Moves as process "a" until its record number ``at`` (counted before and after each); whether it came to that."""
    count = 0
    with monkeypatch.context() as patch:
        for name in ("save", "record"):
            recorded = getattr(restore_steps.Run, name)

            async def stopping(run: Any, *args: Any, recorded: Any = recorded) -> None:
                nonlocal count
                count += 1
                if count == at:
                    raise Killed
                await recorded(run, *args)
                count += 1
                if count == at:
                    raise Killed

            patch.setattr(restore_steps.Run, name, stopping)
        try:
            for _ in range(50):
                await full.move()
                if not await Operation.objects.filter(state=Operation.State.RUNNING).aexists():
                    return False
        except Killed:
            return True
        except Lost:
            return True
    return False


async def test_a_key_that_was_typed_ends_with_its_process(full: Shop, mara: Actor) -> None:
    with pytest.raises(WrongKey):
        await restore_preview(full.order(mara, identities=()))
    into = full.elsewhere()
    change = await full.begin(mara, maps=[f"{full.namespace}={into}"], only=["namespaces", "secrets"])
    restore_held._kept.clear()  # another process
    await full.ended(change)
    operation = await Operation.objects.aget(change=change)
    assert (
        operation.state == Operation.State.STOPPED and "Start the restore again" in operation.steps[0]["text"]
    )
    assert str(IDENTITY) not in str(operation.steps) + str(change.result)


async def test_a_hostile_archive_writes_nothing_that_was_not_asked_for(full: Shop, mara: Actor) -> None:
    """A role for everything, a webhook, an account in kube-system: all of them with names that are free."""
    name, rbac = f"evil-{full.namespace}", "rbac.authorization.k8s.io"
    role = {
        "apiVersion": f"{rbac}/v1", "kind": "ClusterRole", "metadata": {"name": name},
        "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}],
    }  # fmt: skip
    binding = {
        "apiVersion": f"{rbac}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": name},
        "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "Group", "name": "system:authenticated", "apiGroup": rbac}],
    }  # fmt: skip
    hook = {
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": name}, "webhooks": [],
    }  # fmt: skip
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": name, "namespace": "kube-system"},
    }
    full.backed_up(
        cluster_entry(rbac, "v1", "clusterroles", role),
        cluster_entry(rbac, "v1", "clusterrolebindings", binding),
        cluster_entry("admissionregistration.k8s.io", "v1", "mutatingwebhookconfigurations", hook),
        cluster_entry("", "v1", "serviceaccounts", account),
    )
    full.api.delete(f"/api/v1/namespaces/{full.namespace}/configmaps/report")
    rows = await full.restored(mara)
    assert rows["configmaps/report"] == ("done", "created")
    for plural in (f"clusterroles.{rbac}", f"clusterrolebindings.{rbac}", "serviceaccounts"):
        assert f"{plural}/{name}" not in rows
    for path in (
        f"/apis/{rbac}/v1/clusterroles", f"/apis/{rbac}/v1/clusterrolebindings",
        "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
        "/api/v1/namespaces/kube-system/serviceaccounts",
    ):  # fmt: skip
        assert present(full.api, f"{path}/{name}") is None
    # Asked for by its kind, it is written.
    try:
        rows = await full.restored(mara, cluster_kinds=[f"clusterroles.{rbac}"], only=["clusterroles"])
        assert rows == {f"clusterroles.{rbac}/{name}": ("done", "created")}
    finally:
        full.api.delete(f"/apis/{rbac}/v1/clusterroles/{name}")


async def test_a_kind_comes_back_with_its_objects(full: Shop, mara: Actor) -> None:
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/backends.{full.group}"
    kind = full.api.get(path) | {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
    kind["metadata"].pop("managedFields", None)
    full.backed_up(cluster_entry("apiextensions.k8s.io", "v1", "customresourcedefinitions", kind))
    full.api.delete(path)

    async def away() -> bool:
        return present(full.api, path) is None

    await until(away, 120)
    chosen = ["customresourcedefinitions.apiextensions.k8s.io"]
    only = ["customresourcedefinitions", f"backends.{full.group}"]
    rows = await full.restored(mara, cluster_kinds=chosen, only=only)
    assert {state for state, _ in rows.values()} == {"done"}, rows
    found = full.api.get(f"/apis/{full.group}/v1/namespaces/{full.namespace}/backends/orders")
    assert found["spec"] == {"size": 3, "nested": {"empty": {}, "text": ""}}


async def test_the_same_token_begins_once_and_another_ones_not_at_all(
    full: Shop, mara: Actor, jon: Actor
) -> None:
    full.api.delete(f"/api/v1/namespaces/{full.namespace}/configmaps/report")
    order = full.order(mara, only=["configmaps"])
    shown = await restore_preview(order)
    one, other = await asyncio.gather(restore_begin(order, shown.token), restore_begin(order, shown.token))
    assert one.pk == other.pk
    with pytest.raises(BadInput):
        await restore_begin(full.order(jon, only=["configmaps"]), shown.token)
    with pytest.raises(BadInput):
        await restore_begin(full.order(mara, only=["secrets"]), shown.token)
    await full.ended(one)


async def test_a_drill_restores_compares_and_takes_all_of_it_away(full: Shop, mara: Actor) -> None:
    before = {each.path: each.body["metadata"]["uid"] for each in full.entries()}
    order = full.order(mara, namespaces=[full.namespace])
    shown = await drill_preview(order)
    assert shown.namespaces == (full.namespace,)
    change = await drill_begin(order, shown.token)
    (scratch,) = change.result["drill"].values()
    full.others.append(scratch)

    async def written() -> bool:
        await full.move()
        operation = await Operation.objects.aget(change=change)
        return bool(operation.steps[2]["state"] == "done")

    await until(written, 120)
    apps = f"/apis/apps/v1/namespaces/{scratch}"
    assert full.api.get(f"{apps}/deployments/web")["spec"]["replicas"] == 0
    assert full.api.get(f"/api/v1/namespaces/{scratch}/pods")["items"] == []
    assert present(full.api, f"/apis/networking.k8s.io/v1/namespaces/{scratch}/ingresses/web") is None
    assert present(full.api, f"/apis/{full.group}/v1/namespaces/{scratch}/backends/orders") is None
    rows = await full.ended(change)
    assert {each: row for each, row in rows.items() if row[0] == "failed"} == {}
    assert (rows["ingresses.networking.k8s.io/web"], rows[f"backends.{full.group}/orders"]) == (
        ("done", "tried"),
    ) * 2
    operation = await Operation.objects.aget(change=change)
    assert operation.state == Operation.State.DONE
    assert operation.steps[3]["failed"] == 0 and operation.steps[3]["equal"] >= 15
    assert present(full.api, f"/api/v1/namespaces/{scratch}") is None
    after = {each.path: each.body["metadata"]["uid"] for each in full.entries()}
    assert {path: after.get(path) for path in before if "/events/" not in path} == {
        path: uid for path, uid in before.items() if "/events/" not in path
    }
    said = [each.detail async for each in AuditEntry.objects.filter(action="drill").order_by("pk")]
    assert "equal to the backup" in said[-1]


async def test_a_drill_tells_which_right_is_missing_and_what_a_policy_refuses(
    full: Shop, cluster: Sandbox, mara: Actor, stopped: str
) -> None:
    owner, place = full.transport, Place(cluster, full.transport, full.namespace)

    async def said(transport: Transport) -> str:
        full.transport = transport
        order = full.order(mara, namespaces=[full.namespace])
        change = await drill_begin(order, (await drill_preview(order)).token)
        await full.ended(change)
        full.transport = owner
        assert all(
            present(full.api, f"/api/v1/namespaces/{name}") is None
            for name in change.result["drill"].values()
        )
        return str((await Operation.objects.aget(change=change)).steps[0]["text"])

    async with place.restricted(rule("", "configmaps", "get", "create")) as reader:
        assert 'cannot create resource "namespaces"' in await said(reader)
    async with stopped_way(owner, full.namespace, stopped) as transport:
        assert STOPPED in await said(transport)


async def test_a_drill_that_fails_leaves_nothing(full: Shop, mara: Actor) -> None:
    order = full.order(mara, namespaces=[full.namespace])
    change = await drill_begin(order, (await drill_preview(order)).token)
    (scratch,) = change.result["drill"].values()

    async def made() -> bool:
        await full.move()
        return (await Operation.objects.aget(change=change)).steps[0]["state"] == "done"

    await until(made)
    assert present(full.api, f"/api/v1/namespaces/{scratch}") is not None
    restore_held._kept.clear()  # the process ends, and the key with it
    await full.ended(change)
    operation = await Operation.objects.aget(change=change)
    assert [each["state"] for each in operation.steps] == ["done", "left", "left", "left", "done"]
    assert present(full.api, f"/api/v1/namespaces/{scratch}") is None
