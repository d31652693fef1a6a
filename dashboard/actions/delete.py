"""What can be done with a pod: delete it, by eviction where a PodDisruptionBudget covers it.

Rules: kubernetes/kubernetes, pkg/registry/core/pod/storage/eviction.go.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta

from dashboard.errors import Invalid
from dashboard.insight import Objects
from dashboard.insight.deletion import asks_budgets, budgets_over, covering, deletion_impact, replacement_of
from dashboard.insight.newpods import NewPods, replacement_pod
from dashboard.insight.pod_health import is_ready
from dashboard.insight.protocols import Knows
from dashboard.insight.survey import Survey
from dashboard.insight.words import text_of
from dashboard.kinds.base import Ref
from dashboard.kinds.poddisruptionbudgets import PODDISRUPTIONBUDGETS as BUDGETS
from dashboard.kinds.pods import Pod, row
from dashboard.kinds.references import group_of, reference, title
from dashboard.kube.shell import piped, shell_line
from dashboard.models import Change

from .action import (
    NO_UNDO,
    Action,
    Description,
    DryRun,
    Field,
    Manifest,
    Order,
    OwnedFields,
    Progress,
    Target,
    Wanted,
    Write,
    pointer,
    typed_object,
)
from .fields import optional, whole_number
from .problems import StaleView

DELETED = "/metadata/deletionTimestamp"
MAX_GRACE_SECONDS = 86_400


class Delete(Action):
    """Deletes a pod, directly or by an Eviction, which asks the PodDisruptionBudget that covers it: the preview decides
    which. ``on`` gives the action of that name; EVICT fits no kind by itself.
    """

    icon = "x"
    part, role = "delete", "operator"  # its controller recreates it
    deletes = True
    tells_unlisted = frozenset({"poddisruptionbudgets"})
    fields = (
        Field(
            name="grace",
            label="Grace period (seconds)",
            parse=optional(whole_number("grace", "seconds", MAX_GRACE_SECONDS)),
            required=False,
            placeholder=lambda pod: str(_own_grace(pod)),
            hint=lambda pod, _: (
                f"Left empty: the pod's own {_own_grace(pod)} s. 0 force-deletes it, also when its node "
                "does not respond."
            ),
        ),
    )

    def __init__(self, name: str, *, kinds: Collection[str] = (), grace: int | None = None) -> None:
        self.name, self.kinds, self.grace = name, kinds, grace
        self.evict = name == "evict"
        self.title = "Evict" if self.evict else "Delete"
        self.verb, self.subresource = ("create", "eviction") if self.evict else ("delete", "")

    @property
    def rights(self) -> Sequence[tuple[str, str]]:
        """Which of both is used depends on whether a budget covers the pod."""
        both = (("delete", ""), ("create", "eviction"))
        return both if self.kinds else super().rights

    def confirmed(self, manifest: Manifest) -> bool:
        """Nothing recreates it."""
        return not any(owner.get("controller") for owner in manifest["metadata"].get("ownerReferences") or ())

    async def decide(self, order: Order, manifest: Manifest, objects: Objects) -> Wanted:
        """Whether to evict: with a budget over the pod, or where budgets are not known. Raises Invalid when two budgets
        would be asked: the Eviction API refuses that.
        """
        pod = typed_object("pods", manifest)
        over = budgets_over(objects, pod)
        if len(over) > 1 and asks_budgets(pod):
            names = " and ".join(budget.metadata.name for budget in over)
            raise Invalid(
                f"{len(over)} PodDisruptionBudgets cover the pod ({names}), and the Eviction API refuses to choose.",
                next_step="Change the selectors so that one budget covers it.",
            )
        where = ("poddisruptionbudgets", order.target.namespace)
        known = not isinstance(objects, Knows) or objects.knows(*where) is True
        return {"evict": bool(over) or not known}

    async def still(self, order: Order, manifest: Manifest) -> None:
        """A budget that was created since the preview is asked too: the API server asks it about an Eviction alone."""
        pod = typed_object("pods", manifest)
        if self.evict or not asks_budgets(pod):
            return
        answer = await order.transport.request("GET", BUDGETS.gvr, namespace=order.target.namespace)
        if over := covering(BUDGETS.decode_list(answer.body).items, pod):
            name = over[0].metadata.name
            raise StaleView(
                f"PodDisruptionBudget {name} covers {order.target.name} since the preview: it has to be evicted now.",
                was="deleted without asking a budget",
                now=f"evicted, if PodDisruptionBudget {name} allows it",
            )

    def on(self, wanted: Wanted) -> Delete:
        if "evict" not in wanted:
            return self
        return Delete("evict" if wanted["evict"] else "delete", grace=wanted["grace"])

    def touched(self, manifest: Manifest) -> OwnedFields:
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
            _own_grace(typed_object("pods", manifest)),
        )
        made["metadata"]["deletionGracePeriodSeconds"] = next(one for one in found if one is not None)
        made["metadata"].setdefault("deletionTimestamp", "when it is applied")
        return made

    def words(self, touched: OwnedFields) -> str:
        return "being deleted" if touched[DELETED] else "there"

    def summary(self, change: Change) -> str:
        """What was done, as the beginning of a sentence."""
        return f"{'Evicted' if self.evict else 'Deleted'} the pod"

    def way_back(self, change: Change) -> str:
        return "A deleted pod can't be restored; its controller creates a new one."

    def describe(self, dry: DryRun) -> Description:
        grace, name = dry.wanted["grace"], dry.target.name
        return Description.of(
            deletion_impact(dry.objects, dry.obj, dry.now, evict=self.evict, grace=grace),
            kubectl=self._kubectl(dry.target, grace),
            undo_words=NO_UNDO,
            button=f"{'Evict' if self.evict else 'Delete'} {name}",
        )

    def new_pods(self, dry: DryRun) -> Iterable[NewPods]:
        return replacement_pod(dry.obj)

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
        return piped(eviction, ["kubectl", "create", "--raw", path, "-f", "-"])

    def follow(self, change: Change, objects: Objects, now: datetime) -> Progress:
        found = objects.get("pods", change.namespace, change.name)
        if found is not None and found.metadata.uid == change.uid:
            return _leaving(found)
        controller = change.result.get("controller")
        if controller is None:
            return Progress(
                state="done",
                headline=f"{change.name} is gone",
                text="Nothing recreates it.",
                percent=100,
                done=True,
            )
        # The API server notes whole seconds.
        since = change.created_at.replace(microsecond=0) - timedelta(seconds=1)
        group = group_of(controller.get("apiVersion", ""))
        made_by = reference(controller["kind"], "", controller["name"], group)
        keeper = title(made_by)
        if made_by.plural == "statefulsets":
            new = found  # the same name, another uid
        else:
            new = replacement_of(objects, change.namespace, controller["uid"], since)
        if new is None:
            return _no_successor(change, keeper, now)
        name = new.metadata.name
        again = f"{name} is there again" if name == change.name else f"{name} replaces it"
        if is_ready(new):
            return Progress(
                state="ok",
                headline=again,
                text=f"Made by {keeper}, and ready.",
                percent=100,
                done=True,
                replacement=Ref("Pod", change.namespace, name, "pods"),
            )
        trouble = Survey(objects, now, new.metadata.namespace).trouble(new)
        shown = row(new)
        text = f"Made by {keeper}; {shown.cells[2].text}."
        if trouble is not None:
            text = f"It {trouble.one}{text_of(trouble.rest)}. {trouble.step.text}"
        state = shown.state if trouble is not None else "info"
        replacement = Ref("Pod", change.namespace, name, "pods")
        return Progress(state=state, headline=again, text=text, percent=66, replacement=replacement)


def _leaving(pod: Pod) -> Progress:
    name = pod.metadata.name
    if pod.metadata.deletion_timestamp is None:
        text = "The API server has taken the request; it shows in a moment."
        return Progress(state="info", headline=f"{name} is about to terminate", text=text, percent=0)
    if pod.metadata.finalizers:
        waits = ", ".join(pod.metadata.finalizers)
        text = f"It stays until its finalizers are removed: {waits}."
        return Progress(state="info", headline=f"{name} is terminating", text=text, percent=33)
    text = "Its containers have the grace period to shut down."
    return Progress(state="info", headline=f"{name} is terminating", text=text, percent=33)


def _no_successor(change: Change, keeper: str, now: datetime) -> Progress:
    """Gone, and nothing new yet: wait a while for a controller that makes one."""
    headline = f"{change.name} is gone"
    if now - change.created_at > timedelta(seconds=60):
        text = f"{keeper} has created no replacement: it may need fewer pods now, or be deleted itself."
        return Progress(state="done", headline=headline, text=text, percent=100, done=True)
    return Progress(state="info", headline=headline, text=f"{keeper} creates a new one.", percent=50)


DELETE = Delete("delete", kinds=frozenset({"pods"}))
EVICT = Delete("evict")


def _own_grace(pod: Pod) -> int:
    seconds = pod.spec.termination_grace_period_seconds
    return 30 if seconds is None else seconds
