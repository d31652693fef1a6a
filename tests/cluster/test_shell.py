"""A shell in a container, through its websocket against a real API server; what runs are processes of this machine."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock

import pytest
import pytest_asyncio
from asgiref.testing import ApplicationCommunicator
from django.contrib.auth.models import User
from django.http import QueryDict

from dashboard import consumers, shellconsumer
from dashboard.errors import NotFound
from dashboard.kube.exec import Exec
from dashboard.kube.transport import Transport
from dashboard.live import terminal
from dashboard.live.runtime import ClusterRuntime
from dashboard.live.screens.detail import DetailScreen
from dashboard.live.session import Account, Identity, Session
from dashboard.models import AuditEntry, ClusterPermit
from dashboard.rates import SHELLS, rates_of
from dashboard.shellconsumer import ShellConsumer
from sandbox import Sandbox

from .place import Place, Rule, until

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True)]

SECONDS = 60
MAY: Rule = {"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["create", "get"]}
LIST: Rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}


class Here(Place):
    """A pod that runs, and a cluster that is open; who acts has the installation's account unless another is given."""

    transport_of_account: Transport | None = None

    def __init__(
        self, cluster: Sandbox, transport: Transport, namespace: str, runtime: ClusterRuntime
    ) -> None:
        super().__init__(cluster, transport, namespace)
        self.cluster = cluster
        self.runtime = runtime
        self.name = f"session-{secrets.token_hex(4)}"

    async def pod(self) -> None:
        pod = {"containers": [{"name": "app", "image": "a/app:1"}, {"name": "proxy", "image": "a/proxy:1"}]}
        self.make("/api/v1/namespaces/{ns}/pods", {"metadata": {"name": "box"}, "spec": pod})

        async def runs() -> bool:
            found = self.api.get(f"/api/v1/namespaces/{self.namespace}/pods/box")
            return bool(found["status"].get("phase") == "Running")

        await until(runs, SECONDS)

    def opened(self, slug: str) -> Any:
        """What a socket opens: the cluster, with the account of the test."""
        return SimpleNamespace(cluster=self.runtime.cluster, closed=False, session=self.session)

    def session(self, identity: Identity) -> Session:
        session = self.runtime.session(identity)
        if self.transport_of_account is not None:
            session._account = Account("reader", self.runtime, self.transport_of_account)
        return session

    @asynccontextmanager
    async def socket(self, name: str = "box") -> AsyncIterator[Terminal]:
        scope = {
            "type": "websocket",
            "session": SimpleNamespace(session_key=self.name, get=lambda *_: "link"),
            "url_route": {
                "kwargs": {"context": "tests", "namespace": self.namespace, "name": name},
            },
        }
        socket = ApplicationCommunicator(ShellConsumer.as_asgi(), scope)  # type: ignore[no-untyped-call]
        await socket.send_input({"type": "websocket.connect"})
        assert (await socket.receive_output(SECONDS))["type"] == "websocket.accept"
        terminal = Terminal(socket)
        try:
            yield terminal
        finally:
            await socket.send_input({"type": "websocket.disconnect", "code": 1000})
            await socket.wait(SECONDS)

    async def audit(self) -> list[tuple[str, str]]:
        found = AuditEntry.objects.filter(action="shell", name="box").order_by("pk")
        return [(each.result, each.detail) async for each in found]


class Terminal:
    """What a browser does with a shell's socket."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self.printed = bytearray()

    async def start(self, container: str = "app", **said: object) -> dict[str, Any]:
        await self.tell({"t": "start", "container": container, "columns": 101, "rows": 33, **said})
        return await self.heard()

    async def tell(self, message: dict[str, Any]) -> None:
        await self.socket.send_input({"type": "websocket.receive", "text": json.dumps(message)})

    async def type(self, text: bytes) -> None:
        await self.socket.send_input({"type": "websocket.receive", "bytes": text})

    async def heard(self) -> dict[str, Any]:
        """The next message about the shell; what it prints meanwhile is kept."""
        async with asyncio.timeout(SECONDS):
            while True:
                message = await self.socket.receive_output(SECONDS)
                if message["type"] == "websocket.close":
                    return {"t": "closed", "code": message.get("code")}
                if message.get("bytes"):
                    self.printed += message["bytes"]
                    await self.tell({"t": "drawn", "bytes": len(message["bytes"])})
                else:
                    found: dict[str, Any] = json.loads(message["text"])
                    return found

    async def until(self, check: Callable[[bytearray], object]) -> None:
        async with asyncio.timeout(SECONDS):
            while not check(self.printed[-8192:]):
                message = await self.socket.receive_output(SECONDS)
                self.printed += message["bytes"]
                await self.tell({"t": "drawn", "bytes": len(message["bytes"])})


@pytest_asyncio.fixture
async def here(
    cluster: Sandbox, transport: Transport, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Here]:
    found = transport.cluster = dataclasses.replace(transport.cluster, is_sandbox=False)
    runtime = ClusterRuntime(found)
    here = Here(cluster, transport, namespace, runtime)
    monkeypatch.setattr(consumers, "runtime", SimpleNamespace(open=here.opened))
    monkeypatch.setattr(ShellConsumer, "signed_in", AsyncMock(return_value=("mara", None)))
    owner = await User.objects.acreate(username="mara")
    await ClusterPermit.objects.acreate(context=found.name, server=found.server, allowed_by=owner)
    await here.pod()
    yield here
    await runtime.close()


async def test_what_is_typed_is_run_and_its_output_comes_whole(here: Here) -> None:
    async with here.socket() as shell:
        assert await shell.start(reason="the queue is stuck") == {"t": "started"}
        grin = "echo 'ü😀'$((6 * 7))\n".encode()
        for at in range(len(grin)):  # cut within characters too
            await shell.type(grin[at : at + 1])
        await shell.until(lambda printed: "ü😀42".encode() in printed)
        await shell.type(b"stty size\n")
        await shell.until(lambda printed: b"33 101" in printed)
        await shell.tell({"t": "size", "columns": 77, "rows": 11})
        # What is typed after a new size finds it, and what is pasted arrives as a whole.
        await shell.type(b"stty size\n")
        await shell.until(lambda printed: b"11 77" in printed)
        await shell.type(b"seq 1 20000 | tail -1 && exit 3\n")
        assert await shell.heard() == {"t": "ended", "text": "exit code 3", "next": ""}
    entries = await here.audit()
    assert entries[0] == ("done", "Started in container app.")
    assert entries[1][0] == "done"
    assert re.fullmatch(r"Ended in container app after \d+s: exit code 3\.", entries[1][1])
    assert {each.reason async for each in AuditEntry.objects.all()} == {"the queue is stuck"}
    assert {each.user_name async for each in AuditEntry.objects.all()} == {"mara"}


async def test_a_browser_that_draws_nothing_stops_the_program_and_not_the_dashboard(here: Here) -> None:
    async with here.socket() as shell:
        await shell.start()
        await shell.type(b"yes | head -c 4000000; echo done-$((1 + 1))\n")
        came = 0
        while came < 256 * 1024:
            message = await shell.socket.receive_output(SECONDS)
            came += len(message["bytes"])
        assert await shell.socket.receive_nothing(1.0)
        assert came < 512 * 1024
        await shell.tell({"t": "drawn", "bytes": came})
        await shell.until(lambda printed: b"done-2" in printed)
        await shell.tell({"t": "end"})
        assert (await shell.heard())["text"] == "the user ended it"


async def test_several_at_once_and_no_more_than_so_many(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.rates.SHELLS", 2)
    async with here.socket() as one, here.socket() as other:
        await one.start("app")
        await other.start("proxy")
        await one.type(b"echo one-$((1 + 1))\n")
        await other.type(b"echo other-$((1 + 1))\n")
        await one.until(lambda printed: b"one-2" in printed)
        await other.until(lambda printed: b"other-2" in printed)
        assert b"one-2" not in other.printed
        async with here.socket() as third:
            refused = await third.start()
            assert (refused["t"], refused["next"]) == ("refused", "End one of them first.")
            assert str(SHELLS) in refused["text"]
    assert rates_of(here.name).shells == 0


async def test_what_can_not_be_is_said_in_words(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    async with here.socket() as shell:
        refused = await shell.start("nope")
        assert "container nope is not valid for pod box" in refused["text"]
    async with here.socket("gone") as shell:
        refused = await shell.start()
        assert (refused["t"], refused["title"]) == ("refused", "Not found")
    monkeypatch.setattr("dashboard.actions.shell.COMMAND", ("/bin/no-such-shell",))
    async with here.socket() as shell:
        await shell.start()
        assert (await shell.heard())["text"] == "the image of container app has no shell"
    assert [result for result, _ in await here.audit()] == ["refused", "done", "done"]


async def test_it_ends_soon_after_the_right_is_lost_and_none_starts_without(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shellconsumer, "RIGHTS_SECONDS", 0.5)
    async with here.restricted(MAY, LIST) as reader:
        here.transport_of_account = reader
        async with here.socket() as shell:
            assert await shell.start() == {"t": "started"}
            here.api.patch(
                f"/apis/rbac.authorization.k8s.io/v1/namespaces/{here.namespace}/roles/reader",
                {"rules": [LIST]},
            )
            async with asyncio.timeout(30):
                assert (await shell.heard())["text"] == "permission to create pods/exec was revoked"
        async with here.socket() as shell:
            refused = await shell.start()
            assert (refused["t"], refused["title"]) == ("refused", "Not allowed")
            assert "create pods/exec" in refused["text"]
        screen = DetailScreen(
            here.session(Identity("mara")), QueryDict(), "pods", here.namespace, "box", "shell"
        )
        with here.runtime.lease(screen.plurals):
            await here.runtime.ready(screen.plurals)
            await screen.prepare()
            html = screen.snapshot().regions["shell-choice"].html
        assert "Ask whoever manages access to allow: create and get on pods/exec there." in html
    assert [result for result, _ in await here.audit()] == ["done", "done", "refused"]


async def test_it_ends_with_the_session(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    signed_in = AsyncMock(return_value=("mara", None))
    monkeypatch.setattr(ShellConsumer, "signed_in", signed_in)
    monkeypatch.setattr(consumers, "SESSION_SECONDS", 0.2)
    async with here.socket() as shell:
        said = await shell.start()
        while said["t"] == "waiting":  # for the container
            said = await shell.heard()
        signed_in.return_value = None
        assert await shell.heard() == {"t": "bye", "why": "signed-out"}
    assert (await here.audit())[-1][1].endswith(": signed out.")


async def test_it_ends_with_its_context(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Any] = []

    def open_(slug: str) -> Any:
        opened.append(here.opened(slug))
        return opened[-1]

    def named(_: str) -> None:
        raise NotFound("There is no such context.")

    monkeypatch.setattr(consumers, "runtime", SimpleNamespace(open=open_, named=named))
    monkeypatch.setattr(consumers, "SESSION_SECONDS", 0.2)
    async with here.socket() as shell:
        said = await shell.start()
        while said["t"] == "waiting":  # for the container
            said = await shell.heard()
        assert said["t"] == "started"
        opened[-1].closed = True  # as the sweep does once it left the kubeconfig
        assert await shell.heard() == {"t": "bye", "why": "gone"}
    assert (await here.audit())[-1][1].endswith(": the context was removed from the configuration.")


async def test_an_hour_in_which_nothing_passes_keeps_it_and_then_ends_it(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a clock that runs faster: as many pings as in an hour, then the hour is over."""
    monkeypatch.setattr(terminal, "QUIET_SECONDS", 0.01)
    monkeypatch.setattr(shellconsumer, "RIGHTS_SECONDS", 0.2)
    pings, ping = [], Exec.ping

    async def counted(program: Exec) -> None:
        await ping(program)
        pings.append(program)

    async def enough() -> bool:
        return len(pings) > 3600 / 25

    monkeypatch.setattr(Exec, "ping", counted)
    async with here.socket() as shell:
        await shell.start()
        await until(enough, SECONDS)
        await shell.type(b"echo still-$((1 + 1))\n")
        await shell.until(lambda printed: b"still-2" in printed)
        monkeypatch.setattr(terminal, "IDLE_SECONDS", 0.0)
        assert (await shell.heard())["text"] == "no input for an hour"


async def test_it_ends_with_its_pod(here: Here) -> None:
    async with here.socket() as shell:
        await shell.start()
        here.api.delete(f"/api/v1/namespaces/{here.namespace}/pods/box?gracePeriodSeconds=0")
        await shell.type(b"exit 1\n")  # a process of this machine does not end with the pod
        ended = await shell.heard()
        assert (ended["t"], ended["text"]) == ("ended", "the pod was deleted")


async def test_it_ends_with_the_page(here: Here) -> None:
    async with here.socket() as shell:
        await shell.start()
        await shell.until(lambda printed: printed)
    entries = await here.audit()
    assert entries[-1][1].endswith(": the page was closed.")


@pytest.mark.parametrize("how", ["installation", "context"])
async def test_none_starts_where_nothing_may_be_changed(here: Here, settings: Any, how: str) -> None:
    if how == "installation":
        settings.CLUSTER_UI_READ_ONLY = True
    else:
        await ClusterPermit.objects.all().adelete()
    async with here.socket() as shell:
        refused = await shell.start()
        assert (refused["t"], refused["title"]) == ("refused", "Read-only")


async def test_a_production_context_asks_for_the_pods_name(here: Here, settings: Any) -> None:
    settings.CLUSTER_UI_PRODUCTION = [here.runtime.cluster.name]
    async with here.socket() as shell:
        refused = await shell.start()
        assert (refused["t"], refused["field"]) == ("refused", "confirm")
        assert refused["text"].startswith("Type the pod's name, box:")
    async with here.socket() as shell:
        refused = await shell.start(confirm="box")
        assert (refused["t"], refused["field"]) == ("refused", "reason")
    async with here.socket() as shell:
        assert await shell.start(confirm="box", reason="it hangs") == {"t": "started"}


async def test_nothing_typed_or_printed_is_kept(here: Here, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    typed, printed = secrets.token_hex(16), secrets.randbelow(10**9)
    async with here.socket() as shell:
        await shell.start()
        await shell.type(f"echo {typed} $(({printed} * 7919))\n".encode())
        await shell.until(lambda seen: str(printed * 7919).encode() in seen)
        await shell.type(b"exit\n")
        await shell.heard()
    kept = caplog.text + " ".join([f"{each.detail} {each.reason}" async for each in AuditEntry.objects.all()])
    assert typed not in kept
    assert str(printed * 7919) not in kept
