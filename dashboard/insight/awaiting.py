"""What names an object that is not there yet: it waits for it, or is broken without it."""

from __future__ import annotations

from collections.abc import Iterator

from dashboard.kinds.base import Ref
from dashboard.kinds.references import title

from .impact import Effect
from .protocols import Objects
from .relations import named
from .words import bold, parts

SHOWN = 5
_WORKLOADS = ("deployments", "statefulsets", "daemonsets", "cronjobs")
NAMING = frozenset({*_WORKLOADS, "ingresses"})


def awaited_by(objects: Objects, wanted: Ref, group: str = "") -> Iterator[Effect]:
    """The workloads and Ingresses of its namespace that name an object, a line each."""
    found = 0
    for plural in sorted(NAMING):
        for obj in objects.all(plural, wanted.namespace):
            if wanted not in named(plural, obj):
                continue
            found += 1
            if found > SHOWN:
                yield Effect("info", "info", parts("and more"), group=group)
                return
            kind = "Ingress" if plural == "ingresses" else type(obj).__name__
            ref = Ref(kind, wanted.namespace, obj.metadata.name, plural)
            text = parts(bold(title(ref)), f" names {wanted.name} already")
            yield Effect("info", "link", text, "it gets what it waits for", "", ref, group)
