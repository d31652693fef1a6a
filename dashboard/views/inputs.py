"""The inputs of a form, of a new object or of one that is there, with what is typed and said of it, for its templates."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from django.http import QueryDict

from dashboard.actions.newobjects.form import Checks, Input, Look, Section
from dashboard.actions.newobjects.typed import Reading, is_empty, rows_of
from dashboard.errors import ClusterError
from dashboard.insight import Notice
from dashboard.kinds.rows import listed
from dashboard.live.runtime import ClusterRuntime
from dashboard.live.screens.common import ref_url

from .steps import Parts


class Form(Protocol):
    """What is filled in."""

    @property
    def sections(self) -> Sequence[Section]: ...
    @property
    def inputs(self) -> list[Input]: ...
    def input_of(self, path: str) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedInputs:
    """A form with what is typed into it. ``stay``: its inputs are on a page already, and stay there."""

    form: Form
    typed: Mapping[str, Sequence[str]]
    reading: Reading
    look: Look
    cluster: ClusterRuntime
    stay: bool

    def sections(self, checks: Checks) -> list[Parts]:
        """As ``forms/create_form.html`` wants them."""
        return [
            {
                "title": section.title,
                "note": section.note,
                "optional": section.folded,
                "folded": section.folded and not any(map(self._is_typed, section.inputs)),
                "inputs": [self._input(one, checks) for one in section.inputs],
            }
            for section in self.form.sections
        ]

    def missing(self) -> str:
        """What has to be typed before there is a preview, in words."""
        labels = {one.name: one.label.lower() for one in self.form.inputs}
        return listed(dict.fromkeys(labels[place.partition("-")[0]] for place in self.reading.missing))

    def _is_typed(self, one: Input) -> bool:
        """Whether anything but what it starts with is in it."""
        if one.columns:
            return bool(self.reading.draft[one.name])
        return self._text(one) not in ("", one.value, one.choices[0][0] if one.choices else "")

    def _text(self, one: Input) -> str:
        return (self.typed.get(one.name) or [""])[-1]

    def _input(self, one: Input, checks: Checks) -> Parts:
        told = self._cell(one, one.name, one.name, self._text(one))
        told["verdict"] = self._verdict(one.name, checks)
        told["add"] = one.add
        if one.columns:
            empty = {each.name: each.value for each in one.columns}
            rows = rows_of(one, self.typed)
            if not self.stay and (not rows or not is_empty(one, rows[-1])):
                rows.append(empty)  # to fill: without a script there is no other way to one more
            told["rows"] = [self._row(one, at, row, checks) for at, row in enumerate(rows)]
            told["new"] = self._row(one, "new", empty, checks)  # what the browser copies for one more
            told["columns"] = [each.label for each in one.columns if each.input != "hidden"]
        told["lists"] = [
            {"id": f"list-{_list_name(one, each)}", "texts": list(each.suggest(self.look))}
            for each in one.columns or (one,)
            if each.typed
        ]
        return told

    def _row(self, one: Input, at: int | str, row: Mapping[str, str], checks: Checks) -> Parts:
        place = f"{one.name}-{at}"
        cells = [
            self._cell(each, f"{one.name}.{each.name}", f"{place}-{each.name}", row[each.name])
            | {
                "list": f"list-{_list_name(one, each)}",
                "place": place,
                "placeholder": each.placeholder or each.label,
            }
            for each in one.columns
        ]
        return {"cells": cells, "verdict": self._verdict(place, checks)}

    def _cell(self, one: Input, name: str, id_: str, text: str) -> Parts:
        return {
            "name": name,
            "id": id_,
            "label": one.label,
            "input": one.input,
            "value": one.value if one.secret else text,
            "ticked": one.input == "box" and bool(self.reading.values.get(one.name)),
            "placeholder": one.placeholder,
            "hint": one.hint,
            "choices": one.choices,
            "required": one.required,
            "list": f"list-{one.name}",
            "place": one.name,
        }

    def _verdict(self, place: str, checks: Checks) -> Parts:
        verdict = checks.verdicts.get(place)
        if verdict is None:
            return {"place": place, "state": "", "text": "", "url": "", "link": ""}
        url = ref_url(self.cluster, verdict.ref)
        return {
            "place": place, "state": verdict.state, "text": verdict.text, "url": url, "link": verdict.link,
        }  # fmt: skip


def placed(form: Form, error: ClusterError) -> ClusterError:
    """What the API server refuses, at the input that it is about."""
    causes = [cause.field for cause in getattr(error, "causes", ())]
    # A quota says: exceeded quota: small, requested: requests.storage=2Gi, used: …
    _, _, asked = error.message.partition("requested: ")
    causes += [each.partition("=")[0].strip() for each in asked.partition(" used: ")[0].split(",")]
    error.field = next(filter(None, map(form.input_of, causes)), "")
    return error


def warned(inputs: Iterable[Input], checks: Checks, places: Container[str] | None = None) -> list[Notice]:
    """What is warned of at inputs, those at ``places`` where only these count, for whoever decides beside them."""
    labels = {each.name: each.label for each in inputs}
    return [
        Notice("warn", labels[place.partition("-")[0]], verdict.text)
        for place, verdict in checks.verdicts.items()
        if verdict.state == "warn" and (places is None or place in places)
    ]


def sent_texts(sent: QueryDict) -> dict[str, list[str]]:
    return {name: [str(text) for text in texts] for name, texts in sent.lists()}


def _list_name(one: Input, column: Input) -> str:
    return one.name if column is one else f"{one.name}-{column.name}"
