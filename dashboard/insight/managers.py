"""Who keeps an object as it is, and so will change it back: its owner, Argo CD, Flux or Helm.

Rules: kubernetes.io, Owners and Dependents; argo-cd.readthedocs.io, Resource Tracking (the annotation
``argocd.argoproj.io/tracking-id`` is ``<application>:<group>/<kind>:<namespace>/<name>``); fluxcd.io, labels of what a
Kustomization or a HelmRelease applies; helm.sh, labels and annotations of a release.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from dashboard.kinds.meta import ObjectMeta
from dashboard.kinds.references import meant, title
from dashboard.kinds.rows import listed

from .impact import Notice

_ARGO = "argocd.argoproj.io"
_FLUX = {"kustomize.toolkit.fluxcd.io": "Kustomization", "helm.toolkit.fluxcd.io": "HelmRelease"}
_HELM = "meta.helm.sh/release"


def changes_back(meta: ObjectMeta) -> Notice | None:
    """Who writes the object too, and where to make the change instead; the nearest of several."""
    if (owner := meta.controller) is not None:
        ref = meant(owner, meta.namespace)
        # Kubernetes' own controllers compare it at every change of it, others when they look at it again.
        sure = "changes" if ref.plural else "may change"
        text = f"It is its owner, and keeps it as its own spec says. Change {ref.name} instead."
        return Notice("warn", f"{title(ref)} {sure} this back", text, ref if ref.plural else None)
    if app := _application(meta):
        text = f"Application {app} tracks it: with self-heal at once, else at its next sync. Change it in its source."
        return Notice("warn", "Argo CD may change this back", text)
    if flux := _flux(meta):
        text = f"{flux} applies it again when it is reconciled. Change it in its source."
        return Notice("warn", "Flux may change this back", text)
    if release := meta.note(f"{_HELM}-name"):
        text = f"The next upgrade of release {release} writes what its chart says. Change its values instead."
        return Notice("warn", "Helm may change this back", text)
    return None


Applied = Literal["server", "client", "written"]


def sets_again(manager: str, how: Applied, fields: Sequence[str], instead: str = "") -> Notice:
    """The same by who set just these fields (as people write them) last: applied by the API server or by kubectl alone,
    or written in whatever way. ``instead`` is what to do about it.
    """
    said, them = listed(fields, "more fields"), "it" if len(fields) == 1 else "them"
    instead = instead or f"Change {them} in its source."
    if how == "server":
        text = f"{manager} applied {said}: it sets {them} again when it applies next. {instead}"
        return Notice("warn", f"{manager} may change this back", text)
    if how == "client":
        text = f"kubectl apply set {said}: it sets {them} back if that manifest is applied again as it is. {instead}"
        return Notice("info", "A manifest may change this back", text)
    text = f"Field manager {manager} set {said}. If it writes {them} again, that changes back each time. {instead}"
    return Notice("warn", f"{manager} may change this back", text)


def creates_again(meta: ObjectMeta) -> Notice | None:
    """The same of an object that is deleted; what its owner does then is told with the deletion."""
    if app := _application(meta):
        text = f"Application {app} tracks it: with self-heal at once, else at its next sync. Remove it from its source."
        return Notice("warn", "Argo CD may create it again", text)
    if flux := _flux(meta):
        text = f"{flux} applies it again when it is reconciled. Remove it from its source."
        return Notice("warn", "Flux may create it again", text)
    if release := meta.note(f"{_HELM}-name"):
        text = f"An upgrade of release {release} that still has it in its chart creates it again."
        return Notice("warn", "Helm may create it again", text)
    return None


def _application(meta: ObjectMeta) -> str:
    """The Application of Argo CD that tracks it, or ""."""
    tracked = (meta.note(f"{_ARGO}/tracking-id") or "").partition(":")[0]
    return tracked or meta.labels.get(f"{_ARGO}/instance") or ""


def _flux(meta: ObjectMeta) -> str:
    """What of Flux applies it, or ""."""
    for prefix, kind in _FLUX.items():
        if name := meta.labels.get(f"{prefix}/name"):
            return f"{kind} {name} in {meta.labels.get(f'{prefix}/namespace', meta.namespace)}"
    return ""
