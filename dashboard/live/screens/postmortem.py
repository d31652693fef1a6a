"""What happened in a span of time, in order: ``/c/<context>/postmortem/?from=&to=``."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict
from django.urls import reverse

from dashboard.database import in_database
from dashboard.kinds import KINDS
from dashboard.kinds.rows import listed
from dashboard.live.acting import own_past
from dashboard.live.screen import Screen
from dashboard.live.session import Session
from dashboard.live.snapshot import Snapshot
from dashboard.queries.bounds import chosen_of
from dashboard.queries.postmortem import Entry, Happened, happened, over_days, span_in, summary, unknown

from .common import fresh_part, iso, object_url

ICONS = {
    "problem": "bad", "done": "user", "deployment": "restart", "change": "file", "warning": "warn",
    "restart": "restart",
}  # fmt: skip
TITLES = {
    "problem": "Problem", "done": "Done here", "deployment": "Rollout", "change": "Change",
    "warning": "Warning", "restart": "Restart",
}  # fmt: skip
RANGES = ((30, "30 min"), (60, "1 h"), (360, "6 h"), (1440, "24 h"))


class PostmortemScreen(Screen):
    """It reads what was recorded: nothing on it moves. It waits for what rights go by in the cluster: all is left out of
    which it is not known whether it may be seen.
    """

    page = "pages/postmortem.html"
    partly = True

    def __init__(self, session: Session, params: QueryDict) -> None:
        super().__init__(session)
        self.span = span_in(params, datetime.now(UTC))
        self.chosen = chosen_of(params, "namespace")
        self.found = Happened()

    @property
    def shows(self) -> Hashable:
        return self.span, self.chosen

    @property
    def plurals(self) -> frozenset[str]:
        return frozenset(KINDS)

    @property
    def waits_for(self) -> frozenset[str]:
        return self.plurals

    async def prepare(self) -> None:
        await self.session.review(KINDS)
        await self.runtime.known()
        known = self.runtime.recognised
        after = max(own_past(self.runtime.cluster.name), known.since)
        self.found = await in_database(happened)(
            known.records, self.span, self.visible, done_after=after, namespaces=self.chosen
        )

    def snapshot(self) -> Snapshot:
        return Snapshot(regions={"fresh": fresh_part(self.session, KINDS)})

    def context(self) -> Mapping[str, Any]:
        span, found = self.span, self.found
        path = reverse("postmortem", args=[self.runtime.cluster.slug])
        return {
            "path": path,
            "namespaces": self.chosen,
            "cluster": self.runtime.cluster.name,
            "since": iso(span.since),
            "until": iso(span.until),
            "form": "date" if over_days(span) else "time",
            "summary": summary(found),
            "entries": [self._entry(each) for each in found.entries],
            "people": [{"name": who, "count": count} for who, count in found.people],
            "unknown": [*unknown(span, found), *self.left_out],
            "markdown_url": f"{self._url(path, span.since, span.until)}&format=md",
            "then_url": f"{reverse('overview', args=[self.runtime.cluster.slug])}?at={iso(span.since)}{self._within}",
            "ranges": [
                {"words": f"Last {words}", "url": self._range(path, minutes)} for minutes, words in RANGES
            ],
        }

    @property
    def left_out(self) -> list[str]:
        """What is not told since it may not be seen, or as it is not known whether it may: sentences."""
        denied, unsure, within = [], [], set[str]()
        for plural, seen in self.visible.items():
            if seen.denied is not None:
                denied.append(KINDS[plural].title)
            elif seen.unknown is not None or seen.namespaces == frozenset():
                unsure.append(KINDS[plural].title)
            else:
                within |= seen.namespaces or set()
        said = [f"You may not list {', '.join(denied)}."] if denied else []
        said += (
            [f"Whether you may list {', '.join(unsure)} is not known: nothing is told of them."]
            if unsure
            else []
        )
        if self.chosen:
            said.append(f"You chose namespaces: this is of {listed(self.chosen, 'more namespaces')}.")
        if within:
            said.append(
                f"You may not list all namespaces: this is of {listed(sorted(within), 'more namespaces')}."
            )
        return said

    def _range(self, path: str, minutes: int) -> str:
        now = datetime.now(UTC).replace(microsecond=0)
        return self._url(path, now - timedelta(minutes=minutes), now)

    def _url(self, path: str, since: datetime, until: datetime) -> str:
        return f"{path}?from={iso(since)}&to={iso(until)}{self._within}"

    @property
    def _within(self) -> str:
        """What keeps the choice of namespaces in an address."""
        return "".join(f"&{urlencode({'namespace': each})}" for each in self.chosen)

    def _entry(self, each: Entry) -> dict[str, Any]:
        return {
            "at": iso(each.at),
            "until": iso(each.until) if each.until is not None else "",
            "icon": ICONS[each.sort],
            "title": TITLES[each.sort],
            "state": each.state,
            "subject": each.subject,
            "namespace": each.namespace,
            "url": object_url(self.runtime, each.plural, each.namespace, each.name)
            if each.plural in self.runtime.kinds
            else "",
            "words": each.words,
            "who": each.who,
            "reason": each.reason,
            "change_url": reverse("change", args=[each.change]) if each.change else "",
        }
