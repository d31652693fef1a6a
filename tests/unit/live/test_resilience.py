"""The page "What if…": what may be asked, what is shown of it, and the answer for scripts."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs

import pytest
from django.http import QueryDict
from django.urls import resolve

from dashboard import render
from dashboard.actions.newobjects.registry import NEW_OBJECTS
from dashboard.actions.registry import actions_of
from dashboard.errors import BadInput
from dashboard.kinds import KINDS
from dashboard.live.screens.resilience import MAX_LOSSES, ResilienceScreen
from dashboard.queries.access import Visible
from dashboard.queries.usage import UsageRights

from ..insight.world import deployment, node, pod, service
from .seen import everything, nothing, runtime, sees, session
from .test_capacity import EVERYWHERE
from .test_capacity import cluster as measured


def cluster() -> Any:
    found = runtime()
    for name, zone in (("node-1", "a"), ("node-2", "b")):
        made = node(name)
        made["metadata"]["labels"] = {"topology.kubernetes.io/zone": zone}
        found.cache.put("nodes", made)
    found.cache.put("pods", pod("web-0", labels={"app": "web"}))
    found.cache.put("pods", pod("canary-shell", owner=None))
    found.cache.put("services", service(selector={"app": "web"}))
    return found


async def screen(query: str, seen: Any = None) -> ResilienceScreen:
    made = ResilienceScreen(session(cluster()), QueryDict(query))
    sees(made, everything() if seen is None else seen)
    await made._tell()
    return made


async def test_the_answer_for_scripts_is_that_of_the_contract() -> None:
    told = (await screen("lose=node/node-1")).told()
    assert json.loads(json.dumps(told)) == told
    assert [(each["name"], each["fate"]) for each in told["pods"]] == [
        ("canary-shell", "lost"),
        ("web-0", "moves"),
    ]
    assert all(each["why"] for each in told["pods"])
    assert [(each["name"], each["before"], each["after"]) for each in told["services"]] == [("web", 2, 0)]
    assert {"workloads", "budgets", "data"} <= told.keys()


async def test_nothing_is_worked_out_before_something_is_asked() -> None:
    assert (await screen(""))._losing() == {"asked": False}


MANY = "&".join(f"lose=node/n{n}" for n in range(MAX_LOSSES + 1))


@pytest.mark.parametrize("query", ["lose=rack/1", "lose=node", MANY])
def test_what_is_no_loss_or_too_many_of_them_is_refused(query: str) -> None:
    with pytest.raises(BadInput) as refused:
        ResilienceScreen(session(cluster()), QueryDict(query))
    assert refused.value.field == "lose"


async def test_a_loss_that_was_chosen_twice_counts_once_and_can_be_taken_away() -> None:
    made = await screen("lose=node/node-1&lose=node/node-1&lose=zone/b")
    chips = made.context()["chips"]
    assert [each["title"] for each in chips] == ["Node node-1", "Zone b"]
    assert chips[0]["without"].endswith("/resilience/?lose=zone/b")


async def test_zones_come_first_among_what_can_be_chosen() -> None:
    offered = [each.value for each in (await screen("")).context()["offered"]]
    assert offered[:4] == ["zone/a", "zone/b", "node/node-1", "node/node-2"]


async def test_where_the_loss_lands_is_drawn_by_zone() -> None:
    zones = (await screen("lose=node/node-1"))._losing()["zones"]
    assert [(zone["name"], [(each["name"], each["lost"]) for each in zone["nodes"]]) for zone in zones] == [
        ("a", [("node-1", True)]), ("b", [("node-2", False)]),
    ]  # fmt: skip
    assert zones[0]["nodes"][0]["squares"] == ["lx", "lx"]
    assert zones[1]["nodes"][0]["squares"] == ["new"]


async def test_whoever_sees_nothing_is_told_so_and_nothing_else() -> None:
    made = await screen("lose=node/node-1", {plural: nothing(plural) for plural in KINDS})
    losing = made._losing()
    assert "Nodes" in losing["unread"] and "Pods" in losing["unread"]
    assert losing["unknown"] == ["Node node-1 is not there, or you may not see it."]
    assert (losing["known"], losing["state"], made.told()["state"]) == (False, "info", "unknown")
    shown = render.region("losing", losing).html
    assert "every Service" not in shown and "No pod is terminated" not in shown and "No Service" not in shown
    assert "canary" not in json.dumps([losing, made.told(), made.context()])


async def test_each_remedy_leads_to_a_form_that_there_is() -> None:
    found = cluster()
    found.cache.put("deployments", deployment(replicas=1), deployment("api", replicas=3))
    made = ResilienceScreen(session(found), QueryDict())
    sees(made, everything())
    await made._tell()
    report = made._report()
    assert report["total"] == 2
    urls = {each["url"] for row in report["rows"] for each in row["remedies"]}
    assert any(url.endswith("/scale/?replicas=2") for url in urls), "filled in"
    assert any(url.endswith("/edit/?remedy=spread-nodes") for url in urls), "filled in as YAML"
    matches = [resolve(url.split("?")[0]) for url in urls]
    assert {"scale", "edit", "resources"} <= {match.kwargs.get("action") for match in matches}
    for match in matches:
        if match.url_name == "action":
            kind = KINDS[match.kwargs["plural"]]
            assert match.kwargs["action"] in {each.name for each in actions_of(kind)}
        else:
            assert match.kwargs["plural"] in {each.plural for each in NEW_OBJECTS}
    assert [each["name"] for each in made.told()["report"]] == [row["name"] for row in report["rows"]]


@pytest.mark.parametrize("rights", [EVERYWHERE, UsageRights()], ids=["seen", "not seen"])
async def test_requests_are_filled_in_by_what_was_used_for_whoever_may_see_that(rights: UsageRights) -> None:
    made = ResilienceScreen(session(measured()), QueryDict())
    sees(made, everything())
    made._rights = rights
    await made._tell()
    (url,) = {each["url"] for row in made._report()["rows"] for each in row["remedies"]
              if "/resources/" in each["url"]}  # fmt: skip
    filled = {"requests_cpu.app": ["115m"], "requests_memory.app": ["64Mi"]}
    assert parse_qs(url.partition("?")[2]) == (filled if rights is EVERYWHERE else {})


@pytest.mark.parametrize(
    ("find", "meant"),
    [
        ("node-1", ["node/node-1"]),
        ("a", ["zone/a"]),
        ("web-0", ["pod/shop/web-0"]),
        ("shop/web-0", ["pod/shop/web-0"]),
        ("other/web-0", []),
        ("web", ["update/deployments/other/web", "update/deployments/shop/web"]),
        ("shop/web", ["update/deployments/shop/web"]),
        ("node/node-1", ["node/node-1"]),
        ("nothing", []),
        ("", []),
    ],
)
async def test_a_name_alone_is_enough_and_of_several_one_chooses(find: str, meant: list[str]) -> None:
    found = cluster()
    found.cache.put("deployments", deployment())
    other = deployment()
    other["metadata"]["namespace"] = "other"
    found.cache.put("deployments", other)
    made = ResilienceScreen(session(found), QueryDict(mutable=True))
    made.find = find
    sees(made, everything())
    assert sorted(map(str, made.meant)) == meant
    told = made.context()
    assert (told["find"], len(told["matches"])) == (find, len(meant))


async def test_whoever_sees_nothing_finds_nothing_by_name() -> None:
    made = await screen("find=canary-shell", {plural: nothing(plural) for plural in KINDS})
    assert made.meant == ()


async def test_the_trend_is_that_of_the_namespaces_that_may_be_seen() -> None:
    made = await screen("")
    assert made._report()["trend"] is None, "one figure is no trend"
    made.runtime.hourly.kept["scores"] = [
        (day * 86400.0, {"shop": [70 + day, 1], "secret": [10, 1]}) for day in range(1, 20)
    ]
    trend = made._report()["trend"]
    assert (trend["first"], trend["last"], len(trend["days"])) == (40, 50, 14)
    shown = render.region("preparedness", made._report()).html
    assert f"Average score: from 40 to 50 in {trend['span']}" in " ".join(shown.split())
    assert trend["points"].startswith("0.0,14.3 ") and trend["points"].endswith("160.0,12.1")
    sees(made, everything(pods=Visible(frozenset({"shop"}))))
    trend = made._report()["trend"]
    assert (trend["first"], trend["last"]) == (71, 89)
    assert [each["score"] for each in trend["days"][:2]] == [89, 88]
    sees(made, everything(deployments=nothing("deployments")))
    assert made._report()["trend"] is None
