"""The revisions of a workload's pod template, as ``kubectl rollout history`` finds them: a Deployment's are its
ReplicaSets, those of a StatefulSet or DaemonSet their ControllerRevisions.

Their templates hold what people typed, so they are read as the user, when they are asked for, and kept nowhere. Source:
kubernetes/kubectl, pkg/polymorphichelpers/rollback.go.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from dashboard.errors import Forbidden
from dashboard.insight import Objects
from dashboard.insight.ownership import controller
from dashboard.insight.pod_health import is_ready
from dashboard.kinds import KINDS
from dashboard.kinds.base import GVR, Ref, State
from dashboard.kinds.pods import Pod
from dashboard.kinds.rows import plural
from dashboard.kinds.selectors import format_label_selector
from dashboard.kube.answers import read_answer
from dashboard.kube.transport import Transport
from dashboard.rights import MissingRight

from .action import Manifest, Target, pointer, typed_object
from .templatemark import REVISION, bare_template, without_nulls

HISTORY = (
    "deployment.kubernetes.io/revision-history"  # of a ReplicaSet that was rolled back to: what it was before
)
CHANGE_CAUSE = "kubernetes.io/change-cause"
_HASH = "pod-template-hash"  # of the ReplicaSet that a pod belongs to: no part of the Deployment's template
_POD_REVISION = "controller-revision-hash"
CONTROLLERREVISIONS = GVR("apps", "v1", "controllerrevisions")


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """``name`` is that of the ReplicaSet or ControllerRevision, ``cause`` its change-cause or "", ``created`` a moment
    (ISO) or "". ``again``: it was rolled back to before; ``written``: when its controller wrote it last.
    """

    number: int
    name: str
    cause: str
    created: str
    again: bool
    written: str
    template: Manifest = field(repr=False)

    @property
    def images(self) -> list[str]:
        """The images of its containers."""
        return [one.get("image", "") for one in pointer(self.template, "/spec/containers") or ()]


def revisions_kept_in(plural: str) -> GVR:
    """The objects that hold the revisions of a kind of workload."""
    return KINDS["replicasets"].gvr if plural == "deployments" else CONTROLLERREVISIONS


async def revisions_of(transport: Transport, target: Target, manifest: Manifest) -> Sequence[Revision]:
    """All that are kept, the newest first. Raises Forbidden where the user may not list them, and what else the API
    server says.
    """
    gvr = revisions_kept_in(target.plural)
    selector = format_label_selector(typed_object(target.plural, manifest).spec.selector)
    try:
        response = await transport.request(
            "GET", gvr, namespace=target.namespace, query={"labelSelector": selector}
        )
    except Forbidden as error:
        what = f"list {gvr.plural}{target.where}"
        message = f"Your account may not {what}: the revisions of {target} are in them."
        raise MissingRight("list", gvr.plural, namespace=target.namespace, message=message) from error
    items: list[Manifest] = read_answer(response.body, dict[str, Any]).get("items") or []
    own = manifest["metadata"]["uid"]
    read = _of_replicaset if target.plural == "deployments" else _of_controllerrevision
    found = [made for one in items if _controller(one) == own and (made := read(one)) is not None]
    return sorted(found, key=lambda one: one.number, reverse=True)


def current_revision(found: Iterable[Revision], manifest: Manifest) -> Revision | None:
    """The one whose template the workload has; None where none was made for it yet."""
    template = bare_template(manifest["spec"]["template"])
    return next((one for one in found if bare_template(one.template) == template), None)


def pods_of(objects: Objects, target: Target, uid: str, name: str) -> list[Pod]:
    """The pods of a workload (``uid``) that were created from the revision of this name, but for those that terminate."""
    kept = [pod for pod in objects.all("pods", target.namespace) if pod.metadata.deletion_timestamp is None]
    if target.plural == "deployments":
        replica_set = Ref("ReplicaSet", target.namespace, name, "replicasets")
        return [pod for pod in kept if controller(objects, pod)[0] == replica_set]
    marks = (name, name.removeprefix(f"{target.name}-"))  # a DaemonSet's pods carry the hash alone
    return [
        pod
        for pod in kept
        if (owner := pod.metadata.controller)
        and owner.uid == uid
        and pod.metadata.labels.get(_POD_REVISION) in marks
    ]


def pods_note(pods: Sequence[Pod]) -> tuple[str, State | Literal[""]]:
    """How many there are, in words, and their state; ("", "") for none."""
    ready = sum(is_ready(pod) for pod in pods)
    if not pods:
        return "", ""
    if ready < len(pods):
        return f"{ready} of {plural(len(pods), 'pod')} ready", "warn"
    return f"{plural(ready, 'pod')} ready", "ok"


def _controller(obj: Manifest) -> str:
    owners = obj["metadata"].get("ownerReferences") or ()
    return next((str(owner.get("uid")) for owner in owners if owner.get("controller")), "")


def _of_replicaset(obj: Manifest) -> Revision | None:
    number = (obj["metadata"].get("annotations") or {}).get(REVISION, "")
    if not (number.isascii() and number.isdigit()):
        return None  # its controller has not numbered it yet
    template = copy.deepcopy(obj["spec"]["template"])
    (template.get("metadata", {}).get("labels") or {}).pop(_HASH, None)
    return _revision(obj, int(number), template)


def _of_controllerrevision(obj: Manifest) -> Revision | None:
    """Its data is a strategic merge patch that replaces the template as a whole."""
    template = pointer(obj, "/data/spec/template")
    if not isinstance(template, dict) or template.get("$patch") != "replace":
        return None
    kept = {key: value for key, value in template.items() if key != "$patch"}
    return _revision(obj, int(obj.get("revision") or 0), kept)


def _revision(obj: Manifest, number: int, template: Manifest) -> Revision:
    meta = obj["metadata"]
    return Revision(
        number=number,
        name=meta["name"],
        cause=(meta.get("annotations") or {}).get(CHANGE_CAUSE, ""),
        created=meta.get("creationTimestamp") or "",
        again=HISTORY in (meta.get("annotations") or {}),
        written=max((each.get("time") or "" for each in meta.get("managedFields") or ()), default=""),
        template=without_nulls(template),
    )
