"""Cards of an object lead to no page of an object that certainly is not there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from dashboard.kinds import KINDS
from dashboard.live.screens.detail.cards.durability import DurabilityCard
from dashboard.live.screens.detail.cards.facts import FactsCard
from dashboard.live.screens.detail.cards.tables import TablesCard

from .seen import everything, nothing, runtime, session

OPTIONAL = {"configMap": {"name": "settings", "optional": True}}
POD = {
    "metadata": {"name": "web"},
    "spec": {
        "serviceAccountName": "robot",
        "containers": [{"name": "c", "volumeMounts": [{"name": "v", "mountPath": "/x"}]}],
        "volumes": [{"name": "v", **OPTIONAL}],
    },
}
BINDING = {
    "metadata": {"name": "web"},
    "roleRef": {"kind": "Role", "name": "reader"},
    "subjects": [{"kind": "ServiceAccount", "name": "robot", "namespace": "shop"}],
}


def shown(card: Any, found: Any, plural: str, region: str, **less: Any) -> str:
    kind = KINDS[plural]
    screen = SimpleNamespace(
        runtime=found, session=session(found, everything(**less)), kind=kind, url="/here/"
    )
    obj = found.reader.get(plural, "shop", "web")
    return str(card(screen).show(obj, kind.detail(obj)).regions[region].html)


@pytest.mark.parametrize(
    ("card", "plural", "manifest", "region", "other"),
    [
        (FactsCard, "pods", POD, "facts", "serviceaccounts/shop/robot"),
        (DurabilityCard, "pods", POD, "durability", "configmaps/shop/settings"),
        (TablesCard, "rolebindings", BINDING, "tables", "serviceaccounts/shop/robot"),
    ],
)
def test_a_link_leads_to_what_is_there_or_may_be(
    card: Any, plural: str, manifest: Any, region: str, other: str
) -> None:
    found = runtime()
    found.cache.put(plural, manifest)
    link, (kind, _, name) = f'href="/c/tests/{other}/"', other.split("/")
    assert link not in shown(card, found, plural, region)
    assert link in shown(card, found, plural, region, **{kind: nothing(kind)})
    found.cache.put(kind, {"metadata": {"name": name}})
    assert link in shown(card, found, plural, region)
