"""The card of an object's relations: what is said, folded and left out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from dashboard.kinds import KINDS
from dashboard.live.screens.detail.cards.relations import ROWS, RelationsCard
from tests.unit.markup import flat

from .seen import everything, nothing, runtime, session


def card(found: Any, plural: str, name: str, namespace: str = "shop", **less: Any) -> str:
    screen = SimpleNamespace(
        runtime=found,
        session=session(found, everything(**less)),
        kind=KINDS[plural],
        namespace=namespace,
        name=name,
    )
    shown = RelationsCard(screen).show(found.reader.get(plural, namespace, name), None)  # type: ignore[arg-type]
    return flat(shown.regions["relations"].html)


def pod(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "c"}], **spec}}


def reads(name: str, volume: dict[str, Any], **mount: str) -> dict[str, Any]:
    mounts = [{"name": "v", "mountPath": "/x", **mount}] if mount != {"none": ""} else []
    container = {"name": "c", "volumeMounts": mounts}
    return {
        "metadata": {"name": name},
        "spec": {"containers": [container], "volumes": [{"name": "v", **volume}]},
    }


def test_what_a_change_would_do_is_said_where_it_is_used() -> None:
    found = runtime()
    config = {"configMap": {"name": "settings"}}
    found.cache.put("configmaps", {"metadata": {"name": "settings"}})
    found.cache.put("pods", reads("whole", config), reads("part", config, subPath="key"))
    html = card(found, "configmaps", "settings")
    soon, never = html.index("a change is propagated automatically"), html.index("a change never reaches")
    assert html.index(">whole<") < soon or html.index(">part<") < never
    assert html.count("a change") == 2, "a volume of which only a file is mounted is said once"


def test_what_is_named_and_not_there_stands_out_unless_it_is_optional() -> None:
    found = runtime()
    variable = {
        "name": "A",
        "valueFrom": {"configMapKeyRef": {"name": "maybe", "key": "a", "optional": True}},
    }
    containers = [{"name": "c", "env": [variable], "envFrom": [{"secretRef": {"name": "gone"}}]}]
    found.cache.put("pods", {"metadata": {"name": "web"}, "spec": {"containers": containers}})
    html = card(found, "pods", "web")
    assert "Not there, which is allowed" in html
    assert html.count("Missing") == 1
    unseen = card(found, "pods", "web", secrets=nothing("secrets"))
    assert "Missing" not in unseen and ">gone<" in unseen


def test_a_class_that_need_not_be_there_is_not_missing() -> None:
    found = runtime()
    claim = {"metadata": {"name": "data"}, "spec": {"storageClassName": "by-hand"}}
    found.cache.put("persistentvolumeclaims", claim)
    assert "Missing" in card(found, "persistentvolumeclaims", "data")
    claim["spec"]["volumeName"] = "pv"
    found.cache.put("persistentvolumes", {"metadata": {"name": "pv"}, "spec": {}})
    found.cache.put("persistentvolumeclaims", claim)
    assert "Not there, which is allowed" in card(found, "persistentvolumeclaims", "data")
    older = {"name": "old", "annotations": {"kubernetes.io/ingress.class": "edge"}}
    found.cache.put(
        "ingresses", {"metadata": older}, {"metadata": {"name": "new"}, "spec": {"ingressClassName": "edge"}}
    )
    assert "Not there, which is allowed" in card(found, "ingresses", "old")
    assert "Missing" in card(found, "ingresses", "new")


def test_many_users_are_folded_and_at_most_two_hundred_are_sent() -> None:
    found = runtime()
    found.cache.put("nodes", {"metadata": {"name": "n1"}})
    found.cache.put("pods", *(pod(f"p-{at:03}", nodeName="n1") for at in range(ROWS + 50)))
    html = card(found, "nodes", "n1", namespace="")
    assert html.count("<li>") == ROWS
    assert "and 50 more that are not shown here" in html
    assert f"{ROWS - 5} more" in html


def test_what_may_not_be_listed_is_said_to_be_missing_from_the_card() -> None:
    found = runtime()
    found.cache.put("configmaps", {"metadata": {"name": "settings"}})
    html = card(found, "configmaps", "settings", pods=nothing("pods"))
    assert "You may not list all Pods" in html
    assert "Nothing that you may see uses it." in html


def test_a_side_with_nothing_is_said_in_one_line() -> None:
    found = runtime()
    found.cache.put("configmaps", {"metadata": {"name": "settings"}})
    html = card(found, "configmaps", "settings")
    assert "It uses nothing. Nothing uses it." in html and "<h3" not in html
    container = {"name": "a", "image": "a", "envFrom": [{"configMapRef": {"name": "settings"}}]}
    found.cache.put("pods", pod("web", containers=[container]))
    html = card(found, "configmaps", "settings")
    assert html.count("<h3") == 1 and "It uses nothing." in html and "Nothing uses it." not in html
