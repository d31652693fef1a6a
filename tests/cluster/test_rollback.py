"""Rolling back against a real API server: three kinds, just as kubectl does, followed, undone, refused."""

from __future__ import annotations

import asyncio
import subprocess
from datetime import UTC, datetime
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from dashboard.actions.action import Actor, Preview, Target
from dashboard.actions.engine import change_read
from dashboard.actions.problems import StaleView
from dashboard.actions.revision_makers import revision_makers
from dashboard.actions.revisions import CHANGE_CAUSE, CONTROLLERREVISIONS, current_revision, revisions_of
from dashboard.actions.rollback import ROLLBACK
from dashboard.actions.undo import change_follow, change_undo_apply, change_undo_preview
from dashboard.errors import BadInput, Forbidden, Invalid
from dashboard.kinds import KINDS
from dashboard.kinds.base import GVR
from dashboard.models import AuditEntry, Change
from sandbox import Sandbox
from tests import acting

from .place import Place, rule, until

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True)]

WORKLOADS = ("deployments", "statefulsets", "daemonsets")
CANARY = "old-canary-password"
# As people change them: an image, a variable, a probe, a label, a container, an annotation.
FIRST = {
    "metadata": {"labels": {"app": "web", "tier": "front"}},
    "spec": {
        "terminationGracePeriodSeconds": 1,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "containers": [
            {"name": "app", "image": "web:1", "env": [{"name": "PASSWORD", "value": CANARY}]},
            {"name": "beside", "image": "ship:1"},
        ],
    },
}
SECOND = {
    "metadata": {"labels": {"app": "web"}, "annotations": {"team": "shop"}},
    "spec": {
        "terminationGracePeriodSeconds": 2,
        "nodeSelector": None,
        "containers": [
            {"name": "app", "image": "web:2", "readinessProbe": {"httpGet": {"port": 80, "path": "/ready"}}}
        ],
    },
}


class Here(Place):
    reads = (
        *WORKLOADS, "replicasets", "pods", "services", "endpointslices", "ingresses", "horizontalpodautoscalers",
        "poddisruptionbudgets", "resourcequotas", "nodes",
    )  # fmt: skip

    def path(self, plural: str) -> str:
        return KINDS[plural].gvr.path(self.namespace)

    def found(self, plural: str, name: str = "web") -> dict[str, Any]:
        return self.api.get(f"{self.path(plural)}/{name}")

    def template(self, plural: str, name: str = "web") -> dict[str, Any]:
        template: dict[str, Any] = self.found(plural, name)["spec"]["template"]
        return template

    async def history(self, plural: str, name: str = "web") -> None:
        """A workload with two revisions, of which the first has a change cause."""
        labels = {"app": "web", "of": name}
        first = {**FIRST, "metadata": {"labels": {**FIRST["metadata"]["labels"], **labels}}}
        cause = {"annotations": {CHANGE_CAUSE: "first of all"}}
        spec = {"selector": {"matchLabels": labels}, "template": first}
        self.make(self.path(plural), {"metadata": {"name": name} | cause, "spec": spec})
        await self.has_revisions(plural, name, 1)
        cause = {"annotations": {CHANGE_CAUSE: "second"}}
        second = {**SECOND, "metadata": {**SECOND["metadata"], "labels": {"tier": None}}}
        self.api.patch(f"{self.path(plural)}/{name}", {"metadata": cause, "spec": {"template": second}})
        await self.has_revisions(plural, name, 2)

    async def has_revisions(self, plural: str, name: str, count: int) -> None:
        gvr: GVR = KINDS["replicasets"].gvr if plural == "deployments" else CONTROLLERREVISIONS

        async def there() -> bool:
            items = self.api.get(gvr.path(self.namespace))["items"]
            return sum(one["metadata"]["ownerReferences"][0]["name"] == name for one in items) == count

        await until(there)

    async def show(self, who: Actor, plural: str, revision: str = "") -> Preview:
        return await acting.preview(
            ROLLBACK, transport=self.transport, actor=who, plural=plural, namespace=self.namespace, name="web",
            objects=await self.objects(), revision=revision,
        )  # fmt: skip

    async def roll_back(self, who: Actor, plural: str, token: str, revision: str = "") -> Change:
        return await acting.apply(
            ROLLBACK, transport=self.transport, actor=who, plural=plural, namespace=self.namespace, name="web",
            token=token, revision=revision,
        )  # fmt: skip

    async def done(self, change: Change) -> str:
        async def end() -> str:
            progress = change_follow(change=change, objects=await self.objects(), now=datetime.now(UTC))
            return progress.headline if progress.done else ""

        return str(await until(end))


@pytest.fixture
def here(cluster: Sandbox, transport: Any, namespace: str) -> Here:
    return Here(cluster, transport, namespace)


@pytest.mark.parametrize("plural", WORKLOADS)
async def test_the_template_of_a_revision_comes_back_is_followed_and_undone(
    here: Here, mara: Actor, plural: str
) -> None:
    await here.history(plural)
    second = here.template(plural)
    shown = await here.show(mara, plural, "1")
    kind = KINDS[plural].singular.lower()
    assert shown.told.kubectl == f"kubectl rollout undo {kind}/web -n {here.namespace} --to-revision=1"
    lines = [line.text.strip() for line in shown.diff if line.sign == "+"]
    assert {"image: ship:1", "image: web:1", "- name: PASSWORD"} <= set(lines)
    assert here.template(plural) == second, "a preview writes nothing"
    change = await here.roll_back(mara, plural, shown.token, "1")
    made = here.template(plural)
    assert [one["image"] for one in made["spec"]["containers"]] == ["web:1", "ship:1"]
    assert made["metadata"]["labels"]["tier"] == "front" and "annotations" not in made["metadata"]
    assert made["spec"]["nodeSelector"] == {"kubernetes.io/os": "linux"}
    assert await here.done(change) == "web: rollout complete"
    undo = await change_undo_preview(
        kinds=KINDS, transport=here.transport, actor=mara, change_id=change.pk, objects=await here.objects()
    )
    assert undo.conflict is None and undo.preview.told.kubectl.endswith("--to-revision=2")
    await change_undo_apply(
        kinds=KINDS, transport=here.transport, actor=mara, change_id=change.pk, token=undo.preview.token
    )
    assert here.template(plural) == second
    details = [entry.detail async for entry in AuditEntry.objects.order_by("pk")]
    assert details == ["rolled back to revision 1", f"Undo of change {change.pk}: rolled back to revision 2"]


@pytest.mark.parametrize("plural", WORKLOADS)
async def test_it_does_what_kubectl_does(here: Here, cluster: Sandbox, mara: Actor, plural: str) -> None:
    await here.history(plural)
    await here.history(plural, "twin")
    change = await here.roll_back(mara, plural, (await here.show(mara, plural)).token)
    kubectl = [cluster.kubectl, "--kubeconfig", cluster.kubeconfig, "-n", here.namespace]
    await asyncio.to_thread(subprocess.run, [*kubectl, "rollout", "undo", f"{plural}/twin"], check=True)
    ours, theirs = here.found(plural), here.found(plural, "twin")
    for each in (ours, theirs):
        each["spec"]["template"]["metadata"]["labels"].pop("of")
    assert ours["spec"]["template"] == theirs["spec"]["template"]
    causes = [one["metadata"]["annotations"][CHANGE_CAUSE] for one in (ours, theirs)]
    assert causes[0] == causes[1]
    assert change.result["revision"] == 1


@pytest.mark.parametrize("plural", WORKLOADS)
async def test_who_made_a_revision_is_known_of_changes_made_here_and_of_no_others(
    here: Here, cluster: Sandbox, mara: Actor, plural: str
) -> None:
    await here.history(plural)

    async def makers() -> dict[int, str]:
        target = Target.of(here.transport.cluster.name, KINDS[plural], here.namespace, "web")
        manifest = await change_read(transport=here.transport, target=target)
        found = await revisions_of(here.transport, target, manifest)
        current = current_revision(found, manifest)
        made = await sync_to_async(revision_makers)(target, manifest, found, current)
        return {number: maker.words for number, maker in made.items()} if current else {}

    theirs = await until(makers)
    assert set(theirs) == {2} and theirs[2].startswith("last written by field manager "), theirs
    await here.roll_back(mara, plural, (await here.show(mara, plural)).token)

    async def third() -> dict[int, str]:
        found = await makers()
        return found if 3 in found else {}

    assert (await until(third))[3] == "mara with Cluster UI"
    kubectl = [cluster.kubectl, "--kubeconfig", cluster.kubeconfig, "-n", here.namespace]
    await asyncio.to_thread(subprocess.run, [*kubectl, "rollout", "undo", f"{plural}/web"], check=True)

    async def fourth() -> dict[int, str]:
        found = await makers()
        return found if 4 in found else {}

    found = await until(fourth)
    assert found[3] == "mara with Cluster UI" and "Cluster UI" not in found[4], found


async def test_what_it_keeps_of_the_templates_holds_no_variable(here: Here, mara: Actor) -> None:
    await here.history("deployments")
    change = await here.roll_back(mara, "deployments", (await here.show(mara, "deployments")).token)
    kept = await Change.objects.aget(pk=change.pk)
    entries = [vars(one) async for one in AuditEntry.objects.all()]
    assert CANARY not in repr((kept.touched, kept.result, entries))


async def test_a_template_that_was_changed_meanwhile_is_a_conflict(here: Here, mara: Actor) -> None:
    await here.history("deployments")
    token = (await here.show(mara, "deployments", "1")).token
    annotation = {"template": {"metadata": {"annotations": {"seen": "since"}}}}
    here.api.patch(f"{here.path('deployments')}/web", {"spec": annotation})
    with pytest.raises(StaleView) as caught:
        await here.roll_back(mara, "deployments", token, "1")
    assert "pod template" in caught.value.message
    assert here.template("deployments")["spec"]["containers"][0]["image"] == "web:2"
    token = (await here.show(mara, "deployments", "1")).token
    here.api.patch(f"{here.path('deployments')}/web", {"spec": {"replicas": 2}})
    await here.roll_back(mara, "deployments", token, "1")
    assert here.found("deployments")["spec"]["replicas"] == 2, "scaling is another part"


async def test_it_is_refused_as_kubectl_refuses_it(here: Here, mara: Actor) -> None:
    await here.history("deployments")
    with pytest.raises(Invalid, match="already matches revision 2"):
        await here.show(mara, "deployments", "2")
    with pytest.raises(BadInput, match="no revision 7: 2 and 1 are kept"):
        await here.show(mara, "deployments", "7")
    here.api.patch(f"{here.path('deployments')}/web", {"spec": {"paused": True}})
    with pytest.raises(Invalid, match="is paused") as caught:
        await here.show(mara, "deployments", "1")
    assert "kubectl rollout resume deployment/web" in caught.value.next_step


async def test_what_was_never_changed_has_no_earlier_revision(here: Here, mara: Actor) -> None:
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": FIRST["spec"]}
    here.make(
        here.path("statefulsets"),
        {"metadata": {"name": "web"}, "spec": {"selector": {"matchLabels": labels}, "template": template}},
    )
    await here.has_revisions("statefulsets", "web", 1)
    form = await acting.form(
        ROLLBACK, transport=here.transport, plural="statefulsets", namespace=here.namespace, name="web",
        objects=await here.objects(),
    )  # fmt: skip
    assert form.refusal is not None and "no earlier revision" in form.refusal.message


async def test_the_form_offers_each_revision_with_its_pods(here: Here) -> None:
    await here.history("deployments")

    async def replaced() -> bool:
        return here.found("deployments").get("status", {}).get("updatedReplicas") == 1

    await until(replaced)
    form = await acting.form(
        ROLLBACK, transport=here.transport, plural="deployments", namespace=here.namespace, name="web",
        objects=await here.objects(),
    )  # fmt: skip
    (field,) = form.fields
    assert [(row.value, row.tag, row.code, row.text, row.disabled) for row in field.rows] == [
        ("2", "Current", "web:2", "second", True), ("1", "", "web:1, ship:1", "first of all", False),
    ]  # fmt: skip
    assert field.value(None) == "1" and field.rows[0].note.endswith("ready")
    assert CANARY not in repr(form)


async def test_who_may_not_list_the_revisions_is_told_so(here: Here, mara: Actor) -> None:
    await here.history("deployments")
    async with here.restricted(rule("apps", "deployments", "get", "patch")) as reader:
        with pytest.raises(Forbidden) as caught:
            await acting.preview(
                ROLLBACK, transport=reader, actor=mara, plural="deployments", namespace=here.namespace, name="web",
                objects=await here.objects(),
            )  # fmt: skip
    assert "list replicasets" in caught.value.message
