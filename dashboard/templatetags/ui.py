"""Template tags: icons, relative times and the cells of a row.

A list renders up to 200 rows of ten cells at a time, so a row's cells are one tag instead of a loop of template
conditions: a whole row takes about 45 µs.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from django import template
from django.template.context import Context
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from dashboard.kinds.duration import human_duration

register = template.Library()

# Each state has a shape and a word of its own besides its colour.
STATE_ICONS = {"ok": "ok", "info": "busy", "warn": "warn", "bad": "bad", "done": "done"}
STATE_WORDS = {
    "ok": "Fine",
    "info": "Changing",
    "warn": "Worth a look",
    "bad": "Needs a person",
    "done": "Finished",
}


@register.simple_tag
def icon(name: str, extra: str = "") -> SafeString:
    """A decorative icon of the sprite in ``partials/icons.html``. ``extra``: further classes."""
    return _svg(name, f"i {extra}" if extra else "i")


@register.simple_tag
def state_icon(state: str) -> SafeString:
    """The icon of a state with its word for those who do not see it."""
    word = STATE_WORDS.get(state, STATE_WORDS["ok"])
    symbol = STATE_ICONS.get(state, "ok")
    return mark_safe(f'<svg class="i" role="img" aria-label="{word}"><use href="#i-{symbol}"/></svg>')  # noqa: S308


@register.filter
def state_word(state: str) -> str:
    """A state in a word, for those who do not see its shape."""
    return STATE_WORDS.get(state, "").lower()


@register.simple_tag(takes_context=True)
def reltime(context: Context, since: datetime | str | None, form: str = "age") -> SafeString | str:
    """A time that the browser keeps ticking: ``5m`` (form "age") or ``5m ago`` (form "ago"). "" without a moment.

    The words are those of ``now`` in the context (else of this moment), so that the page is right without scripts.
    """
    moment = _moment(since)
    return _time(moment, form, context.get("now") or datetime.now(UTC)) if moment else ""


@register.simple_tag
def abstime(at: datetime | str | None, form: str = "time") -> SafeString | str:
    """A moment, shown by the browser in the zone its reader chose: ``14:07:31 UTC`` ("time"), with the day
    ("date"), or bare with its milliseconds ("log")."""
    moment = _moment(at)
    if moment is None:
        return ""
    words = moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC" if form == "date" else "%H:%M:%S UTC")
    exact = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return mark_safe(f'<time datetime="{exact}" data-abs="{escape(form)}">{words}</time>')  # noqa: S308


@register.filter
def spark_end(points: str) -> str:
    """The last point of an SVG ``points`` list as ``x y``, for the dot at the end of a small chart."""
    return points.split()[-1].replace(",", " ") if points else "0 0"


class DiffLine(Protocol):
    """A line of a diff; ``mark`` is the part of ``text`` that differs from its counterpart, or ""."""

    @property
    def text(self) -> str: ...
    @property
    def mark(self) -> str: ...


@register.filter
def marked(line: DiffLine) -> SafeString:
    """A line of a diff, its changed part underlined."""
    before, found, after = line.text.partition(line.mark) if line.mark else (line.text, "", "")
    changed = f"<b>{escape(found)}</b>" if found else ""
    return mark_safe(f"{escape(before)}{changed}{escape(after)}")  # noqa: S308


@register.filter
def words(command: str) -> SafeString:
    """A command line that breaks between its words, not at the hyphens of its options."""
    return mark_safe(" ".join(f"<span>{escape(word)}</span>" for word in command.split(" ")))  # noqa: S308


@register.filter
def breaks(value: object) -> SafeString:
    """A value that breaks after its commas and slashes: selectors and lists are one long word otherwise."""
    return mark_safe(escape(value).replace(",", ",<wbr>").replace("/", "/<wbr>"))  # noqa: S308


@register.filter
def nav_region(regions: Mapping[str, str], plural: str) -> str:
    """The count of a kind at the side, out of the page's regions: ``r.nav_pods``."""
    return regions.get(f"nav_{plural}".replace("-", "_"), "")


@register.filter
def more_region(regions: Mapping[str, str], section: str) -> str:
    """The marks of the kinds that a section at the side folds away: ``r.nav_more_network``."""
    return nav_region(regions, f"more-{section}")


@register.simple_tag(takes_context=True)
def cells(context: Context, row: Mapping[str, Any]) -> SafeString:
    """The cells of one row (``row.cells``, see ``partials/row.html``)."""
    now = context.get("now") or datetime.now(UTC)
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
            if state != "ok" or cell["text"] not in _ABSENT:
                why = f'<span class="why">{reason}</span>' if reason else ""
                text = f'<span class="st {state}">{_svg(STATE_ICONS[state], "i")}{text}</span>{why}'
            text = f'<div class="sw">{text}</div>'
        elif cell["url"]:
            text = f'<a href="{escape(cell["url"])}">{text}</a>'
        elif cell["key"] == "message":
            text = f'<div class="lines">{text}</div>'
        marks = (f' class="{classes}"' if classes else "") + (" data-wide" if cell.get("wide") else "")
        marks += " data-quiet" if cell.get("quiet") else ""
        parts.append(f'<td data-col="{cell["key"]}"{marks}>{text}</td>')
    return mark_safe("".join(parts))  # noqa: S308 # every text went through escape


def _name_cell(row: Mapping[str, Any], state: str, reason: str, wide: str) -> str:
    tail = f'<span class="hash">{escape(row["tail"])}</span>' if row["tail"] else ""
    # Kinds without a status column say beside the name what is not fine.
    mark = ""
    if not row["has_status"] and state not in ("ok", "done"):
        mark = f'<span class="st {state}">{_svg(STATE_ICONS[state], "i")}{STATE_WORDS[state]}</span>'
        mark += f'<span class="why">{reason}</span>' if reason else ""
    link = f'<a href="{escape(row["url"])}">{escape(row["head"])}{tail}</a>'
    words = f'<div class="sw">{link}{mark}</div>' if mark else link
    return f'<th scope="row" data-col="name"{wide}>{words}</th>'


def _cell_text(cell: Mapping[str, Any], now: datetime) -> str:
    since = cell["since"]
    if since is None or not cell["form"]:
        text = cell["text"]
        # What is not there, or is nothing, stands back; the word stays kubectl's.
        return f'<span class="zero">{escape(text)}</span>' if text in _ABSENT else escape(text)
    if cell["form"] == "age":
        return _time(since, "age", now)
    return f'{escape(cell["text"])} <span class="muted">({_time(since, "ago", now)})</span>'


_ABSENT = frozenset({"0", "<none>", "<unset>", "<unknown>", "-", ""})


def _svg(name: str, classes: str) -> SafeString:
    return mark_safe(f'<svg class="{classes}" aria-hidden="true"><use href="#i-{name}"/></svg>')  # noqa: S308


def _time(moment: datetime, form: str, now: datetime) -> SafeString:
    words = escape(human_duration((now - moment).total_seconds()))
    suffix = " ago" if form == "ago" else ""
    return mark_safe(f'<time datetime="{_iso(moment)}" data-rel="{escape(form)}">{words}{suffix}</time>')  # noqa: S308


def _moment(value: datetime | str | None) -> datetime | None:
    if not value:
        return None
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
