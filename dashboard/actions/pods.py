"""What can be done with a pod: delete it, by eviction where a PodDisruptionBudget covers it.

Rules: kubernetes/kubernetes, pkg/registry/core/pod/storage/eviction.go.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import shlex
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from dashboard.errors import BadInput, Forbidden, Invalid, ReadOnly
from dashboard.insight import Objects
from dashboard.insight.departure import asks_budgets, budgets_over, deletion_impact, replacement_of
from dashboard.insight.survey import Survey, is_ready
from dashboard.insight.words import text_of
from dashboard.kinds.pods import PODS, Pod, row
from dashboard.kube.shell import shell_line
from dashboard.kube.transport import Transport
from dashboard.models import Change

from .action import Actor, Manifest, Order, Preview, Progress, Target, Told, Touched, Wanted, Write, pointer
from .engine import change_access, change_apply, change_preview, change_read

DELETED = "/metadata/deletionTimestamp"
MOST_GRACE_SECONDS = 86_400
# Which of both a preview was of travels beside its token, which is only good for that one.
_MARK = "~"


@dataclass(frozen=True, slots=True, kw_only=True)
class PodDeleteForm:
    """The form. ``own_grace`` is the pod's own time to finish, in seconds; ``confirm`` that its name must be typed,
    for nothing makes it again; ``refusal`` says why the form cannot be used.
    """

    own_grace: int
    confirm: bool
    refusal: ReadOnly | Forbidden | None


async def pod_delete_form(
    *, transport: Transport, namespace: str, name: str, objects: Objects, budgets_known: bool = True
) -> PodDeleteForm:
    """The form to delete a pod. Raises NotFound, Forbidden (to read it) and what else the API server says."""
    target = _target(transport, namespace, name)
    manifest = await change_read(transport=transport, target=target)
    refusal: ReadOnly | Forbidden | None = None
    try:
        action = _way(_typed(manifest), objects, budgets_known)
        await change_access(transport=transport, target=target, action=action)
    except (ReadOnly, Forbidden) as error:
        refusal = error
    except Invalid:  # two budgets: the preview says so
        pass
    return PodDeleteForm(own_grace=_own_grace(manifest), confirm=_naked(manifest), refusal=refusal)


async def pod_delete_preview(
    *,
    transport: Transport,
    actor: Actor,
    namespace: str,
    name: str,
    grace: str = "",
    objects: Objects,
    budgets_known: bool = True,
) -> Preview:
    """What deleting the pod would do. ``grace`` is the number of seconds as typed, "" for the pod's own.

    With a budget over it (or when budgets may not be read: ``budgets_known``) the dry run is an eviction. Raises
    Protected when the budget refuses it, Invalid when two budgets cover it, BadInput for a number that cannot be, and
    as of ``change_preview``.
    """
    seconds = read_grace(grace)
    target = _target(transport, namespace, name)
    manifest = await change_read(transport=transport, target=target)
    action = _way(_typed(manifest), objects, budgets_known)
    preview = await change_preview(order=_order(transport, actor, target, action, seconds), objects=objects)
    token = f"{action.name}{_MARK}{preview.token}" if preview.token else ""
    return dataclasses.replace(preview, token=token)


async def pod_delete_apply(
    *,
    transport: Transport,
    actor: Actor,
    namespace: str,
    name: str,
    grace: str = "",
    confirm: str = "",
    token: str,
) -> Change:
    """Delete a pod as its preview showed. ``confirm`` must be its name when nothing makes it again: BadInput else.

    Further errors as of ``change_apply``; Protected when a budget refuses it meanwhile.
    """
    seconds = read_grace(grace)
    target = _target(transport, namespace, name)
    way, _, signed = token.rpartition(_MARK)
    action = EVICT if way == EVICT.name else DELETE
    manifest = await change_read(transport=transport, target=target)
    if _naked(manifest) and confirm.strip() != name:
        raise BadInput(
            f"Type the pod's name, {name}: nothing makes it again.",
            next_step="The name is on top of the page.",
            field="confirm",
        )
    return await change_apply(order=_order(transport, actor, target, action, seconds), token=signed)


def read_grace(typed: str) -> int | None:
    """The seconds that were typed; None for nothing. Raises BadInput for what is no number from 0 to a day."""
    text = typed.strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 6 or int(text) > MOST_GRACE_SECONDS:
        raise BadInput(
            f"“{text[:20]}” cannot be: say a whole number of seconds, from 0 to {MOST_GRACE_SECONDS:,}, or nothing.",
            field="grace",
        )
    return int(text)


def _order(transport: Transport, actor: Actor, target: Target, action: PodDelete, grace: int | None) -> Order:
    way = PodDelete("evict" if action.evict else "delete", grace)
    return Order(transport=transport, actor=actor, target=target, action=way, wanted={"grace": grace})


def _target(transport: Transport, namespace: str, name: str) -> Target:
    return Target(context=transport.cluster.name, gvr=PODS.gvr, kind="Pod", namespace=namespace, name=name)


def _way(pod: Pod, objects: Objects, budgets_known: bool) -> PodDelete:
    """Whether to evict. Raises Invalid when two budgets over the pod would be asked: the Eviction API refuses that."""
    over = budgets_over(objects, pod)
    if len(over) > 1 and asks_budgets(pod):
        names = " and ".join(budget.metadata.name for budget in over)
        raise Invalid(
            f"{len(over)} PodDisruptionBudgets cover the pod ({names}), and the Eviction API refuses to choose.",
            next_step="Change the selectors so that one budget covers it.",
        )
    return EVICT if over or not budgets_known else DELETE


def _naked(manifest: Manifest) -> bool:
    return not any(owner.get("controller") for owner in manifest["metadata"].get("ownerReferences") or ())


def _own_grace(manifest: Manifest) -> int:
    seconds = pointer(manifest, "/spec/terminationGracePeriodSeconds")
    return 30 if seconds is None else int(seconds)


class PodDelete:
    """Deletes a pod, directly or by an Eviction, which asks the PodDisruptionBudget that covers it."""

    def __init__(self, name: Literal["delete", "evict"], grace: int | None = None) -> None:
        self.name: str = name
        self.grace = grace
        self.evict = name == "evict"
        self.verb = "create" if self.evict else "delete"
        self.subresource = "eviction" if self.evict else ""

    def touched(self, manifest: Manifest) -> Touched:
        return {DELETED: bool(pointer(manifest, DELETED))}

    def write(self, manifest: Manifest, wanted: Wanted) -> Write:
        options: Manifest = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if wanted["grace"] is not None:
            options["gracePeriodSeconds"] = wanted["grace"]
        body = options
        if self.evict:
            metadata = {key: manifest["metadata"][key] for key in ("name", "namespace")}
            body = {
                "apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata, "deleteOptions": options,
            }  # fmt: skip
        return Write(
            method="POST" if self.evict else "DELETE",
            content_type="application/json",
            subresource=self.subresource,
            body=body,
        )

    def after(self, manifest: Manifest, answer: Manifest) -> Manifest:
        """The pod on its way out: what the API server notes on it until its containers have ended."""
        made = copy.deepcopy(manifest)
        found = (
            pointer(answer, "/metadata/deletionGracePeriodSeconds"),  # an Eviction answers with a Status
            pointer(manifest, "/metadata/deletionGracePeriodSeconds"),
            self.grace,
            _own_grace(manifest),
        )
        made["metadata"]["deletionGracePeriodSeconds"] = next(one for one in found if one is not None)
        made["metadata"].setdefault("deletionTimestamp", "when it is applied")
        return made

    def inverse(self, touched: Touched) -> None:
        return None

    def words(self, touched: Touched) -> str:
        return "being deleted" if touched[DELETED] else "there"

    def summary(self, change: Change) -> str:
        """What was done, as the beginning of a sentence."""
        return f"{'Evicted' if self.evict else 'Deleted'} the pod"

    def way_back(self, change: Change) -> str:
        return "A deleted pod does not come back; what its controller makes is another one."

    def tell(
        self,
        target: Target,
        manifest: Manifest,
        after: Manifest,
        wanted: Wanted,
        objects: Objects,
        now: datetime,
    ) -> Told:
        grace = wanted["grace"]
        impact = deletion_impact(objects, _typed(manifest), now, evict=self.evict, grace=grace)
        return Told(
            headline=impact.headline,
            effects=impact.effects,
            notices=impact.notices,
            kubectl=self._kubectl(target, grace),
            undo_words="This cannot be undone.",
            button=f"{'Evict' if self.evict else 'Delete'} {target.name}",
            danger=impact.danger,
        )

    def _kubectl(self, target: Target, grace: int | None) -> str:
        if not self.evict:
            seconds = [] if grace is None else [f"--grace-period={grace}"]
            force = ["--force"] if grace == 0 else []
            return shell_line(
                ["kubectl", "delete", "pod", target.name, "-n", target.namespace, *seconds, *force]
            )
        # kubectl has no command for a single eviction; this is the request that it would make.
        eviction = {
            "apiVersion": "policy/v1", "kind": "Eviction",
            "metadata": {"name": target.name, "namespace": target.namespace},
            **({} if grace is None else {"deleteOptions": {"gracePeriodSeconds": grace}}),
        }  # fmt: skip
        path = target.gvr.path(target.namespace, target.name, "eviction")
        text = shlex.quote(json.dumps(eviction, separators=(",", ":")))
        return f"echo {text} | kubectl create --raw {shlex.quote(path)} -f -"

    def follow(self, change: Change, objects: Objects, now: datetime) -> Progress:
        found = objects.get("pods", change.namespace, change.name)
        if found is not None and found.metadata.uid == change.uid:
            return _leaving(found)
        controller = change.result.get("controller")
        if controller is None:
            return Progress(
                state="done",
                headline=f"{change.name} is gone",
                text="Nothing makes it again.",
                percent=100,
                done=True,
            )
        # The API server notes whole seconds.
        since = change.created_at.replace(microsecond=0) - timedelta(seconds=1)
        keeper = f"{controller['kind']} {controller['name']}"
        if controller["kind"] == "StatefulSet":
            new = found  # the same name, another uid
        else:
            new = replacement_of(objects, change.namespace, controller["uid"], since)
        if new is None:
            return _no_successor(change, keeper, now)
        name = new.metadata.name
        again = f"{name} is there again" if name == change.name else f"{name} takes its place"
        if is_ready(new):
            return Progress(
                state="ok", headline=again, text=f"Made by {keeper}, and ready.", percent=100, done=True
            )
        trouble = Survey(objects, now, new.metadata.namespace).trouble(new)
        shown = row(new)
        text = f"Made by {keeper}; {shown.cells[2].text}."
        if trouble is not None:
            text = f"It {trouble.one}{text_of(trouble.rest)}. {trouble.step.text}"
        state = shown.state if trouble is not None else "info"
        return Progress(state=state, headline=again, text=text, percent=66)


def _leaving(pod: Pod) -> Progress:
    name = pod.metadata.name
    if pod.metadata.deletion_timestamp is None:
        text = "The API server has taken the request; it shows in a moment."
        return Progress(state="info", headline=f"{name} is about to end", text=text, percent=0)
    if pod.metadata.finalizers:
        waits = ", ".join(pod.metadata.finalizers)
        text = f"It stays until its finalizers are done: {waits}."
        return Progress(state="info", headline=f"{name} is ending", text=text, percent=33)
    text = "Its containers have their time to finish."
    return Progress(state="info", headline=f"{name} is ending", text=text, percent=33)


def _no_successor(change: Change, keeper: str, now: datetime) -> Progress:
    """Gone, and nothing new yet: wait a while for a controller that makes one."""
    headline = f"{change.name} is gone"
    if now - change.created_at > timedelta(seconds=60):
        text = f"{keeper} has made no new one: it may need fewer pods now, or be gone itself."
        return Progress(state="done", headline=headline, text=text, percent=100, done=True)
    return Progress(state="info", headline=headline, text=f"{keeper} makes a new one.", percent=50)


DELETE = PodDelete("delete")
EVICT = PodDelete("evict")


def _typed(manifest: Manifest) -> Pod:
    return PODS.decode_object(msgspec.json.encode(manifest))
