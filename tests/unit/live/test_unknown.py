"""What could not be read is not known: no page says that there is none of it, or that all is well."""

from __future__ import annotations

import inspect
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from django.http import QueryDict, StreamingHttpResponse

from dashboard.actions.undo import change_follow
from dashboard.cache.reflector import ReflectorStatus
from dashboard.errors import ClusterError, Forbidden
from dashboard.insight.usage import Tally
from dashboard.kinds import KINDS
from dashboard.kube.failures import Unreachable
from dashboard.live.rings import Clock, Rings
from dashboard.live.screens import SCREENS
from dashboard.live.screens.access import AccessScreen
from dashboard.live.screens.action import ActionScreen
from dashboard.live.screens.capacity import CapacityScreen
from dashboard.live.screens.certificates import CertificatesScreen
from dashboard.live.screens.chrome import ChromeScreen
from dashboard.live.screens.detail import DetailScreen
from dashboard.live.screens.detail.cards.usage import UsageCard
from dashboard.live.screens.detail.overview import OverviewTab
from dashboard.live.screens.listing import ListScreen
from dashboard.live.screens.map import MapScreen
from dashboard.live.screens.overview import OverviewScreen
from dashboard.live.screens.recovery import RecoveryScreen
from dashboard.live.screens.resilience import ResilienceScreen
from dashboard.live.screens.search import SearchScreen
from dashboard.live.screens.timeline import TimelineScreen
from dashboard.live.usage import Reading
from dashboard.models import Change
from dashboard.queries.access import Visible
from dashboard.queries.lists import Listing
from dashboard.queries.secretages import Age, Ages
from dashboard.queries.usage import UsageRights
from dashboard.recovery.shelf import Shelf
from dashboard.views.exports import export

from ..kinds.test_rows import fixture
from .seen import everything, nothing, runtime, sees, session

AWAY = Unreachable("Connection refused at 127.0.0.1:6443.")
CALM = (
    "Nothing", "No issues", "Healthy", "is healthy", "0 of", "of 0", ">0<", "No Pods", "No Services", "No events",
    "No nodes", "No workload", "0 pods", "0 applications", "No Deployment", "No Secret", "No binding lets",
    "No binding that you may", "No backup of", "no claims", "all of them", "No quota", "0 workloads",
    "suits what they used",
)  # fmt: skip
# Of an object that is known, on whose page the others are not.
NONE_OF_OTHERS = (
    "Nothing.", "Nothing uses", "No Pods", "No pods", "No Services", "No events", "No ResourceQuota",
    "No LimitRange:", "No NetworkPolicy:", "No binding that you may", "0 ready addresses", "None, of what",
    "There is no", "does not exist", "no pods behind", "No pod of it", "No pod runs", "No running pod",
    "on a volume that you may not see", "and so on, no volume yet", "which is not there",
)  # fmt: skip


def cluster(error: ClusterError | None = AWAY, live: frozenset[str] = frozenset()) -> Any:
    """A cluster of which only these kinds were ever listed; the others failed, or (None) are still being read."""
    found = runtime()
    cache = found.cache
    other = ReflectorStatus("reconnecting", error.message, error) if error else ReflectorStatus("starting")
    cache.status = lambda plural: ReflectorStatus("live") if plural in live else other
    cache.knows = lambda plural, namespace: plural in live
    found.version = ""
    found.history = SimpleNamespace(total=lambda namespaces: [], of=lambda *_: [])
    found.restarts = SimpleNamespace(of=lambda *_: [], since=None)
    found.versions = SimpleNamespace(left_out=lambda *_: "", records=True)
    ticks = Clock()
    reader = found.reader
    found.usage = SimpleNamespace(
        of_nodes=Rings(ticks, 8, 10), of_namespaces=Rings(ticks, 6, 10), sees_nodes=False, tally=Tally(reader, None),  # type: ignore[arg-type]
        of_containers=Rings(ticks, 2, 10), of_workloads=Rings(ticks, 6, 10), ticks=ticks,
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


async def resilience(found: Any, seen: dict[str, Visible] | None = None) -> Any:
    screen = ResilienceScreen(session(found), QueryDict(""))
    sees(screen, seen or everything())
    await screen._tell()
    return screen


def certificates(found: Any, seen: dict[str, Visible] | None = None) -> Any:
    screen = CertificatesScreen(session(found), QueryDict(""))
    sees(screen, seen or everything())
    return screen


def recovery(found: Any, seen: dict[str, Visible] | None = None) -> Any:
    found.cluster.name = "tests"
    screen = RecoveryScreen(session(found), QueryDict(""))
    sees(screen, seen or everything())
    screen.shelf = Shelf(configured=True, failure=AWAY)
    return screen


async def access(found: Any, seen: dict[str, Visible] | None = None) -> Any:
    found.cluster.name = "tests"
    screen = AccessScreen(session(found), QueryDict("verb=get&resource=secrets"))
    sees(screen, seen or everything())

    async def away(_: object) -> None:
        raise AWAY

    screen.session._account.subject_reviews = SimpleNamespace(decide=away)  # type: ignore[assignment]
    await screen._look_up()
    return screen


def timeline(found: Any) -> Any:
    screen = TimelineScreen(session(found), QueryDict(""))
    sees(screen, everything())
    return screen


def action(found: Any) -> Any:
    screen = ActionScreen(session(found), QueryDict(""), "deployments", "shop", "web", "scale")
    sees(screen, everything())
    return screen


# By the registry's name of the page, and more where it is shown twice.
PAGES = {
    "overview": lambda found: overview(found, trouble=AWAY),
    "capacity": capacity,
    "map": map_,
    "list pods": lambda found: list_(found, "pods"),
    "list services": lambda found: list_(found, "services"),
    "search": search,
    "certificates": certificates,
    "resilience": resilience,
    "recovery": recovery,
    "access": access,
    "timeline": timeline,
    "action": action,
}
# Which say why by themselves, where something is not known.
WORDLESS = {"action", "access", "timeline"}
ELSEWHERE = {
    "detail": "test_no_page_of_an_object_says_none_of_what_was_never_read",
    "values": "a tab of the page of an object, which is read by itself",
    "plugin": "what a plugin says",
    "change": "test_what_became_of_a_change_is_not_known_where_its_object_is_not",
    "operation": "what is recorded of its objects",
    "restore": "a form without anything of the cluster",
    "drill": "a form without anything of the cluster",
    "backup": "a form without anything of the cluster",
    "bulk": "a form without anything of the cluster",
    "create": "a form without anything of the cluster",
    "create_form": "a form, whose checks say what they could not read",
}


def test_every_page_is_shown_for_a_cluster_that_never_answered() -> None:
    assert {name.partition(" ")[0] for name in PAGES} | ELSEWHERE.keys() == SCREENS.keys()


async def made_by(name: str, found: Any) -> Any:
    screen: Any = PAGES[name](found)
    return await screen if inspect.isawaitable(screen) else screen


@pytest.mark.parametrize("name", PAGES)
async def test_no_page_of_a_cluster_that_never_answered_says_that_there_is_none(name: str) -> None:
    shown = html(await made_by(name, cluster()))
    assert not [words for words in CALM if words in shown], shown
    assert "Connection refused" in shown or name in WORDLESS - {"timeline"}


@pytest.mark.parametrize("name", sorted(PAGES.keys() - {"timeline"}))  # that comes out of the database
async def test_what_is_still_being_read_is_not_said_to_be_none(name: str) -> None:
    made = await made_by(name, cluster(None))
    made.trouble = None
    shown = html(made)
    assert not [words for words in CALM if words in shown], shown
    assert name in WORDLESS or any(
        words in shown for words in ("Reading", "still being read", "are being listed")
    )


@pytest.mark.parametrize("plural", KINDS)
@pytest.mark.parametrize("tab", ["overview", "events"])
@pytest.mark.parametrize("error", [AWAY, None])
async def test_no_page_of_an_object_says_none_of_what_was_never_read(
    plural: str, tab: str, error: ClusterError | None
) -> None:
    found = cluster(error, frozenset({plural}))
    if plural == "events":
        return  # its own are known then
    kind = KINDS[plural]
    bare = {"metadata": {"name": "web"}, "spec": {}, "status": {}}
    for manifest in (bare, *(case["object"] for case in fixture(plural)["cases"].values())):
        meta = (manifest["rows"][0]["object"] if "rows" in manifest else manifest)["metadata"]
        found.cache.put(plural, manifest | {"metadata": meta | {"namespace": "shop"}})
        place = "shop" if kind.gvr.namespaced else "-"
        screen = DetailScreen(session(found), QueryDict(""), plural, place, meta["name"], tab)
        sees(screen, everything())
        screen.last = screen._present()
        assert screen.last is not None
        shown = html(screen)
        assert not [words for words in NONE_OF_OTHERS if words in shown], shown


@pytest.mark.parametrize("unread", ["services", "endpointslices", "pods"])
def test_a_route_is_not_broken_by_what_was_never_read(unread: str) -> None:
    known = cluster(live=frozenset(KINDS))
    route = {
        "metadata": {"name": "web"},
        "spec": {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}},
    }
    service = {"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}
    for found in (known, cluster(live=frozenset(KINDS) - {unread})):
        found.cache.put("ingresses", route)
        if unread != "services":
            found.cache.put("services", service)
        screen = DetailScreen(session(found), QueryDict(""), "ingresses", "shop", "web", "overview")
        sees(screen, everything())
        screen.last = screen._present()
        shown = html(screen)
        broken = "There is no Service web" in shown or "no pods behind it" in shown
        assert broken is (found is known), shown


@pytest.mark.parametrize(("plural", "words"), [
    ("replicasets", "No pod of it runs now."), ("namespaces", "No pod runs in it now."),
])  # fmt: skip
def test_that_no_pod_runs_is_said_only_where_the_pods_are_known(plural: str, words: str) -> None:
    for known in (True, False):
        found = cluster(live=frozenset(KINDS) if known else frozenset(KINDS) - {"pods"})
        found.cache.put(plural, {"metadata": {"name": "web"}, "spec": {}, "status": {}})
        place = "shop" if KINDS[plural].gvr.namespaced else "-"
        screen = DetailScreen(session(found), QueryDict(""), plural, place, "web", "overview")
        sees(screen, everything())
        for card in cast(OverviewTab, screen.tab).cards:
            if isinstance(card, UsageCard):
                card.rights = UsageRights(pods=Visible())
        screen.last = screen._present()
        shown = html(screen)
        assert (words in shown) is known, shown


async def test_events_that_may_not_be_listed_are_not_none() -> None:
    found = cluster(live=frozenset(KINDS))
    found.cache.put("pods", {"metadata": {"name": "web"}, "spec": {}, "status": {}})
    for tab in ("overview", "events"):
        screen = DetailScreen(session(found), QueryDict(""), "pods", "shop", "web", tab)
        sees(screen, everything(events=nothing("events")))
        screen.last = screen._present()
        shown = html(screen)
        assert "You may not list Events." in shown and "No events" not in shown


async def test_what_may_not_be_listed_is_not_none_on_the_pages_of_many_kinds() -> None:
    found = cluster(live=frozenset(KINDS))
    seen = everything(deployments=nothing("deployments"), statefulsets=nothing("statefulsets"))
    shown = html(await resilience(found, seen))
    assert "You may not list Deployments and StatefulSets." in shown and "No Deployment" not in shown
    screen = await resilience(found, seen)
    assert screen.told()["report"] is None
    assert (await resilience(found)).told()["report"] == []
    shown = html(recovery(found, everything(persistentvolumeclaims=nothing("persistentvolumeclaims"))))
    assert "no claims" not in shown and "You may not list PersistentVolumeClaims." in shown
    shown = html(certificates(found, everything(ingresses=nothing("ingresses"))))
    assert "You may not list Ingresses." in shown
    screen = capacity(found)
    sees(screen, everything(pods=nothing("pods")))
    assert "No pods." not in html(screen)


async def test_what_capacity_cannot_tell_a_script_is_null() -> None:
    screen = capacity(cluster())
    await screen.ahead.tell()
    told = screen.told()
    assert [
        told[key] for key in ("zones", "quotas", "volumes", "fragmentation", "spare_nodes", "requests")
    ] == [None] * 6
    screen = capacity(cluster(live=frozenset(KINDS)))
    await screen.ahead.tell()
    assert screen.told()["quotas"] == [] and screen.told()["requests"] == []


def test_secrets_whose_types_are_not_known_are_not_none() -> None:
    screen = certificates(cluster(live=frozenset({"ingresses"})))
    screen._as_of = datetime.now(UTC)
    age = Age(namespace="shop", name="a", labels=frozenset(), created=screen._as_of, written=screen._as_of)
    screen._ages = Ages(secrets=(age,), certificates={}, cut=False)
    shown = screen.snapshot().regions
    assert "No Secret of type" in shown["certificates"].html, "these were read"
    assert "No Secret" not in shown["secret-ages"].html and ">0" not in shown["secret-ages"].html


def test_a_storage_that_can_t_be_read_is_not_empty() -> None:
    shown = html(recovery(cluster(live=frozenset(KINDS))))
    assert "No backup of this cluster" not in shown and "is not known: it can't be read" in shown


@pytest.mark.parametrize("name", ["restart", "delete"])
def test_what_became_of_a_change_is_not_known_where_its_object_is_not(name: str) -> None:
    plural = "deployments" if name == "restart" else "pods"
    change = Change(action=name, plural=plural, kind=KINDS[plural].kind, namespace="shop", name="web", uid="u",
                    result={}, created_at=datetime.now(UTC))  # fmt: skip
    away = session(cluster())
    sees(SimpleNamespace(session=away), everything())
    told = change_follow(change=change, objects=away.reader, now=datetime.now(UTC))
    assert not told.done and "is not known" in told.text and "gone" not in told.headline
    known = session(cluster(live=frozenset(KINDS)))
    sees(SimpleNamespace(session=known), everything())
    assert change_follow(change=change, objects=known.reader, now=datetime.now(UTC)).done


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

    async def always(*_: object) -> bool:
        return True

    empty = Listing((), 0, 1, 1, 0)
    columns = KINDS["pods"].columns
    unknown = export(KINDS["pods"], empty, columns, columns, "json", "reconnecting", known=False, may=always)
    assert await told(unknown) == {"freshness": "reconnecting", "total": None, "rows": []}
    known = export(KINDS["pods"], empty, columns, columns, "json", "live", may=always)
    assert (await told(known))["total"] == 0


def test_a_first_list_that_is_read_in_part_is_no_list() -> None:
    found = cluster(None)
    found.cache.put("pods", {"metadata": {"name": "web"}})
    found.cache.listed = lambda plural: False
    screen = list_(found, "pods")
    state = screen._state(screen.listing())
    assert (state["state"], state["text"]) == ("partly", "1 so far, the others follow."), "beside its row"
    assert not screen.known
    assert found.reader.reads("pods", "shop") is False, "no rule may say that another pod is missing"


def test_a_refused_kind_of_a_rule_is_never_empty() -> None:
    found = cluster(live=frozenset(KINDS) - {"services"})
    found.cache.denied = lambda plural: Forbidden("no") if plural == "services" else None
    assert not found.reader.reads("services", "shop")
