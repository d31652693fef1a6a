"""What could not be read is not known: no page says that there is none of it, or that all is well."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from django.http import QueryDict, StreamingHttpResponse

from dashboard.cache.reflector import ReflectorStatus
from dashboard.errors import ClusterError, Forbidden
from dashboard.insight.usage import Tally
from dashboard.kinds import KINDS
from dashboard.kube.failures import Unreachable
from dashboard.live.rings import Clock, Rings
from dashboard.live.screens.capacity import CapacityScreen
from dashboard.live.screens.chrome import ChromeScreen
from dashboard.live.screens.listing import ListScreen
from dashboard.live.screens.map import MapScreen
from dashboard.live.screens.overview import OverviewScreen
from dashboard.live.screens.search import SearchScreen
from dashboard.live.usage import Reading
from dashboard.queries.access import Visible
from dashboard.queries.lists import Listing
from dashboard.queries.usage import UsageRights
from dashboard.views.exports import export

from .seen import everything, nothing, runtime, sees, session

AWAY = Unreachable("Connection refused at 127.0.0.1:6443.")
CALM = (
    "Nothing", "No issues", "Healthy", "is healthy", "0 of", "of 0", ">0<", "No Pods", "No Services", "No events",
    "No nodes", "No workload", "0 pods", "0 applications",
)  # fmt: skip


def cluster(error: ClusterError | None = AWAY, live: frozenset[str] = frozenset()) -> Any:
    """A cluster of which only these kinds were ever listed; the others failed, or (None) are still being read."""
    found = runtime()
    cache = found.cache
    other = ReflectorStatus("reconnecting", error.message, error) if error else ReflectorStatus("starting")
    cache.status = lambda plural: ReflectorStatus("live") if plural in live else other
    cache.knows = lambda plural, namespace: plural in live
    found.version = ""
    found.history = SimpleNamespace(total=lambda namespaces: [])
    ticks = Clock()
    reader = found.reader
    found.usage = SimpleNamespace(
        of_nodes=Rings(ticks, 8, 10), of_namespaces=Rings(ticks, 6, 10), sees_nodes=False, tally=Tally(reader, None),  # type: ignore[arg-type]
        of_containers=Rings(ticks, 2, 10), ticks=ticks,
        pods=Reading("unreachable", "metrics-server", error), nodes=Reading("unreachable", "metrics-server", error),
    )  # fmt: skip
    found.longer = None
    found.timeline = SimpleNamespace(changed_at=lambda uid: None)
    found.discovery = SimpleNamespace(told=True)
    found.unwatched = SimpleNamespace(of=lambda plural: None)
    found.kinds = _Kinds(KINDS)
    found.counts = None
    return found


class _Kinds(dict[str, Any]):
    served = ()


def html(screen: Any) -> str:
    """All that a showing has for a reader."""
    snapshot = screen.snapshot()
    rows = [part.html for rows in snapshot.lists.values() for part in rows.values()]
    return "\n".join([*(part.html for name, part in snapshot.regions.items() if name != "fresh"), *rows])


def overview(found: Any, seen: dict[str, Visible] | None = None, trouble: ClusterError | None = None) -> Any:
    screen = OverviewScreen(session(found), QueryDict(""))
    sees(screen, seen or everything())
    screen.trouble = trouble
    return screen


def capacity(found: Any) -> Any:
    screen = CapacityScreen(session(found), QueryDict(""))
    sees(screen, everything())
    screen.rights = UsageRights()
    return screen


def map_(found: Any) -> Any:
    screen = MapScreen(session(found), QueryDict(""))
    sees(screen, everything())
    return screen


def list_(found: Any, plural: str, seen: dict[str, Visible] | None = None) -> Any:
    screen = ListScreen(session(found), QueryDict(""), plural)
    sees(screen, seen or everything())
    return screen


def search(found: Any) -> Any:
    screen = SearchScreen(session(found), QueryDict("q=web"))
    sees(screen, everything())
    return screen


def chrome(found: Any) -> Any:
    screen = ChromeScreen(session(found), QueryDict(""))
    sees(screen, everything())
    return screen


PAGES = {
    "overview": lambda found: overview(found, trouble=AWAY),
    "capacity": capacity,
    "map": map_,
    "pods": lambda found: list_(found, "pods"),
    "services": lambda found: list_(found, "services"),
    "search": search,
}


@pytest.mark.parametrize("name", PAGES)
def test_no_page_of_a_cluster_that_never_answered_says_that_there_is_none(name: str) -> None:
    shown = html(PAGES[name](cluster()))
    assert not [words for words in CALM if words in shown], shown
    assert "Connection refused" in shown


@pytest.mark.parametrize("name", PAGES)
def test_what_is_still_being_read_is_not_said_to_be_none(name: str) -> None:
    made = PAGES[name](cluster(None))
    made.trouble = None
    shown = html(made)
    assert not [words for words in CALM if words in shown], shown
    assert any(words in shown for words in ("Reading", "still being read", "are being listed"))


@pytest.mark.parametrize("error", [AWAY, None])
def test_the_side_has_no_counts_of_what_was_never_listed(error: ClusterError | None) -> None:
    screen = chrome(cluster(error, live=frozenset({"nodes"})))
    items = {plural: screen._item(plural)["count"] for plural in ("nodes", "pods", "services")}
    assert items == {"nodes": 0, "pods": None, "services": None}


def test_what_was_listed_once_is_known_without_objects_after_the_connection_is_lost() -> None:
    found = cluster()
    found.cache.listed = lambda plural: True
    tiles = {tile["id"]: tile for tile in overview(found)._tiles([])}
    tile = tiles["tile-pods"]
    assert (tile["value"], tile["note"], tile["state"]) == ("0", "none here, when last read", "unknown")


def test_numbers_from_before_the_connection_was_lost_say_so_each_for_itself() -> None:
    live = frozenset(KINDS) - {"pods"}
    found = cluster(AWAY, live)
    found.cache.put("pods", {"metadata": {"name": "web"}, "status": {"phase": "Running"}})
    found.cache.put("nodes", {"metadata": {"name": "n", "namespace": ""}})
    found.cache.listed = lambda plural: True
    tiles = {tile["id"]: tile for tile in overview(found)._tiles([])}
    assert tiles["tile-pods"]["note"].endswith(", when last read")
    assert tiles["tile-pods"]["state"] not in ("ok", "info")
    assert "last read" not in tiles["tile-nodes"]["note"]
    assert tiles["tile-nodes"]["state"] != "unknown"


def test_one_kind_that_cannot_be_read_is_named_and_nothing_is_called_healthy() -> None:
    live = frozenset(KINDS) - {"jobs", "events"}
    screen = overview(cluster(AWAY, live))
    shown = screen.snapshot().regions
    assert "No issues in what could be read." in shown["verdict"].html
    assert "Jobs and Events could not be read: Connection refused" in shown["verdict"].html
    assert "could not be read" in shown["problems-none"].html
    assert "Nothing is changing" in shown["changes-none"].html, "pods and workloads are known"
    assert "Events could not be read" in shown["events-none"].html


def test_a_kind_that_is_refused_is_named_where_nothing_is_wrong() -> None:
    screen = overview(cluster(live=frozenset(KINDS)), everything(jobs=nothing("jobs")))
    shown = screen.snapshot().regions
    assert "No issues in what you may see." in shown["verdict"].html
    assert "you may not list Jobs" in shown["problems-none"].html


def test_where_everything_is_known_it_is_said() -> None:
    shown = overview(cluster(live=frozenset(KINDS))).snapshot().regions
    assert "The cluster is healthy." in shown["verdict"].html
    assert "No issues need attention." in shown["problems-none"].html


@pytest.mark.parametrize("missing", ["pods", "endpointslices"])
def test_services_whose_pods_are_not_known_are_not_called_healthy(missing: str) -> None:
    found = cluster(AWAY, frozenset(KINDS) - {missing})
    found.cache.put("services", {"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}}})
    screen = list_(found, "services")
    state = screen._state(screen.listing())
    assert (state["state"], state["title"]) == ("partly", "Whether these Services work is not known.")
    assert KINDS[missing].title in state["text"]
    assert screen._head(screen.listing())["quick"] == []
    refused = list_(cluster(live=frozenset(KINDS)), "services", everything(pods=nothing("pods")))
    refused.runtime.cache.put("services", {"metadata": {"name": "web"}})
    assert refused._state(refused.listing())["text"] == "You may not list Pods wherever they are."


def test_a_map_without_one_kind_says_what_is_missing() -> None:
    found = cluster(AWAY, frozenset(KINDS) - {"ingresses"})
    state = map_(found)._state([])
    assert state["state"] == "partly"
    assert "Ingresses could not be read" in state["text"]


async def test_a_search_says_what_could_not_be_searched_and_has_no_total() -> None:
    screen = search(cluster())
    await screen.catch_up()
    found = screen.found
    assert screen._state(found) == "unreachable"
    assert screen.total(found) is None
    assert next(each["why"] for each in screen.missed()).startswith("Could not be searched")
    known = search(cluster(live=frozenset(KINDS)))
    await known.catch_up()
    assert known.total(known.found) == 0


async def test_json_of_a_list_that_was_never_read_has_no_total() -> None:
    async def told(answer: StreamingHttpResponse) -> Any:
        pieces = cast(AsyncIterator[bytes], answer.streaming_content)
        return json.loads(b"".join([piece async for piece in pieces]))

    empty = Listing((), 0, 1, 1, 0)
    columns = KINDS["pods"].columns
    unknown = export(KINDS["pods"], empty, columns, columns, "json", "reconnecting", known=False)
    assert await told(unknown) == {"freshness": "reconnecting", "total": None, "rows": []}
    known = export(KINDS["pods"], empty, columns, columns, "json", "live")
    assert (await told(known))["total"] == 0


def test_a_first_list_that_is_read_in_part_is_no_list() -> None:
    found = cluster(None)
    found.cache.put("pods", {"metadata": {"name": "web"}})
    found.cache.listed = lambda plural: False
    screen = list_(found, "pods")
    assert screen._state(screen.listing())["text"] == "1 so far, the others follow."
    assert not screen.known
    assert found.reader.reads("pods", "shop") is False, "no rule may say that another pod is missing"


def test_a_refused_kind_of_a_rule_is_never_empty() -> None:
    found = cluster(live=frozenset(KINDS) - {"services"})
    found.cache.denied = lambda plural: Forbidden("no") if plural == "services" else None
    assert not found.reader.reads("services", "shop")
