"""The heat map of nodes and metrics: the very figures of its table; and capacity ahead, as scripts have it."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest
from django.http import QueryDict

from dashboard import render
from dashboard.errors import BadInput, Forbidden, NotFound
from dashboard.insight.usage import Tally
from dashboard.live.rings import Clock, Rings
from dashboard.live.screens.ahead import Ahead, _amount
from dashboard.live.screens.ahead_answer import ahead_answer
from dashboard.live.screens.capacity import HEAT, CapacityScreen, heat_chart
from dashboard.queries.access import Visible
from dashboard.queries.usage import UsageRights

from ..insight.world import deployment, meta, node, pod
from .seen import everything, nothing, runtime, sees, session

EVERYWHERE = UsageRights(Visible(), Visible())


def row(name: str, *percents: int) -> dict[str, Any]:
    cells = [{"percent": percent, "amount": f"{percent} of it"} for percent in percents]
    return {"name": name, "cells": cells}


def test_a_column_is_a_trace_and_what_is_not_known_is_no_nought() -> None:
    chart = heat_chart([row("b", 95, 50, -1, 0, 1, 2), row("a", 10, 11, 12, 13, 14, 15)])
    assert chart.data["names"] == ["b", "a"]
    assert [trace["name"] for trace in chart.data["traces"]] == [title for _, title, _, _ in HEAT]
    assert [trace["y"] for trace in chart.data["traces"]][:4] == [[95, 10], [50, 11], [None, 12], [0, 13]]
    assert chart.data["full"] == 90


def test_the_chart_is_new_when_a_figure_is() -> None:
    assert heat_chart([row("a", *range(6))]).hash == heat_chart([row("a", *range(6))]).hash
    assert heat_chart([row("a", *range(6))]).hash != heat_chart([row("a", *range(1, 7))]).hash


def cluster() -> Any:
    found = runtime()
    found.prometheus = None
    found.cache.put("nodes", node())
    asks = {"containers": [{"name": "app", "resources": {"requests": {"cpu": "1"}}}]}
    found.cache.put("deployments", deployment(template=asks))
    found.cache.put("pods", pod("web-1", container={"resources": {"requests": {"cpu": "1"}}}))
    status = {"hard": {"pods": "10"}, "used": {"pods": "6"}}
    found.cache.put(
        "resourcequotas", {"metadata": meta("small"), "spec": {"hard": {"pods": "10"}}, "status": status}
    )
    claim = {"metadata": meta("data"), "spec": {}, "status": {"capacity": {"storage": "10Gi"}}}
    found.cache.put("persistentvolumeclaims", claim)
    now = time.time()
    found.hourly.kept = {
        "quotas": [(now - (49 - hour) * 3600, {"shop/small/pods": 4 + hour / 24}) for hour in range(49)],
        "volumes": [(now - (49 - hour) * 3600, {"shop/data": 0.5 + hour / 480}) for hour in range(49)],
    }
    ticks = Clock()
    found.usage = SimpleNamespace(
        of_containers=Rings(ticks, 2, 10), ticks=ticks, tally=Tally(found.reader, None),  # type: ignore[arg-type]
    )  # fmt: skip
    for at in range(80):
        ticks.tick(now - (80 - at) * 15)
        found.usage.of_containers.put({(("deployments", "shop", "web"), "app"): (0.1, 50 * 2**20)})
    return found


async def ahead(query: str = "", rights: UsageRights = EVERYWHERE, **less: Visible) -> Ahead:
    made = SimpleNamespace(session=session(cluster()))
    sees(made, everything(**less))
    found = Ahead(made.session, QueryDict(query))
    found.rights, found.sees_volumes = rights, True
    await found.tell()
    return found


async def test_the_answer_for_scripts_has_what_fits_and_what_is_ahead() -> None:
    told = ahead_answer(await ahead("fit=deployments/shop/web"))
    assert json.loads(json.dumps(told)) == told
    assert (told["fit"]["more"], told["fit"]["on_nodes"], told["fit"]["nodes"]) == (
        3, 3, [{"name": "node-1", "pods": 3}],
    )  # fmt: skip
    assert told["fit"]["why_no_more"] == [{"why": "insufficient CPU", "nodes": 1}]
    (quota,), (volume,) = told["quotas"], told["volumes"]
    assert (quota["name"], quota["what"], quota["full"]) == ("small", "pods", "in about 4 days")
    assert (volume["name"], volume["full"]) == ("data", "in about 8 days")
    assert told["fragmentation"]["really"] == 3 and told["spare_nodes"]["tried"] == 1
    (asked,) = told["requests"]
    assert (asked["container"], asked["cpu"]["requests"], round(asked["cpu"]["suggested"], 3)) == (
        "app",
        1.0,
        0.115,
    )


async def test_what_a_former_claim_of_a_name_held_says_nothing_of_the_one_of_now() -> None:
    found = SimpleNamespace(session=session(cluster()))
    made = {
        **meta("data"),
        "creationTimestamp": f"{datetime.now(UTC) - timedelta(hours=5):%Y-%m-%dT%H:%M:%SZ}",
    }
    found.session.cluster.cache.put("persistentvolumeclaims", {"metadata": made, "spec": {}, "status": {}})
    sees(found, everything())
    told = Ahead(found.session, QueryDict())
    told.rights, told.sees_volumes = EVERYWHERE, True
    await told.tell()
    (volume,) = ahead_answer(told)["volumes"]
    assert volume["full"] == "not enough history yet"


async def test_a_suggestion_leads_to_the_form_with_its_values_filled_in() -> None:
    (row,) = (await ahead())._requests()["rows"]
    assert urlparse(row["form_url"]).path.endswith("/deployments/shop/web/resources/")
    assert parse_qs(urlparse(row["form_url"]).query) == {
        "requests_cpu.app": ["115m"],
        "requests_memory.app": ["64Mi"],
    }
    assert row["span"] == "20 minutes"


async def test_nothing_is_told_of_what_may_not_be_seen() -> None:
    told = ahead_answer(await ahead("fit=deployments/shop/web", UsageRights(), pods=nothing("pods")))
    assert told["fragmentation"] is None and told["spare_nodes"] is None and told["zones"] is None
    assert told["volumes"] == [] and told["requests"] is None
    assert "may not list all pods" in told["fit"]["unsure"]


@pytest.mark.parametrize(
    ("fit", "less", "refused", "why"),
    [
        ("deployments/shop/none", {}, NotFound, "There is no Deployment none in shop."),
        (
            "deployments/shop/web",
            {"deployments": nothing("deployments")},
            Forbidden,
            "You may not list Deployments in shop.",
        ),
        ("deployments/shop/web", {"nodes": nothing("nodes")}, Forbidden, "You may not list nodes,"),
    ],
)
async def test_why_nothing_is_told_of_a_workload_is_said(fit: str, less: Any, refused: Any, why: str) -> None:
    found = await ahead(f"fit={fit}", **less)
    assert ahead_answer(found)["fit"] is None
    assert type(found.refused) is refused and found.refused.message.startswith(why)
    assert why in render.region("ahead_fit", found._fit()).html
    assert found.choices()["chosen_fit"] == fit
    screen = SimpleNamespace(ahead=found)
    with pytest.raises(refused):
        CapacityScreen.told(screen)  # type: ignore[arg-type] # of a screen, it takes no more


@pytest.mark.parametrize(
    "text",
    ["web", "shop/web", "pods/shop/web", "jobs/shop/load", "deployments/shop/", "deployments/shop/web/x"],
)
async def test_what_is_no_workload_is_refused(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        await ahead(f"fit={text}")
    assert refused.value.field == "fit"


@pytest.mark.parametrize("text", ["web", "shop/web", "deployments/shop/web"])
async def test_a_workload_is_found_by_what_was_typed(text: str) -> None:
    assert (await ahead(f"find={text}")).matches == (("deployments", "shop", "web"),)
    assert (await ahead(f"find=x{text}x")).matches == ()


def test_large_counts_of_a_quota_are_written_out() -> None:
    words = _amount("count/configmaps")
    assert [words(amount) for amount in (0.0, 3.0, 2.5, 999.96, 2_000_000.0)] == [
        "0",
        "3",
        "2.5",
        "1,000",
        "2,000,000",
    ]
