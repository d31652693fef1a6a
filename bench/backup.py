"""A backup of many ConfigMaps from an API server that only lists: time, size, and peak memory of who makes it."""

from __future__ import annotations

import asyncio
import json
import random
import resource
import time
from pathlib import Path
from typing import Any

import pyrage
import yaml
from aiohttp import web

from .figure import Figure, Place
from .report import Report, Table
from .workers import Worker

PADDING = 1_500  # bytes of values in each


def configmap(number: int) -> dict[str, Any]:
    """Of some 2 KiB, a third of it unlike all others, as settings of applications are."""
    words = random.Random(number)
    value = "".join(words.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=PADDING // 3))
    metadata = {
        "name": f"settings-{number:06}",
        "namespace": f"team-{number % 100:02}",
        "uid": f"{words.getrandbits(128):032x}",
        "resourceVersion": str(1000 + number),
        "managedFields": [{"manager": "kubectl", "operation": "Apply", "fieldsV1": {"f:data": {"f:a": {}}}}],
        "labels": {"app.kubernetes.io/name": f"app-{number % 700}"},
    }
    return {
        "metadata": metadata,
        "data": {"random": value, "common": "level=info timeout=30s\n" * (PADDING // 36)},
    }


def _serve(pipe: Any, objects: int) -> None:
    """An API server in a process of its own: discovery, and lists of one kind in pages. Says its port first."""

    async def configmaps(request: web.Request) -> web.Response:
        begin = int(request.query.get("continue") or 0)
        end = min(objects, begin + int(request.query["limit"]))
        metadata = {"resourceVersion": "99", **({"continue": str(end)} if end < objects else {})}
        items = [configmap(number) for number in range(begin, end)]
        return web.json_response({"metadata": metadata, "items": items})

    async def told(request: web.Request) -> web.Response:
        kind = {"name": "configmaps", "kind": "ConfigMap", "namespaced": True, "verbs": ["list", "watch"]}
        answers: dict[str, Any] = {
            "/version": {"gitVersion": "v1.36.3"},
            "/api": {"kind": "APIVersions", "versions": ["v1"]},
            "/apis": {"kind": "APIGroupList", "groups": []},
            "/api/v1": {"resources": [kind]},
            "/api/v1/namespaces/kube-system": {"metadata": {"name": "kube-system", "uid": "u"}},
        }
        return web.json_response(answers[request.path])

    async def run() -> None:
        app = web.Application()
        app.router.add_get("/api/v1/configmaps", configmaps)
        app.router.add_get("/{path:.*}", told)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        pipe.send(runner.addresses[0][1])
        await asyncio.to_thread(pipe.recv)

    asyncio.run(run())


def _back_up(pipe: Any, port: int, folder: str, encrypted: bool) -> None:
    """Makes one, and says seconds of CPU and of the clock, MiB at the peak and before, and bytes of the archive."""
    import os

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cluster_ui.settings")
    django.setup()
    from dashboard.kube.config import load_clusters
    from dashboard.kube.transport import Transport
    from dashboard.recovery.create import BackupRequest, Made, backup_create
    from dashboard.recovery.storage import Storage

    config = Path(folder) / "kubeconfig"
    cluster = {"name": "bench", "cluster": {"server": f"http://127.0.0.1:{port}"}}
    context = {"name": "bench", "context": {"cluster": "bench", "user": "bench"}}
    users = [{"name": "bench", "user": {}}]
    config.write_text(
        yaml.safe_dump(
            {"current-context": "bench", "clusters": [cluster], "contexts": [context], "users": users}
        )
    )
    recipients = (pyrage.x25519.Identity.generate().to_public(),) if encrypted else ()

    async def make() -> Made:
        found = load_clusters(environ={"KUBECONFIG": str(config)}, sandbox_kubeconfig=None)[0]
        transport = Transport(found)
        try:
            return await backup_create(
                transport=transport,
                storage=Storage(folder),
                wanted=BackupRequest(recipients=recipients, without_secrets=True),
            )
        finally:
            await transport.close()

    before, began, worked = peak(), time.monotonic(), time.process_time()
    made = asyncio.run(make())
    seconds = time.monotonic() - began
    cpu = time.process_time() - worked
    pipe.send((made.manifest.objects, cpu, seconds, peak(), before, made.summary.size_bytes))
    pipe.recv()


def peak() -> float:
    """MiB that this process has had at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run(place: Place, *, objects: int) -> Report:
    """``objects`` and a tenth of them, plain and encrypted: verified ones, so each is written and read."""
    body = json.dumps([configmap(number) for number in range(objects)]).encode()
    began = time.process_time()
    json.loads(body)
    plain = f"`json.loads` of {objects:,} alone"
    rows = [(plain, "–", f"{time.process_time() - began:.1f} s", "–", f"{len(body) / 2**20:.1f} MiB", "–")]
    for count, encrypted in ((objects // 10, False), (objects, False), (objects, True)):
        server = Worker(_serve, count)
        port = server.pipe.recv()
        folder = place.home / f"{count}-{encrypted}"
        folder.mkdir()
        maker = Worker(_back_up, port, str(folder), encrypted)
        made, cpu, seconds, peak, before, written = maker.pipe.recv()
        maker.end()
        server.end()
        if made != count:
            raise RuntimeError(f"{made} of {count} objects are in the backup")
        rows.append(
            (
                f"{made:,}",
                "yes" if encrypted else "no",
                f"{cpu:.1f} s",
                f"{seconds:.1f} s",
                f"{written / 2**20:.1f} MiB",
                f"{peak:.0f} MiB ({before:.0f})",
            )
        )
    columns = ("objects", "encrypted", "CPU time", "time", "archive", "memory at its peak (before)")
    return Report(
        f"A backup of {objects:,} ConfigMaps of {len(body) // objects:,} bytes, listed, written, read back",
        (Table(columns=columns, rows=rows, yardstick=plain),),
    )


FIGURE = Figure(name="backup", run=run, full={"objects": 50_000}, short={"objects": 500})
