"""Replicas and restarts over time: steps, their sum, gaps and forgetting."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from dashboard.live.history import BUCKET_SECONDS, KEEP_SECONDS, MAX_STEPS, History, Restarts
from dashboard.live.screens.charts import moment, replicas_chart, replicas_table
from tests.unit.insight.world import World, meta


class Cache:
    """Stores that tell what a test has them tell, and the state of their watches."""

    def __init__(self) -> None:
        self.state = "live"
        self.lost: set[str] = set()
        self.callbacks: dict[str, Any] = {}

    def store(self, plural: str) -> Any:
        return SimpleNamespace(
            subscribe=lambda callback: self._subscribe(plural, callback), get=lambda *_: None
        )

    def _subscribe(self, plural: str, callback: Any) -> Any:
        self.callbacks[plural] = callback
        return lambda: None

    def tell(self, deltas: list[Any], plural: str = "deployments") -> None:
        self.callbacks[plural](deltas)

    def status(self, plural: str) -> Any:
        return SimpleNamespace(state=self.state)

    def knows(self, plural: str, namespace: str) -> bool | None:
        return None if namespace in self.lost else True


def delta(name: str, wanted: int | None, ready: int = 0, namespace: str = "shop") -> Any:
    new = None
    if wanted is not None:
        new = SimpleNamespace(
            spec=SimpleNamespace(replicas=wanted), status=SimpleNamespace(ready_replicas=ready)
        )
    return SimpleNamespace(namespace=namespace, name=name, new=new)


def history() -> tuple[History, Cache, list[float]]:
    cache, clock = Cache(), [1000.0]
    return History(cache, lambda: clock[0]), cache, clock  # type: ignore[arg-type]


def test_only_changes_of_replicas_make_steps() -> None:
    made, cache, clock = history()
    for at, ready in ((1000, 0), (1001, 0), (1002, 2)):
        clock[0] = at
        cache.tell([delta("web", 2, ready)])
    assert made.of("shop", "web") == [(1000, 2, 0), (1002, 2, 2)]


def test_a_workload_of_a_namespace_that_may_be_read_no_more_was_not_scaled_to_0() -> None:
    made, cache, clock = history()
    cache.tell([delta("web", 2, 2), delta("api", 3, 3, namespace="other")])
    clock[0] = 1010
    cache.lost.add("shop")
    cache.tell([delta("web", None), delta("api", None, namespace="other")])
    assert made.of("shop", "web") == [(1000, 2, 2)]
    assert made.of("other", "api") == [(1000, 3, 3), (1010, 0, 0)]


def test_the_sum_has_one_step_for_what_came_together() -> None:
    made, cache, clock = history()
    cache.tell([delta("web", 2, 2), delta("api", 3, 3), delta("x", 5, 5, namespace="other")])
    clock[0] = 1010
    cache.tell([delta("api", 1, 3)])
    assert made.total(frozenset({"shop"})) == [(1000, 5, 5), (1010, 3, 5)]
    assert made.total(None)[0] == (1000, 10, 10)


def test_a_deleted_deployment_goes_to_zero_and_a_watch_that_ended_does_not() -> None:
    made, cache, clock = history()
    cache.tell([delta("web", 2, 2), delta("api", 1, 1)])
    clock[0] = 1010
    cache.tell([delta("web", None)])
    assert made.of("shop", "web")[-1] == (1010, 0, 0)
    cache.state = "starting"  # nobody looks any more: the store is emptied
    cache.tell([delta("api", None)])
    assert made.of("shop", "api") == [(1000, 1, 1)]


def test_what_has_been_gone_for_an_hour_is_forgotten() -> None:
    made, cache, clock = history()
    cache.tell([delta("web", 2, 2)])
    cache.tell([delta("web", None)])
    clock[0] += KEEP_SECONDS + 1
    cache.tell([delta("api", 1, 1)])
    assert made.of("shop", "web") == []


def test_workloads_of_one_name_and_different_kinds_have_steps_of_their_own() -> None:
    made, cache, _ = history()
    status = SimpleNamespace(desired_number_scheduled=5, number_ready=4)
    agent = SimpleNamespace(namespace="shop", name="web", new=SimpleNamespace(status=status))
    cache.tell([delta("web", 2, 2)])
    cache.tell([agent], "daemonsets")
    cache.tell([delta("web", 3, 1)], "statefulsets")
    assert made.of("shop", "web") == [(1000, 2, 2)]
    assert made.of("shop", "web", "daemonsets") == [(1000, 5, 4)]
    assert made.of("shop", "web", "statefulsets") == [(1000, 3, 1)]
    assert made.total(None) == [(1000, 2, 2)]


# --- Restarts


def pod(restarts: int, owner: str = "db") -> Any:
    status = {"phase": "Running", "containerStatuses": [{"name": "main", "restartCount": restarts}]}
    spec = {"containers": [{"name": "main"}]}
    manifest = {"metadata": meta("db-0", ("StatefulSet", owner)), "spec": spec, "status": status}
    return World().add("pods", manifest)


def changed(old: Any, new: Any) -> Any:
    kind = "ADDED" if old is None else "DELETED" if new is None else "MODIFIED"
    return SimpleNamespace(type=kind, namespace="shop", name="db-0", old=old, new=new)


def counting() -> tuple[Restarts, Cache, list[float]]:
    cache, clock = Cache(), [1000.0]
    return Restarts(cache, lambda: clock[0]), cache, clock  # type: ignore[arg-type]


def test_restarts_are_counted_for_the_workload_from_the_first_look_on() -> None:
    made, cache, clock = counting()
    cache.tell([changed(None, pod(7))], "pods")
    assert made.of("statefulsets", "shop", "db") == []
    assert made.since == 1000
    clock[0] = 1050
    cache.tell([changed(pod(7), pod(8))], "pods")
    cache.tell([changed(pod(8), pod(10))], "pods")
    clock[0] = 1070
    cache.tell([changed(pod(10), pod(11))], "pods")
    assert made.of("statefulsets", "shop", "db") == [(1050, 3), (1065, 1)]


def test_a_pod_that_is_made_anew_is_no_restart() -> None:
    made, cache, _ = counting()
    cache.tell([changed(None, pod(3))], "pods")
    cache.tell([changed(pod(3), None), changed(None, pod(0))], "pods")
    assert made.of("statefulsets", "shop", "db") == []


def test_restarts_of_an_hour_ago_are_forgotten() -> None:
    made, cache, clock = counting()
    cache.tell([changed(pod(0), pod(1))], "pods")
    clock[0] += KEEP_SECONDS + 20
    assert made.of("statefulsets", "shop", "db") == []


def test_what_is_kept_of_restarts_is_bounded_by_the_hour() -> None:
    made, cache, clock = counting()
    for n in range(30):
        clock[0] += 1
        cache.tell([changed(pod(n, f"db-{n}"), pod(n + 1, f"db-{n}"))], "pods")
    for n in range(600):  # one that crashes for hours
        clock[0] += BUCKET_SECONDS
        cache.tell([changed(pod(n, "web"), pod(n + 1, "web"))], "pods")
    assert list(made._counts) == [("statefulsets", "shop", "web")]
    assert len(made._counts["statefulsets", "shop", "web"]) <= KEEP_SECONDS / BUCKET_SECONDS + 1
    assert sum(count for _, count in made.of("statefulsets", "shop", "web")) == KEEP_SECONDS / BUCKET_SECONDS


def test_after_a_watch_has_ended_counting_begins_anew() -> None:
    made, cache, clock = counting()
    cache.tell([changed(None, pod(0))], "pods")
    cache.state = "starting"
    cache.tell([changed(pod(0), None)], "pods")
    assert made.since is None
    cache.state, clock[0] = "live", 2000.0
    cache.tell([changed(None, pod(4))], "pods")
    assert made.since == 2000


# --- A busy hour


def test_an_hour_of_a_busy_cluster_is_drawn_whole_and_keeps_its_dips() -> None:
    made, cache, clock = history()
    for second in range(3600):
        clock[0] = 1000.0 + second
        ready = 0 if second == 1803 else 2 + second % 2
        cache.tell([delta("web", 3, ready)])
    steps = made.total(None)
    drawn = replicas_chart(steps).data["traces"][0]
    assert drawn["x"][0] == moment(steps[0][0]), "from the beginning of the hour"
    assert 0 in drawn["y"], "a moment without a ready pod is seen"
    assert len(drawn["x"]) <= 2 * KEEP_SECONDS / BUCKET_SECONDS + 2
    assert len(made.of("shop", "web")) <= MAX_STEPS
    table = replicas_table(steps).html
    assert moment(steps[0][0]) in table and moment(steps[-1][0]) in table


def test_of_what_was_before_the_hour_the_sum_has_the_value_that_the_hour_begins_with() -> None:
    made, cache, clock = history()
    for at, name in enumerate(("web", "api", "x")):
        clock[0] = 1000.0 + at
        cache.tell([delta(name, 1, 1)])
    clock[0] = 1010.0 + KEEP_SECONDS
    cache.tell([delta("x", 1, 0)])
    assert made.total(None) == [(1002, 3, 3), (1010.0 + KEEP_SECONDS, 3, 2)]
