"""The form of a new object: what its checks read."""

from __future__ import annotations

from collections.abc import Hashable

from django.http import QueryDict

from dashboard import render
from dashboard.actions.newobjects.registry import new_object
from dashboard.live.session import Session
from dashboard.live.snapshot import Snapshot

from .common import fresh_part, iso
from .create import CreateScreen


class NewObjectScreen(CreateScreen):
    page = "pages/create_form.html"
    pace = 5.0  # each showing has the form checked again, however much changes around it

    def __init__(self, session: Session, params: QueryDict, plural: str) -> None:
        super().__init__(session, params)
        self.form = new_object(plural, params.get("type", ""))
        self.source = tuple(
            params.get("from", "").split("/")
        )  # plural, namespace and name of where it was opened

    @property
    def shows(self) -> Hashable:
        return (self.form.plural, self.form.variant, self.source)

    @property
    def plurals(self) -> frozenset[str]:
        """What its checks read, and what the preview of a creation tells of besides."""
        return self.waits_for | super().plurals

    @property
    def waits_for(self) -> frozenset[str]:
        read = self.form.reads | {self.form.plural, "namespaces", *self.source[:1]}
        return read & self.runtime.kinds.keys()

    def snapshot(self) -> Snapshot:
        changes = filter(None, map(self.session.reader.last_change, self.waits_for))
        return Snapshot(
            regions={
                "create-now": render.region("create_now", {"at": iso(max(changes, default=None))}),
                "fresh": fresh_part(self.session, self.waits_for),
            }
        )
