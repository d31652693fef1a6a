"""The search's address: what it answers to whom, as JSON and as a page; what can be done with what is found."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import pytest
from django.contrib.auth.models import User
from django.http import QueryDict
from django.test import Client

from dashboard.cache.cluster import Lease
from dashboard.cache.store import Store
from dashboard.errors import BadInput, Forbidden, Unavailable
from dashboard.kinds import KINDS
from dashboard.kinds.base import GVR
from dashboard.kinds.catalogue import Kinds
from dashboard.kinds.tablekinds import Resource
from dashboard.kube.access import Decision, Question
from dashboard.live.screens.search import SearchScreen
from dashboard.live.session import Account, Identity, Session
from dashboard.queries import search as search_query
from dashboard.queries.reader import Reader
from dashboard.queries.seenreader import SeenReader
from dashboard.queries.unwatched import Listing
from dashboard.views.search import _limit
from tests.unit.markup import flat

from ..insight.world import World, pod

pytestmark = pytest.mark.django_db(transaction=True)

MARA = Identity("mara")
HOSTILE = '"><script>alert(1)</script>'


class Cache:
    """Everything was listed in the whole cluster."""

    def __init__(self, world: World) -> None:
        self.kinds = KINDS
        self._stores: dict[str, Store[Any]] = {plural: Store(kind) for plural, kind in KINDS.items()}
        for plural, store in self._stores.items():
            store.replace(tuple(world.all(plural)), "1")

    def store(self, plural: str) -> Store[Any]:
        return self._stores[plural]

    def status(self, _: str) -> Any:
        return SimpleNamespace(state="live", reason="", error=None)

    def denied(self, _: str) -> None:
        return None

    def listed(self, plural: str) -> bool:
        return bool(self.status(plural).state == "live")

    def begun(self, _: str) -> bool:
        return True

    def scopes(self, _: str) -> None:
        return None

    def watches(self, _: str) -> bool:
        return True

    def lease(self, _: Any) -> Any:
        return SimpleNamespace(release=lambda: None)


class Connection:
    """Nothing goes through it: reviews are answered by ``may``."""


class Runtime:
    def __init__(self, *manifests: tuple[str, dict[str, Any]]) -> None:
        self.cluster = SimpleNamespace(name="dev", slug="dev", server="https://dev", is_sandbox=True)
        self.cache: Any = Cache(World(*manifests))
        self.reader = Reader(self.cache)
        self.kinds = Kinds()
        self.installation = SimpleNamespace(cache=self.cache, reader=self.reader)
        self.account = Account("tests", self, Connection())  # type: ignore[arg-type]
        self.discovery: Any = SimpleNamespace(told=True, known=AsyncMock())

    def session(self, identity: Identity) -> Session:
        return Session(identity, self, self.account, SeenReader(self.reader))  # type: ignore[arg-type]

    def lease(self, _: Any) -> Any:
        return Lease(frozenset(), lambda *_: None, beside=False)

    async def ready(self, _: Any) -> None: ...

    async def knows(self, _: str) -> None: ...


WORLD = (
    ("pods", pod("web-1", podIPs=[{"ip": "10.0.3.7"}])),
    ("pods", pod("odd", container={"image": HOSTILE})),
    (
        "deployments",
        {
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"selector": {}, "template": {"spec": {"containers": [{"name": "a", "image": "x:1"}]}}},
        },
    ),
    ("namespaces", {"metadata": {"name": "shop"}}),
)


@pytest.fixture
def signed_in(client: Client, monkeypatch: pytest.MonkeyPatch) -> Client:
    client.force_login(User.objects.create(username="mara"))
    cluster = Runtime(*WORLD)
    monkeypatch.setattr("dashboard.views.viewer.runtime.open", lambda _: cluster)
    return client


def may(monkeypatch: pytest.MonkeyPatch, *rights: tuple[str, str]) -> None:
    """The account may do these (verb, plural), and nothing else; no rights named: everything."""

    async def decide(_: Any, question: Question) -> Decision:
        return Decision(not rights or (question.verb, question.gvr.plural) in rights, "")

    monkeypatch.setattr("dashboard.kube.access.Reviews.decide", decide)
    monkeypatch.setattr("dashboard.kube.access.Reviews.decide_in", decide)


def ask(client: Client, **params: str) -> dict[str, Any]:
    response = client.get("/c/dev/search/", {"format": "json", **params})
    assert response.status_code == 200, response.content
    answer: dict[str, Any] = response.json()
    return answer


def test_an_answer_names_address_state_and_reason(signed_in: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    may(monkeypatch)
    answer = ask(signed_in, q="10.0.3")
    (one,) = answer["results"]
    assert one["url"] == "/c/dev/pods/shop/web-1/"
    assert (one["state"], one["word"]) == ("ok", "Running")
    assert one["why"] == [{"label": "IP", "parts": [["10.0.3", True], [".7", False]]}]
    assert (answer["total"], answer["counts"]) == (1, {"pods": 1})


def test_what_may_not_be_listed_is_neither_found_nor_counted_and_said_to_be_left_out(
    signed_in: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    may(monkeypatch, ("list", "deployments"))
    answer = ask(signed_in, q="web")
    assert [each["plural"] for each in answer["results"]] == ["deployments"]
    assert (answer["total"], answer["counts"]) == (1, {"deployments": 1})
    assert "Pods" in answer["denied"] and "Deployments" not in answer["denied"]
    assert "web-1" not in str(answer)


def test_with_a_verb_before_it_only_what_knows_the_verb_is_found_with_that_action(
    signed_in: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    may(monkeypatch)
    (one,) = ask(signed_in, q="rest web", do="1")["results"]
    assert [(action["id"], action["url"], action["disabled_reason"]) for action in one["actions"]] == [
        ("restart", "/c/dev/deployments/shop/web/restart/", "")
    ]
    logs = ask(signed_in, q="logs web", do="1")["results"]
    assert ("pods", "/c/dev/pods/shop/web-1/logs/") in [(e["plural"], e["actions"][0]["url"]) for e in logs]


def test_a_log_is_of_the_pod_that_is_named_so(signed_in: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Deployment comes first otherwise; kubectl takes a bare name for a pod's."""
    cluster = Runtime(*WORLD, ("pods", pod("web")))
    monkeypatch.setattr("dashboard.views.viewer.runtime.open", lambda _: cluster)
    may(monkeypatch)
    for q in ("kubectl logs web -n shop", "k logs -f -nshop web --tail 20", "kubectl -n=shop logs web"):
        first, *rest = ask(signed_in, q=q)["doing"]
        assert first["actions"][0]["url"] == "/c/dev/pods/shop/web/logs/", q
        assert [each["plural"] for each in rest if each["name"] == "web"] == ["deployments"]
    assert ask(signed_in, q="kubectl logs web -n elsewhere")["doing"] == []
    assert ask(signed_in, q="kubectl delete pod web -n shpo")["doing"] == [], "no guess is acted on"


def test_a_list_that_is_asked_for_as_of_kubectl_is_offered_with_its_namespace(
    signed_in: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    may(monkeypatch)
    for q, where, url in (
        ("kubectl get pods", "", "/c/dev/pods/"),
        ("get po -A", "", "/c/dev/pods/"),
        ("pods -nshop", "shop", "/c/dev/pods/?namespace=shop"),
        ("depolyments -n shop", "shop", "/c/dev/deployments/?namespace=shop"),
    ):
        (kind,) = ask(signed_in, q=q)["kinds"]
        assert (kind["where"], kind["url"]) == (where, url), q


def test_an_action_that_is_not_permitted_says_why(signed_in: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    may(monkeypatch, ("list", "deployments"))
    (one,) = ask(signed_in, q="scale web", do="1")["results"]
    (action,) = one["actions"]
    assert action["disabled_reason"] == (
        "Your account may not patch deployments/scale in namespace shop. Ask whoever manages access to allow it."
    )


def test_the_offers_of_an_object_are_for_who_may_see_it(
    signed_in: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    may(monkeypatch)
    actions = signed_in.get("/c/dev/pods/shop/web-1/offers/?format=json").json()["actions"]
    assert {"delete", "logs", "yaml", "timeline"} <= {action["id"] for action in actions}
    assert signed_in.get("/c/dev/pods/shop/none/offers/?format=json").status_code == 404
    may(monkeypatch, ("list", "deployments"))
    assert signed_in.get("/c/dev/pods/shop/web-1/offers/?format=json").status_code == 403


@pytest.mark.parametrize(
    ("params", "field"), [({"limit": "0"}, "limit"), ({"limit": "x"}, "limit"), ({"q": "a" * 300}, "q")]
)
def test_what_cannot_be_asked_is_named(
    signed_in: Client, monkeypatch: pytest.MonkeyPatch, params: dict[str, str], field: str
) -> None:
    may(monkeypatch)
    response = signed_in.get("/c/dev/search/", {"format": "json", "q": "a", **params})
    assert response.status_code == 400
    assert response.json()["error"].startswith(field)


@pytest.mark.parametrize("path", ["/c/dev/search/?format=json&q=web", "/c/dev/pods/shop/web-1/offers/"])
def test_it_only_answers_questions(signed_in: Client, path: str) -> None:
    for method in (signed_in.post, signed_in.put, signed_in.delete):
        assert method(path).status_code == 405


async def page(q: str, monkeypatch: pytest.MonkeyPatch, *rights: tuple[str, str]) -> str:
    may(monkeypatch, *rights)
    params = QueryDict(mutable=True)
    params["q"] = q
    cluster: Any = Runtime(*WORLD)
    screen = SearchScreen(cluster.session(MARA), params)
    await screen.prepare()
    return flat(screen.snapshot().regions["found"].html)


@pytest.mark.parametrize("q", ["odd", "script", HOSTILE])
async def test_names_and_what_was_typed_are_only_text_on_the_page(
    q: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    html = await page(q, monkeypatch)
    assert "<script" not in html
    assert "odd" in html


async def test_each_state_of_the_page_has_words_and_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Enter a search term" in await page("", monkeypatch)
    assert "No results for “zzz”" in await page("zzz", monkeypatch)
    refused = await page("web", monkeypatch, ("list", "nothing"))
    assert "may not list" in refused and "Copy a request for access" in refused
    found = await page("web", monkeypatch)
    assert "<mark>web</mark>" in found and 'href="/c/dev/pods/shop/web-1/"' in found
    part = await page("web", monkeypatch, ("list", "deployments"))
    assert "Not searched, because you may not list them" in part


def offering(
    monkeypatch: pytest.MonkeyPatch, listing: Listing | None, *rights: tuple[str, str]
) -> SearchScreen:
    """A search for "engine" where gizmos are offered, which nobody watches."""
    may(monkeypatch, *rights)
    cluster: Any = Runtime(*WORLD)
    cluster.kinds.learn([Resource(GVR("x.io", "v1", "gizmos"), "Gizmo", "gizmo")])
    cluster.cache.watches = lambda plural: plural in KINDS
    cluster.account.unwatched = SimpleNamespace(of=lambda plural: listing, ask=AsyncMock())
    return SearchScreen(cluster.session(MARA), QueryDict("q=giz"))


async def told(screen: SearchScreen) -> str:
    await screen.prepare()
    return flat(screen.snapshot().regions["found"].html)


@pytest.mark.parametrize(
    ("listing", "words"),
    [
        (None, "Not searched yet, because they are still being read: Gizmos"),
        (Listing(0, trouble=Forbidden("no")), "Not searched, because you may not list them: Gizmos"),
        (Listing(0, trouble=Unavailable("away")), "gives no answer that can be read: Gizmos"),
        (Listing(0, more=True), "Searched in part, because there are too many"),
    ],
)
async def test_what_was_not_searched_of_other_kinds_is_said(
    monkeypatch: pytest.MonkeyPatch, listing: Listing | None, words: str
) -> None:
    screen = offering(monkeypatch, listing)
    html = await told(screen)
    assert words in html
    assert screen.pending() == (["Gizmos"] if listing is None else [])
    assert 'href="/c/dev/gizmos.x.io/"' in html, "the kind itself is found by its name"


async def test_before_the_api_server_has_told_of_other_kinds_nothing_is_said_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = offering(monkeypatch, Listing(0))
    screen.runtime.kinds.learn([])
    screen.runtime.discovery.told = False
    html = await told(screen)
    assert "Not searched yet, because they are still being read: custom and other kinds" in html
    assert screen.pending()


async def test_nothing_is_asked_of_other_kinds_for_one_kind_or_for_no_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = offering(monkeypatch, None)
    for q in ("q=giz&kind=pods", ""):
        other = SearchScreen(screen.session, QueryDict(q))
        html = await told(other)
        assert "being read" not in html
    screen.session.unwatched.ask.assert_not_called()  # type: ignore[attr-defined]


async def test_words_are_looked_for_in_a_thread_before_each_showing(monkeypatch: pytest.MonkeyPatch) -> None:
    may(monkeypatch)
    cluster: Any = Runtime(*WORLD)
    screen = SearchScreen(cluster.session(MARA), QueryDict("q=web"))
    looked: list[threading.Thread] = []
    best = search_query._best

    def recorded(*given: Any) -> Any:
        looked.append(threading.current_thread())
        return best(*given)

    monkeypatch.setattr(search_query, "_best", recorded)
    await screen.prepare()
    assert "web-1" in flat(screen.snapshot().regions["found"].html)
    assert screen.behind(), "what has changed since is looked for first"
    await screen.catch_up()
    screen.snapshot()
    assert len(looked) == 2 and threading.main_thread() not in looked


@pytest.mark.parametrize("limit", ["0", "51", "x", "9" * 5000])
def test_a_limit_that_cannot_be_is_named(limit: str) -> None:
    with pytest.raises(BadInput) as raised:
        _limit(QueryDict(f"limit={limit}"))
    assert raised.value.field == "limit" and len(raised.value.message) < 100


@pytest.mark.parametrize(
    ("line", "words", "url"),
    [
        ("kubectl --context prod delete pod web-1", "context prod", "/c/prod/"),
        ("kubectl delete pod web-1 --cluster=unknown", "cluster unknown", ""),
        ("KUBECONFIG=prod.yaml kubectl delete pod web-1", "kubeconfig file prod.yaml", ""),
        ("kubectl -s https://prod delete pod web-1", "server https://prod", ""),
        ("kubectl --context prod create deployment web", "context prod", "/c/prod/"),
    ],
)
@pytest.mark.parametrize("mode", [{}, {"do": "1"}])
def test_for_a_line_that_is_for_another_cluster_nothing_is_offered_here(
    signed_in: Client,
    monkeypatch: pytest.MonkeyPatch,
    line: str,
    words: str,
    url: str,
    mode: dict[str, str],
) -> None:
    may(monkeypatch)
    told = AsyncMock(return_value=[SimpleNamespace(name="prod", slug="prod")])
    monkeypatch.setattr("dashboard.views.search.contexts_told", told)
    answer = ask(signed_in, q=line, **mode)
    assert not answer["doing"] and not answer["creates"]
    assert not any(hit.get("actions") for hit in answer["results"])
    assert answer["elsewhere"]["words"] == f"This line is for the {words}; you are looking at dev."
    assert answer["elsewhere"]["url"] == url


def test_a_line_that_names_the_cluster_that_is_shown_is_offered_here(
    signed_in: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    may(monkeypatch)
    answer = ask(signed_in, q="kubectl --context dev delete pod web-1")
    assert answer["doing"] and "elsewhere" not in answer
