"""How far a rollout is, compared with ``kubectl rollout status`` itself, which is told of the same objects by an API
server of a few lines: whether it has finished, goes on, or has failed.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from dashboard.insight import workload_rollout
from sandbox import Sandbox
from tests.unit.insight.test_restart import BY_HAND, PARTITION, daemonset, statefulset
from tests.unit.insight.world import NOW, World, condition, deployment

pytestmark = pytest.mark.cluster

KINDS = {"deployments": "Deployment", "statefulsets": "StatefulSet", "daemonsets": "DaemonSet"}
GROUP = {"groupVersion": "apps/v1", "version": "v1"}
APPS = {"name": "apps", "versions": [GROUP], "preferredVersion": GROUP}
FINISHED = ("successfully rolled out", "roll out complete", "rolling update complete")


class Told(BaseHTTPRequestHandler):
    """Discovery of apps/v1, and the one object that there is."""

    plural = ""
    obj: dict[str, Any]

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if "watch" in parse_qs(url.query):
            return self._answer(
                {"kind": "Status", "status": "Failure", "code": 400, "reason": "BadRequest"}, 400
            )
        kind = KINDS[self.plural]
        resource = {
            "name": self.plural,
            "singularName": kind.lower(),
            "namespaced": True,
            "kind": kind,
            "verbs": ["get", "list"],
        }
        found = self.obj | {"apiVersion": "apps/v1", "kind": kind}
        answers: dict[str, dict[str, Any]] = {
            "/api": {"kind": "APIVersions", "versions": ["v1"]},
            "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": [APPS]},
            "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": []},
            "/apis/apps/v1": {"kind": "APIResourceList", "groupVersion": "apps/v1", "resources": [resource]},
            f"/apis/apps/v1/namespaces/shop/{self.plural}/web": found,
            f"/apis/apps/v1/namespaces/shop/{self.plural}": {
                "kind": f"{kind}List", "apiVersion": "apps/v1", "metadata": {"resourceVersion": "1"}, "items": [found],
            },
        }  # fmt: skip
        if url.path in answers:
            return self._answer(answers[url.path])
        return self._answer({"kind": "Status", "status": "Failure", "code": 404, "reason": "NotFound"}, 404)

    def _answer(self, body: dict[str, Any], status: int = 200) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture(scope="module")
def api() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Told)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


EXCEEDED = [condition("Progressing", "False", "ProgressDeadlineExceeded", "too long")]
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "not observed": ("deployments", deployment(generation=2)),
    "creates": ("deployments", deployment(updated=1, current=3, available=3)),
    "terminates": ("deployments", deployment(updated=3, current=4, available=3)),
    "waits": ("deployments", deployment(available=2)),
    "complete": ("deployments", deployment()),
    "at 0": ("deployments", deployment(replicas=0)),
    "deadline passed": ("deployments", deployment(updated=1, current=3, available=3, conditions=EXCEEDED)),
    "deadline passed, all up": ("deployments", deployment(conditions=EXCEEDED)),
    "numbered, not observed": ("statefulsets", statefulset(observedGeneration=0)),
    "numbered, not ready": ("statefulsets", statefulset(readyReplicas=2)),
    "numbered, half": ("statefulsets", statefulset(updateRevision="web-b", updatedReplicas=1)),
    "numbered, complete": ("statefulsets", statefulset()),
    "numbered, partition open": ("statefulsets", statefulset(updateRevision="web-b", updatedReplicas=0, spec=PARTITION)),
    "numbered, partition": ("statefulsets", statefulset(updateRevision="web-b", updatedReplicas=1, spec=PARTITION)),
    "everywhere, not observed": ("daemonsets", daemonset(generation=2)),
    "everywhere, half": ("daemonsets", daemonset(updatedNumberScheduled=1)),
    "everywhere, not available": ("daemonsets", daemonset(numberAvailable=2)),
    "everywhere, complete": ("daemonsets", daemonset()),
    "everywhere, by hand": ("daemonsets", daemonset(spec=BY_HAND)),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_rollout_is_where_kubectl_says_it_is(cluster: Sandbox, api: str, case: str) -> None:
    plural, manifest = CASES[case]
    if plural != "deployments":
        manifest["spec"].setdefault("updateStrategy", {"type": "RollingUpdate"})
    manifest["metadata"] |= {"uid": "u1", "resourceVersion": "1"}
    Told.plural, Told.obj = plural, manifest
    command = [str(cluster.kubectl), "--kubeconfig=/dev/null", f"--server={api}", "-n", "shop"]
    done = subprocess.run(
        [*command, "rollout", "status", f"{plural}/web", "--watch=false"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    finished = any(words in done.stdout for words in FINISHED)
    failed = "exceeded its progress deadline" in done.stderr
    assert done.returncode == 0 or failed or "only available for" in done.stderr, done.stderr
    world = World()
    state = workload_rollout(world, world.add(plural, manifest), NOW).state
    if "only available for" in done.stderr:  # OnDelete, of which kubectl tells nothing
        assert state in ("done", "paused")
        return
    assert (state == "done", state == "failed") == (finished, failed), (state, done.stdout, done.stderr)
