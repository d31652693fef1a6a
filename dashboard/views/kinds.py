"""What belongs to the lists of kinds besides their rows: which columns somebody wants, and numbers for the menu."""

from __future__ import annotations

from http import HTTPStatus

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from dashboard.errors import BadInput
from dashboard.live.screens.chrome import in_group
from dashboard.live.screens.common import kind_of
from dashboard.preferences import columns_remember
from dashboard.queries.bounds import chosen_of
from dashboard.queries.lists import LABEL, check_choice, column_keys, label_of, shown_columns

from .errors import clear_errors
from .viewer import session_of


@require_POST
@clear_errors
async def columns(request: HttpRequest, context: str, plural: str) -> HttpResponseBase:
    """Remembers which columns the reader wants to see of a kind; none at all: the usual ones."""
    session = await session_of(request, context)
    cluster = session.cluster
    await cluster.knows(plural)
    kind = kind_of(cluster, plural)
    wanted = column_keys(",".join(request.POST.getlist("column")))
    label = request.POST.get("label", "").strip()
    if label and label_of(LABEL + label) is None:
        raise BadInput(
            f"{label!r} is not the key of a label: it looks like app or example.com/tier.", field="label"
        )
    if label:
        wanted = (*(wanted or [column.key for column in shown_columns(kind, measured=True)]), LABEL + label)
    check_choice(wanted)
    await columns_remember(await request.auser(), plural, () if "usual" in request.POST else wanted)
    if "HX-Request" in request.headers:
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    return HttpResponseRedirect(reverse("list", args=[context, plural]))


@require_safe
@clear_errors
async def counts(request: HttpRequest, context: str, group: str) -> HttpResponseBase:
    """Counts the kinds of a group of the menu; the numbers come with the next frame."""
    session = await session_of(request, context)
    chosen = frozenset(chosen_of(request.GET, "namespace")) or None
    found = [kind for kind in session.cluster.kinds.served if in_group(kind, group)]
    for namespaced in (True, False):
        plurals = [kind.plural for kind in found if kind.gvr.namespaced is namespaced]
        await session.counts.ask(plurals, chosen if namespaced else None)
    return HttpResponse(status=HTTPStatus.NO_CONTENT)
