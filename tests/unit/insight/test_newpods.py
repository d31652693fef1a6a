"""Which pods a change has created, and what the quotas of their namespace say of them."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.insight.newpods import (
    NewPods,
    pods_created,
    quota_words,
    quotas_together,
    replacement_pod,
    rollout_pods,
)
from dashboard.insight.words import text_of

from .test_restart import RS, daemonset, statefulset
from .world import World, deployment, meta, node, pod, replicaset

SIZE = {"requests": {"cpu": "500m", "memory": "1Gi"}}
TEMPLATE = {"containers": [{"name": "app", "resources": SIZE}]}


def quota(hard: dict[str, str], used: dict[str, str], **spec: Any) -> tuple[str, dict[str, Any]]:
    status = {"hard": hard, "used": used}
    return "resourcequotas", {"metadata": meta("most"), "spec": {"hard": hard} | spec, "status": status}


def world(*more: tuple[str, dict[str, Any]], pods: int = 3, **spec: Any) -> World:
    """Deployment web of 3 replicas with that many pods."""
    made = World(("replicasets", replicaset()), *more).reading("pods", "limitranges")
    made.add("deployments", deployment(template=TEMPLATE, **spec))
    for number in range(pods):
        made.add("pods", pod(f"web-{number}", owner=RS, container={"resources": SIZE}))
    return made


def web(found: World) -> Any:
    return found.get("deployments", "shop", "web")


def became(found: World, *, templated: bool = False, **spec: Any) -> list[NewPods]:
    after = World().add("deployments", deployment(template=TEMPLATE, **spec))
    return list(pods_created(found, web(found), after, templated=templated))


def said(found: World, made: list[NewPods]) -> tuple[str, str, str]:
    """Effect, title and text of what is said of the one that there is."""
    (one,) = made
    words = quota_words(found, one)
    if words is None:
        return "", "", ""
    notice = words.notice
    return text_of(words.effect.text), notice.title if notice else "", notice.text if notice else ""


def test_where_no_quota_counts_pods_nothing_is_said() -> None:
    found = world()
    assert said(found, became(found, replicas=5)) == ("", "", "")
    found = world(quota({"services": "1"}, {}), quota({"pods": "1"}, {}, scopes=["BestEffort"]))
    assert said(found, became(found, replicas=5)) == ("", "", "")


def test_more_replicas_than_a_quota_allows() -> None:
    found = world(quota({"pods": "4", "requests.cpu": "4"}, {"pods": "3", "requests.cpu": "1500m"}))
    assert said(found, became(found, replicas=5)) == (
        "ResourceQuota most allows 1 more pod of this size",
        "The quota of shop allows 4 of 5 pods",
        "ResourceQuota most (pods) refuses 1 pod.",
    )
    assert said(found, became(found, replicas=4))[1] == ""
    assert became(found, replicas=3) == [] == became(found, replicas=1)


def test_pods_that_it_lacks_already_come_with_those_that_are_added() -> None:
    found = world(quota({"pods": "2"}, {"pods": "2"}), pods=2)
    assert said(found, became(found, replicas=4))[1:] == (
        "The quota of shop allows 2 of 4 pods",
        "ResourceQuota most (pods) refuses 2 pods.",
    )


ONE_LESS = {"strategy": {"rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}}


@pytest.mark.parametrize(
    ("hard", "strategy", "title"),
    [
        ("4", {}, ""),
        ("3", {}, "The rollout of web can't start"),  # by default no pod may be missing of 3
        ("3", ONE_LESS, ""),
        ("3", {"strategy": {"type": "Recreate"}}, ""),
        ("2", ONE_LESS, "The quota of shop allows 2 of 3 pods"),
        ("2", {}, "The quota of shop allows 2 of 3 pods"),
    ],
)
def test_a_rollout_needs_room_beside_the_old_pods_unless_one_may_go_first(
    hard: str, strategy: dict[str, Any], title: str
) -> None:
    found = world(quota({"pods": hard}, {"pods": "3"}), **strategy)
    assert said(found, became(found, templated=True, **strategy))[1] == title
    assert said(found, list(rollout_pods(found, web(found))))[1] == title, "of a restart too"
    words = quota_words(found, next(rollout_pods(found, web(found))))
    assert words is not None and (words.effect.state == "warn") == bool(title), "both say the same"


def test_larger_pods_take_what_the_old_ones_leave() -> None:
    found = world(quota({"requests.cpu": "2"}, {"requests.cpu": "1500m"}), **ONE_LESS)
    large = {"containers": [{"name": "app", "resources": {"requests": {"cpu": "1"}}}]}
    after = World().add("deployments", deployment(template=large, **ONE_LESS))
    made = list(pods_created(found, web(found), after, templated=True))
    assert said(found, made) == (
        "ResourceQuota most allows 2 pods of this size",
        "The quota of shop allows 2 of 3 pods",
        "ResourceQuota most (requests.cpu) refuses 1 pod.",
    )


def test_pods_of_the_new_template_already_stay() -> None:
    found = world(quota({"pods": "3"}, {"pods": "3"}))
    made = pods_created(found, web(found), web(found), templated=True, stays=["web-0", "web-1", "web-2"])
    assert list(made) == []


def test_nothing_is_created_while_it_is_paused_and_what_waited_once_it_is_resumed() -> None:
    found = world(quota({"pods": "3"}, {"pods": "3"}), paused=True, updated=1)
    assert became(found, templated=True, paused=True) == []
    (made,) = became(found, paused=False)
    assert (made.count, len(made.gone), made.stay) == (2, 2, 1)
    assert said(found, [made])[1] == "The rollout of web can't start"
    up_to_date = world(paused=True)
    assert became(up_to_date, paused=False) == []


def test_on_delete_replaces_none_and_a_partition_some() -> None:
    found = world(quota({"pods": "0"}, {}), pods=0)
    for strategy in ({"type": "OnDelete"}, {"rollingUpdate": {"partition": 3}}):
        made = found.add("statefulsets", statefulset(spec={"updateStrategy": strategy}))
        assert list(rollout_pods(found, made)) == []
    made = found.add(
        "statefulsets", statefulset(spec={"updateStrategy": {"rollingUpdate": {"partition": 2}}})
    )
    (one,) = rollout_pods(found, made)
    assert (one.count, one.stay) == (1, 2)
    on_delete = found.add("daemonsets", daemonset(spec={"updateStrategy": {"type": "OnDelete"}}))
    assert list(pods_created(found, on_delete, on_delete, templated=True)) == []


def test_a_new_daemonset_runs_on_the_nodes_that_take_it() -> None:
    tainted = node("db", taints=[{"key": "dedicated", "value": "db", "effect": "NoSchedule"}])
    found = world(("nodes", node()), ("nodes", node("node-2")), ("nodes", tainted), pods=0)
    (made,) = pods_created(found, None, World().add("daemonsets", daemonset()), templated=True)
    assert made.count == 2


def job(**spec: Any) -> dict[str, Any]:
    return {"metadata": meta("import"), "spec": {"template": {"spec": TEMPLATE}} | spec}


def test_jobs_create_pods_when_they_start_and_cronjobs_with_their_next_one() -> None:
    found = world(quota({"pods": "3"}, {"pods": "2"}))
    runs = found.add("jobs", job(parallelism=4, completions=3))
    held = World().add("jobs", job(parallelism=4, completions=3, suspend=True))
    assert said(found, list(pods_created(found, None, runs, templated=True)))[1] == (
        "The quota of shop allows 1 of 3 pods"
    )
    assert said(found, list(pods_created(found, held, runs, templated=False)))[1]
    assert list(pods_created(found, runs, runs, templated=False)) == []
    assert list(pods_created(found, None, held, templated=True)) == []

    def cronjob(**spec: Any) -> Any:
        template = {"jobTemplate": {"spec": job(parallelism=2)["spec"]}}
        return World().add("cronjobs", {"metadata": meta("nightly"), "spec": template | spec})

    resumed = list(pods_created(found, cronjob(suspend=True), cronjob(), templated=False))
    assert said(found, resumed)[1] == "The quota of shop allows 1 of 2 pods of its next Job"
    assert list(pods_created(found, cronjob(), cronjob(), templated=False)) == []
    assert list(pods_created(found, cronjob(), cronjob(suspend=True), templated=True)) == []


def autoscaler(most: int, **spec: Any) -> Any:
    scaled = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    spec = {"scaleTargetRef": scaled, "maxReplicas": most} | spec
    return World().add("horizontalpodautoscalers", {"metadata": meta("web"), "spec": spec})


def test_an_autoscaler_is_told_what_it_reaches_at_most() -> None:
    found = world(quota({"pods": "4"}, {"pods": "3"}))
    made = list(pods_created(found, None, autoscaler(6), templated=False))
    assert said(found, made)[1] == "The quota of shop allows 4 of 6 pods at its maximum"
    assert list(pods_created(found, autoscaler(6), autoscaler(6), templated=False)) == []
    assert list(pods_created(found, autoscaler(2), autoscaler(3), templated=False)) == [], "it has 3"
    disabled = {"selectPolicy": "Disabled"}
    paused = autoscaler(6, behavior={"scaleUp": disabled, "scaleDown": disabled})
    assert list(pods_created(found, autoscaler(4), paused, templated=False)) == []
    assert said(found, list(pods_created(found, paused, autoscaler(6), templated=False)))[1]


def test_the_pod_that_comes_for_one_that_is_deleted_needs_what_that_one_leaves() -> None:
    found = world(quota({"pods": "3"}, {"pods": "3"}))
    one = found.get("pods", "shop", "web-0")
    assert said(found, list(replacement_pod(one)))[1] == ""
    lowered = world(quota({"pods": "1"}, {"pods": "3"}))
    assert said(lowered, list(replacement_pod(one)))[1] == "The quota of shop allows 0 of 1 pod"
    alone = found.add("pods", pod("alone", owner=None))
    over = found.add("pods", pod("over", owner=RS, phase="Succeeded"))
    assert [*replacement_pod(alone), *replacement_pod(over)] == []


def test_a_quota_refuses_containers_that_do_not_say_what_they_take() -> None:
    found = world(quota({"limits.memory": "8Gi"}, {}))
    assert said(found, became(found, replicas=5))[1:] == (
        "ResourceQuota most refuses pods without a memory limit",
        "app has none.",
    )
    limit = {"type": "Container", "default": {"memory": "1Gi"}}
    found.add("limitranges", {"metadata": meta("usual"), "spec": {"limits": [limit]}})
    assert said(found, became(found, replicas=5))[1] == ""


def test_what_each_alone_has_room_for_may_be_too_much_together() -> None:
    hard, used = {"pods": "5", "requests.memory": "10Gi"}, {"pods": "3", "requests.memory": "3Gi"}
    found = world(quota(hard, used))
    (more,) = became(found, replicas=4)
    assert list(quotas_together(found, [more])) == [] == list(quotas_together(found, [more, more]))
    (one,) = quotas_together(found, [more] * 3)
    assert one.title == "The quota of shop does not allow all of them together"
    assert one.text == "3 objects create 3 pods, which need 3 of pods; ResourceQuota most has 2 left."
    (restarted,) = rollout_pods(found, web(found))
    assert list(quotas_together(found, [restarted] * 2)) == [], "their old pods leave what they take"
    large = world(quota({"requests.memory": "4Gi"}, {"requests.memory": "3Gi"}))
    (one,) = quotas_together(large, became(large, replicas=4) * 2)
    assert (
        one.text
        == "2 objects create 2 pods, which need 2 GiB of requests.memory; ResourceQuota most has 1 GiB left."
    )
