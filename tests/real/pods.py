"""A namespace of pods that really run, what they answer, and what the dashboard says of them."""

from __future__ import annotations

import asyncio
import subprocess
from datetime import UTC, datetime, timedelta
from typing import Any

from dashboard.insight import Finding, findings
from dashboard.insight.findings import READ
from dashboard.insight.words import text_of
from dashboard.kube.transport import Transport
from sandbox import Sandbox
from sandbox.node.images import BUSYBOX
from sandbox.node.objects import RUNTIME_CLASS
from tests.cluster.place import Place, until

START_SECONDS = 120.0
LABELS = {"app": "web"}


def spec(script: str, *, real: bool = True, **container: Any) -> dict[str, Any]:
    """A pod's specification: one container that runs a shell script; more of its fields as keywords."""
    volumes = container.pop("volumes", None)
    main = {"name": "app", "image": BUSYBOX, "command": ["sh", "-c", script]} | container
    made: dict[str, Any] = {"containers": [main], "terminationGracePeriodSeconds": 1}
    if real:
        made["runtimeClassName"] = RUNTIME_CLASS
    if volumes:
        made["volumes"] = volumes
    return made


def template(script: str, **container: Any) -> dict[str, Any]:
    return {"metadata": {"labels": LABELS}, "spec": spec(script, **container)}


class Pods(Place):
    """The namespace."""

    reads = READ - {"secrets"}

    def __init__(self, cluster: Sandbox, transport: Transport, namespace: str) -> None:
        super().__init__(cluster, transport, namespace)
        self._cluster = cluster

    def pod(self, name: str, script: str, **container: Any) -> None:
        self.make(
            "/api/v1/namespaces/{ns}/pods",
            {"metadata": {"name": name, "labels": LABELS}, "spec": spec(script, **container)},
        )

    def deployment(self, script: str, replicas: int = 1, **container: Any) -> None:
        """The Deployment "web"."""
        wanted = {
            "replicas": replicas,
            "selector": {"matchLabels": LABELS},
            "template": template(script, **container),
        }
        self.make("/apis/apps/v1/namespaces/{ns}/deployments", {"metadata": {"name": "web"}, "spec": wanted})

    def configmap(self, **data: str) -> None:
        """The ConfigMap "settings"."""
        self.make("/api/v1/namespaces/{ns}/configmaps", {"metadata": {"name": "settings"}, "data": data})

    def path(self, plural: str, name: str = "") -> str:
        return f"/api/v1/namespaces/{self.namespace}/{plural}" + (f"/{name}" if name else "")

    def found(self, name: str) -> dict[str, Any]:
        return self.api.get(self.path("pods", name))

    def all(self) -> list[dict[str, Any]]:
        """The pods that are not on their way out."""
        items = self.api.get(self.path("pods"))["items"]
        return [item for item in items if not item["metadata"].get("deletionTimestamp")]

    async def ready(self, name: str) -> dict[str, Any]:
        """A pod by its name, once it is ready."""

        async def check() -> dict[str, Any] | None:
            pod = self.found(name)
            return pod if is_ready(pod) else None

        pod: dict[str, Any] = await until(check, START_SECONDS)
        return pod

    async def only(self, besides: str = "") -> dict[str, Any]:
        """The only pod, once there is one alone and it is ready; not the one with the UID ``besides``."""

        async def check() -> dict[str, Any] | None:
            pods = self.all()
            fits = len(pods) == 1 and is_ready(pods[0]) and pods[0]["metadata"]["uid"] != besides
            return pods[0] if fits else None

        pod: dict[str, Any] = await until(check, START_SECONDS)
        return pod

    async def run(self, name: str, *command: str) -> str:
        """What a command in a container prints, whether it succeeds or not."""
        return await asyncio.to_thread(self._kubectl, "exec", name, "--", *command)

    async def prints(self, name: str, command: str, text: str, seconds: float = START_SECONDS) -> str:
        """What a shell command in a container prints, once that holds a text."""

        async def check() -> str:
            said = await self.run(name, "sh", "-c", command)
            return said if text in said else ""

        said: str = await until(check, seconds)
        return said

    def _kubectl(self, *words: str) -> str:
        command = [
            self._cluster.kubectl,
            "--kubeconfig",
            self._cluster.kubeconfig,
            "-n",
            self.namespace,
            *words,
        ]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    async def findings(self, name: str, later: timedelta = timedelta(0)) -> list[Finding]:
        """What the dashboard says is wrong with a pod, looked at so much later."""
        found = findings(await self.objects(), datetime.now(UTC) + later)
        return [one for one in found if (one.ref.kind, one.ref.name) == ("Pod", name)]

    async def told(
        self, name: str, rule: str, *, severity: str = "", saying: str = "", later: timedelta = timedelta(0)
    ) -> Finding:
        """The finding of a pod, once there is one of this rule, of this severity and saying this if it matters."""

        async def check() -> Finding | None:
            found = (one for one in await self.findings(name, later) if one.rule == rule)
            return next(
                (one for one in found if severity in ("", one.severity) and saying in text_of(one.text)), None
            )

        finding: Finding = await until(check, START_SECONDS)
        return finding


def is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod["status"].get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
