"""The page about access: what the viewer may do and why, and for those who may list the objects of RBAC, who can do what.

Everything on it is asked anew every 15 s while somebody looks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from django.http import QueryDict
from django.urls import reverse

from dashboard import render
from dashboard.actions.abilities import Ability, abilities
from dashboard.errors import ClusterError, NotSignedIn
from dashboard.insight.authority import MASTERS, Grant
from dashboard.kinds import KINDS
from dashboard.kinds.base import Kind
from dashboard.kinds.rbac import allowed
from dashboard.kube.shell import shell_line
from dashboard.kube.whoami import UserInfo
from dashboard.live.acting import SHARED, mode_of
from dashboard.live.permissions import Permissions, permissions_in
from dashboard.live.screen import ViewerScreen
from dashboard.live.screens.common import fresh_part, kind_of, list_url
from dashboard.live.session import Session
from dashboard.live.snapshot import Snapshot
from dashboard.loop import off_loop
from dashboard.queries.bounds import chosen_of, text_of
from dashboard.rights import access_contact

from .checking import Checks, add_checks, checks_of
from .may import COLUMNS, kind_rows, own_abilities, request_text, table_rows, where_words
from .who import (
    RBAC,
    VERBS,
    answer_facts,
    authority_of,
    held_facts,
    is_closed,
    question_of,
    unreadable,
)

MAX_TABS = 12  # namespaces whose role is told
MAX_NAMED = 500  # namespaces that are suggested
MAX_GRANTS = 100
WAYS = {
    SHARED: "with the dashboard’s own account, like everybody who uses it",
    "user": "with your own token",
    "impersonate": "impersonated by the dashboard’s account, as its administrators have mapped you",
}
WHOLE = "cluster"  # ``scope`` of an address that asks about the whole cluster


class AccessScreen(ViewerScreen):
    page = "pages/access.html"
    pace = 1.0

    def __init__(self, session: Session, params: QueryDict) -> None:
        super().__init__(session)
        self.chosen = chosen_of(params, "namespace")
        self.whole = params.get("scope") == WHOLE
        plural = text_of(params, "kind")
        self.kind: Kind[Any] | None = kind_of(self.runtime, plural) if plural else None
        self.question = question_of(self.runtime, params)
        self._typed = {field: text_of(params, field) for field in ("verb", "resource", "name", "in")}
        self._permissions = Permissions("", {})
        self._tabs: list[Permissions] = []
        self._names: list[str] = []
        self._known_as = UserInfo()
        self._unnamed = ""
        self._held: list[dict[str, Any]] | None = None
        self._who: dict[str, Any] | None = None

    @property
    def shows(self) -> Hashable:
        asked = self.question.ask if self.question else None
        return self.chosen, self.whole, self.kind.plural if self.kind else "", asked

    @property
    def plurals(self) -> frozenset[str]:
        return frozenset({*RBAC, "namespaces"})

    # ---- What is asked for

    async def prepare(self) -> None:
        await self.session.review(self.plurals | {"pods"})
        try:
            self._known_as, self._unnamed = await self.session.whoami(), ""
        except NotSignedIn:
            raise
        except ClusterError as error:
            self._unnamed = error.message
        self._names = self._namespaces()
        asked = [
            *abilities(),
            *(own_abilities(self.kind) if self.kind and self.kind.plural not in KINDS else ()),
        ]
        await self._stand(asked)
        await self._look_up()

    def _namespaces(self) -> list[str]:
        """Those that may be listed, else those into which one may look."""
        reader = self.session.reader
        if self.visible["namespaces"].denied is None:
            return sorted(each.metadata.name for each in reader.all("namespaces"))
        return sorted(self.visible["pods"].namespaces or ())

    async def _stand(self, asked: Sequence[Ability]) -> None:
        """Of the namespaces that are only offered no more is asked than one request each tells."""
        reviews = self.session.reviews
        offered = sorted(self.chosen[:MAX_TABS] if self.chosen else self._names[:MAX_TABS])
        within = list(
            await asyncio.gather(
                *(permissions_in(reviews, each, asked, each_right=False) for each in offered)
            )
        )
        whole = Permissions("", {}, incomplete=True)
        if self.whole or not self.chosen:
            whole = await permissions_in(reviews, "", asked)
        if self.whole or not within or (not self.chosen and any(whole.held.values())):
            self._permissions = whole
        else:
            able = (at for at, each in enumerate(within) if self.chosen or any(each.held.values()))
            at = next(able, 0)
            if within[at].incomplete:
                within[at] = await permissions_in(reviews, within[at].namespace, asked)
            self._permissions = within[at]
        self._tabs = [*within, whole]

    async def _look_up(self) -> None:
        """What the objects of RBAC tell, in a thread: a large cluster has thousands of them."""
        if is_closed(self.session):
            self._held = self._who = None
            return
        authority, known, question = authority_of(self.session), self._known_as, self.question
        runtime = self.runtime

        def work() -> tuple[list[dict[str, Any]], dict[str, Any] | None, Checks | None]:
            held = authority.held_by(known.username, known.groups)[:MAX_GRANTS] if known.username else ()
            words: dict[Grant, str] = {grant: allowed(grant.rules) or "do nothing" for grant in held}
            mine = held_facts(runtime, held, words)
            if question is None:
                return mine, None, None
            ways, found = authority.ways_round(question.ask), authority.who_can(question.ask)
            checks = checks_of(question.ask, found, authority, known)
            return mine, answer_facts(runtime, question, found, ways), checks

        self._held, self._who, checks = await off_loop(work)
        if self._who is not None and checks is not None:
            await add_checks(self._who, checks, self.session)

    # ---- What is shown

    @property
    def namespace(self) -> str:
        """What the table is about; "" for the whole cluster."""
        return self._permissions.namespace

    def snapshot(self) -> Snapshot:
        facts = self.facts()
        # Whoever may list none of them still reads what was asked as them.
        shown = [each for each in self.plurals if self.session.reader.may_see(each)]
        fresh = {"fresh": fresh_part(self.session, shown)} if shown else {}
        return Snapshot(
            regions={
                "access-me": render.region("access_me", facts["identity"]),
                "access-may": render.region("access_may", facts["may"]),
                "access-kind": render.region("access_kind", facts["kind"]),
                "access-why": render.region("access_why", facts["why"]),
                "access-who": render.region("access_who", facts["who"]),
                **fresh,
            }
        )

    def facts(self) -> dict[str, dict[str, Any]]:
        """What each part tells; as JSON too."""
        return {
            "identity": self._identity(),
            "may": self._may(),
            "kind": self._kind(),
            "why": self._why(),
            "who": self._who_facts(),
        }

    def _identity(self) -> dict[str, Any]:
        slug = self.runtime.cluster.slug
        role = self._permissions.role
        return {
            "user": self._known_as.username,
            "groups": list(self._known_as.groups),
            "unknown": self._unnamed,
            "person": self.session.identity.user,
            "cluster": self.runtime.cluster.name,
            "way": WAYS[mode_of(slug)],
            "masters": MASTERS in self._known_as.groups,
            "role": role or "",
            "where": where_words(self.namespace),
        }

    def _may(self) -> dict[str, Any]:
        permissions = self._permissions
        unknown = permissions.unknown
        return {
            "namespace": self.namespace,
            "where": where_words(self.namespace),
            "tabs": [self._tab(each) for each in self._tabs],
            "more": max(0, len(self._names) - MAX_TABS) if not self.chosen else 0,
            "columns": list(COLUMNS.values()),
            "rows": [
                {**row, "url": self._url(namespace=self.namespace, kind=row["plural"])}
                for row in table_rows(permissions)
            ],
            "complete": not permissions.incomplete,
            "unknown": unknown.message if unknown else "",
        }

    def _tab(self, permissions: Permissions) -> dict[str, Any]:
        role: str = permissions.role or ("some" if any(permissions.held.values()) else "nothing")
        if permissions.unknown:
            role = "unknown"
        elif not permissions.held:  # nothing was asked of it
            role = ""
        return {
            "name": permissions.namespace or "Cluster-wide",
            "url": self._url(namespace=permissions.namespace),
            "role": role,
            "current": permissions is self._permissions,
        }

    def _kind(self) -> dict[str, Any]:
        """The kind that was chosen, in words; empty for none."""
        kind = self.kind
        if kind is None:
            return {"title": "", "rows": []}
        rows = kind_rows(kind, self._permissions)
        return {
            "title": kind.title,
            "where": where_words(self.namespace),
            "url": list_url(
                self.runtime, kind.plural, f"?namespace={self.namespace}" if self.namespace else ""
            ),
            "rows": rows,
            "ask": access_contact(),
            "request": request_text(self._known_as.username, rows, kind, self.namespace),
            "elsewhere": bool(self.namespace) and not kind.gvr.namespaced,
            "whole_url": self._url(namespace="", kind=kind.plural),
        }

    def _why(self) -> dict[str, Any]:
        return {
            "grants": self._held or [],
            "closed": self._held is None,
            "unread": unreadable(self.session),
            "masters": MASTERS in self._known_as.groups,
            "user": self._known_as.username,
        }

    def _who_facts(self) -> dict[str, Any]:
        return {
            "closed": is_closed(self.session),
            "unread": unreadable(self.session),
            "ask": access_contact(),
            "answer": self._who,
        }

    def _form(self) -> dict[str, Any]:
        """What the question is typed into. It is no part that moves: nobody's words are taken away."""
        typed = {**self._typed, **(self.question.typed if self.question else {})}
        kept = {"namespace": self.namespace, "scope": "" if self.namespace else WHOLE}
        return {
            "closed": is_closed(self.session),
            "typed": typed,
            "verbs": [
                {"value": value, "words": words, "chosen": value == typed["verb"]} for value, words in VERBS
            ],
            "own_verb": typed["verb"] if typed["verb"] and typed["verb"] not in dict(VERBS) else "",
            "namespaces": self._names[:MAX_NAMED],
            "resources": self._resources(),
            "action": reverse("access", args=[self.runtime.cluster.slug]),
            "keep": {**kept, "kind": self.kind.plural if self.kind else ""},
        }

    def _resources(self) -> list[str]:
        """What can be suggested, as rules name it."""
        subresources = (
            "pods/log",
            "pods/exec",
            "pods/eviction",
            "deployments.apps/scale",
            "serviceaccounts/token",
        )
        named = [
            f"{kind.gvr.plural}.{kind.gvr.group}" if kind.gvr.group else kind.gvr.plural
            for kind in self.runtime.kinds.values()
        ]
        return list(dict.fromkeys([*named, *subresources]))

    def context(self) -> Mapping[str, Any]:
        within = ["-n", self.namespace] if self.namespace else []
        return {
            "kubectl": shell_line(["kubectl", "auth", "can-i", "--list", *within]),
            "form": self._form(),
        }

    def _url(self, *, namespace: str, kind: str = "") -> str:
        asked = QueryDict(mutable=True)
        asked.update({"namespace": namespace} if namespace else {"scope": WHOLE})
        if kind:
            asked["kind"] = kind
        return f"{reverse('access', args=[self.runtime.cluster.slug])}?{asked.urlencode()}"
