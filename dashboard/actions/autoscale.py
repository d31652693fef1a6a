"""Autoscaling by CPU: creating a HorizontalPodAutoscaler for a workload, and editing one."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Self

from dashboard.errors import BadInput, Conflict, Invalid
from dashboard.insight import Objects
from dashboard.insight.autoscaling import (
    SCALED,
    Bounds,
    autoscale_impact,
    autoscaler_of,
    bounds_of,
    scaled_by,
    written_impact,
)
from dashboard.insight.impact import Impact
from dashboard.kinds.horizontalpodautoscalers import HORIZONTALPODAUTOSCALERS, HorizontalPodAutoscaler, judge
from dashboard.kinds.references import manifest_meant, title
from dashboard.kinds.rows import plural
from dashboard.models import Change

from .action import (
    TOUCHED,
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
    pointer,
    typed_object,
)
from .create import Create
from .fields import MAX_REPLICAS, whole_number
from .scaling_bounds import CLAIMS, bounds_decided, utilization, without_claims
from .writers import setting_again

MIN, MAX, METRICS = "/spec/minReplicas", "/spec/maxReplicas", "/spec/metrics"
MAX_PERCENT = 1_000  # a target above the request is allowed, as pods may use more than that
DEFAULT_PERCENT = "80"  # as the API server sets it where no metric is given


def _bounds(typed: Mapping[str, str], fields: tuple[Field, ...]) -> Wanted:
    """What was typed. Raises BadInput for bounds that contradict each other."""
    wanted = {field.name: field.parse(typed.get(field.name, "")) for field in fields}
    for name, what in (("min", "minimum"), ("max", "maximum"), ("cpu", "target")):
        if wanted[name] == 0:
            raise BadInput(f"The {what} must be at least 1.", field=name)
    if wanted["max"] < wanted["min"]:
        raise BadInput(f"The maximum must be at least the minimum, {wanted['min']}.", field="max")
    return wanted


def _fields(least: Any, most: Any, cpu: Any) -> tuple[Field, ...]:
    """The three inputs, with what each starts with."""
    number = whole_number
    return (
        Field(
            name="min", label="Minimum replicas", parse=number("min", "replicas", MAX_REPLICAS), value=least
        ),
        Field(
            name="max", label="Maximum replicas", parse=number("max", "replicas", MAX_REPLICAS), value=most
        ),
        Field(
            name="cpu",
            label="Target CPU utilization (%)",
            parse=number("cpu", "percent", MAX_PERCENT),
            value=cpu,
            hint=lambda *_: "Of the CPU that its pods request, on average.",
        ),
    )


def _typed_bounds(wanted: Wanted) -> Bounds:
    """Those that are wanted; an undo may want the API server's own minimum (None)."""
    return Bounds(
        least=1 if wanted["min"] is None else wanted["min"], most=wanted["max"], cpu=wanted.get("cpu")
    )


def _metric(percent: int) -> Manifest:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def _percent(metrics: Any) -> int | None:
    """The target of CPU utilization among the metrics of a manifest."""
    for each in metrics or ():
        if pointer(each, "/resource/name") == "cpu":
            found: int | None = pointer(each, "/resource/target/averageUtilization")
            return found
    return None


class Autoscale(Create):
    """Creates one for a workload that has none."""

    name, title, icon = "autoscale", "Autoscale", "gauge"
    kinds = SCALED
    part = "operate"
    other = HORIZONTALPODAUTOSCALERS
    reads = TOUCHED | {"statefulsets"}
    confirms_by_wanted = True
    loses = False  # claims, as decided
    fields = _fields(
        lambda workload: str(max(1, workload.spec.replicas)),
        lambda workload: str(max(2, 2 * workload.spec.replicas)),
        lambda _: DEFAULT_PERCENT,
    )

    def applies(self, obj: Any) -> bool:
        return obj.metadata.controller is None

    def instead(self, target: Target, objects: Objects) -> Target:
        found = autoscaler_of(objects, target.ref)
        if found is None:
            return target
        return Target.of(target.context, self.other, target.namespace, found.metadata.name)

    def read(self, typed: Mapping[str, str]) -> Wanted:
        return _bounds(typed, self.fields)

    def check(self, manifest: Manifest, wanted: Wanted) -> None:
        meta = manifest["metadata"]
        owner = next((each for each in meta.get("ownerReferences") or () if each.get("controller")), None)
        if owner is not None:
            keeper = title(manifest_meant(owner, meta["namespace"]))
            raise Invalid(
                f"{keeper} keeps the number of replicas of {meta['name']}.",
                next_step=f"Autoscale {keeper} instead.",
            )

    async def ready(self, target: Target, manifest: Manifest, objects: Objects) -> None:
        self.check(manifest, {})

    async def decide(self, order: Order, manifest: Manifest, objects: Objects) -> Wanted:
        if (found := autoscaler_of(objects, order.target.ref)) is not None:
            raise Conflict(
                f"HorizontalPodAutoscaler {found.metadata.name} scales {order.target} already.",
                next_step="Look at the form again: it edits that one.",
            )
        workload = typed_object(order.target.plural, manifest)
        return {"created": order.target.name, **bounds_decided(workload, _typed_bounds(order.wanted))}

    def on(self, wanted: Wanted) -> Self:
        made = super().on(wanted)
        made.loses = CLAIMS in wanted
        return made

    def confirmed(self, manifest: Manifest) -> bool:
        return self.loses

    def build(self, manifest: Manifest, wanted: Wanted) -> Manifest:
        scaled = {
            "apiVersion": manifest["apiVersion"],
            "kind": manifest["kind"],
            "name": manifest["metadata"]["name"],
        }
        bounds = {"minReplicas": wanted["min"], "maxReplicas": wanted["max"]}
        return {"spec": {"scaleTargetRef": scaled, **bounds, "metrics": [_metric(wanted["cpu"])]}}

    def describe(self, dry: DryRun) -> Description:
        instead = "Remove spec.replicas from its manifest."
        fixed = setting_again(dry.before, ["/spec/replicas"], instead=instead, written=True)
        wanted = dry.wanted
        flags = (f"--min={wanted['min']}", f"--max={wanted['max']}", f"--cpu-percent={wanted['cpu']}")
        told = Description.of(
            self._impact(dry, None),
            *fixed,
            kubectl=dry.target.kubectl("autoscale", *flags),
            undo_words=f"Undo by deleting HorizontalPodAutoscaler {self.made}; the replicas stay as they are then.",
            button=f"Autoscale {dry.target.name}",
        )
        return without_claims(told, dry.wanted)

    async def ask(self, order: Order, told: Description, dry: DryRun) -> Description:
        """What it would do depends on the present usage."""
        used = await utilization(order.transport, dry.objects, dry.target.ref, dry.obj)
        impact = self._impact(dry, used)
        told = dataclasses.replace(told, headline=impact.headline, effects=impact.effects)
        return await super().ask(order, told, dry)

    def _impact(self, dry: DryRun, used: int | None) -> Impact:
        return autoscale_impact(dry.target.ref, dry.obj, _typed_bounds(dry.wanted), used)

    def started(
        self, change: Change, found: HorizontalPodAutoscaler, objects: Objects, now: datetime
    ) -> Progress:
        state, reason = judge(found)
        name, looked = found.metadata.name, bool(found.status.conditions)
        if not looked:
            text = "Waiting for the autoscaler to look at its metrics, within about 15 s."
            return Progress(state="info", headline=f"{name} was created", text=text, percent=None)
        text = f"It is {reason}." if reason.startswith("scaling") else reason
        text = text or f"{plural(found.status.current_replicas, 'replica')} now."
        return Progress(state=state, headline=f"{name} is created", text=text, percent=None, done=True)


class EditAutoscaler(Action):
    """Edits one: its bounds, and its target of CPU utilization among its metrics."""

    name, title, icon = "autoscale", "Autoscale", "gauge"
    kinds = frozenset({"horizontalpodautoscalers"})
    part = "operate"
    reads = TOUCHED | {"statefulsets"}
    owns = MappingProxyType({"min": MIN, "max": MAX, "metrics": METRICS})
    fields = _fields(
        lambda scaler: str(bounds_of(scaler).least),
        lambda scaler: str(bounds_of(scaler).most),
        lambda scaler: str(bounds_of(scaler).cpu or DEFAULT_PERCENT),
    )

    confirms_by_wanted = True

    def __init__(self, wanted: Wanted | None = None) -> None:
        self.wanted = wanted or {}

    def on(self, wanted: Wanted) -> EditAutoscaler:
        return EditAutoscaler(wanted)

    def confirmed(self, manifest: Manifest) -> bool:
        return CLAIMS in self.wanted

    def read(self, typed: Mapping[str, str]) -> Wanted:
        return _bounds(typed, self.fields)

    async def decide(self, order: Order, manifest: Manifest, objects: Objects) -> Wanted:
        _, workload, _ = scaled_by(objects, typed_object(order.target.plural, manifest))
        return bounds_decided(workload, _typed_bounds(order.wanted))

    def body(self, manifest: Manifest, wanted: Wanted) -> Manifest:
        if "metrics" in wanted:  # an undo: just as they were
            return super().body(manifest, wanted)
        metrics, percent = list(pointer(manifest, METRICS) or ()), wanted["cpu"]
        at = next(
            (n for n, each in enumerate(metrics) if pointer(each, "/resource/name") == "cpu"), len(metrics)
        )
        metrics[at : at + 1] = [_metric(percent)]
        return super().body(manifest, wanted | {"metrics": metrics})

    def words(self, touched: OwnedFields) -> str:
        """Of one that was changed meanwhile, only what differs is told."""
        least = 1 if touched.get(MIN) is None else touched[MIN]
        percent = _percent(touched.get(METRICS))
        said = []
        if MIN in touched and MAX in touched:
            said.append(f"{least} to {plural(touched[MAX], 'replica')}")
        elif MIN in touched:
            said.append(f"at least {plural(least, 'replica')}")
        elif MAX in touched:
            said.append(f"at most {plural(touched[MAX], 'replica')}")
        if percent is not None:
            said.append(f"at {percent} % CPU")
        return " ".join(said) or "no CPU target"

    def describe(self, dry: DryRun) -> Description:
        told = Description.of(
            written_impact(dry.objects, dry.made),
            kubectl=dry.target.kubectl_patch(self.body(dry.before, dry.wanted)),
            undo_words=f"Undo by setting it back to {self.words(self.touched(dry.before))}.",
            button=f"Save {dry.target.name}",
        )
        return without_claims(told, dry.wanted)

    def progress(
        self, change: Change, found: HorizontalPodAutoscaler, objects: Objects, now: datetime
    ) -> Progress:
        state, reason = judge(found)
        text = reason or f"{plural(found.status.current_replicas, 'replica')} now."
        if (found.spec.min_replicas, found.spec.max_replicas) != (
            change.touched[MIN][1],
            change.touched[MAX][1],
        ):
            text = f"It has {found.spec.min_replicas} to {plural(found.spec.max_replicas, 'replica')} now."
            return Progress(
                state="info", headline=f"{change.name} was changed", text=text, percent=None, done=True
            )
        return Progress(
            state=state, headline=f"{change.name} was changed", text=text, percent=None, done=True
        )


AUTOSCALE = Autoscale()
EDIT_AUTOSCALER = EditAutoscaler()
