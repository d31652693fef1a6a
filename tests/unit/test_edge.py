"""What comes in from outside, bounded before anything is asked: bodies by their route, addresses, headers, and time."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from cluster_ui.asgi import application
from dashboard import edge
from dashboard.actions.registry import ACTIONS
from dashboard.edge import BODY_BYTES, KIB, MIB, limit_of
from dashboard.signin import link_create

pytestmark = pytest.mark.django_db(transaction=True)

EDIT = "/c/tests/configmaps/shop/web/edit/"


class Sender:
    """A browser that sends a body in parts; ``sent`` is how much of it was asked for."""

    def __init__(self, parts: AsyncIterator[bytes]) -> None:
        self.parts = parts
        self.sent = 0

    async def receive(self) -> dict[str, Any]:
        async for part in self.parts:
            self.sent += len(part)
            return {"type": "http.request", "body": part, "more_body": True}
        return await asyncio.get_running_loop().create_future()


async def endless(part: int = 16 * KIB) -> AsyncIterator[bytes]:
    while True:
        yield b"x" * part


async def trickle() -> AsyncIterator[bytes]:
    while True:
        await asyncio.sleep(0.01)
        yield b"x"


class Answer:
    def __init__(self, messages: list[dict[str, Any]]) -> None:
        start = messages[0]
        self.status: int = start["status"]
        self.headers = {name.decode().lower(): value.decode() for name, value in start["headers"]}
        self.text = b"".join(message.get("body", b"") for message in messages[1:]).decode()


async def ask(
    path: str,
    sender: Sender | None = None,
    *,
    method: str = "POST",
    query: str = "",
    **headers: str,
) -> Answer:
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "scheme": "http",
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
        "headers": [
            (name.replace("_", "-").encode(), value.encode())
            for name, value in ({"host": "127.0.0.1", "accept": "text/html"} | headers).items()
        ],
    }
    async with asyncio.timeout(60):
        await application(scope, (sender or Sender(endless())).receive, send)
    return Answer(sent)


@pytest.fixture(autouse=True)
def nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """No body, however large, reaches a disk."""

    def rollover(self: Any) -> None:
        raise AssertionError("a body was written to a disk")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", rollover)
    monkeypatch.setattr(edge, "LINGER_SECONDS", 0.05)


@pytest.fixture
def cookie() -> str:
    client = Client()
    client.post("/login/link/", {"token": link_create(user_name="mara").partition("=")[2]})
    return f"cluster_ui_session={client.cookies['cluster_ui_session'].value}"


def routes(resolver: URLResolver | None = None) -> list[URLPattern]:
    found: list[URLPattern] = []
    for each in (resolver or get_resolver()).url_patterns:
        found += routes(each) if isinstance(each, URLResolver) else [each]
    return found


def test_only_forms_that_hold_an_objects_content_are_large() -> None:
    large = {each.name for each in routes() if hasattr(each.callback, "body_limit")}
    assert large == {
        "action",
        "bulk",
        "cluster_add",
        "create",
        "create_form",
        "drill",
        "restore",
        "undo",
    }  # the undo of many names them all
    # Of the others the preview's token holds it: a pod template, the data of a version.
    in_token = {"rollback", "image", "env", "resources", "versions", "repoint"}
    assert {action.name for action in ACTIONS if action.body_bytes} == {
        "edit",
        "form",
        "replace",
        "rotate",
    } | in_token
    assert limit_of(EDIT) == 8 * MIB
    assert limit_of("/c/tests/create/") == 4 * MIB
    assert limit_of("/c/tests/secrets/shop/web/rotate/") == 4 * MIB
    for path in (
        "/login/",
        "/nowhere",
        "/c/tests/secrets/shop/web/reveal/",
        "/c/tests/deployments/shop/web/scale/",
        "/",
    ):
        assert limit_of(path) == BODY_BYTES, path


@pytest.mark.parametrize("path", ["/login/", "/logout/", "/healthz", "/nowhere", "/static/css/app.css", EDIT])
@pytest.mark.parametrize("method", ["POST", "GET", "PUT"])
async def test_an_announced_body_is_refused_before_a_byte_of_it_is_read(path: str, method: str) -> None:
    sender = Sender(endless())
    answer = await ask(path, sender, method=method, content_length=str(191 * MIB))
    assert answer.status == 413
    assert answer.headers["connection"] == "close"
    assert "KiB" in answer.text and "<h1>The request is too large</h1>" in answer.text
    assert "Content-Security-Policy".lower() in answer.headers
    # Only so much is read that the answer is not lost with the connection.
    assert sender.sent <= edge.LINGER_BYTES + 64 * KIB


async def test_a_body_of_no_announced_length_is_cut_where_it_passes_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(edge, "LINGER_BYTES", 0)
    for path in ("/login/", EDIT, "/logout/"):
        sender = Sender(endless())
        answer = await ask(path, sender)
        assert answer.status == 413
        assert sender.sent <= BODY_BYTES + 2 * 16 * KIB, path


async def test_whoever_is_signed_in_may_send_what_the_route_takes(cookie: str) -> None:
    async def form(size: int) -> AsyncIterator[bytes]:
        for _ in range(size // (16 * KIB)):
            yield b"x" * 16 * KIB

    for path, most in (
        (EDIT, 8 * MIB),
        ("/c/tests/secrets/shop/web/rotate/", 4 * MIB),
        ("/changes/", BODY_BYTES),
    ):
        sender = Sender(endless())
        answer = await ask(path, sender, cookie=cookie)
        assert answer.status == 413
        assert f"{most // 1024:,} KiB" in answer.text
        announced = await ask(path, content_length=str(most + 1), cookie=cookie)
        assert announced.status == 413
    # What is not too large gets to its view: here it has no CSRF token.
    whole = Sender(form(6 * MIB))

    async def receive() -> dict[str, Any]:
        message = await Sender.receive(whole)
        return message | {"more_body": whole.sent < 6 * MIB}

    whole.receive = receive  # type: ignore[method-assign]
    assert (await ask(EDIT, whole, content_length=str(6 * MIB), cookie=cookie)).status == 403


@pytest.mark.parametrize("forged", ["cluster_ui_session=" + "x" * 32, "cluster_ui_session=", "other=1"])
async def test_a_cookie_of_no_session_is_no_session(forged: str) -> None:
    assert (await ask(EDIT, content_length=str(MIB), cookie=forged)).status == 413


async def test_a_form_whose_session_has_ended_is_kept_by_its_page() -> None:
    answer = await ask(EDIT, content_length=str(MIB), hx_request="true", hx_target="preview")
    assert (answer.status, answer.headers["hx-redirect"]) == (401, "/login/")


async def test_a_script_is_told_in_json(cookie: str) -> None:
    for asked in ({"query": "format=json"}, {"accept": "application/json"}):
        answer = await ask("/login/", content_length=str(MIB), **asked)
        assert answer.status == 413
        assert json.loads(answer.text)["title"] == "The request is too large"
    beside = await ask(
        EDIT, content_length=str(9 * MIB), cookie=cookie, hx_request="true", hx_target="preview"
    )
    assert beside.status == 413
    assert '<div id="preview">' in beside.text and "8,192 KiB" in beside.text


async def test_a_body_that_trickles_has_a_limit_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "PATIENCE_SECONDS", 0.2)
    answer = await ask("/login/", Sender(trickle()))
    assert answer.status == 408
    assert "came too slowly" in answer.text


async def test_a_body_that_never_comes_has_one_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never() -> AsyncIterator[bytes]:
        await asyncio.get_running_loop().create_future()
        yield b""

    monkeypatch.setattr(edge, "PATIENCE_SECONDS", 0.1)
    assert (await ask("/login/", Sender(never()), content_length="10")).status == 408


@pytest.mark.parametrize(
    ("status", "asked"),
    [
        (414, {"path": "/" + "x" * 20_000}),
        (414, {"path": "/login/", "query": "q=" + "x" * 20_000}),
        (431, {"path": "/login/", "cookie": "x" * 40_000}),
        (431, {"path": "/login/", **{f"x-{number}": "y" * 1000 for number in range(40)}}),
    ],
)
async def test_an_address_and_headers_have_a_size(status: int, asked: dict[str, str]) -> None:
    answer = await ask(method="GET", **asked)  # type: ignore[arg-type]
    assert answer.status == status
    assert "<h1>" in answer.text and "too l" in answer.text


async def test_a_websocket_with_such_an_address_is_not_opened() -> None:
    said: list[Any] = []

    async def send(message: Any) -> None:
        said.append(message)

    scope = {
        "type": "websocket",
        "path": "/",
        "raw_path": b"/" + b"x" * 20_000,
        "query_string": b"",
        "headers": [],
    }
    await application(scope, Sender(endless()).receive, send)
    assert said == [{"type": "websocket.close"}]


def test_what_django_takes_is_no_more_than_it_keeps_in_memory(settings: Any) -> None:
    most = max(limit_of(path) for path in (EDIT, "/c/tests/secrets/shop/web/rotate/"))
    assert most <= settings.FILE_UPLOAD_MAX_MEMORY_SIZE
    assert most <= settings.DATA_UPLOAD_MAX_MEMORY_SIZE
