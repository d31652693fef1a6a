"""What the screens behind forms ask for: a preview that reads more says that the account may not list the rest."""

from __future__ import annotations

import pytest
from django.http import QueryDict

from dashboard.actions.create_yaml import CREATE
from dashboard.actions.edit_form import EDIT_FORM
from dashboard.actions.editforms.registry import EDITINGS
from dashboard.actions.newobjects.registry import NEW_OBJECTS
from dashboard.live.screens.editform import EditFormScreen
from dashboard.live.screens.newobject import NewObjectScreen

from .seen import runtime, session


@pytest.mark.parametrize("plural", EDITINGS)
def test_an_edit_by_form_asks_for_all_that_its_preview_tells_of(plural: str) -> None:
    screen = EditFormScreen(session(runtime()), QueryDict(), plural, "shop", "web", EDIT_FORM.name)
    assert screen.plurals >= EDIT_FORM.reads | EDITINGS[plural].reads


@pytest.mark.parametrize("form", NEW_OBJECTS, ids=lambda form: str(form.plural))
def test_a_new_object_asks_for_all_that_its_preview_tells_of(form: object) -> None:
    plural = str(getattr(form, "plural", ""))
    screen = NewObjectScreen(session(runtime()), QueryDict(), plural)
    assert screen.plurals >= CREATE.reads | screen.form.reads
    assert screen.waits_for >= screen.form.reads, "its checks wait for these alone"
