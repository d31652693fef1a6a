"""The steps of a drain: each pod is evicted by the Eviction API alone, bound to its uid, and waited for until it is gone.

What a budget refuses is tried again every five seconds, as by ``kubectl drain``. A pod is recorded as under way before
its eviction is sent: who goes on after a kill looks at the pod, and sends it again only to one that is not terminating.
That it was evicted is recorded with its entry in the audit (``told``), by whoever comes to know it first.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec

from dashboard.errors import (
    ClusterError,
    Conflict,
    Forbidden,
    NotFound,
    Protected,
    TooManyRequests,
    Unavailable,
)
from dashboard.insight.deletion import budgets_over
from dashboard.insight.draining import DrainOptions, drain_verdicts
from dashboard.insight.pod_health import is_ready
from dashboard.kinds import KINDS
from dashboard.kinds.pods import Pod
from dashboard.kinds.rows import listed, plural
from dashboard.kube.transport import Transport
from dashboard.models import AuditEntry, OperationResult

from .action import Target
from .engine import change_read, still_there
from .operation import Run, iso, passed

RETRY_SECONDS = 5.0  # as kubectl
AGAIN = f"; tried again every {RETRY_SECONDS:.0f} s"
SENT_AGAIN_SECONDS = 10.0  # to a pod that was evicted as far as is known, and does not terminate
AT_ONCE = 50
OPEN = ("waiting", "running", "retrying")
PODS = KINDS["pods"]


async def pods_on_node(transport: Transport, name: str) -> list[Pod]:
    """The pods on a node as the API server lists them now. Raises what it says."""
    query = {"fieldSelector": f"spec.nodeName={name}"}
    return list(PODS.decode_list((await transport.request("GET", PODS.gvr, query=query)).body).items)


async def evict_step(run: Run) -> None:
    """Evicts the pods, and waits until they are gone or the time is over."""
    if not run.step["checked"] and not await _decided(run):
        return
    rows = await run.results(*OPEN)
    await _watch(run, [row for row in rows if row.state == "running"])
    rows = [row for row in rows if row.state in OPEN]
    if not rows:
        await _end(run)
    elif passed(run.step["since"], run.now) >= run.step["timeout"]:
        await _time_out(run, rows)
    elif due := [row for row in rows if _is_due(run, row)][:AT_ONCE]:
        if why := await _not_cordoned(run):
            await run.fail(why)
        else:
            await _send(run, due)


async def look_step(run: Run) -> None:
    """What is on the node at the end, and what replaces the pods that are gone. What came meanwhile, as it tolerates the
    cordon, was not evicted.
    """
    await run.save(_replaced(run, await run.results("done")))
    verdicts = drain_verdicts(run.objects, await pods_on_node(run.transport, run.change.name), _options(run))
    came = [each.pod.metadata.name for each in verdicts if each.fate != "stay"]
    if came:
        verb = "was" if len(came) == 1 else "were"
        await run.end("left", f"{listed(came)} {verb} scheduled here meanwhile, and not evicted.")
        return
    stay = f"{plural(len(verdicts), 'pod')} {'stays' if len(verdicts) == 1 else 'stay'}: of DaemonSets, or static."
    await run.end("done", stay if verdicts else "No pods are left.")


def _replaced(run: Run, rows: Sequence[OperationResult]) -> list[OperationResult]:
    """The evicted pods, each with a pod that its controller created since: that of its name, or another one for each."""
    begun = min((row.began_at for row in rows if row.began_at), default=run.now)
    made: dict[str, dict[str, Pod]] = defaultdict(dict)
    for pod in run.objects.all("pods"):
        owner, created = pod.metadata.controller, pod.metadata.creation_timestamp
        # The API server notes whole seconds.
        if owner is not None and created is not None and created >= begun.replace(microsecond=0):
            made[owner.uid][pod.metadata.name] = pod
    told = []
    for row in rows:
        if row.began_at and (pods := made.get(row.data["controller"])):
            pod = pods.pop(row.name) if row.name in pods else pods.pop(min(pods))
            where = f"on {pod.spec.node_name}" if pod.spec.node_name else "not scheduled"
            how = f"Replaced by {pod.metadata.name}" if pod.metadata.name != row.name else "Recreated"
            row.text = f"{how}, {where}, {'ready' if is_ready(pod) else 'not ready yet'}."
            told.append(row)
    return told


async def _decided(run: Run) -> bool:
    """Whether every pod that is left may be evicted, as somebody decided: like kubectl, nothing is evicted before. Fails
    the step otherwise.
    """
    there = {pod.metadata.uid: pod for pod in await pods_on_node(run.transport, run.change.name)}
    rows = await run.results(*OPEN)
    for row in rows:
        if row.data["uid"] not in there:
            _gone(run, row)
    left = [there[row.data["uid"]] for row in rows if row.data["uid"] in there]
    refused = {
        each.pod.metadata.uid: each.why
        for each in drain_verdicts(run.objects, left, _options(run))
        if each.fate == "refuse"
    }
    for row in rows:
        if row.data["uid"] in refused:
            _close(run, row, "failed", refused[row.data["uid"]])
    run.step["checked"] = not refused
    await run.save(rows)
    if refused:
        names = listed([row.name for row in rows if row.data["uid"] in refused])
        verb = "needs" if len(refused) == 1 else "need"
        await run.fail(f"{names} {verb} a choice before anything is evicted.")
    return not refused


async def _watch(run: Run, rows: Sequence[OperationResult]) -> None:
    """Looks at pods whose eviction was sent. One that is not in view is gone only if the API server says so: a watch may
    be behind.
    """
    missing, news, entries = [], [], list[AuditEntry]()
    for row in rows:
        pod = run.objects.get("pods", row.namespace, row.name)
        if pod is None or pod.metadata.uid != row.data["uid"]:
            missing.append(row)
        elif pod.metadata.deletion_timestamp is not None and (text := _terminating(pod)) != row.text:
            row.text = text
            entries += _found_evicted(run, row)
            news.append(row)
    asked = missing[:AT_ONCE]
    for row, there in zip(asked, await asyncio.gather(*(_is_there(run, row) for row in asked)), strict=True):
        if not there:
            entries += _found_evicted(run, row)
            _gone(run, row)
            news.append(row)
    if news:
        await run.save(news, entries)


def _terminating(pod: Pod) -> str:
    if pod.metadata.finalizers:
        return f"It stays until its finalizers are removed: {', '.join(pod.metadata.finalizers)}."
    seconds = pod.spec.termination_grace_period_seconds
    return f"Its containers have {30 if seconds is None else seconds} s to shut down."


def _is_due(run: Run, row: OperationResult) -> bool:
    """Whether an eviction is to be sent now."""
    if row.state == "waiting":
        return True
    if row.state == "retrying":
        return passed(row.data["sent"], run.now) >= RETRY_SECONDS
    pod = run.objects.get("pods", row.namespace, row.name)
    unheard = pod is not None and pod.metadata.deletion_timestamp is None
    return unheard and passed(row.data["sent"], run.now) >= SENT_AGAIN_SECONDS


async def _not_cordoned(run: Run) -> str:
    """Why nothing is evicted any more: pods could come back to where they are evicted from. "" while it is cordoned."""
    change = run.change
    target = Target.of(change.context, KINDS["nodes"], "", change.name)
    try:
        found = await change_read(transport=run.transport, target=target)
    except NotFound:
        return f"{change.name} was deleted."
    if found["metadata"]["uid"] != change.uid:
        return f"{change.name} was deleted and recreated."
    if not found.get("spec", {}).get("unschedulable"):
        return f"{change.name} was uncordoned meanwhile. Cordon it to go on."
    return ""


async def _send(run: Run, rows: Sequence[OperationResult]) -> None:
    for row in rows:
        row.state, row.began_at = "running", row.began_at or run.now
        row.data = row.data | {"sent": iso(run.now), "tries": row.data.get("tries", 0) + 1}
    await run.save(rows)
    accepted = await asyncio.gather(*(_evict(run, row) for row in rows))
    entries = []
    for row, yes in zip(rows, accepted, strict=True):
        if yes and "told" not in row.data:
            row.data |= {"told": True}
            entries.append(_entry(run, row, AuditEntry.Result.DONE, f"Evicted to drain {run.change.name}."))
    await run.record(rows, entries)


async def _evict(run: Run, row: OperationResult) -> bool:
    """Sends one eviction; whether it was accepted."""
    try:
        await run.transport.request(
            "POST", PODS.gvr, namespace=row.namespace, name=row.name, subresource="eviction",
            body=msgspec.json.encode(_eviction(row, run.step["grace"])), content_type="application/json",
        )  # fmt: skip
    except NotFound:
        _gone(run, row)
        return False
    except Conflict as error:  # another pod has its name, or nobody knows
        if await _is_there(run, row):
            _retry(row, error.message)
        else:
            _gone(run, row)
        return False
    except (TooManyRequests, Unavailable) as error:
        pod = run.objects.get("pods", row.namespace, row.name)
        over = budgets_over(run.objects, pod) if pod is not None else ()
        if len(over) > 1 and not isinstance(error, Protected):
            _close(run, row, "failed", error.message)
        else:
            _retry(row, error.message)
        return False
    except Forbidden as error:
        # In a namespace that is being deleted the API server refuses it, and deletes the pod itself.
        if "is being terminated" in error.message:
            _retry(row, error.message)
        else:
            _close(run, row, "failed", error.message)
        return False
    except ClusterError as error:
        _close(run, row, "failed", error.message)
        return False
    row.text = ""
    return True


def _eviction(row: OperationResult, grace: int | None) -> dict[str, Any]:
    options: dict[str, Any] = {"preconditions": {"uid": row.data["uid"]}}
    if grace is not None:
        options["gracePeriodSeconds"] = grace
    return {
        "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": row.name, "namespace": row.namespace},
        "deleteOptions": options,
    }  # fmt: skip


async def _is_there(run: Run, row: OperationResult) -> bool:
    target = Target.of(run.change.context, PODS, row.namespace, row.name)
    return await still_there(run.transport, target, row.data["uid"])


def _retry(row: OperationResult, why: str) -> None:
    row.state = "retrying"
    row.text = f"{why} Attempt {row.data['tries']}{AGAIN}."


def untried(text: str) -> str:
    """What is said of a refused eviction while nobody tries it again: of a drain that is stopped, or has ended."""
    return text.replace(f"{AGAIN}.", ".")


def _gone(run: Run, row: OperationResult) -> None:
    sent = bool(row.data.get("tries"))
    _close(run, row, "done", "" if sent else "It was gone before it was evicted.")


def _close(run: Run, row: OperationResult, state: str, text: str) -> None:
    row.state, row.text, row.ended_at = state, text, run.now


async def _time_out(run: Run, rows: Sequence[OperationResult]) -> None:
    """Ends with what is left as it is."""
    refused = [row for row in rows if row.state == "retrying"]
    for row in rows:
        match row.state:
            case "retrying":
                text = f"{row.text.partition(' Attempt ')[0]} {plural(row.data['tries'], 'attempt')}."
            case "running":
                text = f"Evicted, and still terminating at the time-out. {row.text}".strip()
            case _:
                text = "Not evicted before the time-out."
        _close(run, row, "failed", text)
    not_evicted = f"Not evicted to drain {run.change.name}."
    entries = [_entry(run, row, AuditEntry.Result.REFUSED, not_evicted) for row in refused]
    names = listed([row.name for row in rows])
    took = timedelta(seconds=run.step["timeout"])
    text = f"The time-out of {_words(took)} passed with {plural(len(rows), 'pod')} left: {names}."
    await run.fail(text, results=rows, entries=entries)


async def _end(run: Run) -> None:
    failed = [row.name for row in await run.results("failed")]
    gone = len(await run.results("done"))
    if failed:
        await run.fail(f"{listed(failed)} could not be evicted.")
    else:
        await run.end("done", f"{plural(gone, 'pod')} gone." if gone else "There was nothing to evict.")


def _words(took: timedelta) -> str:
    seconds = int(took.total_seconds())
    return plural(seconds // 60, "minute") if seconds and seconds % 60 == 0 else plural(seconds, "second")


def _options(run: Run) -> DrainOptions:
    return DrainOptions(run.step["delete_emptydir"], run.step["force"])


def _found_evicted(run: Run, row: OperationResult) -> list[AuditEntry]:
    """The entry of a pod that terminates, or is gone, whose process was killed before it could tell of the eviction."""
    if "told" in row.data:
        return []
    row.data |= {"told": True}
    detail = (
        f"An eviction was sent to drain {run.change.name}; its answer did not come, and the pod terminates."
    )
    return [_entry(run, row, AuditEntry.Result.DONE, detail)]


def _entry(run: Run, row: OperationResult, result: AuditEntry.Result, detail: str) -> AuditEntry:
    """About one pod."""
    change = run.change
    return AuditEntry(
        user_name=change.user.get_username(), context=change.context, action="evict", plural=row.plural,
        namespace=row.namespace, name=row.name, detail=f"{detail} {row.text}".strip(), result=result,
        reason=change.reason, change=change,
    )  # fmt: skip
