"""What a restart touches, by the rules of the three controllers, and how far it is, by kubectl's."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.insight import restart_impact, template_impact, workload_rollout
from dashboard.insight.words import text_of

from .world import NOW, World, deployment, endpoints, meta, pod, replicaset, service

POD = {"containers": [{"name": "app"}]}


def statefulset(replicas: int = 3, **more: Any) -> dict[str, Any]:
    status = {
        "observedGeneration": 1, "replicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas,
        "updatedReplicas": replicas, "currentRevision": "web-a", "updateRevision": "web-a",
    }  # fmt: skip
    template = {"metadata": {"labels": {"app": "web"}}, "spec": POD}
    return {
        "metadata": meta("web") | {"generation": more.pop("generation", 1)},
        "spec": {"replicas": replicas, "template": template} | more.pop("spec", {}),
        "status": status | more,
    }


def daemonset(wanted: int = 3, **more: Any) -> dict[str, Any]:
    status = {
        "observedGeneration": 1, "desiredNumberScheduled": wanted, "updatedNumberScheduled": wanted,
        "numberAvailable": wanted, "numberReady": wanted,
    }  # fmt: skip
    template = {"metadata": {"labels": {"app": "web"}}, "spec": POD}
    return {
        "metadata": meta("web") | {"generation": more.pop("generation", 1)},
        "spec": {"template": template} | more.pop("spec", {}),
        "status": status | more,
    }


BY_HAND = {"updateStrategy": {"type": "OnDelete"}}
PARTITION = {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}}


@pytest.mark.parametrize(
    ("plural", "manifest", "state", "text"),
    [
        ("statefulsets", statefulset(observedGeneration=0), "progressing", "has not observed it yet"),
        ("statefulsets", statefulset(generation=2), "progressing", "has not observed it yet"),
        ("statefulsets", statefulset(readyReplicas=2), "progressing", "2 of 3 pods ready"),
        ("statefulsets", statefulset(updateRevision="web-b", updatedReplicas=1), "progressing", "1 of 3 pods replaced"),
        ("statefulsets", statefulset(), "done", "3 of 3 pods ready"),
        ("statefulsets", statefulset(0), "done", "no pods"),
        ("statefulsets", statefulset(updateRevision="web-b", updatedReplicas=0, spec=PARTITION), "progressing",
         "0 of 1 pod replaced"),
        ("statefulsets", statefulset(updateRevision="web-b", updatedReplicas=1, spec=PARTITION), "done",
         "below number 2 keep the old revision"),
        ("statefulsets", statefulset(updateRevision="web-b", updatedReplicas=1, spec=BY_HAND), "paused",
         "2 pods are updated"),
        ("statefulsets", statefulset(updateRevision="web-b", spec=BY_HAND), "done", "up to date"),
        ("daemonsets", daemonset(generation=2), "progressing", "has not observed it yet"),
        ("daemonsets", daemonset(updatedNumberScheduled=1), "progressing", "1 of 3 pods replaced"),
        ("daemonsets", daemonset(numberAvailable=2), "progressing", "2 of 3 pods available"),
        ("daemonsets", daemonset(), "done", "3 of 3 pods available"),
        ("daemonsets", daemonset(0), "done", "No node matches"),
        ("daemonsets", daemonset(updatedNumberScheduled=1, spec=BY_HAND), "paused", "2 pods are updated"),
    ],
)  # fmt: skip
def test_rollouts_of_what_is_numbered_or_everywhere(
    plural: str, manifest: dict[str, Any], state: str, text: str
) -> None:
    world = World()
    rollout = workload_rollout(world, world.add(plural, manifest), NOW)
    assert rollout.state == state and text in rollout.text
    assert (rollout.percent == 100) == (state == "done")


@pytest.mark.parametrize("plural", ["deployments", "statefulsets", "daemonsets"])
def test_an_object_from_before_the_change_says_nothing_of_it(plural: str) -> None:
    made = {"deployments": deployment(), "statefulsets": statefulset(), "daemonsets": daemonset()}[plural]
    world = World()
    workload = world.add(plural, made)
    assert workload_rollout(world, workload, NOW, generation=1).state == "done"
    before = workload_rollout(world, workload, NOW, generation=2)
    assert (before.state, before.percent) == ("progressing", 0)


def test_pods_of_both_versions_are_told_apart() -> None:
    world = World()
    for name, revision in (("web-0", "web-a"), ("web-1", "web-a"), ("web-2", "web-b")):
        labels = {"app": "web", "controller-revision-hash": revision}
        world.add("pods", pod(name, owner=("StatefulSet", "web"), labels=labels))
    workload = world.add("statefulsets", statefulset(updateRevision="web-b", updatedReplicas=1))
    sets = workload_rollout(world, workload, NOW).sets
    assert [(one.new, [mark.name for mark in one.pods]) for one in sets] == [
        (True, ["web-2"]), (False, ["web-0", "web-1"]),
    ]  # fmt: skip


def running(count: int, owner: tuple[str, str], ready: int | None = None) -> World:
    world = World(("replicasets", replicaset()), ("services", service()))
    names = [f"web-{number}" for number in range(count)]
    for number, name in enumerate(names):
        world.add("pods", pod(name, owner=owner, ready=ready is None or number < ready))
    world.add("endpointslices", endpoints("web", *((name, True) for name in names)))
    return world


RS, STS, DS = ("ReplicaSet", "web-5d4f"), ("StatefulSet", "web"), ("DaemonSet", "web")


@pytest.mark.parametrize(
    ("count", "strategy", "order", "service_text", "danger"),
    [
        (3, {}, "RollingUpdate: up to 1 more at a time, none unavailable", "stays available", False),
        (4, {}, "RollingUpdate: up to 1 more at a time, at most 1 unavailable", "keeps 3 or more of 4", False),
        (1, {}, "up to 1 more at a time, none unavailable", "stays available", False),
        (3, {"type": "Recreate"}, "Recreate: all are terminated first", "has no ready endpoints for a while", True),
        (1, {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}, "at most 1 unavailable", "no ready endpoints", True),
        (4, {"rollingUpdate": {"maxSurge": "0%", "maxUnavailable": "50%"}}, "none more than now, at most 2 unavailable",
         "keeps 2 or more of 4", False),
    ],
)  # fmt: skip
def test_a_deployment_by_its_strategy(
    count: int, strategy: dict[str, Any], order: str, service_text: str, danger: bool
) -> None:
    world = running(count, RS)
    impact = restart_impact(
        world, world.add("deployments", deployment(replicas=count, strategy=strategy)), NOW
    )
    assert any(order in effect.note for effect in impact.effects)
    assert any(service_text in text_of(effect.text) for effect in impact.effects)
    assert impact.danger is danger
    assert (impact.headline is not None and "Service web" in impact.headline.title) is danger


@pytest.mark.parametrize(
    ("count", "ready", "state", "title"),
    [
        (3, 3, "info", "While a pod restarts, 2 of 3 are left: quorum"),
        (2, 2, "warn", "While a pod restarts, 1 of 2 are left: no quorum"),
        (3, 2, "warn", "While a pod restarts, 1 of 3 are left: no quorum"),
        (5, 5, "info", "While a pod restarts, 4 of 5 are left: quorum"),
    ],
)
def test_a_statefulset_warns_of_its_majority(count: int, ready: int, state: str, title: str) -> None:
    world = running(count, STS, ready)
    impact = restart_impact(world, world.add("statefulsets", statefulset(count)), NOW)
    assert (impact.notices[0].state, impact.notices[0].title) == (state, title)
    assert f"from web-{count - 1} down to web-0, one at a time" in impact.effects[0].note


@pytest.mark.parametrize(
    ("plural", "manifest", "title"),
    [
        ("statefulsets", statefulset(spec=BY_HAND), "No pod of web restarts by itself"),
        ("daemonsets", daemonset(spec=BY_HAND), "No pod of web restarts by itself"),
        ("statefulsets", statefulset(2, spec=PARTITION), "No pod of web is replaced"),
        ("deployments", deployment(replicas=0), "web has no pods now"),
    ],
)
def test_when_nothing_happens_it_says_so(plural: str, manifest: dict[str, Any], title: str) -> None:
    world = running(2, STS if plural == "statefulsets" else DS)
    impact = restart_impact(world, world.add(plural, manifest), NOW)
    assert impact.headline is not None and impact.headline.title == title
    assert not impact.danger


def test_a_daemonset_goes_node_by_node() -> None:
    world = running(3, DS)
    surge = {"updateStrategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}}
    plain = restart_impact(world, world.add("daemonsets", daemonset()), NOW)
    assert "on 1 node at a time, the old pod is terminated" in plain.effects[0].note
    first = restart_impact(world, world.add("daemonsets", daemonset(spec=surge)), NOW)
    assert "the new pod starts before the old one is terminated" in first.effects[0].note


def test_scratch_data_is_lost_and_a_missing_probe_is_named() -> None:
    world = running(3, RS)
    template = POD | {"volumes": [{"name": "tmp", "emptyDir": {}}]}
    impact = restart_impact(world, world.add("deployments", deployment(template=template)), NOW)
    assert "What is in emptyDir tmp is lost" in [text_of(effect.text) for effect in impact.effects]
    assert [notice.title for notice in impact.notices] == ["Container app without a readiness probe"]


def test_pods_that_run_the_new_template_already_stay() -> None:
    world = running(4, RS, ready=3)
    web = world.add("deployments", deployment(replicas=4))
    impact = template_impact(world, web, web, NOW, stays={"web-0", "web-1", "web-2"})
    pods = next(effect for effect in impact.effects if effect.icon == "restart")
    assert text_of(pods.text) == "1 pod is replaced"
    assert "3 pods were created from this template and stay" in pods.note
    everything = template_impact(world, web, web, NOW, stays={"web-0", "web-1", "web-2", "web-3"})
    assert everything.headline is not None and everything.headline.title == "No pod of web is replaced"


def test_a_recreated_deployment_keeps_what_runs_the_new_template() -> None:
    world = running(2, RS)
    web = world.add("deployments", deployment(replicas=2, strategy={"type": "Recreate"}))
    assert template_impact(world, web, web, NOW).danger
    assert not template_impact(world, web, web, NOW, stays={"web-0"}).danger


@pytest.mark.parametrize(
    ("plural", "manifest", "title"),
    [
        ("deployments", deployment(paused=True), "web is paused"),
        ("statefulsets", statefulset(spec=BY_HAND), "No pod of web is replaced by itself"),
        ("statefulsets", statefulset(2, spec=PARTITION), "No pod of web is replaced"),
    ],
)
def test_a_template_that_does_not_roll_out_says_so(plural: str, manifest: dict[str, Any], title: str) -> None:
    world = running(2, RS if plural == "deployments" else STS)
    web = world.add(plural, manifest)
    impact = template_impact(world, web, web, NOW)
    assert impact.headline is not None and impact.headline.title == title
    assert not any(effect.icon == "restart" for effect in impact.effects)


def test_a_service_that_does_not_select_the_new_pods_comes_first() -> None:
    world = running(2, RS)
    web = world.add("deployments", deployment(replicas=2))
    other = deployment(replicas=2)
    other["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    made = World().add("deployments", other)
    impact = template_impact(world, web, made, NOW)
    assert impact.danger and impact.headline is not None
    assert impact.headline.title == "Service web will not select the new pods"


def test_a_statefulset_waits_for_a_pod_that_is_not_ready() -> None:
    world = running(3, STS, ready=2)
    web = world.add("statefulsets", statefulset(3))
    titles = [notice.title for notice in template_impact(world, web, web, NOW).notices]
    assert titles[0] == "web-2 may have to be deleted"
    parallel = world.add("statefulsets", statefulset(3, spec={"podManagementPolicy": "Parallel"}))
    titles = [notice.title for notice in template_impact(world, parallel, parallel, NOW).notices]
    assert "web-2 may have to be deleted" not in titles


def test_what_the_new_template_needs_and_is_not_there_comes_first() -> None:
    world = running(2, RS).reading("configmaps").with_secret("database", "Opaque")
    web = world.add("deployments", deployment(replicas=2))
    refs = [{"configMapRef": {"name": "settings"}}, {"secretRef": {"name": "database"}}]
    maybe = {"configMapRef": {"name": "extra", "optional": True}}
    container = {"name": "app", "envFrom": [*refs, maybe]}
    made = World().add("deployments", deployment(replicas=2, template={"containers": [container]}))
    titles = [
        notice.title for notice in template_impact(world, web, made, NOW).notices if notice.state == "bad"
    ]
    assert titles == ["ConfigMap settings does not exist"]
    unknown = running(2, RS)
    assert not [one for one in template_impact(unknown, web, made, NOW).notices if one.state == "bad"]
