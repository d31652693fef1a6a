"""What the cards and pages of plugins have in common, and their pages (docs/plugins.md)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from django.http import QueryDict
from django.template.loader import get_template
from django.utils.safestring import mark_safe

from dashboard import render
from dashboard.errors import NotFound
from dashboard.guard import Guard
from dashboard.insight import Objects
from dashboard.kinds.base import Ref
from dashboard.kinds.rows import listed
from dashboard.live.screen import Screen
from dashboard.live.session import Session, Sight
from dashboard.live.snapshot import Snapshot

from .common import fresh_part, ref_url


@dataclass(frozen=True, kw_only=True)
class Showing:
    """What a card or page is made from. ``objects`` are those that the viewer may list, of the kinds that were declared
    to be read; ``url_of`` leads to the page of an object, or is ""; ``params`` are those of the page's address, the last
    of each name.
    """

    objects: Objects
    url_of: Callable[[Ref], str]
    params: Mapping[str, str]

    @classmethod
    def of(cls, sight: Sight, params: Mapping[str, str]) -> Showing:
        return cls(objects=sight.reader, url_of=partial(ref_url, sight.cluster), params=params)


@dataclass(frozen=True, kw_only=True)
class DeclaredPage:
    """A page of its own at ``/c/<context>/plugins/<name>/``, with a place in the menu; live as a card is, see
    ``DeclaredCard``. ``name``: the plugin's, or it with a hyphen and more.
    """

    name: str
    title: str
    template: str
    facts: Callable[[Showing], Mapping[str, Any]]
    reads: frozenset[str]


# By name, in the order of the menu.
PAGES: dict[str, tuple[DeclaredPage, Guard]] = {}


def plugin_part(
    guard: Guard, key: str, title: str, template: str, facts: Callable[[], Mapping[str, Any] | None]
) -> render.Part:
    """A region of a plugin: its template over its facts, or that it failed; nothing without facts."""
    name = f"{guard.plugin}: {title}"
    failed: Mapping[str, Any] | None = {_FAILED: True}
    made = guard.call(name, facts, failed)

    def html() -> str:
        body = "" if not made or made is failed else guard.call(name, lambda: _body(template, made), "")
        context: dict[str, Any] = {
            "id": key,
            "title": title,
            "plugin": guard.plugin,
            "body": mark_safe(body),  # noqa: S308 # rendered by a template that escapes
            "failed": made is not None and not body,
            "shown": made is not None,
        }
        return get_template("regions/plugin_part.html").render(context)

    return render.Part(render.facts_hash((key, made)), html)


_FAILED = "failed"


def _body(template: str, facts: Mapping[str, Any]) -> str:
    return get_template(template).render({**facts, "now": datetime.now(UTC)})


class PluginScreen(Screen):
    """The page of a plugin: one region, live."""

    page = "pages/plugin.html"
    pace = 1.0

    def __init__(self, session: Session, params: QueryDict, name: str) -> None:
        super().__init__(session)
        if name not in PAGES:
            raise NotFound(
                f"No plugin has a page {name}.", next_step="Clusters says which plugins are there."
            )
        self.declared, self.guard = PAGES[name]
        self.params = {key: str(value) for key, value in params.items()}

    @property
    def shows(self) -> Hashable:
        return self.declared.name, tuple(sorted(self.params.items()))

    @property
    def plurals(self) -> frozenset[str]:
        return self.declared.reads & self.runtime.kinds.keys()

    async def prepare(self) -> None:
        if self.declared.reads and not self.plurals:
            raise NotFound(
                f"{self.declared.title} is about what this cluster does not have.",
                next_step=f"The API server offers no {listed(sorted(self.declared.reads))}.",
            )
        await self.session.review(self.plurals)
        refusals = [seen.denied for seen in self.visible.values() if seen.denied is not None]
        if refusals and len(refusals) == len(self.visible):
            raise refusals[0]

    def snapshot(self) -> Snapshot:
        declared, showing = self.declared, Showing.of(self.session, self.params)
        part = plugin_part(
            self.guard, "plugin-page", declared.title, declared.template, lambda: declared.facts(showing)
        )
        return Snapshot(regions={"plugin-page": part, "fresh": fresh_part(self.session, self.plurals)})

    def context(self) -> Mapping[str, Any]:
        return {"name": self.declared.name, "title": self.declared.title}
