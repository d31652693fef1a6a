"""After a deletion: where to go on, from the page of what is gone, from that of the change, and from an old link."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import pytest
from django.http import QueryDict

from dashboard.actions.action import Progress
from dashboard.kinds.base import Ref
from dashboard.live.screens.change import ChangeScreen
from dashboard.live.screens.common import links_after
from dashboard.live.screens.detail import DetailScreen, shown
from dashboard.models import Change
from dashboard.views.changes import UndoScreen

from .seen import everything, runtime, sees, session

NOW = datetime.now(UTC)
OWNER = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-abc", "uid": "rs", "controller": True}
ABOVE = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "d", "controller": True}


def pod(name: str, made: datetime, owner: dict[str, Any] | None = OWNER) -> dict[str, Any]:
    owners = [owner] if owner else []
    meta = {"name": name, "creationTimestamp": f"{made:%Y-%m-%dT%H:%M:%SZ}", "ownerReferences": owners}
    return {"metadata": meta, "spec": {"containers": []}}


def cluster(*pods: dict[str, Any]) -> Any:
    found = runtime()
    found.cache.put("replicasets", {"metadata": {"name": "web-abc", "uid": "rs", "ownerReferences": [ABOVE]}})
    found.cache.put("deployments", {"metadata": {"name": "web", "uid": "d"}})
    found.cache.put("pods", *pods)
    return found


def gone(found: Any, name: str = "web-1") -> dict[str, str]:
    screen = DetailScreen(session(found), QueryDict(), "pods", "shop", name)
    sees(screen, everything())
    screen.last = found.reader.get("pods", "shop", name)
    screen.ends_since = NOW
    found.cache.remove("pods", "shop", name)
    kind = screen.kind
    head = screen._head(kind.row(screen.last), kind.detail(screen.last), gone=True)
    return {link["text"]: link["url"] for link in head["gone"]["links"]}


def test_a_deleted_pod_leads_to_its_replacement_its_owners_its_list_and_its_timeline() -> None:
    old = NOW - timedelta(hours=1)
    links = gone(cluster(pod("web-1", old), pod("web-0", old), pod("web-2", NOW)))
    assert links == {
        "Replaced by web-2": "/c/tests/pods/shop/web-2/",
        "Deployment web": "/c/tests/deployments/shop/web/",
        "ReplicaSet web-abc": "/c/tests/replicasets/shop/web-abc/",
        "Pods in shop": "/c/tests/pods/?namespace=shop",
        "Timeline": "/c/tests/timeline/?namespace=shop&kind=pods&q=web-1",
    }


def test_what_was_there_before_or_belongs_to_another_replaces_nothing() -> None:
    old = NOW - timedelta(hours=1)
    other = OWNER | {"uid": "other", "name": "other"}
    links = gone(cluster(pod("web-1", old), pod("web-0", old), pod("other", NOW, other)))
    assert not any(text.startswith("Replaced") for text in links)
    alone = gone(cluster(pod("web-1", old, None), pod("web-2", NOW)))
    assert list(alone) == ["Pods in shop", "Timeline"]


async def test_a_page_that_comes_back_before_the_replacement_leads_to_it_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing tells that page anything more once it was answered."""
    found = cluster()
    found.lease, found.ready = lambda _: nullcontext(), AsyncMock()
    screen = DetailScreen(
        session(found), QueryDict(), "pods", "shop", "web-1", last_shown="apps/v1 ReplicaSet web-abc rs 5"
    )
    sees(screen, everything())
    monkeypatch.setattr(type(screen.session), "review", AsyncMock())
    asyncio.get_running_loop().call_later(0.2, found.cache.put, "pods", pod("web-2", datetime.now(UTC)))
    error = await screen._not_there()
    assert error.links[0]["text"] == "Replaced by web-2"


@pytest.mark.parametrize(
    ("plural", "namespace", "words"),
    [("nodes", "", ["Nodes", "Timeline"]), ("secrets", "shop", ["Secrets in shop", "Timeline"])],
)
def test_every_kind_leads_on(plural: str, namespace: str, words: list[str]) -> None:
    found = links_after(runtime(), plural, namespace, "one")
    assert [link["text"] for link in found][: len(words)] == words


def change(action: str) -> Any:
    made_by = {"kind": "ReplicaSet", "name": "web-abc", "uid": "rs"}
    return SimpleNamespace(
        action=action,
        plural="pods",
        namespace="shop",
        name="web-1",
        uid="pods-web-1",
        result={"controller": made_by},
        undoes_id=None,
    )


@pytest.mark.parametrize("action", ["delete", "evict"])
def test_the_page_of_the_change_leads_on_once_the_pod_is_gone(action: str) -> None:
    found = cluster(pod("web-1", NOW), pod("web-2", NOW))
    screen = ChangeScreen(session(found), QueryDict(), 1)
    sees(screen, everything())
    screen.change = change(action)
    progress = Progress(
        state="ok", headline="", text="", percent=100, replacement=Ref("Pod", "shop", "web-2", "pods")
    )
    assert screen._links(progress) == []
    found.cache.remove("pods", "shop", "web-1")
    texts = [link["text"] for link in screen._links(progress)]
    assert texts == ["Replaced by web-2", "Deployment web", "ReplicaSet web-abc", "Pods in shop", "Timeline"]


def test_a_controller_of_another_group_is_not_kubernetes_own_of_that_name() -> None:
    screen = ChangeScreen(session(cluster()), QueryDict(), 1)
    screen.change = change("delete")
    screen.change.result["controller"] |= {"apiVersion": "clones.example.com/v1"}
    links = screen._links(Progress(state="ok", headline="", text="", percent=100))
    assert [link["text"] for link in links] == ["Pods in shop", "Timeline"]


def test_a_change_that_deletes_nothing_says_nothing_of_it() -> None:
    screen = ChangeScreen(session(cluster()), QueryDict(), 1)
    screen.change = change("restart")
    assert screen._links(Progress(state="ok", headline="", text="", percent=100)) == []


@pytest.mark.parametrize(
    "words", [None, "", "web", "v1 ReplicaSet web-abc rs", "a b c d e f", "-1", "²", "1e3"]
)
def test_what_a_browser_says_that_it_showed_may_be_anything(words: str | None) -> None:
    assert shown.read(words, "shop", "web-1") is None


def test_what_was_shown_long_ago_is_replaced_by_nothing_known() -> None:
    last = shown.read("apps/v1 ReplicaSet web-abc rs 99999999999999999999", "shop", "web-1")
    assert last is not None
    assert last.at is None


def now_beside_undo(**facts: Any) -> str:
    """What stands beside the undo of a change of an object that is not there any more."""
    found = runtime()
    made = {
        "context": "tests", "action": "delete", "plural": "services", "kind": "Service", "namespace": "shop",
        "name": "web", "uid": "u", "state": "done",
    }  # fmt: skip
    change = Change(pk=7, **made | facts)
    screen = UndoScreen(
        session(found), QueryDict(), change.plural, change.namespace, change.name, change.action
    )
    sees(screen, everything())
    screen.change = change
    return screen.snapshot().regions["object-now"].html


def test_the_undo_of_a_deletion_expects_that_the_object_is_gone() -> None:
    back = {"action": "delete", "input": {"manifest": {}}}
    html = now_beside_undo(touched={"/metadata/deletionTimestamp": [False, True]}, inverse=back)
    assert "data-gone" not in html
    assert "deleted" in html


def test_the_undo_of_what_was_created_from_an_object_does_not_need_that_one() -> None:
    back = {"action": "delete", "input": {"propagation": "Background", "created": "nightly-x"}}
    assert "data-gone" not in now_beside_undo(
        action="run", plural="cronjobs", kind="CronJob", name="nightly", inverse=back
    )


def test_any_other_undo_needs_the_object() -> None:
    back = {"action": "scale", "input": {"replicas": 1}}
    html = now_beside_undo(action="scale", plural="deployments", kind="Deployment", inverse=back)
    assert "data-gone" in html
    back = {"action": "create", "input": {"propagation": "Background"}}
    assert "data-gone" in now_beside_undo(action="create", inverse=back)
