"""What a change of a ConfigMap or Secret would do where it is used.

Rules: a variable of the environment is set when a container starts; the kubelet refreshes the files of a volume, but
never one mounted by subPath (kubernetes.io/docs/concepts/configuration/configmap); a volume's driver reads its
credentials when it mounts the volume; a password for images counts with the next pull.
"""

from __future__ import annotations

from typing import Any, Literal

from dashboard.kinds.base import Ref
from dashboard.kinds.uses import Mention, mentions

from .relations import pod_spec

Propagation = Literal["restart", "soon", "never", "mount", "pull", "taken", "unmounted"]

WORDS: dict[Propagation, str] = {
    "restart": "containers that start after a change see it",
    "soon": "a change is propagated automatically, within about a minute",
    "never": "a change never reaches a running container",
    "mount": "a change is read when the volume is mounted again",
    "pull": "a change applies from the next image pull",
    "taken": "the ingress controller reloads a change automatically",
    "unmounted": "no container mounts this volume",
}
_OTHERS: dict[str, Propagation] = {"tls": "taken", "imagePullSecret": "pull", "csi": "mount"}


def propagations(plural: str, obj: Any, target: Ref, ways: tuple[str, ...]) -> dict[str, Propagation]:
    """By the way in which the object uses the ConfigMap or Secret: what a change would do. A way that only comes with
    another (the volume of a subPath) is left out.
    """
    spec = pod_spec(plural, obj)
    if spec is None:
        return {way: _OTHERS[way] for way in ways if way in _OTHERS}
    found: dict[str, Propagation] = {}
    for mention in mentions(spec):
        if (mention.kind, mention.name) == (target.kind, target.name):
            for way, propagation in _propagations(mention):
                # The volume that some container does mount says more than one that none mounts.
                if found.get(way, "unmounted") == "unmounted":
                    found[way] = propagation
    return found


def needed(plural: str, obj: Any, target: Ref) -> bool:
    """Whether the object's pods cannot start without the ConfigMap or Secret."""
    spec = pod_spec(plural, obj)
    return spec is not None and any(
        mention.needed
        for mention in mentions(spec)
        if (mention.kind, mention.name) == (target.kind, target.name)
    )


def _propagations(mention: Mention) -> list[tuple[str, Propagation]]:
    if mention.how in ("env", "envFrom"):
        return [(mention.how, "restart")]
    if mention.how == "imagePullSecret":
        return [(mention.how, "pull")]
    if mention.at_mount:
        return [(mention.how, "mount")]
    if mention.how == "claim":
        return []
    if not mention.mounts:
        return [(mention.how, "unmounted")]
    return [
        ("subPath", "never") if mount.partial else (mention.how, "soon") for mount in mention.mounts
    ]  # fmt: skip
