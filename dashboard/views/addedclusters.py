"""Contexts that administrators add (``/clusters/add/``), change the rules of (``/clusters/<context>/rules/``) and remove
(``/clusters/<context>/remove/``) at run time.

A kubeconfig is never sent back: its form stays in the browser beside the preview, and is sent again to add what it shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.crypto import constant_time_compare, salted_hmac
from django.views.decorators.http import require_POST

from dashboard.actions.confirmation import read_reason
from dashboard.actions.problems import Unconfirmed
from dashboard.clusters.keeping import (
    ADD,
    REMOVE,
    RULES,
    cluster_remove,
    cluster_rules_change,
    clusters_add,
)
from dashboard.clusters.looking import Look, look_at_all
from dashboard.clusters.rules import Rules
from dashboard.database import in_database
from dashboard.edge import body_limit
from dashboard.errors import BadInput, ClusterError, Conflict
from dashboard.kinds.rows import listed
from dashboard.kube.config import slug, unslug
from dashboard.kube.kubeconfig_text import MAX_BYTES, Offered
from dashboard.live.acting import SHARED
from dashboard.live.runtime import runtime
from dashboard.live.screens.clusters import Expiry
from dashboard.live.screens.common import iso

from .administrators import administrator_required, refusals_kept
from .chrome import page_chrome
from .errors import asks_json, clear_errors

BODY = 4 * MAX_BYTES  # as a form is sent, some letters take three bytes, or six
MODES = (
    (SHARED, "the account of this kubeconfig"),
    ("user", "their own token"),
    ("impersonate", "whom an administrator maps them to"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Previewed:
    """One context of a kubeconfig, as its preview shows it; ``refused`` and ``refused_field`` are "" for one that can be
    added. The rules are as they were chosen, or as the settings say of every context.
    """

    name: str
    slug: str
    server: str
    user: str
    authority: str
    authority_expires_at: str
    credential: str
    credential_expires_at: str
    certificate_expires_at: str
    version: str
    account: str
    trouble: str
    notes: tuple[str, ...]
    refused: str
    refused_field: str
    chosen: bool
    act_as: str
    production: bool
    read_only: bool


@require_POST
@body_limit(BODY)
@clear_errors
async def add(request: HttpRequest) -> HttpResponseBase:
    """``kubeconfig`` (a text) or ``file``; ``step=preview`` shows its contexts, ``step=apply`` with the preview's
    ``token`` adds those that ``context`` names, with ``act_as``, ``production`` and ``read_only`` for all, or
    ``<field>.<slug>`` for one.
    """
    applies = request.POST.get("step") == "apply"
    by = await _administrator(request, ADD)
    async with refusals_kept(request, ADD if applies else ""):
        text = _text(request)
        taken = {each.name for each in runtime.configured()} | {each.name for each in runtime.added}
        looks = await look_at_all(text, taken, ask=not applies)
    token = salted_hmac("cluster-ui: a kubeconfig that was previewed", f"{by}\0{text}").hexdigest()
    error: ClusterError | None = None
    if applies:
        try:
            async with refusals_kept(request, ADD):
                if not constant_time_compare(request.POST.get("token", ""), token):
                    raise Conflict(
                        "The kubeconfig is not the one that was previewed.", next_step="Check it again."
                    )
                made = await in_database(clusters_add)(by=by, chosen=_chosen(request, looks), taken=taken)
        except ClusterError as wrong:
            if asks_json(request):
                raise
            error = wrong
        else:
            await runtime.refresh()
            names = [each.name for each in made]
            return _done(request, f"{listed(names)} {'is' if len(names) == 1 else 'are'} added.", added=names)
    contexts = [_previewed(request, each) for each in looks]
    if asks_json(request):
        return JsonResponse({"token": token, "contexts": [asdict(each) for each in contexts]})
    facts = {
        "contexts": contexts,
        "token": token,
        "modes": MODES,
        "can_add": any(not each.refused for each in contexts),
        "error": f"{error.message} {error.next_step}".strip() if error else "",
        "beside": request.headers.get("HX-Target") == "preview",
    }
    status = error.status if error else 200
    if facts["beside"]:
        return render(request, "partials/cluster_preview.html", {"s": facts}, status=status)
    chrome = await page_chrome(request, title="Add clusters")
    return render(request, "pages/cluster_add.html", {"s": facts, **chrome}, status=status)


@require_POST
@clear_errors
async def remove(request: HttpRequest, context: str) -> HttpResponseBase:
    """Forgets a context whose name was typed (``confirm``): within half a minute no process watches it any more."""
    name = unslug(context)
    by = await _administrator(request, REMOVE, name)
    async with refusals_kept(request, REMOVE, context=name):
        if request.POST.get("confirm", "").strip() != name:
            raise Unconfirmed(
                f"Type the context's name, {name}: its credentials are forgotten, and this can't be undone.",
                field="confirm",
            )
        await in_database(cluster_remove)(by=by, name=name, taken=runtime.configured_names())
    await runtime.refresh()
    return _done(request, f"{name} is removed, and its credentials are forgotten.", removed=name)


@require_POST
@clear_errors
async def change_rules(request: HttpRequest, context: str) -> HttpResponseBase:
    """What holds of a context from now on (``act_as``, ``production``, ``read_only``), with its name typed (``confirm``)
    and why (``reason``): within half a minute it holds in every process.
    """
    name = unslug(context)
    by = await _administrator(request, RULES, name)
    async with refusals_kept(request, RULES, context=name):
        reason = read_reason(request.POST.get("reason", ""))
        said = request.POST
        rules = Rules(said.get("act_as", ""), "production" in said, "read_only" in said)
        if said.get("confirm", "").strip() != name:
            raise Unconfirmed(
                f"Type the context's name, {name}: this says as whom everybody acts there.", field="confirm"
            )
        await in_database(cluster_rules_change)(by=by, name=name, rules=rules, reason=reason)
    await runtime.refresh()
    return _done(request, f"The rules of {name} are changed.", changed=name)


async def _administrator(request: HttpRequest, action: str, name: str = "") -> str:
    return await administrator_required(request, action, "add, change and remove clusters", context=name)


def _done(request: HttpRequest, words: str, **facts: Any) -> HttpResponseBase:
    if asks_json(request):
        return JsonResponse(facts)
    messages.success(request, words)
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": reverse("clusters")})
    return HttpResponseRedirect(reverse("clusters"))


def _text(request: HttpRequest) -> str:
    """What was pasted, else the file. Raises BadInput for one that is no text."""
    file = request.FILES.get("file")
    if (pasted := request.POST.get("kubeconfig", "")).strip() or file is None:
        return pasted
    try:
        return bytes(file.read(MAX_BYTES + 1)).decode()
    except UnicodeDecodeError:
        raise BadInput("The file is not a text.", field="kubeconfig") from None


def _chosen(request: HttpRequest, looks: Sequence[Look]) -> list[tuple[Offered, Rules]]:
    """Those that were named, with their rules. Raises what refuses one of them, and BadInput where none is named."""
    named = set(request.POST.getlist("context"))
    chosen = [each for each in looks if each.offered.name in named]
    if not chosen or len(chosen) < len(named):
        raise BadInput("Choose contexts of this kubeconfig.", field="context")
    for each in chosen:
        if each.refusal is not None:
            raise each.refusal
    return [(each.offered, _rules(request, slug(each.offered.name))) for each in chosen]


def _rules(request: HttpRequest, context: str) -> Rules:
    said = request.POST
    act_as = said.get(f"act_as.{context}") or said.get("act_as") or settings.CLUSTER_UI_ACT_AS[""]
    production, read_only = (key in said or f"{key}.{context}" in said for key in ("production", "read_only"))
    return Rules(act_as, production, read_only)


def _previewed(request: HttpRequest, look: Look) -> Previewed:
    offered, refusal = look.offered, look.refusal
    rules = _rules(request, context := slug(offered.name))
    named = request.POST.getlist("context")
    return Previewed(
        name=offered.name,
        slug=context,
        server=offered.server,
        user=offered.user_name,
        authority=offered.authority.fingerprint if offered.authority else "",
        authority_expires_at=iso(offered.authority.expires_at if offered.authority else None),
        credential=offered.credential,
        credential_expires_at=iso(offered.credential_expires_at),
        certificate_expires_at=iso(look.certificate_expires_at),
        version=look.version,
        account=look.account,
        trouble=look.trouble,
        notes=tuple(_expiries(look)),
        refused=f"{refusal.message} {refusal.next_step}".strip() if refusal else "",
        refused_field=refusal.field if refusal else "",
        chosen=refusal is None and (offered.name in named or not named),
        act_as=rules.act_as,
        production=rules.production,
        read_only=rules.read_only,
    )


def _expiries(look: Look) -> Iterator[str]:
    """What has expired or soon will."""
    authority = look.offered.authority
    for whose, moment in (
        ("The authority’s certificate", authority.expires_at if authority else None),
        (f"The {look.offered.credential}", look.offered.credential_expires_at),
        ("The API server’s certificate", look.certificate_expires_at),
    ):
        found = Expiry.of(moment)
        if found is not None and found.state != "ok":
            yield f"{whose} has expired." if found.days < 0 else f"{whose} expires {found.words}."
