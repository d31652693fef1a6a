"""Requests to one API server, in raw bytes.

One session, made on the running loop with the first request. Credentials and TLS come from the cluster's
configuration and are asked for with every request, so that they may change while watches run. Nothing here
knows kinds or models, and no header of an inbound request is ever forwarded.

This is also the one place where anything is written to a cluster: whatever is more than a read passes ``Transport.gate``
first, whoever asks for it (docs/adr/0020).
"""

from __future__ import annotations

import asyncio
import io
import os
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal
from urllib.parse import quote, urlencode, urlsplit

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from dashboard.errors import AnswerTooLarge, BadInput, ClusterError, NotSignedIn, ReadOnly, Unavailable
from dashboard.kinds.base import GVR
from dashboard.kube.addresses import guarded
from dashboard.kube.answers import read_answer
from dashboard.kube.config import Cluster
from dashboard.kube.credentials import (
    BearerCredentials,
    Credential,
    Credentials,
    FileCredentials,
    OidcCredentials,
    pem,
)
from dashboard.kube.exec_plugin import ExecCredentials
from dashboard.kube.failures import Silence, explain
from dashboard.kube.files import Files
from dashboard.kube.proxies import environment_proxy
from dashboard.kube.status import Asked, error_from_response
from dashboard.kube.tls import tls_context
from dashboard.metrics import API_REQUESTS

__all__ = ["Query", "Response", "Transport", "hold"]

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Query = Mapping[str, str | Sequence[str]]

CONNECT_SECONDS = 5.0
# A watch's answer starts at once; a proxy may hold it back for a while.
OPEN_SECONDS = 30.0
CLOSE_SECONDS = 2.0  # for the other side of a websocket to say goodbye too
# An error's body is a Status: of a few hundred bytes, or as many as an object has that is wrong everywhere. A proxy's
# page may be anything.
ERROR_BYTES = 1024 * 1024
LARGE_BYTES = 256 * 1024

# Questions that are asked by POST, and change nothing.
_REVIEWS = frozenset({
    "/apis/authentication.k8s.io/v1/selfsubjectreviews",
    "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
    "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
    "/apis/authorization.k8s.io/v1/subjectaccessreviews",
})  # fmt: skip
# What a GET opens here may do anything: run a program, or pass a request on.
_CONNECTIONS = frozenset({"attach", "exec", "portforward", "proxy"})
# But what a kubelet tells of itself.
_TOLD_BY_KUBELETS = frozenset({"nodes/proxy/stats/summary"})


def _is_read(method: Method, path: str, asked: Asked) -> bool:
    """Whether a request changes nothing. What is not known to be a read is none; a dry run, which runs the cluster's
    admission webhooks, is none either.
    """
    if method == "GET":
        return asked.resource in _TOLD_BY_KUBELETS or _CONNECTIONS.isdisjoint(asked.resource.split("/")[1:])
    return method == "POST" and path in _REVIEWS


# Of work that one process at a time may do: raises when this one may no longer. Asked just before anything is written,
# when all that may take long (the gate, credentials) has been waited for.
hold: ContextVar[Callable[[], None] | None] = ContextVar("hold", default=None)


async def _shut(cluster: Cluster) -> None:
    """The gate as long as nothing else decides."""
    raise ReadOnly(f"Nothing decides here whether {cluster.name} may be changed.")


@dataclass(frozen=True, slots=True)
class Response:
    """A successful answer. Its body may be a Secret: it is in no repr."""

    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str]


class Transport:
    """The way to one cluster. Use it on one event loop, and ``close()`` it there."""

    # Raises ReadOnly unless a cluster may be changed. One for the whole process: no way leads around it.
    gate: ClassVar[Callable[[Cluster], Awaitable[None]]] = staticmethod(_shut)

    def __init__(
        self, cluster: Cluster, *, user_agent: str = "cluster-ui", credentials: Credentials | None = None
    ) -> None:
        self.cluster = cluster
        self._user_agent = user_agent
        self._base = str(cluster.connection.cluster.get("server") or "").rstrip("/")
        self._credentials = credentials
        self._session: aiohttp.ClientSession | None = None
        self._files = Files()
        self._tls: tuple[tuple[bytes, bytes, bytes], ssl.SSLContext] | None = None
        self._streams: set[aiohttp.ClientResponse] = set()
        self._sockets: set[aiohttp.ClientWebSocketResponse] = set()
        self._answer: asyncio.Future[None] | None = None
        self._closed = False
        # What the API server showed in the last handshake, as DER; b"" before the first one.
        self.server_certificate = b""
        self.shown = Credential()  # what it showed last

    async def request(
        self,
        method: Method,
        target: GVR | str,
        *,
        namespace: str | None = None,
        name: str | None = None,
        subresource: str | None = None,
        query: Query | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        timeout: float = 30.0,  # noqa: ASYNC109 the HTTP library keeps it, in one place
        largest: int | None = None,
    ) -> Response:
        """One request and its whole answer. ``timeout`` is in seconds, for everything together; ``largest`` is the most
        that is read, in bytes (None: all there is): Unavailable beyond it.

        ``target`` is a resource, or a path such as ``/version``. Raises a ClusterError for every answer of
        300 or above and for every failure on the way, and what the gate raises for what is more than a read.
        Redirects are not followed: they could carry credentials elsewhere.
        """
        path, asked = _target(method, target, namespace, name, subresource, query)
        limits = aiohttp.ClientTimeout(total=timeout, sock_connect=CONNECT_SECONDS)
        try:
            response = await self._open(method, path, asked, query, body, content_type, accept, limits)
            async with response:
                content = await (response.read() if largest is None else _read(response, largest))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise explain(error, self._base, timeout) from error
        return Response(response.status, content, response.headers)

    @asynccontextmanager
    async def stream(
        self,
        target: GVR | str,
        *,
        namespace: str | None = None,
        name: str | None = None,
        subresource: str | None = None,
        query: Query | None = None,
        accept: str = "application/json",
        silence: float | None,
        longest: int | None = None,
        patient: bool = False,
    ) -> AsyncIterator[AsyncGenerator[list[bytes], None]]:
        """A GET whose answer does not end soon: entered when it starts; gives the lines that came together, in lists.

        ``patient``: it may start only when there is something to say, whenever that is, as a kubelet's logs do.
        ``longest`` is how much of a line is kept, in bytes (None: all): one byte more tells that it was cut.
        ``silence`` is the longest wait for the next bytes, in seconds (None: no limit); there is no limit
        in total. Raises Unavailable on silence and when the connection breaks. Ends quietly when the server
        ends it.
        """
        path, asked = _target("GET", target, namespace, name, subresource, query)
        limits = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=silence)
        try:
            async with asyncio.timeout(None if patient else OPEN_SECONDS):
                response = await self._open("GET", path, asked, query, None, "", accept, limits)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise explain(error, self._base, OPEN_SECONDS) from error
        self._streams.add(response)
        try:
            async with aclosing(self._batches(response, silence, longest)) as batches:
                yield batches
        finally:
            self._streams.discard(response)
            response.close()

    @asynccontextmanager
    async def connect(
        self,
        target: GVR | str,
        *,
        namespace: str | None = None,
        name: str | None = None,
        subresource: str | None = None,
        query: Query | None = None,
        protocols: Sequence[str],
        largest: int,
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """A websocket, entered when it is open; ``largest`` is the most that one of its messages may have, in bytes.

        Raises what the gate raises, as what is connected to may do anything, and a ClusterError where it is refused.
        """
        path, asked = _target("GET", target, namespace, name, subresource, query)
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                opened = await self._upgraded(path, asked, query, protocols, largest)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise explain(error, self._base, OPEN_SECONDS) from error
        self._sockets.add(opened)
        try:
            yield opened
        finally:
            self._sockets.discard(opened)
            await opened.close()

    async def lines(
        self,
        target: GVR | str,
        *,
        namespace: str | None = None,
        name: str | None = None,
        subresource: str | None = None,
        query: Query | None = None,
        accept: str = "application/json",
        silence: float | None,
        longest: int | None = None,
    ) -> AsyncGenerator[bytes, None]:
        """The lines of ``stream()`` one by one, without their ends; to leave early, use ``contextlib.aclosing``."""
        async with self.stream(
            target,
            namespace=namespace,
            name=name,
            subresource=subresource,
            query=query,
            accept=accept,
            silence=silence,
            longest=longest,
        ) as batches:
            async for batch in batches:
                for line in batch:
                    yield line

    async def version(self) -> dict[str, Any]:
        """The answer of ``/version``: gitVersion, major, minor, platform, …"""
        response = await self.request("GET", "/version", timeout=10.0)
        return read_answer(response.body, dict[str, Any])

    def next_answer(self) -> asyncio.Future[None]:
        """Done with the next answer that anybody gets, whatever it says: the API server can be reached."""
        if self._answer is None:
            self._answer = asyncio.get_running_loop().create_future()
        return self._answer

    async def close(self) -> None:
        """Ends every connection; the streams that are still open raise Unavailable, the websockets end."""
        self._closed = True
        await asyncio.gather(*(opened.close() for opened in self._sockets), return_exceptions=True)
        for response in self._streams:
            response.close()  # the session alone would leave its reader waiting for ever
        if self._session is not None:
            if self._session.connector is not None:
                # Without this, TLS connections would go on saying goodbye after the loop has ended.
                await self._session.connector.close(abort_ssl=True)
            await self._session.close()
            self._session = None

    async def _open(
        self,
        method: Method,
        path: str,
        asked: Asked,
        query: Query | None,
        body: bytes | None,
        content_type: str,
        accept: str,
        limits: aiohttp.ClientTimeout,
    ) -> aiohttp.ClientResponse:
        """The answer, its body unread, when below 300; a 401 is answered once with other credentials, if there are."""
        writes = not _is_read(method, path, asked)
        if writes:
            await type(self).gate(self.cluster)
        session, url = self._open_session(), self._url(path, query)
        headers = CIMultiDict({"Accept": accept, "Accept-Encoding": self._encoding})
        if body is not None:
            headers["Content-Type"] = content_type
        for attempt in (1, 2):
            self.shown = credential = await self.credentials.get()
            if writes and (still_held := hold.get()) is not None:
                still_held()
            response = await session.request(
                method,
                url,
                # A large body is sent in pieces: in one, it would hold the event loop up.
                data=io.BytesIO(body) if body is not None and len(body) > LARGE_BYTES else body,
                headers=self._identity(credential, headers),
                timeout=limits,
                allow_redirects=False,
                ssl=self._context(credential),
                server_hostname=self.cluster.connection.cluster.get("tls-server-name") or None,
                proxy=self._proxy,
            )
            API_REQUESTS.labels(self.cluster.name, asked.verb, response.status).inc()
            if self._answer is not None:
                self._answer.set_result(None)
                self._answer = None
            if response.status < 300:
                return response
            async with response:
                if response.status == 401 and attempt == 1 and self.credentials.refused(credential):
                    continue
                raise await self._error(response, asked)
        raise AssertionError("unreachable")

    async def _upgraded(
        self, path: str, asked: Asked, query: Query | None, protocols: Sequence[str], largest: int
    ) -> aiohttp.ClientWebSocketResponse:
        """The websocket of an address; a 401 is answered once with other credentials, if there are."""
        await type(self).gate(self.cluster)
        shared = self._open_session()
        async with aiohttp.ClientSession(
            connector=shared.connector,
            connector_owner=False,
            cookie_jar=shared.cookie_jar,
            headers=shared.headers,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
            middlewares=(_keep_refusal,),
        ) as session:
            for attempt in (1, 2):
                credential = await self.credentials.get()
                try:
                    return await session.ws_connect(
                        self._url(path, query),
                        protocols=protocols,
                        headers=self._identity(credential, CIMultiDict()),
                        # No heartbeat: its answer would have to be read, and whoever is slow reads nothing for a while.
                        timeout=aiohttp.ClientWSTimeout(ws_receive=None, ws_close=CLOSE_SECONDS),
                        max_msg_size=largest,
                        ssl=self._context(credential),
                        server_hostname=self.cluster.connection.cluster.get("tls-server-name") or None,
                        proxy=self._proxy,
                    )
                except _Refused as refused:
                    async with refused.response as response:
                        if response.status == 401 and attempt == 1 and self.credentials.refused(credential):
                            continue
                        if response.status < 300:
                            raise Unavailable(
                                f"{self._base} opens no websocket.",
                                next_step="A proxy in front of the API server has to pass websockets on.",
                            ) from None
                        raise await self._error(response, asked) from None
        raise AssertionError("unreachable")

    def _url(self, path: str, query: Query | None) -> URL:
        return URL(f"{self._base}{path}{'?' + urlencode(query, doseq=True) if query else ''}", encoded=True)

    async def _error(self, response: aiohttp.ClientResponse, asked: Asked) -> ClusterError:
        if response.status < 400:
            return Unavailable(
                f"{self._base} answered with a redirect: that is not an API server.",
                next_step="Check the server's address in the kubeconfig.",
            )
        if response.status == 401 and self.own_token:
            return NotSignedIn(
                f"{self.cluster.name} no longer accepts your token: it has expired or was revoked.",
                next_step="Sign in to the cluster again, then go on.",
            )
        body = bytearray()
        # The answer is known by its status, also where its connection breaks before all was said.
        with suppress(aiohttp.ClientError, TimeoutError, OSError):
            while len(body) < ERROR_BYTES and (piece := await response.content.readany()):
                body += piece
        return error_from_response(
            response.status, bytes(body), asked, _seconds(response.headers.get("Retry-After", ""))
        )

    async def _batches(
        self, response: aiohttp.ClientResponse, silence: float | None, longest: int | None
    ) -> AsyncGenerator[list[bytes], None]:
        rest = b""
        while True:
            try:
                chunk = await response.content.readany()
            except aiohttp.SocketTimeoutError as error:
                raise Silence(f"{self._base} said nothing for {silence:.0f} s.") from error
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise explain(error, self._base, silence) from error
            if not chunk:
                break
            if longest is not None and len(rest) > longest and b"\n" not in chunk:
                continue  # still the line that is too long already
            *lines, rest = (rest + chunk).split(b"\n")
            if longest is not None and len(rest) > longest:
                rest = rest[: longest + 1]  # its end is of no interest, only that it is too long
            if lines:
                yield [line for line in lines if line]
        if rest:
            yield [rest]

    def _open_session(self) -> aiohttp.ClientSession:
        if self._closed:
            raise Unavailable("The connection to the cluster is being closed.")
        if not self._base:
            raise Unavailable(
                f"The context {self.cluster.name} names no server.",
                next_step=f"Check its cluster entry in {self.cluster.source_detail}.",
            )
        if self._session is None:
            self._session = aiohttp.ClientSession(
                # Watches hold their connections for minutes; whoever asks much at once limits himself.
                connector=aiohttp.TCPConnector(
                    limit=0, socket_factory=guarded(_socket) if self._is_added else _socket
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": self._user_agent},
                # The API server answers in one piece per event; larger pieces mean fewer wake-ups in a burst.
                read_bufsize=2**18,
            )
        return self._session

    @property
    def _is_added(self) -> bool:
        """Whether the context was added at run time: it leads to no address that only this machine should reach, and
        takes no proxy, behind which nobody knows where it leads.
        """
        return self.cluster.source == "added"

    @property
    def own_token(self) -> bool:
        """Whether it acts with somebody's own token, not with what the configuration says."""
        return isinstance(self._credentials, BearerCredentials)

    @property
    def credentials(self) -> Credentials:
        """Where its credentials come from. Transports to the same cluster may share them."""
        if self._credentials is None:
            connection = self.cluster.connection
            if connection.user.get("exec"):
                self._credentials = ExecCredentials(connection)
            elif provider := connection.user.get("auth-provider"):
                if provider.get("name") != "oidc":
                    raise BadInput(
                        f"The auth-provider {provider.get('name')} of the kubeconfig is not supported.",
                        next_step="Kubernetes removed it in 1.26: use the provider's exec plug-in.",
                    )
                self._credentials = OidcCredentials(connection)
            else:
                self._credentials = FileCredentials(connection.user)
        return self._credentials

    def _context(self, credential: Credential) -> ssl.SSLContext | bool:
        """One as long as certificate, key and authority are the same: a file with another one is noticed at once, and
        new connections use it.
        """
        if not self._base.startswith("https"):
            return True
        cluster = self.cluster.connection.cluster
        authority = pem(cluster, "certificate-authority", read=self._files.read)
        made_of = (credential.certificate, credential.key, authority)
        if self._tls is None or self._tls[0] != made_of:
            self._tls = (made_of, tls_context(cluster, credential, authority, shown=self._note_certificate))
        return self._tls[1]

    def _note_certificate(self, der: bytes) -> None:
        self.server_certificate = der

    def _identity(self, credential: Credential, headers: CIMultiDict[str]) -> CIMultiDict[str]:
        """The headers with who we are; ``as``, ``as-groups`` and ``as-user-extra`` are impersonation, the kubeconfig's
        own or a person's."""
        headers = headers.copy()
        if credential.authorization:
            headers["Authorization"] = credential.authorization
        user = self.cluster.connection.user
        if user.get("as"):
            headers["Impersonate-User"] = str(user["as"])
            for group in user.get("as-groups") or ():
                headers.add("Impersonate-Group", str(group))
            for key, values in (user.get("as-user-extra") or {}).items():
                # What no name of a header may hold is percent-encoded, as client-go does.
                name = f"Impersonate-Extra-{quote(str(key).lower(), safe='!#$&*+.^_`|~-')}"
                for value in values:
                    headers.add(name, str(value))
        return headers

    @property
    def _loopback(self) -> bool:
        host = urlsplit(self._base).hostname or ""
        return host in ("localhost", "::1") or host.startswith("127.")

    @property
    def _encoding(self) -> str:
        """Through a network gzip pays (13 times fewer bytes of a list); on one machine it only costs time."""
        plain = self._loopback or self.cluster.connection.cluster.get("disable-compression")
        return "identity" if plain else "gzip"

    @property
    def _proxy(self) -> str | None:
        """The kubeconfig's proxy, whatever NO_PROXY says, else the environment's: both as client-go reads them."""
        if self._is_added:
            return None
        configured = self.cluster.connection.cluster.get("proxy-url")
        proxy = str(configured) if configured else environment_proxy(self._base, os.environ)
        if proxy and urlsplit(proxy).scheme not in ("http", "https"):
            raise Unavailable(
                f"The proxy on the way to {self._base} is not an HTTP proxy, and no other can be used here.",
                next_step="Check proxy-url in the kubeconfig, HTTPS_PROXY and NO_PROXY.",
            )
        return proxy


class _Refused(Exception):
    """A handshake was answered with something else than a websocket; the body is unread."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        super().__init__(response.status)
        self.response = response


async def _keep_refusal(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """The HTTP library follows redirects, which could carry credentials elsewhere, and drops the answer that says why."""
    response = await handler(request)
    if response.status != 101:
        raise _Refused(response)
    return response


def _target(
    method: Method,
    target: GVR | str,
    namespace: str | None,
    name: str | None,
    subresource: str | None,
    query: Query | None,
) -> tuple[str, Asked]:
    if isinstance(target, str):
        return target, Asked(method.lower(), target)
    verb = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}.get(method, "get")
    if verb == "get" and not name:
        verb = "watch" if query and "watch" in query else "list"
    elif verb == "delete" and not name:
        verb = "deletecollection"
    resource = (
        target.plural
        + (f".{target.group}" if target.group else "")
        + (f"/{subresource}" if subresource else "")
    )
    return target.path(namespace, name, subresource), Asked(verb, resource, namespace or "", name or "")


async def _read(response: aiohttp.ClientResponse, largest: int) -> bytes:
    pieces, size = [], 0
    async for piece in response.content.iter_any():
        pieces.append(piece)
        size += len(piece)
        if size > largest:
            response.close()
            raise AnswerTooLarge(f"The answer is larger than the {largest // 2**20} MiB that are read of it.")
    return b"".join(pieces)


def _seconds(retry_after: str) -> float | None:
    """Retry-After in seconds; Kubernetes never sends the form with a date."""
    return float(retry_after) if retry_after.isdigit() else None


def _socket(address: tuple[Any, ...]) -> socket.socket:
    """A socket that notices within half a minute that the other side is gone without a word."""
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", 15),
        ("TCP_KEEPINTVL", 5),
        ("TCP_KEEPCNT", 3),
        ("TCP_USER_TIMEOUT", 30_000),
    ):
        if hasattr(socket, option):  # not every system has each of them
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return made
