"""Who keeps an object as it is, and so will change it back: its owner, Argo CD, Flux or Helm.

Rules: kubernetes.io, Owners and Dependents; argo-cd.readthedocs.io, Resource Tracking (the annotation
``argocd.argoproj.io/tracking-id`` is ``<application>:<group>/<kind>:<namespace>/<name>``); fluxcd.io, labels of what a
Kustomization or a HelmRelease applies; helm.sh, labels and annotations of a release.
"""

from __future__ import annotations

from dashboard.kinds.meta import ObjectMeta
from dashboard.kinds.references import meant, title

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
    if app := (meta.note(f"{_ARGO}/tracking-id") or "").partition(":")[0] or meta.labels.get(
        f"{_ARGO}/instance"
    ):
        text = f"Application {app} tracks it: with self-heal at once, else at its next sync. Change it in its source."
        return Notice("warn", "Argo CD may change this back", text)
    for prefix, kind in _FLUX.items():
        if name := meta.labels.get(f"{prefix}/name"):
            where = meta.labels.get(f"{prefix}/namespace", meta.namespace)
            text = (
                f"{kind} {name} in {where} applies it again when it is reconciled. Change it in its source."
            )
            return Notice("warn", "Flux may change this back", text)
    if release := meta.note(f"{_HELM}-name"):
        text = f"The next upgrade of release {release} writes what its chart says. Change its values instead."
        return Notice("warn", "Helm may change this back", text)
    return None
