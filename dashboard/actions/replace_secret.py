"""Replacing a Secret, an immutable one above all: another one is made with other values, and who names the old one is
pointed to it (docs/adr/0057). No value is shown, sent back or recorded.
"""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from dashboard.errors import BadInput, ClusterError, Invalid
from dashboard.insight.environment import variable_flaw
from dashboard.insight.references import READ_OF, REPOINTED, User
from dashboard.insight.secretrules import ACCOUNT_KIND, value_flaw
from dashboard.insight.secretuse import secret_consumers
from dashboard.kube.hiding import hide_values
from dashboard.models import Change

from .action import VALUES_STAY, Action, Description, DryRun, Manifest, Order, Target, Wanted
from .backups import METADATA_ONLY, mark
from .diff import Line, diff_lines
from .problems import StaleView
from .replace import PutBack, Replace
from .replace_editing import read_name
from .replacing import FOLLOWS
from .rotate import VALUE, read_values, room_required, service_accounts, without_values

HELD = "held"  # in what is wanted, as decided: a digest of what the old one holds


class ReplaceSecret(Replace):
    """``wanted``: ``name`` of the new one ("": the next free one) and ``values``: the keys that get a new one, as base64;
    the others keep theirs. Then what ``Replace`` decides.
    """

    kinds = frozenset({"secrets"})
    kind = "Secret"
    template = "forms/replace_secret.html"
    reads = Replace.reads - {"configmaps"} | {"ingresses", "secrets"}
    planned_from = READ_OF["Secret"]
    must_know = frozenset(REPOINTED)
    follows = FOLLOWS - {"configmaps"} | {"ingresses", "secrets"}
    body_bytes = 4 * 2**20  # values of 1 MiB together, of which every byte may take three
    accept = METADATA_ONLY
    confidential = True

    def applies(self, obj: Any) -> bool:
        return True  # what rules one out is said by the form

    def on(self, wanted: Wanted) -> Action:
        return PutSecretBack(wanted) if "back" in wanted else ReplaceSecret(wanted, self.tried)

    def read(self, typed: Mapping[str, str]) -> Wanted:
        """A value a key: ``value.<key>``, with ``encoding.<key>`` as a rotation has it; an empty one is none."""
        values = read_values(typed)
        if not values:
            raise BadInput("Enter a new value for at least one key.", field="value")
        return {"name": read_name(typed.get("new_name", "")), "values": values}

    async def ready(self, target: Target, manifest: Manifest, objects: Any) -> None:
        if manifest.get("type") == ACCOUNT_KIND:
            raise Invalid(
                f"Kubernetes issues the token in Secret {target.name} itself: no other one is accepted.",
                next_step="To revoke the old token, delete the Secret and create one with the same name and annotations.",
            )
        await super().ready(target, manifest, objects)

    def check(self, manifest: Manifest, wanted: Wanted) -> None:
        there, values = manifest.get("data") or {}, wanted.get("values", {})
        for key, value in values.items():
            if key not in there:
                name = manifest["metadata"]["name"]
                raise BadInput(f"Secret {name} has no key {key[:60]!r}.", field=f"{VALUE}{key}")
            if flaw := value_flaw(manifest.get("type", ""), key, base64.b64decode(value)):
                raise BadInput(flaw, field=f"{VALUE}{key}")
        if values:
            largest = max(values, key=lambda key: len(values[key]))
            room_required({**there, **values}, largest, f"{VALUE}{largest}")

    # ---- What it does

    async def decide(self, order: Order, manifest: Manifest, objects: Any) -> Wanted:
        """Besides a digest of what is copied: nobody's newer values may get lost."""
        held = {"uid": manifest["metadata"]["uid"], "mark": _mark(manifest)}
        return await super().decide(order, manifest, objects) | {HELD: held}

    async def supply(self, order: Order, manifest: Manifest, *, dry: bool) -> Wanted:
        held = order.wanted.get(HELD)
        same = (
            held is not None and held["uid"] == manifest["metadata"]["uid"]
        )  # another one is told of as such
        if held is not None and same and held["mark"] != _mark(manifest):
            message = f"{order.target} was given other values since the preview."
            raise StaleView(message, was="other values", now="those that it has now")
        return await super().supply(order, manifest, dry=dry)

    def content(self, manifest: Manifest, wanted: Wanted) -> Manifest:
        return {
            "type": manifest.get("type") or "Opaque",
            "data": {**(manifest.get("data") or {}), **wanted["values"]},
        }

    def after(self, manifest: Manifest, answer: Manifest) -> Manifest:
        return {**answer, "apiVersion": "v1", "kind": "Secret"}

    def scrub(self, error: ClusterError, manifest: Manifest, wanted: Wanted) -> None:
        hide_values(error, {*(manifest.get("data") or {}).values(), *wanted.get("values", {}).values()})

    async def keep(self, change: Change, before: Manifest | None, after: Manifest) -> None:
        """No version of a Secret is kept."""

    # ---- What is said of it

    def shown(self, before: Manifest, after: Manifest) -> tuple[Manifest, Manifest]:
        return without_values(before, after)

    def diff(self, before: Manifest, after: Manifest) -> tuple[Line, ...]:
        return diff_lines(before, after)

    def broken(self, dry: DryRun, moved: Sequence[User]) -> Mapping[User, str]:
        """A value that no variable can hold."""
        found: dict[User, str] = {}
        by_ref = {(user.ref.plural, user.ref.name): user for user in moved}
        for key, value in dry.wanted.get("values", {}).items():
            flaw = variable_flaw(base64.b64decode(value))
            if not flaw:
                continue
            for each in secret_consumers(dry.objects, dry.target.namespace, dry.target.name, key):
                user = by_ref.get((each.ref.plural, each.ref.name))
                if user is not None and each.variables:
                    found[user] = f"{key} {flaw}"
        return found

    def by_kubectl(self, dry: DryRun, moved: Sequence[User]) -> tuple[str, str]:
        return "", VALUES_STAY

    async def ask(self, order: Order, told: Description, dry: DryRun) -> Description:
        """Besides: the ServiceAccounts that name it, which go on with the old one."""
        told = await super().ask(order, told, dry)
        note = f"It goes on with {order.target.name}: name {self.made} in the ServiceAccount"
        accounts = await service_accounts(
            order.transport, order.target.namespace, order.target.name, note, "stays"
        )
        return dataclasses.replace(told, effects=(*told.effects, *accounts))


class PutSecretBack(PutBack, ReplaceSecret):
    """The undo."""

    def after(self, manifest: Manifest, answer: Manifest) -> Manifest:
        return {**manifest, **answer, "apiVersion": "v1", "kind": "Secret"}

    async def ask(self, order: Order, told: Description, dry: DryRun) -> Description:
        return await PutBack.ask(self, order, told, dry)


REPLACE_SECRET = ReplaceSecret()


def _mark(manifest: Manifest) -> str:
    return mark("", "", json.dumps(manifest.get("data") or {}, sort_keys=True).encode())
