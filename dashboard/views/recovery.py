"""Restoring from a backup and drills (``/c/<context>/recovery/…``), in the steps of every form.

The key of an encrypted backup is a field of the form that stays in the browser beside the preview: it is never sent back,
and is sent again with the apply.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.http import HttpRequest, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from dashboard.actions.confirmation import why_in
from dashboard.actions.diff import Line, diff_lines
from dashboard.actions.drill import DrillPreview, drill_begin, drill_preview
from dashboard.actions.restore import (
    RestoreOrder,
    RestorePreview,
    restore_begin,
    restore_preview,
    targets_of,
)
from dashboard.actions.restore_words import restore_words
from dashboard.actions.restored_pods import lost_claims
from dashboard.admins import is_admin
from dashboard.edge import KIB, body_limit
from dashboard.errors import BadInput, ClusterError, Forbidden, NotFound
from dashboard.kinds.duration import day_and_time
from dashboard.kinds.rows import OFFERED, listed, plural
from dashboard.kube.config import slug, unslug
from dashboard.live.acting import identity_of, own_accounts
from dashboard.live.operations import operations
from dashboard.live.runtime import runtime
from dashboard.live.screens.recovery import (
    EVERYTHING,
    DrillFormScreen,
    RecoveryFormScreen,
    RecoveryScreen,
    VeleroFormScreen,
    archives_told,
    everything_required,
    not_everything,
    sees_namespaces,
)
from dashboard.live.session import Session
from dashboard.loop import off_loop
from dashboard.models import Change
from dashboard.recovery.choice import Choice, named, read_choice
from dashboard.recovery.comparing import comparable
from dashboard.recovery.holding import Holding
from dashboard.recovery.readiness import of_cluster
from dashboard.recovery.restoring import Planned
from dashboard.recovery.shelf import Shelf, shelves
from dashboard.recovery.storage import Stored, slug_in
from dashboard.recovery.typedkeys import installed_identities, typed_identities

from .attempts import actor_of, consent_parts, reason_of, refusals_audited
from .errors import asks_json, clear_errors
from .form import listed as listing
from .pages import page, whole_cluster
from .steps import asked_step, told_error
from .velero import VeleroRestoreForm, into_maps
from .viewer import session_of

BODY = 256 * KIB  # the token knows each object that was tried
MAX_NAMESPACES = 50  # of a backup whose rights are asked for
WORDS = {
    "create": "will be created", "update": "will be updated", "same": "no changes", "leave": "left as it is",
    "refused": "refused",
}  # fmt: skip

# The one thing that a diff for people leaves out, and a restore writes.
NOTED = "Only what kubectl apply noted last differs."

recovery = whole_cluster(RecoveryScreen, "Recovery")


@dataclass(slots=True)
class _Answer:
    """What stands beside the form: a preview as its template wants it, or an error."""

    parts: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    wrong: dict[str, str] = field(default_factory=dict)
    done: Change | None = None


class RecoveryForm:
    """A form about a backup: a subclass previews and begins what it is for."""

    title: str
    template: str  # of the preview, alone
    screen_class: type[RecoveryFormScreen]
    spare = False  # whether a preview may ask for a name

    @property
    def to_confirm(self) -> str:
        """What is typed where a name has to be, in words."""
        return self.session.cluster.cluster.name

    def __init__(self, request: HttpRequest, session: Session) -> None:
        self.request, self.session = request, session
        self.sent: Mapping[str, Any] = request.POST if request.method == "POST" else request.GET
        self.shelf = Shelf(configured=False)
        self.told: Sequence[Stored] = ()  # the backups that they may know of, the newest first

    # ---- Of the subclass

    async def preview(self, order: RestoreOrder) -> dict[str, Any]:
        raise NotImplementedError

    async def begin(self, order: RestoreOrder, token: str) -> Change:
        raise NotImplementedError

    def asked(self) -> Choice:
        """What was typed. Raises BadInput."""
        raise NotImplementedError

    # ---- The steps

    async def answer(self) -> HttpResponseBase:
        self.shelf = await shelves.now()
        if asks_json(self.request):
            return JsonResponse(await self._json())
        said = await self._step() if self.request.method == "POST" else _Answer()
        if said.done is not None:
            url = reverse("change", args=[said.done.pk])
            return HttpResponseRedirect(url)
        if (
            self.request.headers.get("HX-Target") == "preview"
        ):  # without the form, so without the backups to choose
            return render(self.request, self.template, {"s": self._context(said)}, status=said.status)
        self.told = await self._told()
        context = self._context(said)
        screen = self.screen_class(self.session, self.request.GET)
        response = await page(self.request, self.session.cluster, screen, title=self.title, more=context)
        response.status_code = said.status
        return response

    async def _order(self) -> RestoreOrder:
        name, choice = str(self.sent.get("archive", "")), self.asked()
        partly = await self._required_ahead(name, choice)
        stored = self.shelf.named(name)
        keys = typed_identities(str(self.request.POST.get("identity", "")))
        return RestoreOrder(
            transport=self.session.transport,
            actor=actor_of(await self.request.auser(), self.session),
            archive=stored.url,
            choice=choice,
            identities=keys,
            reason=await off_loop(reason_of, self.request),
            confirm=str(self.request.POST.get("confirm", "")),
            allowed=partial(self._allowed, choice=choice),
            partly=partly,
        )

    async def _required_ahead(self, name: str, choice: Choice) -> bool:
        """Whether they may read a part of a backup only. Raises Forbidden for whoever may not read what they ask for, as
        far as that is known before it is read: by its name and by the namespaces that were chosen, or those of its
        header. It is the same whether or not there is such a backup: that is said to those alone who may know of it.
        """
        of = slug_in(name)
        session = await self._session_in(of) if of else None
        if session is None or await session.decide("list", EVERYTHING):
            return False
        header = self.shelf.headers.get(name)
        namespaces = choice.namespaces or (header.namespaces if header is not None else ())
        if choice.cluster_kinds:
            raise not_everything("in the whole cluster")
        if not namespaces:
            raise not_everything("in its namespaces")
        if len(namespaces) > MAX_NAMESPACES:
            raise BadInput(f"Choose at most {MAX_NAMESPACES} namespaces.", field="namespace")
        await everything_required(session, namespaces, named=choice.namespaces)
        return True

    async def _allowed(self, holding: Holding, choice: Choice) -> None:
        """Whoever acts with an account of their own sees of a backup only what they may see of the cluster that it is of,
        whichever cluster it is restored into.
        """
        context = holding.header.cluster.context
        session = await self._session_in(slug(context))
        if session is None:
            return
        if not await session.decide("list", EVERYTHING):
            await self._parts_allowed(session, holding, choice)
        uid, now = holding.header.cluster.uid, ""
        if uid and not await is_admin(self.request):  # who brings a cluster back that was made anew
            now = await session.cluster.uid()
        if now and now != uid:
            raise Forbidden(
                f"This backup is of another cluster that was called {context}: no API server can say whether you may "
                "read it.",
                next_step="Ask an administrator of the dashboard to restore it.",
            )

    async def _parts_allowed(self, session: Session, holding: Holding, choice: Choice) -> None:
        homes = targets_of(Choice(), holding.objects)
        if len(homes) > MAX_NAMESPACES:
            raise BadInput(f"Choose at most {MAX_NAMESPACES} namespaces.", field="namespace")
        beyond = any(not each.namespace and each.plural != "namespaces" for each in holding.objects)
        await everything_required(session, ["", *homes] if beyond else homes, named=choice.namespaces)

    async def _session_in(self, context: str) -> Session | None:
        """Theirs in a context, by its slug; None where everybody acts with one account. Raises Forbidden for one that is
        not there any more, so that nobody can be asked.
        """
        here = self.session.cluster.cluster.slug
        try:
            session = self.session if context == here else await session_of(self.request, context)
        except NotFound:
            if not (own_accounts(context) or own_accounts(here)):
                return None
            raise Forbidden(
                f"This backup is of {unslug(context)}, which is no context of this dashboard: no API server can say "
                "whether you may read it.",
                next_step="Ask whoever runs the dashboard to restore it with manage.py backup restore.",
            ) from None
        return session if own_accounts(context) else None

    async def _step(self) -> _Answer:
        said = _Answer()
        try:
            if asked_step(self.request) == "apply":
                try:
                    said.done = await self._applied()
                    return said
                except BadInput as error:
                    if error.field != "token":
                        raise
                    said.status = error.status  # something else was chosen since: its preview follows
            said.parts = await self.preview(await self._order())
        except ClusterError as error:
            said.status = error.status
            said.parts = {"error": told_error(error)}
            if error.field:
                said.wrong[error.field] = error.message
        return said

    async def _applied(self) -> Change:
        async with refusals_audited(self.request):
            change = await self.begin(await self._order(), str(self.request.POST.get("token", "")))
        operations.wake()
        return change

    async def _json(self) -> dict[str, Any]:
        if self.request.method == "POST" and asked_step(self.request) == "apply":
            change = await self._applied()
            return {"change": change.pk, "url": reverse("change", args=[change.pk])}
        return plain((await self.preview(await self._order()))["preview"])

    # ---- The page

    async def _told(self) -> list[Stored]:
        """The backups of this cluster that they may know of, and those of others in which they have an account: where it
        is their own, of the whole cluster only, whose names tell nothing of it.
        """
        here, user = self.session.cluster.cluster.slug, await self.request.auser()
        await self.session.review({"namespaces"})
        told = await archives_told(self.session, self.shelf)
        for context in {each.slug for each in self.shelf.stored} - {here}:
            try:
                await identity_of(runtime.named(context), user.get_username(), self.request.session)
            except NotFound:
                if own_accounts(context) or own_accounts(here):
                    continue
            except ClusterError:
                continue
            of = self.shelf.of(context)
            whole = [each for each in of if of_cluster(each, self.shelf.headers.get(each.name))]
            told += whole if own_accounts(context) else of
        return sorted(told, key=lambda each: (each.at, each.name), reverse=True)

    def chosen(self) -> str:
        """The name of the backup that the form has chosen."""
        return str(self.sent.get("archive", ""))

    def _context(self, said: _Answer) -> dict[str, Any]:
        cluster = self.session.cluster.cluster
        name = self.chosen()
        chosen = next((each for each in self.told if each.name == name), None)
        return {
            "archive": name,
            "archives": [
                {"name": each.name, "words": self._words(each), "here": each.slug == cluster.slug}
                for each in self.told[:200]
            ],
            "encrypted": chosen is not None and chosen.encrypted,
            "key_here": bool(installed_identities()) if chosen is not None and chosen.encrypted else False,
            "namespaces": list(self._namespaces(chosen))[:OFFERED] if chosen is not None else [],
            "recovery_url": reverse("recovery", args=[cluster.slug]),
            "drill_url": reverse("drill", args=[cluster.slug]),
            "action_url": self.request.path,
            "breadcrumbs": [("Recovery", reverse("recovery", args=[cluster.slug]))],
            "typed": {
                key: str(self.sent.get(key, ""))
                for key in ("namespace", "into", "only", "labels", "conflict", "cluster_kinds")
            },
            "form": {
                "errors": said.wrong,
                "consent": consent_parts(
                    cluster.name,
                    self.sent,
                    why=why_in(cluster.name),
                    name=self.to_confirm,
                    spare=self.spare,
                ),
            },
            "preview": None,
            "error": None,
            **said.parts,
        }

    def _words(self, stored: Stored) -> str:
        """A backup as somebody looks for it: by its day first."""
        header = self.shelf.headers.get(stored.name)
        names = self._namespaces(stored)
        of = (
            listed(named(names), "more namespaces")
            if names
            else plural(len(header.namespaces), "namespace")
            if header is not None and header.namespaces
            else "whole cluster"
            if of_cluster(stored, header)
            else stored.scope
        )
        return f"{day_and_time(stored.at)}, {of}{', encrypted' if stored.encrypted else ''}"

    def _namespaces(self, stored: Stored) -> Sequence[str]:
        """Those of a backup, as far as they are known here and may be named."""
        header = self.shelf.headers.get(stored.name)
        names = header.namespaces if header is not None else ()
        of_here = stored.slug == self.session.cluster.cluster.slug
        if not own_accounts(stored.slug) or (of_here and (sees_namespaces(self.session) or len(names) == 1)):
            return names
        return ()


def plain(preview: Mapping[str, Any]) -> dict[str, Any]:
    """A preview for scripts: the lines of each object as those of every other diff."""
    told = dict(preview)
    if "objects" in told:
        told["objects"] = [
            {
                **each,
                "lines": [{"line": one.n, "sign": one.sign, "text": one.text} for one in each["lines"]],
            }
            for each in told["objects"]
        ]
    return told


class RestoreForm(RecoveryForm):
    """``archive`` (its name), ``namespace`` (several, with commas), ``into`` (another namespace for one, or ``old=new``
    for each), ``only``, ``labels``, ``conflict``, ``each.<object>``, ``cluster_kinds``, ``identity``.
    """

    title = "Restore"
    template = "partials/restore_preview.html"
    screen_class = RecoveryFormScreen
    spare = True

    @property
    def to_confirm(self) -> str:
        return f"the namespace, or {self.session.cluster.cluster.name} for several,"

    def asked(self) -> Choice:
        sent = self.sent
        namespaces = str(sent.get("namespace", "")).replace(",", " ").split()
        into = into_maps(tuple(namespaces), str(sent.get("into", "")))
        each = {key.removeprefix("each."): str(sent.get(key, "")) for key in sent if key.startswith("each.")}
        return read_choice(
            namespaces=namespaces,
            only=[str(sent.get("only", ""))],
            labels=str(sent.get("labels", "")),
            maps=into,
            conflict=str(sent.get("conflict", "")),
            each=each,
            cluster_kinds=str(sent.get("cluster_kinds", "")).replace(",", " ").split(),
        )

    async def begin(self, order: RestoreOrder, token: str) -> Change:
        return await restore_begin(
            order=order, token=token, holder=operations.holder if order.identities else ""
        )

    async def preview(self, order: RestoreOrder) -> dict[str, Any]:
        found = await restore_preview(order)
        return {"preview": await off_loop(restore_context, found, order)}


def restore_context(found: RestorePreview, order: RestoreOrder) -> dict[str, Any]:
    """A preview for its template and for scripts; the diffs of many objects are compared here, so not on the loop."""
    told = restore_words(found, order.choice)
    notices = [{"state": each.state, "title": each.title, "text": each.text} for each in told.notices]
    button = f"Restore {plural(found.writes + found.more, 'object')}" if found.token else ""
    return {
        "token": found.token,
        "state": told.state,
        "headline": told.headline,
        "text": told.text,
        "effects": [],
        "notices": notices,
        "diff": [],
        "kubectl": "",
        "button": button,
        "danger": bool(told.broken) or bool(lost_claims(found.plans)),
        "asks": found.confirm,
        "into": told.where,
        "objects": [_object(each, order) for each in found.plans],
        "more": found.more,
        "skipped": [
            {"count": count, "why": why}
            for why, count in Counter(each.text for each in found.skipped).most_common(8)
        ],
        "skipped_count": len(found.skipped),
    }


def _object(plan: Planned, order: RestoreOrder) -> dict[str, Any]:
    lines = _diff(plan)
    changed = max(sum(each.sign == "+" for each in lines), sum(each.sign == "-" for each in lines))
    differs = plan.does in ("update", "leave") or (plan.does == "refused" and plan.made is not None)
    word = WORDS[plan.does]
    noted = differs and not lines and not plan.lacks and not plan.secret and plan.live is not None
    if plan.does in ("update", "leave") and changed:
        word = f"{changed} {'line differs' if changed == 1 else 'lines differ'}"
    if plan.placed.kind == "PersistentVolumeClaim" and plan.does == "create":
        word = "will be created, empty"
    return {
        "key": plan.key,
        "kind": plan.placed.kind,
        "namespace": plan.placed.namespace,
        "name": plan.placed.name,
        "does": plan.does,
        "state": {"refused": "bad", "same": "same", "leave": ""}.get(
            plan.does, "warn" if "empty" in word else ""
        ),
        "icon": "lock" if plan.secret else "file",
        "word": word,
        "text": NOTED if noted else plan.text if plan.does != "leave" or plan.lacks else "",
        "secret": plan.secret,
        "lines": lines,
        "choice": order.choice.conflict_of(plan.key) if differs and order.choice.conflict != "refuse" else "",
    }


def _diff(plan: Planned) -> Sequence[Line]:
    """What an update would change; of a Secret nothing."""
    if plan.secret or plan.live is None or plan.made is None or plan.does == "same":
        return ()
    gvr = plan.placed.gvr
    before, after = (comparable(gvr.group, gvr.plural, each) for each in (plan.live, plan.made))
    return diff_lines(before, after)


class DrillForm(RecoveryForm):
    """``archive`` (its name), ``namespace`` (several, with commas; none: all of it), ``identity``."""

    title = "Run a drill"
    template = "partials/drill_preview.html"
    screen_class = DrillFormScreen

    def asked(self) -> Choice:
        return read_choice(namespaces=str(self.sent.get("namespace", "")).replace(",", " ").split())

    def chosen(self) -> str:
        """Without another one, the newest of this cluster: it is the one that would be needed."""
        here = self.session.cluster.cluster.slug
        return super().chosen() or next((each.name for each in self.told if each.slug == here), "")

    async def begin(self, order: RestoreOrder, token: str) -> Change:
        return await drill_begin(
            order=order, token=token, holder=operations.holder if order.identities else ""
        )

    async def preview(self, order: RestoreOrder) -> dict[str, Any]:
        found = await drill_preview(order)
        return {"preview": drill_context(found)}


def drill_context(found: DrillPreview) -> dict[str, Any]:
    """A preview of a drill for its template and for scripts."""
    return {
        "token": found.token,
        "headline": f"Restores {plural(found.objects, 'object')} of {plural(len(found.namespaces), 'namespace')} on trial"
        if found.token
        else "Nothing of a namespace is in this backup",
        "namespaces": list(found.namespaces),
        "effects": [],
        "notices": [],
        "diff": [],
        "kubectl": "",
        "button": "Run the drill" if found.token else "",
    }


@sensitive_post_parameters("identity")
@body_limit(BODY)
@require_http_methods(["GET", "HEAD", "POST"])
@clear_errors
async def restore(request: HttpRequest, context: str) -> HttpResponseBase:
    """``step=preview`` shows what would be written, in its order; ``step=apply`` with its ``token`` begins it;
    ``by=velero``: of a backup of Velero, by Velero.
    """
    session = await session_of(request, context)
    if (request.POST.get("by") or request.GET.get("by")) == "velero":
        screen = VeleroFormScreen(session, request.GET)
        async with listing(screen):
            actor = actor_of(await request.auser(), session)
            return await VeleroRestoreForm(request, session, screen, actor).answer()
    async with listing(RecoveryFormScreen(session, request.GET)):
        return await RestoreForm(request, session).answer()


@sensitive_post_parameters("identity")
@body_limit(BODY)
@require_http_methods(["GET", "HEAD", "POST"])
@clear_errors
async def drill(request: HttpRequest, context: str) -> HttpResponseBase:
    """The same for a drill."""
    session = await session_of(request, context)
    async with listing(DrillFormScreen(session, request.GET)):
        return await DrillForm(request, session).answer()
