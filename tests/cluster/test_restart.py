"""Restarting and deleting against a real API server: rollouts of three kinds, budgets, refusals."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.core import signing

from dashboard.actions.action import Actor, Preview
from dashboard.actions.delete import DELETE
from dashboard.actions.problems import StaleView
from dashboard.actions.restart import RESTART
from dashboard.actions.token import SALT
from dashboard.actions.undo import (
    change_follow,
    change_undo_apply,
    change_undo_preview,
    change_undo_state,
)
from dashboard.errors import BadInput, Conflict, Forbidden, Invalid, Protected
from dashboard.insight.words import text_of
from dashboard.kinds import KINDS
from dashboard.kube.transport import Transport
from dashboard.models import AuditEntry, Change
from sandbox import Sandbox
from tests import acting

from .place import Place, on, rule, until

ANNOTATION = "kubectl.kubernetes.io/restartedAt"

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True)]

APPS = "/apis/apps/v1/namespaces/{ns}"
LABELS = {"app": "web"}


class Here(Place):
    # What the pages of restarts and deletions read.
    reads = (
        "deployments", "replicasets", "statefulsets", "daemonsets", "pods", "services", "endpointslices", "ingresses",
        "horizontalpodautoscalers", "poddisruptionbudgets", "resourcequotas", "nodes",
    )  # fmt: skip

    def workload(self, plural: str, **spec: Any) -> None:
        pod = {"containers": [{"name": "app", "image": "web:1"}], "terminationGracePeriodSeconds": 1}
        template = {"metadata": {"labels": LABELS}, "spec": pod | spec.pop("pod", {})}
        selector = {"matchLabels": LABELS}
        self.make(
            f"{APPS}/{plural}",
            {"metadata": {"name": "web"}, "spec": {"selector": selector, "template": template, **spec}},
        )

    def found(self, plural: str) -> dict[str, Any]:
        return self.api.get(f"{APPS.format(ns=self.namespace)}/{plural}/web")

    def pods(self) -> dict[str, dict[str, Any]]:
        items = self.api.get(f"/api/v1/namespaces/{self.namespace}/pods")["items"]
        return {item["metadata"]["name"]: item for item in items}

    async def up(self, count: int) -> None:
        async def ready() -> bool:
            return sum(is_ready(pod) for pod in self.pods().values()) == count == len(self.pods())

        await until(ready)

    async def show(self, who: Actor, plural: str, transport: Transport | None = None) -> Preview:
        return await acting.preview(RESTART,
            transport=transport or self.transport, actor=who, plural=plural, namespace=self.namespace, name="web",
            objects=await self.objects(),
        )  # fmt: skip

    async def restart(
        self, who: Actor, plural: str, token: str, transport: Transport | None = None
    ) -> Change:
        return await acting.apply(RESTART,
            transport=transport or self.transport, actor=who, plural=plural, namespace=self.namespace, name="web",
            token=token,
        )  # fmt: skip

    async def show_delete(
        self, who: Actor, name: str, transport: Transport | None = None, **more: Any
    ) -> Preview:
        return await acting.preview(DELETE,
            transport=transport or self.transport, actor=who, namespace=self.namespace, name=name,
            objects=await self.objects(), **more,
        )  # fmt: skip

    async def delete(
        self, who: Actor, name: str, token: str, transport: Transport | None = None, **more: Any
    ) -> Change:
        return await acting.apply(DELETE,
            transport=transport or self.transport, actor=who, namespace=self.namespace, name=name, token=token,
            **more,
        )  # fmt: skip

    async def done(self, change: Change) -> str:
        """The headline of the change's end."""

        async def end() -> str:
            progress = change_follow(change=change, objects=await self.objects(), now=datetime.now(UTC))
            return progress.headline if progress.done else ""

        return str(await until(end))

    def budget(self, name: str = "web", least: int = 2) -> None:
        self.make(
            "/apis/policy/v1/namespaces/{ns}/poddisruptionbudgets",
            {
                "metadata": {"name": name},
                "spec": {"minAvailable": least, "selector": {"matchLabels": LABELS}},
            },
        )

    async def budget_allows(self, count: int, name: str = "web") -> None:
        path = f"/apis/policy/v1/namespaces/{self.namespace}/poddisruptionbudgets/{name}"

        async def counted() -> bool:
            status = self.api.get(path).get("status", {})
            return status.get("expectedPods", 0) > 0 and status.get("disruptionsAllowed") == count

        await until(counted)


def is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def shown_moment(token: str) -> str:
    """The moment of a restart, which its preview has signed."""
    return str(signing.loads(token, salt=SALT)["decided"]["restartedAt"])


def annotation(workload: dict[str, Any]) -> str:
    return str(workload["spec"]["template"]["metadata"].get("annotations", {}).get(ANNOTATION, ""))


@pytest.fixture
def here(cluster: Sandbox, transport: Transport, namespace: str) -> Here:
    return Here(cluster, transport, namespace)


@pytest.mark.parametrize("plural", ["deployments", "statefulsets", "daemonsets"])
async def test_a_restart_replaces_every_pod_and_is_followed_to_its_end(
    here: Here, mara: Actor, plural: str
) -> None:
    here.workload(plural, **({} if plural == "daemonsets" else {"replicas": 2}))
    count = 2
    if plural == "daemonsets":

        async def counted() -> int:
            return int(here.found(plural).get("status", {}).get("desiredNumberScheduled", 0))

        count = await until(counted)
    await here.up(count)
    before = {pod["metadata"]["uid"] for pod in here.pods().values()}
    shown = await here.show(mara, plural)
    kind = KINDS[plural].singular.lower()
    assert shown.told.kubectl == f"kubectl rollout restart {kind}/web -n {here.namespace}"
    assert annotation(here.found(plural)) == "", "a preview writes nothing"
    assert any(ANNOTATION in line.text for line in shown.diff if line.sign == "+")
    change = await here.restart(mara, plural, shown.token)
    assert annotation(here.found(plural))
    assert (await here.done(change)).startswith("web: rollout complete")
    after = {
        pod["metadata"]["uid"] for pod in here.pods().values() if not pod["metadata"].get("deletionTimestamp")
    }
    assert len(after) == count and not before & after
    assert [entry.action async for entry in AuditEntry.objects.all()] == ["restart"]


async def test_right_after_the_write_a_restart_is_not_taken_for_done(here: Here, mara: Actor) -> None:
    here.workload("deployments", replicas=1)
    await here.up(1)
    stale = await here.objects()
    change = await here.restart(mara, "deployments", (await here.show(mara, "deployments")).token)
    assert not change_follow(change=change, objects=stale, now=datetime.now(UTC)).done


async def test_undo_of_a_restart_restores_the_annotation_and_says_that_it_restarts_again(
    here: Here, mara: Actor
) -> None:
    here.workload("deployments", replicas=1)
    await here.up(1)
    change = await here.restart(mara, "deployments", (await here.show(mara, "deployments")).token)
    await here.done(change)
    assert "can't be undone" in (await change_undo_state(change=change)).words
    shown = await change_undo_preview(
        kinds=KINDS, transport=here.transport, actor=mara, change_id=change.pk, objects=await here.objects()
    )
    assert "This restarts it again" in [notice.title for notice in shown.preview.told.notices]
    assert "kubectl patch deployment/web" in shown.preview.told.kubectl
    undo = await change_undo_apply(
        kinds=KINDS, transport=here.transport, actor=mara, change_id=change.pk, token=shown.preview.token
    )
    assert annotation(here.found("deployments")) == ""
    assert (await here.done(undo)).startswith("web: rollout complete")


async def test_two_restarts_at_once_are_one_and_the_second_sees_the_first(here: Here, mara: Actor) -> None:
    here.workload("deployments", replicas=1)
    await here.up(1)
    token = (await here.show(mara, "deployments")).token
    path = f"{APPS.format(ns=here.namespace)}/deployments/web?fieldManager=kubectl-rollout"
    restarted = {"spec": {"template": {"metadata": {"annotations": {ANNOTATION: "2026-01-01T00:00:00Z"}}}}}
    here.api.patch(path, restarted)
    with pytest.raises(StaleView) as error:
        await here.restart(mara, "deployments", token)
    assert error.value.who == "kubectl-rollout"
    token = (await here.show(mara, "deployments")).token
    first = await here.restart(mara, "deployments", token)
    assert (await here.restart(mara, "deployments", token)).pk == first.pk
    assert "~" not in token and shown_moment(token) == annotation(here.found("deployments"))


async def test_a_paused_deployment_is_refused_with_the_way_out(here: Here, mara: Actor) -> None:
    here.workload("deployments", replicas=1, paused=True)
    with pytest.raises(Invalid, match="paused") as error:
        await here.show(mara, "deployments")
    assert f"kubectl rollout resume deployment/web -n {here.namespace}" in error.value.next_step


async def test_on_delete_means_nothing_happens_until_pods_are_deleted(here: Here, mara: Actor) -> None:
    here.workload("statefulsets", replicas=2, updateStrategy={"type": "OnDelete"})
    await here.up(2)
    before = {name: pod["metadata"]["uid"] for name, pod in here.pods().items()}
    shown = await here.show(mara, "statefulsets")
    assert shown.told.headline is not None
    assert shown.told.headline.title == "No pod of web restarts by itself"
    change = await here.restart(mara, "statefulsets", shown.token)

    async def waits() -> bool:
        progress = change_follow(change=change, objects=await here.objects(), now=datetime.now(UTC))
        return progress.state == "warn" and "2 pods are updated" in progress.text

    assert await until(waits)
    assert {name: pod["metadata"]["uid"] for name, pod in here.pods().items()} == before
    for name in sorted(before):
        deleted = await here.delete(mara, name, (await here.show_delete(mara, name)).token)
        assert await here.done(deleted) == f"{name} is there again"
    assert (await here.done(change)).startswith("web: rollout complete")


async def test_recreate_says_which_service_stops_answering(here: Here, mara: Actor) -> None:
    here.workload("deployments", replicas=2, strategy={"type": "Recreate"})
    here.make(
        "/api/v1/namespaces/{ns}/services",
        {"metadata": {"name": "web"}, "spec": {"selector": LABELS, "ports": [{"port": 80}]}},
    )
    await here.up(2)

    async def served() -> bool:
        slices = (await here.objects()).all("endpointslices")
        return sum(one.ready for each in slices for one in each.endpoints or ()) == 2

    await until(served)
    told = (await here.show(mara, "deployments")).told
    assert told.danger and told.headline is not None
    assert told.headline.title == "Service web will be unavailable for a while"
    assert "Recreate" in told.headline.text


GET = rule("apps", "deployments", "get")
PATCH = rule("apps", "deployments", "patch")


async def test_without_the_right_a_restart_is_refused_and_its_loss_is_audited(
    here: Here, mara: Actor
) -> None:
    here.workload("deployments", replicas=1)
    await here.up(1)
    async with here.restricted(GET, PATCH) as transport:
        token = (await here.show(mara, "deployments", transport)).token
        await here.allow_only(transport, GET, refused="deployments", name="web")
        with pytest.raises(Forbidden):
            await here.restart(mara, "deployments", token, transport)
    assert annotation(here.found("deployments")) == ""
    assert [entry.result async for entry in AuditEntry.objects.all()] == ["refused"]


async def test_a_pod_without_a_budget_is_deleted_and_its_successor_followed(here: Here, mara: Actor) -> None:
    here.workload("deployments", replicas=2, pod={"volumes": [{"name": "tmp", "emptyDir": {}}]})
    await here.up(2)
    name = sorted(here.pods())[0]
    shown = await here.show_delete(mara, name, grace="1")
    texts = [text_of(effect.text) for effect in shown.told.effects]
    assert "Deployment web creates a new one" in texts
    assert "What is in emptyDir tmp is lost" in texts
    assert shown.told.button == f"Delete {name}"
    assert shown.told.undo_words == "This cannot be undone."
    assert shown.told.kubectl == f"kubectl delete pod {name} -n {here.namespace} --grace-period=1"
    assert "deletionTimestamp" not in here.pods()[name]["metadata"]
    change = await here.delete(mara, name, shown.token, grace="1")
    assert (change.action, change.inverse) == ("delete", {})
    assert (await here.done(change)).endswith("replaces it")
    assert name not in here.pods()
    state = await change_undo_state(change=change)
    assert not state.possible and "be restored" in state.words
    with pytest.raises(Conflict):
        await change_undo_preview(
            kinds=KINDS,
            transport=here.transport,
            actor=mara,
            change_id=change.pk,
            objects=await here.objects(),
        )


async def test_a_pod_under_a_budget_is_evicted_and_a_blocked_eviction_names_the_budget(
    here: Here, mara: Actor
) -> None:
    here.workload("statefulsets", replicas=2)
    here.budget(least=1)
    await here.up(2)
    await here.budget_allows(1)
    shown = await here.show_delete(mara, "web-1")
    assert shown.told.button == "Evict web-1"
    assert shown.told.notices[0].title == "PodDisruptionBudget web covers it"
    assert "kubectl create --raw" in shown.told.kubectl
    change = await here.delete(mara, "web-1", shown.token)
    assert change.action == "evict"
    assert await here.done(change) == "web-1 is there again"
    await here.up(2)
    await here.budget_allows(1)
    token = (await here.show_delete(mara, "web-0")).token
    path = f"/apis/policy/v1/namespaces/{here.namespace}/poddisruptionbudgets/web"
    here.api.patch(path, {"spec": {"minAvailable": 2}})
    await here.budget_allows(0)
    with pytest.raises(Protected, match="disruption budget web needs 2 healthy pods and has 2"):
        await here.delete(mara, "web-0", token)
    with pytest.raises(Protected) as error:
        await here.show_delete(mara, "web-0")
    assert "scale the workload up" in error.value.next_step
    assert "deletionTimestamp" not in here.pods()["web-0"]["metadata"]
    results = [entry.result async for entry in AuditEntry.objects.order_by("pk")]
    assert results == ["done", "refused"]


async def test_two_budgets_over_one_pod_are_said(here: Here, mara: Actor) -> None:
    here.workload("statefulsets", replicas=1)
    here.budget("one", 0)
    here.budget("two", 0)
    await here.up(1)
    with pytest.raises(Invalid, match="2 PodDisruptionBudgets cover the pod"):
        await here.show_delete(mara, "web-0")


async def test_a_naked_pod_must_be_named_and_is_gone_for_good(here: Here, mara: Actor) -> None:
    here.make(
        "/api/v1/namespaces/{ns}/pods",
        {"metadata": {"name": "alone"}, "spec": {"containers": [{"name": "app", "image": "web:1"}]}},
    )
    await here.up(1)
    shown = await here.show_delete(mara, "alone")
    assert shown.told.danger and shown.told.headline is not None
    assert shown.told.headline.title == "alone is deleted permanently"
    for confirm in ("", "alon"):
        with pytest.raises(BadInput) as error:
            await here.delete(mara, "alone", shown.token, confirm=confirm)
        assert error.value.field == "confirm"
    assert "deletionTimestamp" not in here.pods()["alone"]["metadata"]
    change = await here.delete(mara, "alone", shown.token, confirm="alone")
    assert await here.done(change) == "alone is gone"


async def test_a_pod_made_anew_under_its_name_is_not_deleted(here: Here, mara: Actor) -> None:
    here.workload("statefulsets", replicas=1)
    await here.up(1)
    token = (await here.show_delete(mara, "web-0")).token
    uid = here.pods()["web-0"]["metadata"]["uid"]
    here.api.delete(f"/api/v1/namespaces/{here.namespace}/pods/web-0?gracePeriodSeconds=0")

    async def again() -> bool:
        pod = here.pods().get("web-0")
        return pod is not None and pod["metadata"]["uid"] != uid

    await until(again)
    with pytest.raises(StaleView, match="deleted and recreated"):
        await here.delete(mara, "web-0", token)


@pytest.mark.parametrize("grace", ["-1", "1e3", "soon", "100000"])
async def test_a_bad_grace_is_refused_and_nothing_is_sent(here: Here, mara: Actor, grace: str) -> None:
    with pytest.raises(BadInput):
        await here.show_delete(mara, "nobody", grace=grace)


async def test_without_the_right_to_evict_the_form_says_which(here: Here, mara: Actor) -> None:
    here.workload("statefulsets", replicas=1)
    here.budget(least=0)
    await here.up(1)
    async with here.restricted(rule("", "pods", "get", "delete")) as transport:
        with pytest.raises(Forbidden, match="create pods/eviction"):
            await here.show_delete(mara, "web-0", transport)


async def test_a_rule_of_the_cluster_refuses_a_restart_and_a_deletion_in_its_own_words(
    here: Here, mara: Actor
) -> None:
    here.workload("deployments", replicas=1)
    await here.up(1)
    pod = next(iter(here.pods()))
    restart = (await here.show(mara, "deployments")).token
    delete = (await here.show_delete(mara, pod)).token
    async with here.refusing(
        on("UPDATE", "apps", "deployments"),
        on("DELETE", "", "pods"),
        expression="false",
        message="Not on a Monday.",
        probe=lambda: here.show_delete(mara, pod),
    ) as said:
        assert "Not on a Monday." in said
        for attempt in (
            here.show(mara, "deployments"),
            here.restart(mara, "deployments", restart),
            here.delete(mara, pod, delete),
        ):
            with pytest.raises(Invalid, match=r"Not on a Monday\."):
                await attempt
    assert annotation(here.found("deployments")) == "" and pod in here.pods()
    refused = [(one.action, one.result) async for one in AuditEntry.objects.order_by("pk")]
    assert refused == [("restart", "refused"), ("delete", "refused")]


async def test_a_pod_that_does_not_run_yet_goes_even_under_two_budgets(here: Here, mara: Actor) -> None:
    """canIgnorePDB of the Eviction API: such a pod is not among those that must stay."""
    here.workload("deployments", replicas=1, pod={"nodeSelector": {"no": "such-node"}})
    here.budget("one", 1)
    here.budget("two", 1)

    async def pending() -> str:
        return next((name for name, pod in here.pods().items() if pod["status"]["phase"] == "Pending"), "")

    name = str(await until(pending))
    shown = await here.show_delete(mara, name)
    assert shown.told.button == f"Evict {name}"
    assert all("no budget is checked" in notice.text for notice in shown.told.notices)
    await here.delete(mara, name, shown.token)

    async def gone() -> bool:
        return name not in here.pods()

    assert await until(gone)


async def test_an_undo_of_a_restart_is_refused_without_the_right_and_audited(here: Here, mara: Actor) -> None:
    here.workload("deployments", replicas=1)
    await here.up(1)
    change = await here.restart(mara, "deployments", (await here.show(mara, "deployments")).token)
    shown = await change_undo_preview(
        kinds=KINDS, transport=here.transport, actor=mara, change_id=change.pk, objects=await here.objects()
    )
    before = annotation(here.found("deployments"))
    async with here.restricted(GET) as transport:
        with pytest.raises(Forbidden):
            await change_undo_apply(
                kinds=KINDS, transport=transport, actor=mara, change_id=change.pk, token=shown.preview.token
            )
    assert annotation(here.found("deployments")) == before
    assert [one.result async for one in AuditEntry.objects.order_by("pk")] == ["done", "refused"]
    assert (await change_undo_state(change=change)).possible, "a refused undo can be tried again"
