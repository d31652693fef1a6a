"""A drill: a backup restored into namespaces of its own, compared, and taken away again (docs/adr/0069).

It shows that the backup can be read, that the API server takes every object, and that what is written means what it
meant. Nothing runs: workloads have no replicas, and what would reach beyond the namespaces is tried by a dry run only. So
it says nothing of images, volumes and whatever the applications do.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import msgspec

from dashboard.errors import Conflict, NotFound
from dashboard.kinds.base import GVR
from dashboard.kinds.rows import listed, plural
from dashboard.kube.answers import read_object
from dashboard.kube.transport import Transport
from dashboard.models import AuditEntry, Change, Operation
from dashboard.recovery.choice import Choice
from dashboard.recovery.holding import Holding
from dashboard.recovery.restoring import DRILL_LABEL, MANAGER, counted

from ..database import in_database
from . import records
from . import token as tokens
from .confirmation import require_reason, why_in
from .operation import End, Run, Step, operation_step, passed
from .permits import changes_required
from .problems import Unconfirmed
from .restore import (
    ArchiveShown,
    Restore,
    RestoreOrder,
    archive_shown,
    begin_restore,
    order_facts,
    read_order,
    targets_of,
)
from .restore_held import held_forget
from .restore_steps import check_step, planned_all, restoring_in, short_name, write_step

SALT = "dashboard.actions.drill"
NAMESPACES = GVR("", "v1", "namespaces", False)
QUOTAS = GVR("", "v1", "resourcequotas")
QUOTA = "cluster-ui-drill"
# Nothing runs in it and nothing outside is used, whatever a backup holds.
HARD = {"pods": "0", "services.loadbalancers": "0", "services.nodeports": "0"}
REMOVED_WITHIN = timedelta(minutes=10)
MAX_NAMESPACES = 20  # of one drill


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillPreview:
    """``objects`` of its ``namespaces`` are written or tried. ``confirm``: why the context has to be typed, or ""."""

    holding: Holding = field(repr=False)
    namespaces: tuple[str, ...]
    objects: int
    confirm: str
    token: str


class Drill(Restore):
    """Besides what a restore keeps, its change's result has ``drill``: namespace of the backup → its own."""

    name, title, icon = "drill", "Run a drill", "play"
    noun = "drill"
    left_text = "it was not tried"
    scratch = True

    def __init__(self) -> None:
        self.steps = MappingProxyType(
            {
                "make": make_step, "check": check_step, "write": write_step, "compare": compare_step,
                "remove": remove_step,
            }
        )  # fmt: skip

    def failed(self, step: Step, text: str) -> tuple[End, str]:
        """Whatever goes wrong, what it made is taken away."""
        return ("failed" if step["do"] == "remove" else "left"), text

    def to_confirm(self, operation: Operation) -> str:
        return operation.change.context

    def summary(self, change: Change) -> str:
        return (
            f"Drill of {short_name(change.result['archive'])} with {plural(change.result['count'], 'object')}"
        )

    def way_back(self, change: Change) -> str:
        return "A drill deletes what it created."


async def drill_preview(order: RestoreOrder) -> DrillPreview:
    """What a drill would do. Raises as ``restore_preview``."""
    await changes_required(order.cluster)
    holding = await read_order(order)
    shown = ArchiveShown(**order_facts(order), sha256=holding.sha256, nonce=tokens.new_nonce())
    kept = [each for each in holding.objects if not each.skipped and each.namespace]
    homes = tuple(targets_of(replace(order.choice, maps={}), kept))[:MAX_NAMESPACES]
    return DrillPreview(
        holding=holding, namespaces=homes, objects=sum(each.namespace in homes for each in kept),
        confirm=why_in(order.cluster.name), token=tokens.sign(shown, SALT) if homes else "",
    )  # fmt: skip


async def drill_begin(order: RestoreOrder, token: str, *, holder: str = "") -> Change:
    """Begins the drill that was previewed; the same token begins it once. Raises as ``restore_begin``."""
    shown = archive_shown(ArchiveShown, order, token, SALT)
    if (earlier := await in_database(records.found)(shown.nonce)) is not None:
        return earlier
    await changes_required(order.cluster)
    why = why_in(order.cluster.name)
    if why and order.confirm.strip() != order.cluster.name:
        raise Unconfirmed(f"Type {order.cluster.name}: {why}.", field="confirm")
    require_reason(order.cluster.name, order.reason)
    whole = await read_order(order)
    if whole.sha256 != shown.sha256:
        raise tokens.not_shown()
    kept = [each for each in whole.objects if each.namespace and not each.skipped]
    homes = targets_of(replace(order.choice, maps={}), kept)[:MAX_NAMESPACES]
    name = f"drill-{datetime.now(UTC):%m%d}-{shown.nonce[:4].lower().translate(_PLAIN)}"
    maps = {home: f"{name}-{at}" if len(homes) > 1 else name for at, home in enumerate(homes, start=1)}
    choice = Choice(
        namespaces=tuple(homes),
        only=order.choice.only,
        labels=order.choice.labels,
        maps=maps,
        conflict="leave",
    )
    order = replace(order, choice=choice)
    own = tuple(each for each in whole.objects if each.namespace in maps)
    steps = [
        operation_step("make", f"Create {plural(len(homes), 'namespace')} for the drill"),
        operation_step("check", f"Check {plural(len(kept), 'object')} by a dry run"),
        operation_step("write", "Write them in order, without starting anything"),
        operation_step("compare", "Compare them with the backup"),
        operation_step("remove", "Delete the namespaces of the drill"),
    ]
    return await begin_restore(
        DRILL, order, replace(whole, objects=own), nonce=shown.nonce, effects={}, steps=steps, holder=holder,
        more={"drill": maps},
    )  # fmt: skip


_PLAIN = str.maketrans({"_": "a", "-": "b"})


# ---- Its steps


async def make_step(run: Run) -> None:
    """Its namespaces, labelled as those of this drill, each with a quota that lets nothing run."""
    names = list(run.change.result["drill"].values())
    for name in names:
        body = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name, "labels": _labels(run.change)},
        }
        try:
            await _create(run.transport, NAMESPACES, "", body)
        except Conflict:
            if not await _mine(run, name):
                await run.fail(f"Namespace {name} exists already, and is not part of this drill.")
                return
        quota = {
            "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": QUOTA, "labels": _labels(run.change)},
            "spec": {"hard": HARD},
        }  # fmt: skip
        with suppress(Conflict):  # made before a kill
            await _create(run.transport, QUOTAS, name, quota)
    for name in names:
        found = await run.transport.request("GET", QUOTAS, namespace=name, name=QUOTA)
        if "used" not in (read_object(found.body).get("status") or {}):
            return  # until it counts, it refuses everything
    await run.end("done", f"{listed(names)}.")


def _labels(change: Change) -> dict[str, str]:
    return {DRILL_LABEL: f"change-{change.pk}", "app.kubernetes.io/managed-by": MANAGER}


async def _create(transport: Transport, gvr: GVR, namespace: str, body: dict[str, Any]) -> None:
    await transport.request(
        "POST",
        gvr,
        namespace=namespace or None,
        query={"fieldManager": MANAGER},
        body=msgspec.json.encode(body),
    )


async def _mine(run: Run, name: str) -> dict[str, Any] | None:
    """A namespace, if it is of this drill."""
    try:
        found = read_object((await run.transport.request("GET", NAMESPACES, name=name)).body)
    except NotFound:
        return None
    labels = found["metadata"].get("labels") or {}
    return found if labels.get(DRILL_LABEL) == f"change-{run.change.pk}" else None


async def compare_step(run: Run) -> None:
    """Looks at all that was written once more: each must mean what it meant in the backup."""
    holding, restoring = await restoring_in(run)
    restoring = replace(restoring, brought=frozenset())  # an owner that is not there by now does not come
    held = holding.by_key
    rows = [each for each in await run.results("done") if each.data.get("word") in ("created", "no changes")]
    differing, plans = [], []
    for at in range(0, len(rows), 100):
        part = rows[at : at + 100]
        found = await planned_all(restoring, [held[each.data["key"]] for each in part])
        plans += found
        for row, plan in zip(part, found, strict=True):
            if plan.does != "same":
                row.state, row.text = "failed", "It differs from the backup after the restore."
                differing.append(row)
    await run.save(differing)
    every = await run.results()
    equal = counted(plans).get("same", 0)
    tried = sum(each.data.get("word") == "tried" for each in every)
    failed = sum(each.state == "failed" for each in every)
    total = equal + tried + failed
    run.step |= {"equal": equal, "tried": tried, "failed": failed}
    text = f"{equal} of {total} objects written and equal to the backup, {tried} tried by a dry run, {failed} failed."
    result = AuditEntry.Result.FAILED if failed else AuditEntry.Result.DONE
    told = run.entry(run.change.action, result, f"{DRILL.summary(run.change)}: {text}")
    await run.end("done", text, entries=[told])


async def remove_step(run: Run) -> None:
    """Deletes the namespaces that are this drill's, and no other, and waits until they are gone."""
    left = []
    for name in run.change.result["drill"].values():
        found = await _mine(run, name)
        if found is None:
            continue
        left.append(name)
        if not found["metadata"].get("deletionTimestamp"):
            preconditions = {"preconditions": {"uid": found["metadata"]["uid"]}}
            await run.transport.request(
                "DELETE", NAMESPACES, name=name, body=msgspec.json.encode(preconditions)
            )
    if not left:
        held_forget(run.change)
        await run.end("done", "All of it is deleted.")
    elif passed(run.step["began"], run.now) > REMOVED_WITHIN.total_seconds():
        held_forget(run.change)
        await run.end(
            "down", f"{listed(left)}: still being deleted after {REMOVED_WITHIN.seconds // 60} minutes."
        )


DRILL = Drill()
