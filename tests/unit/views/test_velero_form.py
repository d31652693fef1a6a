"""The form of a restore by Velero, opened by its address where the cluster has no Velero."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.template.loader import render_to_string
from django.test import RequestFactory

from dashboard.errors import NotFound
from dashboard.kinds import KINDS
from dashboard.live.veleros import RESTORES_KEY
from dashboard.views import velero
from dashboard.views.velero import VeleroRestoreForm

TYPED = {"by": "velero", "backup": "nightly-1"}


class Discovery:
    """An API server that offers Velero's kinds once it is asked ``anew``, or never."""

    def __init__(self, kinds: dict[str, Any], *, told: bool = True, later: bool = False) -> None:
        self.kinds, self.told, self.later = kinds, told, later

    async def anew(self, **_: object) -> None:
        if self.later:
            self.kinds[RESTORES_KEY] = object()


def form(*, told: bool = True, later: bool = False) -> VeleroRestoreForm:
    kinds: dict[str, Any] = dict(KINDS)
    cluster = SimpleNamespace(
        cluster=SimpleNamespace(name="tests", slug="tests"),
        kinds=kinds,
        discovery=Discovery(kinds, told=told, later=later),
    )
    session: Any = SimpleNamespace(cluster=cluster, transport=None)
    screen: Any = SimpleNamespace(home="velero", backups=())
    request = RequestFactory().post("/c/tests/recovery/restore/", TYPED)
    return VeleroRestoreForm(request, session, screen, None)  # type: ignore[arg-type]


async def test_a_page_says_so_before_anything_is_typed_and_leads_on() -> None:
    made = form()
    parts = await made._prepared(SimpleNamespace(wrong={}))  # type: ignore[arg-type]
    assert parts["missing"] == "Velero is not installed in this cluster"
    html = render_to_string("pages/velero_restore.html", {"s": parts | {"error": None}, "r": {}})
    assert parts["missing"] in html and parts["restore_url"] in html and 'id="change"' not in html
    assert not (await form(told=False)._prepared(SimpleNamespace(wrong={})))["missing"]  # type: ignore[arg-type]


async def test_nothing_is_asked_of_a_cluster_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def previewed(_: object) -> Any:
        raise LookupError

    monkeypatch.setattr(velero, "velero_preview", previewed)
    for method in (lambda: form().preview(), lambda: form().apply("token")):
        with pytest.raises(NotFound, match="Velero is not installed"):
            await method()
    for made in (form(later=True), form(told=False)):  # just installed, or not known
        with pytest.raises(LookupError):
            await made.preview()
