"""Restoring a backup of Velero (``/c/<context>/recovery/restore/?by=velero``), in the steps of every form: Velero's
Restore is created, and followed until it has ended (docs/adr/0084).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from dashboard.actions.action import Actor
from dashboard.actions.confirmation import why_in
from dashboard.actions.newobjects.reading import label_name, subdomain
from dashboard.actions.velero_restore import Asked, VeleroOrder, VeleroPreview, velero_begin, velero_preview
from dashboard.errors import BadInput, NotFound
from dashboard.kinds.rows import listed
from dashboard.kube.shell import shell_line
from dashboard.live.operations import operations
from dashboard.live.screens.recovery import VeleroFormScreen
from dashboard.live.session import Session
from dashboard.live.veleros import RESTORES_KEY
from dashboard.loop import off_loop
from dashboard.models import Change
from dashboard.recovery.choice import named
from dashboard.recovery.mapping import read_maps

from .attempts import consent_parts, reason_of
from .backup import BackupForm, Said, read_typed
from .pages import DISCOVERY_SECONDS
from .steps import Parts, Shown, StepResult, asked_step, step_json

NOT_INSTALLED = "Velero is not installed in this cluster"


class VeleroRestoreForm(BackupForm):
    """``backup`` and ``home`` (Velero's namespace), ``name`` (of the Restore), ``namespace`` (several, with commas),
    ``into`` (as of every restore), ``labels``, ``conflict`` (``leave`` or ``update``), ``volumes``.
    """

    title = "Restore"
    screen: VeleroFormScreen  # type: ignore[assignment]
    intro = (
        "Nothing is created before you have seen it",
        "Velero restores in the cluster, with its own rights. The preview tries its Restore at the API server, and says "
        "what the backup holds.",
    )

    def __init__(
        self, request: HttpRequest, session: Session, screen: VeleroFormScreen, actor: Actor
    ) -> None:
        super().__init__(request, session, screen, actor)  # type: ignore[arg-type]

    # ---- What was typed

    @property
    def _home(self) -> str:
        return self._text("home") or self.screen.home

    @property
    def wanted(self) -> Asked:
        """Raises BadInput."""
        for name in self.namespaces:
            read_typed("namespace", label_name, name)
        conflict = self._text("conflict") or "leave"
        if conflict not in ("leave", "update"):
            raise BadInput(f"conflict is {conflict[:40]!r}: enter leave or update.", field="conflict")
        backup = read_typed("backup", subdomain, self._text("backup"))
        return Asked(
            name=read_typed("name", subdomain, self._text("name") or _new_name(backup)),
            home=read_typed("home", label_name, self._home), backup=backup, namespaces=self.namespaces,
            maps=read_maps(into_maps(self.namespaces, self._text("into"))), labels=self._text("labels"),
            update=conflict == "update", volumes=self._ticked("volumes"),
        )  # fmt: skip

    # ---- Steps

    @property
    def _installed(self) -> bool:
        """Whether the cluster has Velero, as far as it says."""
        return RESTORES_KEY in self.cluster.kinds or not self.cluster.discovery.told

    async def _velero_order(self) -> VeleroOrder:
        """Raises NotFound where the cluster has no Velero."""
        if not self._installed:
            await self.cluster.discovery.anew(timeout=DISCOVERY_SECONDS)
        if not self._installed:
            raise NotFound(f"{NOT_INSTALLED}.", next_step="Restore from an archive, or install Velero first.")
        return VeleroOrder(
            transport=self.session.transport,
            actor=self.actor,
            asked=self.wanted,
            reason=await off_loop(reason_of, self.request),
            confirm=str(self.request.POST.get("confirm", "")),
        )

    async def preview(self) -> Shown:
        order = await self._velero_order()
        return Shown(
            preview=None, parts={"preview": restore_context(await velero_preview(order), order.asked)}
        )

    async def apply(self, token: str) -> Change:
        change = await velero_begin(order=await self._velero_order(), token=token)
        operations.wake()
        return change

    # ---- Answers

    async def _json(self) -> Parts:
        applies = self.request.method == "POST" and asked_step(self.request) == "apply"
        return await step_json(self.request, self) if applies else (await self.preview()).parts["preview"]

    async def _prepared(self, said: StepResult) -> Parts:
        context = self.cluster.cluster.name
        backup = self._text("backup")
        maps = into_maps(self.namespaces, self._text("into"), strict=False)
        into = dict(each.partition("=")[::2] for each in maps)
        targets = sorted({into.get(each, each) for each in self.namespaces})
        return {
            "breadcrumbs": [("Recovery", self._back)],
            "recovery_url": self._back,
            "restore_url": reverse("restore", args=[self.cluster.cluster.slug]),
            "missing": "" if self._installed else NOT_INSTALLED,
            "backups": [
                {"name": each.name, "words": each.holds, "chosen": each.name == backup}
                for each in self.screen.backups
            ],
            "typed": {
                **{key: self._text(key) for key in ("namespace", "into", "labels", "conflict", "backup")},
                "name": self._text("name") or _new_name(backup),
                "home": self._home,
                "volumes": self._ticked("volumes") if self.sent else True,
            },
            "form": {
                "action_url": self.url,
                "errors": said.wrong,
                "consent": consent_parts(
                    context,
                    self.typed,
                    why=why_in(context),
                    name=targets[0] if len(targets) == 1 else context,
                ),
            },
        }


def into_maps(namespaces: tuple[str, ...], typed: str, *, strict: bool = True) -> list[str]:
    """What a form of a restore says of other namespaces, as ``old=new``: a single name is for the one that was chosen.
    Raises BadInput.
    """
    into = typed.replace(",", " ").split()
    if len(into) != 1 or "=" in into[0]:
        return into if strict else [each for each in into if "=" in each]
    if len(namespaces) != 1:
        if not strict:
            return []
        raise BadInput(
            "Name the one namespace that goes into another one, or write old=new for each.", field="into"
        )
    return [f"{namespaces[0]}={into[0]}"]


def _new_name(backup: str) -> str:
    return f"{backup[:60].rstrip('.-') or 'restore'}-{datetime.now(UTC):%Y%m%d%H%M%S}"


def restore_context(found: VeleroPreview, asked: Asked) -> dict[str, Any]:
    """A preview for its template and for scripts."""
    of = listed(named(asked.namespaces), "more namespaces") if asked.namespaces else "all that it holds"
    said = [Said("file", f"From {found.backup.name}", f"It holds {found.backup.holds}.")]
    said += [Said("right", f"{old} is restored as {new}") for old, new in sorted(asked.maps.items())]
    if asked.labels:
        said.append(Said("minus", f"Only what has {asked.labels}"))
    if asked.update:
        text = "Velero patches it to what the backup holds; what it can't patch, it leaves and warns of"
        said.append(Said("warn", "What exists and differs is updated", text))
    else:
        said.append(Said("minus", "What exists is left as it is", "Velero warns of what differs"))
    if asked.volumes:
        said.append(Said("server", "Volume data", "from snapshots, as far as the backup has them"))
    else:
        said.append(Said("minus", "No volume data", "claims get new, empty volumes"))
    notices: list[Mapping[str, str]] = []
    if found.backup.state != "ok":
        notices.append(
            {"state": "warn", "title": "This backup is not complete", "text": found.backup.text, "field": ""}
        )
    return {
        "token": found.token,
        "headline": f"Velero restores {of}",
        "say": "Velero writes with its own rights, not with yours. There is no undo: what it creates has to be deleted.",
        "said": [{"icon": each.icon, "text": each.text, "note": each.note} for each in said],
        "effects": [],
        "notices": notices,
        "diff": [],
        "kubectl": command_of(asked),
        "button": f"Restore {found.backup.name}",
    }


def command_of(asked: Asked) -> str:
    """The command of Velero that does the same."""
    words = ["velero", "restore", "create", asked.name, "-n", asked.home, "--from-backup", asked.backup]
    words += ["--include-namespaces", ",".join(asked.namespaces)] if asked.namespaces else []
    maps = ",".join(f"{old}:{new}" for old, new in sorted(asked.maps.items()))
    words += ["--namespace-mappings", maps] if maps else []
    words += ["--selector", asked.labels] if asked.labels else []
    words += ["--existing-resource-policy", "update" if asked.update else "none"]
    return shell_line([*words, f"--restore-volumes={'true' if asked.volumes else 'false'}"])
