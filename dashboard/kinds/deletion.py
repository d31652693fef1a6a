"""What an object that is being deleted still waits for, in words."""

from __future__ import annotations

from collections.abc import Iterable

# Finalizers of Kubernetes itself, and what ends them. All others are removed by whatever set them.
_KNOWN = {
    "foregroundDeletion": "until its dependents are deleted",
    "orphan": "until its dependents are orphaned",
    "kubernetes.io/pvc-protection": "until no pod uses it",
    "kubernetes.io/pv-protection": "until no claim is bound to it",
    "service.kubernetes.io/load-balancer-cleanup": "until its load balancer is removed",
    "batch.kubernetes.io/job-tracking": "until its Job has tracked it",
}


def deletion_waits(finalizers: Iterable[str]) -> str:
    """A sentence for each finalizer that blocks the deletion; what happens next where there is none."""
    said = []
    for name in finalizers:
        known = _KNOWN.get(name)
        said.append(
            f"Its finalizer {name} keeps it {known}."
            if known
            else f"Its finalizer {name} keeps it until whatever set that finalizer removes it."
        )
    return " ".join(said) or "It is removed when its grace period ends."
