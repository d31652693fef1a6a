"""Every action of the registry against a real API server, as a script sends it: preview, apply, follow, undo, refusal."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.test import AsyncClient

from dashboard.actions.abilities import Ability, abilities
from dashboard.actions.action import Target
from dashboard.actions.configmap_values import values
from dashboard.actions.configmap_versions import version_contents, version_found
from dashboard.actions.registry import ACTIONS, action_named
from dashboard.actions.revisions import REVISION
from dashboard.actions.undo import change_follow
from dashboard.insight.secretuse import READ
from dashboard.kinds import KINDS
from dashboard.kube.transport import Transport
from dashboard.models import AuditEntry, Change, ConfigMapVersion
from dashboard.queries.yamltext import as_yaml
from sandbox import Sandbox
from sandbox.api import ApiError
from tests.formed import Script, open_forms

from .place import Place, rule, until
from .roles import account_with, taken_by
from .stopping import STOPPED, stopped_way

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True)]

POD = {"containers": [{"name": "app", "image": "web:1"}], "terminationGracePeriodSeconds": 1}
JOB = {"template": {"spec": POD | {"restartPolicy": "Never"}}}
CRONJOB = {"schedule": "0 6 31 12 *", "jobTemplate": {"spec": JOB}}
LABELS = {"app": "web"}


def deployment(**spec: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": LABELS}, "spec": POD}
    return {"spec": {"selector": {"matchLabels": LABELS}, "template": template, **spec}}


BOUNDS = {"min": "1", "max": "3", "cpu": "60"}
AUTOSCALER = {
    "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
    "minReplicas": 1,
    "maxReplicas": 2,
    "metrics": [
        {
            "type": "Resource",
            "resource": {"name": "memory", "target": {"type": "Utilization", "averageUtilization": 70}},
        }
    ],
}
OFF = {"selectPolicy": "Disabled"}
CLAIM = {
    "accessModes": ["ReadWriteOnce"],
    "storageClassName": "standard",
    "resources": {"requests": {"storage": "1Gi"}},
}
# A StatefulSet whose claims go with it, and with its pods.
KEEPER = deployment(replicas=2, volumeClaimTemplates=[{"metadata": {"name": "data"}, "spec": CLAIM}])
TAKING = {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete", "whenScaled": "Delete"}}
NAMED = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}
BUDGET = {
    "metadata": {"name": "web"},
    "spec": {"minAvailable": 0, "selector": {"matchLabels": LABELS}},
}
EDITED = as_yaml(NAMED | deployment(replicas=2))
SERVICE = {
    "type": "NodePort",
    "selector": LABELS,
    "ports": [{"name": "http", "port": 80, "appProtocol": "http"}],
}
TO_WEB = {"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "web", "port": {"number": 80}}}}
INGRESS = {
    "ingressClassName": "nginx",
    "rules": [{"host": "shop.example.com", "http": {"paths": [TO_WEB, TO_WEB | {"pathType": "Exact"}]}}],
}
# What is changed of the object before, where an action needs an earlier revision of it.
CHANGED = {
    "versions": {"data": {"LOG": "debug"}},
    "rollback": {"spec": {"template": {"spec": {"containers": [POD["containers"][0] | {"image": "web:2"}]}}}},
}
# What each action is tried with: the kind, the object "web", what is typed, and whether it can be undone. What has the
# same name on other kinds says on which.
TRIED: dict[str, tuple[str, dict[str, Any], dict[str, str], bool]] = {
    "scale": ("deployments", deployment(), {"replicas": "2"}, True),
    "scale statefulsets": ("statefulsets", deployment(replicas=2), {"replicas": "1"}, True),
    "scale replicasets": ("replicasets", deployment(), {"replicas": "2"}, True),
    "autoscale": ("deployments", deployment(), BOUNDS, True),
    "autoscale horizontalpodautoscalers": ("horizontalpodautoscalers", {"spec": AUTOSCALER}, BOUNDS, True),
    "restart": ("deployments", deployment(), {}, True),
    "rollback": ("deployments", deployment(), {"revision": "1"}, True),
    "image": ("deployments", deployment(), {"image.app": "web:2"}, True),
    "resources": ("deployments", deployment(), {"requests_cpu.app": "100m"}, True),
    "env": ("deployments", deployment(), {"env.app": "LOG=debug"}, True),
    "pause": ("deployments", deployment(), {}, True),
    "resume": ("deployments", deployment(paused=True), {}, True),
    "edit": ("configmaps", {"data": {"LOG": "info"}}, {"row": "new", "nnew": "LEVEL", "tnew": "debug"}, True),
    "versions": ("configmaps", {"data": {"LOG": "info"}}, {"version": "1"}, True),
    "replace": (
        "configmaps",
        {"data": {"LOG": "info"}},
        {"row": "new", "nnew": "LEVEL", "tnew": "debug"},
        True,
    ),
    "replace secrets": (
        "secrets",
        {"stringData": {"password": "old"}, "immutable": True},
        {"value.password": "new"},
        True,
    ),
    "rotate": ("secrets", {"stringData": {"password": "old"}}, {"key": "password", "value": "new"}, True),
    "debug": ("pods", {"spec": POD}, {"target": "-"}, False),
    "delete": ("pods", {"spec": POD}, {"confirm": "web"}, False),
    "evict": (
        "pods",
        {"metadata": {"name": "web", "labels": LABELS}, "spec": POD},
        {"confirm": "web"},
        False,
    ),
    "pause horizontalpodautoscalers": ("horizontalpodautoscalers", {"spec": AUTOSCALER}, {}, True),
    "resume horizontalpodautoscalers": (
        "horizontalpodautoscalers",
        {"spec": AUTOSCALER | {"behavior": {"scaleUp": OFF, "scaleDown": OFF}}},
        {},
        True,
    ),
    "expand": ("persistentvolumeclaims", {"spec": CLAIM}, {"size": "2Gi", "confirm": "web"}, False),
    "run": ("cronjobs", {"spec": CRONJOB}, {}, True),
    "run jobs": ("jobs", {"spec": JOB}, {}, True),
    "suspend": ("cronjobs", {"spec": CRONJOB}, {}, True),
    "resume cronjobs": ("cronjobs", {"spec": CRONJOB | {"suspend": True}}, {}, True),
    "suspend jobs": ("jobs", {"spec": JOB}, {}, True),
    "resume jobs": ("jobs", {"spec": JOB | {"suspend": True}}, {}, True),
    "edit deployments": ("deployments", deployment(), {"yaml": EDITED}, True),
    "form deployments": (
        "deployments",
        deployment(),
        {"image": "web:2", "env.name": "LOG", "env.source": "value", "env.from": "debug", "replicas": "2"},
        True,
    ),
    "form services": ("services", {"spec": SERVICE}, {"type": "ClusterIP", "ports.target": "8080"}, True),
    "form ingresses": ("ingresses", {"spec": INGRESS}, {"rules.service": "api", "rules.port": "http"}, True),
    "form poddisruptionbudgets": (
        "poddisruptionbudgets",
        {"spec": {"minAvailable": 1, "selector": {"matchLabels": LABELS}}},
        {"amount": "50%", "rule": "maxUnavailable", "selector.value": "api"},
        True,
    ),
    "form namespaces": (
        "namespaces",
        {},
        {"labels.key": "team", "labels.value": "front", "security": "baseline"},
        True,
    ),
    "delete deployments": ("deployments", deployment(), {}, True),
    "delete statefulsets": (
        "statefulsets",
        KEEPER | {"spec": KEEPER["spec"] | TAKING},
        {"confirm": "web"},
        False,
    ),
    "delete services": ("services", {"spec": {"ports": [{"port": 80}], "type": "NodePort"}}, {}, True),
    "delete secrets": ("secrets", {"stringData": {"password": "old"}}, {"confirm": "web"}, False),
    "cordon": ("nodes", {}, {}, True),
    "uncordon": ("nodes", {"spec": {"unschedulable": True}}, {}, True),
    "drain": ("nodes", {}, {}, True),
}
# What is asked for at the address of another action, which decides that it is this one.
AT = {"evict": "delete"}


class Because(str):
    """Why an action has no test of something."""


NO_OBJECT = Because("No object is there before it.")
READS = Because("It writes nothing to the cluster.")
NO_OBJECTS = Because("It makes namespaces of its own, and takes them away.")
# What no object's page offers: by which test of this folder it meets each of these, or why it does not.
MEETS = ("made", "changed", "deleted", "recreated", "rights", "policy", "quota", "undone")
ELSEWHERE: dict[str, dict[str, str]] = {
    "create": {
        "made": "test_newobjects.test_previewed_applied_and_undone",
        "changed": "test_newobjects.test_a_name_that_is_taken_meanwhile_changes_nothing",
        "deleted": NO_OBJECT,
        "recreated": NO_OBJECT,
        "rights": "test_newobjects.test_who_may_not_create_is_told_which_right_is_missing",
        "policy": "test_newobjects.test_what_comes_between_preview_and_apply_makes_nothing",
        "quota": "test_newobjects.test_what_comes_between_preview_and_apply_makes_nothing",
        "undone": "test_newobjects.test_previewed_applied_and_undone",
    },
    "create-all": {
        "made": "test_create.test_an_application_is_created_in_the_order_that_it_needs",
        "changed": "test_create.test_it_stops_at_what_is_refused_says_so_and_goes_on_when_resumed",
        "deleted": "test_create.test_what_was_there_and_is_deleted_or_recreated_meanwhile_is_not_overwritten",
        "recreated": "test_create.test_what_was_there_and_is_deleted_or_recreated_meanwhile_is_not_overwritten",
        "rights": "test_create.test_what_an_account_may_not_do_is_told_for_each_object",
        "policy": "test_create.test_a_policy_refuses_before_anything_is_made",
        "quota": "test_create.test_a_quota_refuses_before_anything_is_made",
        "undone": "test_create.test_all_are_undone_together_but_what_was_changed_since",
    },
    "repoint": {
        "made": "test_replace.test_all_who_use_it_are_pointed_to_the_new_one_and_back",
        "changed": "test_replace.test_what_changes_meanwhile_is_left_and_told",
        "deleted": "test_replace.test_what_changes_meanwhile_is_left_and_told",
        "recreated": "test_replace.test_one_that_is_recreated_after_its_write_is_told_by_what_it_names",
        "rights": "test_replace.test_refusals_by_rights_policy_and_quota_are_told_before_anything_is_written",
        "policy": "test_replace.test_refusals_by_rights_policy_and_quota_are_told_before_anything_is_written",
        "quota": Because(
            "Its write makes no pod: a controller does, later. Its preview tells what quotas say."
        ),
        "undone": "test_replace.test_all_who_use_it_are_pointed_to_the_new_one_and_back",
    },
    "backup": {
        "made": "test_cluster_backup.test_it_is_made_once_recorded_and_audited",
        "changed": READS,
        "deleted": READS,
        "recreated": READS,
        "rights": "test_cluster_backup.test_what_an_account_may_not_list_is_told_before",
        "policy": READS,
        "quota": READS,
        "undone": Because("It changes nothing in the cluster, and says so."),
    },
    "restore": {
        "made": "test_restore.test_a_namespace_that_was_deleted_comes_back_as_it_was",
        "changed": "test_restore.test_what_changed_after_the_preview_stops_it_before_any_write",
        "deleted": "test_restore.test_what_was_deleted_or_recreated_after_the_preview_stops_it",
        "recreated": "test_restore.test_what_was_deleted_or_recreated_after_the_preview_stops_it",
        "rights": "test_restore.test_what_rights_policy_and_quota_refuse_is_told_by_the_preview",
        "policy": "test_restore.test_what_rights_policy_and_quota_refuse_is_told_by_the_preview",
        "quota": "test_restore.test_what_rights_policy_and_quota_refuse_is_told_by_the_preview",
        "undone": Because("It has no undo, and says so: what it created is in its results."),
    },
    "velero-restore": {
        "made": "test_velero_forms.test_a_restore_is_previewed_made_and_followed_to_its_end",
        "changed": "test_velero_forms.test_a_backup_that_is_another_one_by_now_is_not_restored",
        "deleted": "test_velero_forms.test_a_backup_that_is_another_one_by_now_is_not_restored",
        "recreated": "test_velero_forms.test_a_backup_that_is_another_one_by_now_is_not_restored",
        "rights": "test_velero_forms.test_whoever_may_not_is_told_which_right_is_missing_and_that_is_audited",
        "policy": "test_velero_forms.test_a_policy_refuses_in_the_preview",
        "quota": "test_velero_forms.test_a_quota_refuses_before_anything_is_begun",
        "undone": Because("It has no undo, and says so: what Velero creates has to be deleted."),
    },
    "drill": {
        "made": "test_restore.test_a_drill_restores_compares_and_takes_all_of_it_away",
        "changed": NO_OBJECTS,
        "deleted": NO_OBJECTS,
        "recreated": NO_OBJECTS,
        "rights": "test_restore.test_a_drill_tells_which_right_is_missing_and_what_a_policy_refuses",
        "policy": "test_restore.test_a_drill_tells_which_right_is_missing_and_what_a_policy_refuses",
        "quota": NO_OBJECTS,
        "undone": "test_restore.test_a_drill_restores_compares_and_takes_all_of_it_away",
    },
}


@dataclasses.dataclass(frozen=True)
class Counted:
    """What a quota counts of an action: none of it may be there. ``plural``, ``manifest`` and ``typed`` are those of
    TRIED where nothing else is said.
    """

    what: str
    plural: str = ""
    manifest: dict[str, Any] = dataclasses.field(default_factory=dict)
    typed: dict[str, str] = dataclasses.field(default_factory=dict)


INSIDE = {"spec": {"selector": LABELS, "ports": [{"port": 80}]}}
OUTSIDE = as_yaml(
    {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}}
    | {"spec": INSIDE["spec"] | {"type": "NodePort"}}
)
# Why no quota refuses an action.
PODS = "Its write makes no pod: a controller does, later."
SAME = "It makes nothing, and makes nothing larger, that a quota counts."
LESS = "It takes away."
NODES = "What belongs to no namespace has no quota."
CONTAINERS = "A quota counts no ephemeral containers."
QUOTAS: dict[str, Counted | str] = {
    "scale": PODS,
    "scale statefulsets": PODS,
    "scale replicasets": PODS,
    "autoscale": Counted("count/horizontalpodautoscalers.autoscaling"),
    "autoscale horizontalpodautoscalers": PODS,
    "restart": PODS,
    "rollback": PODS,
    "image": PODS,
    "resources": PODS,
    "env": PODS,
    "pause": SAME,
    "resume": PODS,
    "edit": SAME,
    "versions": SAME,
    "replace": Counted("count/configmaps"),
    "replace secrets": Counted("count/secrets"),
    "rotate": Counted("count/secrets"),  # the old value is kept in one
    "debug": CONTAINERS,
    "delete": LESS,
    "evict": LESS,
    "pause horizontalpodautoscalers": SAME,
    "resume horizontalpodautoscalers": PODS,
    "expand": Counted("requests.storage"),
    "run": Counted("count/jobs.batch"),
    "run jobs": Counted("count/jobs.batch"),
    "suspend": LESS,
    "resume cronjobs": PODS,
    "suspend jobs": LESS,
    "resume jobs": PODS,
    "edit deployments": Counted("services.nodeports", "services", INSIDE, {"yaml": OUTSIDE}),
    "form deployments": PODS,
    "form services": Counted("services.nodeports", "services", INSIDE, {"type": "NodePort"}),
    "form ingresses": SAME,
    "form poddisruptionbudgets": SAME,
    "form namespaces": NODES,
    "delete deployments": LESS,
    "delete statefulsets": LESS,
    "delete services": LESS,
    "delete secrets": LESS,
    "cordon": NODES,
    "uncordon": NODES,
    "drain": NODES,
}


def test_every_action_is_tried() -> None:
    offered = {action for action in ACTIONS if any(map(action.fits, KINDS.values()))}
    tried = {action_named(case.split()[0], plural) for case, (plural, *_) in TRIED.items()}
    assert offered <= tried
    assert {action.name for action in ACTIONS if action not in tried} == ELSEWHERE.keys()
    assert QUOTAS.keys() == TRIED.keys(), "which quota counts it, or why none does"


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_is_tried_elsewhere_meets_the_same(name: str) -> None:
    tests = ELSEWHERE[name]
    assert tuple(tests) == MEETS
    for test in tests.values():
        if not isinstance(test, Because):
            module, _, function = test.partition(".")
            text = (Path(__file__).parent / f"{module}.py").read_text()
            assert f"async def {function}(" in text, test


# Of an object's metadata, what the API server writes.
NODE_TTL = "node.alpha.kubernetes.io/ttl"  # the node controller's
OF_THE_SERVER = ("uid", "resourceVersion", "generation", "managedFields", "creationTimestamp", "selfLink")


class Here(Place):
    """A namespace with the object that an action is tried with, or the whole cluster with it."""

    plural, name = "", ""
    manifest: dict[str, Any]

    @property
    def path(self) -> str:
        gvr = KINDS[self.plural].gvr
        return gvr.path(self.namespace if gvr.namespaced else None, self.name)

    def anew(self) -> dict[str, Any]:
        """Makes the object."""
        gvr = KINDS[self.plural].gvr
        path = gvr.path(self.namespace if gvr.namespaced else None)
        # What no action writes is there too: an undo that makes the object anew must bring it back.
        meta = {"name": self.name, "annotations": {"example.com/note": "kept"}} | self.manifest.get(
            "metadata", {}
        )
        return self.make(path, self.manifest | {"metadata": meta})

    def url(self, name: str) -> str:
        """Where an action on it is asked for."""
        return f"/c/sandbox/{self.where}/{AT.get(name, name)}/"

    async def made(self, case: str) -> None:
        """Makes it, with what the action needs besides."""
        found = self.anew()
        if case == "versions":
            await sync_to_async(version_found)(self.transport.cluster.name, found)
        if self.plural == "persistentvolumeclaims":
            self.bind()
            await until(self.bound)
        await until(self.placed)
        if case == "evict":
            self.make("/apis/policy/v1/namespaces/{ns}/poddisruptionbudgets", BUDGET)
            await until(self.lets_go)
        if case in CHANGED:
            self.api.patch(self.path, CHANGED[case])
            await until(self.has_revisions)

    async def gone(self) -> None:
        """Deletes the object, and waits for its end."""
        self.api.delete(f"{self.path}?gracePeriodSeconds=0")

        async def is_gone() -> bool:
            return self.found() is None

        await until(is_gone)
        if self.plural == "persistentvolumeclaims":
            self.unbind()

    def found(self) -> dict[str, Any] | None:
        try:
            return self.api.get(self.path)
        except ApiError as error:
            if error.status != 404:
                raise
            return None

    @property
    def within(self) -> str:
        """The namespace in which rights to it are given, "" for the whole cluster."""
        return self.namespace if KINDS[self.plural].gvr.namespaced else ""

    @property
    def where(self) -> str:
        """The object, as in addresses."""
        return f"{self.plural}/{self.within or '-'}/{self.name}"

    def written(self) -> dict[str, Any]:
        """All of the object but what the control plane writes."""
        found = self.api.get(self.path)
        meta = found["metadata"]
        for name in OF_THE_SERVER:
            meta.pop(name, None)
        annotations = meta.pop("annotations", {})
        for name in (REVISION, NODE_TTL):
            annotations.pop(name, None)
        found.pop("status", None)
        if self.plural == "nodes":
            found.get("spec", {}).pop("taints", None)  # the node controller's
        return {**found, "metadata": {**meta, "annotations": annotations}}

    async def versions_kept(self, change: int) -> None:
        """Whether a change kept the ConfigMap as it left it, as its own."""
        kept = await ConfigMapVersion.objects.select_related("content").aget(change=change)
        found = self.api.get(KINDS["configmaps"].gvr.path(self.namespace, kept.name))
        assert version_contents(kept) == values(found)

    @property
    def volume(self) -> str:
        return f"volume-{self.namespace}"

    def bind(self) -> None:
        """Gives the claim a volume, as its provisioner would."""
        ref = {"kind": "PersistentVolumeClaim", "namespace": self.namespace, "name": self.name}
        spec = {
            "capacity": {"storage": "1Gi"},
            "accessModes": CLAIM["accessModes"],
            "storageClassName": CLAIM["storageClassName"],
            "claimRef": ref,
            "hostPath": {"path": "/nowhere"},
        }
        self.make("/api/v1/persistentvolumes", {"metadata": {"name": self.volume}, "spec": spec})

    def unbind(self) -> None:
        with suppress(ApiError):  # it went with the claim
            self.api.delete(f"/api/v1/persistentvolumes/{self.volume}")

    async def bound(self) -> bool:
        found = self.api.get(KINDS[self.plural].gvr.path(self.namespace, self.name))
        return bool(found["status"].get("capacity"))

    async def placed(self) -> bool:
        """Whether the scheduler has written its part of it: of a pod alone."""
        return self.plural != "pods" or bool(self.api.get(self.path)["spec"].get("nodeName"))

    async def lets_go(self) -> bool:
        """Whether the budget allows an eviction of the pod, which is up."""
        budgets = KINDS["poddisruptionbudgets"].gvr.path(self.namespace, self.name)
        return bool(self.api.get(budgets).get("status", {}).get("disruptionsAllowed"))

    def expand(self) -> None:
        """Gives it the size that it asks for, as the driver would."""
        path = KINDS[self.plural].gvr.path(self.namespace, self.name)
        wanted = self.api.get(path)["spec"]["resources"]["requests"]
        self.api.patch(f"{path}/status", {"status": {"capacity": wanted}})

    async def has_revisions(self) -> bool:
        if self.plural == "configmaps":
            return True  # they are kept here
        listed = self.api.get(KINDS["replicasets"].gvr.path(self.namespace))["items"]
        return len([one for one in listed if REVISION in one["metadata"].get("annotations", {})]) > 1

    def left(self) -> set[tuple[str, str]]:
        """What is there of the kinds that actions create beside the object."""
        kinds = ("horizontalpodautoscalers", "jobs", "configmaps")
        return {
            (plural, each["metadata"]["name"])
            for plural in kinds
            for each in self.api.get(KINDS[plural].gvr.path(self.namespace))["items"]
        }

    async def outcome(self, before: set[tuple[str, str]]) -> tuple[Any, list[Any]]:
        """The object, or that it goes, and what was created beside it, without its name."""

        async def steady() -> bool:
            found = self.found()
            return found is None or "deletionTimestamp" not in found["metadata"]

        await until(steady)
        made = []
        for plural, each in sorted(self.left() - before):
            found = self.api.get(KINDS[plural].gvr.path(self.namespace, each))
            made.append([plural, found.get("spec", {}).get("minReplicas"), found.get("data")])
        there = self.found()
        if there is None:
            return None, made
        # Without what each object of that name has of its own.
        found = json.loads(json.dumps(self.written()).replace(there["metadata"]["uid"], "its-uid"))
        for name in ("clusterIP", "clusterIPs"):
            found.get("spec", {}).pop(name, None)
        template = found.get("spec", {}).get("template", {}).get("metadata", {})
        template.get("annotations", {}).pop(AT_THIS_MOMENT, None)
        return found, made

    reads = READ | {
        "services", "endpointslices", "ingresses", "horizontalpodautoscalers", "poddisruptionbudgets",
        "resourcequotas", "nodes", "configmaps", "jobs", "cronjobs", "persistentvolumeclaims", "storageclasses",
    }  # fmt: skip


@pytest.fixture(params=TRIED)
def case(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def name(case: str) -> str:
    return case.split()[0]


@pytest_asyncio.fixture
async def client() -> AsyncClient:
    made = AsyncClient()
    await made.aforce_login(await User.objects.acreate(username="mara"))
    return made


@pytest.fixture
async def here(
    cluster: Sandbox, transport: Transport, namespace: str, case: str, settings: Any
) -> AsyncIterator[Here]:
    settings.CLUSTER_UI_DEBUG_IMAGES = ["busybox:1.37"]
    place = Here(cluster, transport, namespace)
    place.plural, place.manifest, *_ = TRIED[case]
    # What belongs to no namespace must not meet what another test makes.
    place.name = "web" if KINDS[place.plural].gvr.namespaced else f"web-{namespace}"
    await place.made(case)
    yield place
    if not KINDS[place.plural].gvr.namespaced:
        place.api.delete(place.path)
    if place.plural == "persistentvolumeclaims":
        place.unbind()


# What a second one, shown before the first was made, does not conflict with: it makes another object.
AGAIN = {"run", "run jobs"}
# What the second one is told, where that is not that somebody changed it.
CHANGED_SINCE = "since you looked"
UNDER_WAY = "is being pointed to web-2 already"
LATE = {
    "autoscale": "HorizontalPodAutoscaler web was created by mara since the preview",
    "replace": UNDER_WAY,
    "replace secrets": UNDER_WAY,
    "rotate": "what reads it is still being restarted",
    "drain": "is being drained already, by mara",
    "debug": "would now be different",
    "delete deployments": "There is no Deployment web",
    "delete statefulsets": "There is no StatefulSet web",
    "delete services": "There is no Service web",
    "delete secrets": "There is no Secret web",
}


async def test_previewed_applied_followed_and_undone_by_a_script(
    here: Here, client: AsyncClient, monkeypatch: pytest.MonkeyPatch, case: str, name: str
) -> None:
    _, _, typed, undone = TRIED[case]
    before = here.written()
    cluster = open_forms(monkeypatch, here.transport, await here.objects())
    script = Script(client, here.url(name), typed)

    late, shown = (await script.preview())["token"], await script.preview()
    assert shown["token"] and shown["diff"]
    assert bool(shown["kubectl"]) is (case not in NO_COMMAND)
    made = await script.apply(shown["token"])
    assert await script.apply(shown["token"]) == made, "one token, one change"
    change = await Change.objects.select_related("user").aget()
    assert (change.state, change.action) == ("done", name)
    if here.plural == "configmaps":
        await here.versions_kept(change.pk)
    if case not in AGAIN:
        status, answer = await script.post(step="apply", token=late)
        assert status == (404 if case.startswith("delete ") else 409)
        assert LATE.get(case, CHANGED_SINCE) in answer["error"]["text"]
        assert await Change.objects.acount() == 1

    if name == "expand":
        here.expand()

    async def done() -> bool:
        found = change_follow(change=change, objects=await here.objects(), now=datetime.now(UTC))
        return found.done

    assert await until(done)
    created = change.inverse.get("input", {}).get("created", "")
    undo = Script(client, f"{made['url']}undo/", {"confirm": created})
    cluster.reader = await here.objects()
    status, answer = await undo.post(step="preview")
    assert (status == 200) is undone, answer
    if undone:
        back = await undo.apply(answer["token"])
        assert back["change"] != made["change"]
        assert here.written() == before
        if here.plural == "configmaps" and name != "replace":  # its undo writes no ConfigMap
            await here.versions_kept(back["change"])
    results = [entry.result async for entry in AuditEntry.objects.order_by("pk")]
    assert results == ["done", *([] if case in AGAIN else ["refused"]), *(["done"] if undone else [])]


# Those without a command, and what the preview says then.
NO_COMMAND = {"replace secrets": "No command: a Secret's values would stand in it"}
INTERACTIVE = {"debug"}  # a shell
AT_THIS_MOMENT = "kubectl.kubernetes.io/restartedAt"


async def test_its_kubectl_command_can_be_pasted_and_does_the_same(
    here: Here, client: AsyncClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, case: str, name: str
) -> None:
    _, _, typed, _ = TRIED[case]
    session = open_forms(monkeypatch, here.transport, await here.objects())
    script = Script(client, here.url(name), typed)
    shown = await script.preview()
    if case in NO_COMMAND:
        assert shown["kubectl_note"].startswith(NO_COMMAND[case])
        return
    if case in INTERACTIVE:
        return
    before = here.left()
    (tmp_path / "new-value").write_text("new")
    await here.by_hand(shown["kubectl"], tmp_path)
    by_hand = await here.outcome(before)
    for plural, made in here.left() - before:
        here.api.delete(f"{KINDS[plural].gvr.path(here.namespace, made)}?propagationPolicy=Background")
    if here.found() is not None:
        await here.gone()
    if case == "evict":
        here.api.delete(f"{KINDS['poddisruptionbudgets'].gvr.path(here.namespace)}/web")
    await here.made(case)
    session.reader = await here.objects()
    before = here.left()
    await script.apply((await script.preview())["token"])
    assert await here.outcome(before) == by_hand


# What an action is granted and this run does not take: what steps do, which have tests of their own (those of a drain
# evict, those of a replacement's undo delete; a rotation deletes old backups).
NOT_TAKEN = {
    "drain": {"create pods/eviction", "list pods"},
    "replace": {"delete configmaps"},
    "replace secrets": {"delete secrets"},
    "delete statefulsets": {"create statefulsets.apps"},  # nothing of it is created again
    "rotate": {"delete secrets"},
}


def ability_of(case: str) -> Ability:
    wanted = case.split()[0], TRIED[case][0]
    (found,) = (each for each in abilities() if (each.name, each.kind.plural) == wanted)
    return found


async def test_the_rights_that_it_declares_are_enough_and_none_is_for_nothing(
    here: Here, client: AsyncClient, monkeypatch: pytest.MonkeyPatch, case: str, name: str
) -> None:
    _, _, typed, undone = TRIED[case]
    ability = ability_of(case)
    async with account_with(here.api, here.transport, here.within, ability.rights) as account:
        taken = taken_by(monkeypatch, account)
        cluster = open_forms(monkeypatch, account, await here.objects())
        script = Script(client, here.url(name), typed)
        made = await script.apply((await script.preview())["token"])
        change = await Change.objects.select_related("user").aget()
        if name == "expand":
            here.expand()

        async def done() -> bool:
            return change_follow(change=change, objects=await here.objects(), now=datetime.now(UTC)).done

        assert await until(done)
        if undone:
            confirm = {"confirm": change.inverse.get("input", {}).get("created", "")}
            undo = Script(client, f"{made['url']}undo/", confirm)
            cluster.reader = await here.objects()
            await undo.apply((await undo.preview())["token"])
    granted = {str(right) for right in ability.rights}
    assert taken <= granted, "it is let do more than it declares"
    assert granted - taken <= NOT_TAKEN.get(case, set()), "what it declares and does not need"


async def test_who_may_only_read_is_refused_and_told_which_right_is_missing(
    here: Here, client: AsyncClient, monkeypatch: pytest.MonkeyPatch, case: str, name: str
) -> None:
    plural, _, typed, _ = TRIED[case]
    within = f" in namespace {here.namespace}" if KINDS[plural].gvr.namespaced else ""
    async with here.restricted(rule(KINDS[plural].gvr.group, plural, "get")) as reader:
        open_forms(monkeypatch, reader, await here.objects())
        script = Script(client, here.url(name), typed)
        status, answer = await script.post(step="preview")
    assert status == 403
    action = action_named(AT.get(name, name), plural)
    verb, subresource = action.rights[0]
    written = action.subject(Target.of("sandbox", KINDS[plural], here.namespace, here.name)).plural
    resource = f"{written}/{subresource}" if subresource else written
    assert f"may not {verb} {resource}{within}." in answer["error"]["text"]
    assert set(answer["error"]) == {"title", "text", "field"}


async def test_a_read_only_context_is_refused_by_every_action(
    here: Here, client: AsyncClient, monkeypatch: pytest.MonkeyPatch, case: str, name: str
) -> None:
    _, _, typed, _ = TRIED[case]
    monkeypatch.setattr(
        here.transport, "cluster", dataclasses.replace(here.transport.cluster, is_sandbox=False)
    )
    open_forms(monkeypatch, here.transport, await here.objects())
    script = Script(client, here.url(name), typed)
    status, answer = await script.post(step="preview")
    assert (status, answer["error"]["title"]) == (403, "Read-only")


def written_by(monkeypatch: pytest.MonkeyPatch, transport: Transport) -> list[str]:
    """What the API server lets it write; dry runs, and questions about rights, apart."""
    written: list[str] = []
    request = transport.request

    async def recorded(method: Any, target: Any, **asked: Any) -> Any:
        answer = await request(method, target, **asked)
        dry = "dryRun" in (asked.get("query") or {}) or b"dryRun" in (asked.get("body") or b"")
        if method != "GET" and not dry and "reviews" not in str(target):
            written.append(f"{method} {target}")
        return answer

    monkeypatch.setattr(transport, "request", recorded)
    return written


async def refusal(script: Script, token: str, written: list[str]) -> tuple[int, str]:
    """Of an apply: its status, and its words, which the audit has too. Nothing was written, nor is anything to undo."""
    before = await AuditEntry.objects.acount()
    status, answer = await script.post(step="apply", token=token)
    assert set(answer["error"]) == {"title", "text", "field"}, answer
    entries = [each async for each in AuditEntry.objects.order_by("pk")][before:]
    assert [each.result for each in entries] == ["refused"]
    assert entries[0].detail and entries[0].detail in answer["error"]["text"]
    assert written == [] and not await Change.objects.aexists()
    return status, answer["error"]["text"]


async def test_what_comes_between_preview_and_apply_is_told_and_nothing_is_written(
    here: Here, client: AsyncClient, monkeypatch: pytest.MonkeyPatch, case: str, name: str, stopped: str
) -> None:
    session = open_forms(monkeypatch, here.transport, await here.objects())
    script = Script(client, here.url(name), TRIED[case][2])
    token = (await script.preview())["token"]
    before = here.written()

    async with stopped_way(here.transport, here.namespace, stopped) as session.transport:
        written = written_by(monkeypatch, session.transport)
        status, said = await refusal(script, token, written)
        assert (status, STOPPED in said) == (422, True), said
        status, answer = await script.post(step="preview")
        assert (status, STOPPED in answer["error"]["text"], written) == (422, True, [])
    assert here.written() == before

    rights = [each for each in ability_of(case).rights if each.verb in ("get", "list", "watch")]
    async with account_with(here.api, here.transport, here.within, rights) as session.transport:
        written = written_by(monkeypatch, session.transport)
        status, said = await refusal(script, token, written)
        assert (status, " is forbidden: User " in said) == (403, True), said
    assert here.written() == before

    session.transport = here.transport
    written = written_by(monkeypatch, here.transport)
    await here.gone()
    status, said = await refusal(script, token, written)
    assert status == 404 and said.startswith("There is no "), said
    assert here.found() is None

    here.anew()
    await until(here.placed)
    before = here.written()
    status, said = await refusal(script, token, written)
    assert (status, "was deleted and recreated since the preview" in said) == (409, True), said
    assert here.written() == before


@pytest.mark.parametrize("case", [case for case, quota in QUOTAS.items() if isinstance(quota, Counted)])
async def test_a_full_quota_refuses_before_anything_is_written(
    cluster: Sandbox, transport: Transport, namespace: str, client: AsyncClient,
    monkeypatch: pytest.MonkeyPatch, case: str, name: str,
) -> None:  # fmt: skip
    counted = QUOTAS[case]
    assert isinstance(counted, Counted)
    plural, manifest, typed, _ = TRIED[case]
    here = Here(cluster, transport, namespace)
    here.plural, here.manifest, here.name = counted.plural or plural, counted.manifest or manifest, "web"
    await here.made(case)
    before = here.written()
    open_forms(monkeypatch, transport, await here.objects())
    script = Script(client, here.url(name), counted.typed or typed)
    token = (await script.preview())["token"]
    written = written_by(monkeypatch, transport)
    quota = {"metadata": {"name": "none"}, "spec": {"hard": {counted.what: "0"}}}
    here.make("/api/v1/namespaces/{ns}/resourcequotas", quota)

    async def told() -> str:
        # A rotation says in its preview that no backup can be kept; others have none.
        _, answer = await script.post(step="preview")
        return str(answer) if "exceeded quota: none" in str(answer) else ""

    assert counted.what in await until(told)
    status, said = await refusal(script, token, written)
    assert (status, "exceeded quota: none" in said) == (403, True), said
    assert here.written() == before
    here.unbind()
