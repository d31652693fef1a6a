"""Objects as large as a cluster takes them: each page shows a part, says where the rest is, and fits into its frames."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import QueryDict

from dashboard.kinds import KINDS
from dashboard.live.screens.detail import DetailScreen
from dashboard.live.screens.detail.cards import CARDS
from dashboard.live.screens.rowparts import MAX_CELL, row_part
from dashboard.live.snapshot import MAX_FRAME, Have, Snapshot, frames
from tests.unit.live import seen

from .seen import session

TEMPLATE = {
    "metadata": {"labels": {"app": "x"}},
    "spec": {"containers": [{"name": f"c{n}", "image": f"registry.example/app-{n}:1"} for n in range(1000)]},
}
ENV = [{"name": f"VARIABLE_{n}", "value": "x" * 50} for n in range(10_000)]
LONG = "word " * 6_000
OBJECTS: dict[str, tuple[str, dict[str, Any]]] = {
    "a ConfigMap of many keys": ("configmaps", {"data": {f"key-{n}": "x" for n in range(20_000)}}),
    "a ConfigMap of many binary keys": (
        "configmaps",
        {"binaryData": {f"key-{n}": "eA==" for n in range(20_000)}},
    ),
    "a Deployment of many containers": (
        "deployments",
        {"spec": {"replicas": 1, "selector": {"matchLabels": {"app": "x"}}, "template": TEMPLATE}},
    ),
    "a Pod of many variables": (
        "pods",
        {
            "spec": {"containers": [{"name": "app", "image": "a" * 100_000, "env": ENV}]},
            "status": {"phase": "Running"},
        },
    ),
    "a Pod of long conditions": (
        "pods",
        {
            "spec": {"containers": [{"name": "app", "image": "a"}]},
            "status": {
                "phase": "Pending",
                "conditions": [{"type": f"T{n}", "status": "False", "message": LONG} for n in range(300)],
            },
        },
    ),
    "a Role of many rules": (
        "roles",
        {"rules": [{"apiGroups": [""], "resources": [f"r{n}"], "verbs": ["get"]} for n in range(8000)]},
    ),
    "an object of many annotations": (
        "configmaps",
        {
            "metadata": {"annotations": {f"example.com/{n}": "x" * 250 for n in range(1000)}},
            "data": {"a": "b"},
        },
    ),
}


def shown(plural: str, manifest: dict[str, Any]) -> Snapshot:
    """What the cards of the object's page show that live from the object alone."""
    runtime = seen.runtime()
    whole = manifest | {"metadata": {"name": "large"} | manifest.get("metadata", {})}
    runtime.cache.put(plural, whole)
    screen = DetailScreen(session(runtime), QueryDict(""), plural, "shop", "large")
    obj = runtime.reader.get(plural, "shop", "large")
    detail = KINDS[plural].detail(obj)
    wanted = ("KeysCard", "ContainersCard", "FactsCard", "ConditionsCard", "TablesCard")
    cards = [card(screen) for card in CARDS if card.__name__ in wanted and card.fits(KINDS[plural])]
    assert cards
    return Snapshot.joined(card.show(obj, detail) for card in cards)


@pytest.mark.parametrize("name", OBJECTS)
def test_a_large_object_fits_into_frames(name: str) -> None:
    snapshot = shown(*OBJECTS[name])
    bodies = frames(Have(), snapshot)
    assert bodies and not any('"http":true' in body for body in bodies)
    assert sum(len(body.encode()) for body in bodies) < 2 * MAX_FRAME
    assert sum(part.html.count("<") for part in snapshot.regions.values()) < 5_000


@pytest.mark.parametrize(
    ("name", "region", "rest"),
    [
        ("a ConfigMap of many keys", "keys", "19500"),
        ("a Deployment of many containers", "containers", "900"),
        ("a Role of many rules", "tables", "7900"),
        ("a Pod of long conditions", "conditions", "200"),
    ],
)
def test_what_is_not_shown_is_told_with_where_it_is(name: str, region: str, rest: str) -> None:
    html = shown(*OBJECTS[name]).regions[region].html
    assert f"and {rest} more" in html
    assert "/large/yaml/" in html


def test_a_cell_of_any_length_is_cut_in_its_row() -> None:
    runtime = seen.runtime()
    image = "a" * 100_000
    runtime.cache.put(
        "pods", {"metadata": {"name": "large"}, "spec": {"containers": [{"name": "a", "image": image}]}}
    )
    kind = KINDS["deployments"]
    runtime.cache.put(
        "deployments",
        {
            "metadata": {"name": "large"},
            "spec": {"template": {"spec": {"containers": [{"name": "a", "image": image}]}}, "selector": {}},
        },
    )
    row = runtime.reader.row("deployments", runtime.reader.get("deployments", "shop", "large"))
    runtime.timeline = type("Timeline", (), {"changed_at": staticmethod(lambda uid: None)})()
    html = row_part(runtime, "deployments", row, kind.columns).html
    assert len(html) < 20 * MAX_CELL
