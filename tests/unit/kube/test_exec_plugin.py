"""Exec plug-ins: a real little program hands out credentials that end."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cluster_ui import settings
from dashboard.errors import Unauthenticated
from dashboard.kube import exec_plugin
from dashboard.kube.config import Connection
from dashboard.kube.exec_plugin import ExecCredentials
from tests.faults.scripted import until

SETTINGS = Path(settings.__file__).read_text()
V1 = "client.authentication.k8s.io/v1"
START = datetime(2026, 1, 1, tzinfo=UTC)


class Plugin:
    """A shell script that counts its runs, notes what it was given, and answers with ``answer``."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "plugin.sh"
        self.now = START
        self.spec: dict[str, Any] = {"apiVersion": V1, "command": str(self.path)}
        self.script(
            f'echo run >> {directory}/runs\nprintf %s "$KUBERNETES_EXEC_INFO" > {directory}/info\n'
            f'printf "%s %s" "$*" "$EXTRA" > {directory}/given\ncat {directory}/answer'
        )
        self.answer(token="canary-1")

    def script(self, lines: str) -> None:
        self.path.write_text(f"#!/bin/sh\n{lines}\n")
        self.path.chmod(0o755)

    def answer(self, *, ends: datetime | None = None, version: str = V1, **status: str) -> None:
        if ends is not None:
            status["expirationTimestamp"] = ends.strftime("%Y-%m-%dT%H:%M:%SZ")
        document = {"apiVersion": version, "kind": "ExecCredential", "status": status}
        (self.directory / "answer").write_text(json.dumps(document))

    @property
    def runs(self) -> int:
        path = self.directory / "runs"
        return len(path.read_text().split()) if path.exists() else 0

    def credentials(self, **cluster: Any) -> ExecCredentials:
        connection = Connection(cluster=cluster, user={"exec": self.spec}, user_dir=self.directory)
        return ExecCredentials(connection, now=lambda: self.now)


@pytest.fixture
def plugin(tmp_path: Path) -> Plugin:
    return Plugin(tmp_path)


async def test_it_gets_its_arguments_its_environment_and_the_protocols_own(plugin: Plugin) -> None:
    plugin.spec |= {"args": ["token", "--cluster", 7], "env": [{"name": "EXTRA", "value": "more"}]}
    credential = await plugin.credentials(server="https://c").get()
    assert credential.authorization == "Bearer canary-1"
    assert (plugin.directory / "given").read_text() == "token --cluster 7 more"
    info = json.loads((plugin.directory / "info").read_text())
    assert info == {"apiVersion": V1, "kind": "ExecCredential", "spec": {"interactive": False}}


async def test_it_inherits_what_it_may_need_and_nothing_that_configures_the_dashboard(
    plugin: Plugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = re.findall(r'(?:get|_\w+)\(\s*"([A-Z]+_[A-Z_]+)"', SETTINGS)
    assert {"CLUSTER_UI_SECRET_KEY", "DATABASE_URL", "REDIS_URL"} <= {*asked}
    ours = {*asked, "PGPASSWORD", "CLUSTER_UI_METRICS_TOKEN_FILE", "cluster_ui_secret_key"} - {"KUBECONFIG"}
    needed = {"AWS_PROFILE", "GOOGLE_APPLICATION_CREDENTIALS", "HTTPS_PROXY", "KUBECONFIG"}
    for name in ours | needed:
        monkeypatch.setenv(name, f"canary-{name}")
    plugin.spec["env"] = [{"name": "REDIS_URL", "value": "its own"}]
    plugin.script(f"env > {plugin.directory}/env\ncat {plugin.directory}/answer")
    await plugin.credentials().get()
    given = dict(line.split("=", 1) for line in (plugin.directory / "env").read_text().splitlines())
    assert {name: given.get(name) for name in needed} == {name: f"canary-{name}" for name in needed}
    assert given["REDIS_URL"] == "its own" and {"PATH", "HOME"} <= given.keys()
    assert not {name for name, value in given.items() if name in ours and value.startswith("canary")}


async def test_it_is_told_of_the_cluster_when_it_asks(plugin: Plugin) -> None:
    plugin.spec["provideClusterInfo"] = True
    config = {"audience": "x"}
    await plugin.credentials(
        server="https://c",
        **{
            "certificate-authority-data": base64.b64encode(b"PEM").decode(),
            "tls-server-name": "api",
            "extensions": [{"name": "client.authentication.k8s.io/exec", "extension": config}],
        },
    ).get()
    assert json.loads((plugin.directory / "info").read_text())["spec"]["cluster"] == {
        "server": "https://c",
        "tls-server-name": "api",
        "certificate-authority-data": base64.b64encode(b"PEM").decode(),
        "config": config,
    }


async def test_a_command_with_a_slash_is_relative_to_the_kubeconfig(plugin: Plugin) -> None:
    plugin.spec["command"] = "./plugin.sh"
    assert (await plugin.credentials().get()).authorization == "Bearer canary-1"


async def test_credentials_without_an_end_are_kept(plugin: Plugin) -> None:
    credentials = plugin.credentials()
    for _ in range(3):
        await credentials.get()
        plugin.now += timedelta(days=1)
    assert plugin.runs == 1


async def test_credentials_are_renewed_a_minute_before_they_end(plugin: Plugin) -> None:
    plugin.answer(token="first", ends=START + timedelta(minutes=15))
    credentials = plugin.credentials()
    await credentials.get()
    plugin.answer(token="second", ends=START + timedelta(minutes=30))
    plugin.now = START + timedelta(minutes=13, seconds=59)
    assert (await credentials.get()).authorization == "Bearer first"
    plugin.now += timedelta(seconds=1)
    assert (await credentials.get()).authorization == "Bearer second"
    assert plugin.runs == 2


async def test_short_lived_credentials_are_kept_for_most_of_their_life(plugin: Plugin) -> None:
    plugin.answer(token="first", ends=START + timedelta(seconds=10))
    credentials = plugin.credentials()
    await credentials.get()
    plugin.now = START + timedelta(seconds=7)
    await credentials.get()
    assert plugin.runs == 1
    plugin.now = START + timedelta(seconds=8)
    await credentials.get()
    assert plugin.runs == 2


async def test_while_renewing_fails_the_old_ones_serve_until_they_end(plugin: Plugin) -> None:
    plugin.answer(token="first", ends=START + timedelta(minutes=10))
    credentials = plugin.credentials()
    await credentials.get()
    plugin.script("exit 1")
    plugin.now = START + timedelta(minutes=9, seconds=30)
    assert (await credentials.get()).authorization == "Bearer first"
    plugin.now = START + timedelta(minutes=10)
    with pytest.raises(Unauthenticated):
        await credentials.get()


async def test_many_callers_wait_for_one_run(plugin: Plugin) -> None:
    credentials = plugin.credentials()
    found = await asyncio.gather(*(credentials.get() for _ in range(20)))
    assert plugin.runs == 1
    assert len(set(found)) == 1


async def test_many_callers_share_one_failure_and_a_later_one_tries_again(plugin: Plugin) -> None:
    plugin.script(f"echo run >> {plugin.directory}/runs; exit 1")
    credentials = plugin.credentials()
    found = await asyncio.gather(*(credentials.get() for _ in range(20)), return_exceptions=True)
    assert {type(error) for error in found} == {Unauthenticated}
    assert plugin.runs == 1
    plugin.now += exec_plugin.AFTER_FAILURE
    with pytest.raises(Unauthenticated):
        await credentials.get()
    assert plugin.runs == 2


async def test_credentials_that_have_ended_already_are_not_used(plugin: Plugin) -> None:
    plugin.answer(token="old", ends=START - timedelta(seconds=1))
    with pytest.raises(Unauthenticated, match="expired"):
        await plugin.credentials().get()


async def test_after_a_401_it_runs_once_more_however_many_were_refused(plugin: Plugin) -> None:
    credentials = plugin.credentials()
    used = await credentials.get()
    plugin.answer(token="second")
    assert credentials.refused(used)
    renewed = await credentials.get()
    assert renewed.authorization == "Bearer second"
    assert credentials.refused(used)  # a late 401 of the old ones does not throw the new ones away
    assert await credentials.get() == renewed
    assert plugin.runs == 2


async def test_client_certificates_are_taken_too(plugin: Plugin) -> None:
    plugin.answer(clientCertificateData="CERT", clientKeyData="KEY")
    credential = await plugin.credentials().get()
    assert (credential.authorization, credential.certificate, credential.key) == ("", b"CERT", b"KEY")


async def test_a_missing_program_is_named_with_its_install_hint(plugin: Plugin) -> None:
    plugin.spec |= {"command": "no-such-program", "installHint": "Install it\nfrom example.org."}
    with pytest.raises(Unauthenticated) as caught:
        await plugin.credentials().get()
    assert (
        caught.value.message
        == "The credential plug-in no-such-program could not be started: No such file or directory."
    )
    assert caught.value.next_step == "Install it from example.org."


async def test_a_failure_is_told_in_the_plugins_words_without_what_may_be_a_token(plugin: Plugin) -> None:
    token = "eyJhbGciOiJSUzI1NiIsImtpZCI6.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl-canary"
    plugin.script(f"echo 'session expired, sign in again ({token})' >&2; exit 3")
    with pytest.raises(Unauthenticated) as caught:
        await plugin.credentials().get()
    assert "failed with exit code 3: session expired, sign in again ((not shown))" in caught.value.message
    assert "canary" not in caught.value.message


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        ("canary", "did not answer with an ExecCredential"),
        ('{"apiVersion": "v1", "kind": "ExecCredential"}', f"answered in another version than {V1}"),
        (f'{{"apiVersion": "{V1}", "kind": "ExecCredential", "status": {{}}}}', "gave neither a token nor"),
        (
            f'{{"apiVersion": "{V1}", "kind": "ExecCredential", "status": {{"clientKeyData": "canary"}}}}',
            "gave neither a token nor",
        ),
    ],
)
async def test_a_wrong_answer_is_explained_and_not_quoted(
    plugin: Plugin, answer: str, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    (plugin.directory / "answer").write_text(answer)
    with pytest.raises(Unauthenticated) as caught:
        await plugin.credentials().get()
    assert what in caught.value.message
    assert "canary" not in caught.value.message + repr(caught.value.__cause__) + caplog.text


async def test_a_plugin_that_needs_a_terminal_is_not_started(plugin: Plugin) -> None:
    plugin.spec["interactiveMode"] = "Always"
    with pytest.raises(Unauthenticated, match="needs a terminal"):
        await plugin.credentials().get()
    assert plugin.runs == 0


async def test_an_unknown_version_is_refused(plugin: Plugin) -> None:
    plugin.spec["apiVersion"] = "client.authentication.k8s.io/v1alpha1"
    with pytest.raises(Unauthenticated, match="v1alpha1"):
        await plugin.credentials().get()


async def test_a_plugin_that_hangs_is_killed(plugin: Plugin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exec_plugin, "RUN_SECONDS", 0.1)
    plugin.script("exec sleep 60")
    with pytest.raises(Unauthenticated, match="did not answer within"):
        await asyncio.wait_for(plugin.credentials().get(), 5)


async def test_a_cancelled_caller_leaves_no_program_behind(plugin: Plugin) -> None:
    plugin.script(f"echo $$ > {plugin.directory}/pid; exec sleep 60")
    waiting = asyncio.create_task(plugin.credentials().get())
    pid = plugin.directory / "pid"
    await until(lambda: pid.exists() and pid.read_text().strip() != "")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
