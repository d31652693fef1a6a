"""What stands beside the form that edits a ConfigMap: who changed it last, so that nobody types for nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from django.http import QueryDict

from dashboard import render
from dashboard.actions.configmap_reading import Writer, configmap_writer
from dashboard.actions.edit import EDIT
from dashboard.actions.edit_form import EDIT_FORM
from dashboard.actions.replace import REPLACE
from dashboard.errors import ClusterError, NotFound
from dashboard.live.session import Session
from dashboard.live.snapshot import Snapshot

from .action import ActionScreen
from .common import fresh_part, iso, listed
from .editform import EditFormScreen


class EditScreen(ActionScreen):
    def __init__(
        self, session: Session, params: QueryDict, plural: str, namespace: str, name: str, action: str
    ) -> None:
        super().__init__(session, params, plural, namespace, name, action)
        self.version = ""
        self.writer = Writer("", None)
        self._changed: Callable[[], None] | None = None
        self._reading: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        await super().prepare()
        with suppress(NotFound):
            await self._read()

    async def _read(self) -> None:
        self.version, self.writer = await configmap_writer(
            transport=self.session.transport, namespace=self.namespace, name=self.name
        )

    def snapshot(self) -> Snapshot:
        found = self.session.reader.get("configmaps", self.namespace, self.name)
        # What the watch tells has no field managers: who it was is asked for.
        if found is not None and found.metadata.resource_version != self.version:
            self._read_later()
        return Snapshot(
            regions={
                "edit-now": render.region(
                    "edit_now",
                    {
                        "gone": found is None and listed(self.session, "configmaps"),
                        "version": self.version,
                        "who": self.writer.who,
                        "when": iso(self.writer.when and self.writer.when.replace(microsecond=0)),
                    },
                ),
                "fresh": fresh_part(self.session, {"configmaps"}),
            }
        )

    def _read_later(self) -> None:
        if self._changed is None or (self._reading is not None and not self._reading.done()):
            return

        async def read() -> None:
            with suppress(ClusterError):  # gone, or out of reach: the badge says so
                before = self.version
                await self._read()
                if before != self.version and self._changed is not None:
                    self._changed()

        self._reading = asyncio.create_task(read())

    def open(self, changed: Callable[[], None]) -> None:
        self._changed = changed

    def close(self) -> None:
        self._changed = None
        if self._reading is not None:
            self._reading.cancel()


def action_screen(
    session: Session, params: QueryDict, plural: str, namespace: str, name: str, action: str
) -> ActionScreen:
    """The screen of an action: one for all but the editor of a ConfigMap, which says who wrote last, and forms that are
    checked while somebody types.
    """
    made: type[ActionScreen] = ActionScreen
    if plural in EDIT.kinds and action in (EDIT.name, REPLACE.name):
        made = EditScreen
    elif action == EDIT_FORM.name:
        made = EditFormScreen
    return made(session, params, plural, namespace, name, action)
