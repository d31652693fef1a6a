"""The HTML of a row of a table.

A list renders a hundred rows of ten cells at a time and a row is all that most frames hold, so it is written here and
not by a template: a row takes about 50 µs instead of 200.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from html import escape  # as Django's, without its wrapper for lazy texts, which costs more than the escaping
from typing import Any

from django.utils.safestring import SafeString, mark_safe

from dashboard.kinds.duration import human_duration
from dashboard.kinds.legible import legible_html

# Each state has a shape and a word of its own besides its colour.
STATE_ICONS = {"ok": "ok", "info": "busy", "warn": "warn", "bad": "bad", "done": "done", "wait": "wait"}
STATE_WORDS = {
    "ok": "Healthy",
    "info": "Changing",
    "warn": "Warning",
    "bad": "Critical",
    "done": "Finished",
    "wait": "Waiting",
}


def row_html(row: Mapping[str, Any], now: datetime) -> SafeString:
    """One object in a table.

    ``row``: id ("row-<uid>"), namespace, name, head and tail (of the name), url, state, reason, changed (ISO; "" when not
    known), has_status, cells [{key, text, form, since (aware, or None), until, hint, num, wide, quiet, kind ("name",
    "status" or "text"), url}]. ``now`` is what relative times are of.
    """
    changed = f' data-since="{row["changed"]}"' if row["changed"] else ""
    marks = f'data-namespace="{escape(row["namespace"])}" data-name="{escape(row["name"])}" data-state="{row["state"]}"'
    html = f'<tr id="{escape(row["id"])}" {marks}{changed}>{_cells(row, now)}</tr>'
    return mark_safe(legible_html(html))  # noqa: S308 # every text went through escape


def _cells(row: Mapping[str, Any], now: datetime) -> str:
    state = row["state"]
    reason = escape(row["reason"]) if row["reason"] else ""
    parts: list[str] = []
    for cell in row["cells"]:
        if cell["kind"] == "name":
            parts.append(_name_cell(row, state, reason, " data-wide" if cell.get("wide") else ""))
            continue
        text = _cell_text(cell, now)
        classes = "num" if cell["num"] else ""
        if cell["kind"] == "status":
            classes = "c-st"
            # Nothing to say is not good news: no tick stands before a <none>.
            if state != "ok" or cell["text"] not in _ABSENT | {"0"}:
                why = f'<span class="why">{reason}</span>' if reason else ""
                text = f'<span class="st {state}">{svg(STATE_ICONS[state], "i")}{text}</span>{why}'
            text = f'<div class="sw">{text}</div>'
        elif cell["url"]:
            text = f'<a href="{escape(cell["url"])}">{text}</a>'
        elif cell["key"] == "message":
            text = f'<div class="lines">{text}</div>'
        marks = (f' class="{classes}"' if classes else "") + (" data-wide" if cell.get("wide") else "")
        marks += " data-quiet" if cell.get("quiet") else ""
        parts.append(f'<td data-col="{cell["key"]}"{marks}>{text}</td>')
    return "".join(parts)


def _name_cell(row: Mapping[str, Any], state: str, reason: str, wide: str) -> str:
    tail = f'<span class="hash">{escape(row["tail"])}</span>' if row["tail"] else ""
    # Kinds without a status column say beside the name what is not fine.
    mark = ""
    if not row["has_status"] and state not in ("ok", "done"):
        mark = f'<span class="st {state}">{svg(STATE_ICONS[state], "i")}{STATE_WORDS[state]}</span>'
        mark += f'<span class="why">{reason}</span>' if reason else ""
    link = f'<a href="{escape(row["url"])}">{escape(row["head"])}{tail}</a>'
    words = f'<div class="sw">{link}{mark}</div>' if mark else link
    long = ' class="long"' if len(row["head"]) + len(row["tail"]) > LONG_NAME else ""
    return f'<th scope="row" data-col="name"{long}{wide}>{words}</th>'


def _cell_text(cell: Mapping[str, Any], now: datetime) -> str:
    since = cell["since"]
    if since is None or not cell["form"] or cell["until"] is not None:
        text, hint = cell["text"], cell["hint"]
        # What is nothing, or is not there, stands back; the word stays kubectl's. A phone leaves out what is not there.
        classes = "zero absent" if text in _ABSENT else "zero" if text == "0" else ""
        words = f'<span class="{classes}">{escape(text)}</span>' if classes else escape(text)
        return f'{words} <span class="hint">{escape(hint)}</span>' if hint else words
    if cell["form"] != "ago":
        return time_element(since, "age", now)
    return f'{escape(cell["text"])} <span class="muted">({time_element(since, "ago", now)})</span>'


_ABSENT = frozenset({"<none>", "<unset>", "<unknown>", "-", "–", ""})
# Names of more letters may go on in a second line where a list has little room.
LONG_NAME = 30


def svg(name: str, classes: str) -> SafeString:
    return mark_safe(f'<svg class="{classes}" aria-hidden="true"><use href="#i-{name}"/></svg>')  # noqa: S308


def time_element(moment: datetime, form: str, now: datetime) -> SafeString:
    words = escape(human_duration((now - moment).total_seconds()))
    suffix = " ago" if form == "ago" else ""
    return mark_safe(f'<time datetime="{_iso(moment)}" data-rel="{escape(form)}">{words}{suffix}</time>')  # noqa: S308


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
