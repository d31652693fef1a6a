"""The sampler: what each sample remembers, how failures read, when it starts and stops; what pages say of it."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Mapping
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest

from dashboard.errors import ClusterError, Forbidden, NotFound, Unavailable
from dashboard.kinds.usage import NodeUse, PodUse, Use
from dashboard.kube.failures import Unreachable
from dashboard.live.screens.usage import (
    INSTALL,
    Meter,
    metrics_state,
    sampled_lines,
    usage_chart,
    usage_table,
)
from dashboard.live.usage import ALL_NODES, STALE_SECONDS, Reading, Usage
from tests.unit.insight.world import NOW, World, meta

from .clock import FakeClock

MIB = 2**20
START = NOW.timestamp()


class Cache:
    """The stores of a world, and leases that are counted."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.leases = 0
        self.namespaces: frozenset[str] | None = None

    def store(self, plural: str) -> Any:
        return SimpleNamespace(
            values=lambda namespaces: self._world.all(plural),
            get=lambda namespace, name: self._world.get(plural, namespace, name),
        )

    def scopes(self, plural: str) -> frozenset[str] | None:
        return self.namespaces

    def lease(self, plurals: frozenset[str], *, beside: bool) -> Cache:
        return self

    def __enter__(self) -> Cache:
        self.leases += 1
        return self

    def __exit__(self, *_: object) -> None:
        self.leases -= 1

    async def synced(self, plurals: frozenset[str], timeout: float) -> None:  # noqa: ASYNC109 the cache's
        return None


class Measures:
    """A source whose answers a test sets; an error is raised."""

    name = "metrics-server"

    def __init__(self) -> None:
        self.node: Mapping[str, NodeUse] | ClusterError = {}
        self.pod: Mapping[tuple[str, str], PodUse] | ClusterError = {}
        self.asked = 0
        self.scopes: list[frozenset[str] | None] = []

    async def nodes(self) -> Mapping[str, NodeUse]:
        return self._answer(self.node)

    async def pods(self, namespaces: frozenset[str] | None) -> Mapping[tuple[str, str], PodUse]:
        self.asked += 1
        self.scopes.append(namespaces)
        return self._answer(self.pod)

    def _answer(self, answer: Any) -> Any:
        if isinstance(answer, ClusterError):
            raise answer
        return answer


class Made:
    """A sampler with a world, a source and a clock."""

    def __init__(self, **options: Any) -> None:
        self.world = World()
        self.cache = Cache(self.world)
        self.source = Measures()
        self.now = START
        cache: Any = self.cache
        self.usage = Usage(cache, [self.source], clock=lambda: self.now, **options)

    def pod(self, name: str, uid: str = "") -> None:
        metadata = meta(name, ("StatefulSet", "db")) | ({"uid": uid} if uid else {})
        spec = {"nodeName": "a", "containers": [{"name": "main", "resources": {"requests": {"cpu": "1"}}}]}
        self.world.add("pods", {"metadata": metadata, "spec": spec, "status": {"phase": "Running"}})

    def node(self, name: str) -> None:
        status = {"allocatable": {"cpu": "4", "memory": "8Gi"}}
        self.world.add("nodes", {"metadata": {"name": name}, "status": status})

    async def sample(self, nodes: dict[str, float], pods: dict[str, float]) -> None:
        self.source.node = {name: NodeUse(self.now, Use(cpu, MIB)) for name, cpu in nodes.items()}
        self.source.pod = {
            ("shop", name): PodUse(self.now, {"main": Use(cpu, MIB)}) for name, cpu in pods.items()
        }
        await self.usage.sample()
        self.now += 15


def cpus(points: Any) -> list[float | None]:
    return [None if values[0] is None else round(values[0], 3) for _, values in points]


async def test_each_sample_is_remembered_by_node_namespace_workload_and_pod() -> None:
    made = Made()
    made.node("a")
    made.pod("db-0")
    made.pod("db-1")
    await made.sample({"a": 2.0}, {"db-0": 0.1, "db-1": 0.2})
    await made.sample({"a": 3.0}, {"db-0": 0.3, "db-1": 0.2})
    usage = made.usage
    assert cpus(usage.of_nodes.points("a")) == [2.0, 3.0]
    assert cpus(usage.of_nodes.points(ALL_NODES)) == [2.0, 3.0]
    assert cpus(usage.of_namespaces.points("shop")) == [0.3, 0.5]
    assert cpus(usage.of_workloads.points(("statefulsets", "shop", "db"))) == [0.3, 0.5]
    assert cpus(usage.of_pods.points("pods-db-0")) == [0.1, 0.3]
    assert usage.of_nodes.points("a")[0][1][2] == 2.0, "what the pods on it request"
    assert usage.nodes == usage.pods == Reading("ok", "metrics-server", None, made.now - 15)


async def test_a_pod_that_was_reborn_has_a_history_of_its_own() -> None:
    made = Made()
    made.pod("db-0", uid="first")
    await made.sample({}, {"db-0": 0.1})
    made.pod("db-0", uid="second")
    await made.sample({}, {"db-0": 0.7})
    assert cpus(made.usage.of_pods.points("first")) == [0.1]
    assert cpus(made.usage.of_pods.points("second")) == [0.7]
    assert cpus(made.usage.of_workloads.points(("statefulsets", "shop", "db"))) == [0.1, 0.7]


async def test_a_node_that_is_gone_has_no_later_points_and_counts_for_nothing() -> None:
    made = Made()
    made.node("a")
    made.node("b")
    await made.sample({"a": 1.0, "b": 2.0}, {})
    made.world._kept["nodes"].pop(("", "b"))
    await made.sample({"a": 1.0, "b": 2.0}, {})
    assert cpus(made.usage.of_nodes.points("b")) == [2.0]
    assert cpus(made.usage.of_nodes.points(ALL_NODES)) == [3.0, 1.0]


async def test_a_missing_sample_is_a_gap() -> None:
    made = Made()
    made.node("a")
    made.node("b")
    await made.sample({"a": 1.0, "b": 1.0}, {})
    await made.sample({"b": 1.0}, {})
    await made.sample({"a": 2.0, "b": 1.0}, {})
    assert cpus(made.usage.of_nodes.points("a")) == [1.0, None, 2.0]


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (NotFound("the server could not find the requested resource"), "missing"),
        (Forbidden("no", verb="list", resource="pods.metrics.k8s.io"), "forbidden"),
        (Unavailable("the server is currently unable to handle the request"), "unavailable"),
        (Unreachable("Connection refused."), "unreachable"),
    ],
)
async def test_each_failure_is_a_state_of_its_own_and_what_is_requested_stays_known(
    error: ClusterError, state: str
) -> None:
    made = Made()
    made.node("a")
    made.pod("db-0")
    made.source.node = made.source.pod = error
    await made.usage.sample()
    assert made.usage.nodes.state == made.usage.pods.state == state
    assert made.usage.tally.nodes["a"].asked.cpu.requested == 1.0
    assert made.usage.of_nodes.points("a") == []


async def test_nothing_yet_and_nothing_new_are_two_states() -> None:
    made = Made()
    made.node("a")
    await made.sample({}, {})
    assert made.usage.nodes.state == "waiting"
    made.source.node = {"a": NodeUse(made.now - STALE_SECONDS - 1, Use(1, 1))}
    await made.usage.sample()
    assert made.usage.nodes.state == "stale"


@pytest.mark.parametrize("error", [Unavailable("the server is unable"), Unreachable("Connection refused.")])
async def test_an_answer_that_fails_to_come_leaves_the_last_figures_with_their_age(
    error: ClusterError,
) -> None:
    made = Made()
    made.node("a")
    made.pod("db-0")
    await made.sample({"a": 2.0}, {"db-0": 0.1})
    measured = made.usage.nodes.measured_at
    made.source.node = made.source.pod = error
    made.now = measured + 30
    await made.usage.sample()
    assert made.usage.nodes == made.usage.pods == Reading("late", "metrics-server", error, measured)
    assert made.usage.tally.nodes["a"].use == Use(2.0, MIB)
    assert made.usage.of_nodes.points(ALL_NODES) == made.usage.of_nodes.points("a")
    assert cpus(made.usage.of_nodes.points("a")) == [2.0], "it is no new sample"
    shown = told(made.usage.nodes)
    assert (shown["state"], shown["title"]) == ("late", "Last reading")
    assert datetime.fromisoformat(shown["ago"]).timestamp() == measured
    assert "does not answer" not in " ".join(str(value) for value in shown.values())
    made.now = measured + STALE_SECONDS + 1
    await made.usage.sample()
    assert made.usage.nodes.state in ("unavailable", "unreachable")
    assert made.usage.tally.nodes["a"].use is None


@pytest.mark.parametrize(
    "error", [NotFound("gone"), Forbidden("no", verb="list", resource="pods.metrics.k8s.io")]
)
async def test_where_metrics_are_served_or_allowed_no_more_no_last_figure_is_shown(
    error: ClusterError,
) -> None:
    made = Made()
    made.node("a")
    await made.sample({"a": 2.0}, {})
    made.source.node = made.source.pod = error
    await made.usage.sample()
    assert made.usage.nodes.state in ("missing", "forbidden")
    assert made.usage.tally.nodes["a"].use is None


async def test_where_the_first_source_has_nothing_the_next_one_is_asked() -> None:
    made = Made()
    made.node("a")
    second = Measures()
    second.name = "Prometheus"
    made.usage._sources = [made.source, second]
    made.source.node = made.source.pod = NotFound("no metrics")
    second.node = {"a": NodeUse(made.now, Use(1, 1))}
    second.pod = Unavailable("Prometheus at http://x did not answer within 10 s.")
    await made.usage.sample()
    assert (made.usage.nodes.state, made.usage.nodes.source) == ("ok", "Prometheus")
    assert (made.usage.pods.state, made.usage.pods.source) == ("unavailable", "Prometheus")


async def test_an_account_of_some_namespaces_asks_for_those() -> None:
    made = Made()
    made.cache.namespaces = frozenset({"shop"})
    await made.usage.sample()
    assert made.source.scopes == [frozenset({"shop"})]


async def test_sampling_goes_on_for_a_while_after_the_last_look_and_begins_anew_with_the_next() -> None:
    clock = FakeClock()
    made = Made(every=15.0, idle=100.0, steady=clock, sleep=clock.sleep)
    made.node("a")
    made.source.node = {"a": NodeUse(START, Use(1, 1))}
    told: list[int] = []
    made.usage.subscribe(lambda: told.append(1))
    made.usage.touch()
    made.usage.touch()
    await made.usage.first(5)
    assert made.cache.leases == 1
    await clock.advance(45)
    assert made.source.asked == 4
    made.now += 101
    await clock.advance(15)
    assert made.cache.leases == 0
    await clock.advance(60)
    assert made.source.asked == len(told) == 4
    made.usage.touch()
    await clock.advance()
    assert made.source.asked == 5
    await made.usage.close()
    assert made.cache.leases == 0


# --- What pages say


RUNTIME: Any = SimpleNamespace(cluster=SimpleNamespace(slug="sandbox"))


def told(reading: Reading, denied: Forbidden | None = None) -> dict[str, Any]:
    return metrics_state(RUNTIME, reading, denied)


def test_every_state_has_words_of_its_own_and_a_way_out() -> None:
    missing = told(Reading("missing", "metrics-server", NotFound("x")))
    assert missing["kubectl"] == INSTALL
    refused = told(
        Reading("ok", "metrics-server"), Forbidden("x", verb="list", resource="pods.metrics.k8s.io")
    )
    assert (refused["state"], refused["verb"], refused["resource"]) == (
        "forbidden",
        "list",
        "pods.metrics.k8s.io",
    )
    broken = told(Reading("unavailable", "metrics-server", Unavailable("the server is unable")))
    assert "the server is unable" in broken["text"]
    assert broken["next"]["url"] == "/c/sandbox/pods/?q=metrics-server"
    away = told(Reading("unreachable", "metrics-server", Unreachable("Connection refused at x.")))
    stale = told(Reading("stale", "metrics-server", None, START))
    waiting = told(Reading("waiting", "metrics-server"))
    assert told(Reading("ok", "metrics-server"))["state"] == ""
    late = told(Reading("late", "metrics-server", Unavailable("the server is unable"), START))
    titles = {one["title"] for one in (missing, refused, broken, away, late, stale, waiting)}
    assert len(titles) == 7


def test_a_meter_warns_near_a_limit_that_binds_and_not_near_one_of_some_pods() -> None:
    near = Meter("", "memory", 95 * MIB, 50 * MIB, 100 * MIB)
    assert near.row()["state"] == "warn"
    assert near.row()["share_requested"] == "190 %"
    assert near.row()["bar"] == {"used": 95.0, "requested": 50.0, "limit": 100.0}
    assert (
        Meter("", "memory", 95 * MIB, 50 * MIB, 100 * MIB, note="1 of 2 pods without a limit").row()["state"]
        == "ok"
    )
    unknown = Meter("", "cpu", None, 0.0, None).row()
    assert (unknown["used"], unknown["requested"], unknown["limit"], unknown["state"]) == (
        "–",
        "none",
        "none",
        "ok",
    )


def test_a_pause_in_the_sampling_is_a_gap_in_the_line() -> None:
    points = [(0.0, (1.0, 1.0)), (15.0, (2.0, 1.0)), (300.0, (3.0, 1.0))]
    lines = sampled_lines(points, "cpu")
    assert lines.at == (0, 15, 30, 300)
    assert lines.lines == {"used": (1, 2, None, 3)}


def test_chart_and_table_tell_the_same() -> None:
    points = [(START + 15 * at, (0.1 * at, 50.0 * MIB * at, 1.0, 0.0, 0.0, 0.0)) for at in range(240)]
    lines = sampled_lines(points, "cpu")
    chart = usage_chart(lines, "cpu", 3600, 15).data
    assert [trace["name"] for trace in chart["traces"]] == ["In use", "Requested"]
    assert chart["t0"] + chart["t"][-1] == START + 15 * 239
    assert chart["traces"][0]["y"][-1] == pytest.approx(23.9)
    html = usage_table(lines, "cpu").html
    assert html.index("23.9 cores") < html.index("12 cores"), "newest first"
    assert html.count("<tr>") == 14


def test_a_chart_of_an_hour_is_a_few_kilobytes() -> None:
    points = [(START + 15 * at, tuple(0.123456 * (at + column) for column in range(8))) for at in range(240)]
    data = usage_chart(sampled_lines(points, "cpu"), "cpu", 3600, 15).data
    assert len(json.dumps(data, separators=(",", ":"))) < 10_000


async def test_an_error_that_is_shown_does_not_keep_what_was_being_read() -> None:
    made = Made()

    class Body:
        """An answer of a hundred megabytes."""

    kept: list[weakref.ref[Body]] = []

    async def unreadable(scopes: frozenset[str] | None) -> Mapping[tuple[str, str], PodUse]:
        body = Body()
        kept.append(weakref.ref(body))
        try:
            raise ValueError(body)
        except ValueError as error:
            raise Unavailable("metrics.k8s.io did not answer with a list of metrics.") from error

    made.source.pods = unreadable  # type: ignore[method-assign]
    await made.usage.sample()
    assert made.usage.pods.state == "unavailable" and made.usage.pods.error is not None
    gc.collect()
    assert kept[0]() is None
