"""The page of objects that are created one after the other."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.http import QueryDict

from dashboard.live.screens.create import CreationScreen
from dashboard.models import Change, Operation

from ..insight.world import NOW, World
from .seen import everything, sees, session


@pytest.mark.parametrize(
    ("title", "state", "said"),
    [
        ("Create 1 more object", "waiting", "Create 1 more object"),
        ("Create 1 more object", "done", "Created 1 more object"),
        ("Undo 2 more objects", "done", "Undone: 2 more objects"),
    ],
)
def test_a_step_that_is_done_is_no_longer_to_be_done(title: str, state: str, said: str) -> None:
    runtime: Any = SimpleNamespace(reader=World())
    screen = CreationScreen(session(runtime), QueryDict(), 1)
    sees(screen, everything())
    screen.change = Change(
        action="create-all", plural="services", kind="Service", name="api", pk=1, created_at=NOW
    )
    step = {"title": title, "state": state, "text": "", "began": "", "ended": ""}
    screen.operation = Operation(change=screen.change, state=Operation.State.DONE, steps=[step])
    stage = screen.stage(1, step, NOW)
    assert (stage["title"], stage["lead"]) == (said, said)
