"""What stands beside the form of an action on one object: how the object is at this moment."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from datetime import UTC, datetime
from typing import Any

from django.http import QueryDict

from dashboard import render
from dashboard.actions.action import Action
from dashboard.actions.registry import action_for
from dashboard.insight import Followed, workload_rollout
from dashboard.kinds import KINDS
from dashboard.live.screen import ViewerScreen
from dashboard.live.session import Session
from dashboard.live.snapshot import Snapshot
from dashboard.queries.lists import cell

from .common import fresh_part, kind_of, listed


class ActionScreen(ViewerScreen):
    """The form of an action on one object. Beside it stands the object's own status, as in lists."""

    page = "pages/action.html"

    def __init__(
        self, session: Session, params: QueryDict, plural: str, namespace: str, name: str, action: str
    ) -> None:
        super().__init__(session)
        self.kind = kind_of(self.runtime, plural)
        self.namespace = "" if namespace == "-" else namespace
        self.name = name
        self.action = self.find(action)

    def find(self, action: str) -> Action:
        """The action of that name. Raises NotFound when it is for other kinds."""
        return action_for(action, self.kind, self.runtime.kinds.values())

    @property
    def shows(self) -> Hashable:
        return (self.action.name, self.kind.plural, self.namespace, self.name)

    @property
    def plurals(self) -> frozenset[str]:
        return (self.action.reads & self.runtime.kinds.keys()) | {self.kind.plural}

    @property
    def expects_it(self) -> bool:
        """Whether the object must be there for the action; not where it creates it."""
        return not self.action.creates

    async def prepare(self) -> None:
        await self.session.review(self.plurals)
        if (refusal := self.visible[self.kind.plural].denied) is not None:
            raise refusal

    def context(self) -> Mapping[str, Any]:
        return {}

    def snapshot(self) -> Snapshot:
        return Snapshot(
            regions={
                "object-now": render.region("object_now", self._now()),
                "fresh": fresh_part(self.session, {self.kind.plural} | (self.action.reads & {"pods"})),
            }
        )

    def _now(self) -> dict[str, Any]:
        reader, plural = self.session.reader, self.kind.plural
        found = reader.get(plural, self.namespace, self.name)
        if found is None:
            if not self.expects_it:
                return {"gone": False, "state": "done", "word": "deleted", "sentence": "", "value": ""}
            if not listed(self.session, plural):
                return {"gone": False, "state": "unknown", "word": "not known", "sentence": "", "value": ""}
            gone = f"This {self.kind.kind} was deleted."
            return {"gone": True, "state": "done", "word": gone, "sentence": "", "value": ""}
        row = reader.row(plural, found)
        column = next((one for one in self.kind.columns if one.key == self.kind.status_column), None)
        sentence = row.reason
        if not sentence and isinstance(found, Followed):
            sentence = workload_rollout(reader, found, datetime.now(UTC)).headline
        word = ""
        if column is not None:  # a custom object that its controller has not seen has nothing in it
            text = cell(row, column).text
            word = f"{column.title} {text}" if text else sentence
        stepper = next((field for field in self.action.fields if field.stepper), None)
        return {
            "gone": False,
            "state": row.state,
            "word": word,
            "sentence": sentence if sentence != word else "",
            # What the cache has of a kind without a module does not tell it.
            "value": stepper.value(found) if stepper and self.kind.plural in KINDS else "",
        }
