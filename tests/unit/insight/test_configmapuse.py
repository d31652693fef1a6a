"""Who uses a ConfigMap, by which keys, and which pods still run old values."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from dashboard.insight.configmapuse import broken_consumers, change_effects, consumers, started_with
from dashboard.insight.environment import Content
from dashboard.insight.keyhistory import SECOND, Held, KeyHistory, Since, Write
from dashboard.insight.words import text_of

from .world import NOW, World, ago, meta

ENV = {"env": [{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "cfg", "key": "a"}}}]}
MAYBE = {
    "env": [{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "cfg", "key": "a", "optional": True}}}]
}
ALL = {"envFrom": [{"configMapRef": {"name": "cfg"}}]}
MOUNT = {"volumeMounts": [{"name": "v", "mountPath": "/etc"}]}
PATH = {"volumeMounts": [{"name": "v", "mountPath": "/etc/a", "subPath": "a"}]}
SOME_PATH = {"volumeMounts": [{"name": "v", "mountPath": "/etc/a", "subPathExpr": "$(FILE)"}]}
FOLDER = {"volumeMounts": [{"name": "v", "mountPath": "/etc/in", "subPath": "in/"}]}
VOLUME = {"volumes": [{"name": "v", "configMap": {"name": "cfg"}}]}
ITEMS = {"volumes": [{"name": "v", "configMap": {"name": "cfg", "items": [{"key": "a", "path": "a"}]}}]}
NESTED_ITEMS = [{"key": "a", "path": "in/a"}, {"key": "b", "path": "out/b"}]
NESTED = {"volumes": [{"name": "v", "configMap": {"name": "cfg", "items": NESTED_ITEMS}}]}
PROJECTED = {"volumes": [{"name": "v", "projected": {"sources": [{"configMap": {"name": "cfg"}}]}}]}


def spec(container: dict[str, Any], more: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"containers": [{"name": "app", **container}], **(more or {})}


def deployment(pod: dict[str, Any], name: str = "web") -> tuple[str, dict[str, Any]]:
    return "deployments", {"metadata": meta(name), "spec": {"template": {"spec": pod}}}


@pytest.mark.parametrize(
    ("pod", "word", "elsewhere"),
    [
        (spec(ENV), "after a restart", "not touched"),
        (spec(ALL), "after a restart", "after a restart"),
        (spec(MOUNT, VOLUME), "soon", "soon"),
        (spec(MOUNT, PROJECTED), "soon", "soon"),
        (spec(MOUNT, ITEMS), "soon", "not touched"),
        (spec(PATH, VOLUME), "never by itself", "not touched"),
        (spec(PATH, ITEMS), "never by itself", "not touched"),
        (spec(FOLDER, NESTED), "never by itself", "not touched"),
        (spec(SOME_PATH, VOLUME), "never by itself", "never by itself"),
        (spec({**MOUNT, **ENV}, VOLUME), "after a restart", "soon"),
    ],
)
def test_when_a_change_is_seen(pod: dict[str, Any], word: str, elsewhere: str) -> None:
    world = World(deployment(pod))
    for key, expected in (("a", word), ("b", elsewhere)):
        (effect,) = change_effects(world, "shop", "cfg", written=[key], removed=[])
        assert effect.word == expected


@pytest.mark.parametrize(
    ("pod", "state"), [(spec(ENV), "bad"), (spec(MOUNT, ITEMS), "bad"), (spec(MAYBE), "warn"), (spec(ALL), "warn")]
)  # fmt: skip
def test_taking_away_a_key_that_somebody_needs_is_told(pod: dict[str, Any], state: str) -> None:
    (effect,) = change_effects(World(deployment(pod)), "shop", "cfg", written=[], removed=["a"])
    assert effect.state == state


TWO = {"env": [{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "cfg", "key": "a"}}}], **ALL}


@pytest.mark.parametrize(
    ("pod", "after", "state", "said"),
    [
        (spec(ENV), Content(frozenset(), frozenset("a")), "bad", "a: it is in binaryData"),
        (spec(TWO), Content(frozenset(), frozenset("a")), "bad", "a: it is in binaryData"),
        (spec(MAYBE), Content(frozenset(), frozenset("a")), "warn", "do not get a any more"),
        (spec(ALL), Content(frozenset(), frozenset("a")), "warn", "do not get a any more"),
        (spec(MOUNT, ITEMS), Content(frozenset(), frozenset("a")), "info", ""),
        (spec(ENV), Content(frozenset("a"), frozenset(), {"a": "holds a NUL byte"}), "bad", "a: it holds a NUL"),
        (spec(ALL), Content(frozenset("ab"), frozenset(), {"b": "holds a NUL byte"}), "bad", "b: it holds a NUL"),
        (spec(MAYBE), Content(frozenset("a"), frozenset(), {"a": "holds a NUL byte"}), "bad", "a: it holds a NUL"),
        (spec(MOUNT, VOLUME), Content(frozenset("a"), frozenset(), {"a": "holds a NUL byte"}), "info", ""),
        (spec(ENV), Content(frozenset("b"), frozenset()), "bad", "a: it is not there"),
    ],
)  # fmt: skip
def test_what_no_variable_can_be_made_of_is_told(
    pod: dict[str, Any], after: Content, state: str, said: str
) -> None:
    world = World(deployment(pod))
    (effect,) = change_effects(world, "shop", "cfg", written=["a"], removed=[], after=after)
    assert effect.state == state
    assert said in f"{text_of(effect.text)} {effect.note}"
    assert bool(broken_consumers(world, "shop", "cfg", after)) is (state == "bad")


def test_names_that_env_from_makes_and_no_shell_reads_are_told() -> None:
    prefixed = {"envFrom": [{"prefix": "APP_", "configMapRef": {"name": "cfg"}}]}
    after = Content(frozenset({"1st", "log-level"}), frozenset())
    (plain,) = change_effects(
        World(deployment(spec(ALL))), "shop", "cfg", written=["1st"], removed=[], after=after
    )
    assert "1st is a variable that no shell can read by its name, and kubelets before" in plain.note
    (both,) = change_effects(
        World(deployment(spec(prefixed))),
        "shop",
        "cfg",
        written=["1st", "log-level"],
        removed=[],
        after=after,
    )
    assert "APP_log-level is a variable that no shell can read" in both.note
    assert "APP_1st" not in both.note


def test_nobody_else_is_named() -> None:
    other = {"envFrom": [{"configMapRef": {"name": "other"}}, {"secretRef": {"name": "cfg"}}]}
    world = World(deployment(spec(other)), deployment(spec(MOUNT, {"volumes": [{"name": "v"}]}), "two"))
    (effect,) = change_effects(world, "shop", "cfg", written=["a"], removed=[])
    assert effect.ref is None


def test_what_a_controller_makes_is_told_by_the_topmost_one() -> None:
    template = {"template": {"spec": spec(ENV)}}
    world = World(
        deployment(spec(ENV)),
        ("replicasets", {"metadata": meta("web-1", ("Deployment", "web")), "spec": template}),
        ("pods", {"metadata": meta("web-1-x", ("ReplicaSet", "web-1")), "spec": spec(ENV)}),
        ("pods", {"metadata": meta("alone"), "spec": spec(ENV)}),
        ("cronjobs", {"metadata": meta("nightly"), "spec": {"jobTemplate": {"spec": template}}}),
        ("jobs", {"metadata": meta("nightly-1", ("CronJob", "nightly")), "spec": template}),
    )
    found = consumers(world, "shop", "cfg")
    assert [each.ref.name for each in found] == ["web", "nightly", "alone"]
    assert [each.restartable for each in found] == [True, False, False]


# ---- What pods started with. Every history begins with the ConfigMap, three hours ago.

OLD, NEW, THIRD, NONE = Held("a", "a"), Held("b", "b"), Held("c", "c"), Held()


def at(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def write(minutes: float, was: Held, made: Held, since: float | None = 180, *, ours: bool = False) -> Write:
    """So many minutes ago; ``since``: how many minutes ago the value before was written."""
    found = {"a": Since(at(since), ours)} if since is not None else {}
    asked = at(minutes) + timedelta(milliseconds=300)
    return Write(at(minutes), at(minutes) + SECOND, asked, {"a": was}, {"a": made}, found)


def history(now: Held | None, *writes: Write, since: float | None = None, ours: bool = True) -> KeyHistory:
    """``since``: how many minutes ago what is there now was written; "ours": through the dashboard."""
    if since is None:
        return KeyHistory(writes, None if now is None else {"a": now})
    return KeyHistory(writes, None if now is None else {"a": now}, {"a": Since(at(since), ours)})


def running(began: float, **more: Any) -> dict[str, Any]:
    return {"name": "app", "state": {"running": {"startedAt": ago(minutes=began)}}} | more


def again(ended: float, began: float) -> dict[str, Any]:
    last = {"terminated": {"startedAt": ago(minutes=170), "finishedAt": ago(minutes=ended), "exitCode": 1}}
    return running(began, restartCount=1, lastState=last)


def verdict(
    known: KeyHistory,
    created: float,
    status: dict[str, Any] | None = None,
    *,
    pod_spec: dict[str, Any] | None = None,
    keys: Collection[str] = ("a",),
    **metadata: Any,
) -> str:
    told = running(created) if status is None else status
    about = meta("web") | {"creationTimestamp": ago(minutes=created)} | metadata
    manifest = {
        "metadata": about,
        "spec": pod_spec or spec(ENV),
        "status": {"phase": "Running", "containerStatuses": [told]},
    }
    found = started_with(World(("pods", manifest)), "shop", "cfg", keys, known)
    return "stale" if found.stale else "unknown" if found.unknown else "same"


EDITED = history(NEW, write(60, OLD, NEW), since=60)
UNDONE = history(OLD, write(60, OLD, NEW), write(30, NEW, OLD, 60, ours=True), since=30)
REDONE = history(
    NEW, write(60, OLD, NEW), write(30, NEW, OLD, 60, ours=True), write(10, OLD, NEW, 30, ours=True), since=10
)
TWICE = history(THIRD, write(60, OLD, NEW), write(30, NEW, THIRD, 60, ours=True), since=30)
BY_KUBECTL = history(THIRD, write(60, OLD, NEW), since=30, ours=False)
BETWEEN = history(NEW, write(60, OLD, NEW), write(20, THIRD, NEW, 40), since=20)
BACK_BY_KUBECTL = history(OLD, write(60, OLD, NEW), since=30, ours=False)
TO_AND_FRO = history(NEW, write(60, OLD, NEW), since=30, ours=False)
ADDED = history(NEW, write(60, NONE, NEW, None), since=60)
ADDED_AND_BACK = history(NONE, write(60, NONE, NEW, None), write(30, NEW, NONE, 60, ours=True))
FORGOTTEN = history(OLD, write(30, NEW, OLD, 60, ours=True), since=30)
NOT_READ = history(None, write(60, OLD, NEW))
SEEN_BEFORE = history(NEW, replace(write(60, NONE, NEW, None), seen=at(150)), since=60)
SEEN_NOW = replace(
    history(NONE, write(60, OLD, NEW)), seen=at(30)
)  # kubectl took it away: no owner tells of that
SEEN_LATE = replace(EDITED, seen=at(20))


@pytest.mark.parametrize(
    ("known", "created", "said"),
    [
        # An edit: from before it, from after it; from before anything is known.
        (EDITED, 120, "stale"), (EDITED, 50, "same"), (EDITED, 200, "unknown"),
        # Undone: only a pod that was created between them has another value.
        (UNDONE, 120, "same"), (UNDONE, 45, "stale"), (UNDONE, 10, "same"), (UNDONE, 200, "unknown"),
        # The undo undone.
        (REDONE, 120, "stale"), (REDONE, 45, "same"), (REDONE, 20, "stale"), (REDONE, 5, "same"),
        # Two edits in a row.
        (TWICE, 120, "stale"), (TWICE, 45, "stale"), (TWICE, 10, "same"),
        # kubectl wrote another value after the edit, or between two: when it began to be there is known, no more.
        (BY_KUBECTL, 120, "stale"), (BY_KUBECTL, 45, "unknown"), (BY_KUBECTL, 10, "same"),
        (BETWEEN, 120, "stale"), (BETWEEN, 50, "unknown"), (BETWEEN, 30, "stale"), (BETWEEN, 10, "same"),
        (BACK_BY_KUBECTL, 120, "same"), (BACK_BY_KUBECTL, 45, "unknown"), (BACK_BY_KUBECTL, 10, "same"),
        (TO_AND_FRO, 120, "stale"), (TO_AND_FRO, 45, "unknown"), (TO_AND_FRO, 10, "same"),
        # What a watch saw holds for keys that nobody owns, from then on; it takes nothing from what owners tell.
        (SEEN_BEFORE, 170, "unknown"), (SEEN_BEFORE, 120, "stale"), (SEEN_BEFORE, 50, "same"),
        (SEEN_NOW, 120, "stale"), (SEEN_NOW, 45, "unknown"), (SEEN_NOW, 20, "same"),
        (SEEN_LATE, 120, "stale"), (SEEN_LATE, 50, "same"),
        # Nobody owns a key that is not there: since when it was missing is not known.
        (ADDED, 120, "unknown"), (ADDED, 50, "same"),
        (ADDED_AND_BACK, 45, "stale"), (ADDED_AND_BACK, 10, "same"), (ADDED_AND_BACK, 120, "unknown"),
        # The record of the edit that was undone is gone.
        (FORGOTTEN, 120, "unknown"), (FORGOTTEN, 45, "stale"), (FORGOTTEN, 10, "same"),
        # What is there now may not be read.
        (NOT_READ, 120, "unknown"), (NOT_READ, 50, "unknown"),
    ],
)  # fmt: skip
def test_what_a_pod_started_with_is_compared_with_what_is_there(
    known: KeyHistory, created: float, said: str
) -> None:
    assert verdict(known, created) == said


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (again(ended=51, began=50), "same"),
        (again(ended=100, began=99), "stale"),
        (again(ended=61, began=59), "unknown"),  # the change came while it started
        (running(59), "unknown"),  # its image was pulled meanwhile
        ({"name": "app", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}, "same"),  # it will read anew
        ({"name": "app", "state": {"terminated": {"exitCode": 0}}}, "same"),
        ({"name": "other"}, "unknown"),
    ],
)
def test_a_container_that_starts_again_reads_its_variables_anew(status: dict[str, Any], said: str) -> None:
    assert verdict(EDITED, 120, status) == said


def test_files_that_follow_never_need_a_restart_and_by_subpath_a_restarted_container_may_see_old_ones() -> (
    None
):
    assert verdict(EDITED, 120, pod_spec=spec(MOUNT, VOLUME)) == "same"
    by_path = spec(PATH, VOLUME)
    assert verdict(EDITED, 120, pod_spec=by_path) == "stale"
    assert verdict(EDITED, 120, again(ended=59, began=58.9), pod_spec=by_path) == "unknown"
    assert verdict(EDITED, 120, again(ended=50, began=49), pod_spec=by_path) == "same"


def test_only_the_containers_that_read_the_changed_keys_count() -> None:
    assert verdict(EDITED, 120, keys=["b"]) == "same"
    two = spec(ENV) | {"initContainers": [{"name": "first", "image": "x"} | ENV]}
    two["containers"] = [{"name": "app", "image": "x"}]
    manifest = {
        "metadata": meta("web") | {"creationTimestamp": ago(minutes=120)},
        "spec": two,
        "status": {"phase": "Running", "containerStatuses": [running(50)]},
    }
    ended = {"terminated": {"exitCode": 0, "startedAt": ago(minutes=119), "finishedAt": ago(minutes=118)}}
    manifest["status"]["initContainerStatuses"] = [{"name": "first", "state": ended}]
    found = started_with(World(("pods", manifest)), "shop", "cfg", ["a"], EDITED)
    assert found.stale, "what an init container made of the old value is still there"


def test_text_that_became_bytes_is_another_value_to_a_variable_only() -> None:
    moved = history(Held("", "a"), write(60, OLD, Held("", "a")), since=60)
    assert verdict(moved, 120) == "stale"
    assert verdict(moved, 120, pod_spec=spec(PATH, VOLUME)) == "same"


def test_a_pod_of_the_same_second_is_judged_by_when_its_restart_was_asked_for() -> None:
    annotation = "kubectl.kubernetes.io/restartedAt"
    assert verdict(EDITED, 60) == "unknown"
    assert verdict(EDITED, 60, annotations={annotation: ago(minutes=60)}) == "same"
    for earlier in (ago(minutes=61), "soon", "2026-03-01T11:00:00"):
        assert verdict(EDITED, 60, annotations={annotation: earlier}) == "unknown"


def test_pods_are_counted_by_their_workload_unless_they_have_ended_or_not_begun() -> None:
    status = {"phase": "Running", "containerStatuses": [running(120)]}

    def of(name: str, **more: Any) -> tuple[str, dict[str, Any]]:
        about = meta(name, ("ReplicaSet", "web-1")) | {"creationTimestamp": ago(minutes=120)}
        return "pods", {"metadata": about, "spec": spec(ENV), "status": status} | more

    world = World(
        deployment(spec(ENV)),
        ("replicasets", {"metadata": meta("web-1", ("Deployment", "web"))}),
        of("one"), of("two"), of("ended", status=status | {"phase": "Succeeded"}),
        of("pending", status={"phase": "Pending"}),
    )  # fmt: skip
    found = started_with(world, "shop", "cfg", ["a"], EDITED)
    assert {ref.name: count for ref, count in found.stale.items()} == {"web": 2} and not found.unknown
