"""Who names a ConfigMap or Secret in a pod spec, or a Secret for TLS, how, and whether that can be pointed to another.

Rules: the pod template of a Job is immutable, and so are the references of a pod (kubernetes.io, Jobs; Pods); a bare
ReplicaSet takes another template, and gives it to new pods alone. What somebody else keeps as it is, is changed there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from dashboard.kinds.base import Ref
from dashboard.kinds.podspec import PodSpec
from dashboard.kinds.quantity import format_quantity
from dashboard.kinds.rows import listed
from dashboard.kinds.uses import Mention, mentions, pod_spec_uses

from .capacity import amounts
from .impact import Effect, selector_of
from .managers import changes_back
from .ownership import belongs
from .protocols import Objects
from .relations import pod_labels, pod_spec
from .restart import Outlook, pods_wanted, restart_outlook
from .words import bold, parts

# What is read to tell who names it.
READ = frozenset({"pods", "deployments", "statefulsets", "daemonsets", "replicasets", "jobs", "cronjobs"})
ROLLED = ("deployments", "statefulsets", "daemonsets")
REPOINTED = (*ROLLED, "cronjobs")
INGRESSES = "ingresses"  # name Secrets alone
_KINDS = {
    "deployments": "Deployment", "statefulsets": "StatefulSet", "daemonsets": "DaemonSet", "cronjobs": "CronJob",
    "replicasets": "ReplicaSet", "jobs": "Job", "pods": "Pod",
}  # fmt: skip
_ENDED = ("Succeeded", "Failed")
_FIXED = {
    "jobs": "The pod template of a Job can't be changed: create the Job again, with the new name in it.",
    "pods": "What a pod names can't be changed, and nothing recreates it: create it again, with the new name in it.",
    "replicasets": "Only new pods of a ReplicaSet get another template: edit it, then delete its pods.",
}

Kind = Literal["ConfigMap", "Secret"]
READ_OF: dict[Kind, frozenset[str]] = {"ConfigMap": READ, "Secret": READ | {INGRESSES}}
NO_ROLLOUT = Outlook()


@dataclass(frozen=True, slots=True)
class User:
    """A workload, or a pod that belongs to none. ``ways`` says how it names it; ``stays`` why that is not changed, and
    what to do instead, "" where it can be; ``outlook`` and ``pods`` are of a rollout, ``budgets`` those of its pods.
    """

    ref: Ref
    uid: str
    ways: str
    stays: str = ""
    outlook: Outlook = NO_ROLLOUT
    pods: int = 0
    budgets: tuple[str, ...] = ()

    @property
    def rolls(self) -> bool:
        return self.ref.plural in ROLLED


def users(objects: Objects, namespace: str, kind: Kind, name: str) -> tuple[User, ...]:
    """Who names it, in the order in which they are pointed elsewhere: the fewest pods first, so that what is wrong shows
    where it hurts least; what is not up, or takes no new template now, after what is; CronJobs, which tell only with
    their next run, and Ingresses; then those that stay.
    """
    found = [] if kind == "ConfigMap" else list(_ingresses(objects, namespace, name))
    found += [
        _user(objects, plural, each, spec, kind, name)
        for plural in _KINDS
        for each in objects.all(plural, namespace)
        if not belongs(each) and not _over(plural, each) and (spec := pod_spec(plural, each)) is not None
        if (kind, name) in pod_spec_uses(spec)
    ]
    return tuple(sorted(found, key=_order))


def still_running(objects: Objects, namespace: str, kind: Kind, name: str) -> list[str]:
    """The names of the pods that were started with it, and are there."""
    return [
        pod.metadata.name
        for pod in objects.all("pods", namespace)
        if not pod.metadata.deletion_timestamp and pod.status.phase not in _ENDED
        if (kind, name) in pod_spec_uses(pod.spec)
    ]


def names(plural: str, obj: Any, kind: Kind, name: str) -> bool:
    """Whether an object's pod spec, or its TLS, names it."""
    if plural == INGRESSES:
        return kind == "Secret" and bool(_secured(obj, name))
    spec = pod_spec(plural, obj)
    return spec is not None and (kind, name) in pod_spec_uses(spec)


def ways(spec: PodSpec, kind: Kind, name: str) -> str:
    """How a pod spec names it: ``env LOG, envFrom, files at /etc/app``."""
    mine = [each for each in mentions(spec) if (each.kind, each.name) == (kind, name)]
    variables = [place for each in mine if each.how == "env" for _, place in each.items or ()]
    said = [f"env {listed(variables, 'more')}"] if variables else []
    return ", ".join(dict.fromkeys([*said, *(way for each in mine if (way := _way(each)))]))


def _way(mention: Mention) -> str:
    match mention.how:
        case "env":
            return ""  # told together
        case "envFrom":
            return f"envFrom with the prefix {mention.prefix}" if mention.prefix else "envFrom"
        case "imagePullSecret":
            return "to pull images"
        case "csi":
            return "to mount a volume"
    paths = listed([mount.path for mount in mention.mounts], "more")
    projected = " of a projected volume" if mention.how == "projected" else ""
    return f"files{projected} at {paths}" if paths else f"files{projected} that no container mounts"


def _user(objects: Objects, plural: str, obj: Any, spec: PodSpec, kind: Kind, name: str) -> User:
    meta = obj.metadata
    ref = Ref(_KINDS[plural], meta.namespace, meta.name, plural)
    rolled = plural in ROLLED
    return User(
        ref,
        meta.uid,
        ways(spec, kind, name),
        _stays(plural, obj),
        restart_outlook(obj) if rolled else NO_ROLLOUT,
        pods_wanted(obj) if rolled else 0,
        tuple(_budgets(objects, plural, obj)) if rolled else (),
    )


def _ingresses(objects: Objects, namespace: str, name: str) -> Iterator[User]:
    for each in objects.all(INGRESSES, namespace):
        if hosts := _secured(each, name):
            ref = Ref("Ingress", namespace, each.metadata.name, INGRESSES)
            yield User(ref, each.metadata.uid, f"TLS of {listed(hosts, 'more')}", _stays(INGRESSES, each))


def _secured(ingress: Any, name: str) -> list[str]:
    """The hosts for which an Ingress shows the certificate of a Secret."""
    mine = [each for each in ingress.spec.tls or () if each.secret_name == name]
    return [host for each in mine for host in each.hosts or ("all hosts",)]


def _stays(plural: str, obj: Any) -> str:
    if obj.metadata.deletion_timestamp:
        return "It is being deleted."
    if (fixed := _FIXED.get(plural)) is not None:
        return fixed
    back = changes_back(obj.metadata)
    return f"{back.title}. {back.text}" if back is not None else ""


def _over(plural: str, obj: Any) -> bool:
    """Whether it has come to its end: nothing starts from it any more."""
    if plural == "pods":
        return obj.status.phase in _ENDED
    return plural == "jobs" and obj.status.completion_time is not None


def _budgets(objects: Objects, plural: str, obj: Any) -> Iterator[str]:
    labels = pod_labels(plural, obj) or {}
    for one in objects.all("poddisruptionbudgets", obj.metadata.namespace):
        if selector_of(one.spec.selector).matches(labels):
            yield one.metadata.name


def _order(user: User) -> tuple[Any, ...]:
    outlook, ref = user.outlook, user.ref
    return (
        bool(user.stays), not user.rolls, not outlook.replaces, bool(outlook.unready), outlook.down, user.pods,
        ref.kind, ref.name,
    )  # fmt: skip


def quota_effects(objects: Objects, namespace: str, resource: str) -> Iterator[Effect]:
    """Which quotas count one more object of a resource, and whether they have room for it."""
    for quota in objects.all("resourcequotas", namespace):
        hard, used = amounts(quota.status.hard or quota.spec.hard), amounts(quota.status.used)
        for counted in (f"count/{resource}", resource):
            if counted not in hard:
                continue
            left = max(hard[counted] - used.get(counted, Decimal(0)), Decimal(0))
            ref = Ref("ResourceQuota", namespace, quota.metadata.name, "resourcequotas")
            text = parts(bold(f"ResourceQuota {ref.name}"), f" has {format_quantity(left)} of {counted} left")
            full = left < 1
            yield Effect("bad" if full else "ok", "gauge", text, "", "refuses" if full else "", ref)
