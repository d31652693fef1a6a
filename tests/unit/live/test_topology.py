"""The steps that an object belongs to: none of what may not be listed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from dashboard.kinds import KINDS
from dashboard.live.screens.detail.cards.topology import TopologyCard
from dashboard.queries.access import Visible

from .seen import everything, nothing, runtime, session


def by(kind: str, name: str, plural: str) -> list[dict[str, Any]]:
    uid = f"{plural}-{name}"
    return [{"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid, "controller": True}]


def card(plural: str, name: str, **less: Visible) -> str:
    found = runtime()
    found.cache.put("deployments", {"metadata": {"name": "web"}})
    owner = by("Deployment", "web", "deployments")
    found.cache.put(
        "replicasets",
        {"metadata": {"name": "web-5f", "ownerReferences": owner}, "spec": {"replicas": 1}},
    )
    meta = {"name": "web-5f-x", "ownerReferences": by("ReplicaSet", "web-5f", "replicasets")}
    found.cache.put("pods", {"metadata": meta})
    screen: Any = SimpleNamespace(
        runtime=found,
        session=session(found, everything(**less)),
        kind=KINDS[plural],
        namespace="shop",
        name=name,
    )
    obj = found.reader.get(plural, "shop", name)
    return TopologyCard(screen).show(obj, None).regions["topology"].html  # type: ignore[arg-type]


def test_upper_owners_are_told_as_far_as_what_names_them_may_be_listed() -> None:
    assert "/replicasets/shop/web-5f/" in card("pods", "web-5f-x")
    assert "/deployments/shop/web/" in card("pods", "web-5f-x")
    less = card("pods", "web-5f-x", replicasets=nothing("replicasets"))
    assert "/replicasets/shop/web-5f/" in less, "the pod itself names it"
    assert "/deployments/" not in less


def test_children_that_may_not_be_listed_are_left_out() -> None:
    assert "web-5f" in card("deployments", "web")
    assert "web-5f" not in card("deployments", "web", replicasets=nothing("replicasets"))
