"""A socket is its session's from the first moment on: whoever is no longer vouched for opens none."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.cache import caches
from django.test import AsyncClient
from uvicorn.protocols.utils import ClientDisconnected

from cluster_ui.asgi import application
from dashboard import sessions
from dashboard.consumers import GONE, SIGNED_OUT, LiveConsumer
from dashboard.credentials import ClusterCredential, store
from dashboard.live.runtime import runtime
from dashboard.models import SignedIn
from dashboard.oidc import SignInRefused
from dashboard.shellconsumer import ShellConsumer

pytestmark = pytest.mark.django_db(transaction=True)

SECONDS = 60
ADDRESSES = ("/ws/c/none/", "/ws/c/none/shell/shop/web/")


@pytest.fixture(autouse=True)
def afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    caches["seen"].clear()
    monkeypatch.setattr(runtime, "clusters", lambda: ())


@pytest.fixture
async def client() -> AsyncClient:
    """Somebody for whom an issuer's word has ended."""
    made, mara = AsyncClient(), await User.objects.acreate(username="oidc:mara")
    await made.aforce_login(mara)
    session = await made.asession()
    await session.aget(sessions.BEGAN)
    session[sessions.SUBJECT] = "7"
    session[sessions.UNTIL] = session[sessions.RENEW] = time.time() - 1
    store(session, ClusterCredential(kind="oidc", token="canary", refresh_token="canary-refresh"))
    await session.asave()
    await SignedIn.objects.acreate(session_id=session.session_key, user=mara)
    return made


async def opened(client: AsyncClient, address: str) -> tuple[list[dict[str, Any]], int]:
    """What a new socket says, and with which code it is closed; ``none`` is no context."""
    cookie = "; ".join(f"{each.key}={each.value}" for each in client.cookies.values())
    scope = {
        "type": "websocket", "path": address, "query_string": b"", "subprotocols": [], "client": ("192.0.2.7", 1),
        "headers": [
            (b"cookie", cookie.encode()), (b"origin", b"http://localhost"), (b"host", b"localhost"),
            (b"user-agent", b"Firefox"),
        ],
    }  # fmt: skip
    socket: Any = ApplicationCommunicator(application, scope)  # type: ignore[no-untyped-call]
    await socket.send_input({"type": "websocket.connect"})
    assert (await socket.receive_output(SECONDS))["type"] == "websocket.accept"
    said: list[dict[str, Any]] = []
    while (message := await socket.receive_output(SECONDS))["type"] != "websocket.close":
        said.append(json.loads(message["text"]))
    await socket.send_input({"type": "websocket.disconnect", "code": message["code"]})
    await socket.wait(SECONDS)
    return said, message["code"]


@pytest.mark.parametrize("address", ADDRESSES)
async def test_whom_the_issuer_refuses_opens_no_socket(
    client: AsyncClient, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    asked = []

    async def refused(**about: str) -> None:
        asked.append(about)
        raise SignInRefused("The account was disabled.")

    monkeypatch.setattr(sessions, "refresh", refused)
    for _ in range(2):
        assert await opened(client, address) == ([{"t": "bye", "why": "signed-out"}], SIGNED_OUT)
    assert asked == [{"refresh_token": "canary-refresh", "subject": "7"}], "and the session is over"
    assert not await Session.objects.aexists()


@pytest.mark.parametrize("address", ADDRESSES)
async def test_who_is_vouched_for_gets_to_the_cluster(client: AsyncClient, address: str) -> None:
    session = await client.asession()
    await session.aset(sessions.RENEW, time.time() + 60)
    await session.asave()
    assert (await opened(client, address))[1] == GONE, "of which there is none"


async def test_a_session_that_opens_sockets_alone_is_among_its_owners(client: AsyncClient) -> None:
    await test_who_is_vouched_for_gets_to_the_cluster(client, ADDRESSES[0])
    await SignedIn.objects.all().adelete()
    caches["seen"].clear()
    await opened(client, ADDRESSES[0])
    kept = await SignedIn.objects.select_related("user").aget()
    assert (kept.user.username, kept.address, kept.browser) == ("oidc:mara", "192.0.2.7", "Firefox")
    assert kept.session_id == (await client.asession()).session_key


async def test_a_browser_that_went_while_it_was_told_something_is_no_fault() -> None:
    async def gone(message: dict[str, Any]) -> None:
        raise ClientDisconnected

    for made in (LiveConsumer(), ShellConsumer()):
        made.base_send = gone
        await made.say('{"t": "beat"}')
        await made.send(bytes_data=b"output")
