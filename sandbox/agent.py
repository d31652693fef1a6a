"""The node agent: what kwok leaves out of a kubelet. It writes the pods' logs and checks the pods'
environment.

It runs as a process of its own beside the control plane, started and stopped by `Sandbox`, as `python -m
sandbox.agent <folder>/ <port of the API server> <folder of its certificates>`. The annotations that it reads
are in README.md. It keeps no state that matters: killed at any moment, it goes on after the next start.
"""

import base64
import http.client
import queue
import random
import re
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from sandbox.api import Api, ApiError, Object
from sandbox.shapes import LOAD_LABEL

PREFIX = "sandbox.cluster-ui.dev/"
REQUIRES = "requires.sandbox.cluster-ui.dev/"
REFUSED = "refused.sandbox.cluster-ui.dev/"
CHECK_AGAIN_SECONDS = 5.0
LOG_FILE_BYTES = 256 * 1024
WATCH_SECONDS = 300
UNREACHABLE = (OSError, ApiError, http.client.HTTPException, ValueError)


# --- the environment of a pod, as a kubelet puts it together --------------------------------------


@dataclass(frozen=True)
class Verdict:
    """What a check found. `ok`; `config-error` or `create-error`: `container` is not created, and `detail` is what the
    kubelet says; `refused`: the program does not like the variable `detail`.
    """

    word: str
    detail: str = ""
    container: str = ""


class MissingError(Exception):
    """A ConfigMap, Secret or key that a container needs is not there; the message is the kubelet's."""


class Environment:
    """Reads what a pod's environment refers to, each object once.

    Rules: kubernetes/kubernetes, pkg/kubelet/kubelet_pods.go: makeEnvironmentVariables. It looks only into
    `data`, be it a ConfigMap's with `binaryData` beside it, and skips no name.
    """

    def __init__(self, api: Api, namespace: str) -> None:
        self._api = api
        self._namespace = namespace
        self._read: dict[str, Object | None] = {}

    def of(self, container: Object) -> dict[str, bytes]:
        """The environment of a container. Raises MissingError."""
        found: dict[str, bytes] = {}
        for source in container.get("envFrom", []):
            prefix = source.get("prefix", "")
            for kind in ("configMap", "secret"):
                if reference := source.get(f"{kind}Ref"):
                    found |= {prefix + key: value for key, value in self._data(kind, reference).items()}
        for variable in container.get("env", []):
            value = self._value(variable)
            if value is not None:
                found[variable["name"]] = value
        return found

    def _value(self, variable: Object) -> bytes | None:
        origin = variable.get("valueFrom", {})
        for kind, word in (("configMap", "ConfigMap"), ("secret", "Secret")):
            if reference := origin.get(f"{kind}KeyRef"):
                data, key = self._data(kind, reference), reference["key"]
                if key not in data and not reference.get("optional"):
                    raise MissingError(
                        f"couldn't find key {key} in {word} {self._namespace}/{reference['name']}"
                    )
                return data.get(key)
        return str(variable.get("value", "")).encode() if not origin else None

    def _data(self, kind: str, reference: Object) -> dict[str, bytes]:
        name = reference["name"]
        path = f"/api/v1/namespaces/{self._namespace}/{kind.lower()}s/{name}"
        if path not in self._read:
            try:
                self._read[path] = self._api.get(path)
            except ApiError as error:
                if error.status != 404:
                    raise
                self._read[path] = None
        content = self._read[path]
        if content is None:
            if reference.get("optional"):
                return {}
            raise MissingError(f'{kind.lower()} "{name}" not found')
        data: dict[str, str] = content.get("data") or {}
        return {
            key: base64.b64decode(value) if kind == "secret" else value.encode()
            for key, value in data.items()
        }


def check(api: Api, pod: Object) -> Verdict:
    """Whether the pod's containers can be created with their environment, and like what the annotations require."""
    environment = Environment(api, pod["metadata"]["namespace"])
    together: dict[str, bytes] = {}
    for container in _containers(pod):
        name = container["name"]
        try:
            values = environment.of(container)
        except MissingError as missing:
            return Verdict("config-error", str(missing), name)
        if flaw := _flaw(values):
            return Verdict("create-error", flaw, name)
        together |= values
    for key, pattern in sorted(_annotations(pod).items()):
        variable = key.removeprefix(REQUIRES)
        value = together.get(variable, b"").decode(errors="replace")
        if key.startswith(REQUIRES) and not re.fullmatch(pattern, value):
            return Verdict("refused", variable)
    return Verdict("ok")


def _flaw(values: dict[str, bytes]) -> str:
    """Why no container can be given these variables. The kubelet sends them in a field that was text up to Kubernetes
    1.36.1, and with many runtimes is so still (kubernetes/kubernetes#139132); runc ends a variable at no NUL.
    """
    for name, value in sorted(values.items()):
        try:
            value.decode()
        except UnicodeDecodeError:
            return "grpc: error while marshaling: string field contains invalid UTF-8"
        if b"\0" in value:
            return f'container create failed: environment variable "{name}" contains nul byte (\\x00)'
    return ""


def is_checked(pod: Object) -> bool:
    """Whether there is anything to check: kwok/pods.yaml lets no such pod start before."""
    if any(key.startswith(REQUIRES) for key in _annotations(pod)):
        return True
    return any(
        container.get("envFrom")
        or any(
            {"configMapKeyRef", "secretKeyRef"} & {*each.get("valueFrom", ())}
            for each in container.get("env", [])
        )
        for container in _containers(pod)
    )


def _containers(pod: Object) -> list[Object]:
    """In the order in which they start."""
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def _annotations(pod: Object) -> dict[str, str]:
    return pod["metadata"].get("annotations") or {}


# --- logs -----------------------------------------------------------------------------------------


@dataclass
class ContainerLog:
    """The log file of one container, in the format that a kubelet reads (CRI)."""

    file: Path
    container_id: str = ""
    loop: list[str] = field(default_factory=list)
    every: float = 3.0
    due: float = 0.0
    written: int = 0

    @property
    def previous(self) -> Path:
        return self.file.with_suffix(".previous")

    def create(self) -> None:
        """Make the file, empty, so that whoever asks early reads nothing instead of failing."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.touch()

    def start(self, container_id: str, lines: list[str]) -> None:
        """A container has started: keep its predecessor's log, and write the new one's first lines."""
        if self.container_id:
            self.file.replace(self.previous)
        resumed = (
            not self.container_id and self.file.stat().st_size
        )  # the agent was restarted, not the container
        self.container_id = container_id
        self.create()
        if not resumed:
            for line in lines:
                self.write(line)
        self.due = time.monotonic() + self.every

    def stop(self) -> None:
        """The container has ended. Until it starts again its log is both the current and the previous one."""
        self.loop = []
        if not self.previous.exists() or self.previous.stat().st_mtime < self.file.stat().st_mtime:
            shutil.copyfile(self.file, self.previous)

    def tick(self, now: float) -> None:
        if self.loop and now >= self.due:
            self.write(self.loop[self.written % len(self.loop)])
            self.due = now + self.every * random.uniform(0.5, 1.5)

    def write(self, line: str) -> None:
        self.written += 1
        line = line.replace("{n}", str(self.written)).replace("{ms}", str(random.randint(2, 90)))
        if self.file.stat().st_size > LOG_FILE_BYTES:
            self.file.replace(self.file.with_suffix(".rotated"))
            self.create()
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
        with self.file.open("a") as out:
            out.write(f"{stamp} stdout F {line}\n")


def log_lines(pod: Object, container: Object) -> tuple[list[str], list[str]]:
    """The lines at a container's start, and those that it repeats.

    The first container may leave out its name.
    """
    annotations, name = _annotations(pod), container["name"]
    first = name == pod["spec"]["containers"][0]["name"]

    def lines(what: str) -> list[str] | None:
        text = annotations.get(f"{PREFIX}{what}.{name}", annotations.get(PREFIX + what) if first else None)
        return None if text is None else text.strip().splitlines()

    start, loop = lines("log"), lines("log-loop")
    if start is None and loop is None:
        return [f"starting {name} from image {container['image']}"], ["alive, {n} lines so far"]
    return start or [], loop or []


class Agent:
    """Follows all pods but the load ones."""

    def __init__(self, folder: Path, api: Api) -> None:
        self._folder = folder
        self._logs_folder = folder / "pod-logs"
        self._api = api
        self._events: queue.Queue[Object] = queue.Queue()
        self._logs: dict[str, dict[str, ContainerLog]] = {}
        self._unchecked: dict[str, tuple[float, Object]] = {}

    def run(self) -> None:
        """Work until the sandbox's folder is gone or the process is ended."""
        threading.Thread(target=self._follow, daemon=True).start()
        while self._folder.exists():
            try:
                self._handle(self._events.get(timeout=0.5))
            except queue.Empty:
                pass
            except UNREACHABLE as error:
                print(f"{datetime.now(UTC):%H:%M:%S} {error}", flush=True)
            self._tick()

    def _follow(self) -> None:
        while True:
            try:
                for event in self._pods():
                    self._events.put(event)
            except UNREACHABLE as error:
                print(f"{datetime.now(UTC):%H:%M:%S} watch: {error}", flush=True)
            time.sleep(1)

    def _pods(self) -> Iterator[Object]:
        """All pods, then their changes, until the watch ends."""
        selector = f"labelSelector={quote(f'{LOAD_LABEL}!=true')}"
        pods = self._api.get(f"/api/v1/pods?{selector}&resourceVersion=0", timeout=60)
        yield {"type": "LIST", "uids": {pod["metadata"]["uid"] for pod in pods["items"]}}
        for pod in pods["items"]:
            yield {"type": "ADDED", "object": pod}
        version = pods["metadata"]["resourceVersion"]
        watch = f"/api/v1/pods?{selector}&watch=1&resourceVersion={version}&timeoutSeconds={WATCH_SECONDS}"
        for event in self._api.stream(watch, silence=WATCH_SECONDS + 10.0):
            if event["type"] == "ERROR":
                return
            yield event

    def _handle(self, event: Object) -> None:
        if event["type"] == "LIST":
            for path in self._logs_folder.glob("*"):
                if path.name not in event["uids"]:
                    self._forget(path.name)
            return
        pod = event["object"]
        if event["type"] == "DELETED":
            self._forget(pod["metadata"]["uid"])
            return
        if pod["spec"].get("nodeName") and is_checked(pod):
            self._check(pod)
        self._write_logs(pod)

    def _forget(self, uid: str) -> None:
        self._logs.pop(uid, None)
        self._unchecked.pop(uid, None)
        shutil.rmtree(self._logs_folder / uid, ignore_errors=True)

    def _tick(self) -> None:
        now = time.monotonic()
        for logs in list(self._logs.values()):
            for log in logs.values():
                log.tick(now)
        for uid, (due, pod) in list(self._unchecked.items()):
            if now >= due:
                try:
                    self._check(pod)
                except UNREACHABLE:
                    self._unchecked[uid] = (now + CHECK_AGAIN_SECONDS, pod)

    # --- checking ---------------------------------------------------------------------------------

    def _check(self, pod: Object) -> None:
        """Write down what the pod's environment comes to, at its start and as long as something is wrong."""
        annotations = _annotations(pod)
        meta = pod["metadata"]
        self._unchecked.pop(meta["uid"], None)
        checked = annotations.get(PREFIX + "checked")
        if checked == "ok" or meta.get("deletionTimestamp"):
            return
        verdict = check(self._api, pod)
        new = {
            "checked": verdict.word,
            "message": verdict.detail or None,
            "not-created": verdict.container or None,
        }
        if any(annotations.get(PREFIX + key) != value for key, value in new.items()):
            if "refused" in (verdict.word, checked):
                new["behaviour"] = "crash-loop" if verdict.word == "refused" else None
            path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
            try:
                self._api.patch(path, {"metadata": {"annotations": {PREFIX + key: new[key] for key in new}}})
                if verdict.container:
                    self._complain(pod, verdict)
            except ApiError as error:
                if error.status not in (403, 404):  # gone, or its namespace is going
                    raise
        elif verdict.word != "ok":
            self._unchecked[meta["uid"]] = (time.monotonic() + CHECK_AGAIN_SECONDS, pod)

    def _complain(self, pod: Object, verdict: Verdict) -> None:
        """The kubelet's event about a container that is not created."""
        meta, now = pod["metadata"], datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        about = {
            "kind": "Pod",
            "apiVersion": "v1",
            **{key: meta[key] for key in ("namespace", "name", "uid")},
        }
        event: Object = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{meta['name']}."},
            "involvedObject": about | {"fieldPath": f"spec.containers{{{verdict.container}}}"},
            "type": "Warning",
            "reason": "Failed",
            "message": f"Error: {verdict.detail}",
            "source": {"component": "kubelet", "host": pod["spec"].get("nodeName", "")},
            "reportingComponent": "kubelet",
            "reportingInstance": pod["spec"].get("nodeName", ""),
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        self._api.post(f"/api/v1/namespaces/{meta['namespace']}/events", event)

    # --- writing ----------------------------------------------------------------------------------

    def _write_logs(self, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        status = pod.get("status", {})
        statuses = status.get("initContainerStatuses", []) + status.get("containerStatuses", [])
        started = {entry["name"]: entry for entry in statuses if entry.get("containerID")}
        if "startTime" not in status or pod["metadata"].get("deletionTimestamp"):
            return
        containers = _containers(pod)
        if uid not in self._logs:
            self._logs[uid] = {
                item["name"]: ContainerLog(self._logs_folder / uid / f"{item['name']}.log")
                for item in containers
            }
            for log in self._logs[uid].values():
                log.create()
            self._announce(pod, self._logs[uid])
        for container in containers:
            entry, log = started.get(container["name"]), self._logs[uid][container["name"]]
            if entry is None:
                continue
            if entry["containerID"] != log.container_id:
                first, log.loop = log_lines(pod, container)
                annotations = _annotations(pod)
                if annotations.get(PREFIX + "checked") == "refused":
                    name = annotations.get(PREFIX + "message", "")
                    first = [*first, annotations.get(REFUSED + name, f"FATAL: {name} is not usable")]
                log.every = float(annotations.get(PREFIX + "log-every", "3"))
                log.start(entry["containerID"], first)
            if "running" not in entry["state"]:
                log.stop()

    def _announce(self, pod: Object, logs: dict[str, ContainerLog]) -> None:
        """Tell kwok where the pod's log files are; the object goes when the pod goes."""
        metadata = pod["metadata"]
        owner = {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": metadata["uid"]}
        path = f"/apis/kwok.x-k8s.io/v1alpha1/namespaces/{metadata['namespace']}/logs"
        body: Object = {
            "apiVersion": "kwok.x-k8s.io/v1alpha1",
            "kind": "Logs",
            "metadata": {"name": metadata["name"], "ownerReferences": [owner]},
            "spec": {
                "logs": [
                    {"containers": [name], "logsFile": str(log.file), "previousLogsFile": str(log.previous)}
                    for name, log in logs.items()
                ]
            },
        }
        self._api.apply(f"{path}/{metadata['name']}", body)


def main() -> None:
    folder, port, pki = sys.argv[1:]
    Agent(Path(folder), Api(int(port), Path(pki))).run()


if __name__ == "__main__":
    main()
