"""As whom people act in the contexts where they are impersonated: ``/people/``, for administrators."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect, JsonResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from dashboard.database import in_database
from dashboard.errors import BadInput
from dashboard.live.acting import mode_of
from dashboard.live.runtime import runtime
from dashboard.mappings import MAP, UNMAP, mapping_remove, mapping_set
from dashboard.models import AccountMapping

from .administrators import administrator_required, refusals_kept
from .chrome import page_chrome
from .errors import asks_json, clear_errors

FIELDS = ("subject", "name", "context", "user", "groups", "extra")


async def _administrator(request: HttpRequest, action: str) -> str:
    return await administrator_required(request, action, "map people to cluster users")


@require_http_methods(["GET", "HEAD", "POST"])
@clear_errors
async def people(request: HttpRequest) -> HttpResponseBase:
    """Who acts as whom; a POST says it of one: ``subject`` (``user`` or ``group``), ``name``, ``context`` (a slug, or
    empty for every one), ``user``, ``groups`` (with commas) and ``extra`` (lines, ``key=value``).
    """
    by, error = await _administrator(request, MAP), None
    if request.method == "POST":
        try:
            async with refusals_kept(request, MAP, name=request.POST.get("name", "")):
                made = await in_database(mapping_set)(by=by, **_given(request.POST))
        except BadInput as wrong:
            if asks_json(request):
                raise
            error = wrong
        else:
            if asks_json(request):
                return JsonResponse({"id": made.pk})
            messages.success(request, f"{made.name} acts as {made.cluster_user} now.")
            return HttpResponseRedirect(reverse("people"))
    kept = await in_database(list)(AccountMapping.objects.order_by("context", "subject", "name"))
    names = {each.slug: each.name for each in runtime.clusters() if mode_of(each.slug) == "impersonate"}
    facts: dict[str, Any] = {
        "mappings": [_told(each, names) for each in kept],
        "contexts": names.items(),
        "typed": {key: request.POST.get(key, "") for key in FIELDS},
        "error": {"text": f"{error.message} {error.next_step}".strip(), "field": error.field}
        if error
        else {},
    }
    if request.method != "POST" and asks_json(request):
        return JsonResponse({"people": facts["mappings"]})
    chrome = await page_chrome(request, request.GET.get("from", ""), title="People")
    return render(request, "pages/people.html", {"s": facts, **chrome}, status=error.status if error else 200)


@require_POST
@clear_errors
async def remove(request: HttpRequest, mapping: int) -> HttpResponseBase:
    """From now on this is said of nobody: whoever acted so is told whom to ask, within half a minute."""
    by = await _administrator(request, UNMAP)
    async with refusals_kept(request, UNMAP):
        gone = await in_database(mapping_remove)(by=by, number=mapping)
    if asks_json(request):
        return JsonResponse({"id": mapping})
    messages.success(request, f"{gone.name} is no longer mapped to {gone.cluster_user}.")
    return HttpResponseRedirect(reverse("people"))


def _given(typed: QueryDict) -> dict[str, Any]:
    """What a form says. Raises BadInput for a context that is none, and for a line that is no extra value."""
    context = typed.get("context", "").strip()
    if context and context not in {each.slug for each in runtime.clusters()}:
        raise BadInput("Choose one of the contexts, or every one.", field="context")
    extra: dict[str, list[str]] = {}
    for line in filter(None, map(str.strip, typed.get("extra", "").splitlines())):
        key, equals, value = line.partition("=")
        if not equals:
            raise BadInput(f"Extra values are lines such as scope=read; {line!r} is not one.", field="extra")
        extra.setdefault(key.strip(), []).append(value.strip())
    groups = typed.get("groups", "").replace("\n", ",").split(",")
    return {
        "subject": typed.get("subject", ""),
        "name": typed.get("name", "").strip(),
        "context": context,
        "user": typed.get("user", "").strip(),
        "groups": [group.strip() for group in groups if group.strip()],
        "extra": extra,
    }


def _told(mapping: AccountMapping, names: dict[str, str]) -> dict[str, Any]:
    return {
        "id": mapping.pk,
        "subject": mapping.subject,
        "name": mapping.name,
        "context": names.get(mapping.context, mapping.context),
        "user": mapping.cluster_user,
        "groups": mapping.cluster_groups,
        "extra": [f"{key}={value}" for key, values in mapping.extra.items() for value in values],
        "by": mapping.by,
        "at": mapping.at.isoformat().replace("+00:00", "Z"),
        "remove_url": reverse("people_remove", args=[mapping.pk]),
    }
