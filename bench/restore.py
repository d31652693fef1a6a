"""A restore of many ConfigMaps into a real API server: preview, check by dry runs, writes, a second run; time and the
memory at its peak of who restores.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from sandbox.api import ApiError

from .backup import configmap, peak
from .figure import Figure, Place
from .report import Report, Table
from .workers import Worker

NAMESPACES = 10
AT_ONCE = 8  # as many as a restore sends
# What a restore may take above what its process had before: its own working memory, and each object with its row.
WORKING_MIB, KIB_EACH = 64, 6
ALONE = "each created, and nothing else"


def _archive(path: Path, run: str, objects: int) -> None:
    from dashboard.recovery.archive import ArchiveWriter, ClusterRecord, Entry, Header

    record = ClusterRecord(context="bench", version="v1.36.3")
    header = Header(cluster=record, at="2026-11-28T02:00:00Z", id="0123abcd", secrets=False)
    with path.open("wb") as file, ArchiveWriter(file, header, []) as writer:
        for plural, kind, many in (
            ("namespaces", "Namespace", NAMESPACES),
            ("configmaps", "ConfigMap", objects),
        ):
            for number in range(many):
                body = configmap(number) if kind == "ConfigMap" else {"metadata": {}}
                home = f"{run}-{number % NAMESPACES}"
                meta = body["metadata"] | ({"namespace": home} if kind == "ConfigMap" else {"name": home})
                body |= {"apiVersion": "v1", "kind": kind, "metadata": meta}
                entry = Entry(
                    group="", version="v1", plural=plural, namespace=meta.get("namespace", ""),
                    name=meta["name"], body=body,
                )  # fmt: skip
                if not number:
                    writer.begin(entry.gvr, kind, "1")
                writer.add(entry)
        writer.finish()


def _restore(pipe: Any, kubeconfig: str, home: str, archive: str, run: str, yardstick: int) -> None:
    """Restores all of an archive twice, and says of each stage the seconds of CPU and of the clock; then MiB before and
    at the peak, and what became of the objects.
    """
    os.environ |= {"DJANGO_SETTINGS_MODULE": "cluster_ui.settings", "CLUSTER_UI_HOME": home}
    os.environ.pop("DATABASE_URL", None)
    import django

    django.setup()
    from django.contrib.auth.models import User
    from django.core.management import call_command

    from dashboard.actions.action import Actor
    from dashboard.actions.operation import result_counts
    from dashboard.actions.restore import RestoreOrder, restore_begin, restore_preview
    from dashboard.actions.running import new_holder, operation_run
    from dashboard.kinds.base import GVR
    from dashboard.kube.config import load_clusters
    from dashboard.kube.transport import Transport
    from dashboard.models import Operation
    from dashboard.recovery.choice import Choice

    call_command("migrate", verbosity=0)
    actor = Actor(user=User.objects.create(username="bench"), name="bench")
    stages: list[tuple[str, float, float]] = []
    began = [time.monotonic(), time.process_time()]

    def over(stage: str) -> None:
        stages.append((stage, time.process_time() - began[1], time.monotonic() - began[0]))
        began[:] = time.monotonic(), time.process_time()

    def moved(operation: Operation) -> None:
        if operation.steps[0]["state"] == "done" and not any(stage == "check" for stage, *_ in stages):
            over("check")

    async def alone(transport: Transport) -> None:
        """The yardstick: each object created, and nothing else."""
        namespaces, configmaps = GVR("", "v1", "namespaces", False), GVR("", "v1", "configmaps")
        name, gate = f"{run}-alone", asyncio.Semaphore(AT_ONCE)
        await transport.request("POST", namespaces, body=json.dumps({"metadata": {"name": name}}).encode())

        async def one(number: int) -> None:
            body = configmap(number)
            body["metadata"] = {"name": body["metadata"]["name"]}
            async with gate:
                await transport.request("POST", configmaps, namespace=name, body=json.dumps(body).encode())

        began[:] = time.monotonic(), time.process_time()
        await asyncio.gather(*map(one, range(yardstick)))
        over(ALONE)

    async def work() -> tuple[Operation, set[str]]:
        found = load_clusters(environ={"KUBECONFIG": kubeconfig}, sandbox_kubeconfig=Path(kubeconfig))[0]
        transport, holder = Transport(found), new_holder()
        order = RestoreOrder(transport=transport, actor=actor, archive=archive, choice=Choice())
        try:
            await alone(transport)
            shown = await restore_preview(order)
            over("preview")
            change = await restore_begin(order, shown.token, holder=holder)
            over("begin")
            operation = await operation_run(change, transport, holder, moved)
            over("write")
            again = await restore_preview(order)
            over("preview of a second run")
            return operation, {each.does for each in again.plans}
        finally:
            await transport.close()

    before = peak()
    operation, again = asyncio.run(work())
    pipe.send((stages, before, peak(), result_counts(operation), again))
    pipe.recv()


def run(place: Place, *, objects: int) -> Report:
    """``objects`` into namespaces of the restore's own, with a tenth of them as the yardstick."""
    name, yardstick = f"bench-{secrets.token_hex(4)}", objects // 10
    archive, api = place.home / "bench.tar.zst", place.sandbox.api()
    _archive(archive, name, objects)
    worker = Worker(_restore, str(place.sandbox.kubeconfig), str(place.home), str(archive), name, yardstick)
    try:
        stages, before, most, counts, again = worker.pipe.recv()
    finally:
        worker.end()
        for end in ("alone", *range(NAMESPACES)):
            with suppress(ApiError):  # it went wrong before this one was there
                api.delete(f"/api/v1/namespaces/{name}-{end}")
    if counts != {"done": objects + NAMESPACES} or again != {"same"}:
        raise RuntimeError(f"of {objects} objects became {counts}, and a second run would {again}")
    if most - before > WORKING_MIB + objects * KIB_EACH / 1024:
        raise RuntimeError(f"{objects} objects took {most - before:.0f} MiB of memory")
    rows = []
    for stage, cpu, seconds in stages:
        many = yardstick if stage == ALONE else objects
        rows.append((stage, f"{many:,}", f"{cpu:.1f} s", f"{seconds:.1f} s", f"{many / seconds:,.0f}"))
    columns = ("", "objects", "CPU time of who restores", "time", "objects a second")
    return Report(
        f"A restore of {objects:,} ConfigMaps of 2 KiB into {NAMESPACES} new namespaces of a real API server",
        (Table(columns=columns, rows=rows, yardstick=ALONE),),
        (f"Memory at its peak: {most:.0f} MiB, {before:.0f} MiB before.",),
    )


FIGURE = Figure(name="restore", run=run, full={"objects": 50_000}, short={"objects": 300}, sandbox=True)
