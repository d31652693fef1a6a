"""Logs of real pods: what kubectl shows, through a rebirth, by right, and as files."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import json
import shlex
import subprocess
import zipfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from django.http import QueryDict

from dashboard.errors import Forbidden
from dashboard.kube.config import load_clusters
from dashboard.kube.transport import Transport
from dashboard.live.logfeed import LogFeed, Position
from dashboard.live.runtime import ClusterRuntime
from dashboard.live.screens.detail import DetailScreen, LogsTab
from dashboard.live.session import THE_INSTALLATION, Account
from dashboard.queries.logs import log_text, logs_zip
from sandbox import Sandbox
from sandbox.binaries import ensure
from tests.unit.insight.world import NOW

from .place import until

pytestmark = [pytest.mark.cluster, pytest.mark.django_db(transaction=True)]

FIRST = ["hello", "\x1b[31mred\x1b[0m alert", "x" * 20_000]


class Place:
    """A namespace with a Deployment of two pods with two containers each, and a cluster that is open."""

    def __init__(self, cluster: Sandbox, runtime: ClusterRuntime, namespace: str) -> None:
        self.api = cluster.api()
        self.kubeconfig = cluster.kubeconfig
        self.runtime = runtime
        self.namespace = namespace

    def deployment(self, replicas: int = 2) -> None:
        labels = {"app": "web"}
        annotations = {
            "sandbox.cluster-ui.dev/log": "\n".join(FIRST),
            "sandbox.cluster-ui.dev/log-loop": "beat {n}",
            "sandbox.cluster-ui.dev/log-every": "0.5",
            "sandbox.cluster-ui.dev/log.proxy": "proxy is up",
        }
        containers = [{"name": "app", "image": "a/app:1"}, {"name": "proxy", "image": "a/proxy:1"}]
        self.api.post(
            f"/apis/apps/v1/namespaces/{self.namespace}/deployments",
            {
                "metadata": {"name": "web"},
                "spec": {
                    "replicas": replicas,
                    "selector": {"matchLabels": labels},
                    "template": {
                        "metadata": {"labels": labels, "annotations": annotations},
                        "spec": {"containers": containers},
                    },
                },
            },
        )

    def pods(self) -> list[str]:
        items = self.api.get(f"/api/v1/namespaces/{self.namespace}/pods")["items"]
        return [item["metadata"]["name"] for item in items if not item["metadata"].get("deletionTimestamp")]

    @asynccontextmanager
    async def page(self, query: str = "", plural: str = "deployments") -> AsyncIterator[LogsTab]:
        screen = DetailScreen(
            self.runtime.session(THE_INSTALLATION), QueryDict(query), plural, self.namespace, "web", "logs"
        )
        lease = self.runtime.lease(screen.plurals)
        try:
            await self.runtime.ready(screen.plurals)
            await screen.prepare()
            assert isinstance(screen.tab, LogsTab)
            yield screen.tab
        finally:
            lease.release()


class Shown:
    """What a browser would show of a page of logs."""

    def __init__(self, tab: LogsTab, position: Position | None = None) -> None:
        self.wake = asyncio.Event()
        feed = tab.feed(position or {}, self.wake.set)
        assert feed is not None
        self.feed: LogFeed = feed
        self.sources: dict[int, dict[str, Any]] = {}
        self.lines: list[tuple[str, str, str]] = []  # pod, container, text
        self.marks: list[str] = []
        self.notes: list[str] = []

    async def until(self, check: Callable[[], bool], seconds: float = 60) -> None:
        async with asyncio.timeout(seconds):
            while not check():
                await self.wake.wait()
                self.wake.clear()
                self._apply(self.feed.take())

    def _apply(self, body: str | None) -> None:
        message = json.loads("{" + body + "}") if body else {}
        for source in message.get("sources", []):
            self.sources[source["id"]] = source
        self.notes += [message["note"]] if "note" in message else []
        for item in message.get("items", []):
            if isinstance(item, dict):
                self.marks.append(item["t"])
            else:
                source = self.sources[item[0]]
                self.lines.append((source["pod"], source["container"], item[2]))

    def pods_with(self, container: str, text: str) -> set[str]:
        return {pod for pod, name, line in self.lines if name == container and line == text}


@pytest_asyncio.fixture
async def place(cluster: Sandbox, kubeconfig: Any, namespace: str) -> AsyncIterator[Place]:
    found = load_clusters(environ={"KUBECONFIG": str(kubeconfig)}, sandbox_kubeconfig=None)[0]
    runtime = ClusterRuntime(found)
    yield Place(cluster, runtime, namespace)
    await runtime.close()


async def started(place: Place, tab: LogsTab, pods: int) -> None:
    async def all_run() -> bool:
        targets = tab.targets()
        return len(targets) == 2 * pods and all(each.running for each in targets)

    await until(all_run, 60)


async def test_a_pods_rebirth_is_followed_with_both_ends_marked(place: Place) -> None:
    place.deployment()
    async with place.page() as tab:
        await started(place, tab, 2)
        shown = Shown(tab)
        before = set(place.pods())
        await shown.until(lambda: shown.pods_with("app", "hello") == before)
        assert shown.pods_with("proxy", "proxy is up") == before
        assert shown.pods_with("app", "red alert") == before, "colours are spans, not text"
        gone = sorted(before)[0]
        place.api.delete(f"/api/v1/namespaces/{place.namespace}/pods/{gone}?gracePeriodSeconds=0")
        await shown.until(lambda: f"pod {gone} ended" in shown.marks)
        await shown.until(lambda: len(shown.pods_with("app", "hello")) == 3)
        (born,) = shown.pods_with("app", "hello") - before
        assert f"pod {born} started" in shown.marks
        (stayed,) = before - {gone}
        beats = [text for pod, _, text in shown.lines if pod == stayed and text.startswith("beat")]
        assert len(beats) == len(set(beats)), "no line twice"
        shown.feed.close()


async def test_the_command_line_shows_the_same_lines(place: Place) -> None:
    place.deployment()
    async with place.page("container=proxy") as tab:
        await started_proxy(tab)
        shown = Shown(tab)
        await shown.until(lambda: len(shown.lines) == 2)
        assert tab.command_line().startswith("kubectl logs deployment/web ")
        assert sorted(await kubectl(place, tab.command_line())) == sorted(
            f"[pod/{pod}/{container}] {text}" for pod, container, text in shown.lines
        )
        shown.feed.close()


async def kubectl(place: Place, line: str) -> list[str]:
    """What a command line that follows logs prints, as far as it is now."""
    program = str(ensure(lambda _: None).path("kubectl"))
    words = [word for word in shlex.split(line)[1:] if word != "--follow"]
    told = await asyncio.to_thread(
        subprocess.run,
        [program, f"--kubeconfig={place.kubeconfig}", *words],
        capture_output=True,
        text=True,
        check=True,
    )
    return str(told.stdout).splitlines()


async def started_proxy(tab: LogsTab) -> None:
    async def both() -> bool:
        return len(tab.targets()) == 2 and all(each.running for each in tab.targets())

    await until(both, 60)


async def test_a_cronjobs_runs_are_followed_the_next_one_too(place: Place) -> None:
    batch = f"/apis/batch/v1/namespaces/{place.namespace}"
    template = {
        "metadata": {"annotations": {"sandbox.cluster-ui.dev/log": "a run"}},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "app", "image": "a/app:1"}]},
    }
    spec = {"schedule": "0 0 1 1 *", "suspend": True, "jobTemplate": {"spec": {"template": template}}}
    made = place.api.post(f"{batch}/cronjobs", {"metadata": {"name": "web"}, "spec": spec})
    owner = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "name": "web",
        "uid": made["metadata"]["uid"],
        "controller": True,
    }

    def run(name: str, **owners: Any) -> None:
        place.api.post(
            f"{batch}/jobs", {"metadata": {"name": name, **owners}, "spec": {"template": template}}
        )

    def runs() -> set[str]:
        return {pod.rpartition("-")[0] for pod in shown.pods_with("app", "a run")}

    run("another")
    async with place.page(plural="cronjobs") as tab:
        shown = Shown(tab)
        await shown.until(lambda: bool(shown.notes))
        assert shown.notes[-1] == "There are no pods now. Lines appear when one starts."
        run("web-1", ownerReferences=[owner])
        await shown.until(lambda: runs() == {"web-1"})
        run("web-2", ownerReferences=[owner])
        await shown.until(lambda: runs() == {"web-1", "web-2"})
        assert "-l 'job-name in (web-1,web-2)'" in tab.command_line()
        told = await kubectl(place, tab.command_line())
        assert sorted(told) == sorted(
            f"[pod/{pod}/{container}] {text}" for pod, container, text in shown.lines
        )
        shown.feed.close()


async def test_logs_are_had_as_files_whole(place: Place) -> None:
    place.deployment(1)
    async with place.page() as tab:
        await started(place, tab, 1)
        app, proxy = sorted(tab.targets(), key=lambda each: each.container)
        transport = place.runtime.installation.transport

        async def text_of_app() -> bytes:
            pieces = log_text(transport, place.namespace, app, tab.options, stamps=False)
            return b"".join([piece async for piece in pieces])

        async def written() -> bytes:
            text = await text_of_app()
            return text if b"beat" in text else b""

        text = (await until(written, 60)).decode()
        assert text.split("\n")[:3] == FIRST, "with its colours, uncut"
        archive = b"".join(
            [
                piece
                async for piece in logs_zip(
                    transport, place.namespace, [app, proxy], tab.options, stamps=True, now=NOW
                )
            ]
        )
        with zipfile.ZipFile(io.BytesIO(archive)) as found:
            assert found.testzip() is None
            names = [f"{app.pod}/app.log", f"{app.pod}/proxy.log"]
            assert found.namelist() == names
            assert found.read(names[1]).decode().endswith("Z proxy is up\n")


async def test_without_the_right_to_logs_the_page_says_which_is_missing(place: Place) -> None:
    place.deployment(1)
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{place.namespace}"
    account = f"/api/v1/namespaces/{place.namespace}/serviceaccounts"
    place.api.post(account, {"metadata": {"name": "viewer"}})
    rules = [
        {
            "apiGroups": ["", "apps"],
            "resources": ["pods", "deployments", "replicasets"],
            "verbs": ["list", "watch"],
        }
    ]
    place.api.post(f"{rbac}/roles", {"metadata": {"name": "viewer"}, "rules": rules})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "viewer"}
    subject = {"kind": "ServiceAccount", "name": "viewer", "namespace": place.namespace}
    place.api.post(
        f"{rbac}/rolebindings", {"metadata": {"name": "viewer"}, "roleRef": role, "subjects": [subject]}
    )
    async with place.page() as tab:
        token = place.api.post(f"{account}/viewer/token", {"spec": {"expirationSeconds": 600}})
        owner = tab.screen.runtime.cluster
        connection = dataclasses.replace(owner.connection, user={"token": token["status"]["token"]})
        limited = Transport(dataclasses.replace(owner, user="viewer", connection=connection))
        tab.session._account = Account("viewer", place.runtime, limited)
        with pytest.raises(Forbidden) as refused:
            await tab.prepare()
        await limited.close()
    assert (refused.value.verb, refused.value.resource) == ("get", "pods/log")
    assert refused.value.namespace == place.namespace
