"""The columns that somebody chose are kept for that person and kind."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User

from dashboard.models import ColumnChoice
from dashboard.preferences import columns_of, columns_remember

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_choice_is_kept_changed_and_forgotten() -> None:
    ann, ben = [await User.objects.acreate(username=name) for name in ("ann", "ben")]
    await columns_remember(ann, "pods", ["ready", "label:app"])
    assert await columns_of(ann, "pods") == ("ready", "label:app")
    assert await columns_of(ben, "pods") == ()
    assert await columns_of(ann, "nodes") == ()
    await columns_remember(ann, "pods", ["age"])
    assert await columns_of(ann, "pods") == ("age",)
    await columns_remember(ann, "pods", ())
    assert await columns_of(ann, "pods") == ()
    assert await ColumnChoice.objects.acount() == 0
