"""Changes of the pod template of a Deployment, StatefulSet or DaemonSet: what they have in common.

An action says what the object becomes (``made``). Written is what differs from it, field by field, by a merge patch of
the very version that was read, so that nobody's write to another part is lost; its undo puts just these fields back.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from dashboard.errors import BadInput
from dashboard.insight import Impact, Notice, Objects, template_impact
from dashboard.kinds.rows import listed
from dashboard.kube.transport import Transport
from dashboard.models import Change

from .action import (
    MERGE_PATCH,
    TOUCHED,
    WAS,
    Action,
    Description,
    DryRun,
    Field,
    Manifest,
    Order,
    OwnedFields,
    Target,
    Wanted,
    Write,
    sides,
)
from .changedfields import field_words, merge_between, value_at, with_values
from .fieldwrites import FieldsAction, value_words, written, written_fields
from .variable_notices import variable_notices

SPEC = "/spec/template/spec"


class TemplateAction(FieldsAction):
    """``wanted``: what was typed, then what ``FieldsAction`` writes; of an undo that alone."""

    kinds = frozenset({"deployments", "statefulsets", "daemonsets"})
    reads = TOUCHED | {"configmaps", "secrets"}
    same = "It is like that already."  # what is said where nothing would change
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
        if not written_fields(dry.before, dry.after):
            said = Impact(Notice("info", "No changes", self.same), ())
            return Description.of(said, kubectl="", undo_words="", button=self.button(dry.target))
        return Description.of(
            self.impact(dry),
            *self.warnings(dry),
            *variable_notices(dry.before, dry.after),
            kubectl=self.kubectl(dry) or self._patch(dry),
            undo_words=self.undo_words(dry.before),
            button=self.button(dry.target),
        )

    def button(self, target: Target) -> str:
        return f"Update {target.name}"

    def impact(self, dry: DryRun) -> Impact:
        """What the new template does to the pods and to who needs them."""
        return template_impact(dry.objects, dry.obj, dry.made, dry.now)

    def warnings(self, dry: DryRun) -> Iterator[Notice]:
        """What to know of the new template."""
        yield from ()

    def kubectl(self, dry: DryRun) -> str:
        """The same by the command of kubectl that is for it; "" where that cannot say it."""
        return ""

    def _patch(self, dry: DryRun) -> str:
        return dry.target.kubectl_patch(self.write(dry.before, dry.wanted).body)


class ContainerAction(TemplateAction):
    """Asks for something of each container, by fields that are called ``<input>.<container>``. What a form was filled
    with comes along (``was.<input>.<container>``): what still is like that is not asked for, so that an open form does
    not take back what others write meanwhile. Neither is that of which nothing is sent.
    """

    input: Literal["text", "amount"] = "text"
    inputs: Mapping[
        str, str
    ]  # the inputs of a container: the beginning of their names → what they are called
    typed = True

    def parse(self, field: str, text: str) -> Any:
        """What was typed. Raises BadInput for what cannot be."""
        raise NotImplementedError

    def edit(self, field: str, text: str, base: str | None) -> Any:
        """What was typed into what a form was filled with (None without a form). Raises BadInput for what cannot be."""
        return self.parse(field, text)

    def unedit(self, field: str, text: str, base: str) -> Any:
        """What takes that back. It was there: it is not judged."""
        return base

    def value(self, container: Manifest, name: str) -> str:
        """What an input starts with."""
        raise NotImplementedError

    def put(self, container: Manifest, name: str, asked: Any) -> None:
        """Writes what was typed to a container."""
        raise NotImplementedError

    def read(self, typed: Mapping[str, str]) -> Wanted:
        sent = {
            key: text for key, text in typed.items() if key.partition(".")[0] in self.inputs and "." in key
        }
        if not sent:
            first = next(iter(self.inputs))
            raise BadInput(f"Nothing is asked for: send {first}.<container>.", field=first)
        bases = {key: typed.get(f"{WAS}{key}") for key in sent}
        changed = {key: text for key, text in sent.items() if text != bases[key]}
        return {
            "asked": {key: self.edit(key, text, bases[key]) for key, text in changed.items()},
            "was": {
                key: self.unedit(key, text, base)
                for key, text in changed.items()
                if (base := bases[key]) is not None
            },
        }

    def check(self, manifest: Manifest, wanted: Wanted) -> None:
        names = [one["name"] for _, one in containers(manifest)]
        for key in wanted.get("asked", ()):
            if (name := key.partition(".")[2]) not in names:
                raise BadInput(f"There is no container {name[:63]}: there is {listed(names)}.", field=key)

    def overtaken(self, manifest: Manifest, wanted: Wanted) -> tuple[Action, OwnedFields] | None:
        asked = wanted["asked"]
        was = {
            key: each
            for key, each in wanted["was"].items()
            if self.with_asked(manifest, {key: asked[key]}) != manifest
        }
        filled = self.with_asked(manifest, was)
        just = self.on({"drop": written_fields(manifest, filled)})
        return (just, fields) if (fields := just.touched(filled)) else None

    async def made(self, order: Order, manifest: Manifest) -> Manifest:
        return self.with_asked(manifest, order.wanted["asked"])

    def with_asked(self, manifest: Manifest, asked: Mapping[str, Any]) -> Manifest:
        """The object with what was typed."""
        made = copy.deepcopy(manifest)
        by_name = {one["name"]: one for _, one in containers(made)}
        for key, each in asked.items():
            name, _, container = key.partition(".")
            self.put(by_name[container], name, each)
        return made

    async def fields_of(
        self, transport: Transport, target: Target, manifest: Manifest, objects: Objects
    ) -> Sequence[Field]:
        return [
            self.field(path, container, name)
            for path, container in containers(manifest)
            for name in self.inputs
        ]

    def field(self, path: str, container: Manifest, name: str) -> Field:
        """The input of a container: alone it is called like that, several stand below its name."""
        role = (
            ""
            if "/containers/" in path
            else ", sidecar"
            if "restartPolicy" in container
            else ", init container"
        )
        titled = f"{container['name']}{role}"
        alone = len(self.inputs) == 1
        return Field(
            name=f"{name}.{container['name']}",
            label=titled if alone else self.inputs[name],
            group="" if alone else titled,
            input=self.input,
            required=False,
            based=True,
            value=lambda _: self.value(container, name),
        )


def changed_containers(dry: DryRun) -> Iterator[tuple[Manifest, Manifest]]:
    """The containers that differ, as they were and as they become."""
    before = dict(containers(dry.before))
    for path, one in containers(dry.after):
        if path in before and before[path] != one:
            yield before[path], one


def containers(manifest: Manifest) -> Iterator[tuple[str, Manifest]]:
    """Each container of the pod template with its path, then each init container."""
    for kind in ("containers", "initContainers"):
        found = value_at(manifest, f"{SPEC}/{kind}")
        for one in found if isinstance(found, list) else ():
            yield f"{SPEC}/{kind}/[name={one['name']}]", one
