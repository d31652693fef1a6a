"""Which pods a change has created, and what the quotas of their namespace say of them: one rule for every change.

Rules: kubernetes.io, Resource Quotas; kubernetes/kubernetes, pkg/quota/v1/evaluator/core/pods.go. That a rollout which
may miss no pod creates the first one beside the old ones: pkg/controller/deployment/rolling.go.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec

from dashboard.kinds.base import Ref
from dashboard.kinds.cronjobs import CronJob
from dashboard.kinds.daemonsets import DaemonSet
from dashboard.kinds.deployments import Deployment
from dashboard.kinds.horizontalpodautoscalers import HorizontalPodAutoscaler
from dashboard.kinds.jobs import Job, JobSpec
from dashboard.kinds.limitranges import LimitRange
from dashboard.kinds.pods import Pod
from dashboard.kinds.podspec import PodSpec
from dashboard.kinds.quantity import format_bytes, format_quantity
from dashboard.kinds.references import meant
from dashboard.kinds.replicasets import ReplicaSet
from dashboard.kinds.resourcequotas import ResourceQuota
from dashboard.kinds.rows import listed, plural
from dashboard.kinds.statefulsets import StatefulSet

from .capacity import (
    Amounts,
    Headroom,
    amounts,
    quota_amounts,
    quota_headroom,
    silent_containers,
    with_defaults,
)
from .impact import Effect, Notice
from .ownership import controllers
from .protocols import Objects
from .quotascopes import counts, default_class
from .restart import pods_wanted, rollout_limits, waiting_pods
from .rollout import Workload
from .scheduling.nodes import takes
from .words import bold, parts

# What has to be read to tell it.
READ = frozenset({"pods", "resourcequotas", "limitranges"})
_ENDED = ("Succeeded", "Failed")
_SCALED = ("deployments", "statefulsets", "replicasets")
# What is created for a template that a workload did not have yet, as quotas count it (``count/…``).
REVISIONS: Mapping[type, str] = {
    Deployment: "replicasets.apps", StatefulSet: "controllerrevisions.apps", DaemonSet: "controllerrevisions.apps",
}  # fmt: skip
_NOUNS = {
    "replicasets.apps": ("ReplicaSet", "ReplicaSets"),
    "controllerrevisions.apps": ("ControllerRevision", "ControllerRevisions"),
    "jobs.batch": ("Job", "Jobs"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPods:
    """``count`` pods of one size that are created for ``maker``, a name. ``gone`` are those that end for them, so that
    their share of a quota is free by then, ``stay`` how many it has besides; ``beside``: none of the old ones ends before
    a new one is ready. ``what`` ends "3 pods", where they are not created at once. ``first``: the kind of the object
    that a controller creates before any of them, as a quota counts it ("replicasets.apps"); "" for none.
    """

    maker: str
    namespace: str
    spec: PodSpec
    count: int
    gone: Sequence[PodSpec] = ()
    stay: int = 0
    beside: bool = False
    what: str = ""
    first: str = ""


@dataclass(frozen=True, slots=True)
class QuotaWords:
    """What the tightest quota says of new pods: how many it allows, and, where it does not allow all, what that means."""

    effect: Effect
    notice: Notice | None


# ---- Which pods


def pods_created(
    objects: Objects,
    before: Any,
    after: Any,
    *,
    templated: bool,
    stays: Collection[str] = (),
    revised: bool = True,
) -> Iterator[NewPods]:
    """The pods that are created when ``before`` becomes ``after``, both typed; None stands for what is not there.
    ``templated``: its pod template changes. ``stays``: the names of pods that were created from the new one. ``revised``:
    that it is no earlier one, of which there is a revision.
    """
    match after:
        case Deployment() | StatefulSet() | DaemonSet():
            for made in _workload(objects, before, after, templated, stays):
                new = before is None or (templated and revised)
                yield made if new or not made.first else replace(made, first="")
        case ReplicaSet():
            more = after.spec.replicas - (before.spec.replicas if before is not None else 0)
            yield from _grown(objects, after, after.spec.replicas, more)
        case Job():
            yield from _job(before, after)
        case CronJob():
            yield from _cronjob(before, after, templated)
        case HorizontalPodAutoscaler():
            yield from _autoscaler(objects, before, after)


def rollout_pods(
    objects: Objects, workload: Workload, made: Workload | None = None, stays: Collection[str] = ()
) -> Iterator[NewPods]:
    """The pods of a rollout: each pod is replaced by one of the template of ``made``, or by one like it, but for those in
    ``stays``.
    """
    made = made or workload
    wanted = pods_wanted(made)
    own = _own(objects, workload)
    old = [pod.spec for pod in own if pod.metadata.name not in stays]
    first = made.partition if isinstance(made, StatefulSet) else 0
    count = wanted - first - (len(own) - len(old))
    if count <= 0 or _waits(made):
        return
    missing, extra = rollout_limits(made)
    yield NewPods(
        maker=made.metadata.name,
        namespace=made.metadata.namespace,
        spec=made.spec.template.spec,
        count=count,
        gone=old[:count] if first else old,
        stay=wanted - count,
        beside=bool(old) and not missing and extra > 0,
        first=REVISIONS[type(made)],
    )


def replacement_pod(pod: Pod) -> Iterator[NewPods]:
    """The pod that the controller of one that ends creates for it."""
    if pod.metadata.controller is None or pod.status.phase in _ENDED or pod.metadata.deletion_timestamp:
        return
    above = meant(pod.metadata.controller, pod.metadata.namespace)
    if above.plural not in (*_SCALED, "daemonsets", "jobs"):
        return
    yield NewPods(
        maker=above.name, namespace=pod.metadata.namespace, spec=pod.spec, count=1, gone=(pod.spec,)
    )


def _waits(workload: Workload) -> bool:
    """Whether nothing replaces its pods by itself now."""
    if isinstance(workload, Deployment):
        return bool(workload.spec.paused)
    return workload.spec.update_strategy.type == "OnDelete"


def _workload(
    objects: Objects, before: Any, after: Workload, templated: bool, stays: Collection[str]
) -> Iterator[NewPods]:
    if before is None:
        wanted = _on_nodes(objects, after) if isinstance(after, DaemonSet) else pods_wanted(after)
        for each in _grown(objects, after, wanted, wanted):
            yield replace(each, first=REVISIONS[type(after)])
        return
    resumed = isinstance(after, Deployment) and bool(before.spec.paused) and not after.spec.paused
    if resumed and not templated and (waiting := waiting_pods(before)) > 0:
        for each in rollout_pods(objects, before, after):
            old = len(each.gone) - waiting  # the others are on the newest revision
            yield replace(
                each, count=waiting, gone=each.gone[max(0, old) :], stay=max(0, each.count - waiting)
            )
        return
    if templated and not _waits(after):
        yield from rollout_pods(objects, before, after, stays)
    else:
        yield from _grown(objects, after, pods_wanted(after), pods_wanted(after) - pods_wanted(before))


def _grown(
    objects: Objects, after: Workload | ReplicaSet, wanted: int, more: int, what: str = ""
) -> Iterator[NewPods]:
    """Those of a workload that wants ``more`` pods: the ones that it lacks already come with them."""
    count = wanted - len(_own(objects, after)) if objects.reads("pods", after.metadata.namespace) else more
    if more > 0 and count > 0:
        yield NewPods(
            maker=after.metadata.name,
            namespace=after.metadata.namespace,
            spec=after.spec.template.spec,
            count=count,
            stay=wanted - count,
            what=what,
        )


def _on_nodes(objects: Objects, daemonset: DaemonSet) -> int:
    return sum(takes(node, daemonset.spec.template.spec) for node in objects.all("nodes"))


def _own(objects: Objects, workload: Any) -> list[Pod]:
    """Its pods that a quota counts."""
    meta, kind = workload.metadata, type(workload).__name__
    ref = Ref(kind, meta.namespace, meta.name, f"{kind.lower()}s")
    return [
        pod
        for pod in objects.all("pods", meta.namespace)
        if pod.metadata.deletion_timestamp is None
        and pod.status.phase not in _ENDED
        and ref in controllers(objects, pod)
    ]


def job_pods(spec: JobSpec) -> int:
    """How many pods a Job runs at once."""
    parallelism = 1 if spec.parallelism is None else spec.parallelism
    return parallelism if spec.completions is None else min(parallelism, spec.completions)


def pods_left(job: Job) -> int:
    """How many pods a Job runs at once now: its parallelism, or what is left of its completions."""
    if job.spec.completions is None:
        return job_pods(job.spec)
    return max(0, min(job_pods(job.spec), job.spec.completions - job.status.succeeded))


def _job(before: Job | None, after: Job) -> Iterator[NewPods]:
    starts = not after.spec.suspend and (before is None or before.spec.suspend)
    left = pods_left(after)
    if starts and left > 0:
        meta = after.metadata
        yield NewPods(maker=meta.name, namespace=meta.namespace, spec=after.spec.template.spec, count=left)


def _cronjob(before: CronJob | None, after: CronJob, templated: bool) -> Iterator[NewPods]:
    starts = not after.spec.suspend and (before is None or templated or bool(before.spec.suspend))
    job = after.spec.job_template.spec
    if starts and not job.suspend and (count := job_pods(job)) > 0:
        meta, what = after.metadata, " of its next Job"
        yield NewPods(
            maker=meta.name, namespace=meta.namespace, spec=job.template.spec, count=count, what=what,
            first="jobs.batch",
        )  # fmt: skip


def _autoscaler(
    objects: Objects, before: HorizontalPodAutoscaler | None, after: HorizontalPodAutoscaler
) -> Iterator[NewPods]:
    """Up to its maximum, where that is new to it, or it may scale again."""
    ref = meant(after.spec.scale_target_ref, after.metadata.namespace)
    workload = objects.get(ref.plural, ref.namespace, ref.name) if ref.plural in _SCALED else None
    if workload is None or after.spec.paused or not workload.spec.replicas:
        return
    most = after.spec.max_replicas
    further = before is None or before.spec.paused or most > before.spec.max_replicas
    if further:
        yield from _grown(objects, workload, most, most - workload.spec.replicas, " at its maximum")


# ---- What quotas say of them


def quota_words(objects: Objects, made: NewPods) -> QuotaWords | None:
    """What the tightest quota says of new pods; None where no quota of their namespace counts them."""
    quotas: Sequence[ResourceQuota] = objects.all("resourcequotas", made.namespace)
    if not quotas:
        return None
    ranges = (
        objects.all("limitranges", made.namespace) if objects.reads("limitranges", made.namespace) else None
    )
    if (refused := _first_refused(made, quotas)) is not None:
        return refused
    default = default_class(objects)
    left = [_without(quota, [spec for spec in made.gone if counts(quota, spec, default)]) for quota in quotas]
    headroom = quota_headroom(made.spec, left, ranges, default)
    if headroom is None:
        return None
    enough = headroom.pods >= made.count
    now = quota_headroom(made.spec, quotas, ranges, default) if made.beside and enough else None
    blocked = now if now is not None and not now.pods else None  # beside the old ones
    tightest = blocked or headroom
    more = (
        plural(tightest.pods, "pod")
        if made.gone and not blocked
        else plural(tightest.pods, "more pod", "more pods")
    )
    text = parts(bold(f"ResourceQuota {tightest.quota}"), f" allows {more} like those of {made.maker}")
    ref = Ref("ResourceQuota", made.namespace, tightest.quota, "resourcequotas")
    fits = enough and not blocked
    effect = Effect("ok" if fits else "warn", "gauge", text, tightest.why, "" if fits else "refuses", ref)
    if blocked is not None:
        return QuotaWords(effect, _cant_start(made, blocked, ref))
    return QuotaWords(effect, None if enough else _refused(objects, made, headroom, ref))


def _first_refused(made: NewPods, quotas: Sequence[ResourceQuota]) -> QuotaWords | None:
    """That no pod comes, since a quota does not allow the object that comes before them; a quota with scopes counts no
    such object (pkg/quota/v1/generic, ``MatchesNoScopeFunc``).
    """
    key = f"count/{made.first}"
    for quota in quotas if made.first else ():
        hard, used = amounts(quota.status.hard or quota.spec.hard), amounts(quota.status.used)
        if quota.spec.required or key not in hard or hard[key] - used.get(key, Decimal(0)) >= 1:
            continue
        one, many = _NOUNS[made.first]
        name, ref = (
            quota.metadata.name,
            Ref("ResourceQuota", made.namespace, quota.metadata.name, "resourcequotas"),
        )
        text = parts(bold(f"ResourceQuota {name}"), f" allows no more {many}")
        title = f"The quota of {made.namespace} allows no more {many}"
        said = (
            f"ResourceQuota {name} ({key}) refuses the {one} that {made.maker} needs: no new pod is created."
        )
        effect = Effect("bad", "gauge", text, f"the {key} quota is reached", "refuses", ref)
        return QuotaWords(effect, Notice("bad", title, said, ref, "Look at the quota"))
    return None


def quotas_together(objects: Objects, every: Sequence[NewPods]) -> Iterator[Notice]:
    """What a quota does not have for the pods of several makers together, the scarcest of each quota."""
    for namespace in dict.fromkeys(made.namespace for made in every):
        makers = [made for made in every if made.namespace == namespace]
        ranges, default = objects.all("limitranges", namespace), default_class(objects)
        for quota in objects.all("resourcequotas", namespace) if len(makers) > 1 else ():
            counted = [made for made in makers if counts(quota, with_defaults(made.spec, ranges), default)]
            if len(counted) < 2:
                continue
            need = _needed(counted, ranges, partial(counts, quota, default=default))
            if (said := _short_of(quota, need, counted)) is not None:
                yield said


def _needed(
    makers: Sequence[NewPods], ranges: Sequence[LimitRange], frees: Callable[[PodSpec], bool]
) -> Amounts:
    """What the pods of several makers take together, by the names that quotas have for it; ``frees``: whether the end of
    a pod gives something back.
    """
    need: Amounts = defaultdict(Decimal)
    for made in makers:
        sizes = [quota_amounts(spec) for spec in made.gone if frees(spec)]
        for name, amount in quota_amounts(with_defaults(made.spec, ranges)).items():
            freed = sum((size.get(name, Decimal(0)) for size in sizes), Decimal(0))
            need[name] += max(Decimal(0), amount * made.count - freed)
        if made.first:
            need[f"count/{made.first}"] += 1
    return need


def _short_of(quota: ResourceQuota, need: Amounts, makers: Sequence[NewPods]) -> Notice | None:
    hard, used = amounts(quota.status.hard or quota.spec.hard), amounts(quota.status.used)
    left = {name: max(Decimal(0), amount - used.get(name, Decimal(0))) for name, amount in hard.items()}
    short = [name for name, amount in need.items() if name in left and amount > left[name]]
    if not short:
        return None
    name = min(short, key=lambda each: left[each] / need[each])
    meta, count = quota.metadata, sum(made.count for made in makers)
    title = f"The quota of {meta.namespace} does not allow all of them together"
    text = (
        f"{plural(len(makers), 'object')} create {plural(count, 'pod')}, which need {_amount(name, need[name])} of "
        f"{name}; ResourceQuota {meta.name} has {_amount(name, left[name])} left."
    )
    ref = Ref("ResourceQuota", meta.namespace, meta.name, "resourcequotas")
    return Notice("warn", title, text, ref, "Look at the quota")


def _amount(name: str, amount: Decimal) -> str:
    sized = name.endswith(("memory", "ephemeral-storage"))
    return format_bytes(int(amount)) if sized else format_quantity(amount)


def _cant_start(made: NewPods, now: Headroom, ref: Ref) -> Notice:
    text = (
        "Its strategy keeps every old pod until a new one is ready, and "
        f"ResourceQuota {now.quota} ({now.resource}) allows no more pod."
    )
    return Notice("warn", f"The rollout of {made.maker} can't start", text, ref, "Look at the quota")


def _refused(objects: Objects, made: NewPods, headroom: Headroom, ref: Ref) -> Notice:
    link = "Look at the quota"
    if headroom.unset:
        which, _, resource = headroom.resource.rpartition(".")
        what = f"{resource} {(which or 'requests').removesuffix('s')}"
        spec = with_defaults(made.spec, objects.all("limitranges", made.namespace))
        silent = silent_containers(spec, headroom.resource)
        text = f"{listed(silent)} {'has' if len(silent) == 1 else 'have'} none."
        return Notice("bad", f"ResourceQuota {headroom.quota} refuses pods without a {what}", text, ref, link)
    allowed, wanted = made.stay + headroom.pods, made.stay + made.count
    title = f"The quota of {made.namespace} allows {allowed} of {plural(wanted, 'pod')}{made.what}"
    refused = plural(made.count - headroom.pods, "pod")
    text = f"ResourceQuota {headroom.quota} ({headroom.resource}) refuses {refused}."
    return Notice("warn" if headroom.pods else "bad", title, text, ref, link)


def _without(quota: ResourceQuota, freed: Sequence[PodSpec]) -> ResourceQuota:
    """The quota without what these pods take of it."""
    used = amounts(quota.status.used)
    for spec in freed:
        for name, amount in quota_amounts(spec).items():
            if name in used:
                used[name] -= amount
    left = {name: format_quantity(max(Decimal(0), amount)) for name, amount in used.items()}
    return msgspec.structs.replace(quota, status=msgspec.structs.replace(quota.status, used=left))
