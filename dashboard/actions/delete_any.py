"""Deleting an object of any kind but a pod, with what goes with it; and creating it again to undo that."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from dashboard.errors import Conflict
from dashboard.insight import Notice, Objects
from dashboard.insight.removal import Dependents, Removal, claims_owned, removal_impact
from dashboard.kinds import KINDS
from dashboard.kinds.base import GVR, Kind
from dashboard.kinds.catalogue import DEFINITIONS
from dashboard.kinds.deletion import deletion_waits
from dashboard.kinds.rows import listed
from dashboard.kube.hiding import hide_values
from dashboard.kube.shell import piped
from dashboard.models import Change
from dashboard.queries.dependents import defined_by, inside, owned_by
from dashboard.queries.objects import shown as showable
from dashboard.queries.relations import related
from dashboard.queries.seenreader import SeenReader

from .action import (
    EVERYWHERE_USED,
    Action,
    Description,
    DryRun,
    Field,
    Manifest,
    Order,
    OwnedFields,
    Progress,
    Wanted,
    Write,
    is_absent,
    sides,
)
from .configmap_versions import versions_kept
from .delete import DELETED
from .fields import one_of
from .owners import with_owners
from .recreation import (
    deletes_claims,
    holds_more,
    is_recreatable,
    recreated,
    recreation_flaw,
    without_addresses,
)
from .scaling_bounds import CLAIMS, claims_decided, with_autoscaling

NO_WAY_BACK = "no_way_back"  # in a change's result: why it can't be undone
CHOICES = (
    ("Background", "Background: what it owns is deleted after it"),
    ("Foreground", "Foreground: what it owns is deleted first"),
    ("Orphan", "Orphan: what it owns stays"),
)
_CASCADE = {"Background": "background", "Foreground": "foreground", "Orphan": "orphan"}


class DeleteAny(Action):
    """Deletes the object. ``wanted``: ``propagation``, then ``claims``: the names of those that go with it; of an undo
    ``manifest``, the object to create again.
    """

    name, title, icon = "delete", "Delete", "x"
    verb = "delete"
    part = "delete"
    deletes = True
    tries_back = False  # it can't be created as long as it is there
    confirms_by_wanted = True
    reads = EVERYWHERE_USED
    fields: Sequence[Field] = (
        Field(
            name="propagation",
            label="What it owns",
            parse=one_of("propagation", CHOICES),
            required=False,
            choices=CHOICES,
            value=lambda _: "Background",
        ),
    )

    def __init__(self, wanted: Wanted | None = None) -> None:
        self.wanted = wanted or {}

    def fits(self, kind: Kind[Any]) -> bool:
        return kind.plural != "pods"

    def besides(self, kind: Kind[Any]) -> Sequence[tuple[str, GVR, str]]:
        """Its undo creates it again."""
        return (("create", kind.gvr, ""),) if is_recreatable(kind.gvr.group, kind.kind) else ()

    def confirmed(self, manifest: Manifest) -> bool:
        """Nothing recreates it, or not what is lost with it, and it can't be undone."""
        owners = manifest["metadata"].get("ownerReferences") or ()
        if any(owner.get("controller") for owner in owners):
            return bool(self._loss(manifest))
        return bool(self.flaw(manifest))

    def flaw(self, manifest: Manifest) -> str:
        """Why it can't be created again, as a sentence; "" where it can."""
        return self._loss(manifest) or recreation_flaw(manifest, self._propagation)

    def _loss(self, manifest: Manifest) -> str:
        """The same for what its controller can't make again either."""
        if claims := self.wanted.get("claims"):
            one = len(claims) == 1
            verb, new = ("is", "a new one doesn't") if one else ("are", "new ones don't")
            return f"{'Claim' if one else 'Claims'} {listed(claims)} {verb} deleted with it, and {new} have the data."
        if not holds_more(manifest) or (self._propagation == "Orphan" and deletes_claims(manifest)):
            return ""
        return recreation_flaw({**manifest, "metadata": {**manifest["metadata"], "ownerReferences": []}})

    @property
    def _propagation(self) -> str:
        return str(self.wanted.get("propagation", "Background"))

    async def decide(self, order: Order, manifest: Manifest, objects: Objects) -> Wanted:
        """Which claims go with it: their data can't be brought back."""
        if self._propagation == "Orphan":
            return {}
        claims = claims_owned(objects, manifest["metadata"]["uid"], order.target.namespace)
        return {"claims": claims} if claims else {}

    def on(self, wanted: Wanted) -> Action:
        return Recreate(wanted) if "manifest" in wanted else type(self)(wanted)

    def touched(self, manifest: Manifest) -> OwnedFields:
        return {DELETED: is_absent(manifest) or bool(manifest["metadata"].get("deletionTimestamp"))}

    def write(self, manifest: Manifest, wanted: Wanted) -> Write:
        options = {
            "apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": wanted["propagation"],
        }  # fmt: skip
        return Write(method="DELETE", content_type="application/json", subresource="", body=options)

    def after(self, manifest: Manifest, answer: Manifest) -> Manifest:
        """The object on its way out: the API server answers with it, or says that it is gone."""
        made = copy.deepcopy(manifest)
        made["metadata"].setdefault("deletionTimestamp", "when it is applied")
        return made

    def shown(self, before: Manifest, after: Manifest) -> tuple[Manifest, Manifest]:
        return showable(before), showable(after)

    def scrub(self, error: Any, manifest: Manifest, wanted: Wanted) -> None:
        if manifest.get("kind") == "Secret":
            hide_values(error, (manifest.get("data") or {}).values())

    def words(self, touched: OwnedFields) -> str:
        return "deleted" if touched[DELETED] else "there"

    def describe(self, dry: DryRun) -> Description:
        flaw, propagation = self.flaw(dry.before), dry.wanted["propagation"]
        undo = (
            f"It can't be undone: {flaw[:1].lower()}{flaw[1:]}"
            if flaw
            else "Undo creates it again, as it is now."
        )
        return Description(
            headline=None,
            effects=(),
            notices=(),
            kubectl=dry.target.kubectl("delete", *_cascade(propagation)),
            undo_words=undo,
            button=f"Delete {dry.target.name}",
            danger=bool(flaw),
        )

    async def ask(self, order: Order, told: Description, dry: DryRun) -> Description:
        """What goes with it, what uses it and what is lost."""
        target, manifest, objects = dry.target, dry.before, dry.objects
        seen = objects if isinstance(objects, SeenReader) else None
        kinds: Mapping[str, Kind[Any]] = KINDS if seen is None else seen.kinds
        used_by = {}
        if seen is not None and (typed := seen.get(target.plural, target.namespace, target.name)) is not None:
            used_by = related(seen, target.plural, typed).used_by
        removal = Removal(
            plural=target.plural,
            manifest=manifest,
            propagation=order.wanted["propagation"],
            objects=objects,
            depends=await _depends(order, manifest, objects, kinds),
            used_by=used_by,
        )
        impact = removal_impact(removal)
        return dataclasses.replace(
            told,
            headline=impact.headline,
            effects=impact.effects,
            notices=(*told.notices, *impact.notices),
            danger=told.danger or impact.danger,
        )

    def back(self, before: Manifest) -> Wanted | None:
        return None if is_absent(before) or self.flaw(before) else {"manifest": recreated(before)}

    def remember(self, before: Manifest, after: Manifest) -> dict[str, Any]:
        flaw = self.flaw(before)
        return {NO_WAY_BACK: flaw} if flaw else {}

    def summary(self, change: Change) -> str:
        return f"{'Recreated' if _recreated(change) else 'Deleted'} the {change.kind}"

    def way_back(self, change: Change) -> str:
        if _recreated(change):
            return "It was created again: to undo that, delete it."
        if flaw := change.result.get(NO_WAY_BACK):
            return f"It can't be undone: {flaw[:1].lower()}{flaw[1:]}"
        return "Undo creates it again as it was. It gets another uid; its controller recreates what it owned."

    def follow(self, change: Change, objects: Objects, now: datetime) -> Progress:
        found = objects.get(change.plural, change.namespace, change.name)
        if _recreated(change):
            return super().follow(change, objects, now)
        if found is None or found.metadata.uid != change.uid:
            text = "" if found is None else "Another one with its name is there."
            headline = f"{change.name} is gone"
            return Progress(state="done", headline=headline, text=text, percent=100, done=True)
        if found.metadata.deletion_timestamp is None:
            text = "The API server has taken the request; it shows in a moment."
            headline = f"{change.name} is about to be deleted"
            return Progress(state="info", headline=headline, text=text, percent=0)
        text = deletion_waits(found.metadata.finalizers)
        if change.plural == "namespaces":
            text = "What is in it is deleted first."
        return Progress(state="info", headline=f"{change.name} is being deleted", text=text, percent=50)

    def progress(self, change: Change, found: Any, objects: Objects, now: datetime) -> Progress:
        made = super().progress(change, found, objects, now)
        return (
            made
            if made.percent is not None
            else dataclasses.replace(made, headline=f"{change.name} is there again")
        )


class Recreate(DeleteAny):
    """Creates a deleted object again."""

    verb = "create"
    deletes = False
    creates = True
    fields = ()

    def on(self, wanted: Wanted) -> Action:
        return Recreate(wanted)

    def confirmed(self, manifest: Manifest) -> bool:
        return CLAIMS in self.wanted

    def check(self, manifest: Manifest, wanted: Wanted) -> None:
        if not is_absent(manifest):
            name = f"{manifest['kind']} {manifest['metadata']['name']}"
            raise Conflict(f"There is a {name} again.", next_step="Look at it: undo would not change it.")

    async def decide(self, order: Order, manifest: Manifest, objects: Objects) -> Wanted:
        """Whether its old addresses are free. A dry run does not tell: it allocates none."""
        made = self.wanted["manifest"]
        if order.target.plural != "services" or _addresses_free(made, objects):
            return claims_decided(objects, order.target.plural, made)
        return {"new_addresses": True}

    def write(self, manifest: Manifest, wanted: Wanted) -> Write:
        body = wanted["manifest"]
        if wanted.get("new_addresses"):
            body = without_addresses(body)
        return Write(method="POST", content_type="application/json", subresource="", body=body)

    def after(self, manifest: Manifest, answer: Manifest) -> Manifest:
        return answer

    def describe(self, dry: DryRun) -> Description:
        notices = []
        if dry.wanted.get("new_addresses"):
            text = "Its cluster IP or node ports are in use, or may be, so it gets new ones."
            notices.append(Notice("warn", "It gets other addresses", text))
        target = dry.target
        return Description(
            headline=None,
            effects=(),
            notices=tuple(notices),
            kubectl=piped(self.write(dry.before, dry.wanted).body, ["kubectl", "create", "-f", "-"]),
            undo_words="To undo this, delete it again.",
            button=f"Create {target.name} again",
            danger=False,
        )

    async def ask(self, order: Order, told: Description, dry: DryRun) -> Description:
        return await with_owners(order, await with_autoscaling(order, told, dry), dry)

    def back(self, before: Manifest) -> Wanted | None:
        return None

    def remember(self, before: Manifest, after: Manifest) -> dict[str, Any]:
        return {}

    async def keep(self, change: Change, before: Manifest | None, after: Manifest) -> None:
        """A ConfigMap's first version: it is another object."""
        await versions_kept(change, None, after)


def _recreated(change: Change) -> bool:
    """Whether it undid a deletion, rather than being one."""
    return not sides(change)[1][DELETED]


async def _depends(
    order: Order, manifest: Manifest, objects: Objects, kinds: Mapping[str, Kind[Any]]
) -> Dependents:
    target = order.target
    if target.plural == "namespaces":
        return await inside(transport=order.transport, kinds=kinds, namespace=target.name)
    if target.gvr.plural == DEFINITIONS.gvr.plural and target.gvr.group == DEFINITIONS.gvr.group:
        return await defined_by(transport=order.transport, manifest=manifest)
    return await owned_by(
        transport=order.transport, kinds=kinds, objects=objects, uid=manifest["metadata"]["uid"],
        namespace=target.namespace,
    )  # fmt: skip


def _addresses_free(manifest: Manifest, objects: Objects) -> bool:
    """Whether no Service has the cluster IP or a node port of this one; not, where not every Service can be seen."""
    spec = manifest["spec"]
    ips = set(spec.get("clusterIPs") or ()) - {"None"}
    ports = {port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort")}
    if not objects.reads("services"):
        return not (ips or ports)
    return not any(
        bool(ips & {*(one.spec.cluster_ips or ())})
        or any(port.node_port in ports for port in one.spec.ports or ())
        for one in objects.all("services")
    )


def _cascade(propagation: str) -> list[str]:
    return [] if propagation == "Background" else [f"--cascade={_CASCADE[propagation]}"]


DELETE_ANY = DeleteAny()
