"""An API server of a few lines with one Deployment: resourceVersions, dry runs, the scale subresource, faults."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from dashboard.errors import ClusterError, Conflict
from dashboard.kube.transport import Response

from .jsonpatch import patched

REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class FakeTransport:
    """Counts real writes, and requests; ``before_write`` runs before each one, ``after_write`` after it, ``before_read``
    before the object is read.
    """

    def __init__(self, replicas: int = 3) -> None:
        self.cluster = SimpleNamespace(name="dev", server="https://dev", is_sandbox=True)
        self.uid = "u1"
        self.version = 100
        self.replicas = replicas
        self.managers: list[dict[str, Any]] = []
        self.may_patch = True
        self.deleting: list[str] | None = None  # its finalizers, once it is on its way out
        self.writes: list[int] = []
        self.before_write: Callable[[bool], None] = lambda dry: None
        self.before_read: Callable[[], None] = lambda: None
        self.requests = 0
        self.after_write: Callable[[], None] = lambda: None
        self.read_error: ClusterError | None = None

    def touch(self) -> None:
        """Somebody writes the status."""
        self.version += 1

    def scale(self, replicas: int, manager: str = "kubectl-scale") -> None:
        """Somebody else scales it."""
        self.replicas = replicas
        self.version += 1
        entry = {
            "manager": manager,
            "time": "2026-03-01T11:00:00Z",
            "fieldsV1": {"f:spec": {"f:replicas": {}}},
        }
        self.managers = [entry]

    async def request(
        self, method: str, target: Any, *, query: Mapping[str, str] | None = None, body: bytes = b"", **_: Any
    ) -> Response:
        if target == REVIEW:
            return self._answer({"status": {"allowed": self.may_patch}})
        self.requests += 1
        if method == "GET":
            self.before_read()
            if self.read_error is not None:
                raise self.read_error
            return self._answer(self.manifest())
        dry = (query or {}).get("dryRun") == "All"
        self.before_write(dry)
        sent = json.loads(body)
        if isinstance(sent, list):
            sent = patched(self._scale(self.replicas), sent)
        elif sent["metadata"] != {"resourceVersion": str(self.version), "uid": self.uid}:
            raise Conflict("the object has been modified")
        wanted = sent["spec"]["replicas"]
        if not dry:
            self.scale(wanted, "cluster-ui")
            self.writes.append(wanted)
            self.after_write()
        return self._answer(self._scale(wanted))

    def _scale(self, replicas: int) -> dict[str, Any]:
        spec = {"replicas": replicas} if replicas else {}
        return {"kind": "Scale", "metadata": self.manifest()["metadata"], "spec": spec}

    def manifest(self) -> dict[str, Any]:
        labels = {"app": "web"}
        ending = {"deletionTimestamp": "2026-03-01T11:00:00Z", "finalizers": self.deleting}
        return {
            "kind": "Deployment",
            "apiVersion": "apps/v1",
            "metadata": {
                **({} if self.deleting is None else ending),
                "name": "web", "namespace": "shop", "uid": self.uid, "resourceVersion": str(self.version),
                "managedFields": self.managers,
            },
            "spec": {
                "replicas": self.replicas, "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app"}]}},
            },
        }  # fmt: skip

    def _answer(self, body: dict[str, Any]) -> Response:
        return Response(200, json.dumps(body).encode(), {})
