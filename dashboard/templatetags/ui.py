"""Template tags: icons, times and marks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from html import escape  # as Django's, without its wrapper for lazy texts, which costs more than the escaping
from typing import Protocol

from django import template
from django.template.context import Context
from django.utils.safestring import SafeString, mark_safe

from dashboard import showing
from dashboard.rights import ask_to_allow
from dashboard.tablerow import STATE_ICONS, STATE_WORDS, svg, time_element

register = template.Library()


@register.simple_tag
def icon(name: str, extra: str = "") -> SafeString:
    """A decorative icon of the sprite in ``partials/icons.html``. ``extra``: further classes."""
    return svg(name, f"i {extra}" if extra else "i")


@register.simple_tag
def state_icon(state: str) -> SafeString:
    """The icon of a state with its word for those who do not see it."""
    word = STATE_WORDS.get(state, STATE_WORDS["ok"])
    symbol = STATE_ICONS.get(state, "ok")
    return mark_safe(f'<svg class="i" role="img" aria-label="{word}"><use href="#i-{symbol}"/></svg>')  # noqa: S308


register.simple_tag(ask_to_allow)  # "Ask whoever manages access to allow it."


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
    return time_element(moment, form, context.get("now") or showing.now()) if moment else ""


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
def field_path(path: str) -> SafeString:
    """The path of a field, which breaks before its dots."""
    return mark_safe(escape(path).replace(".", "<wbr>."))  # noqa: S308


@register.filter
def breaks(value: object) -> SafeString:
    """A value that breaks after its commas and slashes: selectors and lists are one long word otherwise."""
    return mark_safe(escape(str(value)).replace(",", ",<wbr>").replace("/", "/<wbr>"))  # noqa: S308


@register.filter
def nav_region(regions: Mapping[str, str], plural: str) -> str:
    """The count of a kind at the side, out of the page's regions: ``r.nav_pods``."""
    return region(regions, f"nav-{plural}")


@register.filter
def region(regions: Mapping[str, str], key: str) -> str:
    """A region of the page by its key."""
    return regions.get(key.replace("-", "_"), "")


@register.filter
def more_region(regions: Mapping[str, str], section: str) -> str:
    """The marks of the kinds that a section at the side folds away: ``r.nav_more_network``."""
    return nav_region(regions, f"more-{section}")


def _moment(value: datetime | str | None) -> datetime | None:
    if not value:
        return None
    return datetime.fromisoformat(value) if isinstance(value, str) else value
