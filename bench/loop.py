"""How long the event loop lets others wait while somebody opens hostile objects.

The API server is the scripted one of the tests, in a process of its own; it holds what anybody may write into a cluster.
Another process asks ``/healthz`` all the time: the longest it waited for an answer while a page was opened, over HTTP and
again over the websocket, is how long the loop was held. Beside it stands the same while nobody does anything, and what
``json.loads`` takes for the bytes of the object.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

import aiohttp
from aiohttp import web

from tests.faults.scripted import ScriptedServer, cluster_at
from tools.server import SESSION, Server

from .figure import Figure, Place
from .report import Report, Table
from .workers import Worker

_HELD = re.compile(r"the event loop was held for .* \(([\d.]+) s of CPU time\) by (.*)")  # the guard's words
NAMESPACE = "hostile"
AIM_MS = 100
PAGE_SECONDS = 180
_OBJECT = re.compile(r"(?:/api/v1|/apis/[^/]+/[^/]+)/namespaces/([^/]+)/([^/]+)/([^/]+)")
Manifest = dict[str, Any]


def hostile(pods: int) -> dict[tuple[str, str], Manifest]:
    """By plural and name: each close to the largest that an API server takes."""
    text = "".join(f"{n}: some words of a text that somebody keeps here\n" for n in range(17_000))
    containers = [{"name": f"c{n}", "image": f"registry.example/a/app-{n}:1"} for n in range(1000)]
    env = [{"name": f"VARIABLE_{n}", "value": f"value {n}"} for n in range(10_000)]
    template = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": containers}}
    made: dict[tuple[str, str], Manifest] = {
        ("configmaps", "dashes"): {"data": {"list": "- " * 30_000 + "x\n"}},
        ("configmaps", "text"): {"data": {"text.yaml": text}},
        ("configmaps", "one-line"): {"data": {"line": "%ü" * 300_000}},
        ("configmaps", "brackets"): {"data": {"deep.yaml": "[" * 60_000}},
        ("configmaps", "keys"): {"data": {f"key-{n:04}": f"value {n}\n" for n in range(2500)}},
        ("pods", "env"): {
            "spec": {"containers": [{"name": "app", "image": "a", "env": env}], "nodeName": "n"},
            "status": {"phase": "Running"},
        },
        ("pods", "annotated"): {
            "metadata": {"annotations": {f"example.com/note-{n}": "x" * 250 for n in range(1000)}},
            "spec": {"containers": [{"name": "app", "image": "a"}]},
            "status": {"phase": "Running"},
        },
        ("deployments", "containers"): {
            "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "x"}}, "template": template}
        },
    }
    for n in range(pods):
        made["pods", f"web-{n}"] = {
            "metadata": {"labels": {"app": f"web-{n % 50}"}},
            "spec": {"containers": [{"name": "app", "image": f"a/app-{n % 50}:1"}], "nodeName": "n"},
            "status": {"phase": "Running", "podIP": f"10.0.{n // 250}.{n % 250}"},
        }
        made["events", f"web-{n}.1"] = {
            "involvedObject": {"kind": "Pod", "namespace": NAMESPACE, "name": "env"},
            "reason": "Failed",
            "type": "Warning",
            "message": f"{n} " + "it did not work " * 60,
        }
    return made


WORDS = " ".join(f"w{n}" for n in range(5000))
PAGES = {
    "YAML of 60 kB of dashes": ("configmaps/{}/dashes/yaml/", "dashes"),
    "YAML of 900 kB of text": ("configmaps/{}/text/yaml/", "text"),
    "YAML of one line of 900 kB": ("configmaps/{}/one-line/yaml/", "one-line"),
    "YAML of 2,500 keys": ("configmaps/{}/keys/yaml/", "keys"),
    "page of 2,500 keys": ("configmaps/{}/keys/", "keys"),
    "values of 900 kB of text": ("configmaps/{}/text/values/", "text"),
    "YAML of 10,000 variables": ("pods/{}/env/yaml/", "env"),
    "page of 10,000 variables": ("pods/{}/env/", "env"),
    "JSON of 10,000 variables": ("pods/{}/env/?format=json", "env"),
    "page of 250 kB of annotations": ("pods/{}/annotated/", "annotated"),
    "page of 1,000 containers": ("deployments/{}/containers/", "containers"),
    "list of Events of 1 kB": ("events/", ""),
    "Events of one object": ("pods/{}/env/events/", ""),
    "filter of 5,000 words": (f"pods/?q={WORDS[:14_000].replace(' ', '+')}", ""),
    "filter of 10 words": ("pods/?q=web+a+w+e+b+-+1+2+0+p", ""),
    "all rows as JSON": ("pods/?format=json", ""),
}


class _Objects(ScriptedServer):
    """Gives single objects too."""

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if found := _OBJECT.fullmatch(request.path):
            obj = self._objects.get((found[2], found[1], found[3]))
            if obj is not None:
                return web.json_response(obj)
        return await super()._handle(request)


def _cluster(pipe: Connection, pods: int) -> None:
    asyncio.run(_serve(pipe, pods))


async def _serve(pipe: Connection, pods: int) -> None:
    server = _Objects()
    server.served |= {"/apis/apps/v1", "/apis/batch/v1"}
    for (plural, name), manifest in hostile(pods).items():
        rest = {key: value for key, value in manifest.items() if key != "metadata"}
        server.put(name, NAMESPACE, plural=plural, **rest)
        server._objects[plural, NAMESPACE, name]["metadata"] |= manifest.get("metadata", {})
    await server.start()
    pipe.send(server.url)
    await asyncio.to_thread(pipe.recv)
    await server.stop()


def _probe(pipe: Connection, port: int) -> None:
    """Asks all the time; at each word from the pipe, sends the longest wait since the last one, in seconds."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PAGE_SECONDS)
    longest = 0.0
    while True:
        began = time.monotonic()
        try:
            connection.request("GET", "/healthz")
            connection.getresponse().read()
        except OSError:
            connection.close()
        longest = max(longest, time.monotonic() - began)
        if pipe.poll(0.005):
            if pipe.recv() is None:
                return
            pipe.send(longest)
            longest = 0.0


async def _open(session: aiohttp.ClientSession, base: str, path: str) -> tuple[int, int]:
    """Bytes of the page, and of the largest message that the websocket sends for it to who has nothing yet."""
    async with session.get(base + path) as answer:
        size = len(await answer.read())
    largest = 0
    if "format=" in path:
        return size, largest
    headers = {"Origin": base}
    async with session.ws_connect(f"{base}/ws/c/test/", headers=headers, max_msg_size=0) as socket:
        await socket.send_str(json.dumps({"t": "look", "view": 1, "path": path, "have": {}}))
        frames = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(PAGE_SECONDS):
                async for message in socket:
                    largest = max(largest, len(message.data.encode()))
                    said = json.loads(message.data)["t"]
                    frames += said == "frame"
                    if frames == 2 or said in ("reload", "beat"):
                        break
    return size, largest


IDLE = "nobody does anything"


async def _measure(server: Server, settle: float) -> list[tuple[str, ...]]:
    """A row for each page: the longest wait, its bytes, those of its largest message, and the yardstick."""
    objects = {name: json.dumps(manifest).encode() for (_, name), manifest in hostile(0).items()}
    probe = Worker(_probe, server.port)
    rows: list[tuple[str, ...]] = []
    async with aiohttp.ClientSession(
        cookie_jar=aiohttp.CookieJar(unsafe=True), timeout=aiohttp.ClientTimeout(PAGE_SECONDS)
    ) as session:
        session.cookie_jar.update_cookies({SESSION: await asyncio.to_thread(server.session)})
        for path in ("", "pods/", "configmaps/", "events/", "deployments/"):  # what watches read first
            await _open(session, server.base, f"/c/test/{path}")
        await asyncio.sleep(settle)
        probe.ask()
        await asyncio.sleep(2 * settle)
        rows.append((IDLE, f"{probe.ask() * 1e3:.0f} ms", "–", "–", "–"))
        longest = 0.0
        for title, (path, name) in PAGES.items():
            await asyncio.sleep(settle)
            probe.ask()
            size, largest = await _open(session, server.base, "/c/test/" + path.format(NAMESPACE))
            if not size:
                raise RuntimeError(f"{title}: an empty page")
            held = await asyncio.to_thread(probe.ask)
            longest = max(longest, held)
            yardstick = f"{_loads(objects[name]) * 1e3:.0f} ms" if name else "–"
            rows.append(
                (title, f"{held * 1e3:.0f} ms", f"{size / 1e3:.0f} kB", f"{largest / 1e3:.0f} kB", yardstick)
            )
        rows.append(("the longest", f"{longest * 1e3:.0f} ms", "–", "–", "–"))
    probe.end()
    return rows


def _held(log: str) -> tuple[str, list[str]]:
    """What the guard logged, by the loop's CPU time: that does not grow because other programs run too."""
    found = sorted(((float(cpu), where) for cpu, where in _HELD.findall(log)), reverse=True)
    longest = found[0][0] * 1e3 if found else 0
    said = f"{longest:.0f} ms, more than {AIM_MS} ms by the clock {len(found)} times"
    return said, [f"- {cpu * 1e3:.0f} ms: {where}" for cpu, where in found[:5]]


def _loads(body: bytes) -> float:
    began = time.process_time()
    json.loads(body)
    return time.process_time() - began


def run(place: Place, *, pods: int, settle: float) -> Report:
    """``settle``: seconds of rest between two pages."""
    cluster = Worker(_cluster, pods)
    cluster_at(place.home, cluster.pipe.recv())
    try:
        with Server(place.home / "server", place.home / "kubeconfig") as server:
            rows = asyncio.run(_measure(server, settle))
            held, where = _held(server.log.read_text())
    finally:
        cluster.end()
    rows.append((f"the longest by the CPU time of the loop (aim {AIM_MS} ms)", held, "–", "–", "–"))
    columns = ("", "longest wait for /healthz", "page", "largest message", "`json.loads` of the object")
    return Report(
        f"How long others wait while somebody opens hostile objects, beside {pods:,} failing pods and as many Events",
        (Table(columns=columns, rows=rows, yardstick=IDLE),),
        ["\n".join(("What held the loop, by its CPU time:", "", *where))] if where else (),
    )


FIGURE = Figure(name="loop", run=run, full={"pods": 3_000, "settle": 1.0}, short={"pods": 100, "settle": 0.1})
