"""A shell in a container that really runs, through the dashboard's websocket."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from types import SimpleNamespace
from unittest.mock import AsyncMock

import pytest
import pytest_asyncio
from django.contrib.auth.models import User

from dashboard import consumers
from dashboard.kube.transport import Transport
from dashboard.live.runtime import ClusterRuntime
from dashboard.models import ClusterPermit
from dashboard.shellconsumer import ShellConsumer
from sandbox import Sandbox
from tests.cluster.test_shell import Here

from .pods import Pods

pytestmark = pytest.mark.django_db(transaction=True)


@pytest_asyncio.fixture
async def here(
    cluster: Sandbox, transport: Transport, pods: Pods, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Here]:
    found = transport.cluster = dataclasses.replace(transport.cluster, is_sandbox=False)
    runtime = ClusterRuntime(found)
    here = Here(cluster, transport, pods.namespace, runtime)
    monkeypatch.setattr(consumers, "runtime", SimpleNamespace(open=here.opened))
    monkeypatch.setattr(ShellConsumer, "signed_in", AsyncMock(return_value=("mara", None)))
    owner = await User.objects.acreate(username="mara")
    await ClusterPermit.objects.acreate(context=found.name, server=found.server, allowed_by=owner)
    pods.pod("box", "echo up > /tmp/mine; exec sleep 600")
    await pods.ready("box")
    yield here
    await runtime.close()


async def test_what_is_typed_is_run_in_the_container(here: Here) -> None:
    async with here.socket() as shell:
        assert await shell.start() == {"t": "started"}
        await shell.type(b"cat /tmp/mine; hostname; id -u\n")
        await shell.until(lambda printed: b"up" in printed and b"box" in printed)
        await shell.type(b"stty size\n")
        await shell.until(lambda printed: b"33 101" in printed)
        await shell.tell({"t": "size", "columns": 77, "rows": 11})
        await shell.type(b"stty size\n")
        await shell.until(lambda printed: b"11 77" in printed)
        await shell.type(b"echo be''gun; sleep 600\n")
        await shell.until(
            lambda printed: b"begun\r\n" in printed
        )  # the shell no longer reads a line by itself
        await shell.type(b"\x03")  # Ctrl-C
        await shell.until(lambda printed: b"^C" in printed)
        await shell.type(b"echo stopped $?\n")
        await shell.until(lambda printed: b"stopped 130" in printed)
        await shell.type(b"exit 3\n")
        assert await shell.heard() == {"t": "ended", "text": "exit code 3", "next": ""}


async def test_an_image_without_a_shell_says_so(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.actions.shell.COMMAND", ("/bin/no-such-shell",))
    async with here.socket() as shell:
        await shell.start()
        assert (await shell.heard())["text"] == "the image of container app has no shell"


async def test_it_ends_when_its_container_does(here: Here) -> None:
    async with here.socket() as shell:
        await shell.start()
        await shell.type(b"echo here-$((1 + 1))\n")
        await shell.until(lambda printed: b"here-2" in printed)
        here.api.delete(f"/api/v1/namespaces/{here.namespace}/pods/box")
        said = await shell.heard()
        assert said["t"] == "ended"
        assert said["text"]
