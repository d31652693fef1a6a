"""One object of a backup and the cluster: what would be done with it, tried by a dry run, and doing it.

Whatever is written was looked at just before: what is there already as it was in the backup is not written again, so a
second run, and a run after one that was killed, changes nothing that is done. Values of Secrets are compared here, and
are in no text and no error.
"""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import msgspec
from django.utils.crypto import salted_hmac

from dashboard.errors import BadInput, ClusterError, Conflict, Forbidden, Invalid, NotFound
from dashboard.kinds.base import GVR
from dashboard.kinds.catalogue import BUILT_IN, DEFINITIONS
from dashboard.kinds.references import manifest_meant, title
from dashboard.kinds.rows import listed
from dashboard.kube.answers import read_object
from dashboard.kube.hiding import hider
from dashboard.kube.transport import Response, Transport
from dashboard.kube.warnings import warnings_of
from dashboard.loop import off_loop

from .choice import Choice
from .cleaning import MISSHAPEN, Manifest, cleaned, given_up
from .comparing import comparable, same, updated
from .holding import Held
from .mapping import mapped, mentions
from .needed import needed

MANAGER = "cluster-ui"
CONFLICTS = 5  # so often an object that others write is planned anew
# Which restore made a namespace for itself alone: what may be removed afterwards.
DRILL_LABEL = "cluster-ui.dev/drill"

At = tuple[str, str, str, str]  # group, plural, namespace and name of an object
Does = Literal["create", "update", "same", "leave", "refused", "skipped", "tried"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Where an object is written: what it is called there."""

    gvr: GVR
    kind: str
    namespace: str
    name: str

    @property
    def at(self) -> At:
        return self.gvr.group, self.gvr.plural, self.namespace, self.name

    @property
    def where(self) -> str:
        return f"{self.kind} {'/'.join(filter(None, (self.namespace, self.name)))}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What is done with an object, and why (``notes``, sentences). ``live`` is what is there, ``made`` what is sent.
    ``tried``: the API server took a dry run of it; one in a namespace that does not exist yet can't be tried.
    ``breaks``: whose new pods do not start with it. ``loses``: as it scales down, claims are deleted. ``cuts``:
    requests are answered no more. ``warnings`` are the API server's, of the dry run. ``lacks``: owners that it is to have
    and does not name; ``awaits``: those that come with it and are not there yet.
    """

    key: str
    placed: Placed
    does: Does
    notes: tuple[str, ...] = ()
    tried: bool = False
    secret: bool = False
    breaks: tuple[str, ...] = ()
    loses: bool = False
    cuts: bool = False
    warnings: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    awaits: tuple[str, ...] = ()
    live: Manifest | None = field(default=None, repr=False)
    made: Manifest | None = field(default=None, repr=False)

    @property
    def text(self) -> str:
        owners = (f"{each} becomes its owner once it is restored." for each in self.awaits)
        warned = (f"The API server warns: {each}" for each in self.warnings)
        return " ".join([*self.notes, *owners, *warned])

    @property
    def writes(self) -> bool:
        return self.does in ("create", "update")

    @property
    def uid(self) -> str:
        return str(self.live["metadata"].get("uid", "")) if self.live else ""

    @property
    def effect(self) -> str:
        """Equal for the same thing done to an object that is as it was. It is kept with the restore, and keyed: of a
        Secret it would tell whoever reads the database whether a guess of its values is right.
        """
        was = comparable(self.placed.gvr.group, self.placed.gvr.plural, self.live) if self.live else None
        told = [self.key, self.placed.where, self.does, self.uid if self.writes else "", was]
        text = msgspec.json.encode(told, order="sorted")
        return salted_hmac("dashboard.recovery.restoring", text, algorithm="sha256").hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Restoring:
    """What all objects of one restore have in common. ``coming`` are the namespaces that it creates, ``defined`` the
    resources (plural, group) whose definition it writes: what needs them can't be tried before they are there.
    ``brought`` are all objects that it writes.
    """

    transport: Transport
    choice: Choice
    plurals: Mapping[tuple[str, str], GVR]
    coming: Collection[str] = frozenset()
    defined: Collection[tuple[str, str]] = frozenset()
    brought: Collection[At] = frozenset()
    scratch: bool = False  # a drill: into namespaces of its own, without anything that runs
    _missing: dict[At, bool] = field(default_factory=dict, repr=False)  # asked once

    def placed(self, held: Held) -> Placed:
        """Where an object goes."""
        into = self.choice.into
        is_namespace = (held.group, held.plural) == ("", "namespaces")
        return Placed(
            gvr=held.gvr,
            kind=held.kind,
            namespace=into(held.namespace) if held.namespace else "",
            name=into(held.name) if is_namespace else held.name,
        )

    def writes(self, held: Held) -> bool:
        """Whether a restore leaves it behind at all: a drill only tries some."""
        kind = held.group, held.plural
        return not (self.scratch and (left_out_of_drills(*kind) or only_tried(*kind)))

    def wanted(self, held: Held) -> Manifest:
        """What is to be written of it: a manifest without uids of owners."""
        made = cleaned(held.group, held.plural, held.body)
        made = mapped(held.group, held.plural, made, self.choice.maps)
        return idle(held.group, held.plural, made) if self.scratch else made

    # ---- Planning

    async def plan(self, held: Held, *, dry: bool = True, owners: bool = True) -> Planned:
        """What would be done with it. ``dry``: with a dry run of what is written. ``owners``: an owner that it lacks is a
        difference; not for what this restore wrote itself, which gets those that came later at the end (``own``).

        Raises Unavailable and TooManyRequests; every other refusal is the object's own state.
        """
        base = Planned(key=held.key, placed=self.placed(held), does="skipped", secret=held.is_secret)
        skipped = held.skipped or (left_out_of_drills(held.group, held.plural) if self.scratch else "")
        if skipped:
            return replace(base, notes=(skipped,))
        try:
            return await self._planned_anew(base, held, dry, owners)
        except (Forbidden, Invalid, BadInput, NotFound, Conflict) as error:
            return replace(base, does="refused", notes=(_refusal(error, held),))
        except MISSHAPEN:
            return replace(base, does="refused", notes=("Its fields are not those of its kind.",))

    async def _planned_anew(self, base: Planned, held: Held, dry: bool, owners: bool) -> Planned:
        """From the object as it is after a conflict: controllers write the status of a busy one all the time."""
        for _ in range(CONFLICTS):
            try:
                return await self._planned(base, held, dry, owners)
            except Conflict:
                continue
        return await self._planned(base, held, dry, owners)

    async def _planned(self, base: Planned, held: Held, dry: bool, owners: bool) -> Planned:
        placed, wanted = base.placed, self.wanted(held)
        live = await self._live(placed)
        if live is None:
            return await self._creation(base, held, wanted, dry)
        if live["metadata"].get("deletionTimestamp"):
            return replace(
                base, does="refused", live=live, notes=("It is being deleted: wait until it is gone.",)
            )
        lacking = await self._lacking(placed, wanted, live) if owners else Owners()
        alike, names = same(held.group, held.plural, live, wanted), lacking.names
        if alike and not names:
            return replace(base, does="same", live=live, tried=True)
        made = lacking.named_by(updated(held.group, held.plural, live, wanted))
        base = replace(base, live=live, made=made, lacks=tuple(names))
        differs = f"It exists and differs{f' only in its owner, {listed(names)}' if alike else ''}"
        match self.choice.conflict_of(held.key):
            case "leave":
                return replace(base, does="leave", notes=(f"{differs}: it is left as it is.",))
            case "refuse":
                return replace(base, does="refused", notes=(f"{differs}.",))
        base = replace(base, does="update", notes=tuple(lacking.owns), awaits=tuple(lacking.coming))
        return await _tried(base, await self._send(base, dry=True)) if dry else base

    async def _creation(self, base: Planned, held: Held, wanted: Manifest, dry: bool) -> Planned:
        owners = await self._owners(base.placed, wanted)
        notes = [*owners.misses, *self._said(held, wanted)]
        if not self.scratch:
            notes += [note async for note in self._without(held, wanted)]
        made = owners.named_by(wanted)
        base = replace(base, does="create", notes=tuple(notes), made=made, awaits=tuple(owners.coming))
        if self.scratch and only_tried(held.group, held.plural):
            return replace(
                await _tried(*await self._first_taken(base, dry=True)), does="tried", notes=(ONLY_TRIED,)
            )
        if not dry or base.placed.namespace in self.coming or (held.plural, held.group) in self.defined:
            return base
        return await _tried(*await self._first_taken(base, dry=True))

    def _said(self, held: Held, wanted: Manifest) -> list[str]:
        """What somebody should know of an object that is created."""
        notes = []
        if (held.group, held.plural) == ("", "persistentvolumeclaims"):
            notes.append("A new, empty volume is provisioned: backups contain no volume data.")
        if (held.group, held.plural) == ("", "secrets") and "data" not in wanted:
            notes.append("The cluster fills in a new token.")
        if named := mentions(wanted, self.choice.maps) if not held.is_secret else []:
            notes.append(f"Texts in it still name {', '.join(named)}: they are not changed.")
        return notes

    async def _without(self, held: Held, wanted: Manifest) -> AsyncIterator[str]:
        """What it names of the whole cluster and is not there, nor comes with it; where that may be read."""
        for each in needed(held.plural, wanted):
            at = Placed(gvr=each.gvr, kind=each.kind, namespace="", name=each.name)
            if at.at not in self._missing:
                try:
                    self._missing[at.at] = at.at not in self.brought and await self._live(at) is None
                except Forbidden:
                    self._missing[at.at] = False
            if self._missing[at.at]:
                yield f"{each.kind} {each.name} does not exist: {each.then} until it does."

    async def _owners(self, placed: Placed, wanted: Manifest) -> Owners:
        """Who owns it, looked up by name: the uids of the backup are of objects that are gone."""
        found = Owners()
        for owner in wanted["metadata"].get("ownerReferences") or ():
            group = str(owner.get("apiVersion", "")).rpartition("/")[0]
            gvr = self.plurals.get((group, str(owner.get("kind"))))
            name = title(manifest_meant(owner, placed.namespace))
            live = at = None
            if gvr is not None:
                home = placed.namespace if gvr.namespaced else ""
                at = Placed(gvr=gvr, kind="", namespace=home, name=owner["name"])
                live = await self._live(at)
            if live is not None:
                found.there[name] = {**owner, "uid": live["metadata"]["uid"]}
            else:
                (found.coming if at is not None and at.at in self.brought else found.gone).append(name)
        return found

    async def _lacking(self, placed: Placed, wanted: Manifest, live: Manifest) -> Owners:
        """Of its owners those that an object that is there does not name; none where they may not be read."""
        try:
            found = await self._owners(placed, wanted)
        except Forbidden:
            return Owners()
        uids = {each.get("uid") for each in live["metadata"].get("ownerReferences") or ()}
        there = {name: owner for name, owner in found.there.items() if owner["uid"] not in uids}
        return replace(found, there=there)

    # ---- Writing

    async def write(self, planned: Planned, held: Held) -> tuple[Planned, Manifest]:
        """Writes what was planned without a dry run, and gives the object as it is then. Raises a ClusterError."""
        if planned.does == "update":
            return planned, read_object((await self._send(planned, dry=False)).body)
        tried, response = await self._first_taken(planned, dry=False)
        return tried, read_object(response.body)

    async def _first_taken(self, planned: Planned, *, dry: bool) -> tuple[Planned, Response]:
        """Creates an object; a Service without those of its addresses that the API server refuses."""
        while True:
            try:
                return planned, await self._send(planned, dry=dry)
            except Invalid as error:
                if (planned.placed.gvr.group, planned.placed.gvr.plural) != ("", "services"):
                    raise
                made, notes = given_up(planned.made or {}, error.causes)
                if not notes:
                    raise
                planned = replace(planned, made=made, notes=(*planned.notes, *notes))

    async def own(self, held: Held, uid: str) -> str:
        """Names, on an object that this restore wrote (``uid``), the owners that came after it; what became of that, in
        sentences. Raises a ClusterError.
        """
        placed, wanted = self.placed(held), self.wanted(held)
        for left in reversed(range(CONFLICTS + 1)):
            live = await self._live(placed)
            if live is None or live["metadata"].get("uid") != uid:
                return ""  # whatever has its name now is another one
            lacking = await self._lacking(placed, wanted, live)
            made = lacking.named_by(live)
            plan = Planned(key=held.key, placed=placed, does="update", live=live, made=made)
            try:
                if made is not live:
                    await self._send(plan, dry=False)
            except Conflict:
                if not left:
                    raise
                continue
            break
        return " ".join([*lacking.owns, *lacking.misses])

    async def _live(self, placed: Placed) -> Manifest | None:
        try:
            response = await self.transport.request(
                "GET", placed.gvr, namespace=placed.namespace or None, name=placed.name
            )
        except NotFound:
            return None
        return read_object(response.body)

    async def _send(self, planned: Planned, *, dry: bool) -> Response:
        placed, updates = planned.placed, planned.live is not None
        return await self.transport.request(
            "PUT" if updates else "POST",
            placed.gvr,
            namespace=placed.namespace or None,
            name=placed.name if updates else None,
            query={"fieldManager": MANAGER, **({"dryRun": "All"} if dry else {})},
            body=msgspec.json.encode(planned.made),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Owners:
    """Owners of an object, by name: references to those that are ``there``, those that are ``coming`` with it, and those
    that are ``gone``.
    """

    there: dict[str, Manifest] = field(default_factory=dict)
    coming: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """Of those that it can name, now or then."""
        return [*self.there, *self.coming]

    @property
    def owns(self) -> list[str]:
        return [f"{each} becomes its owner." for each in self.there]

    @property
    def misses(self) -> list[str]:
        return [f"{each}, which owned it, does not exist." for each in self.gone]

    def named_by(self, manifest: Manifest) -> Manifest:
        """The object with these owners besides what owns it by a uid: an owner that came back takes its own place."""
        was = manifest["metadata"].get("ownerReferences")
        back = {_named(each) for each in self.there.values()}
        kept = [each for each in was or () if "uid" in each and _named(each) not in back]
        if (references := [*kept, *self.there.values()]) == (was or []):
            return manifest
        meta = {key: value for key, value in manifest["metadata"].items() if key != "ownerReferences"}
        return {**manifest, "metadata": {**meta, **({"ownerReferences": references} if references else {})}}


def _named(reference: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(reference.get(key) for key in ("apiVersion", "kind", "name"))


async def _tried(planned: Planned, response: Response) -> Planned:
    """What the API server took, with its warnings."""
    read_object(response.body)
    warned = await off_loop(_warnings, planned, response.headers) if "Warning" in response.headers else ()
    return replace(planned, tried=True, warnings=warned)


def _warnings(planned: Planned, headers: Mapping[str, str]) -> tuple[str, ...]:
    """Of a Secret without values, old and new."""
    clean = hider(_values(planned)) if planned.secret else str
    return warnings_of(headers, lambda texts: [clean(text) for text in texts])


def _values(planned: Planned) -> list[str]:
    """In base64, as a Secret has them."""
    sides = (planned.live or {}, planned.made or {})
    return [value for side in sides for value in (side.get("data") or {}).values()]


def refusal_words(error: ClusterError, *, secret: bool) -> str:
    """What a cluster said against an object; of a Secret not its words, which may hold values."""
    if secret and isinstance(error, Invalid | Conflict):
        return f"The API server refuses this Secret: {error.title.lower()}."
    return f"{error.message} {error.next_step}".strip()


def _refusal(error: ClusterError, held: Held) -> str:
    if isinstance(error, NotFound):
        if held.namespace and error.message.startswith("namespaces "):
            return "Its namespace does not exist: restore it too, or create it before."
        then = (
            f" Its definition comes with it if you choose {DEFINITIONS.key}."
            if held.group not in BUILT_IN
            else ""
        )
        return f"The API server does not serve {held.kind} in {held.gvr.api_version}.{then}"
    return refusal_words(error, secret=held.is_secret)


# ---- A drill


def idle(group: str, plural: str, manifest: Manifest) -> Manifest:
    """The same without anything that runs or reaches outside: what a drill writes (docs/adr/0069)."""
    made = copy.deepcopy(manifest)
    spec = made.get("spec")
    if not isinstance(spec, dict):
        return made
    if (group, plural) in _REPLICATED:
        spec["replicas"] = 0
    elif (group, plural) == ("apps", "daemonsets"):
        selector = spec["template"]["spec"].setdefault("nodeSelector", {})
        selector[DRILL_LABEL] = "no-node"
    elif group == "batch" and plural in ("jobs", "cronjobs"):
        spec["suspend"] = True
    elif (group, plural) == ("", "services") and spec.get("type") in ("LoadBalancer", "NodePort"):
        spec["type"] = "ClusterIP"
        for key in _OUTSIDE:
            spec.pop(key, None)
        for port in spec.get("ports") or ():
            port.pop("nodePort", None)
    return made


_REPLICATED = frozenset(
    {
        ("apps", "deployments"),
        ("apps", "statefulsets"),
        ("apps", "replicasets"),
        ("", "replicationcontrollers"),
    }
)
_OUTSIDE = (
    "allocateLoadBalancerNodePorts", "externalTrafficPolicy", "healthCheckNodePort", "loadBalancerClass",
    "loadBalancerIP", "loadBalancerSourceRanges",
)  # fmt: skip


_CLAIMS_AND_MORE = frozenset({("", "persistentvolumeclaims"), ("networking.k8s.io", "ingresses")})
ONLY_TRIED = "Dry run only: a real one would get a volume, traffic, or whatever its operator does."


def only_tried(group: str, plural: str) -> bool:
    """Whether a drill only tries objects of a kind: claims get volumes, Ingresses traffic, and what operators make of a
    custom object nobody knows.
    """
    return (group, plural) in _CLAIMS_AND_MORE or group not in BUILT_IN


def left_out_of_drills(group: str, plural: str) -> str:
    """Why a drill does nothing with objects of a kind; "" for the others."""
    if (group, plural) == ("", "namespaces"):
        return "A drill has namespaces of its own."
    if (group, plural) == ("", "pods"):
        return "It would start running: a drill starts nothing."
    return ""


def counted(plans: Collection[Planned]) -> dict[Does, int]:
    """How many objects of each state."""
    found: dict[Does, int] = {}
    for each in plans:
        found[each.does] = found.get(each.does, 0) + 1
    return found
