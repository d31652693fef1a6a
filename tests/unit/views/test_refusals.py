"""What no view gets to see is in the audit all the same: who, from where, what for, and nothing of what was sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.contrib.auth.models import User
from django.core.cache import caches
from django.test import AsyncClient, Client

from cluster_ui.asgi import application
from dashboard import rates
from dashboard.audit.origin import SIGN_IN, session_name
from dashboard.audit.refusals import refusals
from dashboard.consumers import TOO_MANY
from dashboard.edge import BODY_BYTES
from dashboard.live.runtime import runtime
from dashboard.models import AuditEntry
from dashboard.signin import link_create
from dashboard.views.refusals import NO_TOKEN, OTHER_ORIGIN

from ..test_edge import Sender, ask

pytestmark = pytest.mark.django_db(transaction=True)

SCALE = "/c/dev~2F1/deployments/shop/web/scale/"
CANARY = "canary-of-a-form"
SECONDS = 60


@pytest.fixture(autouse=True)
def afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    for cache in ("throttle", "seen"):
        caches[cache].clear()
    refusals.counted.clear()
    monkeypatch.setattr(runtime, "clusters", lambda: ())


def signed_in(name: str = "mara", **more: Any) -> Client:
    client = Client(**more)
    client.post("/login/link/", {"token": link_create(user_name=name).partition("=")[2]})
    return client


def refused() -> list[AuditEntry]:
    found = list(AuditEntry.objects.filter(result="refused").order_by("pk"))
    assert CANARY not in str([vars(each) for each in found])
    return found


@pytest.mark.parametrize(
    ("headers", "why"),
    [({}, NO_TOKEN), ({"origin": "https://evil.example"}, OTHER_ORIGIN), ({"origin": "null"}, OTHER_ORIGIN)],
)
def test_a_form_that_is_none_of_ours(headers: dict[str, str], why: str) -> None:
    client = signed_in(REMOTE_ADDR="192.0.2.9")
    client.handler.enforce_csrf_checks = True
    key = client.session.session_key
    for _ in range(3):
        sent = {"reason": CANARY, "csrfmiddlewaretoken": CANARY}
        assert client.post(f"{SCALE}?q={CANARY}", sent, headers=headers).status_code == 403
    (entry,) = refused()
    assert (entry.user_name, entry.action, entry.detail) == ("mara", "scale", why)
    assert (entry.context, entry.plural, entry.namespace, entry.name) == (
        "dev/1",
        "deployments",
        "shop",
        "web",
    )
    assert (entry.address, entry.sign_in, entry.session) == ("192.0.2.9", "link", session_name(key))
    client.post("/logout/", headers=headers)
    assert [each.action for each in refused()] == ["scale", "sign out"]


def test_a_strangers_form_is_told_without_anything_of_it() -> None:
    stranger = Client(enforce_csrf_checks=True, REMOTE_ADDR="192.0.2.7")
    for address in ("/login/link/", "/login/password/"):
        stranger.post(address, {"token": CANARY, "username": CANARY}, headers={"origin": f"https://{CANARY}"})
    (entry,) = refused()
    assert (entry.user_name, entry.action, entry.name, entry.address) == (
        "(nobody)",
        "sign in",
        "",
        "192.0.2.7",
    )


def test_what_no_view_answers_is_json_for_a_script_and_a_page_for_a_person() -> None:
    client = signed_in()
    for method, path, status, title in (
        ("put", SCALE, 405, "This address is not for that method"),
        ("post", SCALE.replace("scale", "explode"), 405, "This address is not for that method"),
        ("get", "/nowhere/", 404, "There is no page at this address"),
    ):
        script = getattr(client, method)(f"{path}?format=json")
        assert script.status_code == status and title in str(script.json())
        page = getattr(client, method)(path)
        assert page.status_code == status and title in page.content.decode()
    assert script.json().keys() == {"error", "title", "next_step"}
    assert page.headers["Content-Type"].startswith("text/html")
    refused = client.put(f"{SCALE}?format=json")
    assert refused.json()["error"]["text"].startswith("It takes GET, HEAD, POST, not PUT. Nothing was done.")
    assert refused.headers["Allow"] == "GET, HEAD, POST"
    client.handler.enforce_csrf_checks = True
    typed = client.post(f"{SCALE}?format=json", {"replicas": 3}, content_type="application/json")
    assert typed.status_code == 415 and "not from application/json" in typed.json()["error"]["text"]
    expired = client.post(f"{SCALE}?format=json", {"step": "preview"})
    assert expired.status_code == 403 and expired.json()["error"]["title"] == "The form has expired"


async def large() -> AsyncIterator[bytes]:
    while True:
        yield CANARY.encode() * 1000


async def test_a_body_that_is_too_large_of_somebody_and_of_a_stranger() -> None:
    client, mara = AsyncClient(), await User.objects.acreate(username="mara")
    await client.aforce_login(mara)
    session = await client.asession()
    await session.aset(SIGN_IN, "oidc")
    await session.asave()
    sent = {"content_type": "text/plain", "content_length": str(BODY_BYTES * 1000)}
    assert (await ask(SCALE, Sender(large()), **sent)).status == 413
    assert not await AuditEntry.objects.aexists(), "whoever is not signed in is answered, and forgotten"
    cookie = f"cluster_ui_session={session.session_key}"
    for _ in range(2):
        assert (await ask(SCALE, Sender(large()), cookie=cookie, **sent)).status == 413
    entry = await AuditEntry.objects.aget()
    assert (entry.user_name, entry.action, entry.plural, entry.name) == (
        "mara",
        "scale",
        "deployments",
        "web",
    )
    assert (entry.sign_in, entry.result) == ("oidc", "refused") and "KiB at most" in entry.detail
    assert CANARY not in str(vars(entry))


async def handshake(client: AsyncClient, origin: str = "http://localhost") -> list[dict[str, Any]]:
    """What a socket is answered."""
    cookie = "; ".join(f"{each.key}={each.value}" for each in client.cookies.values())
    scope = {
        "type": "websocket", "path": f"/ws/c/{CANARY}/", "query_string": b"", "subprotocols": [],
        "client": ("192.0.2.7", 1),
        "headers": [(b"cookie", cookie.encode()), (b"origin", origin.encode()), (b"host", b"localhost")],
    }  # fmt: skip
    socket: Any = ApplicationCommunicator(application, scope)  # type: ignore[no-untyped-call]
    await socket.send_input({"type": "websocket.connect"})
    said = [await socket.receive_output(SECONDS)]
    while said[-1]["type"] != "websocket.close":
        said.append(await socket.receive_output(SECONDS))
    await socket.send_input({"type": "websocket.disconnect", "code": 1000})
    await socket.wait(SECONDS)
    return said


async def test_a_socket_of_another_origin_is_told_under_whose_name_it_came() -> None:
    client, mara = AsyncClient(), await User.objects.acreate(username="mara")
    await client.aforce_login(mara)
    for _ in range(2):
        await handshake(AsyncClient(), f"https://{CANARY}")
        assert [each["type"] for each in await handshake(client, f"https://{CANARY}")] == ["websocket.close"]
    found = [each async for each in AuditEntry.objects.order_by("pk")]
    assert [(each.user_name, each.address, each.action) for each in found] == [
        ("(nobody)", "192.0.2.7", "open live page"),
        ("mara", "192.0.2.7", "open live page"),
    ]
    assert found[1].session == session_name((await client.asession()).session_key)
    assert CANARY not in str([vars(each) for each in found])


async def test_too_many_sockets_of_a_session(monkeypatch: pytest.MonkeyPatch) -> None:
    client, mara = AsyncClient(), await User.objects.acreate(username="mara")
    await client.aforce_login(mara)
    cluster = SimpleNamespace(slug="dev", name="dev/1")
    opened = SimpleNamespace(cluster=cluster, session=lambda identity: SimpleNamespace(identity=identity))
    monkeypatch.setattr(runtime, "open", lambda context: opened)
    monkeypatch.setattr(rates, "SOCKETS", 0)
    for _ in range(2):
        assert (await handshake(client))[-1]["code"] == TOO_MANY
    entry = await AuditEntry.objects.aget()
    assert (entry.user_name, entry.action, entry.context) == ("mara", "open live page", "dev/1")
    assert entry.result == "refused" and "pages are open" in entry.detail
