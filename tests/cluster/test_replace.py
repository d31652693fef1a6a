"""Replacing a ConfigMap of a real API server: everybody who names it is pointed to the new one, one after the other; what
is refused, what changes meanwhile, a process that ends in the middle, and the way back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.test import AsyncClient

from dashboard.actions import engine, replacing, rollout_steps
from dashboard.actions.configmap_values import digest
from dashboard.actions.operation import operation_advance
from dashboard.actions.operations import LEASE_SECONDS, operation_begin, operations_claim
from dashboard.actions.replace import REPLACE
from dashboard.kinds import KINDS
from dashboard.kube.transport import Transport
from dashboard.models import AuditEntry, Change, ConfigMapVersion, Operation
from sandbox import Sandbox
from tests.formed import Script, open_forms

from .place import Place, on, rule, until

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True)]

ENDED = ("done", "stopped", "replaced")
ENV = [{"name": "LEVEL", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "LOG"}}}]
NEEDS = {"requires.sandbox.cluster-ui.dev/LEVEL": "info|debug"}
FILES = {"name": "conf", "configMap": {"name": "settings"}}
PROJECTED = {
    "name": "all",
    "projected": {"sources": [{"configMap": {"name": "settings"}}, {"downwardAPI": {}}]},
}
OTHER = {"name": "other", "configMap": {"name": "other", "optional": True}}


class Shop(Place):
    """A namespace with an immutable ConfigMap "settings" and whoever is made to use it; mara's way to its forms."""

    reads = REPLACE.reads | REPLACE.follows
    action = REPLACE
    client: AsyncClient
    session: SimpleNamespace

    @property
    def apps(self) -> str:
        return f"/apis/apps/v1/namespaces/{self.namespace}"

    @property
    def maps(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/configmaps"

    def workload(
        self, name: str, plural: str = "deployments", replicas: int = 1, meta: Any = None, **pod: Any
    ) -> None:
        labels = {"app": name}
        container = {"name": "app", "image": "app:1", "env": ENV} | pod.pop("container", {})
        template = {
            "metadata": {"labels": labels, "annotations": NEEDS},
            "spec": {"containers": [container], "terminationGracePeriodSeconds": 1} | pod,
        }
        body: dict[str, Any] = {"selector": {"matchLabels": labels}, "template": template}
        if plural != "daemonsets":
            body["replicas"] = replicas
        if plural == "statefulsets":
            body["serviceName"] = name
        self.api.post(f"{self.apps}/{plural}", {"metadata": {"name": name} | (meta or {}), "spec": body})

    def cronjob(self, name: str) -> None:
        pod = {"containers": [{"name": "app", "image": "app:1", "env": ENV}], "restartPolicy": "Never"}
        spec = {"schedule": "0 6 31 12 *", "jobTemplate": {"spec": {"template": {"spec": pod}}}}
        self.make("/apis/batch/v1/namespaces/{ns}/cronjobs", {"metadata": {"name": name}, "spec": spec})

    def template(self, name: str, plural: str = "deployments") -> dict[str, Any]:
        return dict(self.api.get(f"{self.apps}/{plural}/{name}")["spec"]["template"])

    def uses(self, name: str, plural: str = "deployments") -> str:
        return str(
            self.template(name, plural)["spec"]["containers"][0]["env"][0]["valueFrom"]["configMapKeyRef"][
                "name"
            ]
        )

    def configmaps(self) -> set[str]:
        return {each["metadata"]["name"] for each in self.api.get(self.maps)["items"]} - {"kube-root-ca.crt"}

    async def up(self, *names: str, plural: str = "deployments") -> None:
        async def check() -> bool:
            found = [self.api.get(f"{self.apps}/{plural}/{name}") for name in names]
            return all(
                each.get("status", {}).get("readyReplicas", 0) == each["spec"]["replicas"] for each in found
            )

        await until(check, 120)

    async def label_web(self) -> None:
        """What an admission policy refuses once it is known."""
        await self.session.transport.request(
            "PATCH", KINDS["deployments"].gvr, namespace=self.namespace, name="web", query={"dryRun": "All"},
            body=b'{"metadata":{"labels":{"a":"b"}}}', content_type="application/merge-patch+json",
        )  # fmt: skip

    def script(self, name: str = "settings", **typed: str) -> Script:
        typed = {"row": "new", "nnew": "LEVEL", "tnew": "1"} | typed
        return Script(self.client, f"/c/sandbox/configmaps/{self.namespace}/{name}/replace/", typed)

    async def look(self) -> None:
        self.session.reader = await self.objects()

    async def preview(self, **typed: str) -> dict[str, Any]:
        await self.look()
        return await self.script(**typed).preview()

    async def apply(self, token: str, **typed: str) -> Change:
        return await Change.objects.select_related("user").aget(
            pk=(await self.script(**typed).apply(token))["change"]
        )

    async def replace(self, **typed: str) -> Change:
        change = await self.apply((await self.preview(**typed))["token"], **typed)
        await self.begin(change)
        return change

    async def undo(self, change: Change) -> Change:
        await self.look()
        undo = Script(self.client, f"/changes/{change.pk}/undo/", {})
        made = await undo.apply((await undo.preview())["token"])
        undone = await Change.objects.select_related("user").aget(pk=made["change"])
        await self.begin(undone)
        return undone

    async def begin(self, change: Change) -> None:
        await operation_begin(
            change=change, action=self.action, transport=self.session.transport, objects=await self.objects()
        )

    async def move(self, holder: str = "a", now: datetime | None = None) -> Operation | None:
        """One move by one process; what it then holds."""
        claimed = await sync_to_async(operations_claim)(holder, now or datetime.now(UTC))
        for one in claimed:
            await operation_advance(
                operation=one, action=self.action, holder=holder, transport=self.session.transport,
                objects=await self.objects(), now=datetime.now(UTC),
            )  # fmt: skip
        return claimed[0] if claimed else None

    async def follow(self, change: Change, holder: str = "a") -> Operation:
        """The operation, once it has ended."""

        async def ended() -> Operation | None:
            await self.move(holder)
            found = await Operation.objects.aget(change=change)
            return found if found.state in ENDED else None

        found: Operation = await until(ended, 120)
        return found


def told(shown: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {each["text"]: each for each in shown["effects"]}


def ends(operation: Operation) -> dict[str, str]:
    return {step["name"]: step["state"] for step in operation.steps}


@pytest.fixture
async def shop(
    cluster: Sandbox, transport: Transport, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> Shop:
    monkeypatch.setattr(rollout_steps, "SETTLES_SECONDS", 1.0)
    monkeypatch.setattr(rollout_steps, "HANGS_SECONDS", 3.0)
    here = Shop(cluster, transport, namespace)
    meta = {"name": "settings", "labels": {"team": "shop"}, "annotations": {"note": "kept by hand"}}
    here.api.post(here.maps, {"metadata": meta, "data": {"LOG": "info"}, "immutable": True})
    here.client = AsyncClient()
    await here.client.aforce_login(await User.objects.acreate(username="mara"))
    here.session = open_forms(monkeypatch, transport, None)
    return here


async def test_all_who_use_it_are_pointed_to_the_new_one_and_back(shop: Shop) -> None:
    shop.workload("web", replicas=2, volumes=[FILES, PROJECTED, OTHER])
    shop.workload("queue", "statefulsets", container={"envFrom": [{"configMapRef": {"name": "settings"}}]})
    shop.cronjob("nightly")
    shop.workload("charted", meta={"annotations": {"meta.helm.sh/release-name": "shop"}})
    pod = {"containers": [{"name": "app", "image": "app:1", "env": ENV}]}
    shop.make("/api/v1/namespaces/{ns}/pods", {"metadata": {"name": "lone"}, "spec": pod})
    await shop.up("web", "charted")
    await shop.up("queue", plural="statefulsets")
    before = {
        plural: shop.template(name, plural)
        for plural, name in (("deployments", "web"), ("statefulsets", "queue"))
    }

    shown = await shop.preview()
    effects = told(shown)
    assert "ConfigMap settings-2 is created" in effects
    assert effects["StatefulSet queue: env LEVEL, envFrom"]["word"] == "stage 1", "the fewest pods first"
    unmounted = "files that no container mounts, files of a projected volume that no container mounts"
    web = f"Deployment web: env LEVEL, {unmounted}"
    assert effects[web]["word"] == "stage 2" and "2 pods are replaced" in effects[web]["note"]
    assert effects["CronJob nightly: env LEVEL"]["word"] == "from its next run"
    assert "Helm may change this back" in effects["Deployment charted: env LEVEL"]["note"]
    assert "create it again" in effects["Pod lone: env LEVEL"]["note"]
    assert "still use it" in effects["ConfigMap settings stays as it is"]["note"]
    assert shop.configmaps() == {"settings"}

    change = await shop.apply(shown["token"])
    made = shop.api.get(f"{shop.maps}/settings-2")
    assert (made["data"], made["immutable"]) == ({"LOG": "info", "LEVEL": "1"}, True)
    assert made["metadata"]["labels"] == {"team": "shop"} and "annotations" not in made["metadata"]
    version = await ConfigMapVersion.objects.aget(uid=made["metadata"]["uid"])
    assert version.by == "mara"
    # A second submit is the same change, also when its steps are under way.
    await shop.begin(change)
    assert (await shop.apply(shown["token"])).pk == change.pk
    status, answer = await shop.script().post(step="preview")
    assert (status, answer["error"]["title"]) == (409, "A replacement is under way")

    assert (await shop.follow(change)).state == "done"
    assert ends(await Operation.objects.aget(change=change)) == {
        "queue": "done",
        "web": "done",
        "nightly": "done",
    }
    spec = shop.template("web")["spec"]
    assert spec["volumes"][0]["configMap"]["name"] == "settings-2"
    assert spec["volumes"][1]["projected"]["sources"][0]["configMap"]["name"] == "settings-2"
    assert spec["volumes"][2]["configMap"]["name"] == "other"
    assert shop.template("queue", "statefulsets")["spec"]["containers"][0]["envFrom"][0]["configMapRef"] == {
        "name": "settings-2"
    }
    assert (shop.uses("web"), shop.uses("charted")) == ("settings-2", "settings")
    each = await sync_to_async(
        lambda: list(Change.objects.filter(action="repoint").values_list("name", "state"))
    )()
    assert sorted(each) == [("nightly", "done"), ("queue", "done"), ("web", "done")]

    undone = await shop.undo(change)
    operation = await shop.follow(undone)
    assert operation.state == "done"
    assert list(ends(operation).items()) == [
        ("nightly", "done"),
        ("web", "done"),
        ("queue", "done"),
        ("settings-2", "done"),
    ]
    for (plural, template), name in zip(before.items(), ("web", "queue"), strict=True):
        assert shop.template(name, plural) == template
    assert shop.configmaps() == {"settings"}
    details = await sync_to_async(
        lambda: list(AuditEntry.objects.filter(action="replace").values_list("detail", flat=True))
    )()
    assert details[0] == "Created ConfigMap settings-2, and 3 objects to use it"
    status, answer = await Script(shop.client, f"/changes/{undone.pk}/undo/", {}).post(step="preview")
    assert status == 409 and "replace settings again" in answer["error"]["text"]


async def test_it_stops_at_the_first_that_does_not_come_up_and_is_put_back(shop: Shop) -> None:
    shop.workload("web")
    shop.workload("mail", replicas=2)
    await shop.up("web", "mail")
    values = shop.api.get(f"{shop.maps}/settings")["data"]["LOG"]
    row = {
        "row": f"1 data {digest(values.encode())} LOG",
        "n1": "LOG",
        "t1": "loud",
        "new_name": "settings-loud",
    }
    change = await shop.replace(**row)
    operation = await shop.follow(change)
    assert operation.state == "stopped" and ends(operation) == {"web": "failed", "mail": "waiting"}
    assert (shop.uses("web"), shop.uses("mail")) == ("settings-loud", "settings")
    undone = await shop.follow(await shop.undo(change))
    assert undone.state == "done" and ends(undone) == {"web": "done", "settings-loud": "done"}
    assert shop.uses("web") == "settings" and shop.configmaps() == {"settings"}
    assert (await Operation.objects.aget(change=change)).state == "stopped"


async def test_what_changes_meanwhile_is_left_and_told(shop: Shop) -> None:
    for name in ("changed", "deleted", "recreated", "same"):
        shop.workload(name, replicas=0)
    shown = await shop.preview()
    token = shown["token"]
    deployments = f"{shop.apps}/deployments"
    env = {"name": "LEVEL", "value": "info", "valueFrom": None}
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "app", "env": [env]}]}}}}
    shop.api.patch(f"{deployments}/changed", patch, content_type="application/strategic-merge-patch+json")
    for name in ("deleted", "recreated"):
        shop.api.delete(f"{deployments}/{name}")
    shop.workload("recreated", replicas=0)
    change = await shop.apply(token)
    await shop.begin(change)
    operation = await shop.follow(change)
    said = {step["name"]: step["text"] for step in operation.steps}
    assert ends(operation) == {"changed": "left", "deleted": "left", "recreated": "left", "same": "done"}
    assert "does not use settings any more" in said["changed"] and "recreated meanwhile" in said["recreated"]
    assert shop.uses("recreated") == "settings"
    # The new one is used elsewhere by now: an undo leaves it.
    shop.workload("newcomer", replicas=0, container={"envFrom": [{"configMapRef": {"name": "settings-2"}}]})
    undone = await shop.follow(await shop.undo(change))
    assert ends(undone) == {"same": "done", "settings-2": "left"}
    assert "Deployment newcomer" in undone.steps[-1]["text"] and "settings-2" in shop.configmaps()


async def test_a_conflict_of_the_old_one_or_of_the_name_writes_nothing(shop: Shop) -> None:
    token = (await shop.preview())["token"]
    shop.api.post(shop.maps, {"metadata": {"name": "settings-2"}})
    status, answer = await shop.script().post(step="apply", token=token)
    assert status == 409 and "ConfigMap settings-2 was created" in answer["error"]["text"]
    status, answer = await shop.script(new_name="settings-2").post(step="preview")
    assert (status, answer["error"]["field"]) == (400, "new_name")
    status, answer = await shop.script(new_name="No Name").post(step="preview")
    assert (status, answer["error"]["field"]) == (400, "new_name")
    token = (await shop.preview(new_name="settings-3"))["token"]
    shop.api.delete(f"{shop.maps}/settings")
    shop.api.post(shop.maps, {"metadata": {"name": "settings"}, "data": {"LOG": "info"}, "immutable": True})
    status, answer = await shop.script(new_name="settings-3").post(step="apply", token=token)
    assert status == 409 and "deleted and recreated" in answer["error"]["text"]
    shop.api.delete(f"{shop.maps}/settings")
    status, _ = await shop.script(new_name="settings-3").post(step="apply", token=token)
    assert status == 404
    assert shop.configmaps() == {"settings-2"}


async def test_what_the_api_server_warns_of_a_consumer_is_told_once(shop: Shop) -> None:
    for name in ("web", "api"):
        shop.workload(name, replicas=0)
    shop.cronjob("nightly")
    labels = {"pod-security.kubernetes.io/warn": "restricted"}
    shop.api.patch(f"/api/v1/namespaces/{shop.namespace}", {"metadata": {"labels": labels}})

    async def warned() -> list[dict[str, str]]:
        shown = await shop.preview()
        return [each for each in shown["notices"] if each["title"].startswith("The API server warns of ")]

    said = await until(warned)  # the label may be new to one of its caches
    titles = " ".join(each["title"] for each in said)
    assert {"Deployment web", "Deployment api", "CronJob nightly"} == {
        name for name in ("Deployment web", "Deployment api", "CronJob nightly") if name in titles
    }
    assert all("would violate PodSecurity" in each["text"] for each in said)
    assert len({each["text"] for each in said}) == len(said)


async def test_its_kubectl_command_makes_the_same_and_points_all_to_it(shop: Shop, tmp_path: Path) -> None:
    shop.workload("web")
    shop.workload("db", plural="statefulsets")
    shop.cronjob("nightly")
    await shop.up("web")
    await shop.up("db", plural="statefulsets")
    shown = await shop.preview()
    assert "kubectl edit" not in shown["kubectl"], shown
    await shop.by_hand(shown["kubectl"], tmp_path)
    made = shop.api.get(f"{shop.maps}/settings-2")
    assert made["data"]["LEVEL"] == "1" and made["immutable"]
    assert shop.uses("web") == shop.uses("db", "statefulsets") == "settings-2"
    jobs = shop.api.get(f"/apis/batch/v1/namespaces/{shop.namespace}/cronjobs/nightly")["spec"]["jobTemplate"]
    (variable,) = jobs["spec"]["template"]["spec"]["containers"][0]["env"]
    assert variable["valueFrom"]["configMapKeyRef"]["name"] == "settings-2"


async def test_refusals_by_rights_policy_and_quota_are_told_before_anything_is_written(shop: Shop) -> None:
    shop.workload("web", replicas=0)
    shop.cronjob("nightly")
    read = [
        rule("", "configmaps", "get", "list"),
        rule("apps", "deployments", "get"),
        rule("batch", "cronjobs", "get", "patch"),
    ]
    async with shop.restricted(*read) as transport:
        owner, shop.session.transport = shop.session.transport, transport
        status, answer = await shop.script().post(step="preview")
        assert status == 403 and "create configmaps" in answer["error"]["text"]
        shop.session.transport = owner
    shop.api.delete(f"/api/v1/namespaces/{shop.namespace}/serviceaccounts/reader")
    for kind in ("rolebindings", "roles"):
        shop.api.delete(f"/apis/rbac.authorization.k8s.io/v1/namespaces/{shop.namespace}/{kind}/reader")
    async with shop.restricted(*read, rule("", "configmaps", "create")) as transport:
        shop.session.transport = transport
        shown = await shop.preview()
        shop.session.transport = owner
    notices = {each["title"]: each["text"] for each in shown["notices"]}
    assert "patch deployments in namespace" in notices["Deployment web stays with settings"]
    assert "patch configmaps" in notices["You won't be able to undo this"]
    assert told(shown)["Deployment web: env LEVEL"]["word"] == "stays"
    assert told(shown)["CronJob nightly: env LEVEL"]["word"] == "from its next run"

    frozen = on("UPDATE", "apps", "deployments")
    async with shop.refusing(frozen, expression="false", message="frozen for the sale", probe=shop.label_web):
        shown = await shop.preview()
        notices = {each["title"]: each["text"] for each in shown["notices"]}
        assert "frozen for the sale" in notices["Deployment web stays with settings"]

    quota = {"hard": {"count/configmaps": "2"}}
    path = f"/api/v1/namespaces/{shop.namespace}/resourcequotas"
    shop.api.post(path, {"metadata": {"name": "few"}, "spec": quota})

    async def counted() -> bool:
        return bool(shop.api.get(f"{path}/few").get("status", {}).get("used"))

    await until(counted)
    status, answer = await shop.script().post(step="preview")
    assert status == 403 and "exceeded quota: few" in answer["error"]["text"]
    shop.api.patch(f"{path}/few", {"spec": {"hard": {"count/configmaps": "4"}}})

    async def room() -> bool:
        return shop.api.get(f"{path}/few")["status"]["hard"]["count/configmaps"] == "4"

    await until(room)
    assert "ResourceQuota few has 2 of count/configmaps left" in told(await shop.preview())


async def test_an_undo_that_the_cluster_would_refuse_is_not_promised(shop: Shop) -> None:
    shop.workload("web", replicas=0)
    named = "object.spec.template.spec.containers[0].env[0].valueFrom.configMapKeyRef.name"
    new = {"expression": f"{named} != 'settings'", "message": "settings is retired", "probe": shop.label_web}
    async with shop.refusing(on("UPDATE", "apps", "deployments"), **new):
        shown = await shop.preview()
        notices = {each["title"]: each["text"] for each in shown["notices"]}
        assert "settings is retired" in notices["You won't be able to point Deployment web back"]
        assert told(shown)["Deployment web: env LEVEL"]["word"] == "stage 1", "it is pointed to the new one"
        change = await shop.apply(shown["token"])
        await shop.begin(change)
        assert (await shop.follow(change)).state == "done" and shop.uses("web") == "settings-2"
        await shop.look()
        shown = await Script(shop.client, f"/changes/{change.pk}/undo/", {}).preview()
        notices = {each["title"]: each["text"] for each in shown["notices"]}
        assert "settings is retired" in notices["Deployment web can't be pointed back"]
    shown = await shop.preview(name="settings-2")
    assert not any("point" in each["title"] for each in shown["notices"])
    rights = [rule("", "configmaps", "get", "list", "patch"), rule("apps", "deployments", "get", "patch")]
    async with shop.restricted(*rights) as transport:
        shop.session.transport = transport
        shown = await Script(shop.client, f"/changes/{change.pk}/undo/", {}).preview()
    notices = {each["title"]: each["text"] for each in shown["notices"]}
    assert "may not delete configmaps" in notices["An undo can't delete the new ConfigMap"]


async def test_a_process_that_ends_in_the_middle_writes_nothing_twice(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.workload("web")
    await shop.up("web")
    change = await shop.replace()
    send = replacing.change_make

    async def cut(**given: Any) -> Change:
        await send(**given)
        raise asyncio.CancelledError

    monkeypatch.setattr(replacing, "change_make", cut)
    with pytest.raises(asyncio.CancelledError):
        await shop.move("first")
    monkeypatch.setattr(replacing, "change_make", send)
    generation = shop.api.get(f"{shop.apps}/deployments/web")["metadata"]["generation"]
    assert generation == 2 and shop.uses("web") == "settings-2"
    assert await shop.move("second") is None, "the first process may still be alive"
    later = datetime.now(UTC) + timedelta(seconds=LEASE_SECONDS + 1)
    assert await shop.move("second", later) is not None
    await Operation.objects.aupdate(held_until=datetime.now(UTC) + timedelta(seconds=60))
    operation = await shop.follow(change, "second")
    assert operation.state == "done" and ends(operation) == {"web": "done"}
    assert shop.api.get(f"{shop.apps}/deployments/web")["metadata"]["generation"] == generation, "sent once"
    assert await Change.objects.filter(action="repoint").acount() == 1


@pytest.mark.parametrize(
    ("named", "state", "said"),
    [
        ("settings", "left", "it uses settings. It was to use settings-2."),
        ("settings-2", "done", "it uses settings-2."),
        ("elsewhere", "left", "it uses neither settings nor settings-2."),
    ],
)
async def test_one_that_is_recreated_after_its_write_is_told_by_what_it_names(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, named: str, state: str, said: str
) -> None:
    shop.workload("web", replicas=0)
    change = await shop.replace()
    assert (await shop.move()) is not None and shop.uses("web") == "settings-2"
    shop.api.delete(f"{shop.apps}/deployments/web")
    env = {"name": "LEVEL", "valueFrom": {"configMapKeyRef": {"name": named, "key": "LOG"}}}
    shop.workload("web", replicas=0, container={"env": [env]})
    (step,) = (await shop.follow(change)).steps
    assert (step["state"], step["text"]) == (state, f"It was deleted and recreated meanwhile: {said}")


@pytest.mark.parametrize(
    "edit", [{"data": {"LOG": "debug"}}, {"binaryData": {"more": "AAE="}}, {"immutable": True}], ids=str
)
async def test_an_undo_leaves_a_new_one_that_somebody_has_edited(shop: Shop, edit: dict[str, Any]) -> None:
    shop.api.post(shop.maps, {"metadata": {"name": "free"}, "data": {"LOG": "info"}})
    change = await shop.replace(name="free")
    await shop.follow(change)
    shop.api.patch(f"{shop.maps}/free-2", {"metadata": {"labels": {"team": "shop"}}, **edit})
    undone = await shop.follow(await shop.undo(change))
    assert ends(undone) == {"free-2": "left"} and "free-2" in shop.configmaps()
    assert undone.steps[-1]["text"] == "It was changed since: it was not deleted."


EVERY = [{"configMapRef": {"name": "settings"}}]
STRATEGIC = "application/strategic-merge-patch+json"


def _others_add_to_the_lists(shop: Shop) -> None:
    """Lists that a patch can only write as a whole."""
    secret = {"name": "keys", "optional": True}
    sources = [*PROJECTED["projected"]["sources"], {"secret": secret}]  # type: ignore[index] # a volume
    pod = {
        "containers": [{"name": "app", "envFrom": [*EVERY, {"secretRef": secret}]}],
        "volumes": [{"name": "all", "projected": {"sources": sources}}],
    }
    shop.api.patch(
        f"{shop.apps}/deployments/web", {"spec": {"template": {"spec": pod}}}, content_type=STRATEGIC
    )


def _others_point_it_elsewhere(shop: Shop) -> None:
    other = {"name": "elsewhere"}
    pod = {
        "containers": [{"name": "app", "envFrom": [{"configMapRef": other}]}],
        "volumes": [{"name": "all", "projected": {"sources": [{"configMap": other}]}}],
    }
    shop.api.patch(
        f"{shop.apps}/deployments/web", {"spec": {"template": {"spec": pod}}}, content_type=STRATEGIC
    )


def _others_recreate_it(shop: Shop) -> None:
    shop.api.delete(f"{shop.apps}/deployments/web")
    _both_lists(shop)


def _others_delete_the_new_one(shop: Shop) -> None:
    shop.api.delete(f"{shop.maps}/settings-2")


def _both_lists(shop: Shop) -> None:
    shop.workload("web", replicas=0, container={"env": [], "envFrom": EVERY}, volumes=[PROJECTED])


MEANWHILE: dict[Callable[[Shop], None], tuple[str, str, str]] = {
    _others_add_to_the_lists: ("done", "settings-2", ""),
    _others_point_it_elsewhere: ("left", "elsewhere", "does not use settings any more"),
    _others_recreate_it: ("left", "settings", "deleted and recreated meanwhile"),
    _others_delete_the_new_one: ("failed", "settings", "settings-2 was deleted meanwhile"),
}


@pytest.mark.parametrize("others", MEANWHILE)
async def test_what_a_process_settled_that_ended_before_its_write_is_settled_anew(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, others: Callable[[Shop], None]
) -> None:
    _both_lists(shop)
    change = await shop.replace()
    request = engine._request

    async def cut(order: Any, manifest: Any, *, dry: bool, by_fields: bool = False) -> Any:
        if not dry:
            raise asyncio.CancelledError
        return await request(order, manifest, dry=dry, by_fields=by_fields)

    monkeypatch.setattr(engine, "_request", cut)
    with pytest.raises(asyncio.CancelledError):
        await shop.move()
    monkeypatch.setattr(engine, "_request", request)
    assert await Change.objects.filter(action="repoint", state="sending").acount() == 1, "its record is there"
    others(shop)
    state, used, said = MEANWHILE[others]
    operation = await shop.follow(change)
    assert (operation.steps[0]["state"], said in operation.steps[0]["text"]) == (state, True)
    spec = shop.template("web")["spec"]
    every, sources = spec["containers"][0]["envFrom"], spec["volumes"][0]["projected"]["sources"]
    assert (every[0]["configMapRef"]["name"], sources[0]["configMap"]["name"]) == (used, used)
    if others is _others_add_to_the_lists:
        assert every[1]["secretRef"]["name"] == sources[2]["secret"]["name"] == "keys"


async def test_what_is_added_to_a_list_just_before_the_write_is_not_lost(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    _both_lists(shop)
    change = await shop.replace()
    send = replacing.change_make

    async def late(**given: Any) -> Change:
        monkeypatch.setattr(replacing, "change_make", send)
        _others_add_to_the_lists(shop)
        return await send(**given)

    monkeypatch.setattr(replacing, "change_make", late)
    operation = await shop.follow(change)
    assert operation.state == "done"
    every = shop.template("web")["spec"]["containers"][0]["envFrom"]
    assert [each.get("configMapRef", each.get("secretRef"))["name"] for each in every] == [
        "settings-2",
        "keys",
    ]


async def test_one_that_is_mutable_is_replaced_too_and_nothing_is_lost_of_what_others_wrote(
    shop: Shop,
) -> None:
    shop.api.post(shop.maps, {"metadata": {"name": "free"}, "data": {"LOG": "info"}})
    await shop.look()
    script = shop.script("free")
    token = (await script.preview())["token"]
    shop.api.patch(f"{shop.maps}/free?fieldManager=kubectl-edit", {"data": {"LOG": "warn"}})
    status, answer = await script.post(step="apply", token=token)
    assert (status, answer["error"]["field"]) == (400, "token"), "the preview showed something else"
    made = await script.apply((await script.preview())["token"])
    assert shop.api.get(f"{shop.maps}/free-2")["data"] == {"LOG": "warn", "LEVEL": "1"}
    assert shop.api.get(f"{shop.maps}/free")["data"] == {"LOG": "warn"}
    assert "immutable" not in shop.api.get(f"{shop.maps}/free-2")
    await shop.begin(await Change.objects.aget(pk=made["change"]))
    await shop.follow(await Change.objects.aget(pk=made["change"]))
    assert (await Script(shop.client, script.url, {}).preview())["token"] == "", "no key was changed"
