"""A shell in a container of a pod. The terminal has a websocket of its own (docs/adr/0052)."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.urls import reverse

from dashboard import render
from dashboard.actions.confirmation import why_in
from dashboard.actions.debug import DEBUG
from dashboard.actions.permits import Permit, changes_state
from dashboard.actions.shell import VERBS, may_go_on
from dashboard.kinds.base import Detail, Kind
from dashboard.kinds.pods import DEFAULT_CONTAINER
from dashboard.live.snapshot import Snapshot
from dashboard.queries.logs import Target, targets
from dashboard.rights import ask_to_allow

from .piece import Tab, ViewerPiece

if TYPE_CHECKING:
    from .screen import DetailScreen


class ShellTab(Tab, ViewerPiece):
    id = "shell"
    title = "Shell"
    said = ("exec", "attach")
    template = "tabs/shell.html"

    def __init__(self, screen: DetailScreen) -> None:
        super().__init__(screen)
        self.container = screen.params.get("container", "")
        self.permit = Permit("off", "")
        self.allowed = False

    @classmethod
    def fits(cls, kind: Kind[Any]) -> bool:
        return kind.plural == "pods"

    @property
    def key(self) -> Hashable:
        return self.container, self.permit.state

    async def prepare(self) -> None:
        """What is missing is said on the page, not raised: the rest of it stays."""
        cluster = self.screen.runtime.cluster
        self.permit = await changes_state(
            context=cluster.name, server=cluster.server, is_sandbox=cluster.is_sandbox
        )
        self.allowed = await may_go_on(self.session, self.screen.namespace, self.screen.name)

    def show(self, obj: Any, detail: Detail) -> Snapshot:
        return Snapshot(regions={"shell-choice": render.region("shell_choice", self._choice(obj))})

    def _choice(self, pod: Any) -> dict[str, Any]:
        found = targets([pod])
        running = [each.container for each in found if each.running or _starts(each)]
        annotated = (pod.metadata.annotations or {}).get(DEFAULT_CONTAINER, "")
        preferred = [name for name in (self.container, annotated) if name in running]
        chosen = next(iter([*preferred, *running]), "")
        return {
            "blocked": self._blocked(found, running),
            "containers": [
                {
                    "name": each.container,
                    "word": "" if each.running else (each.waiting or each.ended or "not running"),
                    "disabled": each.container not in running,
                    "chosen": each.container == chosen,
                }
                for each in found
            ],
        }

    def _blocked(self, found: list[Target], running: list[str]) -> dict[str, str] | None:
        """Why no shell can be started, and what would change that."""
        screen = self.screen
        if self.permit.state != "allowed":
            where = {"text": "Clusters", "url": reverse("clusters")} if self.permit.state == "ask" else {}
            return {
                "icon": "lock",
                "title": "Read-only",
                "why": f"A shell can change anything in its container. {self.permit.words}",
                **where,
            }
        if not self.allowed:
            return {
                "icon": "lock",
                "title": "Not allowed",
                "why": f"Your account may not start a shell in namespace {screen.namespace}. "
                + ask_to_allow(f"{' and '.join(VERBS)} on pods/exec there"),
            }
        if self.container and self.container not in (each.container for each in found):
            return {
                "icon": "info",
                "title": "No such container",
                "why": f"{screen.name} has no container {self.container}.",
                "text": "Choose another",
                "url": f"{screen.url}shell/",
            }
        if not running:
            how = " ".join(
                f"{each.container}: {each.waiting or each.ended or 'not started'}." for each in found
            )
            return {
                "icon": "info",
                "title": "No container is running",
                "why": f"A shell needs a running container. {how}".strip(),
                "text": "Logs",
                "url": f"{screen.url}logs/",
            }
        return None

    def context(self) -> Mapping[str, Any]:
        screen = self.screen
        slug = screen.runtime.cluster.slug
        return {
            "shell": {
                "debug": f"{screen.url}{DEBUG.name}/" if settings.CLUSTER_UI_DEBUG_IMAGES else "",
                "socket": f"/ws/c/{slug}/shell/{screen.namespace}/{screen.name}/",
                "confirm": why_in(screen.runtime.cluster.name),
                "asked": why_in(screen.runtime.cluster.name),
            }
        }

    def kubectl(self) -> list[str]:
        which = ["-c", self.container] if self.container else []
        return ["exec", "-it", self.screen.name, *self.screen.kubectl_namespace, *which, "--", "/bin/sh"]


def _starts(target: Target) -> bool:
    """A debug container that was just added is waited for."""
    return target.kind == "ephemeral" and not target.finished
