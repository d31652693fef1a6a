"""What an edit of a ConfigMap says of itself: in the audit, while it is followed, and when it cannot be."""

from __future__ import annotations

import json
import shlex
from datetime import timedelta
from typing import Any

import pytest

from dashboard.actions.action import Target
from dashboard.actions.configmap_values import digest
from dashboard.actions.edit import EDIT, Immutable, other_name
from dashboard.actions.replace import REPLACE
from dashboard.insight.configmapuse import change_effects
from dashboard.kinds import KINDS
from dashboard.kinds.base import Ref
from dashboard.models import Change

from ..insight.world import NOW, World, ago, meta, pod, replicaset

SINCE = NOW - timedelta(hours=6)
ENV = {"containers": [{"name": "app", "envFrom": [{"configMapRef": {"name": "settings"}}]}]}


def mark(text: str) -> str:
    return f"{digest(text.encode())} {len(text)}"


def edited(**result: Any) -> Change:
    return Change(
        action="edit", plural="configmaps", kind="ConfigMap", namespace="shop", name="settings",
        uid="configmaps-settings", created_at=NOW,
        result={"written": NOW.isoformat(), "since": {"LOG": [SINCE.isoformat(), False]}} | result,
        touched={"/data/LOG": [mark("info"), mark("debug")]},
    )  # fmt: skip


def world(*, old_pods: int = 1, updated: int = 0) -> World:
    """A Deployment "web" that reads "settings" when its containers start, with pods from before the change."""
    labels = {"app": "web"}
    spec = {
        "replicas": 1, "selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": ENV},
    }  # fmt: skip
    counts = {
        "replicas": 1,
        "updatedReplicas": updated,
        "availableReplicas": updated,
        "observedGeneration": 2,
    }
    made = World(
        ("configmaps", {"metadata": meta("settings")}),
        ("deployments", {"metadata": meta("web") | {"generation": 2}, "spec": spec, "status": counts}),
    )
    made.add("replicasets", replicaset())
    for number in range(old_pods):
        manifest = pod(f"web-{number}")
        manifest["spec"] = manifest["spec"] | ENV
        made.add("pods", manifest)
    return made


def restarted(**facts: Any) -> list[dict[str, Any]]:
    kept = {
        "plural": "deployments",
        "name": "web",
        "said": "",
        "change": 7,
        "generation": 2,
        "uid": "deployments-web",
    }
    return [kept | facts]


def test_the_summary_tells_keys_and_sizes() -> None:
    change = edited()
    change.touched |= {"/data/new": ["", mark("x")], "/binaryData/old": [mark("yy"), ""]}
    assert (
        EDIT.summary(change) == "Changed LOG (4 bytes → 5 bytes); added new (1 byte); removed old (2 bytes)"
    )


def test_a_key_that_became_bytes_is_one_change() -> None:
    change = edited()
    change.touched = {"/data/a": [mark("x"), ""], "/binaryData/a": ["", mark("yy")]}
    assert EDIT.summary(change) == "Changed a (1 byte → 2 bytes)"


def manifest(data: dict[str, str], binary: dict[str, str] | None = None) -> dict[str, Any]:
    meta = {"name": "settings", "namespace": "shop", "uid": "u1", "resourceVersion": "1"}
    return {"metadata": meta, "data": data, "binaryData": binary or {}}


def test_what_a_policy_changed_besides_goes_back_too() -> None:
    before = manifest({"a": "1", "kept": "x", "other": "o"})
    after = manifest({"a": "2", "kept": "x", "added": "y"}, {"other": "/w=="})
    wide = EDIT.on({"data": {"a": "Mg=="}}).widened(before, after)
    assert set(wide.touched(after)) == {"/data/a", "/data/added", "/data/other", "/binaryData/other"}
    assert wide.back(before) == {
        "data": {"a": "MQ==", "added": None, "other": "bw=="}, "binaryData": {"other": None},
    }  # fmt: skip
    same = EDIT.on({"data": {"a": "Mg=="}})
    assert same.widened(before, manifest({"a": "2", "kept": "x", "other": "o"})).touched(
        after
    ) == same.touched(after)


def test_a_key_goes_back_to_its_field_wherever_somebody_moved_it() -> None:
    moved = manifest({"kept": "x"}, {"a": "/w==", "b": "/w=="})
    back = {"data": {"a": "MQ==", "b": None}}
    assert EDIT.on(back).write(moved, back).body == {
        "data": {"a": "1", "b": None}, "binaryData": {"a": None, "b": None},
    }  # fmt: skip


def test_pods_with_old_values_and_no_restart_are_named() -> None:
    progress = EDIT.follow(edited(), world(), NOW)
    assert (progress.state, progress.headline) == ("warn", "Saved; restart required")
    assert "Deployment web (1 pod)" in progress.text
    assert progress.restart == (Ref("Deployment", "shop", "web", "deployments"),)


def test_restarts_that_were_asked_for_are_followed_with_the_edit() -> None:
    under_way = EDIT.follow(edited(restarts=restarted()), world(), NOW)
    assert (under_way.state, under_way.headline, under_way.done) == ("info", "Saved; restarting", False)
    (web,) = under_way.following
    assert (web.change, web.headline, web.done) == (7, "web creates new pods", False)
    assert under_way.restart == ()
    done = EDIT.follow(edited(restarts=restarted()), world(old_pods=0, updated=1), NOW)
    assert (done.state, done.headline, done.done) == ("ok", "Saved", True)
    assert done.following[0].headline == "web: rollout complete"


def test_a_restart_that_hangs_is_said() -> None:
    stuck = world()
    deployment = stuck.get("deployments", "shop", "web")
    assert deployment is not None
    failed = {
        "metadata": meta("web") | {"generation": 2},
        "spec": {"replicas": 1, "template": {"spec": ENV}},
        "status": {
            "observedGeneration": 2,
            "conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}],
        },
    }
    stuck.add("deployments", failed)
    progress = EDIT.follow(edited(restarts=restarted()), stuck, NOW)
    assert (progress.state, progress.headline) == ("bad", "Saved; a restart hangs")
    assert progress.following[0].headline == "The rollout of web failed"


def test_a_restart_that_was_refused_is_said_and_offered_again() -> None:
    refused = restarted(said="You may not patch deployments.", change=None)
    progress = EDIT.follow(edited(restarts=refused), world(), NOW)
    assert progress.headline == "Saved; restart required"
    assert [(one.headline, one.text) for one in progress.following] == [
        ("Deployment web was not restarted", "You may not patch deployments.")
    ]
    assert progress.restart == (Ref("Deployment", "shop", "web", "deployments"),)


def test_a_restart_is_not_waited_for_longer_than_an_hour() -> None:
    change = edited(restarts=restarted())
    assert not EDIT.follow(change, world(), NOW + timedelta(minutes=59)).done
    late = EDIT.follow(change, world(), NOW + timedelta(minutes=61))
    assert (late.done, late.headline) == (True, "Saved; a restart hangs")
    assert "more than an hour" in late.following[0].text
    assert late.restart == (Ref("Deployment", "shop", "web", "deployments"),), "its pods have the old values"


def test_nobody_who_uses_it_is_said_as_that() -> None:
    alone = World(("configmaps", {"metadata": meta("settings")}))
    assert EDIT.follow(edited(), alone, NOW).text == "No pod and no workload here uses it."


class Partly(World):
    """Of which these kinds could not be read (False), or may not be listed (None)."""

    def __init__(self, *objects: tuple[str, dict[str, Any]]) -> None:
        super().__init__(*objects)
        self.away: dict[str, bool | None] = {}

    def knows(self, plural: str, namespace: str) -> bool | None:
        return self.away.get(plural, True)


def test_that_nobody_uses_it_is_not_said_of_what_could_not_be_read() -> None:
    alone = Partly(("configmaps", {"metadata": meta("settings")}))
    preview = change_effects(alone, "shop", "settings", written=("level",), removed=())
    assert preview[0].text[0][0] == "No pod and no workload here uses this ConfigMap"
    assert EDIT.follow(edited(), alone, NOW).text == "No pod and no workload here uses it."
    alone.away = {"pods": False}
    said = EDIT.follow(edited(), alone, NOW)
    assert (said.state, said.headline, said.done) == ("info", "Saved", False)
    assert said.text == "Pods could not be read: whether pods have old values is not known."
    preview = change_effects(alone, "shop", "settings", written=("level",), removed=())
    assert preview[0].text[0][0] == "Who uses this ConfigMap is not known"
    alone.away = {"jobs": None}
    said = EDIT.follow(edited(), alone, NOW)
    assert (said.state, said.done) == ("info", True), "nothing will be known later either"


def test_that_all_pods_have_the_present_values_is_not_said_without_the_pods() -> None:
    used = Partly(
        ("configmaps", {"metadata": meta("settings")}),
        ("deployments", {"metadata": meta("web"), "spec": {"template": {"spec": ENV}}}),
    )
    assert EDIT.follow(edited(), used, NOW).state == "ok"
    used.away = {"jobs": False}
    assert EDIT.follow(edited(), used, NOW).state == "ok", "who uses it is known, and which pods there are"
    used.away = {"pods": False}
    assert EDIT.follow(edited(), used, NOW).state == "info"


def test_one_that_was_deleted_or_made_anew_is_gone() -> None:
    assert EDIT.follow(edited(), World(), NOW).text == "It was deleted."
    again = World(("configmaps", {"metadata": meta("settings") | {"uid": "another"}}))
    assert EDIT.follow(edited(), again, NOW).text == "It was deleted and recreated."


def test_one_that_is_being_deleted_is_not_followed_as_if_it_lived() -> None:
    ending = meta("settings") | {
        "deletionTimestamp": "2026-03-01T11:00:00Z",
        "finalizers": ["example.com/hold"],
    }
    progress = EDIT.follow(edited(), World(("configmaps", {"metadata": ending})), NOW)
    assert (progress.headline, progress.done) == ("settings is being deleted", False)
    assert "example.com/hold" in progress.text


def test_an_immutable_one_cannot_be_written_by_any_way_in() -> None:
    """An undo, too: it does not go through the form."""
    manifest = {"metadata": {"name": "settings"}, "immutable": True}
    with pytest.raises(Immutable, match="is immutable now"):
        EDIT.on({}).check(manifest, {"data": {"a": "eA=="}})


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("settings", "settings-2"),
        ("settings-2", "settings-3"),
        ("web-20240101", "web-20240101-2"),
        ("a-b", "a-b-2"),
    ],
)
def test_another_name_counts_on(name: str, other: str) -> None:
    assert other_name(name) == other


def test_the_command_of_an_edit_and_of_a_replacement_before_a_preview() -> None:
    target, kept = (
        Target.of("c", KINDS["configmaps"], "shop", "settings"),
        manifest({"a": "1"}, {"b.bin": "/w=="}),
    )
    assert EDIT.command(target, kept) == "kubectl edit configmap/settings -n shop"
    assert REPLACE.command(target, kept | {"immutable": True}) == ""


def test_when_it_was_saved_counts_not_when_it_is_looked_at() -> None:
    older = world()
    manifest = pod("web-9")
    manifest["metadata"]["creationTimestamp"] = ago(hours=-1)
    manifest["spec"] = manifest["spec"] | ENV
    older.add("pods", manifest)
    assert "(1 pod)" in EDIT.follow(edited(), older, NOW).text


def test_a_patch_to_copy_has_no_character_that_a_terminal_acts_on() -> None:
    target = Target.of("c", KINDS["configmaps"], "shop", "settings")
    body = {"data": {"a": "x\x1b[201~\x7f\x9b'é\n"}}
    command = target.kubectl_patch(body)
    assert command.isprintable()
    assert json.loads(shlex.split(command)[-1]) == body
