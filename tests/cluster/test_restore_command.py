"""``manage.py backup restore`` and ``drill`` on a real API server: waited for, told object by object, and audited."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from dashboard.accounts import BY
from dashboard.actions import running
from dashboard.kube.config import Cluster, load_clusters
from dashboard.management.commands import backup
from dashboard.models import AuditEntry, Change, Operation
from dashboard.recovery.archive import Entry
from sandbox import Sandbox
from sandbox.api import Api

from .applications import present
from .archives import IDENTITY, objects_of, write_archive

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True)]

KINDS = (("", "v1", "configmaps", "ConfigMap"), ("", "v1", "secrets", "Secret"))


@pytest.fixture
def api(cluster: Sandbox) -> Api:
    return cluster.api()


@pytest.fixture
def archive(
    cluster: Sandbox, api: Api, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    """Of a namespace with a ConfigMap and a Secret, encrypted; the command finds the tests' cluster."""
    (found, *_) = load_clusters(
        environ={"KUBECONFIG": str(cluster.kubeconfig)}, sandbox_kubeconfig=cluster.kubeconfig
    )

    async def tests(context: str) -> Cluster:
        return found

    monkeypatch.setattr(backup, "_cluster", tests)
    core = f"/api/v1/namespaces/{namespace}"
    api.post(f"{core}/configmaps", {"metadata": {"name": "web"}, "data": {"a": "1"}})
    api.post(f"{core}/secrets", {"metadata": {"name": "web"}, "stringData": {"p": "canary-77"}})
    return write_archive(tmp_path, objects_of(api, namespace, KINDS))


@pytest.fixture
def key(tmp_path: Path) -> str:
    path = tmp_path / "key.txt"
    path.write_text(f"{IDENTITY}\n")
    return str(path)


@pytest.fixture
def elsewhere(api: Api, namespace: str) -> Iterator[str]:
    yield f"{namespace}-two"
    if present(api, f"/api/v1/namespaces/{namespace}-two"):
        api.delete(f"/api/v1/namespaces/{namespace}-two")


def run(*arguments: str, code: int = 0) -> dict[str, Any]:
    out = io.StringIO()
    try:
        call_command("backup", *arguments, "--format", "json", stdout=out, stderr=io.StringIO())
    except SystemExit as ended:
        assert ended.code == code, out.getvalue()
    else:
        assert code == 0, out.getvalue()
    return dict(json.loads(out.getvalue()))


def states(said: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {each["object"].partition("/")[0]: (each["state"], each["word"]) for each in said["results"]
            if each["object"].rpartition("/")[2] == "web"}  # fmt: skip


def test_a_restore_waits_for_its_end_and_a_second_one_changes_nothing(
    api: Api, archive: str, namespace: str, elsewhere: str, key: str
) -> None:
    asked = ("restore", archive, "--identity", key, "--map", f"{namespace}={elsewhere}")
    said = run(*asked, "--dry-run")
    assert (said["state"], said["change"]) == ("previewed", None)
    assert states(said)["configmaps"] == ("create", "will be created")
    assert present(api, f"/api/v1/namespaces/{elsewhere}") is None and not Change.objects.exists()

    said = run(*asked)
    assert (said["state"], states(said)) == (
        "done",
        {"configmaps": ("done", "created"), "secrets": ("done", "created")},
    )
    made = api.get(f"/api/v1/namespaces/{elsewhere}/configmaps/web")
    assert made["data"] == {"a": "1"}
    assert "canary-77" not in json.dumps(said)
    change = Change.objects.get(pk=said["change"])
    assert change.user.get_username() == BY and not change.user.has_usable_password()
    audited = AuditEntry.objects.filter(action="restore").order_by("pk")
    assert {each.user_name for each in audited} == {BY}
    assert audited[0].detail.endswith("begun.") and "written or equal" in audited.last().detail

    assert run(*asked)["state"] == "nothing"
    again = api.get(f"/api/v1/namespaces/{elsewhere}/configmaps/web")
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_what_differs_is_left_updated_or_refuses_all_of_it(
    api: Api, archive: str, namespace: str, key: str
) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps/web"
    api.patch(path, {"data": {"a": "2"}})
    asked = ("restore", archive, "--identity", key, "--namespace", namespace, "--only", "configmaps/web")
    assert states(run(*asked))["configmaps"][0] == "leave"
    assert run(*asked, "--conflict", "refuse", code=1)["state"] == "refused"
    assert api.get(path)["data"] == {"a": "2"}
    assert states(run(*asked, "--conflict", "update"))["configmaps"] == ("done", "updated")
    assert api.get(path)["data"] == {"a": "1"}


def test_a_dry_run_tells_which_pods_come_and_which_quota_stands_in_the_way(
    api: Api, archive: str, namespace: str, elsewhere: str, key: str, tmp_path: Path
) -> None:
    template = {
        "metadata": {"labels": {"a": "b"}},
        "spec": {"containers": [{"name": "web", "image": "web:1"}]},
    }
    spec = {"replicas": 3, "selector": {"matchLabels": {"a": "b"}}, "template": template}
    api.post(f"/apis/apps/v1/namespaces/{namespace}/deployments", {"metadata": {"name": "web"}, "spec": spec})
    kinds = (*KINDS, ("apps", "v1", "deployments", "Deployment"))
    archive = write_archive(tmp_path, objects_of(api, namespace, kinds))
    api.post("/api/v1/namespaces", {"metadata": {"name": elsewhere}})
    quota = {"metadata": {"name": "few"}, "spec": {"hard": {"pods": "1"}}}
    api.post(f"/api/v1/namespaces/{elsewhere}/resourcequotas", quota)
    asked = ("restore", archive, "--identity", key, "--map", f"{namespace}={elsewhere}", "--dry-run")
    said = run(*asked)
    assert "create 3 pods" in said["text"] and said["text"].endswith("Nothing was written.")
    assert [each["title"] for each in said["notices"]] == [f"The quota of {elsewhere} allows 1 of 3 pods"]
    out = io.StringIO()
    call_command("backup", *asked, stdout=out, stderr=io.StringIO())
    assert f"The quota of {elsewhere} allows 1 of 3 pods: " in out.getvalue()


def test_another_cluster_has_not_all_that_the_objects_name(
    cluster: Sandbox, api: Api, namespace: str, elsewhere: str, key: str, tmp_path: Path, archive: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The archive is of a cluster that has its own classes and kinds; the API server here is of another context."""
    (found, *_) = load_clusters(
        environ={"KUBECONFIG": str(cluster.kubeconfig)}, sandbox_kubeconfig=cluster.kubeconfig
    )

    async def other(context: str) -> Cluster:
        assert context == "other"
        return replace(found, name="other", slug="other")

    monkeypatch.setattr(backup, "_cluster", other)
    claim = {"spec": {"storageClassName": "fast", "accessModes": ["ReadWriteOnce"],
                      "resources": {"requests": {"storage": "1Gi"}}}}  # fmt: skip
    pods = {"priorityClassName": "urgent", "containers": [{"name": "web", "image": "web:1"}]}
    template = {"metadata": {"labels": {"a": "b"}}, "spec": pods}
    deployment = {"spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template}}
    edge = {
        "spec": {
            "ingressClassName": "edge",
            "defaultBackend": {"service": {"name": "w", "port": {"number": 1}}},
        }
    }
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole"}
    entries = [
        Entry(group=group, version=version, plural=plural, namespace=namespace, name="web", body=body
              | {"apiVersion": f"{group}/{version}" if group else version, "kind": kind,
                 "metadata": {"name": "web", "namespace": namespace}})
        for group, version, plural, kind, body in (
            ("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", claim),
            ("apps", "v1", "deployments", "Deployment", deployment),
            ("networking.k8s.io", "v1", "ingresses", "Ingress", edge),
            (role["apiGroup"], "v1", "rolebindings", "RoleBinding", {"roleRef": role | {"name": "own"}}),
            (role["apiGroup"], "v1", "roles", "Role", {"rules": []}),
            ("elsewhere.example", "v1", "backends", "Backend", {}),
        )
    ]  # fmt: skip
    archive = write_archive(tmp_path, entries, encrypted=False)
    asked = ("restore", archive, "--context", "other", "--map", f"{namespace}={elsewhere}")

    said = run(*asked, "--dry-run", code=1)
    assert said["state"] == "refused" and said["text"] == "6 objects would be refused: nothing is written."
    texts = {each["object"].partition("/")[0]: each["text"] for each in said["results"]}
    assert texts.pop("backends.elsewhere.example") == (
        "The API server does not serve Backend in elsewhere.example/v1. Its definition comes with it if you choose "
        "customresourcedefinitions.apiextensions.k8s.io."
    )
    assert set(texts.values()) == {"Its namespace does not exist: restore it too, or create it before."}

    api.post("/api/v1/namespaces", {"metadata": {"name": elsewhere}})
    said = run(*asked, code=1)
    assert (said["state"], said["context"]) == ("failed", "other")
    told = {each["object"].partition("/")[0]: (each["word"], each["text"]) for each in said["results"]}
    assert told.pop("backends.elsewhere.example")[0] == "refused"
    assert told == {
        "persistentvolumeclaims": (
            "created",
            "A new, empty volume is provisioned: backups contain no volume data. "
            "StorageClass fast does not exist: it stays Pending until it does.",
        ),
        "deployments.apps": (
            "created", "PriorityClass urgent does not exist: the API server refuses its pods until it does."
        ),
        "ingresses.networking.k8s.io": (
            "created", "IngressClass edge does not exist: no controller serves it until it does."
        ),
        f"rolebindings.{role['apiGroup']}": (
            "created", "ClusterRole own does not exist: it grants nothing until it does."
        ),
        f"roles.{role['apiGroup']}": ("created", ""),
    }  # fmt: skip


def test_an_object_that_is_refused_ends_with_1(
    api: Api, archive: str, namespace: str, elsewhere: str, key: str
) -> None:
    api.post("/api/v1/namespaces", {"metadata": {"name": elsewhere}})
    quota = {"metadata": {"name": "none"}, "spec": {"hard": {"count/configmaps": "0"}}}
    api.post(f"/api/v1/namespaces/{elsewhere}/resourcequotas", quota)
    said = run("restore", archive, "--identity", key, "--map", f"{namespace}={elsewhere}", code=1)
    assert said["state"] == "failed"
    assert states(said)["configmaps"][0] == "failed" and states(said)["secrets"] == ("done", "created")


def test_a_lease_that_was_lost_is_followed_to_the_end(
    archive: str, namespace: str, elsewhere: str, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim: Callable[..., list[Operation]] = running.operations_claim
    asked = []

    def taken(holder: str, now: Any, *, change: int) -> list[Operation]:
        """Another process has it for a moment, after the command's first claim of it."""
        asked.append(holder)
        return [] if 2 <= len(asked) < 5 else claim(holder, now, change=change)

    monkeypatch.setattr(running, "operations_claim", taken)
    said = run("restore", archive, "--identity", key, "--map", f"{namespace}={elsewhere}")
    assert said["state"] == "done" and len(asked) >= 5


def test_a_drill_is_tried_compared_and_taken_away(api: Api, archive: str, namespace: str, key: str) -> None:
    said = run("drill", archive, "--identity", key, "--namespace", namespace)
    assert said["state"] == "done" and [each["state"] for each in said["steps"]] == ["done"] * 5
    (scratch,) = Change.objects.get(pk=said["change"]).result["drill"].values()
    assert present(api, f"/api/v1/namespaces/{scratch}") is None
    assert api.get(f"/api/v1/namespaces/{namespace}/configmaps/web")["data"] == {"a": "1"}


def test_a_read_only_context_is_refused_and_that_is_audited(
    archive: str, namespace: str, key: str, settings: Any
) -> None:
    settings.CLUSTER_UI_READ_ONLY = True
    for task in ("restore", "drill"):
        with pytest.raises(CommandError, match="only reads"):
            run(task, archive, "--identity", key)
    refused = AuditEntry.objects.values_list("action", "user_name", "result")
    assert set(refused) == {("restore", BY, "refused"), ("drill", BY, "refused")}


def test_the_newest_archive_of_the_context_is_taken(
    archive: str, namespace: str, key: str, tmp_path: Path
) -> None:
    for name in (
        "tests_all_20261127T020000Z_0123abcd.tar.zst.age",
        "other_all_20261129T020000Z_0123abcd.tar.zst.age",
    ):
        (tmp_path / name).write_bytes(b"not it")
    said = run("restore", "--to", str(tmp_path), "--identity", key, "--dry-run", "--only", "configmaps/web")
    assert said["archive"] == archive
