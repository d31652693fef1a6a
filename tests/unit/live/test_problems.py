"""Problems as rows: where a step leads, what is told with it, and whose logs and certificates are read."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from dashboard.insight import Problem, findings, problems
from dashboard.insight.finding import LogWish, Step
from dashboard.kinds import KINDS
from dashboard.kinds.base import GVR, Ref
from dashboard.kinds.catalogue import APISERVICES
from dashboard.kinds.tablekinds import Resource, TableKind
from dashboard.live.screens.detail.cards import problems as card_module
from dashboard.live.screens.detail.cards.problems import ProblemsCard
from dashboard.live.screens.problems import finding_rows, problem_rows, step_url

from ..insight.world import NOW, World, ended, ingress, node, pod, replicaset, service, waiting
from .seen import everything, session

RUNTIME: Any = SimpleNamespace(cluster=SimpleNamespace(slug="here"), kinds=KINDS, transport=None)
POD = Ref("Pod", "shop", "web-1", "pods")
CRASHING = pod(owner=None, ready=False, state=waiting("CrashLoopBackOff"), last=ended(1), restarts=7)


@pytest.mark.parametrize(
    ("step", "url"),
    [
        (Step("Look.", POD), "/c/here/pods/shop/web-1/"),
        (Step("Read.", POD, "logs", "app", True), "/c/here/pods/shop/web-1/logs/?container=app&previous=1"),
        (Step("Read.", POD, "logs", "app"), "/c/here/pods/shop/web-1/logs/?container=app"),
        (
            Step("Edit.", Ref("ConfigMap", "shop", "a", "configmaps"), "edit"),
            "/c/here/configmaps/shop/a/edit/",
        ),
        (Step("Look.", Ref("Node", "", "n", "nodes")), "/c/here/nodes/-/n/"),
        (Step("Ask.", Ref("Widget", "shop", "w")), ""),
        (Step("Wait."), ""),
    ],
)
def test_a_step_leads_to_a_page_where_there_is_one(step: Step, url: str) -> None:
    assert step_url(RUNTIME, step) == url


def test_a_page_reads_whatever_its_rules_read() -> None:
    of_namespaces = KINDS["namespaces"]
    assert APISERVICES.key in ProblemsCard.plurals_of(of_namespaces), "namespaces may hang on them"
    assert APISERVICES.key not in ProblemsCard.waits_of(of_namespaces), "no page waits for them"
    other = TableKind.of(Resource(GVR("example.com", "v1", "gadgets"), "Gadget"))
    assert ProblemsCard.fits(other) and "pods" in ProblemsCard.plurals_of(other), "it may have pods"


def in_short(world: World) -> str:
    found = problems(findings(world, NOW))
    return "".join(part.html for part in problem_rows(RUNTIME, found, {}).values())


def test_overview_names_a_few_consequences_and_counts_the_rest() -> None:
    world = World(("nodes", node(ready="Unknown")))
    for index in range(9):
        owner = ("ReplicaSet", f"web-{index}")
        world.add("pods", pod(f"web-{index}-x", owner=owner, ready=False))
        world.add(
            "replicasets",
            replicaset(f"web-{index}", "gone") | {"metadata": {"name": f"web-{index}", "namespace": "shop"}},
        )
    html = in_short(world)
    assert html.count("<li") == 1
    assert "Follows from it: " in html and " and 5 more" in html


def test_evidence_of_hostile_objects_is_text() -> None:
    world = World(("ingresses", ingress("<img src=x>")), ("services", service()))
    html = in_short(world)
    assert "<img" not in html and "&lt;img" in html


def test_object_page_tells_all_evidence_and_the_last_lines() -> None:
    (found,) = findings(World(("pods", CRASHING)), NOW)
    assert found.log is not None
    lines = {found.log: [("2026-03-01T12:00:00Z", "FATAL <no database>")]}
    (part,) = finding_rows(RUNTIME, [found], lines, here="").values()
    assert "exit code 1, Error; started again 7 times so far" in part.html
    assert "FATAL &lt;no database&gt;" in part.html
    assert 'href="/c/here/pods/shop/web-1/logs/?container=app&amp;previous=1"' in part.html


def test_object_page_does_not_lead_to_itself() -> None:
    world = World(("nodes", node(unschedulable=True)))
    (part,) = finding_rows(RUNTIME, findings(world, NOW), {}, here="/c/here/nodes/-/node-1/").values()
    assert 'class="next"' in part.html and "<a" not in part.html.split('class="next"')[1]


class Reader(World):
    """A World in the place of the cache."""

    def changed_at(self, _: Any) -> float:
        return 0.0

    def knows(self, *_: str) -> bool:
        return True


def card(world: World, plural: str, name: str, *, may: bool = True) -> ProblemsCard:
    runtime: Any = SimpleNamespace(cluster=RUNTIME.cluster, kinds=KINDS, reader=world)
    screen: Any = SimpleNamespace(
        runtime=runtime, session=session(runtime, may=may), visible=everything(), kind=KINDS[plural],
        namespace="shop", name=name,
        newest=lambda: world.get(plural, "shop", name),
    )  # fmt: skip
    return ProblemsCard(screen)


@pytest.mark.parametrize("may", [True, False])
async def test_logs_and_certificates_are_read_only_where_the_user_may(
    may: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    async def lines(_: Any, wishes: list[LogWish], former: Any) -> dict[LogWish, list[tuple[str, str]]]:
        asked.extend(wishes)
        return {wish: [("", "a line")] for wish in wishes}

    async def certificates(*_: Any) -> list[Any]:
        asked.append("certificates")
        return []

    monkeypatch.setattr(card_module, "last_lines", lines)
    monkeypatch.setattr(card_module, "certificate_problems", certificates)
    one = card(Reader(("pods", CRASHING)), "pods", "web-1", may=may)
    await one.prepare()
    assert bool(asked) is may
    other = card(Reader(("pods", CRASHING)), "pods", "web-1", may=not may)
    await other.prepare()
    assert one.screen.session.decided != other.screen.session.decided, "they share no showing"
    (part,) = one.show(one.screen.newest(), None).lists["problems"].values()  # type: ignore[arg-type]
    assert ("a line" in part.html) is may


def test_problem_without_others_says_nothing_of_others() -> None:
    (found,) = findings(World(("pods", CRASHING)), NOW)
    (part,) = problem_rows(RUNTIME, [Problem(found)], {}).values()
    assert 'class="also"' not in part.html


def test_an_object_of_a_custom_kind_is_linked_to_its_own_page() -> None:
    clones = SimpleNamespace(
        kind="StatefulSet", plural="statefulsets.clones.example.com",
        gvr=SimpleNamespace(group="clones.example.com", namespaced=True),
    )  # fmt: skip
    runtime: Any = SimpleNamespace(cluster=RUNTIME.cluster, kinds={**KINDS, clones.plural: clones})
    manifest = dict(CRASHING, metadata=dict(CRASHING["metadata"]))
    owner = {"apiVersion": "clones.example.com/v1", "kind": "StatefulSet", "name": "ring", "uid": "r"}
    manifest["metadata"]["ownerReferences"] = [owner | {"controller": True}]
    found = findings(World(("pods", manifest)), NOW)
    html = "".join(part.html for part in problem_rows(runtime, problems(found), {}).values())
    assert 'href="/c/here/statefulsets.clones.example.com/shop/ring/"' in html
    assert "/c/here/statefulsets/" not in html


def test_an_object_with_the_same_fault_twice_has_both_told() -> None:
    path = {
        "pathType": "Prefix",
        "path": "/too",
        "backend": {"service": {"name": "b", "port": {"number": 80}}},
    }
    twice = ingress("a")
    twice["spec"]["rules"][0]["http"]["paths"].append(path)
    found = findings(World(("ingresses", twice)).reading("services"), NOW)
    rows = finding_rows(RUNTIME, found, {}, "")
    assert len(found) == len(rows) == 2
