"""autoscaling/v1 Scale: what the scale subresource of any kind answers, be it a custom one."""

from __future__ import annotations

from .meta import Object, Struct


class ScaleSpec(Struct, frozen=True, gc=False):
    """spec of a Scale; Go leaves a 0 out."""

    replicas: int = 0


class ScaleStatus(Struct, frozen=True, gc=False):
    """status of a Scale. ``selector``: of its pods, as text; "" where the kind tells none."""

    replicas: int = 0
    selector: str = ""


class Scale(Object, frozen=True, gc=False):
    """The number of replicas of an object, whatever its own fields are called."""

    spec: ScaleSpec = ScaleSpec()
    status: ScaleStatus = ScaleStatus()
