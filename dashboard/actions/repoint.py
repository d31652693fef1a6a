"""Pointing the pod template of a workload or CronJob, or the TLS of an Ingress, from one ConfigMap or Secret to another,
as a step of an operation that replaces one (docs/adr/0057).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from dashboard.insight import Effect, Impact, Workload
from dashboard.insight.references import INGRESSES, REPOINTED, Kind
from dashboard.insight.words import parts
from dashboard.kinds.base import Kind as AnyKind

from .action import DryRun, Manifest, Target, Wanted
from .changedfields import value_at
from .fieldwrites import written, written_fields
from .templates import TemplateAction

# Where a container's environment names one: the field of a variable, and of envFrom.
_VARIABLE = {"ConfigMap": "configMapKeyRef", "Secret": "secretKeyRef"}
_EVERY = {"ConfigMap": "configMapRef", "Secret": "secretRef"}
# The volumes that name a Secret by a reference, for their driver to sign in.
_DRIVERS = ("cephfs", "cinder", "rbd", "iscsi", "flexVolume", "scaleIO", "storageos")


class Repoint(TemplateAction):
    """Writes the fields that name it."""

    name, title, icon = "repoint", "Change references", "link"
    kinds = frozenset({*REPOINTED, INGRESSES})

    def fits(self, kind: AnyKind[Any]) -> bool:
        return False  # it is made as a step, and offered nowhere

    def label(self, path: str) -> str:
        return super().label(path.replace("/spec/jobTemplate/spec/template", "/spec/template", 1))

    def impact(self, dry: DryRun) -> Impact:
        if isinstance(dry.obj, Workload):
            return super().impact(dry)
        if dry.target.plural == INGRESSES:
            return Impact(None, (Effect("info", "lock", parts("It shows the certificate in it")),))
        text = parts("Runs that start from now on have it")
        return Impact(None, (Effect("info", "wait", text, "from its next run"),))

    def button(self, target: Target) -> str:
        return f"Change {target.name}"


REPOINT = Repoint()


def repointed(manifest: Manifest, kind: Kind, old: str, new: str) -> Wanted | None:
    """What to want so that an object names the new one wherever it names the old one; None where it does not."""
    made = copy.deepcopy(manifest)
    for holder, field in (*_places(_pod_spec(made), kind), *_tls(made, kind)):
        if holder.get(field) == old:
            holder[field] = new
    paths = written_fields(manifest, made)
    return written(paths, made) if paths else None


def _tls(manifest: Manifest, kind: Kind) -> Iterator[tuple[dict[str, Any], str]]:
    if manifest.get("kind") == "Ingress" and kind == "Secret":
        for each in _all(manifest.get("spec") or {}, "tls"):
            yield each, "secretName"


def _pod_spec(manifest: Manifest) -> Manifest:
    above = "/spec/jobTemplate" if manifest.get("kind") == "CronJob" else ""
    found = value_at(manifest, f"{above}/spec/template/spec")
    return found if isinstance(found, dict) else {}


def _places(spec: Manifest, kind: Kind) -> Iterator[tuple[dict[str, Any], str]]:
    """Each place of a pod spec that names an object of the kind: what holds the name, and under which key."""
    for container in (*_all(spec, "containers"), *_all(spec, "initContainers")):
        for variable in _all(container, "env"):
            yield _in(variable.get("valueFrom"), _VARIABLE[kind]), "name"
        for every in _all(container, "envFrom"):
            yield _in(every, _EVERY[kind]), "name"
    for volume in _all(spec, "volumes"):
        if kind == "ConfigMap":
            yield _in(volume, "configMap"), "name"
        else:
            yield from _secret_places(volume)
        for source in _all(_in(volume, "projected"), "sources"):
            yield _in(source, kind[0].lower() + kind[1:]), "name"
    if kind == "Secret":
        for pulled in _all(spec, "imagePullSecrets"):
            yield pulled, "name"


def _secret_places(volume: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    yield _in(volume, "secret"), "secretName"
    yield _in(volume, "azureFile"), "secretName"
    yield _in(_in(volume, "csi"), "nodePublishSecretRef"), "name"
    for driver in _DRIVERS:
        yield _in(_in(volume, driver), "secretRef"), "name"


def _all(holder: dict[str, Any], field: str) -> list[dict[str, Any]]:
    return [one for one in holder.get(field) or () if isinstance(one, dict)]


def _in(holder: Any, field: str) -> dict[str, Any]:
    found = holder.get(field) if isinstance(holder, dict) else None
    return found if isinstance(found, dict) else {}
