"""An API server that holds ten thousand pods or more, each as large as a real one. Runs in a process of its own.

Its pods are bytes, made once: how long it takes to answer is how long it takes to send them. Other kinds are empty.
metrics.k8s.io says what each pod uses, as metrics-server does: another figure at each request.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

from aiohttp import web

NAMESPACES, NODES, OWNERS = 40, 100, 300
POD_BYTES = 9_700  # of a pod of a real cluster, managed fields among it
# POST: so many pods (``count``) restart, one every ``every`` seconds, beginning with the change number ``first``: in turn
# all of them, or ``among`` so many. Answers with the name of each, how often it was restarted by now, and when that was
# sent, in milliseconds of the wall clock.
RESTARTED = "/bench/restarted"
REQUESTS = (
    "/bench/requests"  # GET: how many requests arrived since the last time, by "<verb> <plural or path>"
)
METRICS = "/apis/metrics.k8s.io/v1beta1/"
_LIST = re.compile(r"/(?:api/v1|apis/[^/]+/[^/]+)(?:/namespaces/[^/]+)?/([^/]+)")
_FIRST_VERSION = 1000


def pod_name(number: int) -> str:
    return f"web-{number % OWNERS}-5d4f8c7b9-x{number:05}"


def pod(number: int, *, restarts: int = 0, version: int | None = None) -> bytes:
    """A running pod as JSON, padded by managed fields to its size."""
    app, name = f"web-{number % OWNERS}", pod_name(number)
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": f"{app}-5d4f8c7b9", "uid": app}
    status = {"ready": True, "started": True, "restartCount": restarts, "name": "main", "image": "app:1"}
    status["state"] = {"running": {"startedAt": "2026-01-01T00:00:01Z"}}
    made: dict[str, Any] = {
        "metadata": {
            "name": name,
            "namespace": f"team-{number % NAMESPACES}",
            "uid": f"{number:08x}-0000-4000-8000-{number:012x}",
            "resourceVersion": str(version or number + 1),
            "labels": {"app": app, "tier": "front", "pod-template-hash": "5d4f8c7b9"},
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "ownerReferences": [owner],
        },
        "spec": {
            "nodeName": f"node-{number % NODES}",
            "containers": [
                {
                    "name": "main",
                    "image": f"registry.example/team/app-{number % 50}:1.{number % 9}",
                    "env": [{"name": f"SETTING_{n}", "value": f"value {n}"} for n in range(12)],
                    "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
                }
            ],
        },
        "status": {
            "phase": "Running",
            "conditions": [
                {"type": each, "status": "True", "lastTransitionTime": "2026-01-01T00:00:02Z"}
                for each in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
            ],
            "podIPs": [{"ip": f"10.{number // 65536}.{number // 256 % 256}.{number % 256}"}],
            "containerStatuses": [status],
        },
    }  # fmt: skip
    rest = POD_BYTES - len(json.dumps(made))
    fields: dict[str, Any] = {
        f"f:field-{n:04}": {"f:name": {}, "f:value": {}} for n in range(max(0, rest // 50))
    }
    made["metadata"]["managedFields"] = [{"manager": "kubelet", "operation": "Update", "fieldsV1": fields}]
    return json.dumps(made, separators=(",", ":")).encode()


def table_row(number: int) -> bytes:
    """A pod as a row of a Table without its object, with the cells of `kubectl get -o wide`."""
    name = pod_name(number)
    ip = f"10.{number // 65536}.{number // 256 % 256}.{number % 256}"
    cells = [name, "1/1", "Running", 0, "40d", ip, f"node-{number % NODES}", "<none>", "<none>"]
    return json.dumps({"cells": cells, "object": None}, separators=(",", ":")).encode()


def pod_metrics(number: int, second: int) -> bytes:
    """What a pod uses, as JSON."""
    name, namespace = pod_name(number), f"team-{number % NAMESPACES}"
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second))
    use = f'"cpu":"{1_000_000 + (number + second) % 9_000_000}n","memory":"{20_000 + number % 9_000}Ki"'
    return (
        f'{{"metadata":{{"name":"{name}","namespace":"{namespace}","creationTimestamp":"{moment}"}},'
        f'"timestamp":"{moment}","window":"15s","containers":[{{"name":"main","usage":{{{use}}}}}]}}'
    ).encode()


class Crowd:
    def __init__(self, count: int) -> None:
        self._pods = [pod(number) for number in range(count)]
        self._version = _FIRST_VERSION + count
        self._watches: list[asyncio.Queue[bytes]] = []
        self._requests: Counter[str] = Counter()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.path == REQUESTS:
            requests, self._requests = self._requests, Counter()
            return web.json_response(requests)
        self._requests[_asked(request)] += 1
        if request.path == "/version":
            return web.json_response({"gitVersion": "v1.36.3", "major": "1", "minor": "36"})
        if request.path.endswith("/selfsubjectaccessreviews"):
            return web.json_response({"status": {"allowed": True}}, status=201)
        if request.path == RESTARTED:
            first, among = (int(request.query.get(name, "0")) for name in ("first", "among"))
            numbers = range(first, first + int(request.query["count"]))
            every = float(request.query["every"])
            return web.json_response(await self._restart(numbers, every, among or len(self._pods)))
        if request.path.startswith(METRICS):
            return self._measured(request.path.removeprefix(METRICS))
        match = _LIST.fullmatch(request.path)
        if match is not None and match[1] == "pods" and "includeObject" in request.query:
            rows = b",".join(map(table_row, range(len(self._pods))))
            return web.Response(
                body=b'{"kind":"Table","rows":[' + rows + b"]}", content_type="application/json"
            )
        if "as=Table" in request.headers.get("Accept", "") and "watch" not in request.query:
            columns = [{"name": "Name", "type": "string", "format": "name", "priority": 0}]
            metadata = {"resourceVersion": str(self._version)}
            table = {"kind": "Table", "metadata": metadata, "columnDefinitions": columns, "rows": []}
            return web.json_response(table)
        if match is None:
            return web.json_response({"kind": "Status", "code": 404, "reason": "NotFound"}, status=404)
        if "watch" in request.query:
            return await self._watch(request, match[1])
        return await self._list(request, match[1])

    def _measured(self, plural: str) -> web.Response:
        now, count = int(time.time()), len(self._pods) if plural == "pods" else 0
        items = b",".join(pod_metrics(number, now) for number in range(count))
        return web.Response(body=b'{"items":[' + items + b"]}", content_type="application/json")

    async def _list(self, request: web.Request, plural: str) -> web.StreamResponse:
        start = int(request.query.get("continue", "0"))
        end = start + int(request.query.get("limit", len(self._pods)))
        metadata: dict[str, Any] = {"resourceVersion": str(self._version)}
        if plural == "pods" and end < len(self._pods):
            metadata |= {"continue": str(end), "remainingItemCount": len(self._pods) - end}
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        await response.write(f'{{"metadata":{json.dumps(metadata)},"items":['.encode())
        for piece in self._pieces(start, end) if plural == "pods" else ():
            await response.write(piece)
        await response.write(b"]}")
        return response

    def _pieces(self, start: int, end: int) -> Iterator[bytes]:
        """The pods of a list, a hundred at a time."""
        for at in range(start, min(end, len(self._pods)), 100):
            yield (b"," if at > start else b"") + b",".join(self._pods[at : min(at + 100, end)])

    async def _watch(self, request: web.Request, plural: str) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        lines: asyncio.Queue[bytes] = asyncio.Queue()
        if plural == "pods":
            self._watches.append(lines)
        try:
            while True:
                await response.write(await lines.get())
        except ConnectionError:
            return response
        finally:
            if lines in self._watches:
                self._watches.remove(lines)

    async def _restart(self, numbers: range, every: float, among: int) -> list[tuple[str, int, float]]:
        began, sent = time.monotonic(), []
        for number in numbers:
            self._version += 1
            at = number % among * 37 % len(self._pods)
            self._pods[at] = pod(at, restarts=number + 1, version=self._version)
            sent.append((pod_name(at), number + 1, time.time() * 1e3))
            for watch in self._watches:
                watch.put_nowait(b'{"type":"MODIFIED","object":' + self._pods[at] + b"}\n")
            # On the clock: what a busy machine made late comes at once.
            await asyncio.sleep(max(0.0, began + len(sent) * every - time.monotonic()))
        return sent


def _asked(request: web.Request) -> str:
    """The verb, and the plural; for what is about no kind the path."""
    found = _LIST.fullmatch(request.path)
    if found is None or request.method != "GET":
        return f"{request.method.lower()} {request.path}"
    verb = "watch" if "watch" in request.query else "list"
    return f"{verb} {'metrics: ' * request.path.startswith(METRICS)}{found[1]}"


def serve(pipe: Connection, count: int) -> None:
    """Sends its address; ends at the first word from the pipe."""
    asyncio.run(_serve(pipe, count))


def restart(
    url: str, count: int, every: float, first: int = 0, among: int = 0
) -> list[tuple[str, int, float]]:
    """See ``RESTARTED``."""
    asked = f"{url}{RESTARTED}?count={count}&every={every}&first={first}&among={among}"
    with urllib.request.urlopen(urllib.request.Request(asked, method="POST")) as answer:  # noqa: S310 # our own server
        return [(name, restarts, at) for name, restarts, at in json.load(answer)]


def requests(url: str) -> dict[str, int]:
    """See ``REQUESTS``."""
    with urllib.request.urlopen(url + REQUESTS) as answer:  # noqa: S310 # our own server
        found: dict[str, int] = json.load(answer)
    return found


async def _serve(pipe: Connection, count: int) -> None:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", Crowd(count).handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    pipe.send(f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}")  # type: ignore[attr-defined]
    await asyncio.to_thread(pipe.recv)
    await runner.cleanup()
