"""An API server on 127.0.0.1 that does what a test tells it: lists in chunks, watches, and every fault on demand.

It keeps objects of any resource with a revision counter and a history, as etcd does, so that a test can ask at the
end whether a copy equals the server's state. It knows only what lists, watches, logs and access reviews need.
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

from dashboard.kinds.base import GVR, Detail, Kind, Object, Row
from dashboard.kube.config import Cluster, load_clusters

Key = tuple[str, str, str]  # plural, namespace, name
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _never(_: Object) -> Any:
    raise AssertionError("not needed here")


def thing_kind(plural: str = "things", *, namespaced: bool = True) -> Kind[Object]:
    """A kind that keeps only its metadata."""
    row: Callable[[Object], Row] = _never
    detail: Callable[[Object], Detail] = _never
    return Kind(
        gvr=GVR("", "v1", plural, namespaced),
        kind="Thing",
        title="Things",
        singular="Thing",
        section="Tests",
        type=Object,
        columns=(),
        row=row,
        detail=detail,
        explain="A thing.",
    )


THING = thing_kind()


def status_body(code: int, reason: str, message: str, **details: Any) -> dict[str, Any]:
    """A Kubernetes Status."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": message,
        "details": details,
    }


def failure(code: int, reason: str, message: str = "", *, headers: dict[str, str] | None = None) -> Answer:
    """An answer for ``ScriptedServer.answers``."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response(status_body(code, reason, message or reason), status=code, headers=headers)

    return answer


def stamp(second: float) -> str:
    """A moment of the year 2026 as a kubelet writes it: RFC 3339 with nanoseconds."""
    return f"2026-01-01T00:{int(second) // 60:02}:{int(second) % 60:02}.{round(second % 1 * 1e9):09}Z"


class Log:
    """A container's log at its kubelet: written by the test, read as ``kubectl logs`` would read it."""

    def __init__(self) -> None:
        self.lines: list[tuple[float, str]] = []
        self.opened: list[dict[str, str]] = []  # the query of each reading
        self._more = asyncio.Event()
        self._cut = False

    def write(self, second: float, *texts: str) -> None:
        """Lines of one moment."""
        self.lines += [(second, text) for text in texts]
        self._wake()

    def rotate(self) -> None:
        """What was written is not kept any more."""
        self.lines.clear()

    def cut(self) -> None:
        """Breaks the readings under way in their middle."""
        self._cut = True
        self._wake()

    def _wake(self) -> None:
        self._more.set()
        self._more = asyncio.Event()

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self._cut = False
        self.opened.append(dict(request.query))
        response = web.StreamResponse()
        since = request.query.get("sinceTime", "")
        shown = [line for line in self.lines if stamp(line[0]) >= since.replace("Z", "")]
        shown = shown[-int(request.query.get("tailLines", 1_000_000)) :]
        at = len(self.lines)
        await self._send(request, response, shown)
        while request.query.get("follow") and not self._cut:
            more = self._more
            if len(self.lines) == at:
                await more.wait()
            new, at = self.lines[at:], len(self.lines)
            await self._send(request, response, new)
        if self._cut and request.transport is not None:
            request.transport.abort()
        return response

    async def _send(
        self, request: web.Request, response: web.StreamResponse, lines: list[tuple[float, str]]
    ) -> None:
        """As a kubelet: not even the head of the answer before there is a line, unless the log ends."""
        if lines or not request.query.get("follow"):
            if not response.prepared:
                await response.prepare(request)
            await response.write("".join(f"{stamp(second)} {text}\n" for second, text in lines).encode())


@dataclass(slots=True)
class Recorded:
    """A request that arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]


@dataclass(slots=True, eq=False)
class _Watcher:
    plural: str
    namespace: str
    lines: asyncio.Queue[bytes | None] = field(default_factory=asyncio.Queue)
    request: web.Request | None = None


class ScriptedServer:
    """Start and stop it as often as needed: it stays on its port and keeps its objects."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Recorded] = []
        # Taken one by one for the next requests that match.
        self.list_answers: deque[Answer] = deque()
        self.watch_answers: deque[Answer] = deque()
        self.paths: dict[str, Answer] = {}  # whole answers, by the beginning of a path
        self.logs: dict[str, Answer] = {}  # by "<pod>/<container>", for as long as it is there
        self.tokens: set[str] | None = None  # None: nobody has to sign in
        # (plural, namespace or "" for the cluster) that are refused; "*" stands for every namespace.
        self.refused: set[tuple[str, str]] = set()
        self.served = {"/api/v1"}  # groups with a version, such as /apis/apps/v1
        self.oldest = 0  # watches from before are told 410
        self.gone_in_stream = False
        self.muted = False  # half-open: connections stay, nothing is sent
        self.expire_continue = False
        self.revision = 100
        self._tls = tls
        self._objects: dict[Key, dict[str, Any]] = {}
        self._history: list[tuple[int, str, Key, dict[str, Any]]] = []
        self._watchers: list[_Watcher] = []
        self._runner: web.AppRunner | None = None
        self.port = 0

    # The process

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def watchers(self) -> int:
        return len(self._watchers)

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self._tls, reuse_address=True)
        await site.start()
        assert site._server is not None
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]

    async def stop(self) -> None:
        """As a killed process: open connections break."""
        self.cut()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    def cut(self) -> None:
        """Breaks every watch in the middle."""
        for watcher in self._watchers:
            if watcher.request is not None and watcher.request.transport is not None:
                watcher.request.transport.abort()
            watcher.lines.put_nowait(None)
        self._watchers.clear()

    def end_watches(self) -> None:
        """Ends every watch in good order, as when its time is over."""
        for watcher in self._watchers:
            watcher.lines.put_nowait(None)
        self._watchers.clear()

    # The objects

    def put(
        self, name: str, namespace: str = "default", *, plural: str = "things", told: bool = True, **more: Any
    ) -> str:
        """Creates or changes; returns the resourceVersion. Not ``told``: watches do not hear of it.

        ``more``: further members of the object, such as ``spec``.
        """
        key = (plural, namespace, name)
        self.revision += 1
        known = self._objects.get(key)
        uid = known["metadata"]["uid"] if known else f"uid-{name}-{self.revision}"
        obj = {
            "metadata": {
                "name": name,
                "namespace": namespace,
                "uid": uid,
                "resourceVersion": str(self.revision),
            }
        }
        obj |= more
        self._objects[key] = obj
        self._record("MODIFIED" if known else "ADDED", key, obj, told)
        return str(self.revision)

    def delete(
        self, name: str, namespace: str = "default", *, plural: str = "things", told: bool = True
    ) -> None:
        """Deletes; the event carries the revision of the deletion."""
        key = (plural, namespace, name)
        obj = self._objects.pop(key)
        self.revision += 1
        last = {"metadata": {**obj["metadata"], "resourceVersion": str(self.revision)}}
        self._record("DELETED", key, last, told)

    def state(
        self, plural: str = "things", namespaces: Iterable[str] | None = None
    ) -> dict[tuple[str, str], str]:
        """What a correct copy holds: uid by namespace and name, with the resourceVersion."""
        wanted = None if namespaces is None else set(namespaces)
        return {
            (namespace, name): f"{obj['metadata']['uid']}@{obj['metadata']['resourceVersion']}"
            for (kind, namespace, name), obj in self._objects.items()
            if kind == plural and (wanted is None or namespace in wanted)
        }

    def forget_history(self) -> None:
        """As etcd's compaction: watches from before now are told 410."""
        self.oldest = self.revision
        self._history.clear()

    def restore(self, revision: int) -> None:
        """As from a backup: everything is gone, and revisions start lower."""
        self._objects.clear()
        self._history.clear()
        self.revision = revision

    # Lines to the watches

    def send(self, event: str, obj: dict[str, Any]) -> None:
        """Any line, to every watch."""
        line = json.dumps({"type": event, "object": obj}).encode()
        for watcher in self._watchers:
            watcher.lines.put_nowait(line)

    def send_object(
        self, event: str, name: str, version: str, namespace: str = "default", uid: str = ""
    ) -> None:
        """An event that the history does not hold."""
        metadata = {"name": name, "namespace": namespace, "uid": uid, "resourceVersion": version}
        self.send(event, {"metadata": metadata})

    def bookmark(self) -> None:
        self.send("BOOKMARK", {"metadata": {"resourceVersion": str(self.revision)}})

    def send_error(self, code: int, reason: str) -> None:
        self.send("ERROR", status_body(code, reason, reason))

    # Serving

    def counted(self, *, watch: bool, path: str = "") -> int:
        """How many lists or watches arrived."""
        return sum(
            1
            for request in self.requests
            if request.method == "GET"
            and ("watch" in request.query) == watch
            and request.path.startswith(path)
        )

    def _record(self, event: str, key: Key, obj: dict[str, Any], told: bool) -> None:
        if not told:
            return
        self._history.append((self.revision, event, key, obj))
        line = json.dumps({"type": event, "object": obj}).encode()
        for watcher in self._watchers:
            if watcher.plural == key[0] and watcher.namespace in ("", key[1]):
                watcher.lines.put_nowait(line)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        query = dict(request.query)
        self.requests.append(Recorded(request.method, request.path, query, dict(request.headers)))
        if self.tokens is not None and request.headers.get("Authorization", "")[7:] not in self.tokens:
            return web.json_response(status_body(401, "Unauthorized", "Unauthorized"), status=401)
        if request.path == "/version":
            return web.json_response({"gitVersion": "v1.36.3", "major": "1", "minor": "36"})
        if request.path.endswith("/selfsubjectaccessreviews"):
            return await self._review(request)
        for beginning, answer in self.paths.items():
            if request.path.startswith(beginning):
                return await answer(request)
        if log := re.fullmatch(r"/api/v1/namespaces/[^/]+/pods/([^/]+)/log", request.path):
            missing = failure(404, "NotFound", f'pods "{log[1]}" not found')
            return await self.logs.get(f"{log[1]}/{query['container']}", missing)(request)
        match = re.fullmatch(r"(/api/v1|/apis/[^/]+/[^/]+)(?:/namespaces/([^/]+))?/([^/]+)", request.path)
        if match is None or match[1] not in self.served:
            return web.json_response(status_body(404, "NotFound", "not found"), status=404)
        namespace, plural = match[2] or "", match[3]
        answers = self.watch_answers if "watch" in query else self.list_answers
        if answers:
            return await answers.popleft()(request)
        if self._is_refused(plural, namespace):
            where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
            message = f'{plural} is forbidden: User "u" cannot list resource "{plural}" {where}'
            return web.json_response(status_body(403, "Forbidden", message), status=403)
        if "watch" in query:
            return await self._watch(request, plural, namespace)
        return self._list(query, plural, namespace)

    def _is_refused(self, plural: str, namespace: str) -> bool:
        if not namespace:
            return (plural, "") in self.refused
        return (plural, namespace) in self.refused or (plural, "*") in self.refused

    async def _review(self, request: web.Request) -> web.Response:
        asked = (await request.json())["spec"]["resourceAttributes"]
        allowed = not self._is_refused(asked["resource"], asked["namespace"])
        return web.json_response(
            {"status": {"allowed": allowed, "reason": "" if allowed else "no rule"}}, status=201
        )

    def _list(self, query: dict[str, str], plural: str, namespace: str) -> web.Response:
        start, version = 0, str(self.revision)
        if token := query.get("continue"):
            if self.expire_continue:
                self.expire_continue = False
                body = status_body(410, "Expired", "The provided continue parameter is too old")
                return web.json_response(body, status=410)
            version, offset = token.split("-")
            start = int(offset)
        items = [
            obj
            for (kind, where, _), obj in sorted(self._objects.items())
            if kind == plural and namespace in ("", where)
        ]
        end = start + int(query["limit"]) if "limit" in query else len(items)
        metadata: dict[str, Any] = {"resourceVersion": version}
        if end < len(items):
            metadata |= {"continue": f"{version}-{end}", "remainingItemCount": len(items) - end}
        return web.json_response({"metadata": metadata, "items": items[start:end]})

    async def _watch(self, request: web.Request, plural: str, namespace: str) -> web.StreamResponse:
        since = int(request.query["resourceVersion"])
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        expired = status_body(410, "Expired", f"too old resource version: {since} ({self.oldest})")
        if since < self.oldest and not self.gone_in_stream:
            return web.json_response(expired, status=410)
        if self.muted:
            await asyncio.Event().wait()
        await response.prepare(request)
        if since < self.oldest:
            await response.write(json.dumps({"type": "ERROR", "object": expired}).encode() + b"\n")
            return response
        watcher = _Watcher(plural, namespace, request=request)
        for revision, event, key, obj in self._history:
            if revision > since and key[0] == plural and namespace in ("", key[1]):
                watcher.lines.put_nowait(json.dumps({"type": event, "object": obj}).encode())
        self._watchers.append(watcher)
        try:
            while (line := await watcher.lines.get()) is not None:
                if not self.muted:
                    await response.write(line + b"\n")
        except ConnectionError:
            pass
        finally:
            if watcher in self._watchers:
                self._watchers.remove(watcher)
        return response


def cluster_at(
    directory: Path, server: str, *, user: dict[str, Any] | None = None, **cluster: Any
) -> Cluster:
    """A cluster out of a kubeconfig written into ``directory``."""
    path = directory / "kubeconfig"
    document = {
        "current-context": "test",
        "contexts": [
            {
                "name": "test",
                "context": {"cluster": "c", "user": "u", "namespace": cluster.pop("namespace", "")},
            }
        ],
        "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
        "users": [{"name": "u", "user": user or {}}],
    }
    path.write_text(yaml.safe_dump(document))
    return load_clusters(environ={"KUBECONFIG": str(path)}, sandbox_kubeconfig=None)[0]


def copied(objects: Iterable[Object]) -> dict[tuple[str, str], str]:
    """What a store holds, in the form of ``ScriptedServer.state()``."""
    return {
        (obj.metadata.namespace, obj.metadata.name): f"{obj.metadata.uid}@{obj.metadata.resource_version}"
        for obj in objects
    }


async def until(condition: Callable[[], bool], what: str = "", *, seconds: float = 60.0) -> None:
    """Waits for a condition."""
    try:
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 anything may be waited for
                await asyncio.sleep(0.002)
    except TimeoutError:
        raise AssertionError(f"never happened: {what or condition}") from None
