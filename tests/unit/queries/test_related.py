"""What an object uses and what uses it, as far as a user may see; and the index under real stores."""

from __future__ import annotations

from typing import Any

from dashboard.insight.usedby import Users, ref_of
from dashboard.queries.access import Visible
from dashboard.queries.relations import Related, related
from tests.unit.live.seen import everything, nothing, runtime, session


def world() -> Any:
    found = runtime()
    spec = {
        "containers": [{"name": "c", "envFrom": [{"configMapRef": {"name": "settings"}}]}],
        "nodeName": "n1",
    }
    found.cache.put("pods", {"metadata": {"name": "web", "labels": {"app": "web"}}, "spec": spec})
    found.cache.put("deployments", {"metadata": {"name": "web"}, "spec": {"template": {"spec": spec}}})
    found.cache.put("services", {"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}}})
    found.cache.put("configmaps", {"metadata": {"name": "settings"}})
    found.cache.put("nodes", {"metadata": {"name": "n1"}})
    return found


def of(found: Any, plural: str, name: str, namespace: str = "shop", **less: Visible) -> Related:
    return related(
        session(found, everything(**less)).reader, plural, found.reader.get(plural, namespace, name)
    )


def names(relations: Any) -> set[str]:
    return {f"{ref.kind}/{ref.name}" for ref in relations}


def test_what_the_user_may_not_list_is_left_out_and_that_is_said() -> None:
    whole = of(world(), "configmaps", "settings")
    assert names(whole.used_by) == {"Deployment/web", "Pod/web"}
    assert whole.hidden == ()
    part = of(world(), "configmaps", "settings", pods=nothing("pods"))
    assert names(part.used_by) == {"Deployment/web"}
    assert part.hidden == ("pods",)
    elsewhere = of(world(), "configmaps", "settings", deployments=Visible(frozenset({"other"})))
    assert names(elsewhere.used_by) == {"Pod/web"}
    assert elsewhere.hidden == ("deployments",)
    assert of(world(), "configmaps", "settings", deployments=Visible(frozenset({"shop"}))).hidden == ()


def test_pods_that_may_be_listed_in_some_namespaces_are_those_of_a_node_there() -> None:
    found = world()
    found.cache.put("pods", {"metadata": {"name": "far", "namespace": "other"}, "spec": {"nodeName": "n1"}})
    some = of(found, "nodes", "n1", namespace="", pods=Visible(frozenset({"shop"})))
    assert names(some.used_by) == {"Pod/web"}
    assert some.hidden == ("pods",)


def test_what_an_object_names_itself_is_no_secret_but_what_it_selects_is() -> None:
    pod = of(world(), "pods", "web", configmaps=nothing("configmaps"), services=nothing("services"))
    assert "ConfigMap/settings" in names(pod.uses)
    assert pod.used_by == {}
    service = of(world(), "services", "web", pods=nothing("pods"))
    assert service.uses == {}


async def test_an_index_read_in_slices_while_objects_change_knows_them_as_they_are() -> None:
    found = world()
    spec = {"containers": [], "nodeName": "n1"}
    found.cache.put("pods", *({"metadata": {"name": f"p-{at}"}, "spec": spec} for at in range(500)))
    reading = found.reader.know_users()
    reading.send(None)  # the first slice is read
    found.cache.put("pods", {"metadata": {"name": "p-0"}, "spec": {"containers": [], "nodeName": "n2"}})
    found.cache.put("pods", {"metadata": {"name": "p-499"}, "spec": {"containers": [], "nodeName": "n2"}})
    found.cache.remove("pods", "shop", "p-1")
    found.cache.remove("pods", "shop", "p-498")
    node = found.reader.get("nodes", "", "n1")
    assert names(found.reader.used_by("nodes", node)) == {
        "Pod/web", *(f"Pod/p-{at}" for at in range(500) if at not in (0, 1, 498, 499))
    }  # fmt: skip
    anew = Users.among(found.reader)
    settings = found.reader.get("configmaps", "shop", "settings")
    assert found.reader.used_by("nodes", node) == dict(anew.of(ref_of("nodes", node)))
    assert found.reader.used_by("configmaps", settings) == dict(anew.of(ref_of("configmaps", settings)))
    reading.close()
