"""The page of what is used: charts with their tables, on a real cluster; without metrics; and from a Prometheus."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from playwright.sync_api import Browser, Page, expect

from dashboard.kinds.units import cpu_words, memory_words
from tests.faults.scripted import ScriptedServer
from tests.faults.test_prometheus import Scripted
from tools.server import Server

from .conftest import Objects, frames_of

SLUG = "tests"
SOON = 60_000  # a sample comes every 15 s
SIZES = (0, 512, 999, 1000, 1023.9 * 2**20, 500 * 2**30, 999.6 * 2**30, 1000 * 2**30, 1023 * 2**40, 5 * 2**60)
CORES = (0, 0.25, 0.9996, 1, 27.58, 999.6, 1024, 1_500_000)
# Whether the heat map has the shares of the table beside it; what is not known is null in both.
SAME_FIGURES = """() => {
  const [heat] = document.getElementById("cap-heat").data;
  const share = ({ innerText }) => (innerText.startsWith("<1") ? 0 : parseInt(innerText));
  const cells = [...document.querySelectorAll("#cap-nodes tr")].map((row) => [...row.cells].slice(1).map(share));
  return heat.type === "heatmap" && cells.length > 0 && JSON.stringify(cells) === JSON.stringify(heat.z);
}"""


def test_charts_have_their_figures_beside_them(page: Page, objects: Objects, namespace: str) -> None:
    objects.deployment("web", 2)
    page.goto(f"/c/{SLUG}/capacity/")
    expect(page.get_by_role("heading", name="Capacity", level=1)).to_be_visible()
    expect(page.locator("#kinds [data-nav=capacity]")).to_have_attribute("aria-current", "page")
    expect(page.locator("#usage-now tbody tr")).to_have_count(2)
    for chart in ("usage-cpu", "usage-memory", "namespaces-cpu", "namespaces-memory"):
        expect(page.locator(f"#{chart} svg.main-svg").first).to_be_attached(timeout=SOON)
    figure = page.locator("figure.chart", has=page.locator("#usage-cpu"))
    figure.locator("summary").focus()
    page.keyboard.press("Enter")
    table = page.locator("#chart-table-usage-cpu")
    expect(table).to_be_visible()
    expect(table.locator("thead th").first).to_have_text("Time")
    expect(table.locator("tbody tr").first).to_contain_text("core")
    expect(page.locator("#cap-nodes tr").filter(has_text="%").first).to_be_attached()
    expect(page.locator(f"#cap-ns-{namespace}")).to_be_attached(timeout=SOON)


def test_amounts_in_charts_are_written_as_elsewhere_and_without_exponents(page: Page) -> None:
    page.goto(f"/c/{SLUG}/capacity/")
    units = "import('/static/js/charts.js').then(({ UNITS, ticks }) => "
    sizes = page.evaluate(f"sizes => {units}sizes.map(UNITS.memory.words))", list(SIZES))
    assert [each for each in sizes if each != "0 B"] == [memory_words(size) for size in SIZES[1:]]
    assert page.evaluate(f"cores => {units}cores.map(UNITS.cpu.words))", list(CORES)) == [
        cpu_words(cores) for cores in CORES
    ]
    for most in SIZES[1:]:
        texts = page.evaluate(f"most => {units}ticks('memory', most).ticktext)", most)
        assert len(texts) == len(set(texts)) > 1 and not any("e+" in text for text in texts), texts


def test_the_heat_map_of_nodes_has_the_figures_of_the_table_beside_it(page: Page, objects: Objects) -> None:
    objects.deployment("web", 2)
    page.goto(f"/c/{SLUG}/capacity/")
    expect(page.locator("#cap-heat svg.main-svg").first).to_be_attached(timeout=SOON)
    page.locator("figure.chart", has=page.locator("#cap-heat")).locator("summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#cap-nodes tr").first.get_by_role("link")).to_be_visible()
    page.wait_for_function(SAME_FIGURES, timeout=SOON)


def test_a_sample_moves_the_chart_and_is_no_news_of_any_row(page: Page, objects: Objects) -> None:
    objects.pod("one")
    frames = frames_of(page)
    page.goto(f"/c/{SLUG}/capacity/")
    plot = page.locator("#usage-cpu svg.main-svg").first
    expect(plot).to_be_attached(timeout=SOON)
    plot.evaluate("svg => { svg.dataset.same = 'yes'; }")
    newest = page.locator("#chart-table-usage-cpu tbody tr").first
    moment = newest.locator("time").get_attribute("datetime")
    frames.clear()
    expect(newest.locator("time")).not_to_have_attribute("datetime", str(moment), timeout=SOON)
    assert any("usage-cpu" in frame.get("charts", {}) for frame in frames)
    expect(plot).to_have_attribute("data-same", "yes")
    expect(page.locator("[data-quiet] [data-changed], [data-quiet] .ch")).to_have_count(0)
    # The same on a narrow screen: only tables scroll sideways, each in its box.
    page.set_viewport_size({"width": 320, "height": 800})
    page.wait_for_function("() => document.documentElement.scrollWidth <= 320", timeout=SOON)


def test_a_list_shows_what_pods_use_without_marking_their_rows(
    page: Page, objects: Objects, namespace: str
) -> None:
    objects.pod("one")
    frames = frames_of(page)
    page.goto(f"/c/{SLUG}/pods/?namespace={namespace}&sort=-memory")
    expect(page.locator("thead [data-col=memory]")).to_have_attribute("aria-sort", "descending")
    cell = page.locator("#rows td[data-col=memory]")
    # metrics-server needs about a minute for a new pod; kubectl top's form of it is what is shown.
    expect(cell).not_to_have_text("–", timeout=180_000)
    assert cell.inner_text().endswith("Mi")
    expect(page.locator("#rows tr[data-changed]")).to_have_count(0)
    values = [frame["charts"]["rows-usage"][1] for frame in frames if "rows-usage" in frame.get("charts", {})]
    assert any(texts[1].endswith("Mi") for texts in values[-1].values())


def test_the_page_of_a_deployment_tells_usage_replicas_and_restarts(
    page: Page, objects: Objects, namespace: str
) -> None:
    objects.deployment("web", 1)
    page.goto(f"/c/{SLUG}/deployments/{namespace}/web/")
    expect(page.locator("#usage-now tbody tr").first).to_contain_text("CPU", timeout=SOON)
    for chart in ("usage-cpu", "usage-memory", "replicas", "restarts"):
        expect(page.locator(f"#{chart} svg.main-svg").first).to_be_attached(timeout=SOON)
    expect(page.locator("#restarts-head")).to_contain_text("0 since")


# --- Without metrics, and with a Prometheus


class Bare:
    """Two contexts of a scripted cluster without metrics; the second has a scripted Prometheus."""

    def __init__(self) -> None:
        self.api = ScriptedServer()
        self.prometheus = Scripted()
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    async def _start(self) -> None:
        await self.api.start()
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.prometheus.handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.01)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.prometheus.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        status = {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"}}
        self.api.put("node-a", "", plural="nodes", status=status)

    async def _stop(self) -> None:
        await self._runner.cleanup()
        await self.api.stop()

    def __enter__(self) -> Bare:
        self._thread.start()
        self.run(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self._stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()

    def kubeconfig(self, path: Path) -> Path:
        context = {"cluster": "c", "user": "u"}
        document = {
            "current-context": "bare",
            "contexts": [{"name": name, "context": context} for name in ("bare", "watched")],
            "clusters": [{"name": "c", "cluster": {"server": self.api.url}}],
            "users": [{"name": "u", "user": {}}],
        }
        path.write_text(yaml.safe_dump(document))
        return path


@pytest.fixture(scope="module")
def bare() -> Iterator[Bare]:
    with Bare() as made:
        yield made


@pytest.fixture(scope="module")
def bare_server(bare: Bare, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("bare")
    setting = f"watched={bare.prometheus.url}/?cluster=prod"
    with Server(home / "home", bare.kubeconfig(home / "config"), CLUSTER_UI_PROMETHEUS_URL=setting) as server:
        yield server


@pytest.fixture(scope="module")
def visit(browser: Browser, bare_server: Server) -> Iterator[Callable[[str], Page]]:
    context = browser.new_context(base_url=bare_server.base, viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.context.add_cookies(bare_server.cookies())

    def go(path: str) -> Page:
        page.goto(path)
        return page

    yield go
    context.close()


def test_without_metrics_the_page_says_so_and_how_to_get_them(visit: Callable[[str], Page]) -> None:
    page = visit("/c/bare/capacity/")
    state = page.locator("#usage-state")
    expect(state).to_have_attribute("data-metrics", "missing", timeout=SOON)
    expect(state).to_contain_text("metrics-server is not installed")
    expect(state).to_contain_text("kubectl apply -f")
    expect(page.locator("#cap-nodes tr")).to_contain_text("node-a")
    expect(page.locator("#usage-now tbody tr").first).to_contain_text("4 cores")


def test_without_the_right_to_metrics_the_page_names_it(visit: Callable[[str], Page], bare: Bare) -> None:
    page = visit("/c/bare/capacity/")
    # The scripted cluster refuses by plural: a stand-in for whatever may list neither.
    bare.api.refused |= {("nodes", ""), ("pods", "")}
    try:
        state = page.locator("#usage-state")
        expect(state).to_have_attribute("data-metrics", "forbidden", timeout=SOON)
        expect(state).to_contain_text("list")
        expect(state.get_by_role("button", name="Copy a request for access")).to_be_visible()
    finally:
        bare.api.refused.clear()


def test_a_prometheus_gives_figures_and_longer_times_and_says_when_it_fails(
    visit: Callable[[str], Page], bare: Bare
) -> None:
    scripted = bare.prometheus
    scripted.line("container_cpu_usage_seconds_total", 1.5, node="node-a")
    scripted.line("container_memory_working_set_bytes", 2 * 2**30, node="node-a")
    scripted.line("kube_node_status_allocatable", 4)
    page = visit("/c/watched/capacity/")
    expect(page.locator("#usage-note")).to_contain_text("From Prometheus", timeout=SOON)
    expect(page.locator("#usage-note")).to_contain_text("kube-state-metrics")
    expect(page.locator("#chart-table-usage-cpu tbody tr").first).to_contain_text("1.5 cores")
    assert any('cluster="prod"' in text for text in scripted.questions)
    ranges = page.get_by_role("navigation", name="Time shown")
    ranges.get_by_role("link", name="24h").click()
    page.wait_for_url("**range=24h")
    expect(ranges.get_by_role("link", name="24h")).to_have_attribute("aria-current", "true")
    expect(page.locator("#chart-table-usage-cpu tbody tr")).to_have_count(13)
    scripted.answers = {"": lambda: web.Response(status=401)}
    ranges.get_by_role("link", name="7d").click()
    expect(page.locator("#usage-note .error")).to_contain_text("refuses the dashboard (401)", timeout=SOON)
    expect(page.locator("#usage-note .error")).to_contain_text("CLUSTER_UI_PROMETHEUS_TOKEN_FILE")


def test_a_time_that_there_is_not_is_refused_with_those_there_are(visit: Callable[[str], Page]) -> None:
    page = visit("/c/bare/capacity/?range=1y")
    expect(page.locator("#page")).to_contain_text("1h, 6h, 24h, 7d")
