"""The audit log (``/audit/``): everything that was done, seen or refused, with its place in the chain."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import msgspec
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.backends.base import SessionBase
from django.core.cache import caches
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from dashboard.actions.registry import change_title, name_words
from dashboard.admins import is_admin, is_administrator
from dashboard.audit.exporting import entry_slices
from dashboard.audit.selecting import EXACT, KEPT, entries_matching, in_group, read_moment
from dashboard.audit.verifying import Chain, verify_steps
from dashboard.database import in_database
from dashboard.errors import BadInput
from dashboard.kinds import KINDS
from dashboard.kinds.rows import plural
from dashboard.kube.config import slug
from dashboard.models import AuditEntry

from .administrators import administrator_required
from .chrome import page_chrome
from .errors import clear_errors
from .exports import TYPES, table_lines
from .sending import Allowance, SentFile
from .viewer import known_somewhere

PAGE = 50
COUNTED = 10_000  # matching entries that a page counts
CHOICES = 5_000  # of the newest entries, what there is to choose from
VERIFY_SECONDS = 60.0  # as long as the page waits for the chain to be read
EXPORT, VERIFY = "audit export", "audit verify"
VERIFIED = "audit-verified"  # what was found, in the cache
STATES = {
    AuditEntry.Result.DONE.value: "ok",
    AuditEntry.Result.REFUSED.value: "warn",
    AuditEntry.Result.FAILED.value: "bad",
    AuditEntry.Result.UNKNOWN.value: "warn",
}
# The chips, each with its filters.
CHIPS: tuple[tuple[str, dict[str, str]], ...] = (
    ("All", {}),
    ("Changes", {"what": "changes"}),
    ("Reveals", {"what": "reveals"}),
    ("Shells", {"what": "shells"}),
    ("Refused", {"result": "refused"}),
    ("Failed", {"result": "failed"}),
    ("Sign-ins", {"what": "sign-ins"}),
)
CHOSEN = ("user", "action", "cluster", "namespace")  # by a choice
# An entry in a file, by the names that people know: what everybody has who sees a change, then where it comes from and
# its place in the chain.
CHANGE_FACTS = (
    "at", "user", "action", "cluster", "kind", "namespace", "name", "result", "detail", "reason", "change",
)  # fmt: skip
FACTS = (*CHANGE_FACTS, "keys", "address", "sign_in", "session", "id", "previous", "key", "hash")


@require_safe
@clear_errors
async def audit(request: HttpRequest) -> HttpResponseBase:
    """Filters: those of ``selecting.ASKED``, ``since`` and ``until``; ``before``: older than this entry.
    ``format=csv`` and ``format=json`` are all entries that match.
    """
    await known_somewhere(request)
    admin = await is_admin(request)
    own = "" if admin else (await request.auser()).get_username()
    if (form := request.GET.get("format", "html")) != "html":
        return await audit_export(request, form, asked_for(request.GET, own), _still(admin=admin))
    shown = {key: request.GET.get(key, "").strip() for key in KEPT}
    problem: BadInput | None = None
    try:
        page = await in_database(_page)(request.GET, own)
    except BadInput as error:  # what was typed stays, with what is wrong about it
        problem = error
        page = {"entries": [], "chips": [], "choices": await in_database(_choices)(request.GET, own)}
    verified = await caches["default"].aget(VERIFIED) if admin else None
    chrome = await page_chrome(request, request.GET.get("from", ""), title="Audit log")
    context = {
        **page,
        "problem": problem and {"text": problem.message, "field": problem.field},
        "filter": shown,
        "kept": [(key, shown[key]) for key in ("what", "result", "kind", "name") if shown[key]],
        "verify_url": f"{reverse('audit_verify')}{_url(request.GET)}",
        "filtered": any(shown.values()),
        "admin": admin,
        "verified": verified,
        "days": f"{settings.CLUSTER_UI_AUDIT_DAYS:g}",
        "exports": {form: _url(request.GET, format=form) for form in ("csv", "json")},
        "path": request.path,
        "newest_url": _url(request.GET) if request.GET.get("before") else "",
    }
    status = problem.status if problem else 200
    return render(request, "pages/audit.html", {"s": context, **chrome}, status=status)


def _still(*, admin: bool) -> Allowance:
    """Everybody may have their own entries, only an administrator those of others."""

    async def may(user: User, session: SessionBase) -> bool:
        return not admin or await is_administrator(user.get_username(), session)

    return may


def asked_for(asked: QueryDict, own: str) -> QuerySet[AuditEntry]:
    """The entries that match, of those that somebody may see: all, or their ``own``. Raises BadInput."""
    since, until = (
        read_moment(text, key) if (text := asked.get(key, "").strip()) else None for key in ("since", "until")
    )
    entries = entries_matching(asked.dict(), since=since, until=until)
    return entries.filter(user_name=own) if own else entries


def _page(asked: QueryDict, own: str) -> dict[str, Any]:
    """The entries, and what to narrow them by. Raises BadInput."""
    before = asked.get("before", "")
    if before and not (before.isdecimal() and len(before) < 19):
        raise BadInput(f"before is {before[:40]!r}: enter the number of an entry.", field="before")
    rows = asked_for(asked, own).select_related("change").order_by("-pk")
    found = list((rows.filter(pk__lt=int(before)) if before else rows)[: PAGE + 1])
    older = _url(asked, before=str(found[PAGE - 1].pk)) if len(found) > PAGE else ""
    return {
        "entries": [_entry(entry) for entry in found[:PAGE]],
        "older_url": older,
        "chips": _chips(asked, own),
        "choices": _choices(asked, own),
    }


def _chips(asked: QueryDict, own: str) -> list[dict[str, Any]]:
    """How many entries each chip has. Beyond ``COUNTED`` nobody counts: the numbers are of the newest of them."""
    rest = asked.copy()
    for key in ("what", "result"):
        rest.pop(key, None)
    pairs = asked_for(rest, own).order_by("-pk").values_list("action", "result")[: COUNTED + 1]
    counts = Counter(pairs)
    more = counts.total() > COUNTED
    made = []
    for title, narrowed in CHIPS:
        count = sum(
            many
            for (action, result), many in counts.items()
            if in_group(narrowed.get("what", ""), action, result) and narrowed.get("result", result) == result
        )
        current = all(asked.get(key, "") == narrowed.get(key, "") for key in ("what", "result"))
        made.append({
            "title": title, "url": _url(rest, **narrowed), "count": f"{min(count, COUNTED):,}{'+' if more else ''}",
            "current": current, "state": STATES[narrowed["result"]] if "result" in narrowed else "",
        })  # fmt: skip
    return made


def with_words(key: str, values: Iterable[str]) -> list[tuple[str, str]]:
    """What a list can be narrowed by, each with how that is called; by that in order."""
    if key != "action":
        return [(value, value) for value in sorted(values)]
    return sorted(((value, name_words(value)) for value in values), key=lambda pair: (pair[1], pair[0]))


def _choices(asked: QueryDict, own: str) -> dict[str, list[tuple[str, str]]]:
    """What there is to choose from: of the newest entries, and what is chosen."""
    entries = asked_for(QueryDict(), own).order_by("-pk")
    rows = list(entries.values_list(*(EXACT[key] for key in CHOSEN))[:CHOICES])
    return {
        key: with_words(
            key,
            {row[at] for row in rows if row[at]} | ({chosen} if (chosen := asked.get(key, "")) else set()),
        )
        for at, key in enumerate(CHOSEN)
    }


def _entry(entry: AuditEntry) -> dict[str, Any]:
    kind = KINDS[entry.plural].kind if entry.plural in KINDS else entry.change.kind if entry.change else ""
    where = (entry.plural, entry.namespace or "-", entry.name)
    # A name may be what somebody typed, and was refused.
    has_page = bool(kind) and all(part and "/" not in part for part in where) and bool(entry.context)
    return {
        "id": entry.pk,
        "at": _z(entry.at),
        "user": entry.user_name,
        "address": entry.address,
        "sign_in": entry.sign_in,
        "session": entry.session,
        "action": change_title(entry.change)
        if entry.change and entry.action == entry.change.action
        else name_words(entry.action),
        "cluster": entry.context,
        "kind": kind or entry.plural,
        "object": "/".join(part for part in (entry.namespace, entry.name) if part),
        "url": reverse("detail", args=[slug(entry.context), *where]) if has_page else "",
        "keys": entry.keys,
        "detail": entry.detail,
        "reason": entry.reason,
        "result": entry.result,
        "state": STATES[entry.result],
        "change_url": reverse("change", args=[entry.change_id]) if entry.change_id else "",
        "hash": entry.hash,
        "previous": entry.previous,
        "key": entry.key,
    }


def _z(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _url(asked: QueryDict, **more: str) -> str:
    """The same filters, from the newest entry on, with more."""
    query = QueryDict(mutable=True)
    query.update({key: value for key in (*KEPT, "from") if (value := asked.get(key, "").strip())})
    query.update(more)
    return f"?{query.urlencode()}"


async def audit_export(
    request: HttpRequest,
    form: str,
    entries: QuerySet[AuditEntry],
    may: Allowance,
    facts: Sequence[str] = FACTS,
) -> SentFile:
    """All entries that match, newest first, in pieces, as long as they ``may`` be sent; that somebody took them away is
    one of them, from the next time on. Raises BadInput for another format.
    """
    if form not in ("csv", "json"):
        raise BadInput(f"format is {form!r}: use csv or json.", field="format")
    filters = ", ".join(f"{key}={value}" for key in KEPT if (value := request.GET.get(key, "").strip()))
    made = await in_database(AuditEntry.objects.create)(
        user_name=(await request.auser()).get_username(),
        action=EXPORT,
        detail=f"{form.upper()}, {filters or 'everything'}.",
        result=AuditEntry.Result.DONE,
    )

    pieces = _pieces(entry_slices(entries, newest_first=True, before=made.pk), form, facts)

    async def sent() -> AsyncIterator[bytes]:
        """Each piece is made in a thread, with a connection that goes back before it is sent."""
        while (piece := await in_database(next)(pieces, None)) is not None:
            if piece:
                yield piece

    types = {"csv": TYPES["csv"], "json": "application/json"}
    response = SentFile(sent(), may=may, content_type=types[form])
    response["Content-Disposition"] = f'attachment; filename="audit.{form}"'
    return response


def _pieces(slices: Iterator[list[dict[str, Any]]], form: str, facts: Sequence[str]) -> Iterator[bytes]:
    yield b'{"entries":[' if form == "json" else b"".join(table_lines([facts], "csv"))
    comma = b""
    for rows in slices:
        told = [_facts(row, facts) for row in rows]
        if form == "csv":
            yield b"".join(table_lines((map(_cell, each.values()) for each in told), "csv"))
            continue
        yield (comma if told else b"") + b",".join(map(msgspec.json.encode, told))
        comma = comma or (b"," if told else b"")
    if form == "json":
        yield b"]}"


def _facts(row: Mapping[str, Any], facts: Sequence[str]) -> dict[str, Any]:
    """An entry in a file: what ``facts`` names."""
    names = {"user": "user_name", "cluster": "context", "kind": "plural"}
    change = reverse("change", args=[row["change_id"]]) if row["change_id"] else ""
    return {name: change if name == "change" else row[names.get(name, name)] for name in facts}


def _cell(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


@require_POST
@clear_errors
async def verify(request: HttpRequest) -> HttpResponse:
    """Reads the chain, remembers what was found, and leads back to the page."""
    who = await administrator_required(request, VERIFY, "verify the audit")
    chain, done = await _verified()
    words = f"{plural(chain.entries, 'entry', 'entries')} read, the last one {chain.last}"
    if chain.broken:
        words = f"{words}; {plural(chain.broken, 'break')}: {chain.breaks[0].text}"
    await in_database(AuditEntry.objects.create)(
        user_name=who,
        action=VERIFY,
        detail=f"{words}." if done else f"{words}, then the time was over.",
        result=AuditEntry.Result.FAILED if chain.broken else AuditEntry.Result.DONE,
    )
    found = {
        "whole": chain.whole, "done": done, "at": _z(timezone.now()), "entries": f"{chain.entries:,}",
        "last": f"{chain.last:,}", "hash": chain.hash, "since": chain.since and _z(chain.since),
        "broken": chain.broken, "breaks": [asdict(each) for each in chain.breaks[:10]], "signatures": chain.signatures,
    }  # fmt: skip
    await caches["default"].aset(VERIFIED, found, None)
    return HttpResponseRedirect(f"{reverse('audit')}{_url(request.GET)}")


_one_at_a_time = asyncio.Lock()


async def _verified() -> tuple[Chain, bool]:
    """What was found, and whether that was all: who waits for the page does not wait for hours."""
    steps, chain = verify_steps(), Chain()
    async with _one_at_a_time:
        try:
            async with asyncio.timeout(VERIFY_SECONDS):
                while (step := await in_database(next)(steps, None)) is not None:
                    chain = step
        except TimeoutError:
            return chain, False
    return chain, True
