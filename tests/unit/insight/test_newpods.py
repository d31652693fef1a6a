"""Which pods a change has created, and what the quotas of their namespace say of them."""

from __future__ import annotations

import dataclasses
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
        "ResourceQuota most allows 1 more pod like those of web",
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
        "ResourceQuota most allows 2 pods like those of web",
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


# ---- Quotas that count some pods only


def of(spec: dict[str, Any]) -> NewPods:
    made = World().add("pods", pod("new") | {"spec": {"containers": [{"name": "app"}]} | spec})
    return NewPods(maker="web", namespace="shop", spec=made.spec, count=1)


def scope(name: str, operator: str = "Exists", *values: str) -> dict[str, Any]:
    chosen = {"scopeName": name, "operator": operator, **({"values": list(values)} if values else {})}
    return {"scopeSelector": {"matchExpressions": [chosen]}}


FAR = {"topologyKey": "zone", "namespaces": ["other"]}
NEAR = {"topologyKey": "zone", "labelSelector": {}}
SELECTS = {"topologyKey": "zone", "namespaceSelector": {}}
SAYS = {"containers": [{"name": "app", "resources": SIZE}]}


@pytest.mark.parametrize(
    ("scopes", "spec", "counted"),
    [
        ({"scopes": ["Terminating"]}, {"activeDeadlineSeconds": 60}, True),
        ({"scopes": ["Terminating"]}, {}, False),
        ({"scopes": ["NotTerminating"]}, {}, True),
        ({"scopes": ["NotTerminating"]}, {"activeDeadlineSeconds": 0}, False),
        ({"scopes": ["BestEffort"]}, {}, True),
        ({"scopes": ["BestEffort"]}, SAYS, False),
        ({"scopes": ["BestEffort"]}, {"resources": SIZE}, False),  # of the pod as a whole
        (
            {"scopes": ["BestEffort"]},
            {"containers": [{"name": "a", "resources": {"requests": {"cpu": "0"}}}]},
            True,
        ),
        ({"scopes": ["NotBestEffort"]}, {"initContainers": SAYS["containers"]}, True),
        ({"scopes": ["NotBestEffort", "Terminating"]}, SAYS, False),  # all of them
        (scope("BestEffort"), {}, True),
        (scope("PriorityClass"), {"priorityClassName": "high"}, True),
        (scope("PriorityClass", "In", "high", "low"), {"priorityClassName": "high"}, True),
        (scope("PriorityClass", "In", "low"), {"priorityClassName": "high"}, False),
        (scope("PriorityClass", "NotIn", "low"), {"priorityClassName": "high"}, True),
        (scope("PriorityClass", "NotIn", "high"), {"priorityClassName": "high"}, False),
        (scope("PriorityClass", "DoesNotExist"), {"priorityClassName": "high"}, False),
        (scope("CrossNamespacePodAffinity"), {}, False),
        *(
            (scope("CrossNamespacePodAffinity"), {"affinity": {kind: {rule: [term]}}}, counted)
            for kind in ("podAffinity", "podAntiAffinity")
            for rule, wrap in (
                ("requiredDuringSchedulingIgnoredDuringExecution", False),
                ("preferredDuringSchedulingIgnoredDuringExecution", True),
            )
            for one, counted in ((FAR, True), (SELECTS, True), (NEAR, False))
            for term in ({"weight": 1, "podAffinityTerm": one} if wrap else one,)
        ),
        (scope("VolumeAttributesClass"), {}, False),
        (scope("SomethingNew"), {}, False),
    ],
)
def test_a_quota_with_scopes_counts_the_pods_that_match_all_of_them(
    scopes: dict[str, Any], spec: dict[str, Any], counted: bool
) -> None:
    found = World(quota({"pods": "0"}, {"pods": "0"}, **scopes)).reading("limitranges")
    title = said(found, [of(spec)])[1]
    assert title == ("The quota of shop allows 0 of 1 pod" if counted else "")


@pytest.mark.parametrize(
    ("read", "default", "counted"),
    [(False, "", {}), (True, "", {"DoesNotExist", "NotIn"}), (True, "high", {"Exists", "In", "NotIn"})],
)
def test_of_a_pod_without_a_class_nothing_is_said_unless_the_default_is_known(
    read: bool, default: str, counted: set[str]
) -> None:
    for operator, values in (("Exists", ()), ("DoesNotExist", ()), ("In", ("high",)), ("NotIn", ("low",))):
        found = World(quota({"pods": "0"}, {"pods": "0"}, **scope("PriorityClass", operator, *values)))
        found.reading("limitranges", *(["priorityclasses"] if read else []))
        if default:
            found.add("priorityclasses", {"metadata": {"name": default}, "value": 1, "globalDefault": True})
        assert bool(said(found, [of({})])[1]) is (operator in counted), operator


def test_pods_that_end_give_back_only_what_the_quota_counted() -> None:
    found = world(quota({"pods": "3"}, {"pods": "3"}, scopes=["Terminating"]))
    (made,) = rollout_pods(found, web(found))
    ends = {"containers": TEMPLATE["containers"], "activeDeadlineSeconds": 60}
    spec = World().add("deployments", deployment(template=ends)).spec.template.spec
    assert "allows 0 of 3 pods" in said(found, [dataclasses.replace(made, spec=spec)])[1]


def test_defaults_decide_of_which_quality_a_pod_is() -> None:
    found = World(quota({"pods": "0"}, {"pods": "0"}, scopes=["NotBestEffort"])).reading("limitranges")
    assert said(found, [of({})])[1] == ""
    limit = {"type": "Container", "defaultRequest": {"cpu": "100m"}}
    found.add("limitranges", {"metadata": meta("sizes"), "spec": {"limits": [limit]}})
    assert said(found, [of({})])[1] == "The quota of shop allows 0 of 1 pod"


# ---- What comes before pods


def test_a_template_that_is_new_needs_a_replicaset() -> None:
    full = {"count/replicasets.apps": "1"}
    found = world(quota(full, full))
    title, text = "The quota of shop allows no more ReplicaSets", "refuses the ReplicaSet that web needs"
    assert said(found, became(found, templated=True))[1] == title
    words = said(found, list(rollout_pods(found, web(found))))
    assert (
        words[0] == "ResourceQuota most allows no more ReplicaSets" and words[1] == title and text in words[2]
    )
    empty = world(quota(full, full), pods=0)
    assert said(empty, list(pods_created(empty, None, web(empty), templated=True)))[1] == title
    # An earlier template has one, as has one that only gets more replicas.
    assert said(found, list(pods_created(found, web(found), web(found), templated=True, revised=False))) == (
        "",
        "",
        "",
    )
    assert said(found, became(found, replicas=5)) == ("", "", "")
    for hard, used, more in (("2", "1", {}), ("1", "1", {"scopes": ["BestEffort"]})):
        room = world(quota({"count/replicasets.apps": hard}, {"count/replicasets.apps": used}, **more))
        assert said(room, became(room, templated=True)) == ("", "", "")


def test_a_run_of_a_cronjob_needs_a_job_and_others_a_controllerrevision() -> None:
    full = {"count/jobs.batch": "3", "count/controllerrevisions.apps": "1"}
    found = world(quota(full, full))
    spec = {"template": {"spec": {"containers": [{"name": "a"}]}}}
    cron = World().add(
        "cronjobs",
        {"metadata": meta("nightly"), "spec": {"schedule": "0 2 * * *", "jobTemplate": {"spec": spec}}},
    )
    assert (
        said(found, list(pods_created(found, None, cron, templated=True)))[1]
        == "The quota of shop allows no more Jobs"
    )
    made = found.add("statefulsets", statefulset())
    words = said(found, list(pods_created(found, None, made, templated=True)))
    assert words[1] == "The quota of shop allows no more ControllerRevisions"


def test_together_several_may_need_more_replicasets_than_there_may_be() -> None:
    found = world(quota({"count/replicasets.apps": "2"}, {"count/replicasets.apps": "1"}))
    (made,) = rollout_pods(found, web(found))
    (notice,) = quotas_together(found, [made, dataclasses.replace(made, maker="api")])
    assert "need 2 of count/replicasets.apps" in notice.text and "has 1 left" in notice.text
