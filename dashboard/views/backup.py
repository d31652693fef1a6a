"""Backing up from the page of recovery (``/c/<context>/recovery/backup/``): as an archive in the storage, or by Velero
where that is installed, whose Backup or Schedule is then created as any other object (docs/adr/0084).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from dashboard.actions.action import Actor
from dashboard.actions.cluster_backup import Asked, BackupOrder, BackupPreview, backup_begin, backup_preview
from dashboard.actions.confirmation import why_in
from dashboard.actions.documents import TextObject, read_objects
from dashboard.actions.newobjects.reading import label_name, subdomain
from dashboard.errors import BadInput, ClusterError
from dashboard.kinds.rows import listed, plural
from dashboard.kinds.schedules import next_run
from dashboard.kube.shell import shell_line
from dashboard.live.operations import operations
from dashboard.live.screens.recovery import BackupFormScreen
from dashboard.live.session import Session
from dashboard.live.veleros import KEY, SCHEDULES_KEY
from dashboard.loop import off_loop
from dashboard.models import Change
from dashboard.queries.yamltext import as_yaml
from dashboard.recovery.claims import SNAPSHOTS_KEY
from dashboard.recovery.shelf import by_default
from dashboard.recovery.typedkeys import installed_recipients
from dashboard.recovery.velero import HOURS_KEPT, new_backup, new_schedule

from .attempts import actor_of, consent_parts, reason_of
from .create import CreateForm
from .errors import clear_errors
from .form import listed as listing
from .pages import page
from .steps import Parts, Shown, StepResult, asked_step, step_json, told_error
from .viewer import session_of

ARCHIVE, VELERO, SCHEDULE = "archive", "velero", "schedule"  # what makes it
MAX_DAYS = 3650


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that a preview says of a backup: ``icon`` is a name of the sprite."""

    icon: str
    text: str
    note: str = ""


class BackupForm(CreateForm):
    """``by`` (what makes it), ``namespace`` (several, with commas; none: the cluster), ``labels``, ``secrets``,
    ``snapshots``; for Velero ``name``, ``home`` (its namespace), ``days`` (until it is deleted), ``schedule``.
    """

    title = "Back up"
    screen: BackupFormScreen
    intro = (
        "What a backup holds",
        "Definitions of every kind in the API server, custom kinds too. Not in it: data on volumes, container images, "
        "Events, and what controllers recreate by themselves, such as the Pods of a Deployment. The preview says what "
        "would be in this one.",
    )

    def __init__(
        self, request: HttpRequest, session: Session, screen: BackupFormScreen, actor: Actor
    ) -> None:
        super().__init__(request, session, screen, actor)
        self.typed: Mapping[str, Any] = request.POST if self.sent else request.GET

    # ---- What was typed

    @cached_property
    def ways(self) -> list[str]:
        """What can make a backup here."""
        kinds = self.cluster.kinds
        made = {
            ARCHIVE: bool(settings.CLUSTER_UI_BACKUP_TO),
            VELERO: KEY in kinds,
            SCHEDULE: SCHEDULES_KEY in kinds,
        }
        return [way for way, there in made.items() if there]

    @property
    def by(self) -> str:
        asked = str(self.typed.get("by", ""))
        return asked if asked in self.ways else next(iter(self.ways), ARCHIVE)

    def _text(self, name: str) -> str:
        return str(self.typed.get(name, "")).strip()

    def _ticked(self, name: str) -> bool:
        return self.typed.get(name) == "true"

    @property
    def namespaces(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self._text("namespace").replace(",", " ").split()))

    @property
    def asked(self) -> Asked:
        return Asked(
            namespaces=self.namespaces, labels=self._text("labels"), secrets=self._ticked("secrets"),
            snapshots=self._ticked("snapshots"),
        )  # fmt: skip

    @property
    def text(self) -> str:
        """The Backup or the Schedule, as YAML."""
        days = self._text("days") or str(HOURS_KEPT // 24)
        if not (days.isascii() and days.isdigit() and 0 < int(days[:6]) <= MAX_DAYS):
            raise BadInput(f"Enter a number of days from 1 to {MAX_DAYS}.", field="days")
        for name in self.namespaces:
            read_typed("namespace", label_name, name)
        of_backup: dict[str, Any] = {
            "name": read_typed("name", subdomain, self._text("name")),
            "namespace": read_typed("home", label_name, self._text("home") or self.screen.home),
            "namespaces": self.namespaces, "labels": self._text("labels"), "secrets": self._ticked("secrets"),
            "snapshots": self._ticked("snapshots"), "hours": int(days) * 24,
        }  # fmt: skip
        try:
            if self.by != SCHEDULE:
                return as_yaml(new_backup(**of_backup))
            schedule = self._text("schedule")
            if next_run(schedule, None, datetime.now(UTC)) is None:
                raise BadInput("Enter a schedule in cron format, such as 0 2 * * *.", field="schedule")
            return as_yaml(new_schedule(schedule=schedule, **of_backup))
        except ValueError as error:  # a selector
            raise BadInput(f"Invalid label selector: {error}.", field="labels") from None

    def _objects(self) -> list[TextObject]:
        return read_objects(
            self.text, namespace="", context=self.cluster.cluster.name, kinds=self.cluster.kinds
        )

    # ---- Steps

    async def _order(self) -> BackupOrder:
        return BackupOrder(
            transport=self.session.transport,
            actor=self.actor,
            asked=self.asked,
            reason=await off_loop(reason_of, self.request),
            confirm=str(self.request.POST.get("confirm", "")),
        )

    async def preview(self) -> Shown:
        if self.by != ARCHIVE:
            return await super().preview()
        order = await self._order()
        found = await backup_preview(order)
        return Shown(preview=None, parts={"preview": backup_context(found, order)})

    async def apply(self, token: str) -> Change:
        if self.by != ARCHIVE:
            return await super().apply(token)
        change = await backup_begin(order=await self._order(), token=token)
        operations.wake()
        return change

    def failed(self, error: ClusterError) -> Parts:
        return {"error": told_error(error)}

    # ---- Answers

    async def _json(self) -> Parts:
        applies = self.request.method == "POST" and asked_step(self.request) == "apply"
        if self.by != ARCHIVE:
            return await super()._json()
        return await step_json(self.request, self) if applies else (await self.preview()).parts["preview"]

    @property
    def _back(self) -> str:
        return reverse("recovery", args=[self.cluster.cluster.slug])

    def _beside(self, said: StepResult) -> Parts:
        beside = super()._beside(said)
        mine = said.preview is None and not beside["error"]  # Velero's objects are previewed as all others
        return beside | (
            {
                "instead": "partials/backup_preview.html",
                "cancel_url": self._back,
                "intro": dict(zip(("title", "text"), self.intro, strict=True)),
            }
            if mine
            else {}
        )

    async def _page(self, said: StepResult) -> HttpResponseBase:
        response = await page(
            self.request, self.cluster, self.screen, title=self.title, more=self._beside(said),
            prepared=lambda: self._prepared(said),
        )  # fmt: skip
        response.status_code = said.status
        return response

    async def _prepared(self, said: StepResult) -> Parts:
        context, kinds = self.cluster.cluster.name, self.cluster.kinds
        recipients = _recipients()
        names = {key: self._text(key) for key in ("namespace", "labels", "schedule")}
        name = (
            self._text("name")
            or f"{'-'.join(self.namespaces)[:40] or 'cluster'}-{datetime.now(UTC):%Y%m%d%H%M}"
        )
        to_confirm = context if self.ways == [ARCHIVE] else f"{context}, or the name of Velero's object,"
        return {
            "breadcrumbs": [("Recovery", self._back)],
            "recovery_url": self._back,
            "namespaces": self.screen.namespaces,
            "ways": [{"value": way, "text": WAYS[way], "chosen": way == self.by} for way in self.ways],
            "recipients": [shown_key(each) for each in recipients],
            "snapshots": SNAPSHOTS_KEY in kinds,
            "typed": {
                **names,
                "name": name,
                "home": self._text("home") or self.screen.home,
                "days": self._text("days") or str(HOURS_KEPT // 24),
                "secrets": self._ticked("secrets") if self.sent else bool(recipients) or self.by != ARCHIVE,
                "snapshots": self._ticked("snapshots"),
            },
            "form": {
                "action_url": self.url,
                "errors": said.wrong,
                "consent": consent_parts(context, self.typed, why=why_in(context), name=to_confirm),
            },
        }


WAYS = {ARCHIVE: "Archive", VELERO: "Velero Backup", SCHEDULE: "Velero Schedule"}


def read_typed(field: str, parse: Any, typed: str) -> str:
    """What somebody typed, read. Raises BadInput for that input."""
    try:
        return str(parse(typed))
    except BadInput as error:
        error.field = field
        raise


def _recipients() -> tuple[str, ...]:
    """The public keys of the installation; none where the setting can't be read, which a preview says."""
    try:
        return tuple(map(str, installed_recipients()))
    except BadInput:
        return ()


def shown_key(key: str) -> str:
    """A public key, short enough to be compared at a glance."""
    return key if len(key) <= 24 else f"{key[:12]}…{key[-6:]}"


def backup_context(found: BackupPreview, order: BackupOrder) -> dict[str, Any]:
    """A preview for its template and for scripts."""
    asked = order.asked
    said = [Said("file", f"Objects of {plural(found.kinds, 'kind')}", "each kind as it is at one moment")]
    if asked.secrets:
        keys = listed([shown_key(each) for each in found.recipients])
        said.append(Said("lock", "Secrets", f"encrypted, as all of the archive, to {keys}"))
    elif found.recipients:
        said.append(Said("minus", "No Secrets", "excluded by choice; the archive is encrypted nonetheless"))
    else:
        said.append(Said("minus", "No Secrets", "the archive is not encrypted: no recipient is configured"))
    if not asked.snapshots:
        said.append(Said("minus", "No volume data", "an archive holds definitions only"))
    elif found.snapshots:
        note = "of each claim whose driver has a VolumeSnapshotClass; they stay in the cluster's storage"
        said.append(Said("server", "VolumeSnapshots", note))
    else:
        said.append(Said("warn", "No volume data", "the cluster has no VolumeSnapshots"))
    if by_default(settings.CLUSTER_UI_BACKUP_TO):
        note = "lost with it: CLUSTER_UI_BACKUP_TO names a better place"
        said.append(Said("warn", "Stored on the dashboard's own machine", note))
    notices = []
    if found.missing:
        text = f"Your account may not list {listed(found.missing, 'more kinds')}. They will be missing."
        notices.append({"state": "warn", "title": "The backup will be incomplete", "text": text, "field": ""})
    return {
        "token": found.token,
        "headline": f"Backs up {asked.words}",
        "say": (
            "VolumeSnapshots are all that is created in the cluster."
            if asked.snapshots
            else "Nothing in the cluster is changed."
        )
        + " The archive counts once it was read back and verified.",
        "said": [{"icon": each.icon, "text": each.text, "note": each.note} for each in said],
        "effects": [],
        "notices": notices,
        "diff": [],
        "kubectl": command_of(asked),
        "button": "Back up now",
    }


def command_of(asked: Asked) -> str:
    """The command that makes the same."""
    words = ["manage.py", "backup", "create"]
    for name in asked.namespaces:
        words += ["--namespace", name]
    words += ["--label", asked.labels] if asked.labels else []
    words += [] if asked.secrets else ["--without-secrets"]
    return shell_line(words + (["--snapshots"] if asked.snapshots else []))


@require_http_methods(["GET", "HEAD", "POST"])
@clear_errors
async def backup(request: HttpRequest, context: str) -> HttpResponseBase:
    """``step=preview`` shows what would be in it; ``step=apply`` with its ``token`` begins it."""
    session = await session_of(request, context)
    screen = BackupFormScreen(session, request.GET)
    form = BackupForm(request, screen.session, screen, actor_of(await request.auser(), session))
    if request.method != "POST":
        return await form.answer()
    async with listing(screen):
        return await form.answer()
