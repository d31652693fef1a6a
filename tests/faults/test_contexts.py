"""The contexts of a running server: what leaves the kubeconfig is closed, and what nobody opened is not asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml
from asgiref.testing import ApplicationCommunicator
from django.contrib.auth.models import User
from django.test import AsyncClient

from dashboard.errors import Unavailable
from dashboard.live import runtime as runtime_module
from dashboard.live.resuming import RESUMED, resume
from dashboard.live.runtime import ClusterRuntime, runtime
from dashboard.models import ClusterPermit, Recording, TimelineEvent

from .scripted import ScriptedServer, until

pytestmark = pytest.mark.django_db(transaction=True)

SECONDS = 20.0  # a loaded machine


class Config:
    """A kubeconfig of contexts by name; what is changed is written at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.contexts: dict[str, dict[str, Any]] = {}
        self.users: dict[str, dict[str, Any]] = {}

    def write(self) -> None:
        named = sorted(self.contexts)
        document = {
            "contexts": [{"name": each, "context": {"cluster": each, "user": each}} for each in named],
            "clusters": [{"name": each, "cluster": self.contexts[each]} for each in named],
            "users": [{"name": each, "user": self.users.get(each, {"token": "first"})} for each in named],
        }
        self.path.write_text(yaml.safe_dump(document))


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: ScriptedServer) -> Config:
    made = Config(tmp_path / "config")
    made.contexts = {"one": {"server": server.url}, "two": {"server": server.url}}
    made.write()
    monkeypatch.setenv("KUBECONFIG", str(made.path))
    monkeypatch.setattr(runtime_module, "SWEEP_SECONDS", 0.05)
    return made


@pytest_asyncio.fixture
async def started(config: Config) -> AsyncIterator[None]:
    await runtime.start()
    yield
    await runtime.stop()


async def watched(server: ScriptedServer, name: str) -> ClusterRuntime:
    """A context that somebody looks at."""
    found = runtime.open(name)
    found.lease(frozenset({"pods"}))
    await until(lambda: server.watchers > 0, "watched", seconds=SECONDS)
    return found


def remove(config: Config) -> None:
    del config.contexts["one"]
    config.write()


def give_another_token(config: Config) -> None:
    config.users["one"] = {"token": "second"}
    config.write()


def move(config: Config) -> None:
    config.contexts["one"] = {"server": "https://elsewhere.invalid"}
    config.write()


def delete_the_file(config: Config) -> None:
    config.path.unlink()


@pytest.mark.usefixtures("started")
@pytest.mark.parametrize("change", [remove, give_another_token, move, delete_the_file])
async def test_what_is_configured_otherwise_is_closed_though_nobody_opens_a_page(
    server: ScriptedServer, config: Config, change: Callable[[Config], None]
) -> None:
    found = await watched(server, "one")
    change(config)
    await until(lambda: found.closed and server.watchers == 0, "closed", seconds=SECONDS)
    with pytest.raises(Unavailable):
        await found.installation.transport.version()
    with pytest.raises(Unavailable):
        await found.ready({"pods"})
    assert found not in runtime.opened()


@pytest.mark.usefixtures("started")
async def test_what_is_recorded_goes_on_with_a_new_token_though_nobody_opens_a_page(
    server: ScriptedServer, config: Config
) -> None:
    """Tokens are rotated at night, and the record of that night is what people ask for."""
    found = await watched(server, "one")
    found.record()
    give_another_token(config)
    await until(lambda: found.closed, "closed", seconds=SECONDS)
    second = "Bearer second"
    await until(
        lambda: any(each.headers.get("Authorization") == second for each in server.requests),
        "asked",
        seconds=SECONDS,
    )
    (again,) = [each for each in runtime.opened() if each.cluster.name == "one"]
    assert again is not found and again.recorded


@pytest.mark.usefixtures("started")
async def test_what_is_configured_as_it_was_stays_open_also_while_the_file_is_being_written(
    server: ScriptedServer, config: Config
) -> None:
    found = await watched(server, "one")
    two = runtime.open("two")
    del config.contexts["two"]
    config.write()
    await until(lambda: two.closed, "closed", seconds=SECONDS)
    text = config.path.read_text()
    config.path.write_text("contexts: [")
    runtime.sweep()
    runtime.sweep()
    config.path.write_text(text)
    config.path.rename(config.path.with_suffix(".new"))
    assert runtime._missing is False
    runtime.sweep()  # a program that deletes the old file first
    config.path.with_suffix(".new").rename(config.path)
    runtime.sweep()
    assert not found.closed and runtime.open("one") is found


def lists(server: ScriptedServer) -> int:
    return sum(each.path.endswith("/pods") and "watch" not in each.query for each in server.requests)


@pytest.mark.parametrize("mark", ["recording", "timeline"])
@pytest.mark.usefixtures("config")
async def test_what_was_recorded_before_the_start_goes_on_and_nothing_else_is_watched(
    server: ScriptedServer, mark: str
) -> None:
    now = datetime.now(UTC)
    for name, at in (("two", now - timedelta(days=2)), ("one", now - RESUMED), ("gone", now)):
        if mark == "recording":
            await Recording.objects.acreate(context=name, began_at=at, until=at, holds=False)
        else:
            await TimelineEvent.objects.acreate(context=name, key=name, at=at, type="watching")
    await runtime.start()
    try:
        await until(lambda: runtime.tried and server.watchers > 0, "watched", seconds=SECONDS)
        two = runtime.opened_as(runtime.named("two"))
        assert two is not None
        assert two.installation.cache.runs, "it is watched, though nobody opened a page"
        one = runtime.opened_as(runtime.named("one"))
        assert one is None or not one.installation.cache.runs
        assert lists(server) <= 1
        async with asyncio.timeout(SECONDS):
            while not await Recording.objects.filter(context="two", began_at__gte=now).aexists():  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    finally:
        await runtime.stop()


@pytest.mark.usefixtures("started")
async def test_a_start_without_a_record_watches_nothing(server: ScriptedServer) -> None:
    await until(lambda: runtime.tried, "tried", seconds=SECONDS)
    await resume(runtime)
    assert (lists(server), server.watchers) == (0, 0)


@pytest_asyncio.fixture
async def client(settings: Any, tmp_path: Path) -> AsyncClient:
    settings.STATIC_ROOT = str(tmp_path)  # no files were collected
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
    made = AsyncClient()
    await made.aforce_login(await User.objects.acreate(username="mara"))
    return made


@pytest.mark.usefixtures("started")
@pytest.mark.parametrize("looking", [True, False], ids=["looks", "idle"])
async def test_a_socket_is_told_in_words(
    config: Config, client: AsyncClient, monkeypatch: pytest.MonkeyPatch, looking: bool
) -> None:
    from cluster_ui.asgi import application

    monkeypatch.setattr("dashboard.consumers.SESSION_SECONDS", 0.05)
    cookie = "; ".join(f"{each.key}={each.value}" for each in client.cookies.values())
    headers = [(b"cookie", cookie.encode()), (b"origin", b"http://localhost"), (b"host", b"localhost")]
    scope = {
        "type": "websocket",
        "path": "/ws/c/one/",
        "headers": headers,
        "query_string": b"",
        "subprotocols": [],
    }
    socket: Any = ApplicationCommunicator(application, scope)  # type: ignore[no-untyped-call]
    await socket.send_input({"type": "websocket.connect"})
    assert (await socket.receive_output(SECONDS))["type"] == "websocket.accept"
    if looking:
        look = {"t": "look", "view": 1, "path": "/c/one/pods/"}
        await socket.send_input({"type": "websocket.receive", "text": json.dumps(look)})
        await socket.receive_output(SECONDS)
    remove(config)
    said: list[dict[str, Any]] = []
    async with asyncio.timeout(SECONDS):
        while (message := await socket.receive_output(SECONDS))["type"] != "websocket.close":
            said.append(json.loads(message["text"]))
    assert message["code"] == 4410
    assert said[-1] == {"t": "bye", "why": "gone"}


@pytest.mark.parametrize("many", [50, 200])
async def test_the_page_of_clusters_asks_only_what_is_open_and_parses_once(
    server: ScriptedServer,
    config: Config,
    client: AsyncClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    many: int,
) -> None:
    plugin = tmp_path / "plugin.sh"
    plugin.write_text(f"#!/bin/sh\necho run >> {tmp_path}/runs\nexit 1\n")
    plugin.chmod(0o755)
    spec = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin)}
    for at in range(many):
        config.contexts[f"unopened-{at}"] = {"server": server.url}
        config.users[f"unopened-{at}"] = {"exec": spec}
    config.write()
    parses = 0
    real = yaml.load

    def load(*given: Any) -> Any:
        nonlocal parses
        parses += 1
        return real(*given)

    monkeypatch.setattr("dashboard.kube.config.yaml.load", load)
    await ClusterPermit.objects.acreate(
        context="unopened-7", server=server.url, allowed_by=await User.objects.aget()
    )
    await runtime.start()
    try:
        await until(lambda: runtime.tried, "tried", seconds=SECONDS)
        for _ in range(3):
            page = await client.get("/clusters/")
        text = page.content.decode()
        assert (page.status_code, parses) == (200, 1)
        # The first one was asked when the server started, and the frame of the page is of it.
        assert (text.count(">Not looked at<"), text.count(">v1.36.3</td>")) == (many + 1, 1)
        assert "mara allowed changes" in text
        response = await client.post("/clusters/unopened-8/allow/")
        assert response.status_code == 302
        assert [each.cluster.name for each in runtime.opened()] == ["one"]
        assert not (tmp_path / "runs").exists()
        assert parses == 1
    finally:
        await runtime.stop()
