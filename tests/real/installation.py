"""The project's image in the cluster, installed as ``deploy/`` says it, with PostgreSQL and Redis beside it."""

from __future__ import annotations

import html
import json
import re
import secrets
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from http.client import HTTPConnection, HTTPException
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any, TypeVar
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, HTTPRedirectHandler, ProxyHandler, Request, build_opener

from sandbox import Sandbox
from sandbox.cluster import print_to_stderr
from sandbox.node.machine import Place
from sandbox.node.objects import EITHER_LABEL, INGRESS_CLASS, LABEL, RUNTIME_CLASS, STORAGE_CLASS
from tools.chart import CHART, DEPLOY
from tools.compose.__main__ import SERVICES, services_ensure
from tools.helm import helm_ensure
from tools.image import TAG, Engine, image_build

NAME = "cluster-ui"  # of the release, its namespace and what is in it, as deploy/ has it
BESIDE = "beside"  # the namespace of PostgreSQL and Redis
HOST = "ui.example"
BASE = f"http://{HOST}"
HERE = "/c/in-cluster"
SECONDS = 300.0

Object = dict[str, Any]
Found = TypeVar("Found")


def image_load(cluster: Sandbox, *, build: bool) -> None:
    """The image of this checkout onto the node. ``build``: also where there is an image already."""
    engine = Engine()
    if build or not engine.has(f"localhost/{TAG}"):
        image_build(engine)
    _load(cluster, engine, TAG, f"docker.io/library/{TAG}")


@cache  # of several that want it in one run the first loads it
def services_load(cluster: Sandbox) -> None:
    """The image of Debian's PostgreSQL and Redis, with Python, onto the nodes."""
    engine = Engine()
    services_ensure(engine)
    _load(cluster, engine, f"{SERVICES}:sandbox", f"{SERVICES}:sandbox")


def _load(cluster: Sandbox, engine: Engine, image: str, name: str) -> None:
    with tempfile.TemporaryDirectory(prefix="cluster-ui-archives-", dir=engine.home) as folder:
        archive = Path(folder) / "image.tar"
        engine.buildah("push", image, f"docker-archive:{archive}:{name}")
        cluster.image_load(archive)


def place_of(cluster: Sandbox) -> Place:
    """Where the node is on this machine."""
    settings = json.loads((cluster.folder / "node" / "settings.json").read_text())
    return Place(settings["name"], settings["network"])


def wait_for(check: Callable[[], Found], what: str, seconds: float = SECONDS) -> Found:
    """What ``check`` gives, once it is true."""
    until = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < until, f"not in time: {what}"
        time.sleep(0.5)
    return found


class Installation:
    """The chart in the namespace ``cluster-ui``: two replicas behind an Ingress, changed by ``upgrade``."""

    def __init__(self, cluster: Sandbox) -> None:
        self.cluster, self.api = cluster, cluster.api()
        self.place = place_of(cluster)
        self._helm = helm_ensure(print_to_stderr)
        self.values: Object = {
            "replicas": 2,
            "rbac": {"secrets": True, "change": True, "objects": True},
            "database": {"secretName": "addresses"},
            "redis": {"secretName": "addresses"},
            "secretKey": {"secretName": "addresses"},
            "ingress": {
                "enabled": True,
                "className": INGRESS_CLASS,
                "host": HOST,
                "trustedProxies": self.place.pods,
            },
            # Its API server listens on whichever port was free.
            "networkPolicy": {"extraPorts": [self.api.port]},
            # The real nodes, among simulated ones.
            "nodeSelector": {EITHER_LABEL: "true"},
            "tolerations": [{"key": LABEL, "operator": "Exists", "effect": "NoSchedule"}],
        }

    def prepare(self) -> None:
        """The namespace as deploy/ makes it, what the dashboard needs beside it, and the Secret of their addresses."""
        self.kubectl("apply", "-f", str(DEPLOY / "namespace.yaml"))
        password = secrets.token_urlsafe(24)
        for manifest in beside(password):
            self.kubectl("apply", "-f", "-", given=json.dumps(manifest))
        self.kubectl("-n", BESIDE, "rollout", "status", "statefulset/postgres", f"--timeout={SECONDS:.0f}s")
        self.kubectl("-n", BESIDE, "rollout", "status", "deployment/redis", f"--timeout={SECONDS:.0f}s")
        where = f"{BESIDE}.svc.cluster.local"
        addresses = {
            "DATABASE_URL": f"postgres://cluster_ui:{password}@postgres.{where}:5432/cluster_ui",
            "REDIS_URL": f"redis://:{password}@redis.{where}:6379/0",
            "CLUSTER_UI_SECRET_KEY": secrets.token_urlsafe(50),
        }
        made = {"metadata": {"name": "addresses"}, "stringData": addresses}
        self.api.post(f"/api/v1/namespaces/{NAME}/secrets", made)

    def clear(self) -> None:
        """Takes all of it away, if it is there, also what kubectl applied."""
        self.helm("uninstall", NAME, "--ignore-not-found", "--wait")
        ours = ("-l", f"app.kubernetes.io/name={NAME}", "--ignore-not-found")
        self.kubectl("delete", "clusterroles,clusterrolebindings", *ours)
        self.kubectl("delete", "namespace", NAME, BESIDE, "--ignore-not-found", "--wait=true")

    def upgrade(self, chart: Path = CHART, **more: Any) -> None:
        """Installs or upgrades with the values of ``self`` and more, and waits until nothing older answers, and all that
        is new does: what enforces the policy lets a new pod's address in a moment after it is ready.
        """
        words = (
            "upgrade",
            "--install",
            NAME,
            str(chart),
            "-f",
            "-",
            "--wait",
            "--timeout",
            f"{SECONDS:.0f}s",
        )
        self.helm(*words, given=json.dumps(self.values | more))
        # Helm waits for the new ones alone; a proxy may lead to one that ends until it has.
        self.kubectl("rollout", "status", "-n", NAME, f"deployment/{NAME}", f"--timeout={SECONDS:.0f}s")
        wait_for(lambda: len(self.pods()) == len(self.pods(ending=True)), "the end of the former pods")
        wait_for(self._answers, "an answer of every pod")

    def _answers(self) -> bool:
        """Whether answers come by the Ingress, twice as many as there are pods, and none is the proxy's own."""
        stranger = Visitor(self.place.address)
        return all(stranger.get("/login/")[0] < 500 for _ in range(2 * len(self.pods())))

    def helm(self, *words: str, given: str = "") -> str:
        program = str(self._helm)
        return run(program, *words, "--kubeconfig", str(self.cluster.kubeconfig), "-n", NAME, given=given)

    def kubectl(self, *words: str, given: str = "") -> str:
        """What kubectl prints. Raises AssertionError with what it complained of."""
        program = str(self.cluster.kubectl)
        return run(program, "--kubeconfig", str(self.cluster.kubeconfig), *words, given=given)

    def pods(self, *, ending: bool = False) -> list[Object]:
        """The dashboard's pods that are not on their way out; ``ending``: and those that are."""
        query = f"labelSelector=app.kubernetes.io%2Fname%3D{NAME}"
        items = self.api.get(f"/api/v1/namespaces/{NAME}/pods?{query}")["items"]
        return [item for item in items if ending or not item["metadata"].get("deletionTimestamp")]

    def link(self, *words: str) -> str:
        """A sign-in link, as the README says to get one."""
        command = ("python", "manage.py", "signin_link", "--base", BASE, *words)
        return self.kubectl(
            "exec", "-n", NAME, f"deployment/{NAME}", "-c", "dashboard", "--", *command
        ).strip()

    def visitor(self) -> Visitor:
        """The owner, signed in."""
        made = Visitor(self.place.address)
        made.sign_in(self.link())
        return made


def run(*words: str, given: str = "") -> str:
    done = subprocess.run(words, input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(words)[:300]}:\n{done.stderr[-3000:]}"
    return done.stdout


def on_the_node(spec: Object) -> Object:
    return {"runtimeClassName": RUNTIME_CLASS, "terminationGracePeriodSeconds": 5} | spec


def beside(password: str) -> Iterator[Object]:
    """PostgreSQL, with its data on a claim, and Redis, each behind a Service."""
    meta = {"namespace": BESIDE}
    yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": BESIDE}}
    secret: Object = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "password", **meta}}
    yield secret | {"stringData": {"password": password}}
    for name, port in (("postgres", 5432), ("redis", 6379)):
        spec: Object = {"selector": {"app": name}, "ports": [{"port": port}]}
        yield {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, **meta}, "spec": spec}
    postgres = {
        "name": "postgres",
        "image": f"{SERVICES}:sandbox",
        "args": ["postgres"],
        "env": [
            {"name": "POSTGRES_USER", "value": "cluster_ui"},
            {"name": "POSTGRES_DB", "value": "cluster_ui"},
            {"name": "POSTGRES_PASSWORD_FILE", "value": "/password/password"},
        ],
        "readinessProbe": {"exec": {"command": ["pg_isready", "-h", "127.0.0.1"]}, "periodSeconds": 2},
        "volumeMounts": [
            {"name": "data", "mountPath": "/var/lib/postgresql/data"},
            {"name": "password", "mountPath": "/password"},
        ],
    }
    mounted = {"name": "password", "secret": {"secretName": "password"}}
    claim = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": STORAGE_CLASS,
        "resources": {"requests": {"storage": "256Mi"}},
    }
    made = workload("StatefulSet", "postgres", postgres, [mounted])
    made["spec"] |= {
        "serviceName": "postgres",
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim}],
    }
    yield made
    redis = {
        "name": "redis",
        "image": f"{SERVICES}:sandbox",
        "args": [
            "sh",
            "-c",
            'exec redis-server --save "" --bind 0.0.0.0 --requirepass "$(cat /password/password)"',
        ],
        "readinessProbe": {"tcpSocket": {"port": 6379}, "periodSeconds": 2},
        "volumeMounts": [{"name": "password", "mountPath": "/password"}],
    }
    yield workload("Deployment", "redis", redis, [mounted])


def workload(kind: str, name: str, container: Object, volumes: Sequence[Object]) -> Object:
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": BESIDE},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": on_the_node({"containers": [container], "volumes": list(volumes)}),
            },
        },
    }


class _Stay(HTTPRedirectHandler):
    """Where a page leads on to is told, not followed."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class Visitor:
    """Somebody with a browser without scripts, who comes by the Ingress at ``address``."""

    def __init__(self, address: str) -> None:
        handlers = (ProxyHandler({"http": f"http://{address}"}), HTTPCookieProcessor(CookieJar()), _Stay())
        self._opener = build_opener(*handlers)
        self._token = ""

    def get(self, path: str) -> tuple[int, str]:
        """The status and the text of a page."""
        return self._ask(Request(f"{BASE}{path}"))  # noqa: S310 # our own address

    def post(self, path: str, **fields: str) -> tuple[int, str]:
        """The same of a form that is sent."""
        body = urlencode(fields | {"csrfmiddlewaretoken": self._token}).encode()
        return self._ask(Request(f"{BASE}{path}", body))  # noqa: S310 # our own address

    def rows(self, plural: str) -> set[str]:
        """The names in a list; empty also where that is refused."""
        status, text = self.get(f"{HERE}/{plural}/?format=json")
        assert status in (200, 403), (plural, status, text[:500])
        return {row["name"] for row in json.loads(text)["rows"]} if status == 200 else set()

    def sign_in(self, link: str) -> None:
        self._form(link.removeprefix(BASE), "/login/link/")

    def sign_in_by_token(self, token: str) -> None:
        self._form("/login/token/", "/login/token/", context="in-cluster", token=token)

    def _form(self, page: str, target: str, **fields: str) -> None:
        status, text = self.get(page)
        assert status == 200, (page, status, text[:500])
        given = dict(re.findall(r'name="(csrfmiddlewaretoken|token)"\s+value="([^"]+)"', text))
        self._token = given.pop("csrfmiddlewaretoken")
        status, text = self.post(target, **given | fields)
        assert status == 302, (target, status, text[:500])
        found = re.search(r'"X-CSRFToken": "([^"]+)"', html.unescape(self.get("/changes/")[1]))
        assert found
        self._token = found[1]

    def may(self, path: str, **fields: str) -> bool:
        """Whether an action's preview goes through; False where its right is missing."""
        status, text = self.post(f"{HERE}{path}?format=json", step="preview", **fields)
        assert status in (200, 403), (path, status, text[:500])
        return status == 200

    def does(self, path: str, **fields: str) -> None:
        """Takes an action through its preview."""
        where = f"{HERE}{path}?format=json"
        _, text = self.post(where, step="preview", **fields)
        status, text = self.post(where, step="apply", token=json.loads(text)["token"], **fields)
        assert status == 200, (path, status, text[:500])

    def _ask(self, request: Request) -> tuple[int, str]:
        try:
            with self._opener.open(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()


@contextmanager
def asked_all_the_time(address: str, host: str = HOST, path: str = "/login/") -> Iterator[list[str]]:
    """Asks for a page again and again, each time by a new connection; what went wrong is in the list."""
    wrong: list[str] = []
    over = threading.Event()
    answered = 0

    def ask() -> None:
        nonlocal answered
        while not over.wait(0.1):
            connection = HTTPConnection(address, timeout=30)
            try:
                connection.request("GET", path, headers={"Host": host})
                answer = connection.getresponse()
                answer.read()
                if answer.status >= 400:
                    wrong.append(f"{answer.status}")
                answered += 1
            except (OSError, HTTPException) as error:
                wrong.append(repr(error))
            finally:
                connection.close()

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield wrong
    finally:
        over.set()
        asking.join()
    assert answered, wrong
