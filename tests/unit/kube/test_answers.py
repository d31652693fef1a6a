"""Whatever answers at an API server's address: what can't be read is told in words, and is no fault of the reader."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from dashboard.cache.namespaces import Namespaces
from dashboard.errors import ClusterError, TooDeep, Unavailable
from dashboard.kinds import KINDS
from dashboard.kube.access import allowed, rules_in
from dashboard.kube.answers import read_object
from dashboard.kube.config import Cluster, Connection
from dashboard.kube.discovery import discover
from dashboard.kube.metrics import MetricsServer
from dashboard.kube.transport import Response, Transport
from dashboard.kube.whoami import who_am_i
from dashboard.queries.objects import object_details, object_read

PODS = KINDS["pods"]
STRANGE = [
    b"<html>Sign in</html>",
    b"[]",
    b"null",
    b"5",
    b"",
    b'{"status": 5, "items": 5, "groups": 5}',
    b"\xff",
]


def cluster(server: str, **more: Any) -> Cluster:
    return Cluster(
        name="a", slug="a", server=server, source="added", source_detail="", user="", namespace="",
        is_sandbox=False, connection=Connection(cluster={"server": server, **more}, user={"token": "abc"}),
    )  # fmt: skip


class Strange(Transport):
    def __init__(self, body: bytes) -> None:
        super().__init__(cluster("https://127.0.0.1:1"))
        self.body = body

    async def request(self, *_: Any, **__: Any) -> Response:
        return Response(200, self.body, {})


READERS: list[Callable[[Transport], Awaitable[Any]]] = [
    lambda at: at.version(),
    lambda at: who_am_i(at),
    lambda at: allowed(at, "list", PODS.gvr),
    lambda at: rules_in(at, "shop"),
    lambda at: discover(at),
    lambda at: Namespaces(at, ()).names(),
    lambda at: MetricsServer(at).nodes(),
    lambda at: MetricsServer(at).pods(None),
    lambda at: object_read(at, PODS, "shop", "web"),
    lambda at: object_details(at, PODS, "shop", "web"),
]


@pytest.mark.parametrize("body", STRANGE)
@pytest.mark.parametrize("read", READERS)
async def test_what_no_api_server_answers_is_told_in_words(
    read: Callable[[Transport], Awaitable[Any]], body: bytes
) -> None:
    try:
        await read(Strange(body))
    except ClusterError as error:
        assert error.next_step and "Sign in" not in error.message
    else:
        assert body == STRANGE[5], "a mapping without what is asked for may be an answer"


def test_an_object_has_metadata_and_an_end() -> None:
    with pytest.raises(Unavailable, match="like an API server"):
        read_object(b'{"kind": "Pod"}')
    with pytest.raises(TooDeep):
        read_object(b'{"metadata": ' + b"[" * 100_000 + b"]" * 100_000 + b"}")


@pytest.mark.parametrize(
    "at", [cluster("https://a..b"), cluster("https://xn--\xe4"), cluster(f"https://{'a' * 64}.example")]
)
async def test_a_host_that_cannot_be_encoded_is_unreachable(at: Cluster) -> None:
    transport = Transport(at)
    try:
        with pytest.raises(Unavailable, match="not a URL"):
            await transport.version()
        with pytest.raises(Unavailable, match="not a URL"):
            async with transport.stream("/version", silence=1):
                pass
    finally:
        await transport.close()
