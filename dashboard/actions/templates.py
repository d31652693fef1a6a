"""Changes of the pod template of a Deployment, StatefulSet or DaemonSet: what they have in common.

An action says what the object becomes (``made``). Written is what differs from it, field by field, by a merge patch of
the very version that was read, so that nobody's write to another part is lost; its undo puts just these fields back.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from dashboard.insight import Notice, Objects, template_impact
from dashboard.models import Change

from .action import MERGE_PATCH, Description, DryRun, Manifest, Order, Target, Wanted, Write, sides
from .changedfields import field_words, value_at, with_values
from .fieldwrites import FieldsAction, value_words, written, written_fields

SPEC = "/spec/template/spec"


class TemplateAction(FieldsAction):
    """``wanted``: what was typed, then what ``FieldsAction`` writes; of an undo that alone."""

    kinds = frozenset({"deployments", "statefulsets", "daemonsets"})
    contested = True
    body_bytes = 4 * 2**20  # with the token, in which a whole template may travel

    async def made(self, order: Order, manifest: Manifest) -> Manifest:
        """What the object becomes. Raises BadInput or Invalid for what cannot be made of it."""
        raise NotImplementedError

    async def decide(self, order: Order, manifest: Manifest, objects: Objects) -> Wanted:
        if "restore" in order.wanted:
            return {}
        made = await self.made(order, manifest)
        return written(written_fields(manifest, made), made)

    def write(self, manifest: Manifest, wanted: Wanted) -> Write:
        body = merge_between(manifest, with_values(manifest, self.values))
        return Write(method="PATCH", content_type=MERGE_PATCH, subresource="", body=body)

    def widened(self, before: Manifest, after: Manifest) -> TemplateAction:
        return type(self)({**self.wanted, "restore": [], "drop": written_fields(before, after)})

    # ---- What is said of it

    def label(self, path: str) -> str:
        if path == "/spec/template":
            return "pod template"
        return field_words(path).removeprefix("spec.template.spec.").removeprefix("spec.template.")

    def summary(self, change: Change) -> str:
        was, made = sides(change)
        return "; ".join(
            f"{self.label(path)} {value_words(was[path])} → {value_words(made[path])}" for path in made
        )

    def describe(self, dry: DryRun) -> Description:
        return Description.of(
            template_impact(dry.objects, dry.obj, dry.made, dry.now, stays=self.stays(dry)),
            *self.warnings(dry),
            kubectl=self.kubectl(dry) or self._patch(dry),
            undo_words=self.undo_words(dry.before),
            button=self.button(dry.target),
        )

    def button(self, target: Target) -> str:
        return f"Update {target.name}"

    def stays(self, dry: DryRun) -> Collection[str]:
        """The names of the pods that were created from the new template already."""
        return ()

    def warnings(self, dry: DryRun) -> Iterator[Notice]:
        """What to know of the new template."""
        yield from ()

    def kubectl(self, dry: DryRun) -> str:
        """The same by the command of kubectl that is for it; "" where that cannot say it."""
        return ""

    def _patch(self, dry: DryRun) -> str:
        patch = json.dumps(self.write(dry.before, dry.wanted).body, separators=(",", ":"))
        return dry.target.kubectl("patch", "--type=merge", "-p", patch)


def merge_between(old: Mapping[str, Any], new: Mapping[str, Any]) -> Manifest:
    """The merge patch (RFC 7386) that makes ``new`` of ``old``."""
    patch: Manifest = {key: None for key in old if key not in new}
    for key, value in new.items():
        if key not in old or old[key] != value:
            both = isinstance(value, Mapping) and isinstance(old.get(key), Mapping)
            patch[key] = merge_between(old[key], value) if both else value
    return patch


def containers(manifest: Manifest) -> Iterator[tuple[str, Manifest]]:
    """Each container of the pod template with its path, then each init container."""
    for kind in ("containers", "initContainers"):
        found = value_at(manifest, f"{SPEC}/{kind}")
        for one in found if isinstance(found, list) else ():
            yield f"{SPEC}/{kind}/[name={one['name']}]", one
