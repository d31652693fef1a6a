"""Restarting a Deployment, StatefulSet or DaemonSet as kubectl does: by an annotation on its pod template.

The rollout that follows is the controller's. Source: kubernetes/kubectl, pkg/polymorphichelpers/objectrestarter.go.
"""

from __future__ import annotations

import dataclasses
import json
import shlex
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from dashboard.errors import Forbidden, Invalid, NotFound, ReadOnly
from dashboard.insight import Notice, Objects, Rollout, Workload, restart_impact, workload_rollout
from dashboard.kinds import KINDS
from dashboard.kinds.base import State
from dashboard.kube.shell import shell_line
from dashboard.kube.transport import Transport
from dashboard.models import Change

from .action import Actor, Manifest, Order, Preview, Progress, Target, Told, Touched, Wanted, Write, pointer
from .engine import change_access, change_apply, change_preview, change_read

ANNOTATION = "kubectl.kubernetes.io/restartedAt"
RESTARTED_AT = "/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt"
RESTARTABLE = ("deployments", "statefulsets", "daemonsets")

ROLLOUT_STATES: dict[str, State] = {
    "done": "ok", "progressing": "info", "stuck": "bad", "failed": "bad", "paused": "warn",
}  # fmt: skip
# Between the moment of a preview and its token: neither of them holds this character.
_MARK = "~"


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartForm:
    """The form. ``restarted_at`` is when it was restarted last ("" for never); ``refusal`` says why it cannot be used."""

    restarted_at: str
    refusal: ReadOnly | Forbidden | None


async def workload_restart_form(
    *, transport: Transport, plural: str, namespace: str, name: str
) -> RestartForm:
    """The form to restart a workload. Raises NotFound for other kinds and objects that are not there."""
    target = _target(transport, plural, namespace, name)
    manifest = await change_read(transport=transport, target=target)
    refusal: ReadOnly | Forbidden | None = None
    try:
        await change_access(transport=transport, target=target, action=RESTART)
    except (ReadOnly, Forbidden) as error:
        refusal = error
    return RestartForm(restarted_at=pointer(manifest, RESTARTED_AT) or "", refusal=refusal)


async def workload_restart_preview(
    *, transport: Transport, actor: Actor, plural: str, namespace: str, name: str, objects: Objects
) -> Preview:
    """What restarting would do now; the moment that the annotation gets is the preview's.

    Raises Invalid for a paused Deployment, NotFound for other kinds, and as of ``change_preview``.
    """
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    order = _order(transport, actor, plural, namespace, name, moment)
    preview = await change_preview(order=order, objects=objects)
    # The effect that is shown holds the moment, so an apply must be of the same one: it travels beside the token,
    # which holds a keyed digest of it.
    token = f"{moment}{_MARK}{preview.token}" if preview.token else ""
    return dataclasses.replace(preview, token=token)


async def workload_restart_apply(
    *, transport: Transport, actor: Actor, plural: str, namespace: str, name: str, token: str
) -> Change:
    """Restart a workload as its preview showed; errors as of ``change_apply``."""
    moment, _, signed = token.rpartition(_MARK)
    return await change_apply(order=_order(transport, actor, plural, namespace, name, moment), token=signed)


def restart_command(kind: str, namespace: str, name: str) -> str:
    """The same restart by kubectl."""
    return shell_line(["kubectl", "rollout", "restart", f"{kind.lower()}/{name}", "-n", namespace])


def _order(transport: Transport, actor: Actor, plural: str, namespace: str, name: str, moment: str) -> Order:
    return Order(
        transport=transport,
        actor=actor,
        target=_target(transport, plural, namespace, name),
        action=RESTART,
        wanted={"restartedAt": moment},
    )


def _target(transport: Transport, plural: str, namespace: str, name: str) -> Target:
    if plural not in RESTARTABLE:
        raise NotFound("Only Deployments, StatefulSets and DaemonSets can be restarted.")
    kind = KINDS[plural]
    return Target(
        context=transport.cluster.name, gvr=kind.gvr, kind=kind.kind, namespace=namespace, name=name
    )


class Restart:
    """Writes the annotation ``kubectl.kubernetes.io/restartedAt`` of the pod template."""

    name = "restart"
    verb = "patch"
    subresource = ""

    def touched(self, manifest: Manifest) -> Touched:
        return {RESTARTED_AT: pointer(manifest, RESTARTED_AT)}

    def write(self, manifest: Manifest, wanted: Wanted) -> Write:
        if pointer(manifest, "/spec/paused"):
            metadata = manifest["metadata"]
            name, namespace = metadata["name"], metadata["namespace"]
            raise Invalid(
                f"Deployment {name} is paused: a restart would wait until somebody resumes it.",
                next_step="Resume it first: "
                + shell_line(["kubectl", "rollout", "resume", f"deployment/{name}", "-n", namespace]),
            )
        return Write(
            method="PATCH",
            content_type="application/merge-patch+json",
            subresource=self.subresource,
            body=_patch(wanted["restartedAt"]),
        )

    def after(self, manifest: Manifest, answer: Manifest) -> Manifest:
        return answer

    def inverse(self, touched: Touched) -> Wanted:
        return {"restartedAt": touched[RESTARTED_AT], "back": True}

    def words(self, touched: Touched) -> str:
        at = touched[RESTARTED_AT]
        return f"restarted at {at}" if at else "not restarted before"

    def way_back(self, change: Change) -> str:
        """A restart itself cannot be undone; its inverse is said for what it is."""
        return (
            "A restart cannot be taken back: the old pods are gone. Undoing writes the annotation as it was "
            "before, and that replaces the pods once more."
        )

    def tell(
        self,
        target: Target,
        manifest: Manifest,
        after: Manifest,
        wanted: Wanted,
        objects: Objects,
        now: datetime,
    ) -> Told:
        impact = restart_impact(objects, _typed(target.plural, manifest), now)
        notices = impact.notices
        slash, where = f"{target.kind.lower()}/{target.name}", ["-n", target.namespace]
        if wanted.get("back"):
            text = "The annotation goes back to what it was, and its pods are replaced once more."
            notices = (Notice("info", "This restarts it again", text), *notices)
            patch = json.dumps(_patch(wanted["restartedAt"]), separators=(",", ":"))
            command = ["kubectl", "patch", slash, *where, "--type=merge", "-p", patch]
            undo, button = "This can itself be undone, with one more restart.", f"Put {target.name} back"
        else:
            command = shlex.split(restart_command(target.kind, target.namespace, target.name))
            undo = "A restart cannot be taken back: undoing it replaces the pods once more."
            button = f"Restart {target.name}"
        return Told(
            headline=impact.headline,
            effects=impact.effects,
            notices=notices,
            kubectl=shell_line(command),
            undo_words=undo,
            button=button,
            danger=impact.danger,
        )

    def follow(self, change: Change, objects: Objects, now: datetime) -> Progress:
        workload = objects.get(change.plural, change.namespace, change.name)
        if workload is None or workload.metadata.uid != change.uid:
            again = "" if workload is None else " and created again"
            return Progress(
                state="done",
                headline=f"{change.name} is gone",
                text=f"It was deleted{again}.",
                percent=None,
                done=True,
            )
        return rollout_progress(
            workload_rollout(objects, workload, now, change.result.get("generation") or 0)
        )


RESTART = Restart()


def rollout_progress(rollout: Rollout) -> Progress:
    """A rollout as the progress of the change that made it."""
    return Progress(
        state=ROLLOUT_STATES[rollout.state],
        headline=rollout.headline,
        text=rollout.text,
        percent=rollout.percent,
        sets=rollout.sets,
        done=rollout.state == "done",
    )


def _patch(moment: str | None) -> Manifest:
    """A merge patch; null takes the annotation away."""
    return {"spec": {"template": {"metadata": {"annotations": {ANNOTATION: moment}}}}}


def _typed(plural: str, manifest: Manifest) -> Workload:
    workload: Workload = KINDS[plural].decode_object(msgspec.json.encode(manifest))
    return workload
