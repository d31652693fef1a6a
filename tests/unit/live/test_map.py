"""The map: what is drawn, what is folded, what stands out, and what a user may not see."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.http import QueryDict

from dashboard.errors import BadInput
from dashboard.live.screens.map import MapScreen
from dashboard.live.screens.map.screen import MOST
from dashboard.live.snapshot import Snapshot
from dashboard.queries.access import Visible

from .seen import everything, nothing, runtime


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
    screen = MapScreen(found, QueryDict(query))
    screen.visible = everything(**less)
    return screen.snapshot()


def html(snapshot: Snapshot, name: str = "map-apps") -> str:
    return "".join(part.html for part in snapshot.lists[name].values())


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
    assert "Connected to nothing" in drawn and "deployments/shop/worker" in lines
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
    assert 'data-k="Job/shop/train"' in drawn and "There is no Job of this name" not in drawn


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
    assert "80 applications, 2000 pods" in snapshot.regions["map-head"].html
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
    for name in ("shop", "web", "settings", "login", "node-0", "3 pods, fine"):
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
    for at in range(MOST + 20):
        deployment(found.cache, f"app-{at}", 1, namespace=f"team-{at % 3}", ready=at != MOST + 5)
    snapshot = shown(found, "view=list")
    assert len(snapshot.lists["map-rows"]) == MOST
    assert f"map-deployments/team-{(MOST + 5) % 3}/app-{MOST + 5}" in snapshot.lists["map-rows"]
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
