"""Draining a node: the change itself cordons it, then its pods are evicted by the steps that follow (docs/adr/0041)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from dashboard.insight import Objects
from dashboard.insight.draining import DrainImpact, DrainOptions, drain_impact, drain_verdicts, pods_of_node
from dashboard.insight.protocols import unlisted
from dashboard.kinds import KINDS
from dashboard.kinds.base import GVR, Kind
from dashboard.kinds.nodes import Node
from dashboard.kinds.pods import Pod
from dashboard.kinds.rows import listed, plural
from dashboard.kube.access import allowed
from dashboard.kube.shell import shell_line
from dashboard.kube.transport import Transport
from dashboard.models import Change, Operation, OperationResult
from dashboard.rights import MissingRight

from .action import (
    Description,
    DryRun,
    Field,
    Manifest,
    Order,
    OwnedFields,
    Progress,
    Target,
    Wanted,
    pointer,
)
from .evictions import evict_step, look_step, pods_on_node
from .fields import duration, flag, optional, whole_number
from .operation import OperationAction, Plan, Step, operation_step
from .problems import DrainUnderWay, UnderWay

UNSCHEDULABLE = "/spec/unschedulable"
MAX_GRACE_SECONDS = MAX_TIMEOUT_SECONDS = 86_400
TIMEOUT_SECONDS = 15 * 60
SETTINGS = "drain"  # in a change's result: what its steps need to know


@dataclass(frozen=True, slots=True)
class Settings:
    """What was typed. ``grace`` is in seconds, None for each pod's own; ``timeout`` in seconds."""

    delete_emptydir: bool = False
    force: bool = False
    grace: int | None = None
    timeout: int = TIMEOUT_SECONDS

    @property
    def options(self) -> DrainOptions:
        return DrainOptions(self.delete_emptydir, self.force, self.grace)

    @property
    def flags(self) -> list[str]:
        """For kubectl."""
        return [
            "--ignore-daemonsets",
            *(["--delete-emptydir-data"] if self.delete_emptydir else ()),
            *(["--force"] if self.force else ()),
            *([] if self.grace is None else [f"--grace-period={self.grace}"]),
            f"--timeout={self.timeout}s",
        ]


def settings_of(change: Change) -> Settings:
    """What a drain was begun with."""
    return Settings(**change.result.get(SETTINGS, {}))


class Drain(OperationAction):
    """``settings`` are those of one order; the action that stands for all has none."""

    name, title, icon = "drain", "Drain", "end"
    part = "operate"
    alone = True
    kinds = frozenset({"nodes"})
    owns = MappingProxyType({"unschedulable": UNSCHEDULABLE})
    undone_by = "uncordon"
    acts_unchanged = True
    confirms_by_wanted = True
    weighs = True
    intro = (
        "It is cordoned first. PodDisruptionBudgets are always respected: an eviction that is refused is tried again "
        "until the time-out, and never turned into a delete."
    )
    fields = (
        Field(
            name="delete_emptydir",
            label="Delete emptyDir data",
            parse=flag("delete_emptydir"),
            required=False,
            input="box",
            hint=lambda node, objects: _opened(node, objects, DrainOptions(force=True)),
        ),
        Field(
            name="force",
            label="Delete pods not managed by a controller",
            parse=flag("force"),
            required=False,
            input="box",
            hint=lambda node, objects: _opened(node, objects, DrainOptions(delete_emptydir=True)),
        ),
        Field(
            name="grace",
            label="Grace period (seconds)",
            parse=optional(whole_number("grace", "seconds", MAX_GRACE_SECONDS)),
            required=False,
            hint=lambda *_: "Left empty: each pod's own.",
        ),
        Field(
            name="timeout",
            label="Time-out",
            parse=optional(duration("timeout", MAX_TIMEOUT_SECONDS)),
            required=False,
            input="amount",
            placeholder=lambda _: "15m",
            hint=lambda *_: (
                "Such as 90s, 15m or 2h. Pods that are left then keep running; the drain can be resumed."
            ),
        ),
    )
    reads = frozenset(
        {
            "nodes", "pods", "daemonsets", "replicasets", "poddisruptionbudgets", "services", "endpointslices",
            "persistentvolumeclaims", "persistentvolumes", "namespaces",
        }
    )  # fmt: skip
    tells_unlisted = frozenset({"pods", "poddisruptionbudgets"})
    noun = "drain"
    steps = MappingProxyType({"evict": evict_step, "look": look_step})
    planned_from = frozenset({"pods", "daemonsets"})
    must_know = frozenset({"pods"})
    follows = frozenset({"nodes", "pods", "daemonsets", "poddisruptionbudgets"})
    left_text = "it keeps running"

    def besides(self, kind: Kind[Any]) -> Sequence[tuple[str, GVR, str]]:
        pods = KINDS["pods"].gvr
        return ("list", pods, ""), ("create", pods, "eviction")

    def __init__(self, settings: Settings = Settings()) -> None:
        self.settings = settings

    # ---- What is typed

    def read(self, typed: Mapping[str, str]) -> Wanted:
        wanted = super().read(typed)
        timeout = TIMEOUT_SECONDS if wanted["timeout"] is None else wanted["timeout"] or MAX_TIMEOUT_SECONDS
        return wanted | {"timeout": timeout, "unschedulable": True}

    def on(self, wanted: Wanted) -> Drain:
        return Drain(Settings(**{key: value for key, value in wanted.items() if key != "unschedulable"}))

    def confirmed(self, manifest: Manifest) -> bool:
        """What either option lets go comes back from nowhere."""
        return self.settings.delete_emptydir or self.settings.force

    def under_way(self, target: Target, earlier: Change) -> UnderWay:
        return DrainUnderWay(target.name, earlier.user.get_username(), earlier.pk)

    def command(self, target: Target, manifest: Manifest) -> str:
        return drain_line(target.name, self.settings)

    async def decide(self, order: Order, manifest: Manifest, objects: Objects) -> Wanted:
        """Nothing begins that a missing right would end in the middle."""
        if unlisted(objects, ["pods"], ""):
            message = "Your account may not list pods in all namespaces: which of them run on the node is not known."
            raise MissingRight("list", "pods", message=message)
        verdicts = drain_verdicts(objects, pods_of_node(objects, order.target.name), self.settings.options)
        await _may_evict(order.transport, [each.pod for each in verdicts if each.fate != "stay"])
        return {}

    # ---- What it does

    def touched(self, manifest: Manifest) -> OwnedFields:
        return {UNSCHEDULABLE: bool(pointer(manifest, UNSCHEDULABLE))}

    def back(self, before: Manifest) -> Wanted | None:
        """Uncordoning it, unless it was cordoned already."""
        if pointer(before, UNSCHEDULABLE):
            return None
        return {"unschedulable": False, **asdict(self.settings)}

    def remember(self, before: Manifest, after: Manifest) -> dict[str, Any]:
        return {SETTINGS: asdict(self.settings)}

    def words(self, touched: OwnedFields) -> str:
        return "cordoned" if touched[UNSCHEDULABLE] else "schedulable"

    def summary(self, change: Change) -> str:
        settings = settings_of(change)
        lost = [
            *(["emptyDir data"] if settings.delete_emptydir else ()),
            *(["pods not managed by a controller"] if settings.force else ()),
        ]
        return f"cordoned to evict its pods{', deleting ' if lost else ''}{' and '.join(lost)}"

    def way_back(self, change: Change) -> str:
        if not change.inverse:
            return "It was cordoned before the drain: there is nothing to undo."
        return "Undo uncordons it; evicted pods are not moved back."

    def describe(self, dry: DryRun) -> Description:
        impact = drain_impact(dry.objects, dry.obj, dry.now, self.settings.options)
        name = dry.target.name
        return Description.of(
            impact,
            kubectl=drain_line(name, self.settings),
            undo_words="You can stop it at any time. Undo uncordons it; evicted pods are not moved back.",
            button=_button(name, impact),
        )

    # ---- Its steps

    async def plan(self, change: Change, transport: Transport, objects: Objects) -> Plan:
        """Every pod on the node now that it is cordoned, as ``kubectl drain`` lists them, but for those that stay."""
        pods = await pods_on_node(transport, change.name)
        settings = settings_of(change)
        verdicts = drain_verdicts(objects, pods, settings.options)
        leaving = [each.pod for each in verdicts if each.fate != "stay"]
        kept = asdict(settings)
        return Plan(
            steps=[
                operation_step("evict", f"Evict {plural(len(leaving), 'pod')}", checked=False, **kept),
                operation_step("look", f"Check what is left on {change.name}", **kept),
            ],
            results=[_result(pod) for pod in leaving],
        )

    def max_step(self, change: Change) -> timedelta:
        """Its own time-out comes first, unless nobody could look."""
        return timedelta(seconds=settings_of(change).timeout + 60)

    def too_long(self, step: Step) -> str:
        return f"The time-out passed while the cluster could not be reached. {step['text']}".strip()

    def again(self, step: Step) -> Step:
        """Every pod that is left is looked at anew."""
        return super().again(step) | ({"checked": False} if "checked" in step else {})

    def must_follow(self, operation: Operation) -> set[str]:
        return {"pods"}

    def written(self, change: Change) -> str:
        return f"Cordon {change.name}"

    def after_words(self, change: Change) -> str:
        return f"of {change.name}"

    def progress(self, change: Change, found: Node, objects: Objects, now: datetime) -> Progress:
        text = "Its evictions have a page of their own."
        return Progress(
            state="done", headline=f"{change.name} is cordoned", text=text, percent=None, done=True
        )


DRAIN = Drain()


def _button(name: str, impact: DrainImpact) -> str:
    """What applying it does: nothing is evicted as long as a pod needs a choice."""
    if impact.refused:
        return f"Cordon {name} only"
    return f"Drain {name}" + (f": evict {plural(impact.evicted, 'pod')}" if impact.evicted else "")


def drain_line(name: str, settings: Settings) -> str:
    """The same by kubectl."""
    return shell_line(["kubectl", "drain", name, *settings.flags])


def _result(pod: Pod) -> OperationResult:
    meta = pod.metadata
    return OperationResult(
        plural="pods",
        kind="Pod",
        namespace=meta.namespace,
        name=meta.name,
        data={"uid": meta.uid, "controller": meta.controller.uid if meta.controller else ""},
    )


def _opened(node: Node | None, objects: Objects, rest: DrainOptions) -> str:
    """Which pods an option is about: those that need a choice with the other one alone."""
    if node is None:
        return ""
    found = [
        each.pod.metadata.name
        for each in drain_verdicts(objects, pods_of_node(objects, node.metadata.name), rest)
        if each.fate == "refuse"
    ]
    return f"{plural(len(found), 'pod')}: {listed(found)}. This can't be undone." if found else "No pod here."


async def _may_evict(transport: Transport, pods: list[Pod]) -> None:
    """Raises Forbidden, with the namespace, where a pod is that may not be evicted."""
    gvr = KINDS["pods"].gvr
    if (await allowed(transport, "create", gvr, subresource="eviction")).allowed:
        return
    for namespace in sorted({pod.metadata.namespace for pod in pods}):
        if not (await allowed(transport, "create", gvr, namespace=namespace, subresource="eviction")).allowed:
            raise MissingRight("create", "pods/eviction", namespace=namespace)
