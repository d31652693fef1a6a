"""A web shop with its database, as somebody would deploy it: what they put into the form of YAML, and how it is asked."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from typing import Any

from sandbox.node.objects import EITHER, INGRESS_CLASS, RUNTIME_CLASS, STORAGE_CLASS
from tools.compose.__main__ import SERVICES

HOST = "shop.example"
IMAGE = f"{SERVICES}:sandbox"

Object = dict[str, Any]

PROGRAM = """
import http.server, os, pathlib, socket, subprocess, time

def sql(text):
    secret = {"PGPASSWORD": os.environ["PASSWORD"], "PGCONNECT_TIMEOUT": "3"}
    words = ["psql", "-h", "db", "-U", "shop", "-d", "shop", "-Atqc", text]
    return subprocess.run(words, env=os.environ | secret, check=True, capture_output=True, text=True).stdout.strip()

def greeting():
    return f"file: {pathlib.Path('/settings/greeting').read_text()}, variable: {os.environ['GREETING']}"

def sell():
    sql("CREATE TABLE IF NOT EXISTS sales (at timestamptz DEFAULT now()); INSERT INTO sales DEFAULT VALUES")
    note = pathlib.Path("/tmp/visits")
    note.write_text("x" * (len(note.read_text()) + 1 if note.exists() else 1))
    return f"sold: {sql('SELECT count(*) FROM sales')}, here: {len(note.read_text())}"

def slow():
    time.sleep(0.3)
    return socket.gethostname()

PAGES = {"/": greeting, "/sell": sell, "/slow": slow, "/ready": lambda: sql("SELECT 1")}

class Shop(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            status, text = 200, PAGES[self.path]()
        except Exception as error:
            status, text = 503, getattr(error, "stderr", "") or repr(error)
            print(self.path, text, flush=True)
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass

try:
    sql("SELECT 1")
except subprocess.CalledProcessError as error:
    raise SystemExit(error.stderr)  # a shop whose database refuses it does not open
print("open", flush=True)
http.server.HTTPServer(("", 8000), Shop).serve_forever()  # one customer at a time
"""
SET_PASSWORD = """
export PGPASSWORD="$ADMIN"
psql -h db -U admin -d shop -v ON_ERROR_STOP=1 -v value="$PASSWORD" <<'SQL'
DO $body$ BEGIN CREATE ROLE shop LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $body$;
ALTER ROLE shop PASSWORD :'value';
GRANT ALL ON SCHEMA public TO shop;
SQL
"""


def texts(namespace: str, password: str) -> list[str]:
    """The shop, one text for each time that somebody fills in the form: settings, database, web."""
    return [
        "\n---\n".join(json.dumps(each, indent=1) for each in part) for part in _parts(namespace, password)
    ]


def _parts(namespace: str, password: str) -> list[list[Object]]:
    from_secret = [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": "database", "key": key}}}
        for name, key in (("ADMIN", "admin"), ("PASSWORD", "password"))
    ]
    settings = [
        _object("v1", "ConfigMap", "program", data={"shop.py": PROGRAM}),
        _object("v1", "ConfigMap", "settings", data={"greeting": "hello"}),
        _object("v1", "Secret", "database", stringData={"admin": f"admin-{password}", "password": password}),
    ]
    claim = {
        "metadata": {"name": "data"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": STORAGE_CLASS,
            "resources": {"requests": {"storage": "256Mi"}},
        },
    }
    postgres = {
        "name": "postgres",
        "image": IMAGE,
        "args": ["postgres"],
        "env": [
            {"name": "POSTGRES_USER", "value": "admin"},
            {"name": "POSTGRES_DB", "value": "shop"},
            {"name": "POSTGRES_PASSWORD_FILE", "value": "/password/admin"},
        ],
        "readinessProbe": {"exec": {"command": ["pg_isready", "-h", "127.0.0.1"]}, "periodSeconds": 2},
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}},
        "volumeMounts": [
            {"name": "data", "mountPath": "/var/lib/postgresql/data"},
            {"name": "password", "mountPath": "/password"},
        ],
    }
    secret = {"secretName": "database", "items": [{"key": "admin", "path": "admin"}]}
    stored = _workload("StatefulSet", "db", postgres, [{"name": "password", "secret": secret}])
    stored["spec"] |= {"serviceName": "db", "volumeClaimTemplates": [claim]}
    job = {"name": "psql", "image": IMAGE, "args": ["sh", "-c", SET_PASSWORD], "env": from_secret}
    pod = {"runtimeClassName": RUNTIME_CLASS, "restartPolicy": "Never", "containers": [job]}
    database = [
        _service("db", 5432, 5432),
        stored,
        _object(
            "batch/v1",
            "CronJob",
            "set-password",
            spec={
                "schedule": "0 0 1 1 *",
                "suspend": True,
                "jobTemplate": {"spec": {"backoffLimit": 2, "template": {"spec": pod}}},
            },
        ),
    ]
    key = {"configMapKeyRef": {"name": "settings", "key": "greeting"}}
    web = {
        "name": "web",
        "image": IMAGE,
        "args": ["python3", "/program/shop.py"],
        "env": [from_secret[1], {"name": "GREETING", "valueFrom": key}],
        "ports": [{"name": "http", "containerPort": 8000}],
        "readinessProbe": {
            "httpGet": {"path": "/ready", "port": "http"},
            "periodSeconds": 2,
            "timeoutSeconds": 5,
        },
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", "3"]}}},
        "resources": {"requests": {"cpu": "50m", "memory": "32Mi"}},
        "volumeMounts": [
            {"name": "program", "mountPath": "/program"},
            {"name": "settings", "mountPath": "/settings"},
        ],
    }
    volumes = [{"name": name, "configMap": {"name": name}} for name in ("program", "settings")]
    everywhere = _workload("Deployment", "web", web, volumes)
    spread = {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}
    everywhere["spec"]["template"]["spec"] |= {
        "runtimeClassName": EITHER,
        "topologySpreadConstraints": [spread | {"labelSelector": {"matchLabels": {"app": "web"}}}],
    }
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    rule = {"host": HOST, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    front = [
        everywhere,
        _service("web", 80, 8000),
        _object(
            "networking.k8s.io/v1",
            "Ingress",
            "web",
            spec={"ingressClassName": INGRESS_CLASS, "rules": [rule]},
        ),
    ]
    parts = [settings, database, front]
    for each in (each for part in parts for each in part):
        each["metadata"]["namespace"] = namespace
    return parts


def budget(namespace: str, name: str, available: int) -> str:
    """How many pods of it must stay ready, as a text for the form."""
    spec = {"minAvailable": available, "selector": {"matchLabels": {"app": name}}}
    made = _object("policy/v1", "PodDisruptionBudget", name, spec=spec)
    made["metadata"]["namespace"] = namespace
    return json.dumps(made, indent=1)


def _object(version: str, kind: str, name: str, **more: Any) -> Object:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **more}


def _workload(kind: str, name: str, container: Object, volumes: list[Object]) -> Object:
    pod = {"runtimeClassName": RUNTIME_CLASS, "terminationGracePeriodSeconds": 10}
    pod |= {"containers": [container], "volumes": volumes}
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    return _object("apps/v1", kind, name, spec=spec)


def _service(name: str, port: int, target: int) -> Object:
    ports = [{"port": port, "targetPort": target}]
    return _object("v1", "Service", name, spec={"selector": {"app": name}, "ports": ports})


class Customer:
    """Comes by the Ingress, at the node's address."""

    def __init__(self, address: str) -> None:
        self._address = address

    def get(self, path: str) -> str:
        """What the shop answers; "" where it does not, or not well."""
        connection = HTTPConnection(self._address, timeout=20)
        try:
            connection.request("GET", path, headers={"Host": HOST})
            answer = connection.getresponse()
            text = answer.read().decode()
            return text if answer.status == 200 else ""
        except (OSError, HTTPException):
            return ""
        finally:
            connection.close()

    def gets(self, path: str, text: str, seconds: float = 240.0) -> str:
        """The answer, once it holds a text."""
        until, said = time.monotonic() + seconds, ""
        while text not in (said := self.get(path)) or not said:
            assert time.monotonic() < until, f"{path} does not say {text!r}, but {said!r}"
            time.sleep(0.5)
        return said

    def crowd(self, seconds: float = 6.0) -> tuple[int, set[str]]:
        """How many slow requests of ten customers at once are answered in that time, and by which pods."""
        by: list[str] = []
        over = threading.Event()

        def ask() -> None:
            while not over.is_set():
                if (said := self.get("/slow")) and not over.is_set():
                    by.append(said)

        with ThreadPoolExecutor(10) as pool:
            for _ in range(10):
                pool.submit(ask)
            over.wait(seconds)
            over.set()
        return len(by), set(by)
