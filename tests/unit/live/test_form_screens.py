"""What the screens behind forms ask for: a preview that reads more says that the account may not list the rest."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.http import QueryDict

from dashboard.actions.action import Action
from dashboard.actions.create_yaml import CREATE
from dashboard.actions.edit_any import EDIT_ANY
from dashboard.actions.edit_form import EDIT_FORM
from dashboard.actions.editforms.registry import EDITINGS
from dashboard.actions.newobjects.form import NAMESPACE
from dashboard.actions.newobjects.registry import NEW_OBJECTS
from dashboard.actions.registry import action_named
from dashboard.actions.rotate import ROTATE
from dashboard.actions.undoing import undo_action
from dashboard.kinds import KINDS
from dashboard.kinds.rows import OFFERED
from dashboard.live.screens.create import CreateScreen
from dashboard.live.screens.editform import EditFormScreen
from dashboard.live.screens.newobject import NewObjectScreen
from dashboard.models import Change
from dashboard.views.changes import UndoScreen
from dashboard.views.rotate import RotateForm

from ..insight.world import World, meta
from .seen import runtime, session


@pytest.mark.parametrize("plural", EDITINGS)
def test_an_edit_by_form_asks_for_all_that_its_preview_tells_of(plural: str) -> None:
    screen = EditFormScreen(session(runtime()), QueryDict(), plural, "shop", "web", EDIT_FORM.name)
    assert screen.plurals >= EDIT_FORM.reads | EDITINGS[plural].reads


@pytest.mark.parametrize("action", [CREATE, EDIT_ANY], ids=lambda action: str(action.name))
@pytest.mark.parametrize("kind", sorted({kind.kind for kind in KINDS.values()}))
def test_what_is_asked_before_a_text_is_known_holds_for_every_kind(action: Action, kind: str) -> None:
    assert action.on({"yaml": {"kind": kind}}).reads <= action.reads


@pytest.mark.parametrize(
    ("action", "back"),
    [
        ("create", {"action": "create", "input": {"propagation": "Background"}}),
        ("create-all", {"action": "create-all", "input": {"propagation": "Background"}}),
        ("scale", {"action": "scale", "input": {"replicas": 1}}),
        ("scale", {}),
    ],
)
def test_an_undo_asks_for_all_that_the_way_back_tells_of(action: str, back: dict[str, Any]) -> None:
    screen = UndoScreen(session(runtime()), QueryDict(), "deployments", "shop", "web", action)
    screen.change = Change(action=action, plural="deployments", inverse=back)
    reads = undo_action(action_named, screen.change).reads if back else frozenset[str]()
    assert screen.plurals >= (reads | screen.action.reads) & KINDS.keys()


def test_of_a_kind_that_nobody_asked_about_it_is_not_told_that_it_may_not_be_listed() -> None:
    reader = session(runtime(), {}).reader
    assert reader.knows("secrets", "shop") is False


@pytest.mark.parametrize("form", NEW_OBJECTS, ids=lambda form: str(form.plural))
def test_a_new_object_asks_for_all_that_its_preview_tells_of(form: object) -> None:
    plural = str(getattr(form, "plural", ""))
    screen = NewObjectScreen(session(runtime()), QueryDict(), plural)
    assert screen.plurals >= CREATE.reads | screen.form.reads
    assert screen.waits_for >= screen.form.reads, "its checks wait for these alone"


def test_the_names_that_a_form_offers_are_bounded() -> None:
    """A cluster may have any number of namespaces, and a namespace of CronJobs."""
    world = World()
    for at in range(OFFERED + 7):
        world.add("namespaces", {"metadata": {"name": f"team-{at:04}"}})
        world.add("cronjobs", {"metadata": meta(f"job-{at:04}"), "spec": {}})
    screen: Any = SimpleNamespace(session=SimpleNamespace(reader=world))
    for names in (CreateScreen.namespaces.fget(screen), [*NAMESPACE.suggest(SimpleNamespace(objects=world))]):  # type: ignore[attr-defined, arg-type]
        assert names == [f"team-{at:04}" for at in range(OFFERED)]


async def test_the_cronjob_of_the_address_is_offered_for_a_rotation_among_ever_so_many() -> None:
    world = World()
    for at in range(OFFERED + 7):
        world.add("cronjobs", {"metadata": meta(f"job-{at:04}"), "spec": {}})
    for asked, count in (("", OFFERED), ("job-0405", OFFERED + 1), ("gone", OFFERED)):
        form: Any = SimpleNamespace(
            request=SimpleNamespace(method="GET", GET={"job": asked}),
            session=SimpleNamespace(reader=world),
            target=SimpleNamespace(namespace="shop"),
            keys=lambda form: {},
            url="",
            action=ROTATE,
        )
        told = await RotateForm.fields(form, SimpleNamespace(manifest={}), SimpleNamespace())  # type: ignore[arg-type]
        assert (len(told["jobs"]), told["more_jobs"]) == (count, OFFERED + 7 - count)
        assert [each["name"] for each in told["jobs"] if each["chosen"]] == [asked] * (count > OFFERED)
