"""Questions to one Prometheus (or what speaks its HTTP API: Thanos, Mimir, VictoriaMetrics).

https://prometheus.io/docs/prometheus/latest/querying/api/
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import aiohttp
import msgspec

from dashboard.errors import Unavailable

__all__ = ["Answer", "Prometheus", "PrometheusError", "Series", "Target"]

CONNECT_SECONDS = 3.0
# Prometheus is told to give up a little before we do, so that its own words arrive.
ANSWER_SECONDS = 10.0
QUERY_SECONDS = 8.0
AT_ONCE = 4
LARGEST_BYTES = 32 * 2**20
_TOO_LARGE = "its answer is larger than 32 MiB"


class PrometheusError(Unavailable):
    """Prometheus returned no data; the message says why, and never holds the token."""

    title = "Prometheus returned no data"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a Prometheus is. ``labels`` narrow every question: one that serves several clusters tells them apart."""

    url: str
    labels: Mapping[str, str] = field(default_factory=dict)
    token_file: Path | None = None

    @classmethod
    def read(cls, url: str, token_file: str = "") -> Target:
        """From a setting: ``https://host/path?cluster=prod``; what stands behind ``?`` are labels."""
        parts = urlsplit(url)
        bare = urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))
        return cls(bare, dict(parse_qsl(parts.query)), Path(token_file).expanduser() if token_file else None)

    @property
    def shown(self) -> str:
        """The address without a name or password that may stand in it."""
        parts = urlsplit(self.url)
        return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


@dataclass(frozen=True, slots=True)
class Series:
    """One time series: Unix time in seconds and value; what is no finite number is left out."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a question gave; ``warnings`` are Prometheus' own, as of a store that did not answer."""

    series: tuple[Series, ...]
    warnings: tuple[str, ...] = ()


class _Result(msgspec.Struct, frozen=True):
    metric: dict[str, str] = {}
    value: tuple[float, str] | None = None
    values: tuple[tuple[float, str], ...] = ()


class _Data(msgspec.Struct, frozen=True, rename="camel"):
    result_type: str = ""
    result: tuple[_Result, ...] = ()


class _Body(msgspec.Struct, frozen=True, rename="camel"):
    status: str = ""
    data: _Data | None = None
    error_type: str = ""
    error: str = ""
    warnings: tuple[str, ...] = ()


_BODY = msgspec.json.Decoder(_Body)


class Prometheus:
    """One Prometheus. Use it on one event loop, and ``close()`` it there."""

    def __init__(self, target: Target, *, answer_seconds: float = ANSWER_SECONDS) -> None:
        self.target = target
        self._seconds = answer_seconds
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._session: aiohttp.ClientSession | None = None

    async def query(self, promql: str) -> Answer:
        """The values now. Raises PrometheusError."""
        return await self._ask("query", {"query": promql})

    async def query_range(self, promql: str, *, start: float, end: float, step: float) -> Answer:
        """The values from ``start`` to ``end`` (Unix time), one each ``step`` seconds. Raises PrometheusError."""
        form = {"query": promql, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:.3f}"}
        return await self._ask("query_range", form)

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _ask(self, what: str, form: Mapping[str, str]) -> Answer:
        headers = self._headers()
        try:
            async with (
                self._gate,
                self._open_session().post(
                    f"{self.target.url}/api/v1/{what}",
                    data={**form, "timeout": f"{min(QUERY_SECONDS, self._seconds):.0f}s"},
                    headers=headers,
                    allow_redirects=False,  # the token would go elsewhere
                ) as response,
            ):
                status, body = response.status, await _read(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._failed(error) from error
        return self._answer(status, body)

    def _headers(self) -> dict[str, str]:
        """The token is read anew each time: it may be a projected one, which changes."""
        path = self.target.token_file
        if path is None:
            return {}
        try:
            return {"Authorization": f"Bearer {path.read_text().strip()}"}
        except (OSError, UnicodeDecodeError) as error:
            raise PrometheusError(
                f"The token for Prometheus cannot be read: {path}.",
                next_step="Correct CLUSTER_UI_PROMETHEUS_TOKEN_FILE, or the file's rights.",
            ) from error

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._seconds, sock_connect=CONNECT_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    def _answer(self, status: int, body: bytes) -> Answer:
        try:
            read = _BODY.decode(body)
        except msgspec.DecodeError:
            read = _Body()
        if status in (401, 403):
            raise PrometheusError(
                f"Prometheus at {self.target.shown} refuses the dashboard ({status}).",
                next_step="Set CLUSTER_UI_PROMETHEUS_TOKEN_FILE to a file with a bearer token that it accepts.",
            )
        if read.status == "error":
            raise self._refused(read)
        if status >= 500:
            raise PrometheusError(
                f"Prometheus at {self.target.shown} fails (HTTP {status}).",
                next_step="It is retried automatically; look at Prometheus, and at any proxy in front of it.",
            )
        if status != 200 or read.status != "success" or read.data is None:
            raise PrometheusError(
                f"What answers at {self.target.shown} is not Prometheus (HTTP {status}).",
                next_step="CLUSTER_UI_PROMETHEUS_URL is the address under which /api/v1/query is found.",
            )
        return Answer(tuple(_series(each) for each in read.data.result), read.warnings)

    def _refused(self, read: _Body) -> PrometheusError:
        if read.error_type in ("timeout", "canceled"):
            return PrometheusError(
                f"Prometheus aborted the query: {read.error}.",
                next_step="It is retried automatically; choose a shorter time, or look at Prometheus' load.",
            )
        return PrometheusError(f"Prometheus rejected the query: {read.error} ({read.error_type}).")

    def _failed(self, error: BaseException) -> PrometheusError:
        where = self.target.shown
        match error:
            case TimeoutError():  # also aiohttp's own
                words, way = (
                    f"did not answer within {self._seconds:.0f} s",
                    "It is retried automatically; look at Prometheus' load, and the network.",
                )
            case aiohttp.ClientConnectorCertificateError():
                words, way = (
                    "has a certificate that is not accepted",
                    "Name its authority in SSL_CERT_FILE, or correct the address.",
                )
            case aiohttp.ClientConnectorError():
                words = f"cannot be reached: {error.os_error.strerror or 'no connection'}"
                way = "Check CLUSTER_UI_PROMETHEUS_URL, and that Prometheus runs."
            case aiohttp.ClientPayloadError() if str(error) == _TOO_LARGE:
                words, way = "answered with more than 32 MiB", "Choose a shorter time."
            case _:
                words, way = "broke the connection", "It is retried automatically."
        return PrometheusError(f"Prometheus at {where} {words}.", next_step=way)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(2**18):
        body += chunk
        if len(body) > LARGEST_BYTES:
            raise aiohttp.ClientPayloadError(_TOO_LARGE)
    return bytes(body)


def _series(result: _Result) -> Series:
    pairs = result.values if result.value is None else (result.value,)
    points = ((at, float(value)) for at, value in pairs)
    return Series(result.metric, tuple((at, value) for at, value in points if math.isfinite(value)))
