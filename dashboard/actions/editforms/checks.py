"""What is said of the form of an object while somebody types into it."""

from __future__ import annotations

import dataclasses
from datetime import datetime

from dashboard.actions.action import Target
from dashboard.actions.newobjects.form import Checks, Look
from dashboard.actions.newobjects.typed import read_form, start
from dashboard.insight import Objects
from dashboard.kube.transport import Transport

from .editing import Edits


def edits_look(
    edits: Edits, *, target: Target, objects: Objects, transport: Transport, now: datetime, whole: bool
) -> Look:
    """What the checks see. What the form of a new object asks for besides is as nobody typed it."""
    form = edits.form.editing.form
    untyped = read_form(form, start(form, {})).values
    named = {"name": target.name, "namespace": target.namespace}
    values = untyped | edits.reading.values | named
    return Look(values=values, objects=objects, transport=transport, now=now, whole=whole)


def edits_read(edits: Edits, *, whole: bool) -> Checks:
    """What can't be read of it, and with ``whole`` what is missing."""
    checks, reading = Checks(), edits.reading
    for place, text in (reading.wrong | (reading.missing if whole else {})).items():
        checks.at(place, "bad", text)
    return checks


async def edits_checked(edits: Edits, look: Look) -> Checks:
    """What is said of it. What somebody else wrote, and nobody touched here, is no reason to refuse the rest."""
    checks = edits_read(edits, whole=look.whole)
    await edits.form.editing.check(edits, look, checks)
    for place, verdict in checks.verdicts.items():
        name, dash, _ = place.partition("-")
        if dash and verdict.state == "bad" and name not in edits.changed:
            checks.verdicts[place] = dataclasses.replace(verdict, state="warn")
    return checks
