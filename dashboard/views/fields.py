"""The fields of kinds, as the API server describes them: a page for each, as ``kubectl explain`` has them, and JSON for
the editor of YAML. They are read as the user; no answer has a whole document.
"""

from __future__ import annotations

from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from dashboard.errors import BadInput, NotFound
from dashboard.kinds.catalogue import kind_in
from dashboard.kinds.fieldschema import MAX_DESCRIPTION, Explained, FieldRow, NoField, steps_of
from dashboard.kinds.legible import legible
from dashboard.kinds.references import group_of
from dashboard.kube.shell import shell_line
from dashboard.live.runtime import ClusterRuntime
from dashboard.live.screens.common import fields_url, list_url
from dashboard.loop import off_loop

from .chrome import page_chrome
from .errors import clear_errors
from .pages import DISCOVERY_SECONDS
from .viewer import session_of

ANSWER_BYTES = 60 * 1024
SHORT = 400  # characters of a description in a list; the field's own page has all of it
KEPT_SECONDS = 300  # by the browser that asked
MAX_KINDS = 1_000


@require_safe
@clear_errors
async def kinds(request: HttpRequest, context: str) -> HttpResponseBase:
    """The kinds to choose from; ``q``: a part of their names."""
    session = await session_of(request, context)
    cluster = session.cluster
    await cluster.discovery.known(timeout=DISCOVERY_SECONDS)
    q = request.GET.get("q", "").strip()[:100]
    every = {(kind.kind, kind.gvr.api_version): kind for kind in cluster.kinds.values()}
    found = [each for each in sorted(every) if q.lower() in " ".join(each).lower()]
    shown = [
        {"kind": kind, "api_version": version, "url": fields_url(cluster, kind, version)}
        for kind, version in found[:MAX_KINDS]
    ]
    chrome = await page_chrome(request, context, title="Fields of kinds")
    facts = {
        "kinds": shown,
        "left_out": len(found) - len(shown),
        "q": q,
        "path": request.path,
        "breadcrumbs": _crumbs(cluster)[:1],
    }
    return render(request, "pages/field_kinds.html", {"s": facts, **chrome})


@require_safe
@clear_errors
async def fields(request: HttpRequest, context: str, kind: str) -> HttpResponseBase:
    """``apiVersion`` (without: the one that this dashboard uses), ``path`` (without: the kind itself); ``format=json``,
    and with ``levels=1`` the fields of what is below the path instead of a description.
    """
    session = await session_of(request, context)
    cluster = session.cluster
    path, form = request.GET.get("path", ""), request.GET.get("format", "html")
    if form not in ("html", "json"):
        raise BadInput(f"format is {form!r}: use json.", field="format")
    version = request.GET.get("apiVersion", "") or await _api_version(cluster, kind)
    described = await session.openapi.fields(version, kind)
    try:
        if form == "json" and "levels" in request.GET:
            return _json(await off_loop(lambda: msgspec.json.encode({"levels": described.below(path)})))
        found = await off_loop(described.explain, path)
    except NoField as error:
        error.links = [
            {"text": f"{kind} {each}".strip(), "url": fields_url(cluster, kind, version, each)}
            for each in dict.fromkeys([error.near or error.at, error.at])
        ]
        raise
    if form == "json":
        return _json(await off_loop(_encoded, found))
    chrome = await page_chrome(request, context, title=f"{found.path or kind} · {kind}")
    crumbs = _crumbs(cluster, kind, version, found.path)
    facts = _facts(cluster, kind, version, found) | {"breadcrumbs": crumbs[:-1], "here": crumbs[-1][0]}
    return render(request, "pages/fields.html", {"s": facts, **chrome})


async def _api_version(cluster: ClusterRuntime, kind: str) -> str:
    await cluster.discovery.known(timeout=DISCOVERY_SECONDS)
    if (found := kind_in(cluster.kinds, None, kind)) is not None:
        return found.gvr.api_version
    several = sorted({each.gvr.api_version for each in cluster.kinds.values() if each.kind == kind})
    links = [
        {"text": f"{kind} in {version}", "url": fields_url(cluster, kind, version)} for version in several
    ]
    links.append({"text": "Kinds to choose from", "url": fields_url(cluster)})
    message = (
        f"{len(several)} API groups have a kind {kind[:100]}."
        if several
        else f"There is no kind {kind[:100]}."
    )
    raise NotFound(message, next_step="Choose one.", links=links)


def _json(body: bytes) -> HttpResponse:
    return HttpResponse(
        body,
        content_type="application/json",
        headers={"Cache-Control": f"private, max-age={KEPT_SECONDS}", "Vary": "Cookie"},
    )


def _encoded(found: Explained) -> bytes:
    """A field for a script, in ANSWER_BYTES: first descriptions in its list are cut, then the list itself."""
    rows = found.rows
    for most in (MAX_DESCRIPTION, SHORT, 0):
        facts = _field(found, rows, most)
        body = msgspec.json.encode({"field": facts})
        if len(body) <= ANSWER_BYTES:
            return body
    while len(body) > ANSWER_BYTES and rows:
        rows = rows[: len(rows) // 2]
        body = msgspec.json.encode({"field": _field(found, rows, 0)})
    return body


def _field(found: Explained, rows: tuple[FieldRow, ...], most: int) -> dict[str, Any]:
    return {
        "path": found.path,
        "type": found.shape.type,
        "required": found.shape.required,
        "values": found.shape.values,
        "default": found.default,
        "format": found.format,
        "description": legible(found.description),
        "left_out": found.left_out + len(found.rows) - len(rows),
        "fields": [
            {
                "name": row.name,
                "type": row.shape.type,
                "required": row.shape.required,
                "description": legible(row.description[:most]),
            }
            for row in rows
        ],
    }


def _facts(cluster: ClusterRuntime, kind: str, version: str, found: Explained) -> dict[str, Any]:
    known = kind_in(cluster.kinds, group_of(version), kind)
    return {
        "kind": kind,
        "api_version": version,
        "path": found.path,
        "type": found.shape.type,
        "required": found.shape.required,
        "values": [_word(each) for each in found.shape.values],
        "default": found.default,
        "format": found.format,
        "keys": found.keys,
        "description": found.description,
        "open": found.open,
        "left_out": found.left_out,
        "rows": [
            {
                "name": row.name,
                "type": row.shape.type,
                "required": row.shape.required,
                "inside": row.inside,
                "description": _short(row.description),
                "url": fields_url(cluster, kind, version, row.path),
            }
            for row in found.rows
        ],
        "list": {"url": list_url(cluster, known.plural), "text": known.title} if known else None,
        "kubectl": _kubectl(kind, version, found.path),
    }


def _word(value: Any) -> str:
    return value if isinstance(value, str) and value else msgspec.json.encode(value).decode()


def _kubectl(kind: str, version: str, path: str) -> str:
    named = ".".join(name for _, name in steps_of(path) if name not in ("", "*"))
    what = f"{kind.lower()}.{named}" if named else kind.lower()
    return shell_line(["kubectl", "explain", what, f"--api-version={version}"])


def _crumbs(
    cluster: ClusterRuntime, kind: str = "", version: str = "", path: str = ""
) -> list[tuple[str, str]]:
    """The way to a field, the field itself last."""
    crumbs = [
        ("Overview", reverse("overview", args=[cluster.cluster.slug])),
        ("Fields of kinds", fields_url(cluster)),
    ]
    if kind:
        crumbs.append((kind, fields_url(cluster, kind, version)))
    at = ""
    for name in (name for _, name in steps_of(path) if name not in ("", "*")):
        at = f"{at}[{name}]" if "." in name else f"{at}.{name}".removeprefix(".")
        crumbs.append((name, fields_url(cluster, kind, version, at)))
    return crumbs


def _short(text: str) -> str:
    """The beginning, to the end of a word."""
    return text if len(text) <= SHORT else f"{text[:SHORT].rpartition(' ')[0]}…"
