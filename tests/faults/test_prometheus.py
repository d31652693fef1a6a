"""A Prometheus on 127.0.0.1 that answers as a test tells it, and every way in which it can fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio
from aiohttp import web

from dashboard.kube.prometheus import Prometheus, PrometheusError, Target
from dashboard.live.longer import Longer
from dashboard.queries.prometheus import PrometheusUsage, PromQL, Question, history

from .scripted import until

NOW = 1_800_000_000.0
TOKEN = "a-token-that-must-not-be-shown"
Answer = Callable[[web.Request, dict[str, str]], Awaitable[web.StreamResponse]]


def success(*series: dict[str, Any], warnings: tuple[str, ...] = ()) -> web.Response:
    kind = "matrix" if any("values" in each for each in series) else "vector"
    body = {"status": "success", "data": {"resultType": kind, "result": list(series)}}
    return web.json_response(body | ({"warnings": list(warnings)} if warnings else {}))


class Scripted:
    """``answers``: by a piece of the question, a response or what makes one; nothing found is an empty answer."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        self.answers: dict[str, Any] = {}
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        form = {key: str(value) for key, value in (await request.post()).items()}
        self.asked.append((request.path, form, request.headers.copy()))
        for piece, answer in self.answers.items():
            if piece in form.get("query", ""):
                given = answer() if answer.__code__.co_argcount == 0 else await answer(request, form)
                return cast(web.StreamResponse, given)
        return success()

    @property
    def questions(self) -> list[str]:
        return [form["query"] for _, form, _ in self.asked]

    def line(self, piece: str, value: float, **labels: str) -> None:
        """The same value at every moment that is asked for."""

        async def answer(_: web.Request, form: dict[str, str]) -> web.Response:
            if "start" not in form:
                return success({"metric": labels, "value": [NOW, str(value)]})
            start, end, step = (float(form[key]) for key in ("start", "end", "step"))
            moments = [start + step * at for at in range(int((end - start) / step) + 1)]
            return success({"metric": labels, "values": [[at, str(value)] for at in moments]})

        self.answers[piece] = answer


@pytest_asyncio.fixture
async def scripted() -> AsyncIterator[Scripted]:
    made = Scripted()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


@pytest_asyncio.fixture
async def prometheus(scripted: Scripted) -> AsyncIterator[Prometheus]:
    made = Prometheus(Target.read(f"{scripted.url}/?cluster=prod"), answer_seconds=5.0)
    yield made
    await made.close()


@pytest_asyncio.fixture
async def asking(scripted: Scripted) -> AsyncIterator[Callable[..., Prometheus]]:
    """Makes one with a token file, or with another address or limit."""
    made: list[Prometheus] = []

    def make(token_file: Path | str = "", url: str = "", **options: Any) -> Prometheus:
        made.append(Prometheus(Target.read(url or scripted.url, str(token_file)), **options))
        return made[-1]

    yield make
    for each in made:
        await each.close()


async def refusal(prometheus: Prometheus) -> PrometheusError:
    with pytest.raises(PrometheusError) as caught:
        await prometheus.query("up")
    return caught.value


# --- The gateway


async def test_values_come_with_their_labels_and_what_is_no_number_is_left_out(
    scripted: Scripted, prometheus: Prometheus
) -> None:
    scripted.answers["up"] = lambda: success(
        {"metric": {"a": "b"}, "values": [[1, "1.5"], [2, "NaN"], [3, "+Inf"], [4, "2"]]},
        warnings=("partial",),
    )
    found = await prometheus.query_range("up", start=1, end=4, step=1)
    assert found.series[0].labels == {"a": "b"}
    assert found.series[0].points == ((1, 1.5), (4, 2.0))
    assert found.warnings == ("partial",)
    path, form, _ = scripted.asked[0]
    assert path == "/api/v1/query_range"
    assert (form["start"], form["end"], form["step"]) == ("1.000", "4.000", "1.000")


async def test_the_token_is_read_anew_for_each_question(
    scripted: Scripted, asking: Callable[..., Prometheus], tmp_path: Path
) -> None:
    file = tmp_path / "token"
    prometheus = asking(file)
    for token in ("first", "second"):
        file.write_text(f"{token}\n")
        await prometheus.query("up")
    assert [headers["Authorization"] for _, _, headers in scripted.asked] == ["Bearer first", "Bearer second"]


async def test_a_token_file_that_is_not_there_names_the_setting(
    asking: Callable[..., Prometheus], tmp_path: Path
) -> None:
    prometheus = asking(tmp_path / "none")
    error = await refusal(prometheus)
    assert "CLUSTER_UI_PROMETHEUS_TOKEN_FILE" in error.next_step


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refusal_says_which_setting_helps_and_not_the_token(
    scripted: Scripted, asking: Callable[..., Prometheus], tmp_path: Path, status: int
) -> None:
    (tmp_path / "token").write_text(TOKEN)
    prometheus = asking(tmp_path / "token")
    scripted.answers["up"] = lambda: web.Response(status=status, text=f"no, {TOKEN}")
    error = await refusal(prometheus)
    assert f"({status})" in error.message
    assert "CLUSTER_UI_PROMETHEUS_TOKEN_FILE" in error.next_step
    assert TOKEN not in error.message + error.next_step


async def test_prometheus_own_words_are_told(scripted: Scripted, prometheus: Prometheus) -> None:
    body = {"status": "error", "errorType": "bad_data", "error": "parse error at char 3"}
    scripted.answers["up"] = lambda: web.json_response(body, status=400)
    assert "parse error at char 3 (bad_data)" in (await refusal(prometheus)).message
    body |= {"errorType": "timeout", "error": "query timed out in expression evaluation"}
    scripted.answers["up"] = lambda: web.json_response(body, status=503)
    error = await refusal(prometheus)
    assert "aborted the query" in error.message
    assert "shorter time" in error.next_step


@pytest.mark.parametrize(
    "answer",
    [
        lambda: web.Response(text="<html>Grafana</html>"),
        lambda: web.Response(status=404, text="404 page not found"),
        lambda: web.Response(status=302, headers={"Location": "https://elsewhere.example/"}),
        lambda: web.json_response({"status": "success"}),
        lambda: web.json_response(
            {"status": "success", "data": {"resultType": "scalar", "result": [1, "2"]}}
        ),
    ],
)
async def test_what_is_no_prometheus_is_told_so(
    scripted: Scripted, prometheus: Prometheus, answer: Any
) -> None:
    scripted.answers["up"] = answer
    error = await refusal(prometheus)
    assert "is not Prometheus" in error.message
    assert "CLUSTER_UI_PROMETHEUS_URL" in error.next_step


async def test_silence_ends_after_the_limit(scripted: Scripted, asking: Callable[..., Prometheus]) -> None:
    released = asyncio.Event()

    async def hang(_: web.Request, __: dict[str, str]) -> web.Response:
        await released.wait()
        return success()

    scripted.answers["up"] = hang
    prometheus = asking(answer_seconds=0.3)
    error = await refusal(prometheus)
    assert "did not answer within" in error.message
    released.set()


async def test_nobody_at_the_address(asking: Callable[..., Prometheus]) -> None:
    prometheus = asking(url="http://user:secret@127.0.0.1:9")
    error = await refusal(prometheus)
    assert "http://127.0.0.1:9 cannot be reached" in error.message
    assert "secret" not in error.message + error.next_step


async def test_an_answer_that_breaks_off(scripted: Scripted, prometheus: Prometheus) -> None:
    async def cut(request: web.Request, _: dict[str, str]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b'{"status":')
        assert request.transport is not None
        request.transport.close()
        return response

    scripted.answers["up"] = cut
    assert "broke the connection" in (await refusal(prometheus)).message


async def test_an_answer_without_end_is_not_kept(
    scripted: Scripted, prometheus: Prometheus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.kube.prometheus.LARGEST_BYTES", 1000)
    scripted.answers["up"] = lambda: success({"metric": {"long": "x" * 5000}, "value": [1, "1"]})
    assert "more than 32 MiB" in (await refusal(prometheus)).message


# --- Questions


CPU = "container_cpu_usage_seconds_total"
MEMORY = "container_memory_working_set_bytes"


async def test_the_cluster_is_told_with_requests_limits_and_allocatable(
    scripted: Scripted, prometheus: Prometheus
) -> None:
    scripted.line(CPU, 2.5)
    scripted.line(MEMORY, 2**30)
    scripted.line("kube_pod_container_resource_requests", 4)
    scripted.line("kube_pod_container_resource_limits", 8)
    scripted.line("kube_node_status_allocatable", 16)
    found = await history(prometheus, Question("1h"), NOW)
    cpu = found.lines["cpu"]
    assert len(cpu.at) == 241
    assert cpu.at[-1] == NOW
    assert {line: values[-1] for line, values in cpu.lines.items()} == {
        "used": 2.5, "requested": 4, "limits": 8, "allocatable": 16,
    }  # fmt: skip
    assert found.lines["memory"].lines["used"][0] == 2**30
    assert found.notes == ()
    assert all('cluster="prod"' in text for text in scripted.questions), "one of several clusters"


@pytest.mark.parametrize(
    ("range_", "step"), [("1h", "15.000"), ("6h", "90.000"), ("24h", "360.000"), ("7d", "2520.000")]
)
async def test_a_longer_time_has_no_more_points(
    scripted: Scripted, prometheus: Prometheus, range_: str, step: str
) -> None:
    scripted.line(CPU, 1)
    found = await history(prometheus, Question(range_), NOW)
    assert {form["step"] for _, form, _ in scripted.asked} == {step}
    assert len(found.lines["cpu"].at) == 241


async def test_what_prometheus_does_not_know_is_left_out_and_said(
    scripted: Scripted, prometheus: Prometheus
) -> None:
    scripted.line(CPU, 1)
    scripted.answers[MEMORY] = lambda: success(warnings=("a store did not answer",))
    found = await history(prometheus, Question("1h"), NOW)
    assert set(found.lines["cpu"].lines) == {"used"}
    assert found.lines["memory"].lines == {}
    words = " ".join(found.notes)
    assert "no figures of the memory in use" in words
    assert "kube-state-metrics" in words
    assert "a store did not answer" in words


async def test_a_proxy_that_fails_is_told_as_such(scripted: Scripted, prometheus: Prometheus) -> None:
    scripted.answers["up"] = lambda: web.Response(status=502, text="<html>Bad gateway</html>")
    assert "fails (HTTP 502)" in (await refusal(prometheus)).message


async def test_one_failed_question_fails_the_history(scripted: Scripted, prometheus: Prometheus) -> None:
    scripted.line(CPU, 1)
    scripted.answers["kube_pod_container_resource_limits"] = lambda: web.Response(status=500, text="oops")
    with pytest.raises(PrometheusError):
        await history(prometheus, Question("1h"), NOW)


def test_questions_name_what_they_are_about_and_quote_it() -> None:
    promql = PromQL({})
    node = promql.questions(Question("1h", "nodes", "", "worker.a"), "cpu")
    assert 'node="worker.a"' in node["used"]
    assert 'instance=~"worker\\\\.a(:[0-9]+)?"' in node["used"]
    pod = promql.questions(Question("1h", "pods", "shop", 'x"} or up{a="'), "cpu")
    assert 'pod="x\\"} or up{a=\\""' in pod["used"]
    deployment = promql.questions(Question("1h", "deployments", "shop", "web"), "memory")["used"]
    assert 'owner_kind="ReplicaSet"' in deployment
    assert 'owner_name=~"web-[bcdfghjklmnpqrstvwxz2456789]{1,10}"' in deployment
    namespaces = promql.questions(Question("1h", namespaces=frozenset({"b", "a"})), "cpu")
    assert 'namespace=~"a|b"' in namespaces["used"]
    assert "allocatable" not in namespaces


# --- What is used now, where there is no metrics-server


async def test_nodes_are_known_by_name_or_address_and_pods_by_container(
    scripted: Scripted, prometheus: Prometheus
) -> None:
    def both(*labels: dict[str, str]) -> Callable[[], web.Response]:
        return lambda: success(*({"metric": each, "value": [NOW, "2"]} for each in labels))

    nodes = both(
        {"node": "a", "instance": "10.0.0.1:10250"},
        {"instance": "10.0.0.2:10250"},
        {"instance": "10.0.0.9:1"},
    )
    scripted.answers["sum by (node, instance)"] = nodes
    scripted.answers["sum by (namespace, pod, container)"] = both(
        {"namespace": "shop", "pod": "web", "container": "main"},
        {"namespace": "shop", "pod": "web", "container": "proxy"},
    )
    source = PrometheusUsage(prometheus, lambda: {"a": "a", "10.0.0.1": "a", "b": "b", "10.0.0.2": "b"})
    assert sorted(await source.nodes()) == ["a", "b"]
    pods = await source.pods(frozenset({"shop"}))
    assert sorted(pods["shop", "web"].containers) == ["main", "proxy"]
    assert pods["shop", "web"].at == NOW
    assert pods["shop", "web"].total.cpu == 4
    assert 'namespace=~"shop"' in scripted.questions[-1]


# --- Asked once for all who look


async def test_a_slow_prometheus_holds_no_page_up_and_tells_when_it_has_answered(
    scripted: Scripted, prometheus: Prometheus
) -> None:
    released = asyncio.Event()

    async def slow(_: web.Request, __: dict[str, str]) -> web.Response:
        await released.wait()
        return success({"metric": {}, "values": [[NOW, "1"]]})

    scripted.answers["container_"] = slow
    told: list[int] = []
    longer = Longer(prometheus, lambda: told.append(1))
    question = Question("1h")
    await longer.ask(question, wait=0.05)
    assert longer.known(question).answer is None
    released.set()
    await until(lambda: bool(told), "the answer")
    answer = longer.known(question).answer
    assert answer is not None
    assert answer.lines["cpu"].lines["used"] == (1.0,)
    await longer.close()


async def test_what_is_fresh_is_not_asked_again_and_a_failure_keeps_what_was_known(
    scripted: Scripted, prometheus: Prometheus
) -> None:
    scripted.line(CPU, 1)
    clock = [0.0]
    longer = Longer(prometheus, lambda: None, lambda: clock[0])
    question = Question("1h")
    await longer.ask(question, wait=5)
    asked = len(scripted.asked)
    await longer.ask(question, wait=5)
    assert len(scripted.asked) == asked
    clock[0] = 20
    scripted.answers = {"": lambda: web.Response(status=500)}
    await longer.ask(question, wait=5)
    known = longer.known(question)
    assert known.error is not None
    assert known.answer is not None
    await longer.close()


def test_the_address_may_carry_labels_and_its_password_is_not_shown() -> None:
    target = Target.read("https://me:secret@thanos.example/base/?cluster=prod&env=eu")
    assert target.url == "https://me:secret@thanos.example/base"
    assert target.labels == {"cluster": "prod", "env": "eu"}
    assert target.shown == "https://thanos.example/base"
