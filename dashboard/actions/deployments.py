"""What can be done with a Deployment: scale it."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from datetime import datetime

import msgspec

from dashboard.errors import BadInput, Forbidden, ReadOnly
from dashboard.insight import Notice, Objects, rollout_status, scale_hint, scale_impact
from dashboard.kinds.base import State
from dashboard.kinds.deployments import DEPLOYMENTS, Deployment
from dashboard.kinds.rows import plural
from dashboard.kube.transport import Transport
from dashboard.models import Change

from .action import Actor, Manifest, Order, Preview, Progress, Target, Told, Touched, Wanted, Write, pointer
from .engine import change_access, change_apply, change_preview, change_read

REPLICAS = "/spec/replicas"
# Kubernetes itself takes up to 2,147,483,647. No Deployment is meant to be larger than this (a whole cluster is
# tested to 150,000 pods), a typed zero too many is: and the API server would start to make them all.
MOST_REPLICAS = 10_000

_STATES: dict[str, State] = {
    "done": "ok", "progressing": "info", "stuck": "bad", "failed": "bad", "paused": "warn",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleForm:
    """The form, filled with what is. ``refusal`` says why it cannot be used, before anything is typed."""

    replicas: str
    current: int
    hint: str
    refusal: ReadOnly | Forbidden | None


async def deployment_scale_form(
    *, transport: Transport, namespace: str, name: str, objects: Objects
) -> ScaleForm:
    """The form to scale a Deployment. Raises NotFound, Forbidden (to read it) and what else the API server says."""
    target = _target(transport, namespace, name)
    deployment = _typed(await change_read(transport=transport, target=target))
    refusal: ReadOnly | Forbidden | None = None
    try:
        await change_access(transport=transport, target=target, action=SCALE)
    except (ReadOnly, Forbidden) as error:
        refusal = error
    replicas = deployment.spec.replicas
    hint = scale_hint(objects, deployment)
    return ScaleForm(replicas=str(replicas), current=replicas, hint=hint, refusal=refusal)


async def deployment_scale_preview(
    *, transport: Transport, actor: Actor, namespace: str, name: str, replicas: str, objects: Objects
) -> Preview:
    """What scaling would do. Raises BadInput for a number that cannot be: nothing is sent then."""
    return await change_preview(order=_order(transport, actor, namespace, name, replicas), objects=objects)


async def deployment_scale_apply(
    *, transport: Transport, actor: Actor, namespace: str, name: str, replicas: str, token: str
) -> Change:
    """Scale a Deployment as its preview showed; errors as of ``change_apply``."""
    return await change_apply(order=_order(transport, actor, namespace, name, replicas), token=token)


def _order(transport: Transport, actor: Actor, namespace: str, name: str, replicas: str) -> Order:
    wanted: Wanted = {"replicas": read_replicas(replicas)}
    target = _target(transport, namespace, name)
    return Order(transport=transport, actor=actor, target=target, action=SCALE, wanted=wanted)


def read_replicas(typed: str) -> int:
    """The number that was typed: plain digits, spaces around them allowed. Raises BadInput for anything else."""
    text = typed.strip()
    if not text:
        raise BadInput("Say how many replicas you want.", field="replicas")
    if text.startswith("-") and text[1:].isascii() and text[1:].isdigit():
        raise BadInput("There can't be fewer than 0 replicas.", field="replicas")
    if not (text.isascii() and text.isdigit()):
        raise BadInput(f"“{text[:20]}” is not a whole number: type digits only.", field="replicas")
    # Compared by length first: turning a million digits into a number takes minutes.
    digits = text.lstrip("0") or "0"
    if len(digits) > len(str(MOST_REPLICAS)) or int(digits) > MOST_REPLICAS:
        raise BadInput(
            f"At most {MOST_REPLICAS:,} replicas can be set here, to catch a digit too many.",
            field="replicas",
        )
    return int(digits)


class Scale:
    """Writes spec.replicas through the ``scale`` subresource, which needs no right to the rest of the object."""

    name = "scale"
    verb = "patch"
    subresource = "scale"

    def touched(self, manifest: Manifest) -> Touched:
        replicas = pointer(manifest, REPLICAS)
        return {REPLICAS: 1 if replicas is None else replicas}

    def write(self, manifest: Manifest, wanted: Wanted) -> Write:
        body = {"spec": {"replicas": wanted["replicas"]}}
        return Write(
            method="PATCH",
            content_type="application/merge-patch+json",
            subresource=self.subresource,
            body=body,
        )

    def after(self, manifest: Manifest, answer: Manifest) -> Manifest:
        made = copy.deepcopy(manifest)
        made["spec"]["replicas"] = pointer(answer, REPLICAS) or 0  # Go leaves a 0 out
        return made

    def inverse(self, touched: Touched) -> Wanted:
        return {"replicas": touched[REPLICAS]}

    def words(self, touched: Touched) -> str:
        return plural(touched[REPLICAS], "replica")

    def tell(
        self,
        target: Target,
        manifest: Manifest,
        after: Manifest,
        wanted: Wanted,
        objects: Objects,
        now: datetime,
    ) -> Told:
        current, replicas = self.touched(manifest)[REPLICAS], self.touched(after)[REPLICAS]
        impact = scale_impact(objects, _typed(manifest), replicas, now)
        notices = impact.notices
        if replicas != wanted["replicas"]:
            title = f"The cluster makes {plural(replicas, 'replica')} of it"
            notices = (Notice("warn", title, "An admission rule changes what is asked for."), *notices)
        command = f"kubectl scale deployment/{target.name} -n {target.namespace}"
        return Told(
            headline=impact.headline,
            effects=impact.effects,
            notices=notices,
            kubectl=f"{command} --current-replicas={current} --replicas={wanted['replicas']}",
            undo_words=f"Undo by scaling back to {current}; it stays one click away under Changes made here.",
            button=f"Scale {target.name} to {replicas}",
            danger=impact.danger,
        )

    def follow(self, change: Change, objects: Objects, now: datetime) -> Progress:
        deployment = objects.get("deployments", change.namespace, change.name)
        if deployment is None or deployment.metadata.uid != change.uid:
            headline = f"{change.name} is gone"
            again = "" if deployment is None else " and created again"
            return Progress(
                state="done", headline=headline, text=f"It was deleted{again}.", percent=None, done=True
            )
        namespace = change.namespace
        replicasets, pods = objects.all("replicasets", namespace), objects.all("pods", namespace)
        rollout = rollout_status(deployment, replicasets, pods, now)
        made = change.touched[REPLICAS][1]
        text = rollout.text
        if deployment.spec.replicas != made:
            text = f"It was scaled again since, from {made} to {deployment.spec.replicas}. {text}"
        return Progress(
            state=_STATES[rollout.state],
            headline=rollout.headline,
            text=text,
            percent=rollout.percent,
            sets=rollout.sets,
            done=rollout.state == "done",
        )


SCALE = Scale()


def _target(transport: Transport, namespace: str, name: str) -> Target:
    return Target(
        context=transport.cluster.name, gvr=DEPLOYMENTS.gvr, kind="Deployment", namespace=namespace, name=name
    )


def _typed(manifest: Manifest) -> Deployment:
    return DEPLOYMENTS.decode_object(msgspec.json.encode(manifest))
