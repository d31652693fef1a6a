"""The steps of a restore: every object is tried by a dry run, then they are written, kind after kind (docs/adr/0069).

The check refuses the restore as a whole where that was asked for, or where an object is not as it was when it was
previewed. What a step does to an object is the row's own result; a process that comes after one that was killed looks at
each object again, and finds done what is done.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, TypeVar

from dashboard.errors import (
    ClusterError,
    Conflict,
    Forbidden,
    NotFound,
    TooManyRequests,
    Unavailable,
)
from dashboard.kinds.base import GVR
from dashboard.kinds.rows import listed, plural
from dashboard.kube.transport import Transport
from dashboard.models import AuditEntry, Change, OperationResult
from dashboard.recovery.choice import Choice, named
from dashboard.recovery.holding import Held, Holding
from dashboard.recovery.order import rank
from dashboard.recovery.restoring import CONFLICTS, Planned, Restoring, refusal_words

from ..database import in_database
from .configmap_versions import Written, versions_kept_of_many
from .operation import Run, iso, passed, result_counts
from .restore_held import held_forget, held_of

AT_ONCE = 8  # objects of one kind at a time
BATCH = 32  # that are recorded together
MOVE_SECONDS = 10.0
RETRY_SECONDS = 2.0
SERVED_SECONDS = 90.0  # until a kind, a namespace or a quota that was just written is there for others
ENDS = {"done": "written or equal", "failed": "failed", "left": "left as they are"}
WORDS = {"same": "no changes", "leave": "left", "skipped": "skipped", "refused": "refused", "tried": "tried"}
STATES = {"same": "done", "tried": "done", "refused": "failed"}  # of what is not written; all else is left

R = TypeVar("R")


def short_name(archive: str) -> str:
    """What an archive is called: the last part of its address."""
    return archive.rstrip("/").rpartition("/")[2]


def restore_summary(change: Change) -> str:
    """What a restore restores, and into which namespaces."""
    kept = change.result
    where = listed(named(kept["namespaces"]), "more namespaces") or "the cluster"
    return f"{plural(kept['count'], 'object')} of {short_name(kept['archive'])} into {where}"


def restoring_of(
    transport: Transport, choice: Choice, holding: Holding, *, scratch: bool = False
) -> Restoring:
    """What the objects of a restore have in common."""
    writes = [each for each in holding.objects if not each.skipped]
    into = choice.into
    made = Restoring(
        transport=transport,
        choice=choice,
        plurals=holding.plurals,
        coming=frozenset(
            into(each.name) for each in writes if (each.group, each.plural) == ("", "namespaces")
        ),
        defined=frozenset(_defined(each) for each in writes if each.plural == "customresourcedefinitions"),
        scratch=scratch,
    )
    return replace(made, brought=frozenset(made.placed(each).at for each in writes if made.writes(each)))


def _defined(held: Held) -> tuple[str, str]:
    spec = held.body.get("spec")
    spec = spec if isinstance(spec, dict) else {}
    names = spec.get("names")
    return str(names.get("plural", "") if isinstance(names, dict) else ""), str(spec.get("group", ""))


async def planned_all(restoring: Restoring, objects: Sequence[Held]) -> list[Planned]:
    """Each tried, some at a time, in their order. Namespaces that exist take what goes into them by a dry run."""
    restoring = await with_present(restoring)
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(held: Held) -> Planned:
        async with gate:
            return await restoring.plan(held)

    return list(await asyncio.gather(*map(one, objects)))


async def with_present(restoring: Restoring) -> Restoring:
    """The same, knowing which of the namespaces that it writes are there already."""
    gvr = GVR("", "v1", "namespaces", False)
    missing = set()
    for name in restoring.coming:
        try:
            await restoring.transport.request("GET", gvr, name=name)
        except NotFound:
            missing.add(name)
        except Forbidden:
            continue
    served = set()
    for plural_name, group in restoring.defined:
        try:
            name = f"{plural_name}.{group}"
            at = GVR("apiextensions.k8s.io", "v1", "customresourcedefinitions", False)
            await restoring.transport.request("GET", at, name=name)
        except NotFound:
            served.add((plural_name, group))
        except Forbidden:
            continue
    return replace(restoring, coming=frozenset(missing), defined=frozenset(served))


async def restoring_in(run: Run) -> tuple[Holding, Restoring]:
    """What a restore under way writes, and how."""
    holding = await held_of(run.change)
    choice = Choice.from_json(run.change.result["choice"])
    scratch = bool(getattr(run.action, "scratch", False))
    return holding, await with_present(restoring_of(run.transport, choice, holding, scratch=scratch))


async def check_step(run: Run) -> None:
    """Tries every object, and writes nothing."""
    until = time.monotonic() + MOVE_SECONDS
    holding, restoring = await restoring_in(run)
    held = holding.by_key
    while rows := await run.results("waiting", limit=BATCH, after=run.step.get("checked", -1)):
        plans = await planned_all(restoring, [held[each.data["key"]] for each in rows])
        for row, plan in zip(rows, plans, strict=True):
            _checked(row, plan)
        run.step["checked"] = rows[-1].position
        await run.save(rows)
        if time.monotonic() > until:
            return
    refusing, overtaken = await _marked(run, "refuses"), await _marked(run, "overtaken")
    run.now = datetime.now(UTC)
    if refusing:
        names = listed(refusing)
        await run.fail(
            f"{names} exist and differ, so the restore was refused, as requested. Nothing was written."
        )
    elif overtaken:
        names = listed(overtaken)
        await run.fail(f"{names}: changed since the preview. Nothing was written; preview it again.")
    else:
        writes = (await in_database(result_counts)(run.operation)).get("waiting", 0)
        await run.end("done", f"{plural(writes, 'object')} to write.")


async def _marked(run: Run, mark: str) -> list[str]:
    """The objects whose rows the check has given a mark."""
    found = run.operation.results.filter(data__has_key=mark).order_by("position").values_list("kind", "name")
    return [f"{kind} {name}" for kind, name in await in_database(list)(found)]


def _checked(row: OperationResult, plan: Planned) -> None:
    """What the check found, in its row."""
    shown = row.data.get("shown")
    row.data |= {"does": plan.does, "effect": plan.effect}
    row.text = plan.text
    if shown is not None and shown != plan.effect and plan.does != "same":
        row.data |= {"overtaken": True}
    if plan.does == "refused" and plan.live is not None and "exists and differs" in plan.text:
        row.data |= {"refuses": True}
    if plan.writes:
        return
    row.state = STATES.get(plan.does, "left")
    row.data |= {"word": WORDS[plan.does]}
    row.ended_at = datetime.now(UTC)


async def write_step(run: Run) -> None:
    """Writes kind after kind. An object that is refused stops no other; its row says why."""
    until = time.monotonic() + MOVE_SECONDS
    holding, restoring = await restoring_in(run)
    held = holding.by_key
    while True:
        rows = await run.results("running", "retrying", "waiting", limit=BATCH * 2)
        due = [each for each in rows if _due(each, datetime.now(UTC))]
        if not rows:
            break
        if not due:
            return
        _, same_rank = next(groupby(due, lambda row: _rank_of(held[row.data["key"]])))
        await _write_some(run, restoring, held, list(same_rank)[:BATCH])
        if time.monotonic() > until:
            return
    if not await _owned(run, restoring, held, until):
        return
    counts = await in_database(result_counts)(run.operation)
    text = f"{listed([f'{counts[state]} {word}' for state, word in ENDS.items() if counts.get(state)])}."
    run.now = datetime.now(UTC)
    ended = AuditEntry.Result.FAILED if counts.get("failed") else AuditEntry.Result.DONE
    told = run.entry(run.change.action, ended, f"{restore_summary(run.change)}: {text}")
    await run.end("done", text, entries=[told])
    if len(run.operation.steps) == 2:
        held_forget(run.change)


def _rank_of(held: Held) -> tuple[int, str, str]:
    return rank(held.group, held.plural), held.group, held.plural


def _due(row: OperationResult, now: datetime) -> bool:
    return row.state != "retrying" or passed(row.data["tried"], now) >= RETRY_SECONDS


async def _write_some(
    run: Run, restoring: Restoring, held: Mapping[str, Held], rows: Sequence[OperationResult]
) -> None:
    """Takes some objects of one kind to their end."""
    before = {each.pk: each.state for each in rows}
    gate = asyncio.Semaphore(AT_ONCE)

    async def gated(work: Coroutine[Any, Any, R]) -> R:
        async with gate:
            return await work

    plans = await asyncio.gather(
        *(
            gated(restoring.plan(held[row.data["key"]], dry=False, owners="sent" not in row.data))
            for row in rows
        )
    )
    for row, plan in zip(rows, plans, strict=True):
        row.state, row.began_at = "running", row.began_at or datetime.now(UTC)
        if plan.writes:
            # Before it is sent: whoever comes after a kill finds it.
            row.data = row.data | {"sent": plan.does, **({"awaits": True} if plan.awaits else {})}
    await run.save(rows)
    work = (
        gated(_write_one(restoring, row, plan, held[row.data["key"]], again=before[row.pk] != "waiting"))
        for row, plan in zip(rows, plans, strict=True)
    )
    answers = await asyncio.gather(*work, return_exceptions=True)
    written = [each for each in answers if isinstance(each, Written)]
    if rows[0].plural == "configmaps" and written and not restoring.scratch:
        # As of every change made here; what a drill makes goes with its namespaces.
        await versions_kept_of_many(run.change, written)
    await run.record(rows)
    _raise_one(answers)


def _raise_one(answers: Iterable[object]) -> None:
    """What one of them raised that is no answer of the cluster about its object."""
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer


async def _owned(run: Run, restoring: Restoring, held: Mapping[str, Held], until: float) -> bool:
    """Names the owners that were not there yet when what they own was written; whether that is done."""
    restoring = replace(restoring, brought=frozenset())  # what is not there by now does not come

    async def one(row: OperationResult) -> None:
        each = held[row.data["key"]]
        try:
            said = await restoring.own(each, row.data["uid"])
        except (Unavailable, TooManyRequests):
            raise
        except ClusterError as error:
            row.state = "failed"
            said = f"Its owner could not be set: {refusal_words(error, secret=each.is_secret)}"
        row.text = f"{row.text} {said}".strip()
        del row.data["awaits"]

    waiting = run.operation.results.filter(state="done", data__awaits=True).order_by("position")
    while rows := await in_database(list)(waiting[:AT_ONCE]):
        answers = await asyncio.gather(*map(one, rows), return_exceptions=True)
        await run.record(rows)
        _raise_one(answers)
        if time.monotonic() > until:
            return False
    return True


async def _write_one(
    restoring: Restoring,
    row: OperationResult,
    plan: Planned,
    held: Held,
    *,
    again: bool,
    conflicts: int = 0,
) -> Written | None:
    """Gives the row its end, or leaves it to be tried again; what was written, if anything. After a conflict it is
    planned anew, as often as ``CONFLICTS`` says: it fails where more than its status is another. Raises what is no answer
    of the cluster.
    """
    plan = _of_the_cluster(plan, held, restoring)
    if not plan.writes:
        made = plan.does == "same" and again and "sent" in row.data
        row.data |= {"uid": plan.uid, "word": _word(row.data["sent"])} if made else {"word": WORDS[plan.does]}
        _end(row, STATES.get(plan.does, "left"), plan.text)
        return Written(None, plan.live, row.began_at) if made and plan.live is not None else None
    if plan.does == "update" and row.data.get("does") == "update" and plan.effect != row.data["effect"]:
        _end(row, "failed", "It changed after the check, and was left unchanged.")
        return None
    try:
        written, after = await restoring.write(plan, held)
    except Conflict as error:
        if conflicts >= CONFLICTS:
            _end(row, "failed", refusal_words(error, secret=held.is_secret))
            return None
        anew = await restoring.plan(held, dry=False)
        return await _write_one(restoring, row, anew, held, again=again, conflicts=conflicts + 1)
    except (Unavailable, TooManyRequests) as error:
        _again(row, error.message)
    except ClusterError as error:
        words = refusal_words(error, secret=held.is_secret)
        waits = isinstance(error, NotFound) or (
            isinstance(error, Forbidden) and "status unknown for quota" in words
        )
        since = row.data.setdefault("since", iso(datetime.now(UTC)))
        if waits and passed(since, datetime.now(UTC)) < SERVED_SECONDS:
            _again(row, "It waits for an object that was just created.")
        else:
            _end(row, "failed", words)
    else:
        row.data |= {"uid": after["metadata"].get("uid", ""), "word": _word(plan.does)}
        _end(row, "done", replace(written, awaits=()).text)
        return Written(plan.live, after, row.began_at)
    return None


def _of_the_cluster(plan: Planned, held: Held, restoring: Restoring) -> Planned:
    """The account that the cluster puts into each new namespace is brought to what it was."""
    default = (held.group, held.plural, held.name) == ("", "serviceaccounts", "default")
    if default and plan.does == "leave" and held.key not in restoring.choice.each:
        return replace(plan, does="update", notes=())
    return plan


def _word(does: str) -> str:
    return {"create": "created", "update": "updated"}[does]


def _again(row: OperationResult, text: str) -> None:
    row.state, row.text = "retrying", text
    row.data |= {"tried": iso(datetime.now(UTC))}


def _end(row: OperationResult, state: str, text: str) -> None:
    row.state, row.text, row.ended_at = state, text, datetime.now(UTC)
