"""What is kept of a ConfigMap's versions, and within which bounds."""

from __future__ import annotations

import ast
import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

import dashboard
from dashboard.actions.configmap_history import EDITS
from dashboard.actions.configmap_values import values
from dashboard.actions.configmap_versions import (
    MAKERS,
    content_hash,
    version_contents,
    version_found,
    versions_keep,
    versions_of,
)
from dashboard.actions.edit import Edit
from dashboard.actions.registry import ACTIONS
from dashboard.actions.version_history import version_history
from dashboard.actions.versions import keys_words, written_words
from dashboard.insight.configmapuse import started_with
from dashboard.models import Change, ConfigMapContent, ConfigMapVersion

from ..insight.world import World, pod

pytestmark = pytest.mark.django_db

# Whatever sends writes that last, and who keeps the versions of the ConfigMaps among them.
WRITERS = {
    "actions/writing.py": "each action, in its `keep`",
    "recovery/restoring.py": "the restore; a drill's go with its namespaces",
    "actions/backups.py": "nobody: they are Secrets",
    "actions/drill.py": "nobody: they are namespaces and quotas",
    "actions/evictions.py": "nobody: they are evictions",
    "actions/velero_restore.py": "nobody: it is a Restore, and what comes of it Velero writes itself",
    "recovery/claims.py": "nobody: they are VolumeSnapshots",
}
QUESTIONS = {"kube/access.py", "kube/subjectreviews.py", "kube/whoami.py", "kube/transport.py"}


def config(version: int, manager: str = "", **data: str) -> dict[str, Any]:
    """A ConfigMap at a version, all of whose keys one manager wrote."""
    meta: dict[str, Any] = {
        "namespace": "shop", "name": "settings", "uid": "u1", "resourceVersion": str(version),
    }  # fmt: skip
    if manager:
        fields = {"f:data": {f"f:{key}": {} for key in data}}
        meta["managedFields"] = [{"manager": manager, "time": "2026-01-02T03:04:05Z", "fieldsV1": fields}]
    return {"metadata": meta, "data": data}


def change(**more: Any) -> Change:
    user, _ = User.objects.get_or_create(username="mara")
    about = {"context": "dev", "action": "edit", "plural": "configmaps", "uid": "u1", "state": "done"}
    return Change.objects.create(nonce=str(Change.objects.count()), user=user, **about | more)


def kept() -> list[ConfigMapVersion]:
    return versions_of("dev", "u1")


def sends(module: Path) -> bool:
    """Whether it asks for more than reading and deleting."""
    calls = (each for each in ast.walk(ast.parse(module.read_text())) if isinstance(each, ast.Call))
    methods = (
        ast.unparse(each.args[0])
        for each in calls
        if isinstance(each.func, ast.Attribute) and each.func.attr == "request" and each.args
    )
    return any(method not in ("'GET'", "'DELETE'") for method in methods)


def test_of_all_that_writes_it_is_known_who_keeps_the_versions_of_configmaps() -> None:
    root = Path(dashboard.__file__).parent
    found = {str(each.relative_to(root)) for each in root.rglob("*.py") if sends(each)}
    assert found == WRITERS.keys() | QUESTIONS


def test_a_change_keeps_what_it_found_and_what_it_made() -> None:
    versions_keep(change(reason="sale"), config(10, "helm", LOG="info"), config(11, LOG="debug", A="1"))
    made, found = kept()
    assert [(one.number, one.by, one.reason) for one in (found, made)] == [
        (1, "helm", ""),
        (2, "mara", "sale"),
    ]
    assert (keys_words(found), keys_words(made)) == ("", "A added, LOG changed")
    assert (written_words(found), written_words(made)) == ("helm, elsewhere", "mara: sale")
    assert version_contents(made) == values(config(0, LOG="debug", A="1"))
    assert found.replaced_at is not None and made.replaced_at is None


def test_one_change_of_many_objects_is_dated_by_the_write_of_each() -> None:
    many = change(action="restore", plural="namespaces", uid="", reason="lost")
    at = many.created_at + timedelta(minutes=5)
    versions_keep(many, None, config(10, LOG="info"), at)
    (made,) = kept()
    assert (made.by, made.reason, made.at, made.change_id) == ("mara", "lost", at, many.pk)


def test_the_change_that_wrote_a_version_is_told_of_it_whoever_else_it_was_taken_for() -> None:
    earlier, later = change(), change()
    ConfigMapVersion.objects.all().delete()
    versions_keep(earlier, None, config(11, LOG="debug"))
    versions_keep(later, None, config(11, LOG="debug"))
    (made,) = kept()
    assert made.change_id == later.pk


def test_what_is_known_is_not_kept_again_and_equal_content_is_there_once() -> None:
    for version, log in enumerate(("info", "info", "debug", "info"), 1):
        version_found("dev", config(version, LOG=log))
    assert [one.number for one in kept()] == [3, 2, 1]
    assert kept()[2].resource_version == "2", "a version of the same content"
    assert ConfigMapContent.objects.count() == 2
    assert kept()[0].content.sha256 == content_hash(config(9, LOG="info"))


def test_what_comes_in_late_is_no_newer_version() -> None:
    version_found("dev", config(100, LOG="debug"))
    version_found("dev", config(99, LOG="info"))
    assert [one.resource_version for one in kept()] == ["100"]


def test_a_version_that_was_read_first_gets_the_change_that_made_it() -> None:
    version_found("dev", config(11, "cluster-ui", LOG="debug"))
    assert written_words(kept()[0]) == "cluster-ui, elsewhere", "nobody else's word is taken for it"
    versions_keep(change(reason="sale"), None, config(11, LOG="debug"))
    (one,) = kept()
    assert (one.by, one.reason, one.change_id) == ("mara", "sale", Change.objects.get().pk)


def test_what_this_dashboard_wrote_is_told_by_its_record() -> None:
    change(reason="sale")
    version_found("dev", config(11, "cluster-ui", LOG="debug"))
    assert written_words(kept()[0]) == "mara: sale"


def test_the_first_version_has_the_time_and_the_person_of_the_creation() -> None:
    created = change(action="create")
    versions_keep(created, {"metadata": {"uid": ""}}, config(10, "cluster-ui", LOG="info"))
    edited = change(reason="sale")
    versions_keep(edited, config(10, "cluster-ui", LOG="info"), config(11, "cluster-ui", LOG="debug"))
    assert [(one.change_id, one.at) for one in kept()[::-1]] == [
        (created.pk, created.created_at), (edited.pk, edited.created_at),
    ]  # fmt: skip


def test_an_edit_does_not_date_what_it_found() -> None:
    versions_keep(change(), config(10, "cluster-ui", LOG="info"), config(11, "cluster-ui", LOG="debug"))
    first = kept()[-1]
    assert (first.number, first.change_id, f"{first.at:%H:%M:%S}") == (1, None, "03:04:05")


@pytest.mark.parametrize("action", MAKERS)
def test_what_was_created_before_versions_were_kept_is_told_by_its_record(action: str) -> None:
    created = change(action=action)
    versions_keep(change(), config(10, "cluster-ui", LOG="info"), config(11, "cluster-ui", LOG="debug"))
    assert kept()[-1].change_id == created.pk


def test_what_changes_labels_alone_did_not_write_the_values() -> None:
    versions_keep(change(action="create"), config(10, "helm", LOG="info"), config(11, "helm", LOG="info"))
    assert [written_words(one) for one in kept()] == ["helm, elsewhere"]


def test_who_removed_a_key_is_not_known_and_nobody_else_is_named() -> None:
    versions_keep(change(reason="sale"), None, config(11, "cluster-ui", LOG="debug", A="1"))
    version_found("dev", config(12, "cluster-ui", LOG="debug"))
    assert [written_words(one) for one in kept()] == ["somebody", "mara: sale"]


def test_a_change_made_one_version_and_no_other() -> None:
    versions_keep(change(reason="sale"), None, config(11, "cluster-ui", LOG="debug"))
    version_found("dev", config(12, "cluster-ui", LOG="warn"))
    assert [written_words(one) for one in kept()] == ["cluster-ui, elsewhere", "mara: sale"]


def test_the_oldest_of_too_many_go(settings: Any) -> None:
    settings.CLUSTER_UI_CONFIGMAP_VERSIONS_KEPT = 3
    for version in range(1, 8):
        version_found("dev", config(version, LOG=str(version)))
    assert [one.number for one in kept()] == [7, 6, 5]


def test_the_oldest_go_where_all_are_too_large_but_never_the_newest(settings: Any) -> None:
    settings.CLUSTER_UI_CONFIGMAP_VERSIONS_MIB = 1
    noise = random.Random(1)
    for version in range(1, 5):
        text = "".join(chr(noise.randrange(33, 127)) for _ in range(500_000))
        version_found("dev", config(version, LOG=text))
    assert [one.number for one in kept()] == [4, 3]
    settings.CLUSTER_UI_CONFIGMAP_VERSIONS_MIB = 0.001
    version_found("dev", config(9, LOG=text[::-1]))
    assert [one.number for one in kept()] == [5]


def test_objects_have_versions_of_their_own() -> None:
    other = config(2, LOG="debug")
    other["metadata"]["uid"] = "u2"
    for context, manifest in (
        ("dev", config(1, LOG="info")),
        ("dev", other),
        ("prod", config(1, LOG="info")),
    ):
        version_found(context, manifest)
    assert [one.number for one in kept()] == [1]
    assert ConfigMapVersion.objects.count() == 3


def test_of_many_keys_some_are_named() -> None:
    version_found("dev", config(1))
    version_found("dev", config(2, **{f"k{number:02}": "x" for number in range(30)}))
    assert kept()[0].keys["more"] == 10 and keys_words(kept()[0]).endswith("k19 added, 10 more")


def test_the_history_of_values_reads_every_action_that_writes_keys() -> None:
    assert {action.name for action in ACTIONS if isinstance(action, Edit)} == set(EDITS)


def at(second: int) -> str:
    return f"2026-01-02T03:04:{second:02d}Z"


def written(version: int, second: int, **data: str) -> dict[str, Any]:
    """The ConfigMap "settings" as kubectl wrote it at that second; it was created at second 0."""
    made = config(version, "kubectl-edit", **data)
    made["metadata"]["managedFields"][0]["time"] = at(second)
    return made | {"metadata": made["metadata"] | {"creationTimestamp": at(0)}}


def running(name: str, second: int, key: str = "LOG") -> dict[str, Any]:
    """A pod of the Deployment of that name, whose container started at that second with the key as a variable."""
    variable = {"name": "X", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": key}}}
    made = pod(f"{name}-1", owner=("Deployment", name), container={"env": [variable]})
    made["metadata"]["creationTimestamp"] = at(second)
    made["status"]["containerStatuses"][0]["state"] = {"running": {"startedAt": at(second)}}
    return made


def test_what_was_written_elsewhere_tells_who_runs_with_which_value() -> None:
    version_found("dev", written(1, 0, LOG="info", SAME="x"))
    version_found("dev", written(2, 20, LOG="debug", SAME="x"))
    now = written(3, 40, LOG="warn", SAME="x")
    version_found("dev", now)
    history = version_history("dev", now)
    assert set(history.spans) == {"LOG"}, "what never changed is the same for all"
    pods = [running(*each) for each in (("first", 2), ("second", 30), ("new", 50), ("between", 40))]
    world = World(*(("pods", each) for each in [*pods, running("other", 2, "SAME")]))
    started = started_with(world, "shop", "settings", {"LOG"}, history)
    assert {ref.name for ref in started.stale} == {"first", "second"}
    assert {ref.name for ref in started.unknown} == {"between"}, "within the second of the write"


def test_a_value_that_went_and_came_back_is_not_known_before_its_last_write() -> None:
    version_found("dev", written(1, 0, LOG="info"))
    version_found("dev", written(2, 10, LOG="debug"))
    # Written twice before anybody looked: that there was another value meanwhile is told by the field's owner alone.
    now = written(4, 30, LOG="debug")
    version_found("dev", now)
    world = World(("pods", running("web", 20)))
    started = started_with(world, "shop", "settings", {"LOG"}, version_history("dev", now))
    assert (set(started.stale), {ref.name for ref in started.unknown}) == (set(), {"web"})


def test_what_a_pod_read_in_the_second_of_the_creation_is_known() -> None:
    created = change(action="create")
    moment = datetime.fromisoformat(at(0))
    Change.objects.filter(pk=created.pk).update(created_at=moment + timedelta(milliseconds=400))
    created.refresh_from_db()
    versions_keep(created, None, written(1, 0, LOG="info"))
    now = written(2, 20, LOG="debug")
    version_found("dev", now)
    started = started_with(
        World(("pods", running("web", 0))), "shop", "settings", {"LOG"}, version_history("dev", now)
    )
    assert (len(started.stale), len(started.unknown)) == (1, 0)


def test_the_keys_are_named_that_a_pod_started_with_another_value_of() -> None:
    version_found("dev", written(1, 0, LOG="info", CONF="a"))
    version_found("dev", written(2, 10, LOG="info", CONF="b"))
    now = written(3, 30, LOG="debug", CONF="b")
    now["metadata"]["managedFields"] = [
        {"manager": "kubectl-edit", "time": at(second), "fieldsV1": {"f:data": {f"f:{key}": {}}}}
        for key, second in (("CONF", 10), ("LOG", 30))
    ]
    version_found("dev", now)
    pods = []
    for name, second in (("restarted", 20), ("meanwhile", 30), ("old", 5), ("new", 40)):
        made = running(name, second)
        made["spec"]["containers"][0].pop("env")
        made["spec"]["containers"][0]["envFrom"] = [{"configMapRef": {"name": "settings"}}]
        pods.append(made)
    world = World(*(("pods", each) for each in pods))
    started = started_with(world, "shop", "settings", {"LOG", "CONF"}, version_history("dev", now))
    assert {ref.name: set(keys) for ref, keys in started.stale_keys.items() if keys} == {
        "restarted": {"LOG"}, "old": {"LOG", "CONF"},
    }  # fmt: skip
    assert {ref.name: set(keys) for ref, keys in started.unknown_keys.items() if keys} == {
        "meanwhile": {"LOG"}
    }
