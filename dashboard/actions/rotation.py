"""The restarts after a new value of a Secret, one after the other: a small state machine that the server drives.

A step is ``waiting``, then ``restarting``, then ``done`` or ``failed``; ``left`` is one that the user may not restart.
The moment of a restart is kept before it is sent and is what the annotation gets, so sending it again changes
nothing: neither a process that ends in the middle nor two that overlap restart anything twice. Two rotations of one
Secret never move at once: the later one waits for the earlier one's end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec
from asgiref.sync import sync_to_async
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from dashboard.errors import ClusterError, Conflict, NotFound, TooManyRequests, Unavailable
from dashboard.insight import Objects, Workload, workload_rollout
from dashboard.insight.secretuse import RESTARTABLE, secret_consumers
from dashboard.kinds import KINDS
from dashboard.kinds.rows import plural
from dashboard.kube.access import allowed
from dashboard.kube.transport import Transport
from dashboard.models import AuditEntry, Change, Rotation

from .action import pointer
from .engine import MANAGER
from .permits import changes_required
from .restarts import ANNOTATION, RESTARTED_AT

Step = dict[str, Any]

# How long a process holds a rotation without a word; it moves it on every second.
LEASE_SECONDS = 15.0
# A rollout that hangs may still come up by itself; one that was complete may break at once.
HANGS_SECONDS = 15.0
SETTLES_SECONDS = 5.0
# What following takes out of the cache.
FOLLOWED = frozenset({*RESTARTABLE, "replicasets", "pods"})
_ENDED = ("done", "failed", "left")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a look at a restarting workload says: go on waiting, or how it ended. ``wrong``: it hangs just now;
    ``good``: it is complete just now; ``missing``: it is not in view, which only the API server can explain.
    """

    state: Literal["restarting", "done", "failed"]
    text: str
    wrong: bool = False
    good: bool = False
    missing: bool = False


async def rotation_begin(*, change: Change, transport: Transport, objects: Objects) -> Rotation:
    """The rotation of a change that has written a value, made if there is none yet.

    What is restarted is what reads the key now and is told only by a restart. Taking a value back restarts only what
    had been restarted with it: the rest never saw it.
    """
    if (found := await sync_to_async(_rotation_of)(change)) is not None:
        return found
    key = key_of(change)
    stages = [
        each for each in secret_consumers(objects, change.namespace, change.name, key) if each.restartable
    ]
    await sync_to_async(_replace)(change)
    begun = await sync_to_async(lambda: restarted_with(change.undoes))()
    steps = [
        _step(ref.plural, ref.kind, ref.name)
        for ref in (each.ref for each in stages)
        if begun is None or (ref.plural, ref.name) in begun
    ]
    for step in steps:
        gvr = KINDS[step["plural"]].gvr
        right = await allowed(transport, "patch", gvr, namespace=change.namespace, name=step["name"])
        if not right.allowed:
            step["state"] = "left"
            step["text"] = (
                f"Your account may not patch {step['plural']}: it keeps the old value until it is restarted."
            )
    return await sync_to_async(_make)(change, steps)


async def rotation_advance(
    *, rotation: Rotation, holder: str, transport: Transport, objects: Objects, now: datetime
) -> None:
    """Moves a rotation on by one move, if there is one to make now. ``objects`` are of its cluster.

    Raises Lost when another process moves it, or somebody took the value back meanwhile; errors of the cluster that
    may pass are left for the next move.
    """
    step = next((step for step in rotation.steps if step["state"] not in _ENDED), None)
    if step is None:
        await _end(rotation, holder, Rotation.State.DONE)
        return
    if step["state"] == "waiting":
        step |= {"state": "restarting", "stamp": _iso(now), "began": _iso(now)}
        await _save(rotation, holder)
    if not step["generation"]:
        try:
            await changes_required(transport.cluster)
            step["generation"], step["uid"] = await _restart(rotation.change, step, transport)
        except (Conflict, Unavailable, TooManyRequests) as error:
            if step["text"] != error.message:
                step["text"] = error.message  # it is sent again with the next move
                await _save(rotation, holder)
            return
        except ClusterError as error:
            await _fail(rotation, step, holder, now, error.message)
            return
        step["text"] = ""
        await _save(rotation, holder)
        await sync_to_async(_audit)(rotation, "restart", step, AuditEntry.Result.DONE)
        return
    verdict = judge(step, objects, rotation.change.namespace, now)
    if verdict.missing:
        verdict = await _explain(verdict, rotation.change, step, transport)
    if verdict.state == "failed":
        await _fail(rotation, step, holder, now, verdict.text)
    elif verdict.state == "done":
        step |= {"state": "done", "text": verdict.text, "ended": _iso(now)}
        await _save(rotation, holder)
    elif _noted(step, verdict, now):
        await _save(rotation, holder)


def judge(step: Step, objects: Objects, namespace: str, now: datetime) -> Verdict:
    """How a restarting workload is, by its rollout and by how long that has been so."""
    found: Workload | None = objects.get(step["plural"], namespace, step["name"])
    if found is None or (step["uid"] and found.metadata.uid != step["uid"]):
        # A process that has just begun, or whose watch is late, has not seen it yet: that alone says nothing.
        return Verdict("restarting", "Its state is not known here at the moment.", missing=True)
    rollout = workload_rollout(objects, found, now, step["generation"])
    match rollout.state:
        case "failed":
            return Verdict("failed", f"{rollout.headline}: {rollout.text}")
        case "paused":
            return Verdict("failed", f"{rollout.headline}, so its pods keep the old value. {rollout.text}")
        case "stuck":
            over = _passed(step["wrong_since"], now) >= HANGS_SECONDS
            return Verdict("failed" if over else "restarting", rollout.text, wrong=True)
        case "done":
            if step["good_since"] and _passed(step["good_since"], now) >= SETTLES_SECONDS:
                return Verdict("done", rollout.text)
            return Verdict("restarting", f"{rollout.text} Waiting to see that it stays so.", good=True)
        case _:
            return Verdict("restarting", rollout.text)


async def _explain(verdict: Verdict, change: Change, step: Step, transport: Transport) -> Verdict:
    """Asks the API server for what is not in view. What is not there any more needs no restart, and what was made
    anew has the new value.
    """
    try:
        found = await _read(change, step, transport)
    except (Unavailable, TooManyRequests):
        return verdict
    except ClusterError as error:
        return Verdict("failed", f"It cannot be followed: {error.message}")
    if found is None:
        return Verdict("done", "It was deleted meanwhile.")
    if step["uid"] and found["metadata"]["uid"] != step["uid"]:
        return Verdict("done", "It was deleted and made anew meanwhile: its pods have the new value.")
    return verdict


def _noted(step: Step, verdict: Verdict, now: datetime) -> bool:
    """Keeps since when it hangs or is complete; whether that is news."""
    before = (step["wrong_since"], step["good_since"])
    step["wrong_since"] = (step["wrong_since"] or _iso(now)) if verdict.wrong else ""
    step["good_since"] = (step["good_since"] or _iso(now)) if verdict.good else ""
    return before != (step["wrong_since"], step["good_since"])


class Lost(Exception):
    """Another process has the rotation now, or it is over."""


def rotations_claim(holder: str, now: datetime) -> list[Rotation]:
    """The unfinished rotations that this process has from now on; nobody else moves them for LEASE_SECONDS."""
    free = Q(holder=holder) | Q(held_until__isnull=True) | Q(held_until__lt=now)
    unfinished = Rotation.objects.filter(state=Rotation.State.RESTARTING)
    until = now + timedelta(seconds=LEASE_SECONDS)
    first = unfinished.filter(free).exclude(
        Exists(_earlier(OuterRef("pk"), OuterRef("change__context"), OuterRef("change__uid")))
    )
    # One statement a row: of two processes that see it free, the second one's condition no longer holds.
    claimed = [
        pk
        for pk in list(first.values_list("pk", flat=True))
        if unfinished.filter(free, pk=pk).update(holder=holder, held_until=until)
    ]
    return list(Rotation.objects.select_related("change", "change__user").filter(pk__in=claimed))


def rotations_release(holder: str) -> None:
    """A process that ends in order gives its rotations to whoever comes next at once."""
    Rotation.objects.filter(holder=holder).update(holder="", held_until=None)


def rotations_missing() -> list[Change]:
    """Values that were written and whose restarts were not begun: the process ended in between."""
    written = Change.objects.filter(action="rotate", state=Change.State.DONE, rotation__isnull=True)
    return list(written.select_related("user", "undoes"))


def waits_for(rotation: Rotation) -> int | None:
    """The change whose restarts have to end before those of this rotation begin, if there is one."""
    change = rotation.change
    found = _earlier(rotation.pk, change.context, change.uid).order_by("-pk").first()
    return found.change_id if found is not None else None


def unfinished_of(context: str, uid: str) -> Change | None:
    """The rotation of a Secret whose restarts have not ended, or not begun, if there is one."""
    unfinished = Q(rotation__state=Rotation.State.RESTARTING) | Q(
        rotation__isnull=True, state=Change.State.DONE
    )
    return Change.objects.filter(unfinished, action="rotate", context=context, uid=uid).order_by("pk").last()


def _earlier(pk: Any, context: Any, uid: Any) -> QuerySet[Rotation]:
    """The unfinished rotations of the same Secret that were begun before."""
    return Rotation.objects.filter(
        state=Rotation.State.RESTARTING, pk__lt=pk, change__context=context, change__uid=uid
    )


def next_written(change: Change) -> datetime | None:
    """When the same key of the Secret got another value through the dashboard after this change, if it did."""
    (path,) = change.touched or ("",)
    later = Change.objects.filter(
        action="rotate", state=Change.State.DONE, context=change.context, uid=change.uid, pk__gt=change.pk,
        touched__has_key=path,
    )  # fmt: skip
    return later.order_by("pk").values_list("created_at", flat=True).first()


def key_of(change: Change) -> str:
    """The key of the Secret that a rotation wrote."""
    (path,) = change.touched
    return str(path).removeprefix("/data/")


def _step(plural: str, kind: str, name: str) -> Step:
    return {
        "plural": plural, "kind": kind, "name": name, "state": "waiting", "text": "", "stamp": "", "generation": 0,
        "uid": "", "began": "", "ended": "", "wrong_since": "", "good_since": "",
    }  # fmt: skip


async def _read(change: Change, step: Step, transport: Transport) -> dict[str, Any] | None:
    """The workload as it is now; None when there is none."""
    gvr = KINDS[step["plural"]].gvr
    try:
        response = await transport.request("GET", gvr, namespace=change.namespace, name=step["name"])
    except NotFound:
        return None
    return msgspec.json.decode(response.body, type=dict[str, Any])


async def _restart(change: Change, step: Step, transport: Transport) -> tuple[int, str]:
    """Brings the annotation to the step's moment and gives the generation that has it, and the uid. What somebody else
    restarted later is left as it is: its pods have the new value too.
    """
    found = await _read(change, step, transport)
    if found is None:
        return 1, ""  # explained as deleted
    meta = found["metadata"]
    at = pointer(found, RESTARTED_AT)
    if at and _moment(at) >= _moment(step["stamp"]):
        return int(meta["generation"]), str(meta["uid"])
    body = {
        "metadata": {"resourceVersion": meta["resourceVersion"], "uid": meta["uid"]},
        "spec": {"template": {"metadata": {"annotations": {ANNOTATION: step["stamp"]}}}},
    }
    response = await transport.request(
        "PATCH",
        KINDS[step["plural"]].gvr,
        namespace=change.namespace,
        name=step["name"],
        query={"fieldManager": MANAGER},
        body=msgspec.json.encode(body),
        content_type="application/merge-patch+json",
    )
    made = msgspec.json.decode(response.body, type=dict[str, Any])
    return int(made["metadata"]["generation"]), str(meta["uid"])


async def _fail(rotation: Rotation, step: Step, holder: str, now: datetime, text: str) -> None:
    step |= {"state": "failed", "text": text, "ended": _iso(now)}
    await _end(rotation, holder, Rotation.State.STOPPED)
    await sync_to_async(_audit)(rotation, "rotate", step, AuditEntry.Result.FAILED)


async def _end(rotation: Rotation, holder: str, state: Rotation.State) -> None:
    rotation.state = state
    rotation.ended_at = datetime.now(UTC)
    await _save(rotation, holder)


async def _save(rotation: Rotation, holder: str) -> None:
    await sync_to_async(_write)(rotation, holder)


def _write(rotation: Rotation, holder: str) -> None:
    mine = Rotation.objects.filter(
        pk=rotation.pk, holder=holder, version=rotation.version, state=Rotation.State.RESTARTING
    )
    if not mine.update(
        steps=rotation.steps, state=rotation.state, ended_at=rotation.ended_at, version=F("version") + 1
    ):
        raise Lost
    rotation.version += 1


def _rotation_of(change: Change) -> Rotation | None:
    return Rotation.objects.filter(change=change).first()


def _make(change: Change, steps: Sequence[Step]) -> Rotation:
    found, _ = Rotation.objects.get_or_create(change=change, defaults={"steps": list(steps)})
    return found


def _replace(change: Change) -> None:
    """Ends the rotation that this change takes back."""
    if change.undoes_id is not None:
        Rotation.objects.filter(change=change.undoes_id, state=Rotation.State.RESTARTING).update(
            state=Rotation.State.REPLACED, version=F("version") + 1, ended_at=datetime.now(UTC)
        )


def restarted_with(before: Change | None) -> set[tuple[str, str]] | None:
    """The workloads (plural, name) that a rotation had begun to restart: taking it back restarts just these, since the
    rest never saw the value. None where all that read the key are to be restarted: without a rotation to take back,
    and for a value that is brought back a second time, which is news to all again.
    """
    if before is None or before.undoes_id is not None:
        return None
    rotation = Rotation.objects.filter(change=before).first()
    if rotation is None:
        return None
    begun = ("restarting", "done", "failed")
    return {(step["plural"], step["name"]) for step in rotation.steps if step["state"] in begun}


def _audit(rotation: Rotation, action: str, step: Step, result: AuditEntry.Result) -> None:
    change = rotation.change
    at = rotation.steps.index(step) + 1
    said = f"Stage {at} of {plural(len(rotation.steps), 'restart')} after the new value of {key_of(change)}."
    AuditEntry.objects.create(
        user_name=change.user.get_username(),
        context=change.context,
        action=action,
        plural=step["plural"],
        namespace=change.namespace,
        name=step["name"],
        detail=f"{said} {step['text']}".strip(),
        result=result,
        change=change,
    )


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:  # somebody's own word in the annotation
        return datetime.min.replace(tzinfo=UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _passed(since: str, now: datetime) -> float:
    return (now - _moment(since)).total_seconds() if since else 0.0
