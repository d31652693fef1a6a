"""What is found, in which order, why, and for whom."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from django.http import QueryDict

from dashboard.cache.store import Store
from dashboard.errors import BadInput, Forbidden
from dashboard.kinds import KINDS
from dashboard.kinds.base import GVR
from dashboard.kinds.tablekinds import Resource, TableKind
from dashboard.queries.access import Visible
from dashboard.queries.lists import ListQuery
from dashboard.queries.reader import JUDGES, Reader, judgeable
from dashboard.queries.reading import Misspelling
from dashboard.queries.search import (
    Answer,
    SearchQuery,
    kinds_meant,
    kinds_named,
    like,
    parts,
    scopes,
    search,
)
from dashboard.queries.seenreader import SeenReader

from ..insight.world import World, pod

UID = "1c0ffee2-1111-4222-8333-944445555666"
DIGEST = "sha256:" + "ab12cd34" * 8
EVERYWHERE = dict.fromkeys(KINDS)


class Cache:
    """The stores of a world, as a reader wants them."""

    def __init__(self, world: World) -> None:
        self.kinds = KINDS
        self._stores: dict[str, Store[Any]] = {plural: Store(kind) for plural, kind in KINDS.items()}
        for plural, store in self._stores.items():
            store.replace(tuple(world.all(plural)), "1")

    def store(self, plural: str) -> Store[Any]:
        return self._stores[plural]

    def status(self, _: str) -> Any:
        return type("Status", (), {"state": "starting"})

    def listed(self, _: str) -> bool:
        return False

    def denied(self, _: str) -> None:
        return None


def thing(name: str, namespace: str = "shop", **more: Any) -> dict[str, Any]:
    labels = more.pop("labels", {})
    return {"metadata": {"name": name, "namespace": namespace, "labels": labels}, **more}


def reader(*manifests: tuple[str, dict[str, Any]]) -> SeenReader:
    whole = Reader(Cache(World(*manifests)))  # type: ignore[arg-type]
    return SeenReader(whole, {plural: Visible() for plural in KINDS})


def found(where: SeenReader, q: str, **more: Any) -> Answer:
    scope = more.pop("scope", EVERYWHERE)
    query = SearchQuery.read(QueryDict(q))
    return search(where, KINDS, query, scope, reading=query.reading(KINDS), **more)


def names(answer: Answer) -> list[str]:
    return [f"{hit.kind.plural}/{hit.row.name}" for hit in answer.hits]


def why(answer: Answer) -> list[tuple[str, str, list[str]]]:
    """Of the first hit: label, text, what is marked."""
    return [
        (each.label, "".join(text for text, _ in each.parts), [text for text, mark in each.parts if mark])
        for each in answer.hits[0].why
    ]


def app(name: str, image: str) -> dict[str, Any]:
    template = {
        "spec": {
            "containers": [{"name": "a", "image": image}],
            "initContainers": [{"name": "i", "image": "init/tool:2"}],
        }
    }
    return thing(name, spec={"selector": {"matchLabels": {"app": name}}, "template": template})


WORLD = reader(
    (
        "pods",
        pod("web-1", podIPs=[{"ip": "10.0.3.7"}, {"ip": "fd00::7"}], labels={"app": "web", "tier": "edge"}),
    ),
    ("pods", pod("web-2", podIPs=[{"ip": "10.0.3.70"}], container={"image": f"nginx:1.27@{DIGEST}"})),
    ("deployments", app("web", "registry.example/team/front:3")),
    ("deployments", app("my-web", "registry.example/team/other:1")),
    ("deployments", app("cobweb", "registry.example/team/other:2")),
    (
        "services",
        thing(
            "front",
            spec={
                "type": "LoadBalancer",
                "clusterIPs": ["10.96.0.9", "fd01::9"],
                "externalIPs": ["203.0.113.4"],
            },
            status={"loadBalancer": {"ingress": [{"ip": "198.51.100.1", "hostname": "lb.example.org"}]}},
        ),
    ),
    (
        "nodes",
        {
            "metadata": {"name": "node-1"},
            "status": {
                "addresses": [
                    {"type": "InternalDNS", "address": "n1.zone.example"},
                    {"type": "InternalIP", "address": "172.16.0.1"},
                ]
            },
        },
    ),
    ("ingresses", thing("public", spec={"rules": [{"host": f"h{n}.example.com"} for n in range(6)]})),
    (
        "endpointslices",
        thing(
            "front-abc", addressType="IPv4", endpoints=[{"addresses": [f"10.0.9.{n}"]} for n in range(1, 9)]
        ),
    ),
    ("configmaps", {"metadata": {"name": "settings", "namespace": "shop", "uid": UID}}),
    ("events", thing("web-1.17", message="started web", involvedObject={"kind": "Pod", "name": "web-1"})),
)


def test_the_closest_name_comes_first_and_events_last() -> None:
    assert names(found(WORLD, "q=web"))[:2] == ["deployments/web", "pods/web-1"]
    order = names(found(WORLD, "q=web"))
    assert order.index("pods/web-2") < order.index("deployments/my-web") < order.index("deployments/cobweb")
    assert order[-1] == "events/web-1.17"


@pytest.mark.parametrize(
    ("q", "expected", "reason"),
    [
        ("10.0.3.7", "pods/web-1", ("IP", "10.0.3.7", ["10.0.3.7"])),
        ("fd00::7", "pods/web-1", ("IP", "fd00::7", ["fd00::7"])),
        ("fd01::9", "services/front", ("Cluster IP", "fd01::9", ["fd01::9"])),
        ("203.0.113", "services/front", ("External IP", "203.0.113.4", ["203.0.113"])),
        ("lb.example", "services/front", ("Address", "lb.example.org", ["lb.example"])),
        ("172.16.0.1", "nodes/node-1", ("InternalIP", "172.16.0.1", ["172.16.0.1"])),
        ("n1.zone", "nodes/node-1", ("InternalDNS", "n1.zone.example", ["n1.zone"])),
        ("h5.example.com", "ingresses/public", ("Host name", "h5.example.com", ["h5.example.com"])),
        ("10.0.9.8", "endpointslices/front-abc", ("Endpoint", "10.0.9.8", ["10.0.9.8"])),
        ("NGINX", "pods/web-2", ("Image", f"nginx:1.27@{DIGEST}"[:80] + "…", ["nginx"])),
        ("team/front:3", "deployments/web", ("Image", "registry.example/team/front:3", ["team/front:3"])),
        ("init/tool", "deployments/cobweb", ("Image", "init/tool:2", ["init/tool"])),
        ("tier=edge", "pods/web-1", ("Label", "tier=edge", ["tier=edge"])),
        ("edge", "pods/web-1", ("Label", "tier=edge", ["edge"])),
        (DIGEST[:20], "pods/web-2", ("Image", f"nginx:1.27@{DIGEST}"[:80] + "…", [DIGEST[:20]])),
        (UID, "configmaps/settings", ("UID", UID, [UID])),
        (UID[:8], "configmaps/settings", ("UID", UID, [UID[:8]])),
    ],
)
def test_an_object_is_found_by_what_people_know_of_it_and_says_by_what(
    q: str, expected: str, reason: tuple[str, str, list[str]]
) -> None:
    params = QueryDict(mutable=True)
    params["q"] = q
    answer = found(WORLD, params.urlencode())
    assert names(answer)[0] == expected
    assert reason in why(answer)


def test_an_exact_address_comes_before_one_that_begins_with_it() -> None:
    assert names(found(WORLD, "q=10.0.3.7"))[:2] == ["pods/web-1", "pods/web-2"]


def test_a_few_letters_of_a_uid_or_digest_find_nothing() -> None:
    assert names(found(WORLD, "q=ab12")) == names(found(WORLD, "q=c0ff")) == []


def test_a_namespace_or_a_kind_may_stand_before_the_name() -> None:
    assert set(names(found(WORLD, "q=shop/web-1"))) == {"pods/web-1", "events/web-1.17"}
    assert names(found(WORLD, "q=pod/web-2"))[0] == "pods/web-2"
    assert names(found(WORLD, "q=deployment.apps/cob"))[0] == "deployments/cobweb"
    assert "".join(text for text, mark in found(WORLD, "q=sh/cob").hits[0].name if mark) == "cob"


def test_every_word_must_fit() -> None:
    assert names(found(WORLD, "q=web+10.0.3.70")) == ["pods/web-2"]
    assert names(found(WORLD, "q=web+nowhere")) == []


def test_names_that_are_only_alike_are_shown_when_nothing_fits_and_said_to_be() -> None:
    answer = found(WORLD, "q=pblc")
    assert (names(answer), answer.like) == (["ingresses/public"], True)
    assert answer.hits[0].name == (("p", True), ("u", False), ("bl", True), ("i", False), ("c", True))
    assert not found(WORLD, "q=web").like


def test_letters_far_apart_are_not_alike() -> None:
    assert like("checkout-5d4f", "chk") == (0, 1, 4)
    assert like("a-very-long-name-of-b", "avb") == ()
    assert like("cobweb", "web") == ()


def test_the_worst_of_equals_comes_first() -> None:
    broken = {"waiting": {"reason": "CrashLoopBackOff"}}
    world = reader(("pods", pod("web-1")), ("pods", pod("web-9", ready=False, state=broken, restarts=9)))
    assert names(found(world, "q=web")) == ["pods/web-9", "pods/web-1"]


def test_a_deployment_comes_before_its_replicasets_however_they_are() -> None:
    deployment = thing(
        "web", status={"replicas": 1, "readyReplicas": 1, "availableReplicas": 1, "updatedReplicas": 1}
    )
    replicaset = thing("web-5d4f", spec={"replicas": 3}, status={"replicas": 3})
    world = reader(("deployments", deployment), ("replicasets", replicaset))
    assert world.rows("replicasets", None)[0].state == "warn", "or they would not compete"
    assert names(found(world, "q=web"))[0] == "deployments/web"
    both = reader(("deployments", thing("webshop", spec={"replicas": 1})), ("replicasets", replicaset))
    assert names(found(both, "q=web")) == ["deployments/webshop", "replicasets/web-5d4f"]


def test_more_than_are_shown_are_counted_and_lead_to_the_list() -> None:
    many = reader(*(("pods", pod(f"web-{number}")) for number in range(80)))
    query = SearchQuery.read(QueryDict("q=web&namespace=shop"))
    answer = search(many, KINDS, query, EVERYWHERE, reading=query.reading(KINDS), limit=50)
    assert (len(answer.hits), answer.counts) == (50, {"pods": 80})
    assert query.list_query(KINDS["pods"]) == "?namespace=shop&q=web"
    assert SearchQuery("pod/web").list_query(KINDS["pods"]) == "?q=web"


TOWN = reader(
    ("configmaps", thing("web-config")),
    ("configmaps", thing("web-config", "blog")),
    ("deployments", app("web", "x:1")),
    ("services", thing("service-account-proxy")),
    ("pods", pod("web-1", labels={"app": "web"})),
    ("pods", pod("bad-1", phase="Failed", reason="Evicted", labels={"app": "bad"})),
    ("pods", {**pod("bad-2"), "metadata": {"name": "bad-2", "namespace": "blog", "uid": "u-b", "labels": {"app": "bad"}},
              "status": {"phase": "Failed", "reason": "Evicted"}}),
    ("nodes", {"metadata": {"name": "web-node"}}),
)  # fmt: skip


CONFIG_OF_BLOG = ["blog configmaps/web-config"]
PODS = ["shop pods/bad-1", "blog pods/bad-2", "shop pods/web-1"]


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("get pods", PODS),
        ("kubectl get pods", PODS),
        ("k get po -A", PODS),
        ("pods -A", PODS),
        ("get pods --all-namespaces -o wide", PODS),
        ("get pods -Ao wide", PODS),
        ("get pods -Aowide", PODS),
        ("$ kubectl -n shop get po -w", ["shop pods/bad-1", "shop pods/web-1"]),
        ("watch -n 2 kubectl get pods -n blog", ["blog pods/bad-2"]),
        ("oc get pods -n blog --sort-by .metadata.name", ["blog pods/bad-2"]),
        ("kubectl get pods -A | grep web-1", ["shop pods/web-1"]),
        ("kubectl get pods -A | grep -i WEB-1 | head -1", ["shop pods/web-1"]),
        ("get deploy", ["shop deployments/web"]),
        ("get deployments.v1.apps", ["shop deployments/web"]),
        ("get Deployment", ["shop deployments/web"]),
        ("cm -A", ["blog configmaps/web-config", "shop configmaps/web-config"]),
        ("cm -nblog", CONFIG_OF_BLOG),
        ("cm -n=blog", CONFIG_OF_BLOG),
        ("cm --namespace=blog", CONFIG_OF_BLOG),
        ("cm --namespace blog", CONFIG_OF_BLOG),
        ("cm -n 'blog'", CONFIG_OF_BLOG),
        ("-nblog cm", CONFIG_OF_BLOG),
        ("cm -n shpo", ["shop configmaps/web-config"]),
        ("cm -n blgo", CONFIG_OF_BLOG),
        ("cm web-config in blgo", CONFIG_OF_BLOG),
        ("get pod/web-1", ["shop pods/web-1"]),
        ("get pods/web-1", ["shop pods/web-1"]),
        ("get po/web-1 svc/service", ["shop pods/web-1", "shop services/service-account-proxy"]),
        ("kubectl get pods bad-1 web-1", ["shop pods/bad-1", "shop pods/web-1"]),
        ("deploy/web", ["shop deployments/web"]),
        ("deploy/web -n shop", ["shop deployments/web"]),
        ("deploy/web -n blog", []),
        ("kubectl describe pod web-1", ["shop pods/web-1"]),
        ("kubectl describe pod/web-1 -n shop", ["shop pods/web-1"]),
        ("kubectl logs web-1 -n shop", ["shop pods/web-1"]),
        ("kubectl logs -f web-1 -c app --tail 20", ["shop pods/web-1"]),
        ("kubectl logs -fnshop web-1", ["shop pods/web-1"]),
        ("kubectl exec -it web-1 -n shop -- sh -c ls", ["shop pods/web-1"]),
        ("kubectl rollout restart deploy/web", ["shop deployments/web"]),
        ("kubectl rollout status deployment web --timeout 1m", ["shop deployments/web"]),
        ("kubectl delete -f web.yaml pod web-1", ["shop pods/web-1"]),
        ("kubectl get pods -lapp=web", ["shop pods/web-1"]),
        ("kubectl get pods -l=app==web --field-selector status.phase!=Failed", ["shop pods/web-1"]),
        ("top pod -n blog", ["blog pods/bad-2"]),
        ("get all -n blog", ["blog pods/bad-2"]),
        ("depolyments -n shop", ["shop deployments/web"]),
        ("get depolyments", ["shop deployments/web"]),
        ("get deployment", ["shop deployments/web"]),
        ("deploments -A", ["shop deployments/web"]),
        ("depoly/web svc/web", ["shop deployments/web"]),
        ("cm web-config", ["blog configmaps/web-config", "shop configmaps/web-config"]),
        ("configmap web-config -n blog", ["blog configmaps/web-config"]),
        ("get cm -n blog", ["blog configmaps/web-config"]),
        ("kubectl get configmaps web-config --namespace=blog -o yaml", ["blog configmaps/web-config"]),
        ("web-config in blog", ["blog configmaps/web-config"]),
        ("cm -n bl", ["blog configmaps/web-config"]),
        ("pods in trouble", ["shop pods/bad-1", "blog pods/bad-2"]),
        ("failing pods", ["shop pods/bad-1", "blog pods/bad-2"]),
        ("pods in trouble in blog", ["blog pods/bad-2"]),
        ("pods -l app=web", ["shop pods/web-1"]),
        ("po,svc web-1", ["shop pods/web-1"]),
        ("service account", ["shop services/service-account-proxy"]),
        ("cm wbe-config -n blog", ["blog configmaps/web-config"]),
        ("web-cnofig -n blog", ["blog configmaps/web-config"]),
        ("web-xonfig -n blog", ["blog configmaps/web-config"]),
        ("webb-config -n blog", ["blog configmaps/web-config"]),
    ],
)
def test_kubectls_words_and_peoples_are_understood(q: str, expected: list[str]) -> None:
    answer = found(TOWN, urlencode({"q": q}))
    assert [f"{hit.row.namespace} {hit.kind.plural}/{hit.row.name}" for hit in answer.hits] == expected


@pytest.mark.parametrize(
    ("q", "lists"),
    [
        ("pods", ["pods?namespace=shop"]),
        ("get pods", ["pods?namespace=shop"]),
        ("kubectl get pods -A", ["pods"]),
        ("-n blog pods", ["pods?namespace=blog"]),
        ("po,svc -nblog", ["pods?namespace=blog", "services?namespace=blog"]),
        ("get nodes -A", ["nodes"]),
        ("deploy -n shpo", ["deployments?namespace=shop"]),
        ("depolyments -n shop", ["deployments?namespace=shop"]),
        ("get depolyments -A", ["deployments"]),
        ("get dep -A", ["deployments"]),
        ("get pods -n nowhere", ["pods?namespace=nowhere"]),
        ("pods in trouble", ["pods?namespace=shop&state=trouble"]),
        ("pods web", []),
        ("web -n shop", []),
    ],
)
def test_a_kind_that_is_asked_for_leads_to_its_list_in_the_namespace_that_is_said(
    q: str, lists: list[str]
) -> None:
    query = SearchQuery.read(QueryDict(urlencode({"q": q, "namespace": "shop"})))
    answer = search(TOWN, KINDS, query, EVERYWHERE, reading=query.reading(KINDS))
    offered = [KINDS[plural] for plural in ("pods", "services", "nodes", "deployments")]
    place = replace(answer.reading, words=())
    found = [f"{kind.plural}{query.list_query(kind, place)}" for kind in kinds_meant(offered, answer.reading)]
    assert found == lists


@pytest.mark.parametrize("q", ["cm -n shpo", "depolyments -n shop", "get depolyments"])
def test_what_was_only_meant_so_is_said_to_be_like_it(q: str) -> None:
    assert found(TOWN, urlencode({"q": q})).like
    assert not found(TOWN, urlencode({"q": "cm -n shop"})).like


def test_a_guess_counts_only_where_nothing_is_found_by_the_letter() -> None:
    world = reader(("deployments", app("notes-web", "x:1")), ("nodes", {"metadata": {"name": "web-node"}}))
    assert names(found(world, "q=notes+web")) == ["deployments/notes-web"]


def test_a_line_for_kubectl_may_have_more_words_than_are_looked_for() -> None:
    line = "kubectl exec -it web-1 -n shop -c app --request-timeout 1m -v 6 -- sh -c echo a b c d e"
    assert names(found(TOWN, urlencode({"q": line}))) == ["pods/web-1"]
    letters = "abcdefghijk"
    for q in (" ".join(letters), f"-l {','.join(letters)}", " ".join(f"-{each}" for each in letters)):
        with pytest.raises(BadInput):
            SearchQuery.read(QueryDict(urlencode({"q": q})))


def test_words_that_only_look_like_kubectls_are_words() -> None:
    """Nothing is of this kind, or in this namespace: then every word counts for itself."""
    world = reader(("deployments", app("pods-broken-down", "x:1")), ("pods", pod("po-web")))
    assert names(found(world, "q=broken+pods")) == ["deployments/pods-broken-down"]


def test_the_namespace_that_is_typed_counts_and_not_the_one_that_the_page_shows() -> None:
    kinds = {"configmaps": KINDS["configmaps"]}
    query = SearchQuery.read(QueryDict("q=cm+web-config+-n+blog&namespace=shop"))
    where = scopes(kinds, {"configmaps": Visible()}, query.chosen(query.reading(KINDS)))
    answer = search(TOWN, KINDS, query, where, reading=query.reading(KINDS))
    assert [hit.row.namespace for hit in answer.hits] == ["blog"]
    assert query.list_query(KINDS["configmaps"], answer.reading) == "?namespace=blog&q=web-config"
    ill = found(TOWN, "q=pods+in+trouble")
    assert SearchQuery("pods in trouble").list_query(KINDS["pods"], ill.reading) == "?state=trouble"
    assert ListQuery.read("pods", QueryDict("state=trouble")).state == "trouble"


def test_who_may_list_less_finds_and_counts_less() -> None:
    world = reader(
        ("pods", pod("web-1")),
        ("pods", pod("web-2") | {"metadata": {"name": "web-2", "namespace": "secret", "uid": UID}}),
        ("deployments", app("web", "x:1")),
        ("namespaces", {"metadata": {"name": "secret"}}),
    )
    all_of_it = {plural: Visible() for plural in KINDS}
    some = {plural: Visible(frozenset({"shop"})) for plural in KINDS} | {
        "namespaces": Visible(frozenset(), Forbidden("no")),
        "deployments": Visible(frozenset(), Forbidden("no")),
    }
    owner = found(world, "q=e", scope=scopes(KINDS, all_of_it, None))
    guest = found(world, "q=e", scope=scopes(KINDS, some, None))
    assert owner.total == 4
    assert names(guest) == ["pods/web-1"] and guest.counts == {"pods": 1}
    for q in ("q=secret", "q=web-2", "q=secret/web", f"q={UID}", "q=scrt"):
        assert found(world, q, scope=scopes(KINDS, some, None)) == Answer(), q


def kinds_judged(seen: dict[str, Visible]) -> dict[str, frozenset[str]]:
    return {plural: frozenset(each for each, _ in judges) for plural, judges in judgeable(seen).items()}


def test_what_others_say_of_an_object_is_for_who_may_list_those_others() -> None:
    everything = {plural: Visible() for plural in KINDS}
    assert kinds_judged(everything) == JUDGES
    without_pods = everything | {"pods": Visible(frozenset(), Forbidden("no"))}
    assert judgeable(without_pods) == {}
    some_pods = everything | {"pods": Visible(frozenset({"shop"}))}
    assert judgeable(some_pods) == {}
    shop_alone = everything | {plural: Visible(frozenset({"shop"})) for plural in ("services", "pods")}
    assert judgeable(shop_alone).keys() == {"services"}
    without_secrets = everything | {"secrets": Visible(frozenset(), Forbidden("no"))}
    assert kinds_judged(without_secrets) == JUDGES | {"ingresses": JUDGES["ingresses"] - {"secrets"}}


def test_chosen_namespaces_narrow_what_lives_in_namespaces_only() -> None:
    where = scopes(KINDS, {"pods": Visible(), "nodes": Visible()}, frozenset({"shop"}))
    assert where == {"pods": frozenset({"shop"}), "nodes": None}


def test_a_query_that_is_too_long_is_named() -> None:
    with pytest.raises(BadInput) as raised:
        SearchQuery.read(QueryDict(f"q={'a' * 201}"))
    assert raised.value.field == "q"


@pytest.mark.parametrize(
    "q", ["/", "//", "a/", "/a", "=", "\\", "(", "[a", "%", "*", "'", '"><script>', "İ", "ab/cd/ef"]
)
def test_odd_letters_are_only_letters(q: str) -> None:
    params = QueryDict(mutable=True)
    params["q"] = q
    found(WORLD, params.urlencode())


def test_marks_leave_the_text_as_it_is() -> None:
    for text, words in (("Web-web", ["web"]), ("<b>web</b>", ["b"]), ("İweb", ["web"]), ("", ["a"])):
        assert "".join(piece for piece, _ in parts(text, words)) == text


GIZMOS = TableKind.of(Resource(GVR("x.io", "v1", "gizmos"), "Gizmo", "gizmo", ("gz",)))


def gizmo(name: str, **labels: str) -> Any:
    columns = [{"name": "Name", "type": "string", "format": "name"}, {"name": "Size", "type": "integer"}]
    meta = {"name": name, "namespace": "shop", "uid": f"u-{name}", "labels": labels}
    table = {
        "metadata": {},
        "columnDefinitions": columns,
        "rows": [{"cells": [name, 3], "object": {"metadata": meta}}],
    }
    return GIZMOS.row(GIZMOS.decode_object(json.dumps(table).encode()))


def test_rows_of_kinds_that_nobody_watches_are_found_and_counted_alike() -> None:
    where = reader(("pods", pod("engine-1")))
    where._all_cached.cache.kinds = kinds = {**KINDS, GIZMOS.plural: GIZMOS}
    where._all_cached.cache._stores[GIZMOS.plural] = Store(GIZMOS)  # type: ignore[attr-defined]
    rows = {GIZMOS.plural: [gizmo("engine", team="motors"), gizmo("wheel")]}

    def answer(q: str) -> Answer:
        query = SearchQuery.read(QueryDict(q))
        return search(where, kinds, query, EVERYWHERE, reading=query.reading(kinds), unwatched=rows)

    assert names(answer("q=engine")) == ["gizmos.x.io/engine", "pods/engine-1"]
    assert answer("q=engine").counts == {"gizmos.x.io": 1, "pods": 1}
    assert why(answer("q=team%3Dmotors"))[0][:2] == ("Label", "team=motors")
    assert names(answer("q=gizmo/eng")) == ["gizmos.x.io/engine"]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("gizmos", ["Gizmos"]),
        ("giz", ["Gizmos"]),
        ("gz", ["Gizmos"]),
        ("gizmo.x.io", ["Gizmos"]),
        ("x.io", ["Gizmos"]),
        ("deploy", ["Deployments"]),
        ("po", ["Pods", "PodDisruptionBudgets"]),
        ("g", []),
        ("gizmo web", []),
        ("izmo", []),
        ("deplyoment", ["Deployments"]),
        ("deploymentt", ["Deployments"]),
        ("gismo", ["Gizmos"]),
    ],
)
def test_a_kind_is_found_by_kubectls_words_for_it(words: str, found: list[str]) -> None:
    kinds = [KINDS["poddisruptionbudgets"], KINDS["pods"], KINDS["deployments"], GIZMOS]
    assert [kind.title for kind in kinds_named(kinds, tuple(words.split()))] == found


def test_a_long_word_is_not_looked_for_with_a_slip() -> None:
    word = "abcdefgh" * 1000
    assert Misspelling(word).places(word[:3] + "x" + word[4:]) == ()
    assert Misspelling(word[:63]).places(word[:3] + "x" + word[4:63]) == tuple(range(63))
