"""Who reads keys of a Secret, how, and when a new value reaches it.

Rules: a variable of the environment is set when a container starts; the kubelet refreshes the files of a mounted
Secret, but never one mounted by subPath (kubernetes.io/docs/concepts/configuration/secret).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from dashboard.kinds.base import Ref
from dashboard.kinds.podspec import PodSpec
from dashboard.kinds.uses import Mount, mentions

from .ownership import belongs
from .protocols import Objects
from .restart import Outlook, restart_outlook

# How, in the words of the public contract.
How = Literal[
    "env", "envFrom", "volume", "projected", "subPath", "csi", "imagePullSecret", "tls", "serviceAccount"
]
# restart: only once its pods are made anew; soon: by itself, in about a minute; next: with its next run or pull.
Propagation = Literal["restart", "soon", "next"]

# What reading a consumer out of the cache takes.
READ = frozenset(
    {
        "deployments",
        "statefulsets",
        "daemonsets",
        "replicasets",
        "pods",
        "jobs",
        "cronjobs",
        "ingresses",
    }
)
RESTARTABLE = ("deployments", "statefulsets", "daemonsets")
_VARIABLE = frozenset({"env", "envFrom"})
_ANEW = frozenset({"env", "envFrom", "subPath", "csi"})


@dataclass(frozen=True, slots=True)
class Use:
    """One way in which a pod spec reads a key; ``detail`` is the variable or the file."""

    how: How
    detail: str


@dataclass(frozen=True, slots=True)
class Consumer:
    """An object whose own spec names the Secret. ``restartable``: a new value reaches it by restarting it; ``pods`` is
    how many it has, as far as its status says; ``variables`` are the keys that a container is given as variables.
    """

    ref: Ref
    uses: tuple[Use, ...]
    propagation: Propagation
    restartable: bool = False
    pods: int = 0
    variables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stage:
    """A consumer that a restart brings a new value to, and what that restart comes to."""

    consumer: Consumer
    outlook: Outlook


def secret_consumers(objects: Objects, namespace: str, name: str, *keys: str) -> tuple[Consumer, ...]:
    """Who reads one of the keys: workloads (their pods are not told again), then Ingresses. Those to restart come first,
    the smallest before the others: what is wrong with a value then shows where it hurts least.
    """
    found = [*_workloads(objects, namespace, name, keys), *_ingresses(objects, namespace, name)]
    return tuple(
        sorted(found, key=lambda each: (not each.restartable, each.pods, each.ref.kind, each.ref.name))
    )


def restart_stages(objects: Objects, consumers: Iterable[Consumer]) -> tuple[Stage, ...]:
    """Those that a restart brings the value to, in the order in which they are restarted. Those that are not all up come
    after those that are: whether the value is right shows where pods came up before. At last, those of which a restart
    replaces no pod.
    """
    stages = []
    for each in consumers:
        if each.restartable:
            found = objects.get(each.ref.plural, each.ref.namespace, each.ref.name)
            stages.append(Stage(each, restart_outlook(found) if found is not None else Outlook()))
    return tuple(
        sorted(
            stages,
            key=lambda stage: (not stage.outlook.replaces, bool(stage.outlook.unready), stage.outlook.down),
        )
    )


def secret_uses(spec: PodSpec, name: str, *keys: str) -> tuple[Use, ...]:
    """How a pod spec reads the keys, each way once."""
    return tuple(dict.fromkeys(use for key in keys for use in _uses(spec, name, key)))


def _workloads(objects: Objects, namespace: str, name: str, keys: tuple[str, ...]) -> Iterator[Consumer]:
    for plural, kind in (
        ("deployments", "Deployment"),
        ("statefulsets", "StatefulSet"),
        ("daemonsets", "DaemonSet"),
    ):
        for one in objects.all(plural, namespace):
            status = one.status
            pods = status.current_number_scheduled if plural == "daemonsets" else status.replicas
            yield from _consumer(kind, plural, one, one.spec.template.spec, name, keys, pods)
    for one in objects.all("cronjobs", namespace):
        yield from _consumer("CronJob", "cronjobs", one, one.spec.job_template.spec.template.spec, name, keys)
    for plural, kind in (("replicasets", "ReplicaSet"), ("jobs", "Job"), ("pods", "Pod")):
        for one in objects.all(plural, namespace):
            if belongs(one) or _ended(plural, one):
                continue
            spec = one.spec if plural == "pods" else one.spec.template.spec
            yield from _consumer(kind, plural, one, spec, name, keys)


def _ended(plural: str, one: Any) -> bool:
    if plural == "pods":
        return one.status.phase in ("Succeeded", "Failed")
    return plural == "jobs" and one.status.completion_time is not None


def _consumer(
    kind: str, plural: str, one: Any, spec: PodSpec, name: str, keys: tuple[str, ...], pods: int = 0
) -> Iterator[Consumer]:
    uses = secret_uses(spec, name, *keys)
    if not uses:
        return
    variables = tuple(key for key in keys if any(use.how in _VARIABLE for use in _uses(spec, name, key)))
    ref = Ref(kind, one.metadata.namespace, one.metadata.name, plural)
    anew = any(use.how in _ANEW for use in uses)
    if plural == "cronjobs" or not (anew or any(use.how in ("volume", "projected") for use in uses)):
        yield Consumer(ref, uses, "next", pods=pods, variables=variables)
    else:
        restartable = anew and plural in RESTARTABLE
        yield Consumer(ref, uses, "restart" if anew else "soon", restartable, pods, variables)


def _ingresses(objects: Objects, namespace: str, name: str) -> Iterator[Consumer]:
    for one in objects.all("ingresses", namespace):
        hosts = [
            host for tls in one.spec.tls or () if tls.secret_name == name for host in tls.hosts or ("*",)
        ]
        if hosts:
            ref = Ref("Ingress", namespace, one.metadata.name, "ingresses")
            yield Consumer(ref, (Use("tls", ", ".join(hosts)),), "soon")


def _uses(spec: PodSpec, name: str, key: str) -> Iterator[Use]:
    for mention in mentions(spec):
        if (mention.kind, mention.name) != ("Secret", name):
            continue
        if mention.how == "imagePullSecret":
            yield Use("imagePullSecret", "")
        elif mention.at_mount:
            yield from (Use("csi", mount.path) for mount in mention.mounts)
        elif mention.how == "env" or mention.how == "envFrom":
            yield from (Use(mention.how, variable) for variable in mention.places(key))
        elif files := frozenset(mention.places(key)):
            how: How = "projected" if mention.how == "projected" else "volume"
            for mount in mention.mounts:
                yield from _seen(mount, how, files)


def _seen(mount: Mount, how: How, files: frozenset[str]) -> Iterator[Use]:
    if not mount.partial:
        yield from (Use(how, f"{mount.path.rstrip('/')}/{file}") for file in sorted(files))
    elif mount.expression or mount.sub_path in files:
        # An expression is only known in the running pod: it may name this key.
        yield Use("subPath", mount.path)
