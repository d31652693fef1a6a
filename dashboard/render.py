"""Plain facts to HTML. Knows neither live nor the store; the only Python caller of partial templates.

Every part's root element gets ``data-h``, the hash of the part's facts, so that a browser can say what it has.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cached_property
from hashlib import blake2b
from typing import Any

from django.template.loader import get_template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

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


def _part(template: str, context: Mapping[str, Any], facts: object = None) -> Part:
    digest = facts_hash(context if facts is None else facts)
    return Part(digest, lambda: get_template(template).render({**context, "now": datetime.now(UTC)}))


def chart_json(data: Mapping[str, Any]) -> SafeString:
    """Chart data for a ``<script type="application/json">``: no ``</script>`` can end it early."""
    return mark_safe(json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"))  # noqa: S308 # every < is escaped


class LazyLines:
    """The numbered, highlighted lines of a YAML text, made when a template walks over them."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for number, line in enumerate(self._text.splitlines(), start=1):
            yield {"n": number, "html": yaml_line(line)}


_YAML_LINE = re.compile(
    r"(?P<lead>\s*(?:- )*)(?P<key>[^\s#'\"][^:]*?|'[^']*'|\"[^\"]*\")(?P<colon>:)(?P<rest>\s.*|$)"
)
_NUMBER = re.compile(r"-?\d+(\.\d+)?$|true$|false$|null$")


def yaml_line(line: str) -> SafeString:
    """One line of YAML with its key and value in spans: ``k`` a key, ``n`` a number or boolean, ``s`` other text."""
    match = _YAML_LINE.match(line)
    if match is None:
        return format_html("{}", line)
    value = match["rest"].strip()
    lead = match["rest"][: len(match["rest"]) - len(match["rest"].lstrip())]
    body = (
        format_html('<span class="{}">{}</span>', "n" if _NUMBER.match(value) else "s", value)
        if value
        else ""
    )
    return format_html('{}<span class="k">{}</span>:{}{}', match["lead"], match["key"], lead, body)
