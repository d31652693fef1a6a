"""Two actions on one field of true and false, each the undo of the other: pause and resume, cordon and uncordon."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Self

from dashboard.insight import Objects
from dashboard.models import Change

from .action import Action, Manifest, OwnedFields, Progress, Wanted, pointer

# An object without a generation does not tell which version it is: what the watch has not shown by then was overwritten.
SHOWN_AFTER = timedelta(seconds=10)


class Toggle(Action):
    """``sets``: to which of both it sets the field; an undo asks for the other one. A declaration says which field of the
    spec, how it is called (``states``: off, on), what it does (``describe``), and how it ends (``ended``).
    """

    field: str
    states: tuple[str, str]
    part = "operate"

    def __init__(self, name: str, title: str, icon: str, *, sets: bool) -> None:
        self.name, self.title, self.icon, self.sets = name, title, icon, sets
        self.path = f"/spec/{self.field}"
        self.owns = MappingProxyType({self.field: self.path})

    def applies(self, obj: Any) -> bool:
        return bool(getattr(obj.spec, self.field)) is not self.sets

    def read(self, typed: Mapping[str, str]) -> Wanted:
        return {self.field: self.sets}

    def on(self, wanted: Wanted) -> Self:
        return type(self)(self.name, self.title, self.icon, sets=wanted[self.field])

    def touched(self, manifest: Manifest) -> OwnedFields:
        return {self.path: bool(pointer(manifest, self.path))}

    def words(self, touched: OwnedFields) -> str:
        return self.states[touched[self.path]]

    def progress(self, change: Change, found: Any, objects: Objects, now: datetime) -> Progress:
        made = change.touched[self.path][1]
        if bool(getattr(found.spec, self.field)) is made:
            return self.ended(change, found, objects, now, made)
        generation = found.metadata.generation
        later = (
            generation > (change.result.get("generation") or 0)
            if generation
            else now - change.created_at > SHOWN_AFTER
        )
        if later:
            text = f"It is {self.states[not made]} now."
            return Progress(
                state="done", headline=f"{change.name} was changed again", text=text, percent=None, done=True
            )
        text = "The API server has taken the request; it shows in a moment."
        return Progress(
            state="info",
            headline=f"{change.name} is about to be {self.states[made]}",
            text=text,
            percent=None,
        )

    def ended(self, change: Change, found: Any, objects: Objects, now: datetime, made: bool) -> Progress:
        """How far it has come once the object shows it."""
        raise NotImplementedError
