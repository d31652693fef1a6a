"""The page of objects that are created one after the other."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import QueryDict

from dashboard.live.screens.create import CreationScreen
from dashboard.models import Change, Operation

from ..insight.world import NOW, World, deployment
from .seen import everything, runtime, sees, session


@pytest.mark.parametrize(
    ("title", "state", "said"),
    [
        ("Create 1 more object", "waiting", "Create 1 more object"),
        ("Create 1 more object", "done", "Created 1 more object"),
        ("Undo 2 more objects", "done", "Undone: 2 more objects"),
    ],
)
def test_a_step_that_is_done_is_no_longer_to_be_done(title: str, state: str, said: str) -> None:
    found: Any = SimpleNamespace(reader=World())
    screen = CreationScreen(session(found), QueryDict(), 1)
    sees(screen, everything())
    screen.change = Change(
        action="create-all", plural="services", kind="Service", name="api", pk=1, created_at=NOW
    )
    step = {"title": title, "state": state, "text": "", "began": "", "ended": ""}
    screen.operation = Operation(change=screen.change, state=Operation.State.DONE, steps=[step])
    stage = screen.stage(1, step, NOW)
    assert (stage["title"], stage["lead"]) == (said, said)


def test_a_deployment_with_its_service_is_followed_as_the_deployment() -> None:
    """Though the Service is made first: what needs nothing else goes before what does."""
    found = runtime()
    found.cluster.name = "tests"
    found.cache.put("services", {"metadata": {"name": "api"}, "spec": {"ports": [{"port": 80}]}})
    screen = CreationScreen(session(found), QueryDict(), 1)
    sees(screen, everything())
    rest = [
        ["configmaps", "ConfigMap", "shop", "api", "new"],
        ["deployments", "Deployment", "shop", "api", "new"],
        ["widgets.example.com", "Widget", "shop", "api", "new"],  # a kind that is no longer there
    ]
    screen.change = Change(
        action="create-all", pk=1, created_at=NOW, result={"rest": rest}, user=User(username="mara"),
        plural="services", kind="Service", namespace="shop", name="api",
    )  # fmt: skip
    said = screen.context()
    assert said["object"]["kind"] == "Deployment"
    assert [text for text, _ in said["breadcrumbs"]] == ["Deployments", "shop", "api"]
    assert said["breadcrumbs"][-1][1].endswith("/deployments/shop/api/")
    assert said["kubectl"] == "kubectl get deployments/api services/api configmaps/api -n shop"
    assert screen.more(NOW)["creation-open"].html.count("<a") == 1, "only what is there can be opened"
    found.cache.put("deployments", deployment("api"))
    opened = screen.more(NOW)["creation-open"].html
    assert opened.index("Open Deployment api") < opened.index("Open Service api")
    screen.change.undoes_id = 7
    assert "<a" not in screen.more(NOW)["creation-open"].html
