"""Plain facts to HTML. Knows neither live nor the store; the only Python caller of partial templates.

Every part's root element gets ``data-h``, the hash of the part's facts, so that a browser can say what it has.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

from django.template.loader import get_template
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from dashboard import showing
from dashboard.queries.yamltext import Window, YamlLine

from .tablerow import row_html

MAX_LINE = 2_000  # characters of one line
MAX_ROWS_BYTES = 110_000  # of a table's rows: at worst twice as much in JSON, which still fits into one frame
_ROOT = re.compile(r"\A(\s*(?:<!--.*?-->\s*)*<[a-zA-Z][a-zA-Z0-9-]*)", re.DOTALL)


def facts_hash(facts: object) -> str:
    """A short hash of facts built of dicts, tuples, dataclasses, strings, numbers and moments."""
    return blake2b(repr(facts).encode(), digest_size=6).hexdigest()


class Part:
    """A piece of a page: a hash of its facts, and its HTML, made only when somebody needs it."""

    def __init__(self, digest: str, make: Callable[[], str]) -> None:
        self.hash = digest
        self._make = make

    @cached_property
    def html(self) -> SafeString:
        return stamped(self._make(), self.hash)

    @property
    def fresh_html(self) -> SafeString:
        """Rendered now: what a page needs, since texts such as "5s" grow old in a kept one."""
        return stamped(self._make(), self.hash)


def stamped(html: str, digest: str) -> SafeString:
    """The HTML with ``data-h`` in its root tag."""
    return mark_safe(_ROOT.sub(rf'\1 data-h="{digest}"', html.strip(), count=1))  # noqa: S308 # rendered by a template that escapes


def region(name: str, context: Mapping[str, Any], facts: object = None) -> Part:
    """A region: ``templates/regions/<name>.html`` over its context. ``facts`` as in :func:`partial`."""
    return _part(f"regions/{name}.html", context, facts)


def partial(name: str, context: Mapping[str, Any], facts: object = None) -> Part:
    """A row of a list: ``templates/partials/<name>.html``. ``facts`` stand for the context where hashing that is dear."""
    return _part(f"partials/{name}.html", context, facts)


def table_row(context: Callable[[], Mapping[str, Any]], facts: object) -> Part:
    """A row of a table of objects. Its context, as :func:`row_html` wants it, is made only when somebody needs it."""
    return Part(facts_hash(facts), lambda: row_html(context(), showing.now()))


def _part(template: str, context: Mapping[str, Any], facts: object = None) -> Part:
    digest = facts_hash(context if facts is None else facts)
    return Part(digest, lambda: get_template(template).render({**context, "now": showing.now()}))


def chart_json(data: Mapping[str, Any]) -> SafeString:
    """Chart data for a ``<script type="application/json">``: no ``</script>`` can end it early."""
    return mark_safe(json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"))  # noqa: S308 # every < is escaped


@dataclass(frozen=True)
class Lines:
    """Rows of a table of code, and which lines they are. ``cut``: some of them are longer than is shown."""

    html: SafeString
    first: int
    last: int
    total: int
    cut: bool

    @property
    def words(self) -> str:
        """What is not here; "" where all of it is."""
        said = [] if self.last - self.first + 1 == self.total else [self._range()]
        return " ".join([*said, *(["Long lines are cut."] if self.cut else [])])

    def _range(self) -> str:
        if self.last < self.first:
            return f"There is no line {self.first:,}: it has {self.total:,}."
        if self.first == 1:
            return f"The first {self.last:,} of {self.total:,} lines."
        return f"Lines {self.first:,} to {self.last:,} of {self.total:,}."


def yaml_rows(window: Window) -> Lines:
    """The lines as numbered, highlighted rows, as many as one frame holds. Not for the event loop."""
    rows: list[str] = []
    size = 0
    for number, line in enumerate(window.lines, start=window.start + 1):
        row = f'<tr><td class="ln">{number}</td><td>{yaml_line(line)}</td></tr>'
        size += len(row.encode())
        if rows and size > MAX_ROWS_BYTES:
            break
        rows.append(row)
    shown = window.lines[: len(rows)]
    cut = any(len(line.value) > MAX_LINE for line in shown)
    return Lines(mark_safe("".join(rows)), window.start + 1, window.start + len(rows), window.total, cut)  # noqa: S308 # every text went through escape


def yaml_line(line: YamlLine) -> SafeString:
    """One line of YAML with its key and value in spans: ``k`` a key, ``n`` a number or the like, ``s`` other text."""
    key = f'<span class="k">{escape(_short(line.key))}</span>:{" " if line.value else ""}' if line.key else ""
    value = f'<span class="{line.form}">{escape(_short(line.value))}</span>' if line.value else ""
    return mark_safe(f"{escape(line.lead)}{key}{value}")  # noqa: S308 # every text went through escape


def _short(text: str) -> str:
    return text if len(text) <= MAX_LINE else f"{text[:MAX_LINE]}… {len(text) - MAX_LINE:,} more characters"
