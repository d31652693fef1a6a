"""The map: what is drawn, what is folded, what stands out, and what a user may not see."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.http import QueryDict

from dashboard.errors import BadInput
from dashboard.live.screens.listing import ListScreen
from dashboard.live.screens.map import MapScreen
from dashboard.live.screens.map.counts import nodes_query
from dashboard.live.screens.map.screen import MAX_BOXES
from dashboard.live.snapshot import Snapshot
from dashboard.queries.access import Visible
from tests.unit.markup import flat

from .seen import everything, nothing, runtime, sees, session


def container(config: str = "", secret: str = "") -> dict[str, Any]:
    sources = [{"configMapRef": {"name": config}}] if config else []
    sources += [{"secretRef": {"name": secret}}] if secret else []
    return {"name": "main", "image": "x", "envFrom": sources}


def deployment(
    cache: Any, name: str, pods: int, namespace: str = "shop", ready: bool = True, **reads: str
) -> None:
    """A Deployment, its ReplicaSet and its pods."""
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container(**reads)]}}
    spec = {"replicas": pods, "selector": {"matchLabels": labels}, "template": template}
    status = {"replicas": pods, "updatedReplicas": pods, "readyReplicas": pods, "availableReplicas": pods}
    cache.put(
        "deployments", {"metadata": {"name": name, "namespace": namespace}, "spec": spec, "status": status}
    )
    owner = {
        "kind": "Deployment",
        "name": name,
        "uid": f"deployments-{name}",
        "apiVersion": "apps/v1",
        "controller": True,
    }
    made = {"name": f"{name}-1", "namespace": namespace, "ownerReferences": [owner]}
    cache.put("replicasets", {"metadata": made, "spec": {"replicas": pods, "template": template}})
    owner = owner | {"kind": "ReplicaSet", "name": f"{name}-1", "uid": f"replicasets-{name}-1"}
    state = (
        {"running": {"startedAt": "2026-03-01T11:00:00Z"}}
        if ready
        else {"waiting": {"reason": "CrashLoopBackOff"}}
    )
    cache.put(
        "pods",
        *(
            {
                "metadata": {"name": f"{name}-1-{at}", "namespace": namespace, "labels": labels,
                             "ownerReferences": [owner]},
                "spec": {"containers": [container(**reads)], "nodeName": f"node-{at % 7}"},
                "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}],
                           "containerStatuses": [{"name": "main", "ready": ready, "state": state}]},
            }
            for at in range(pods)
        ),
    )  # fmt: skip


def service(cache: Any, name: str, app: str, namespace: str = "shop") -> None:
    spec = {"selector": {"app": app}, "ports": [{"port": 80}]}
    cache.put("services", {"metadata": {"name": name, "namespace": namespace}, "spec": spec})


def ingress(cache: Any, name: str, *services: str) -> None:
    paths = [
        {"path": f"/{one}", "backend": {"service": {"name": one, "port": {"number": 80}}}} for one in services
    ]
    cache.put("ingresses", {"metadata": {"name": name}, "spec": {"rules": [{"http": {"paths": paths}}]}})


def small() -> Any:
    found = runtime()
    cache = found.cache
    deployment(cache, "web", 3, config="settings", secret="login")
    deployment(cache, "worker", 1)
    service(cache, "web", "web")
    ingress(cache, "shop", "web", "gone")
    cache.put("configmaps", {"metadata": {"name": "settings"}}, {"metadata": {"name": "forgotten"}})
    cache.put("secrets", {"metadata": {"name": "login"}})
    cache.put("nodes", {"metadata": {"name": "node-0"}})
    return found


def shown(found: Any, query: str = "", **less: Visible) -> Snapshot:
    screen = MapScreen(session(found), QueryDict(query))
    sees(screen, everything(**less))
    return screen.snapshot()


def html(snapshot: Snapshot, name: str = "map-apps") -> str:
    return flat("".join(part.html for part in snapshot.lists[name].values()))


def text(html: str) -> str:
    return re.sub("<[^>]*>", "", html)


def keys(snapshot: Snapshot) -> list[str]:
    return re.findall(r'data-k="([^"]*)"', html(snapshot))


def test_an_application_leads_from_its_ingress_to_what_it_reads_and_where_it_runs() -> None:
    drawn = html(shown(small()))
    lines = dict(re.findall(r'data-k="([^"]*)" data-to="([^"]*)"', drawn))
    assert lines["ingresses/shop/shop"] == "services/shop/gone services/shop/web"
    assert lines["services/shop/web"] == "deployments/shop/web"
    assert lines["deployments/shop/web"].split() == [
        "configmaps/shop/settings", "nodes/-/node-0", "nodes/-/node-1", "nodes/-/node-2", "secrets/shop/login",
    ]  # fmt: skip
    assert "Not connected" in drawn and "deployments/shop/worker" in lines
    assert re.search(r"Read by no workload:.*forgotten", drawn)


def test_a_service_that_is_not_there_stands_out() -> None:
    drawn = html(shown(small()))
    assert re.search(r'class="box bad missing" data-k="services/shop/gone"', drawn)
    assert "There is no Service of this name" in drawn


def test_what_may_be_left_out_is_no_fault_when_it_is_not_there() -> None:
    found = small()
    volumes = [
        {"name": "a", "secret": {"secretName": "spare", "optional": True}},
        {"name": "b", "secret": {"secretName": "must"}},
        {"name": "c", "secret": {"secretName": "both", "optional": True}},
        {"name": "d", "projected": {"sources": [{"secret": {"name": "both"}}]}},
    ]
    found.cache.put("pods", {"metadata": {"name": "alone"}, "spec": {"volumes": volumes}})
    drawn = html(shown(found))
    missing = re.findall(r'class="box (\w+) small missing" data-k="secrets/shop/(\w+)"', drawn)
    assert {name: state for state, name in missing} == {"spare": "ok", "must": "bad", "both": "bad"}
    assert "not there, which is allowed" in drawn
    spec = {"tls": [{"secretName": "spare"}]}
    found.cache.put("ingresses", {"metadata": {"name": "secure"}, "spec": spec})
    assert 'class="box bad small missing" data-k="secrets/shop/spare"' in html(shown(found))


def test_claims_that_wait_for_a_statefulsets_pods_are_not_called_unused() -> None:
    found = small()
    spec = {"serviceName": "db", "replicas": 0, "volumeClaimTemplates": [{"metadata": {"name": "data"}}]}
    found.cache.put("statefulsets", {"metadata": {"name": "db"}, "spec": spec})
    found.cache.put("persistentvolumeclaims", {"metadata": {"name": "data-db-0"}})
    drawn = html(shown(found))
    lines = dict(re.findall(r'data-k="([^"]*)" data-to="([^"]*)"', drawn))
    assert lines["statefulsets/shop/db"] == "persistentvolumeclaims/shop/data-db-0"


def test_what_reads_a_config_map_may_be_hidden_so_nothing_is_called_unused_then() -> None:
    assert "Read by no workload" in html(shown(small()))
    snapshot = shown(small(), pods=nothing("pods"))
    assert "Read by no workload" not in html(snapshot)


def test_what_an_operator_made_is_on_the_map_as_what_it_is() -> None:
    found = runtime()
    above = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "Prometheus",
        "name": "main",
        "controller": True,
    }
    deployment(found.cache, "web", 1)
    spec = {
        "selector": {"matchLabels": {"app": "made"}},
        "template": {"metadata": {"labels": {"app": "made"}}},
    }
    found.cache.put("statefulsets", {"metadata": {"name": "made", "ownerReferences": [above]}, "spec": spec})
    job = {"apiVersion": "batch.volcano.sh/v1", "kind": "Job", "name": "train", "controller": True}
    found.cache.put("pods", {"metadata": {"name": "train-0", "ownerReferences": [job]}})
    drawn = html(shown(found))
    assert 'data-k="statefulsets/shop/made"' in drawn
    assert 'data-k="Job.batch.volcano.sh/shop/train"' in drawn and "There is no Job of this name" not in drawn


def test_two_thousand_pods_are_at_most_two_hundred_boxes_with_their_counts() -> None:
    found = runtime()
    for at in range(80):
        deployment(found.cache, f"app-{at}", 25, namespace=f"team-{at % 8}", ready=at != 70, config=f"c-{at}")
        service(found.cache, f"app-{at}", f"app-{at}", namespace=f"team-{at % 8}")
        found.cache.put("configmaps", {"metadata": {"name": f"c-{at}", "namespace": f"team-{at % 8}"}})
    snapshot = shown(found)
    boxes = keys(snapshot)
    assert 150 < len(boxes) <= 200
    assert "deployments/team-6/app-70" in boxes, "what needs a person is never what there is no room for"
    assert snapshot.regions["map-rest"].html.count("<li>") > 0
    assert "80 applications, 2000 pods" in text(snapshot.regions["map-head"].html)
    assert len(snapshot.lists["map-rows"]) == 80


def test_a_workload_of_many_pods_is_told_by_counts() -> None:
    found = runtime()
    deployment(found.cache, "big", 300)
    drawn = html(shown(found))
    assert "300 pods" in drawn
    assert drawn.count('class="sq ') == 1


def test_the_map_of_one_object_shows_what_it_is_connected_to_and_its_pods_by_name() -> None:
    snapshot = shown(small(), "focus=configmaps/shop/settings")
    assert "deployments/shop/web" in keys(snapshot)
    assert "deployments/shop/worker" not in keys(snapshot)
    assert html(snapshot).count('href="/c/tests/pods/shop/web-1-') == 3
    assert keys(shown(small(), "focus=nodes/-/node-2"))[-1] == "nodes/-/node-2"
    assert "deployments/shop/web" in keys(shown(small(), "focus=replicasets/shop/web-1"))
    assert keys(shown(small(), "focus=configmaps/shop/forgotten")) == []
    budget = {"metadata": {"name": "keep"}, "spec": {"selector": {"matchLabels": {"app": "worker"}}}}
    found = small()
    found.cache.put("poddisruptionbudgets", budget)
    drawn = keys(shown(found, "focus=poddisruptionbudgets/shop/keep"))
    assert "deployments/shop/worker" in drawn and "deployments/shop/web" not in drawn


@pytest.mark.parametrize("query", ["focus=web", "focus=gizmos/shop/web", "view=globe"])
def test_an_address_that_cannot_be_is_refused_by_the_name_of_its_field(query: str) -> None:
    with pytest.raises(BadInput) as refused:
        shown(runtime(), query)
    assert refused.value.field == query.partition("=")[0]


def test_the_list_tells_the_same() -> None:
    rows = html(shown(small(), "view=list"), "map-rows")
    web = next(
        row
        for row in rows.split("<tr")
        if 'id="map-deployments/shop/web"' in f"<tr{row}" or "/deployments/shop/web/" in row
    )
    for name in ("shop", "web", "settings", "login", "node-0", "3 pods, healthy"):
        assert name in web
    assert shown(small(), "view=list").lists["map-apps"] == {}


def test_the_list_names_each_once_and_with_it_certificates_and_what_nobody_reads() -> None:
    found = small()
    service(found.cache, "web-too", "web")
    paths = [{"path": f"/{name}", "backend": {"service": {"name": name, "port": {"number": 80}}}}
             for name in ("web", "web-too")]  # fmt: skip
    spec = {
        "rules": [{"host": "shop.example", "http": {"paths": paths}}],
        "tls": [{"secretName": "certificate"}],
    }
    found.cache.put("ingresses", {"metadata": {"name": "shop"}, "spec": spec})
    rows = shown(found, "view=list").lists["map-rows"]
    web = rows["map-deployments/shop/web"].html
    assert web.count("/ingresses/shop/shop/") == 1
    assert "certificate" in web and "missing" in web
    assert "forgotten" in rows["map-unused-shop"].html


def test_the_list_says_what_there_is_no_room_for_and_never_leaves_out_what_needs_a_person() -> None:
    found = runtime()
    for at in range(MAX_BOXES + 20):
        deployment(found.cache, f"app-{at}", 1, namespace=f"team-{at % 3}", ready=at != MAX_BOXES + 5)
    snapshot = shown(found, "view=list")
    assert len(snapshot.lists["map-rows"]) == MAX_BOXES
    assert f"map-deployments/team-{(MAX_BOXES + 5) % 3}/app-{MAX_BOXES + 5}" in snapshot.lists["map-rows"]
    assert "20 more applications" in snapshot.regions["map-rest"].html


def test_what_may_not_be_listed_is_neither_drawn_nor_called_missing() -> None:
    elsewhere = Visible(frozenset({"other"}))
    snapshot = shown(
        small(), deployments=elsewhere, replicasets=elsewhere, pods=elsewhere, services=elsewhere
    )
    assert "web-1" not in html(snapshot)
    assert "missing" not in html(snapshot)
    without = shown(small(), secrets=nothing("secrets"))
    assert "Not everything is shown" in without.regions["list-state"].html
    assert "secrets/shop/login" in keys(without), "the Deployment itself names it"


def test_a_pod_that_fails_changes_only_its_application() -> None:
    found = small()
    before = shown(found)
    deployment(found.cache, "worker", 1, ready=False)
    after = shown(found)
    changed = {
        key
        for key, part in after.lists["map-apps"].items()
        if before.lists["map-apps"][key].hash != part.hash
    }
    assert changed == {"alone-shop"}


# ---- The filter


def shop() -> Any:
    """Three applications: one whole, one with a failing pod, and one whose name begins like another's."""
    found = small()
    deployment(found.cache, "web-admin", 2, ready=False, config="admin")
    found.cache.put("configmaps", {"metadata": {"name": "admin"}})
    deployment(found.cache, "mail", 1, namespace="post")
    found.cache.put("nodes", *({"metadata": {"name": f"node-{at}"}} for at in range(12)))
    return found


def workloads(found: Any, query: str) -> set[str]:
    """The workloads drawn, as ``namespace/name``; the list form must tell the same."""
    drawn = {key.partition("/")[2] for key in keys(shown(found, query)) if key.startswith("deployments/")}
    rows = shown(found, f"{query}&view=list").lists["map-rows"]
    assert {key.removeprefix("map-deployments/") for key in rows if "deployments/" in key} == drawn
    return drawn


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("q=WEB", {"shop/web", "shop/web-admin"}),
        ("q=web admin", {"shop/web-admin"}),
        ("q=web-1-2", {"shop/web"}),  # a pod
        ("q=settings", {"shop/web"}),  # what it reads
        ("q=node-1", {"shop/web", "shop/web-admin"}),
        ("q=web&kind=services", {"shop/web"}),
        ("kind=ingresses", {"shop/web"}),
        ("kind=secrets&q=admin", set()),
        ("state=need", {"shop/web", "shop/web-admin"}),  # the Ingress routes to a Service that is not there
        ("state=need&kind=pods", {"shop/web-admin"}),
        ("state=need&kind=ingresses", {"shop/web"}),
        ("state=fine&kind=deployments&q=web", {"shop/web", "shop/web-admin"}),
        ("state=trouble&q=worker", set()),
        ("app=mail", {"post/mail"}),
        ("app=WORK", {"shop/worker"}),
        ("app=web&q=admin", {"shop/web-admin"}),
        ("namespace=post&q=web", set()),
    ],
)
def test_the_filter_shows_the_applications_of_what_fits(query: str, expected: set[str]) -> None:
    assert workloads(shop(), query) == expected


def test_an_application_is_also_found_by_what_its_labels_call_it() -> None:
    found = shop()
    labels = {"app.kubernetes.io/part-of": "storefront"}
    found.cache.put("pods", {"metadata": {"name": "lonely", "labels": labels}})
    assert keys(shown(found, "app=storefront")) == ["pods/shop/lonely"]


def test_what_was_asked_for_is_marked_and_comes_first_where_there_is_no_room_for_all() -> None:
    drawn = html(shown(shop(), "q=web-admin&kind=pods"))
    assert re.findall(r'class="[^"]* hit" data-k="([^"]*)"', drawn) == ["deployments/shop/web-admin"]
    assert " hit" not in html(shown(shop(), "state=need")), "nothing single was asked for"
    found = runtime()
    volumes = [{"name": f"v{at}", "configMap": {"name": f"settings-{at:02}"}} for at in range(60)]
    found.cache.put("pods", {"metadata": {"name": "reader"}, "spec": {"volumes": volumes}})
    found.cache.put("configmaps", *({"metadata": {"name": f"settings-{at:02}"}} for at in range(60)))
    assert "configmaps/shop/settings-57" not in keys(shown(found))
    assert "configmaps/shop/settings-57" in keys(shown(found, "q=settings-57"))


def test_the_head_counts_by_state_and_its_links_keep_the_rest_of_the_filter() -> None:
    head = shown(shop(), "namespace=shop&q=web&view=list").regions["map-head"].html
    assert "2 of 3 applications" in text(head)
    assert "All 2Critical 1Healthy 1" in text(head), "what fits, not what else is in its application"
    assert 'href="/c/tests/map/?namespace=shop&amp;view=list&amp;q=web&amp;state=need"' in head
    head = shown(shop(), "q=web&kind=pods&state=need").regions["map-head"].html
    assert re.search(r'id="chip-need"[^>]*aria-current="true"', head)
    assert "Critical 1" in text(head) and "All 2" in text(head), "counted before the state is asked for"


def test_a_filter_that_leaves_nothing_says_so_and_can_be_cleared() -> None:
    snapshot = shown(shop(), "namespace=shop&q=zzz")
    state = snapshot.regions["list-state"].html
    assert "None of 3 applications match" in state and 'href="/c/tests/map/?namespace=shop"' in state
    assert keys(snapshot) == [] and "forgotten" not in html(snapshot)


@pytest.mark.parametrize("query", ["kind=gizmos", "state=blue", f"q={'x' * 201}", f"app={'x' * 201}"])
def test_a_filter_that_cannot_be_is_refused_by_the_name_of_its_field(query: str) -> None:
    with pytest.raises(BadInput) as refused:
        shown(runtime(), query)
    assert refused.value.field == query.partition("=")[0]


# ---- Its counts


def many() -> Any:
    """Workloads of every kind, whose names begin like others' and whose pods are of several states."""
    found = shop()
    cron = {"metadata": {"name": "web"}, "spec": {"schedule": "0 * * * *"}}
    found.cache.put("cronjobs", cron)
    for at in (28400000, 28400060):
        made = {"name": f"web-{at}", "labels": {}}
        owner = {
            "kind": "CronJob",
            "name": "web",
            "uid": "cronjobs-web",
            "apiVersion": "batch/v1",
            "controller": True,
        }
        found.cache.put("jobs", {"metadata": made | {"ownerReferences": [owner]}})
        owner = owner | {"kind": "Job", "name": f"web-{at}", "uid": f"jobs-web-{at}"}
        labels = {"batch.kubernetes.io/job-name": f"web-{at}"}
        meta = {"name": f"web-{at}-abcde", "labels": labels, "ownerReferences": [owner]}
        found.cache.put(
            "pods", {"metadata": meta, "spec": {"nodeName": "node-3"}, "status": {"phase": "Succeeded"}}
        )
    labels, status = {"app": "db"}, {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    spec = {"serviceName": "db", "replicas": 2, "selector": {"matchExpressions": [
        {"key": "app", "operator": "In", "values": ["db"]}]}}  # fmt: skip
    found.cache.put("statefulsets", {"metadata": {"name": "db"}, "spec": spec})
    owner = {
        "kind": "StatefulSet",
        "name": "db",
        "uid": "statefulsets-db",
        "apiVersion": "apps/v1",
        "controller": True,
    }
    for at, ready in enumerate(({"phase": "Pending"}, status)):
        meta = {"name": f"db-{at}", "labels": labels, "ownerReferences": [owner]}
        found.cache.put("pods", {"metadata": meta, "spec": {"nodeName": "node-11"}, "status": ready})
    found.cache.put(
        "pods", {"metadata": {"name": "db-0-debug"}, "spec": {"nodeName": "node-11"}, "status": status}
    )
    return found


@pytest.mark.parametrize("query", ["", "view=list", "namespace=shop", "focus=nodes/-/node-11"])
def test_every_count_of_pods_leads_to_a_list_of_just_as_many(query: str) -> None:
    found = many()
    snapshot = shown(found, query)
    page = "".join((html(snapshot), html(snapshot, "map-rows"), flat(snapshot.regions["map-head"].html)))
    links = re.findall(r'<a [^>]*?href="/c/tests/pods/\?([^"]*)"[^>]*>(.*?)</a>', page)
    assert len(links) > 5
    for address, words in links:
        counted = int(re.search(r"\d+", text(words))[0])  # type: ignore[index]
        screen = ListScreen(session(found), QueryDict(address.replace("&amp;", "&")), "pods")
        sees(screen, everything())
        assert screen.listing().total == counted, (address, words)
    assert "focus" in query or 'namespace=shop&amp;labels=app%3Dweb"' in page, "not the pods of web-admin"


def test_other_counts_lead_to_what_they_count() -> None:
    found = small()
    deployment(found.cache, "worker", 1, config="settings")
    drawn = html(shown(found))
    assert re.search(
        r'<a href="/c/tests/map/\?focus=configmaps/shop/settings">read by 2 workloads</a>', drawn
    )
    both = 'q=node%3Anode-0&amp;labels=app+in+%28web%2Cworker%29"'
    assert both not in drawn, "two applications"
    ingress(found.cache, "both", "web", "worker")
    service(found.cache, "worker", "worker")
    drawn = html(shown(found))
    assert f"{both}>2 pods</a>" in drawn
    for at in range(20):
        service(found.cache, f"extra-{at}", "worker")
    assert '<a href="/c/tests/map/?focus=deployments/shop/web">and 15 more</a>' in html(shown(found))


def test_a_count_on_a_node_leads_to_it_whatever_the_selectors_and_names_are() -> None:
    found = runtime()
    found.cache.put("nodes", *({"metadata": {"name": name}} for name in ("node-0", "node-01")))
    for name, key in (("web", "app"), ("worker", "component")):
        labels = {key: name}
        spec = {"replicas": 2, "selector": {"matchLabels": labels}}
        found.cache.put("statefulsets", {"metadata": {"name": name}, "spec": spec})
        owner = {"kind": "StatefulSet", "name": name, "uid": f"statefulsets-{name}", "apiVersion": "apps/v1"}
        for at, node in enumerate(("node-0", "node-01")):
            owners = [owner | {"controller": True}]
            meta = {"name": f"{name}-{at}", "labels": labels, "ownerReferences": owners}
            found.cache.put("pods", {"metadata": meta, "spec": {"nodeName": node}})
        ports = {"selector": labels, "ports": [{"port": 80}]}
        found.cache.put("services", {"metadata": {"name": name}, "spec": ports})
    ingress(found.cache, "both", "web", "worker")
    drawn = html(shown(found))
    either = "labels=app%3Dweb+or+component%3Dworker"
    for node in ("node-0", "node-01"):
        assert f'q=node%3A{node}&amp;{either}">2 pods</a>' in drawn


HOST = "kubernetes.io/hostname"


def nodes_of(hosts: dict[str, str]) -> Any:
    """A workload of two pods on node-0 and node-1, and these nodes with their labels."""
    found = runtime()
    deployment(found.cache, "alone", 2)
    for name, host in hosts.items():
        found.cache.put("nodes", {"metadata": {"name": name, "labels": {HOST: host} if host else {}}})
    return found


@pytest.mark.parametrize(
    ("hosts", "told"),
    [
        ({"node-0": "a", "node-1": "b", "node-2": "c"}, True),
        ({"node-0": "a", "node-1": "", "node-2": "c"}, False),
        ({"node-0": "a", "node-1": "b", "node-2": "b"}, False),
    ],
)
def test_a_count_of_nodes_leads_to_a_list_of_just_these(hosts: dict[str, str], told: bool) -> None:
    found = nodes_of(hosts)
    query = nodes_query(list(found.reader.all("nodes", "")), ["node-0", "node-1"])
    assert bool(query) is told
    if told:
        screen = ListScreen(session(found), QueryDict(query.removeprefix("?")), "nodes")
        sees(screen, everything())
        assert screen.listing().total == 2
        assert f'href="/c/tests/nodes/{query}">on 2 nodes</a>' in html(shown(found)).replace("&amp;", "&")


async def test_what_the_loss_of_a_node_does_is_told_by_words_and_with_a_legend() -> None:
    found = small()
    ready = {"conditions": [{"type": "Ready", "status": "True"}], "allocatable": {"cpu": "4", "pods": "110"}}
    found.cache.put("nodes", *({"metadata": {"name": f"node-{at}"}, "status": ready} for at in range(3)))
    screen = MapScreen(session(found), QueryDict("lose=node-0"))
    sees(screen, everything())
    await screen._tell()
    snapshot = screen.snapshot()
    head = flat(snapshot.regions["map-head"].html)
    assert "If node node-0 is lost" in head and "Only copy 1" in text(head) and "Moves 1" in text(head)
    assert "lose=node/node-0" in head, "all that follows is a click away"
    drawn, rows = html(snapshot), html(snapshot, "map-rows")
    for told in (drawn, rows):
        assert len(re.findall(r'class="st warn".*?</svg>\s*Only copy 1', told)) == 1
        assert len(re.findall(r'class="st info".*?</svg>\s*Moves 1', told)) == 1
    assert re.search(r'class="box bad small tiny"[^>]*data-k="nodes/-/node-0"', drawn)
    assert "lose=node-0" in screen._url(view="list") and "lose" not in screen._url(lose="")
