"""Requests and streams: credentials, limits, and what a failure on the way is called."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from dashboard import errors
from dashboard.kinds.base import GVR
from dashboard.kube import access
from dashboard.kube import transport as transport_module
from dashboard.kube.config import Cluster
from dashboard.kube.failures import Silence
from dashboard.kube.transport import Method, Transport

from .scripted import THING, ScriptedServer, cluster_at, failure, status_body, until

PODS = GVR("", "v1", "pods")
NODES = GVR("", "v1", "nodes", namespaced=False)


@contextlib.asynccontextmanager
async def reaching(tmp_path: Path, server: str, **options: Any) -> AsyncIterator[Transport]:
    made = Transport(cluster_at(tmp_path, server, **options), user_agent="cluster-ui/test")
    try:
        yield made
    finally:
        await made.close()


async def test_an_answer_is_raw_bytes(server: ScriptedServer, transport: Transport) -> None:
    server.put("a", plural="pods")
    response = await transport.request("GET", PODS, namespace="default", query={"limit": "5"})
    assert response.status == 200
    assert json.loads(response.body)["items"][0]["metadata"]["name"] == "a"
    assert response.headers["content-type"].startswith("application/json")
    assert server.requests[0].path == "/api/v1/namespaces/default/pods"
    assert server.requests[0].query == {"limit": "5"}


async def test_version_names_the_servers(transport: Transport) -> None:
    assert (await transport.version())["gitVersion"] == "v1.36.3"


async def test_who_asks_is_named_so_that_answers_are_not_pretty_printed(
    server: ScriptedServer, tmp_path: Path
) -> None:
    async with reaching(tmp_path, server.url) as transport:
        await transport.version()
    assert server.requests[0].headers["User-Agent"] == "cluster-ui/test"


async def test_a_servers_path_stays_in_front(server: ScriptedServer, tmp_path: Path) -> None:
    async with reaching(tmp_path, server.url + "/k8s/clusters/c-1/") as transport:
        with contextlib.suppress(errors.NotFound):
            await transport.request("GET", PODS, query={"labelSelector": "a in (b,c)", "many": ["1", "2"]})
    assert server.requests[0].path == "/k8s/clusters/c-1/api/v1/pods"
    assert server.requests[0].query["labelSelector"] == "a in (b,c)"


@pytest.fixture
def changes_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def allow(_: Cluster) -> None:
        return

    monkeypatch.setattr(Transport, "gate", staticmethod(allow))


@pytest.mark.usefixtures("changes_allowed")
async def test_a_body_goes_out_as_it_is(server: ScriptedServer, transport: Transport) -> None:
    seen: list[bytes] = []

    async def note(request: web.Request) -> web.StreamResponse:
        seen.append(await request.read())
        return web.json_response({})

    server.list_answers.append(note)
    body = b'[{"op": "test", "path": "/a", "value": 1}]'
    await transport.request("PATCH", PODS, body=body, content_type="application/json-patch+json")
    assert seen == [body]
    assert server.requests[0].headers["Content-Type"] == "application/json-patch+json"


async def test_compressed_answers_are_asked_for_only_across_a_network(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def packed(_: web.Request) -> web.StreamResponse:
        return web.Response(body=gzip.compress(b"{}"), headers={"Content-Encoding": "gzip"})

    async with reaching(tmp_path, server.url) as transport:
        await transport.version()
        assert server.requests[-1].headers["Accept-Encoding"] == "identity"
        monkeypatch.setattr(Transport, "_loopback", False)
        server.list_answers.append(packed)
        assert (await transport.request("GET", PODS)).body == b"{}"
        assert server.requests[-1].headers["Accept-Encoding"] == "gzip"


async def test_a_refusal_names_verb_resource_and_place(server: ScriptedServer, transport: Transport) -> None:
    server.refused.add(("pods", "shop"))
    with pytest.raises(errors.Forbidden) as caught:
        await transport.request("GET", PODS, namespace="shop")
    assert (caught.value.verb, caught.value.resource, caught.value.namespace) == ("list", "pods", "shop")
    with pytest.raises(errors.Forbidden) as caught:
        async with transport.stream(PODS, namespace="shop", query={"watch": "1"}, silence=1):
            pass
    assert caught.value.verb == "watch"


async def test_retry_after_is_passed_on(server: ScriptedServer, transport: Transport) -> None:
    server.list_answers.append(failure(429, "TooManyRequests", headers={"Retry-After": "12"}))
    with pytest.raises(errors.TooManyRequests) as caught:
        await transport.request("GET", PODS)
    assert caught.value.retry_after == 12


@pytest.mark.parametrize("breaks", [False, True])
async def test_an_error_is_read_whole_however_it_was_cut(
    server: ScriptedServer, transport: Transport, breaks: bool
) -> None:
    """Its first bytes alone are no Status, and it would name neither what is wrong nor where."""
    causes = [{"field": f"data[{number}]", "message": "x" * 80} for number in range(1000)]
    body = json.dumps(status_body(422, "Invalid", "This is wrong.", causes=causes)).encode()

    async def pieces(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(status=422, headers={"Content-Type": "application/json"})
        await answer.prepare(request)
        for start in range(0, len(body), 30_000):
            await answer.write(body[start : start + 30_000])
            await asyncio.sleep(0)
            if breaks:
                assert request.transport
                request.transport.abort()
                break
        return answer

    server.list_answers.append(pieces)
    with pytest.raises(errors.Invalid) as caught:
        await transport.request("GET", PODS)
    assert caught.value.message == (
        "The API server answered 422 to list pods." if breaks else "This is wrong."
    )
    assert [cause.field for cause in caught.value.causes[:2]] == ([] if breaks else ["data[0]", "data[1]"])


async def test_a_redirect_is_not_followed(server: ScriptedServer, transport: Transport) -> None:
    async def elsewhere(_: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": "/version"})

    server.list_answers.append(elsewhere)
    with pytest.raises(errors.Unavailable, match="redirect"):
        await transport.request("GET", PODS)
    assert len(server.requests) == 1


async def test_connection_refused_says_where_and_what_to_look_at(tmp_path: Path) -> None:
    async with reaching(tmp_path, "http://127.0.0.1:9") as transport:
        with pytest.raises(errors.Unavailable) as caught:
            await transport.version()
    assert caught.value.message == "Connection refused at http://127.0.0.1:9."
    assert caught.value.next_step == "Is the API server running?"
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize(
    ("server", "what"),
    [
        ("http://no-such-host.invalid", "The name of http://no-such-host.invalid cannot be resolved."),
        ("", "The context test names no server."),
        ("not a url", "The server's address in the kubeconfig is not a URL."),
    ],
)
async def test_an_address_that_cannot_be_right_is_explained(tmp_path: Path, server: str, what: str) -> None:
    async with reaching(tmp_path, server) as transport:
        with pytest.raises(errors.Unavailable) as caught:
            await transport.version()
    assert caught.value.message == what


async def test_an_answer_that_takes_too_long_is_given_up(
    server: ScriptedServer, transport: Transport
) -> None:
    async def never(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    server.list_answers.append(never)
    with pytest.raises(errors.Unavailable, match="said nothing"):
        await transport.request("GET", PODS, timeout=0.1)


# Streams


async def test_lines_arrive_whole_however_they_were_cut(server: ScriptedServer, transport: Transport) -> None:
    long = b"x" * 3_000_000  # far beyond any buffer

    async def pieces(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for piece in (b"on", b"e\ntwo\n\nth", b"ree\n", long, b"\nlast"):
            await response.write(piece)
            await asyncio.sleep(0.005)
        return response

    server.watch_answers.append(pieces)
    lines = [line async for line in transport.lines(THING.gvr, query={"watch": "1"}, silence=5)]
    assert lines == [b"one", b"two", b"three", long, b"last"]


async def test_silence_ends_a_stream_and_talk_keeps_it(server: ScriptedServer, transport: Transport) -> None:
    server.put("a")
    query = {"watch": "1", "resourceVersion": "0"}
    lines: list[bytes] = []
    began = asyncio.get_running_loop().time()

    async def talk() -> None:
        for _ in range(5):
            await asyncio.sleep(0.5)
            server.bookmark()

    talking = asyncio.create_task(talk())
    with pytest.raises(Silence, match="said nothing"):
        async for line in transport.lines(THING.gvr, query=query, silence=2.0):
            lines.append(line)  # noqa: PERF401 they count although it ends with an error
    await talking
    assert len(lines) == 6
    assert asyncio.get_running_loop().time() - began >= 4.4


async def test_a_stream_that_breaks_is_an_error_and_one_that_ends_is_not(
    server: ScriptedServer, transport: Transport
) -> None:
    query = {"watch": "1", "resourceVersion": "0"}

    async def read() -> int:
        return len([line async for line in transport.lines(THING.gvr, query=query, silence=5)])

    server.put("a")
    reading = asyncio.create_task(read())
    await until(lambda: server.watchers == 1)
    await asyncio.sleep(0.02)
    server.end_watches()
    assert await reading == 1
    reading = asyncio.create_task(read())
    await until(lambda: server.watchers == 1)
    await asyncio.sleep(0.02)
    server.cut()
    with pytest.raises(errors.Unavailable, match="broke"):
        await reading


async def test_an_answer_that_never_begins_is_given_up(
    server: ScriptedServer, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport_module, "OPEN_SECONDS", 0.1)
    server.muted = True
    with pytest.raises(errors.Unavailable, match="said nothing"):
        async with transport.stream(THING.gvr, query={"watch": "1", "resourceVersion": "0"}, silence=60):
            pass


async def test_leaving_a_stream_closes_its_connection(server: ScriptedServer, transport: Transport) -> None:
    server.put("a")
    async with transport.stream(
        THING.gvr, query={"watch": "1", "resourceVersion": "0"}, silence=5
    ) as batches:
        async for batch in batches:
            assert len(batch) == 1
            break
    await until(lambda: server.watchers == 0, "closed")


async def test_close_ends_streams_and_refuses_new_requests(
    server: ScriptedServer, transport: Transport
) -> None:
    async def read() -> None:
        async for _ in transport.lines(THING.gvr, query={"watch": "1", "resourceVersion": "0"}, silence=5):
            pass

    reading = asyncio.create_task(read())
    await until(lambda: server.watchers == 1)
    await transport.close()
    with pytest.raises(errors.Unavailable):
        await reading
    with pytest.raises(errors.Unavailable, match="being closed"):
        await transport.version()


# Credentials


async def test_a_token_is_sent_and_a_wrong_one_is_not_told(server: ScriptedServer, tmp_path: Path) -> None:
    server.tokens = {"right"}
    async with reaching(tmp_path, server.url, user={"token": "right"}) as transport:
        await transport.version()
    async with reaching(tmp_path, server.url, user={"token": "canary"}) as transport:
        with pytest.raises(errors.Unauthenticated) as caught:
            await transport.version()
    assert "canary" not in caught.value.message + caught.value.next_step + repr(caught.value.__cause__)
    assert len(server.requests) == 2  # a fixed token is not tried twice


async def test_a_token_file_that_was_renewed_serves_after_the_401(
    server: ScriptedServer, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("old")
    server.tokens = {"old"}
    async with reaching(tmp_path, server.url, user={"tokenFile": "token"}) as transport:
        await transport.version()
        token.write_text("new")
        server.tokens = {"new"}
        await transport.version()


def plugin(tmp_path: Path) -> dict[str, Any]:
    """A plug-in that hands out token-1, token-2, … which end in an hour."""
    script = tmp_path / "plugin.sh"
    script.write_text(
        f"#!/bin/sh\necho x >> {tmp_path}/runs\nn=$(wc -l < {tmp_path}/runs | tr -d ' ')\n"
        'echo "{\\"apiVersion\\": \\"client.authentication.k8s.io/v1\\", \\"kind\\": \\"ExecCredential\\",'
        ' \\"status\\": {\\"token\\": \\"token-$n\\"}}"\n'
    )
    script.chmod(0o755)
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(script)}}


async def test_exec_credentials_refused_by_the_server_are_renewed_once_for_all(
    server: ScriptedServer, tmp_path: Path
) -> None:
    server.tokens = {"token-1"}
    async with reaching(tmp_path, server.url, user=plugin(tmp_path)) as transport:
        await transport.version()
        server.tokens = {"token-2"}
        await asyncio.gather(*(transport.version() for _ in range(10)))
        assert (tmp_path / "runs").read_text().count("x") == 2
        server.tokens = set()
        with pytest.raises(errors.Unauthenticated):
            await transport.version()
        assert (tmp_path / "runs").read_text().count("x") == 3


async def test_a_watch_too_signs_in_again_after_a_401(server: ScriptedServer, tmp_path: Path) -> None:
    server.tokens = {"token-2"}
    server.put("a")
    async with reaching(tmp_path, server.url, user=plugin(tmp_path)) as transport:
        query = {"watch": "1", "resourceVersion": "0"}
        async with transport.stream(THING.gvr, query=query, silence=5) as batches:
            async for batch in batches:
                assert b"ADDED" in batch[0]
                break


async def test_a_removed_auth_provider_is_explained(tmp_path: Path) -> None:
    async with reaching(tmp_path, "http://127.0.0.1:9", user={"auth-provider": {"name": "gcp"}}) as transport:
        with pytest.raises(errors.BadInput, match="gcp"):
            await transport.version()


async def test_the_kubeconfigs_own_impersonation_is_sent(server: ScriptedServer, tmp_path: Path) -> None:
    async with reaching(tmp_path, server.url, user={"as": "jane", "as-groups": ["dev"]}) as transport:
        await transport.version()
    headers = server.requests[0].headers
    assert (headers["Impersonate-User"], headers["Impersonate-Group"]) == ("jane", "dev")


# Access reviews


async def test_access_is_asked_of_the_server_and_remembered_for_a_moment(
    server: ScriptedServer, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.refused.add(("pods", "shop"))
    assert (await access.allowed(transport, "list", PODS)).allowed
    refused = await access.allowed(transport, "list", PODS, namespace="shop")
    assert refused == access.Decision(False, "no rule")
    await access.allowed(transport, "list", PODS, namespace="shop")
    assert len(server.requests) == 2
    monkeypatch.setattr(access, "KEEP_SECONDS", 0.0)
    server.refused.clear()
    assert (await access.allowed(transport, "list", PODS, namespace="shop")).allowed


async def test_remembered_answers_are_bounded(
    server: ScriptedServer, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "KEEP_ANSWERS", 3)
    for number in range(6):
        await access.allowed(transport, "get", PODS, namespace="n", name=str(number))
    await access.allowed(transport, "get", PODS, namespace="n", name="5")
    assert len(server.requests) == 6
    await access.allowed(transport, "get", PODS, namespace="n", name="0")
    assert len(server.requests) == 7


# The gate


SHUT = "canary: shut"


@pytest.fixture
def shut(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(_: Cluster) -> None:
        raise errors.ReadOnly(SHUT)

    monkeypatch.setattr(Transport, "gate", staticmethod(refuse))


@pytest.mark.usefixtures("shut")
@pytest.mark.parametrize("dry", [{}, {"dryRun": "All"}], ids=["in earnest", "dry run"])
@pytest.mark.parametrize(
    ("method", "target", "where"),
    [
        ("POST", PODS, {"namespace": "shop"}),
        ("POST", PODS, {"namespace": "shop", "name": "a", "subresource": "eviction"}),
        ("PUT", PODS, {"namespace": "shop", "name": "a"}),
        ("PATCH", PODS, {"namespace": "shop", "name": "a", "subresource": "scale"}),
        ("DELETE", PODS, {"namespace": "shop", "name": "a"}),
        ("DELETE", PODS, {"namespace": "shop"}),
        ("GET", PODS, {"namespace": "shop", "name": "a", "subresource": "exec"}),
        ("GET", PODS, {"namespace": "shop", "name": "a", "subresource": "proxy/admin"}),
        ("GET", PODS, {"namespace": "shop", "name": "a", "subresource": "proxy/stats/summary"}),
        ("GET", NODES, {"name": "a", "subresource": "proxy/stats/summary/../../run/shop/a/a"}),
        ("GET", NODES, {"name": "a", "subresource": "proxy/exec/shop/a/a"}),
        ("GET", "/api/v1/namespaces/shop/pods/a/exec", {}),
        ("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews/x", {}),
        ("DELETE", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {}),
    ],
)
async def test_where_the_gate_is_shut_nothing_but_reads_is_sent(
    server: ScriptedServer,
    transport: Transport,
    method: Method,
    target: GVR | str,
    where: dict[str, Any],
    dry: dict[str, str],
) -> None:
    with pytest.raises(errors.ReadOnly, match=SHUT):
        await transport.request(method, target, **where, query=dry, body=b"{}")
    assert server.requests == []


@pytest.mark.usefixtures("shut")
async def test_a_connection_to_a_container_is_more_than_a_read(
    server: ScriptedServer, transport: Transport
) -> None:
    with pytest.raises(errors.ReadOnly, match=SHUT):
        async with transport.stream(PODS, namespace="shop", name="a", subresource="exec", silence=1):
            pass
    assert server.requests == []


@pytest.mark.usefixtures("shut")
async def test_reviews_and_whatever_is_called_like_a_connection_are_reads(
    server: ScriptedServer, transport: Transport
) -> None:
    assert (await access.allowed(transport, "delete", PODS, namespace="shop")).allowed
    with contextlib.suppress(errors.NotFound):
        await access.rules_in(transport, "shop")
    await transport.version()
    server.put("exec", namespace="proxy", plural="pods")
    await transport.request("GET", PODS, namespace="proxy")
    with contextlib.suppress(errors.NotFound):
        await transport.request("GET", PODS, namespace="proxy", name="exec")
    with contextlib.suppress(errors.NotFound):  # how full its volumes are
        await transport.request("GET", NODES, name="a", subresource="proxy/stats/summary")
    assert len(server.requests) == 6


# Files that are replaced, and proxies


async def test_a_kubeconfigs_proxy_is_used_whatever_no_proxy_says(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    async with reaching(tmp_path, "http://api.invalid:6443", **{"proxy-url": server.url}) as transport:
        await transport.version()
    assert server.requests[0].headers["Host"] == "api.invalid:6443"


async def test_the_environments_proxy_is_used_but_for_what_no_proxy_names(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url)
    monkeypatch.setenv("NO_PROXY", "10.0.0.0/8,127.0.0.1:1")
    async with reaching(tmp_path, "http://192.0.2.7:6443") as transport:
        await transport.version()
    assert server.requests[0].headers["Host"] == "192.0.2.7:6443"
    async with reaching(tmp_path, server.url) as transport:
        await transport.version()  # the loopback: reached directly


async def test_a_proxy_that_cannot_be_used_is_told_as_such(tmp_path: Path) -> None:
    async with reaching(
        tmp_path, "https://api.invalid", **{"proxy-url": "socks5://127.0.0.1:1"}
    ) as transport:
        with pytest.raises(errors.Unavailable, match="not an HTTP proxy"):
            await transport.version()


class Over(Exception):
    """What somebody raises who may write no longer."""


async def test_what_may_no_longer_be_written_is_not_sent_though_the_gate_was_open(
    server: ScriptedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hold is asked after all that may take long: here it ends while the gate is asked."""
    ended = False

    async def slow(_: Cluster) -> None:
        nonlocal ended
        ended = True

    def held() -> None:
        if ended:
            raise Over

    monkeypatch.setattr(Transport, "gate", staticmethod(slow))
    server.put("a", plural="pods")
    async with reaching(tmp_path, server.url) as transport:
        token = transport_module.hold.set(held)
        try:
            for method in ("POST", "PUT", "PATCH", "DELETE"):
                with pytest.raises(Over):
                    await transport.request(method, PODS, namespace="default", name="a", body=b"{}")  # type: ignore[arg-type]
            assert (await transport.request("GET", PODS)).status == 200, "reading is free"
        finally:
            transport_module.hold.reset(token)
        assert {each.method for each in server.requests} == {"GET"}
