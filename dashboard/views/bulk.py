"""One action on many objects: ``object=<namespace>/<name>`` repeated (``-/<name>`` of a kind without namespaces), or
``all=yes`` with the filter of a list, which a preview turns into just the objects that match it then.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponseRedirect, JsonResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from dashboard.actions.action import Actor, Target
from dashboard.actions.bulk import bulk_title
from dashboard.actions.bulk_pace import ORDER_FIELD, ORDERS, TIMEOUT_FIELD, TOGETHER, Pace
from dashboard.actions.bulk_preview import (
    BulkOrder,
    BulkPreview,
    ObjectPreview,
    bulk_apply,
    bulk_preview,
    bulk_targets,
)
from dashboard.actions.bulk_undo import BulkUndo, bulk_undo_apply, bulk_undo_preview
from dashboard.actions.confirmation import why_in
from dashboard.edge import KIB, body_limit
from dashboard.errors import BadInput, ClusterError, Unavailable
from dashboard.live.operations import operations
from dashboard.live.screens.bulk import BulkFormScreen
from dashboard.live.screens.common import iso, list_url, namespaces_crumbs, namespaces_words, object_url
from dashboard.live.screens.listing import ListScreen
from dashboard.live.session import Session
from dashboard.loop import off_loop
from dashboard.models import Change

from .attempts import actor_of, consent_parts, reason_of, refusals_audited
from .errors import asks_json, clear_errors, error_context
from .form import field_context, listed
from .pages import page
from .steps import (
    Parts,
    Shown,
    StepResult,
    asked_step,
    preview_json,
    take_step,
    told_context,
    told_error,
    told_json,
    typed_fields,
)
from .viewer import session_of

COMMANDS = 3  # shown of those that do the same; all of them are copied
BODY = 512 * KIB  # 500 objects of the longest names, and the token that knows them


@body_limit(BODY)
@require_http_methods(["GET", "HEAD", "POST"])
@clear_errors
async def bulk(request: HttpRequest, context: str, plural: str, action: str) -> HttpResponseBase:
    """``step=preview`` and ``step=apply``, as of an action on one object; ``confirm`` is the number of objects."""
    session = await session_of(request, context)
    await session.cluster.knows(plural)
    screen = BulkFormScreen(session, request.GET, plural, action)
    sent = request.POST if request.method == "POST" else request.GET
    names: Sequence[str] = sent.getlist("object")
    if not names and sent.get("all") == "yes":
        names = await _matching(session, sent, plural)
    targets = bulk_targets(session.cluster.cluster.name, screen.kind, names)
    async with listed(screen):
        return await BulkForm(request, screen, actor_of(await request.auser(), session), targets).answer()


async def _matching(session: Session, sent: QueryDict, plural: str) -> list[str]:
    """The objects that a list's filter leaves now, on all its pages. Raises what the list would say."""
    screen = ListScreen(session, sent, plural)
    with session.cluster.lease(screen.plurals):
        await session.cluster.ready(screen.plurals)
        await screen.prepare()
        if (refusal := screen.refusal) is not None:
            raise refusal
        if not screen.known:
            raise screen.failure or Unavailable(f"{screen.kind.title} are still being read.")
        found = screen.listing(page_size=None)
    if found.label_error:
        raise BadInput(found.label_error, field="labels")
    return [f"{row.namespace or '-'}/{row.name}" for row in found.rows]


class ManyForm:
    """A form about many objects, in the steps of every form: a subclass says what it previews, and what it begins."""

    at_once: bool  # whether there is nothing to type first
    namespaces: Collection[str] = ()  # of the objects

    def __init__(
        self, request: HttpRequest, screen: BulkFormScreen, actor: Actor, count: int, pace: str = ""
    ) -> None:
        self.request, self.session, self.screen, self.actor = request, screen.session, screen, actor
        self.cluster, self.kind, self.action = screen.runtime, screen.kind, screen.action
        self.count, self.pace = count, pace

    async def found(self) -> BulkPreview:
        raise NotImplementedError

    async def begin(self, token: str, confirm: str, reason: str, pace: Pace) -> Change:
        raise NotImplementedError

    @property
    def title(self) -> str:
        title = bulk_title(self.action, self.kind.kind, self.kind.title, self.count)
        return " in ".join(filter(None, (title, namespaces_words(self.namespaces))))

    async def preview(self) -> Shown:
        found = await self.found()
        self.count = len(found.each)
        objects = [self._row(one) for one in found.ranked]
        return Shown(
            preview=None, parts={"preview": self._parts(found), "objects": objects, "why": found.confirm}
        )

    async def apply(self, token: str) -> Change:
        sent = {name: str(self.request.POST.get(name, "")) for name in (ORDER_FIELD, TIMEOUT_FIELD)}
        change = await self.begin(
            token,
            self.request.POST.get("confirm", ""),
            await off_loop(reason_of, self.request),
            Pace.read(sent),
        )
        operations.wake()
        return change

    def failed(self, error: ClusterError) -> Parts:
        return {"error": told_error(error)}

    # ---- Answers

    async def answer(self) -> HttpResponseBase:
        if asks_json(self.request):
            return JsonResponse(await self._json())
        # A list sends what was chosen there; what else the action asks for is typed here.
        first = "step" not in self.request.POST and not self.at_once
        said = StepResult() if first else await take_step(self.request, self)
        if said.done:
            return HttpResponseRedirect(reverse("change", args=[said.done.pk]))
        if self.request.method == "POST" and self.request.headers.get("HX-Target") == "preview":
            context = {"s": self._beside(said)}
            return render(self.request, "partials/preview.html", context, status=said.status)
        response = await page(
            self.request, self.cluster, self.screen, title=self.title, more=self._context(said)
        )
        response.status_code = said.status
        return response

    async def _json(self) -> Parts:
        if self.request.method == "POST" and asked_step(self.request) == "apply":
            async with refusals_audited(self.request):
                change = await self.apply(self.request.POST.get("token", ""))
            return {"change": change.pk, "url": reverse("change", args=[change.pk])}
        found = await self.found()
        each = [
            {
                "object": one.name,
                "state": one.state,
                "refusal": error_context(one.refusal) if one.refusal else None,
                **({"undoes": one.undoes} if one.undoes else {}),
                **{key: told for key, told in preview_json(one.preview).items() if key != "token"},
            }
            for one in found.each
        ]
        return {
            "token": found.token,
            **told_json(found),
            "diff": [],
            "kubectl": found.kubectl,
            **({"kubectl_note": found.kubectl_note} if found.kubectl_note else {}),
            "count": len(each),
            "objects": each,
        }

    # ---- What is shown

    def _context(self, said: StepResult) -> dict[str, Any]:
        sent = self.request.POST or self.request.GET
        why = said.parts.get("why") or why_in(self.cluster.cluster.name)
        return {
            "title": self.title,
            "verb": self.action.title,
            "count": self.count,
            "kind": {"plural": self.kind.plural, "title": self.kind.title, "kind": self.kind.kind},
            "where": namespaces_words(self.namespaces),
            "targets": [],
            "breadcrumbs": [
                (self.kind.title, list_url(self.cluster, self.kind.plural)),
                *namespaces_crumbs(self.cluster, self.kind.plural, self.namespaces),
            ],
            "cluster_name": self.cluster.cluster.name,
            "form": {
                "action_url": self.request.path,
                "intro": self.action.intro,
                "errors": said.wrong,
                "orders": ORDERS,
                "order": sent.get(ORDER_FIELD, "") or self.pace or TOGETHER,
                "timeout": sent.get(TIMEOUT_FIELD, ""),
                "consent": consent_parts(
                    self.cluster.cluster.name,
                    sent,
                    why=why,
                    name=str(self.count),
                    spare=self.action.confirms_by_wanted,
                ),
                "fields": self._fields(sent, said.wrong),
            },
            **self._beside(said),
        }

    def _fields(self, sent: Mapping[str, Any], wrong: Mapping[str, str]) -> list[dict[str, Any]]:
        return []

    def _beside(self, said: StepResult) -> dict[str, Any]:
        return {
            "object": {"name": self.kind.title, "url": list_url(self.cluster, self.kind.plural)},
            "made_from": "",
            "typed": not self.at_once,
            "preview": None,
            "conflict": None,
            "error": None,
            **said.parts,
        }

    def _parts(self, found: BulkPreview) -> Parts:
        lines = found.kubectl.splitlines()
        return {
            **told_context(self.cluster, found),
            "effects": [],  # they stand with their objects
            "kubectl": found.kubectl,
            "kubectl_note": found.kubectl_note,
            "kubectl_lines": lines[:COMMANDS],
            "kubectl_more": len(lines[COMMANDS:]),
            "checked_at": iso(found.checked_at.replace(microsecond=0)),
            "undo_words": found.undo_words if found.token else "There is nothing to apply.",
            "button": {"text": found.button, "danger": found.danger} if found.token else None,
            "token": found.token,
            "asks": found.confirm,
        }

    def _row(self, one: ObjectPreview) -> dict[str, str]:
        """An object of the preview: what happens to it, or why nothing does."""
        target = one.target
        return {
            "name": target.name,
            "namespace": target.namespace,
            "url": object_url(self.cluster, target.plural, target.namespace, target.name),
            "state": {"refused": "bad", "same": "ok"}.get(one.state, one.worst),
            "icon": {"refused": "lock", "same": "end"}.get(one.state, one.worst),
            "word": {"refused": "skipped", "same": "no changes"}.get(one.state, ""),
            "text": error_context(one.refusal)["text"] if one.refusal else one.words if one.shown else "",
            "change": reverse("change", args=[one.undoes]) if one.undoes else "",
        }


class BulkForm(ManyForm):
    """One action on what was chosen in a list."""

    def __init__(
        self, request: HttpRequest, screen: BulkFormScreen, actor: Actor, targets: Sequence[Target]
    ) -> None:
        super().__init__(request, screen, actor, len(targets))
        self.targets, self.namespaces = targets, {target.namespace for target in targets}

    @property
    def at_once(self) -> bool:  # type: ignore[override]
        return bool(self.targets) and not self.action.typed

    def order(self) -> BulkOrder:
        return BulkOrder(
            transport=self.session.transport,
            actor=self.actor,
            kind=self.kind,
            action=self.action,
            targets=self.targets,
            typed=typed_fields(self.request),
        )

    async def found(self) -> BulkPreview:
        return await bulk_preview(order=self.order(), objects=self.session.reader)

    async def begin(self, token: str, confirm: str, reason: str, pace: Pace) -> Change:
        return await bulk_apply(order=self.order(), token=token, confirm=confirm, reason=reason, pace=pace)

    def _context(self, said: StepResult) -> dict[str, Any]:
        names = [f"{target.namespace or '-'}/{target.name}" for target in self.targets]
        return super()._context(said) | {"targets": names}

    def _fields(self, sent: Mapping[str, Any], wrong: Mapping[str, str]) -> list[dict[str, Any]]:
        fields = self.action.fields
        return [
            field_context(each, None, self.session.reader, sent, wrong, last=each is fields[-1])
            | {"stepper": False}  # from nothing that they have in common
            for each in fields
        ]


class BulkUndoForm(ManyForm):
    """The undo of a change of many objects; there is nothing to type."""

    at_once = True

    def __init__(self, request: HttpRequest, screen: BulkFormScreen, actor: Actor, change: Change) -> None:
        super().__init__(request, screen, actor, change.result["count"], change.result.get("order", ""))
        self.change, self.namespaces = change, change.result["namespaces"]

    @property
    def title(self) -> str:
        return f"Undo of {super().title}"

    def undo(self) -> BulkUndo:
        return BulkUndo(
            transport=self.session.transport,
            actor=self.actor,
            change=self.change,
            kinds=self.cluster.kinds,
        )

    async def found(self) -> BulkPreview:
        return await bulk_undo_preview(undo=self.undo(), objects=self.session.reader)

    async def begin(self, token: str, confirm: str, reason: str, pace: Pace) -> Change:
        return await bulk_undo_apply(undo=self.undo(), token=token, confirm=confirm, reason=reason, pace=pace)

    def _context(self, said: StepResult) -> dict[str, Any]:
        made = super()._context(said)
        url, who = reverse("change", args=[self.change.pk]), self.change.user.get_username()
        what = self.action.title.lower()
        intro = f"This undoes what {who} did to these objects ({what}), the newest change first."
        return made | {
            "verb": f"Undo: {what}",
            "breadcrumbs": [*made["breadcrumbs"], ("Change", url)],
            "form": made["form"] | {"intro": intro},
            "object": {"name": "the change", "url": url},
        }
