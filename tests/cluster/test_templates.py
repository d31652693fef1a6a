"""Images, resources and variables of containers against a real API server: as kubectl sets them, followed, undone."""

from __future__ import annotations

import asyncio
import shlex
import subprocess
from datetime import UTC, datetime
from typing import Any

import pytest

from dashboard.actions.action import Action, Actor, Preview
from dashboard.actions.env import ENV
from dashboard.actions.image import IMAGE
from dashboard.actions.problems import StaleView
from dashboard.actions.resources import RESOURCES
from dashboard.actions.undo import change_follow, change_undo_apply, change_undo_preview
from dashboard.errors import BadInput
from dashboard.kinds import KINDS
from dashboard.models import AuditEntry, Change
from sandbox import Sandbox
from tests import acting

from .place import Place, on, until

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True)]

WORKLOADS = ("deployments", "statefulsets", "daemonsets")
LABELS = {"app": "web"}
CANARY = "typed-password-canary"
SPEC = {
    "terminationGracePeriodSeconds": 1,
    "initContainers": [{"name": "migrate", "image": "migrate:1"}],
    "containers": [
        {
            "name": "app",
            "image": "web:1",
            "env": [
                {"name": "LOG", "value": "info"},
                {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "database", "key": "password"}}},
                {"name": "TOKEN", "value": CANARY},
            ],
            "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
        },
        {"name": "beside", "image": "ship:1"},
    ],
}


class Here(Place):
    reads = (
        *WORKLOADS, "replicasets", "pods", "services", "endpointslices", "ingresses", "horizontalpodautoscalers",
        "poddisruptionbudgets", "resourcequotas", "nodes",
    )  # fmt: skip

    def path(self, plural: str, name: str = "web") -> str:
        return KINDS[plural].gvr.path(self.namespace, name)

    def workload(self, plural: str, name: str = "web") -> None:
        labels = LABELS | {"of": name}
        template = {"metadata": {"labels": labels}, "spec": SPEC}
        spec = {"selector": {"matchLabels": labels}, "template": template}
        self.make(KINDS[plural].gvr.path(self.namespace), {"metadata": {"name": name}, "spec": spec})

    def template(self, plural: str, name: str = "web") -> dict[str, Any]:
        """Its pod template, without the label that tells the one from the other."""
        template: dict[str, Any] = self.api.get(self.path(plural, name))["spec"]["template"]
        template["metadata"]["labels"].pop("of")
        return template

    def containers(self, plural: str) -> dict[str, dict[str, Any]]:
        spec = self.template(plural)["spec"]
        return {one["name"]: one for one in (*spec["containers"], *spec["initContainers"])}

    async def show(self, action: Action, who: Actor, plural: str, **typed: str) -> Preview:
        return await acting.preview(
            action, transport=self.transport, actor=who, plural=plural, namespace=self.namespace, name="web",
            objects=await self.objects(), **typed,
        )  # fmt: skip

    async def change(self, action: Action, who: Actor, plural: str, token: str, **typed: str) -> Change:
        return await acting.apply(
            action, transport=self.transport, actor=who, plural=plural, namespace=self.namespace, name="web",
            token=token, **typed,
        )  # fmt: skip

    async def done(self, change: Change) -> str:
        async def end() -> str:
            progress = change_follow(change=change, objects=await self.objects(), now=datetime.now(UTC))
            return progress.headline if progress.done else ""

        return str(await until(end))

    async def undo(self, who: Actor, change: Change) -> Preview:
        """Takes a change back, as it was shown."""
        shown = await change_undo_preview(
            kinds=KINDS,
            transport=self.transport,
            actor=who,
            change_id=change.pk,
            objects=await self.objects(),
        )
        assert shown.conflict is None
        await change_undo_apply(
            kinds=KINDS, transport=self.transport, actor=who, change_id=change.pk, token=shown.preview.token
        )
        return shown.preview


@pytest.fixture
def here(cluster: Sandbox, transport: Any, namespace: str) -> Here:
    place = Here(cluster, transport, namespace)
    place.make(
        "/api/v1/namespaces/{ns}/secrets", {"metadata": {"name": "database"}, "stringData": {"password": "x"}}
    )
    return place


async def kubectl(cluster: Sandbox, command: str) -> None:
    """A command that a preview shows, carried out on the twin."""
    for each in command.split(" && "):
        program, *words = shlex.split(each.replace("/web ", "/twin ", 1))
        assert program == "kubectl"
        run = [str(cluster.kubectl), "--kubeconfig", str(cluster.kubeconfig), *words]
        await asyncio.to_thread(subprocess.run, run, check=True)


TYPED: dict[str, tuple[Action, dict[str, str]]] = {
    "image": (IMAGE, {"image.app": "shop/web:2", "image.migrate": "migrate:2", "image.beside": "ship:1"}),
    "resources": (
        RESOURCES,
        {"requests_cpu.app": "0.2", "limits_memory.app": "256Mi", "requests_memory.beside": "32Mi", "limits_cpu.app": ""},
    ),
    "env": (ENV, {"env.app": "LOG=debug\nNEW=it's new", "env.migrate": "STEP=2"}),
    "env from keys": (ENV, {"keys.app": "SECRET-\nLOG=secret/database/password\nNEW=secret/database/password"}),
    "other env": (ENV, {"env.app": "LOG=debug", "was.env.app": f"LOG=info\nTOKEN={CANARY}\n"}),
    "less resources": (RESOURCES, {"requests_cpu.app": "", "requests_memory.app": "", "limits_memory.app": ""}),
}  # fmt: skip
AS_KUBECTL = [(case, plural) for case in TYPED for plural in WORKLOADS]


@pytest.mark.parametrize(("case", "plural"), AS_KUBECTL)
async def test_it_does_what_its_kubectl_command_does_and_is_undone(
    here: Here, cluster: Sandbox, mara: Actor, case: str, plural: str
) -> None:
    action, typed = TYPED[case]
    for name in ("web", "twin"):
        here.workload(plural, name)
    before = here.template(plural)
    shown = await here.show(action, mara, plural, **typed)
    assert here.template(plural) == before, "a preview writes nothing"
    change = await here.change(action, mara, plural, shown.token, **typed)
    await kubectl(cluster, shown.told.kubectl)
    assert here.template(plural) == here.template(plural, "twin") != before
    assert await here.done(change) == "web: rollout complete"
    back = await here.undo(mara, change)
    assert here.template(plural) == before
    await kubectl(cluster, back.told.kubectl)
    assert here.template(plural, "twin") == before
    details = [entry.detail async for entry in AuditEntry.objects.order_by("pk")]
    kept = [vars(one) | {"inverse": ""} async for one in Change.objects.all()]
    assert len(details) == 2 and CANARY not in repr((details, kept))


async def test_an_image_of_the_same_tag_is_no_change(here: Here, mara: Actor) -> None:
    here.workload("deployments")
    shown = await here.show(IMAGE, mara, "deployments", **{"image.app": " web:1 "})
    assert not shown.token and shown.told.headline is not None
    assert shown.told.headline.title == "No changes" and "restart it" in shown.told.headline.text


@pytest.mark.parametrize(("image", "warned"), [("web", True), ("web:latest", True), ("web:3", False)])
async def test_a_tag_that_moves_is_warned_of(here: Here, mara: Actor, image: str, warned: bool) -> None:
    here.workload("deployments")
    shown = await here.show(IMAGE, mara, "deployments", **{"image.app": image})
    assert any("The image of app has" in notice.title for notice in shown.told.notices) is warned
    assert "2 pods" not in repr(shown.told.effects)


async def test_who_else_changes_the_same_container_is_no_conflict_but_the_same_field_is(
    here: Here, mara: Actor
) -> None:
    here.workload("deployments")
    typed = {"image.app": "web:2"}
    token = (await here.show(IMAGE, mara, "deployments", **typed)).token
    path = here.path("deployments")

    def patch(container: dict[str, Any]) -> None:
        spec = {"template": {"spec": {"containers": [{"name": "app", **container}]}}}
        here.api.patch(path, {"spec": spec}, content_type="application/strategic-merge-patch+json")

    patch({"image": "web:hotfix"})
    with pytest.raises(StaleView) as caught:
        await here.change(IMAGE, mara, "deployments", token, **typed)
    assert (
        "it was containers[app].image web:1, now it is containers[app].image web:hotfix"
        in caught.value.message
    )
    token = (await here.show(IMAGE, mara, "deployments", **typed)).token
    patch({"env": [{"name": "LOG", "value": "debug"}]})
    await here.change(IMAGE, mara, "deployments", token, **typed)
    app = here.containers("deployments")["app"]
    assert app["image"] == "web:2"
    assert {"name": "LOG", "value": "debug"} in app["env"]


async def test_a_container_that_is_not_there_is_named(here: Here, mara: Actor) -> None:
    here.workload("deployments")
    with pytest.raises(BadInput, match="no container sidecar: there is app, beside and migrate") as caught:
        await here.show(IMAGE, mara, "deployments", **{"image.sidecar": "web:2"})
    assert caught.value.field == "image.sidecar"


async def test_what_an_admission_policy_makes_more_of_it_is_undone_too(here: Here, mara: Actor) -> None:
    here.workload("deployments")
    before = here.template("deployments")
    patch = '[JSONPatch{op: "add", path: "/spec/template/metadata/annotations", value: {"scanned": "yes"}}]'
    when = 'object.spec.template.spec.containers[0].image == "web:2"'
    typed = {"image.app": "web:2"}

    async def probe() -> bool:
        shown = await here.show(IMAGE, mara, "deployments", **typed)
        return any("scanned" in line.text for line in shown.diff)

    async with here.mutating(on("UPDATE", "apps", "deployments"), patch=patch, when=when, probe=probe):
        token = (await here.show(IMAGE, mara, "deployments", **typed)).token
        change = await here.change(IMAGE, mara, "deployments", token, **typed)
        assert here.template("deployments")["metadata"]["annotations"] == {"scanned": "yes"}
        await here.undo(mara, change)
    assert here.template("deployments") == before


@pytest.mark.parametrize(
    ("typed", "said", "field"),
    [
        ({"requests_cpu.app": "lots"}, "write 250m, 0.5 or 2", "requests_cpu.app"),
        ({"limits_memory.app": "512MB"}, "write 256Mi or 2Gi", "limits_memory.app"),
        ({"limits_memory.app": "512m"}, "did you mean 512Mi", "limits_memory.app"),
        ({"limits_memory.app": "-1Gi"}, "negative", "limits_memory.app"),
        (
            {"limits_memory.app": "32Mi"},
            "The limit, 32Mi, is less than the request, 64Mi",
            "limits_memory.app",
        ),
        (
            {"requests_memory.app": "1Gi"},
            "The limit, 128Mi, is less than the request, 1Gi",
            "requests_memory.app",
        ),
    ],
)
async def test_what_no_container_can_ask_for_is_said_at_its_field(
    here: Here, mara: Actor, typed: dict[str, str], said: str, field: str
) -> None:
    here.workload("deployments")
    with pytest.raises(BadInput, match=said) as caught:
        await here.show(RESOURCES, mara, "deployments", **typed)
    assert caught.value.field == field


async def test_pods_that_no_node_takes_are_said_before(here: Here, mara: Actor) -> None:
    here.workload("deployments")
    shown = await here.show(RESOURCES, mara, "deployments", **{"requests_cpu.app": "9999"})
    assert shown.told.headline is not None and shown.told.headline.title == "No node is large enough"
    assert shown.told.danger and shown.token


async def test_a_variable_from_a_secret_is_kept_and_one_that_came_meanwhile_too(
    here: Here, mara: Actor
) -> None:
    here.workload("deployments")
    was = f"LOG=info\nTOKEN={CANARY}\n"
    since = {"containers": [{"name": "app", "env": [{"name": "SINCE", "value": "1"}]}]}
    here.api.patch(
        here.path("deployments"), {"spec": {"template": {"spec": since}}},
        content_type="application/strategic-merge-patch+json",
    )  # fmt: skip
    typed = {"env.app": "LOG=info\nNEW=1\n", "was.env.app": was}
    shown = await here.show(ENV, mara, "deployments", **typed)
    await here.change(ENV, mara, "deployments", shown.token, **typed)
    env = {one["name"]: one for one in here.containers("deployments")["app"]["env"]}
    assert env.keys() == {"SINCE", "LOG", "SECRET", "NEW"}
    assert env["SECRET"]["valueFrom"]["secretKeyRef"]["key"] == "password"
    with pytest.raises(BadInput, match="Secret database, key password"):
        await here.show(ENV, mara, "deployments", **{"env.app": "SECRET=plain"})
