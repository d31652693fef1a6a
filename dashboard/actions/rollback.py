"""Rolling a workload back to an earlier revision of its pod template, as ``kubectl rollout undo`` does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dashboard.database import in_database
from dashboard.errors import BadInput, ClusterError, Invalid
from dashboard.insight import Impact, Objects, template_impact
from dashboard.insight.newpods import NewPods, pods_created
from dashboard.kinds.base import GVR, Kind
from dashboard.kinds.images import short_image
from dashboard.kinds.rows import listed, plural
from dashboard.kube.transport import Transport
from dashboard.models import Change

from .action import Choice, DryRun, Field, Manifest, Order, Target, Wanted, pointer
from .changedfields import with_values
from .diff import Line, diff_lines
from .problems import not_paused
from .revision_makers import Maker, revision_makers
from .revisions import (
    CHANGE_CAUSE,
    Revision,
    current_revision,
    pods_note,
    pods_of,
    revisions_kept_in,
    revisions_of,
)
from .templates import TemplateAction


class Rollback(TemplateAction):
    """``wanted``: ``revision``, None for the one before the current one; then ``to``: its number, and ``name``."""

    name, title, icon = "rollback", "Roll back", "undo"
    part = "operate"
    said = ("rollout undo", "rollout history")
    template = "forms/rollback.html"
    typed = True
    undoes = "Undo puts the present pod template back."

    def besides(self, kind: Kind[Any]) -> Sequence[tuple[str, GVR, str]]:
        return (("list", revisions_kept_in(kind.plural), ""),)

    def read(self, typed: Mapping[str, str]) -> Wanted:
        return {"revision": _number(typed.get("revision", ""), "revision")}

    def check(self, manifest: Manifest, wanted: Wanted) -> None:
        not_paused(manifest, ", and can't be rolled back.")

    async def ready(self, target: Target, manifest: Manifest, objects: Objects) -> None:
        self.check(manifest, {})

    async def fields_of(
        self, transport: Transport, target: Target, manifest: Manifest, objects: Objects
    ) -> Sequence[Field]:
        found = await revisions_of(transport, target, manifest)
        now = current_revision(found, manifest)
        earlier = _earlier(target, found, now)
        makers = await in_database(revision_makers)(target, manifest, found, now)
        uid, most = manifest["metadata"]["uid"], pointer(manifest, "/spec/revisionHistoryLimit")
        limit = (
            "" if most is None else f"{plural(most, 'old revision')} at most are kept (revisionHistoryLimit)."
        )
        return (
            Field(
                name="revision",
                label="Revision",
                value=lambda _: str(earlier.number),
                hint=lambda *_: limit,
                rows=[
                    _choice(objects, target, uid, one, makers.get(one.number), current=one is now)
                    for one in found
                ],
            ),
        )

    async def decide(self, order: Order, manifest: Manifest, objects: Objects) -> Wanted:
        if "restore" in order.wanted:
            return await self._named(order, manifest)
        found = await revisions_of(order.transport, order.target, manifest)
        now = current_revision(found, manifest)
        number = order.wanted["revision"]
        chosen = _numbered(order.target, found, number) if number else _earlier(order.target, found, now)
        if chosen is now:
            raise Invalid(
                f"The pod template of {order.target} already matches revision {chosen.number}.",
                next_step="Choose another revision.",
            )
        # The whole template is its own: what somebody else changes of it meanwhile is a conflict.
        wanted: Wanted = {"restore": [["/spec/template", chosen.template]], "drop": []}
        if order.target.plural == "deployments":
            cause = "/metadata/annotations/" + CHANGE_CAUSE.replace("/", "~1")
            if chosen.cause:
                wanted["restore"].append([cause, chosen.cause])
            elif pointer(manifest, cause):
                wanted["drop"].append(cause)
        return wanted | {"to": chosen.number, "name": chosen.name}

    async def _named(self, order: Order, manifest: Manifest) -> Wanted:
        """The revision that an undo goes back to, where it is kept and may be read."""
        try:
            found = await revisions_of(order.transport, order.target, manifest)
        except ClusterError:
            return {}
        back = current_revision(found, with_values(manifest, self.values))
        return {} if back is None else {"to": back.number, "name": back.name}

    # ---- What is said of it

    def impact(self, dry: DryRun) -> Impact:
        return template_impact(dry.objects, dry.obj, dry.made, dry.now, stays=_staying(dry))

    def new_pods(self, dry: DryRun) -> Iterable[NewPods]:
        return pods_created(
            dry.objects, dry.obj, dry.made, templated=True, stays=_staying(dry), revised=False
        )

    def kubectl(self, dry: DryRun) -> str:
        number = dry.wanted.get("to")
        return dry.target.kubectl("rollout undo", f"--to-revision={number}") if number else ""

    def button(self, target: Target) -> str:
        return f"Roll back {target.name}"

    def remember(self, before: Manifest, after: Manifest) -> dict[str, Any]:
        return {**super().remember(before, after), "revision": self.wanted.get("to")}

    def summary(self, change: Change) -> str:
        number = change.result.get("revision")
        return f"rolled back to revision {number}" if number else "rolled back to an earlier pod template"


def _staying(dry: DryRun) -> list[str]:
    """The names of the pods that were created from the revision to which it goes back."""
    uid, name = dry.before["metadata"]["uid"], dry.wanted.get("name")
    return [pod.metadata.name for pod in pods_of(dry.objects, dry.target, uid, name)] if name else []


def _earlier(target: Target, found: Sequence[Revision], now: Revision | None) -> Revision:
    """The newest one but the current one, which kubectl takes when it is given none."""
    others = [one for one in found if one is not now]
    if not others:
        raise Invalid(
            f"{target} has no earlier revision to roll back to.",
            next_step="Revisions are kept from its first change on, and none where its revisionHistoryLimit is 0.",
        )
    return others[0]


def _numbered(target: Target, found: Sequence[Revision], number: int, field: str = "revision") -> Revision:
    for one in found:
        if one.number == number:
            return one
    kept = listed(str(one.number) for one in found)
    kept = f": only {kept} is kept" if len(found) == 1 else f": {kept} are kept" if found else ""
    raise BadInput(f"{target} has no revision {number}{kept}.", field=field)


def _choice(
    objects: Objects, target: Target, uid: str, one: Revision, maker: Maker | None, *, current: bool
) -> Choice:
    made = maker.change if maker is not None else None
    at = made.created_at.isoformat() if made is not None else one.created
    note, state = pods_note(pods_of(objects, target, uid, one.name))
    return Choice(
        value=str(one.number),
        title=f"Revision {one.number}",
        tag="Current" if current else "",
        code=", ".join(map(short_image, one.images)),
        at=at,
        text=one.cause or (made.reason if made is not None else "") or "no change cause",
        by=maker.words if maker is not None else "",
        change=made.pk if made is not None else None,
        note=note,
        state=state,
        disabled=current,
    )


# ---- Comparing two


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The pod templates of two revisions, compared: the lines that differ, none where they are alike."""

    old: int
    new: int
    lines: tuple[Line, ...]


def revisions_compared(
    target: Target, found: Sequence[Revision], now: Revision | None, old: str, new: str
) -> Comparison:
    """What was typed for both ("": the current one, and the one that a rollback would take). Raises BadInput, in words,
    with the field (``from`` or ``to``), for what is no revision that is kept; Invalid where there are not two.
    """
    first = _asked(target, found, old, "from") if old else now or found[0]
    second = _asked(target, found, new, "to") if new else _earlier(target, found, first)
    return Comparison(old=first.number, new=second.number, lines=diff_lines(first.template, second.template))


def _asked(target: Target, found: Sequence[Revision], text: str, field: str) -> Revision:
    return _numbered(target, found, _number(text, field) or 0, field)


def _number(text: str, field: str) -> int | None:
    text = text.strip()
    if text and not (text.isascii() and text.isdigit() and len(text) < 20):
        raise BadInput(f"“{text[:20]}” is not a revision: enter its number.", field=field)
    return int(text or 0) or None


ROLLBACK = Rollback()
