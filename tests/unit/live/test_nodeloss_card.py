"""What the page of a node says of its loss: each pod under a mark with a colour, an icon and a word."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest

from dashboard.insight.losing.marks import MARKS
from dashboard.kinds import KINDS
from dashboard.live.screens.detail.cards import nodeloss
from dashboard.live.screens.detail.cards.nodeloss import NodeLossCard
from tests.unit.insight.test_losing import claimed, database, web, with_spec, zoned
from tests.unit.insight.world import deployment, pod, replicaset

from .seen import everything, nothing, runtime, session

OBJECTS = [
    *(("nodes", zoned(name, "a")) for name in ("node-1", "node-2", "node-3")),
    *web("node-1", "node-2"),
    ("deployments", deployment("alone", replicas=1)), ("replicasets", replicaset("alone-1", "alone")),
    ("pods", pod("alone-x", owner=("ReplicaSet", "alone-1"), node="node-1")),
    *database("node-1"), *claimed(0, "node-1"),
    ("pods", pod("waits-0", owner=("StatefulSet", "waits"), node="node-1")),
    ("pods", pod("shell", owner=None, node="node-1")),
    ("pods", pod("agent", owner=("DaemonSet", "agent"), node="node-1")),
]  # fmt: skip
UNDER = {
    "Lost": "shell", "Loses data": "db-0", "Stays down": "waits-0", "Only copy": "alone-x", "Moves": "web-0",
    "Node's own": "agent",
}  # fmt: skip


async def shown(node: str, *more: tuple[str, dict[str, Any]], **less: Any) -> str:
    found = runtime()
    for plural, manifest in (*OBJECTS, *more):
        found.cache.put(plural, manifest)
    visible = everything(**less)
    screen: Any = SimpleNamespace(
        runtime=found, session=session(found, visible), kind=KINDS["nodes"], name=node, visible=visible
    )
    card = NodeLossCard(screen)
    await card.prepare()
    obj = found.reader.get("nodes", "", node)
    return card.show(obj, KINDS["nodes"].detail(obj)).regions["nodeloss"].html.replace("&#x27;", "'")


async def test_each_mark_has_its_colour_its_icon_and_its_word_and_the_pods_that_it_is_of() -> None:
    html = await shown("node-1")
    groups = re.findall(
        r'<li><details(\s+open)?><summary>.*?<span class="st (\w+)">(<svg.*?</svg>)([^<]+)</span>(.*?)</details>',
        html,
        re.DOTALL,
    )
    assert [(state, word) for _, state, _, word, _ in groups] == [(mark.state, mark.word) for mark in MARKS]
    for (opened, state, icon, word, rest), mark in zip(groups, MARKS, strict=True):
        assert f'#i-{mark.icon}"' in icon, word
        assert bool(opened) is (state in ("bad", "warn")), "what is bad is unfolded"
        assert mark.text in rest and ">1 pod</b>" in re.sub(r"\s+", " ", rest)
        assert f'href="/c/tests/pods/shop/{UNDER[word]}/"' in rest
    assert "web-1" not in html, "that pod is on another node"
    assert (
        'href="/c/tests/map/?lose=node-1"' in html and 'href="/c/tests/resilience/?lose=node/node-1"' in html
    )
    assert "Not all of it may be" not in html


async def test_a_node_without_pods_has_no_card_and_what_may_not_be_seen_is_said() -> None:
    assert " hidden>" in re.sub(r"\s+", " ", await shown("node-3")).partition("<header")[0]
    for less in ({"pods": nothing("pods")}, {"persistentvolumes": nothing("persistentvolumes")}):
        html = await shown("node-1", **less)
        assert " hidden>" not in re.sub(r"\s+", " ", html).partition("<header")[0]
        assert "Not all of it may be" in html


async def test_of_many_pods_some_are_named_and_the_others_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodeloss, "PODS", 1)
    more = with_spec(pod("shell-2", owner=None, node="node-1"))
    html = await shown("node-1", ("pods", more))
    assert "2 pods" in re.sub(r"\s+", " ", html) and "and 1 more" in html


def test_nodes_alone_have_it() -> None:
    assert [plural for plural, kind in KINDS.items() if NodeLossCard.fits(kind)] == ["nodes"]
