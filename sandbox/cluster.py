"""A sandbox: one real control plane with simulated nodes on this machine, its files in one folder.

`Sandbox` is all that others need: the management command, the Makefile through `python -m sandbox`, tests and
benchmarks. It never reads or writes KUBECONFIG or ~/.kube.
"""

import base64
import fcntl
import hashlib
import ipaddress
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import yaml

from sandbox import binaries, processes, shapes
from sandbox.api import Api, ApiError
from sandbox.binaries import Binaries, Log
from sandbox.errors import SandboxError
from sandbox.node import machine, objects
from sandbox.node import programs as node_programs
from sandbox.node.config import containerds
from sandbox.node.machine import LOGS, PID_FILE
from sandbox.versions import HERE, pinned

DEFAULT_NAME = "cluster-ui"
START_SECONDS = 90.0
SCALE_SECONDS = 600.0

# The control plane's programs, in the order in which they are stopped.
_PROGRAMS = (
    "metrics-server",
    "kwok-controller",
    "kube-scheduler",
    "kube-controller-manager",
    "kube-apiserver",
    "etcd",
)
_PORTS = (
    "etcdPort",
    "etcdPeerPort",
    "kubeApiserverPort",
    "kubeControllerManagerPort",
    "kubeSchedulerPort",
    "kwokControllerPort",
    "metricsServerPort",
)

Condition = Literal["absent", "stopped", "running", "degraded"]


@dataclass(frozen=True)
class Status:
    """How a sandbox is. `processes` tells for each process whether it runs; `degraded` means: not all, or not
    well.

    `nodes` and `pods` are the numbers of all objects, 0 unless `running`.
    """

    condition: Condition
    kubeconfig: Path
    version: str
    processes: dict[str, bool]
    nodes: int = 0
    pods: int = 0


def data_home() -> Path:
    """`cluster-ui` in `$XDG_DATA_HOME` or `~/.local/share`: the state of the sandboxes."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "cluster-ui"


def print_to_stderr(message: str) -> None:
    """Where progress goes unless told otherwise: standard output stays free for the kubeconfig's path."""
    print(message, file=sys.stderr, flush=True)


class Sandbox:
    """The sandbox `name`, with its state in `home`/`name`; making the object changes nothing.

    Several sandboxes run side by side. Every method may be called at any time, also by several processes at
    once, and raises SandboxError with a message for the user.

    `context` is the name of the kubeconfig's only context. `allow_exec` makes `kubectl exec` run real
    commands on this machine as this user; any local user who finds the simulated kubelet's port could do so
    too, so it is for tests, on a machine of one's own. `node_grace`: after how many seconds without a heartbeat a
    node counts as lost; by default that is minutes, so that a busy machine loses none. `etcd_quota`: bytes that etcd
    may hold; by default 2 GiB, which is not enough for 50,000 pods of the size of real ones. `real_node`: whether
    there is a node that really runs containers beside the simulated ones, which takes Linux and root; None is as the
    last time. `bare`: it runs pods, and has neither names, volumes and ingresses for them nor enforces NetworkPolicies;
    that is less to build.
    """

    def __init__(
        self,
        name: str = DEFAULT_NAME,
        home: Path | None = None,
        *,
        context: str = "sandbox",
        allow_exec: bool = False,
        node_grace: int | None = None,
        etcd_quota: int | None = None,
        real_node: bool | None = None,
        bare: bool = False,
        log: Log = print_to_stderr,
    ) -> None:
        if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?", name):
            raise SandboxError(
                f"A sandbox's name is made of lower-case letters, digits and hyphens, not {name!r}."
            )
        self.name = name
        self.context = context
        self.allow_exec = allow_exec
        self.node_grace = node_grace
        self.etcd_quota = etcd_quota
        self._real_node = real_node
        self._bare = bare
        self.folder = (home or data_home()).absolute() / name
        self._workdir = self.folder / "kwok" / "clusters" / name
        self._log = log

    # --- what others use --------------------------------------------------------------------------

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig's path; the file is there once `up` has been called.

        It holds an administrator's key.
        """
        return self.folder / "kubeconfig"

    @property
    def address(self) -> tuple[str, bytes] | None:
        """Where its API server listens, and the authority (PEM) of its certificate; None before the first start.

        As it is, whatever has become of the kubeconfig.
        """
        ports, authority = self._state().get("ports"), self._workdir / "pki" / "ca.crt"
        if ports is None or not authority.exists():
            return None
        return f"https://127.0.0.1:{ports['kubeApiserverPort']}", authority.read_bytes()

    @property
    def kubectl(self) -> Path:
        """The path of a kubectl of the cluster's own version."""
        return binaries.ensure(self._log).path("kubectl")

    @property
    def real_node(self) -> bool:
        """Whether it has a node that really runs containers, or will have from the next `up` on."""
        return bool(self._state().get("real_node")) if self._real_node is None else self._real_node

    def api(self) -> Api:
        """The API server, as its administrator."""
        ports = self._state().get("ports")
        if ports is None:
            raise SandboxError(f"There is no sandbox {self.name} yet; start it first (up).")
        return Api(ports["kubeApiserverPort"], self._workdir / "pki")

    def up(self, *, samples: bool = True) -> Path:
        """Start what is not running and return the kubeconfig's path; at once when everything runs already.

        The objects of an earlier run are kept. `samples` puts the sample applications in, once: what a user
        then changes or deletes stays so.
        """
        if self.real_node and (why_not := machine.impossible()):
            raise SandboxError(why_not)
        with self._alone():
            found = binaries.ensure(self._log)
            state = self._state() | {"real_node": self.real_node}
            if not self._is_up(state, found):
                state = self._start(state, found)
            if samples and not state.get("samples"):
                self._add_samples(found)
                self._save(state | {"samples": True})
        return self.kubeconfig

    def down(self) -> None:
        """Stop every process and keep the objects. No error when nothing runs."""
        if self.folder.is_dir():
            with self._alone():
                self._stop()

    def destroy(self) -> None:
        """Stop every process and delete the sandbox with all its objects. No error when there is none."""
        if self.folder.is_dir():
            with self._alone():
                self._stop()
                shutil.rmtree(self.folder)

    def reset(self, *, samples: bool = True) -> Path:
        """Start over with an empty cluster (the ports stay, where free); return the kubeconfig's path."""
        former = self._state()
        self.destroy()
        if "ports" in former:
            self._save({name: former[name] for name in ("ports", "real_node") if name in former})
        return self.up(samples=samples)

    def status(self) -> Status:
        """How the sandbox is; quick, changes nothing, waits for nobody."""
        alive = {name: pid is not None for name, pid in self.pids().items()}
        condition: Condition = "absent"
        if self.kubeconfig.exists():
            condition = "running" if all(alive.values()) else "degraded" if any(alive.values()) else "stopped"
        node_count = pod_count = 0
        if condition == "running":
            try:
                node_count, pod_count = self._count("/api/v1/nodes"), self._count("/api/v1/pods")
            except (OSError, ApiError):
                condition = "degraded"
        version = pinned()["kubernetes"]
        return Status(condition, self.kubeconfig, version, alive, node_count, pod_count)

    def pids(self) -> dict[str, int | None]:
        """The process id of each program, None for one that does not run."""
        return {name: processes.running(pid_file, self._mark) for name, pid_file in self._pid_files().items()}

    def scale(self, *, nodes: int | None = None, pods: int | None = None) -> None:
        """Set the number of nodes in all (the sandbox's own five stay), and of load pods in namespace `load`.

        Load pods run on load nodes only; `pods` alone adds as many of those as needed. Returns as soon as the
        API server knows what is wanted, or, when nodes are to go, once the surplus pods are gone. The sandbox
        must be running.
        """
        api = self.api()
        with self._alone():
            if not api.ready():
                raise SandboxError(f"The sandbox {self.name} is not running; start it first (up).")
            own = len(shapes.own_nodes(0, ""))
            if nodes is None and pods is not None:
                nodes = max(own + -(-pods // shapes.LOAD_PODS_PER_NODE), self._count("/api/v1/nodes"))
            if nodes is not None and nodes < own:
                raise SandboxError(f"The sandbox has {own} nodes of its own; ask for {own} or more.")
            if nodes is not None:
                self._add_load_nodes(api, nodes - own)
            if pods is not None:
                self._scale_pods(api, pods)
            if nodes is not None:
                self._remove_load_nodes(api, nodes - own, pods)

    def image_load(self, archive: Path) -> None:
        """Load the images of an archive (of `docker save`, or `buildah push … docker-archive:`) onto the real nodes."""
        pid = processes.running(self.folder / PID_FILE, self._mark)
        if pid is None:
            raise SandboxError(
                f"The sandbox {self.name} has no real node that runs; start it: up --real-node."
            )
        programs = node_programs.ensure(self._log, bare=True)  # which any has
        ctr = [*machine.enter(pid), str(programs.debian("usr/bin/ctr")), "-n", "k8s.io"]
        for each in containerds().values():
            command = [*ctr, "-a", each.socket, "images", "import", "-"]
            try:
                with archive.open("rb") as content:
                    done = subprocess.run(
                        command, stdin=content, capture_output=True, text=True, env=programs.environment()
                    )
            except OSError as error:
                raise SandboxError(f"{archive} can't be read: {error}") from error
            if done.returncode:
                raise SandboxError(f"containerd does not take {archive}:\n{done.stderr[-1000:]}")

    # --- starting ---------------------------------------------------------------------------------

    def _is_up(self, state: dict[str, Any], found: Binaries) -> bool:
        if not state.get("fingerprint") or not all(self.pids().values()):
            return False
        return bool(state["fingerprint"] == self._fingerprint(state, found)) and self.api().ready()

    def _start(self, state: dict[str, Any], found: Binaries) -> dict[str, Any]:
        """Start the processes that don't run, or all of them anew when the configuration has changed."""
        started = time.monotonic()
        self._log(f"Starting the sandbox cluster {self.name} (Kubernetes {pinned()['kubernetes']}) …")
        processes.stop([self._pid_files()["agent"]], self._mark)  # it knows the former port
        if self.real_node:
            state = state | {"network": machine.place(self.folder, state.get("network")).network}
        if "ports" in state and state.get("fingerprint") != self._fingerprint(state, found):
            self._stop()
        if not any(self.pids().values()):
            state = state | {"ports": _free_ports(state.get("ports", {}))}
        state = state | {"fingerprint": self._fingerprint(state, found)}
        self._save(state)
        for pid_file in self._pid_files().values():
            if processes.running(pid_file, self._mark) is None:
                pid_file.unlink(
                    missing_ok=True
                )  # else kwokctl would take whoever has that pid now for its own
        try:
            self._create(state, found)
            self._write_kubeconfig(state["ports"])
            self._wait(lambda: self.api().ready(), "The API server did not become ready.")
            for path, content in shapes.plumbing(state["ports"]["metricsServerPort"]).items():
                self.api().apply(path, content)
            self._add_nodes(state["ports"]["kwokControllerPort"])
            account = "/api/v1/namespaces/default/serviceaccounts/default"
            self._wait(lambda: self._has(account), "The controllers do not work: no default service account.")
            self._start_agent()
            self._start_node(state)
            self._settle(state, found)
        except BaseException:
            self._stop()
            raise
        self._log(f"The sandbox cluster {self.name} is up ({time.monotonic() - started:.0f} s).")
        return state

    def _create(self, state: dict[str, Any], found: Binaries) -> None:
        """Let kwokctl start the control plane, on the data of the last time if there is any.

        kwokctl's own record is removed first: with it, kwokctl would keep the former ports and configuration.
        """
        self._workdir.mkdir(parents=True, exist_ok=True)
        (self._workdir / "kwok.yaml").unlink(missing_ok=True)
        if not any(self.pids().values()):
            for kept in (
                "bin",
                "logs",
            ):  # copies of the programs, maybe of a former version, and ever-growing logs
                shutil.rmtree(self._workdir / kept, ignore_errors=True)
            if self.real_node and not self._certified_for(objects.API):
                shutil.rmtree(self._workdir / "pki", ignore_errors=True)  # kwokctl makes it anew
        data = self.folder / "etcd"
        data.mkdir(mode=0o700, exist_ok=True)
        if not (self._workdir / "etcd").is_symlink():
            (self._workdir / "etcd").symlink_to(data)  # kwokctl deletes its folder when an installation fails
        # kwokctl wants manifests for metrics-server and fails to apply them a second time. It gets none to
        # apply, as it leaves out all but two kinds; shapes.plumbing has what is needed.
        nothing = self.folder / "kwok" / "no-manifests"
        nothing.mkdir(exist_ok=True)
        (nothing / "kustomization.yaml").write_text("resources:\n- namespace.yaml\n")
        (nothing / "namespace.yaml").write_text(
            "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: kube-system\n"
        )
        (self.folder / "exec").mkdir(exist_ok=True)
        config = self.folder / "kwok-config.yaml"
        config.write_text(self._config(state, found))
        command = [
            str(found.path("kwokctl")),
            "create",
            "cluster",
            "--name",
            self.name,
            "--config",
            str(config),
        ]
        # A home, a kubeconfig and settings of its own: kwokctl would otherwise read and write the user's.
        env = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.folder),
            "KUBECONFIG": str(self.folder / "kwok" / "kubeconfig"),
            "KWOK_WORKDIR": str(self.folder / "kwok"),
        }
        output = self.folder / "kwokctl.log"
        command += ["--timeout", f"{START_SECONDS:.0f}s", "--kubeconfig", env["KUBECONFIG"]]
        with output.open("w") as out:
            done = subprocess.run(
                command, env=env, cwd=self.folder, stdout=out, stderr=out, stdin=subprocess.DEVNULL
            )
        if done.returncode:
            tail = "\n".join(output.read_text().splitlines()[-15:])
            raise SandboxError(
                f"kwokctl could not start the control plane (see {self._workdir / 'logs'}):\n{tail}"
            )

    def _certified_for(self, address: str) -> bool:
        """Whether the API server's certificate, if there is one, holds this IPv4 address, as pods verify it."""
        try:
            text = (self._workdir / "pki" / "admin.crt").read_text()
        except OSError:
            return True
        name = b"\x87\x04" + ipaddress.IPv4Address(address).packed  # RFC 5280: GeneralName, iPAddress
        return name in ssl.PEM_cert_to_DER_cert(text)

    def _config(self, state: dict[str, Any], found: Binaries) -> str:
        """What kwokctl and kwok are told: programs, ports, stages, metrics."""
        ports: dict[str, int] = state["ports"]
        options: dict[str, Any] = {
            "runtime": "binary",
            "bindAddress": "127.0.0.1",
            "kubeVersion": pinned()["kubernetes"],
            "etcdVersion": pinned()["etcd"].removeprefix("v"),
            "kubeApiserverBinary": str(found.path("kube-apiserver")),
            "kubeControllerManagerBinary": str(found.path("kube-controller-manager")),
            "kubeSchedulerBinary": str(found.path("kube-scheduler")),
            "kubectlBinary": str(found.path("kubectl")),
            "etcdBinary": str(found.path("etcd")),
            "kwokControllerBinary": str(found.path("kwok")),
            "metricsServerBinary": str(found.path("metrics-server")),
            "metricsServerManifests": [str(self.folder / "kwok" / "no-manifests")],
            "cacheDir": str(self.folder / "kwok" / "cache"),
            "enable": ["metrics-server"],
            "disableQPSLimits": True,
        } | ports
        # Nobody competes for leadership or for a node here, and waiting for the leases of the time before a
        # restart would take up to 15 and 200 seconds. A node's heartbeat is a stage instead of a lease.
        # By Logs objects the node agent tells kwok where each pod's log files are. And where somebody adds a
        # node with a host name, the API server should not try to resolve it.
        arguments = {
            "kwok-controller": {"enable-crds": "Logs", "node-lease-duration-seconds": "0"},
            "kube-apiserver": {"kubelet-preferred-address-types": "InternalIP"},
            "kube-controller-manager": {"leader-elect": "false"},
            "kube-scheduler": {"leader-elect": "false"},
        }
        if self.real_node:
            options["kubeApiserverCertSANs"] = [objects.API]
            arguments["kwok-controller"] |= {
                "manage-all-nodes": "false",
                "manage-nodes-with-annotation-selector": "kwok.x-k8s.io/node=fake",
            }
            arguments["kube-apiserver"] |= {
                "advertise-address": machine.place(self.folder, state["network"]).address,
                "kubelet-client-certificate": str(self._workdir / "pki" / "admin.crt"),
                "kubelet-client-key": str(self._workdir / "pki" / "admin.key"),
            }
        if self.node_grace is not None:
            grace = {"node-monitor-grace-period": f"{self.node_grace}s", "node-monitor-period": "2s"}
            arguments["kube-controller-manager"] |= grace
        if self.etcd_quota is not None:
            arguments["etcd"] = {"quota-backend-bytes": str(self.etcd_quota)}
        patches = [
            {"name": component, "extraArgs": [{"key": key, "value": value} for key, value in extra.items()]}
            for component, extra in arguments.items()
        ]
        kwokctl = {
            "apiVersion": "config.kwok.x-k8s.io/v1alpha1",
            "kind": "KwokctlConfiguration",
            "options": options,
            "componentsPatches": patches,
        }
        documents = [yaml.safe_dump(kwokctl)]
        documents += [path.read_text() for path in sorted((HERE / "kwok").glob("*.yaml"))]
        if self.allow_exec:
            documents.append(yaml.safe_dump(shapes.exec_here(str(self.folder / "exec"))))
        return "\n---\n".join(documents)

    def _fingerprint(self, state: dict[str, Any], found: Binaries) -> str:
        agent = b"".join((HERE / name).read_bytes() for name in ("agent.py", "api.py"))
        if self.real_node:
            agent += node_programs.key().encode()
            agent += b"" if self._bare else node_programs.added_key().encode()
            agent += b"".join(path.read_bytes() for path in sorted((HERE / "node").glob("*.py")))
        return hashlib.sha256(self._config(state, found).encode() + agent).hexdigest()

    def _write_kubeconfig(self, ports: dict[str, int]) -> None:
        pki = self._workdir / "pki"

        def content(name: str) -> str:
            return base64.b64encode((pki / name).read_bytes()).decode()

        user = f"{self.context}-admin"  # of files that are merged, the first that has a name counts
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": self.context,
            "contexts": [{"name": self.context, "context": {"cluster": self.context, "user": user}}],
            "clusters": [
                {
                    "name": self.context,
                    "cluster": {
                        "server": f"https://127.0.0.1:{ports['kubeApiserverPort']}",
                        "certificate-authority-data": content("ca.crt"),
                    },
                }
            ],
            "users": [
                {
                    "name": user,
                    "user": {
                        "client-certificate-data": content("admin.crt"),
                        "client-key-data": content("admin.key"),
                    },
                }
            ],
        }
        _write_private(self.kubeconfig, yaml.safe_dump(config, sort_keys=False))

    def _add_nodes(self, kubelet_port: int) -> None:
        """Add the sandbox's own nodes where missing; tell all nodes where their kubelets listen."""
        api = self.api()
        there = {node["metadata"]["name"]: node for node in api.get("/api/v1/nodes")["items"]}
        for node in shapes.own_nodes(kubelet_port, pinned()["kubernetes"]):
            if node["metadata"]["name"] not in there:
                _add_node(api, node)
        endpoint = {"kubeletEndpoint": {"Port": kubelet_port}}
        for name, node in there.items():
            simulated = node["metadata"].get("annotations", {}).get("kwok.x-k8s.io/node") == "fake"
            if simulated and node["status"].get("daemonEndpoints") != endpoint:
                api.patch(f"/api/v1/nodes/{name}/status", {"status": {"daemonEndpoints": endpoint}})

    def _start_agent(self) -> None:
        pid_file = self._pid_files()["agent"]
        if processes.running(pid_file, self._mark) is not None:
            return
        log = self.folder / "agent.log"
        pid = _spawn(["sandbox.agent", self._mark, str(self.api().port), str(self.api().pki)], log)
        pid_file.write_text(str(pid))
        self._wait(
            lambda: processes.running(pid_file, self._mark) == pid, f"The node agent fails, see {log}."
        )

    def _start_node(self, state: dict[str, Any]) -> None:
        """Start the real node where there is to be one; forget it where there was one."""
        api = self.api()
        if not self.real_node:
            for name in objects.NODES:
                if self._has(f"/api/v1/nodes/{name}"):
                    api.delete(f"/api/v1/nodes/{name}")
            return
        programs = node_programs.ensure(self._log, bare=self._bare)
        place = machine.place(self.folder, state["network"])
        for path, content in objects.plumbing(place.address).items():
            api.apply(path, content)
        pid_file = self.folder / PID_FILE
        if processes.running(pid_file, self._mark) is not None:
            return
        pid_file.unlink(missing_ok=True)
        settings = {
            "programs": str(programs.folder),
            "added": str(programs.added or ""),
            "name": place.name,
            "network": place.network,
            "api_port": api.port,
        }
        (self.folder / LOGS).mkdir(parents=True, exist_ok=True)
        _write_private(self.folder / "node" / "settings.json", json.dumps(settings, indent=2))
        log = self.folder / LOGS / "node.log"
        pid = _spawn(["sandbox.node.supervisor", self._mark], log)
        began = _now()

        def works() -> bool:
            if os.waitpid(pid, os.WNOHANG)[0]:
                raise SandboxError(f"The real node did not start:\n{log.read_text()[-2000:]}")
            return all(self._node_reports(name, since=began) for name in objects.NODES)

        self._wait(works, f"The real node does not become ready; see also {log.parent}.")
        role = {"node-role.kubernetes.io/worker": ""}  # which a kubelet may not say of itself
        for name in objects.NODES:
            api.patch(f"/api/v1/nodes/{name}", {"metadata": {"labels": role}})

    def _node_reports(self, name: str, since: str) -> bool:
        """Whether a real node's kubelet has said since then that it is ready."""
        try:
            node = self.api().get(f"/api/v1/nodes/{name}")
        except ApiError:
            return False
        conditions = {each["type"]: each for each in node["status"].get("conditions", [])}
        ready = conditions.get("Ready", {})
        return bool(ready.get("status") == "True" and ready["lastHeartbeatTime"] >= since)

    def _add_samples(self, found: Binaries) -> None:
        self._log("Adding the sample applications …")
        command = [str(found.path("kubectl")), "--kubeconfig", str(self.kubeconfig), "apply", "--server-side"]
        command += ["--force-conflicts", "--field-manager", "sandbox-samples", "-f"]
        for path in sorted((HERE / "samples").glob("*.yaml")):
            for last_try in (
                False,
                False,
                True,
            ):  # a kind from an earlier file may take a moment to be served
                done = subprocess.run(
                    [*command, str(path)], capture_output=True, text=True, env={"HOME": str(self.folder)}
                )
                if done.returncode == 0:
                    break
                if last_try:
                    raise SandboxError(
                        f"The sample applications in {path.name} could not be added:\n{done.stderr}"
                    )
                time.sleep(1)

    # --- scaling ----------------------------------------------------------------------------------

    def _load_nodes(self, api: Api) -> set[str]:
        found = api.get(f"/api/v1/nodes?labelSelector={shapes.LOAD_LABEL}")["items"]
        return {node["metadata"]["name"] for node in found}

    def _add_load_nodes(self, api: Api, wanted: int) -> None:
        port, version = self._state()["ports"]["kwokControllerPort"], pinned()["kubernetes"]
        there = self._load_nodes(api)
        shaped = [shapes.load_node(number, port, version) for number in range(wanted)]
        with ThreadPoolExecutor(8) as pool:
            list(
                pool.map(
                    lambda node: _add_node(api, node),
                    [n for n in shaped if n["metadata"]["name"] not in there],
                )
            )

    def _remove_load_nodes(self, api: Api, wanted: int, pods: int | None) -> None:
        """Remove the nodes beyond `wanted`, after the pods beyond `pods`: those lingered without their nodes."""
        surplus = sorted(self._load_nodes(api))[wanted:]
        if surplus and pods is not None:
            path = f"/api/v1/namespaces/{shapes.LOAD_NAMESPACE}/pods"
            self._wait(lambda: self._count(path) <= pods, "The load pods do not end.", seconds=SCALE_SECONDS)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda name: api.delete(f"/api/v1/nodes/{name}"), surplus))

    def _scale_pods(self, api: Api, wanted: int) -> None:
        api.apply(f"/api/v1/namespaces/{shapes.LOAD_NAMESPACE}", shapes.LOAD_NAMESPACE_OBJECT)
        deployments = f"/apis/apps/v1/namespaces/{shapes.LOAD_NAMESPACE}/deployments"
        shaped = {item["metadata"]["name"]: item for item in shapes.load_deployments(wanted)}
        there = {item["metadata"]["name"] for item in api.get(deployments)["items"]}
        for name, deployment in shaped.items():
            api.apply(f"{deployments}/{name}", deployment)
        for name in there - shaped.keys():
            api.delete(f"{deployments}/{name}")

    # --- stopping, and what is there --------------------------------------------------------------

    @property
    def _mark(self) -> str:
        """What the command line of each of our processes contains, and no other's."""
        return f"{self.folder}/"

    def _pid_files(self) -> dict[str, Path]:
        files = {"agent": self.folder / "agent.pid"}
        if self.real_node:
            files["node"] = self.folder / PID_FILE
        return files | {program: self._workdir / "pids" / f"{program}.pid" for program in _PROGRAMS}

    def _stop(self) -> None:
        processes.stop([self.folder / PID_FILE, *self._pid_files().values()], self._mark)
        if (self.folder / "node").is_dir():
            machine.traces_remove(self.folder)

    def _count(self, path: str) -> int:
        """How many objects a list has, without fetching them."""
        page = self.api().get(f"{path}?limit=1")
        return len(page["items"]) + int(page["metadata"].get("remainingItemCount", 0))

    def _has(self, path: str) -> bool:
        try:
            self.api().get(path)
        except (OSError, ApiError):
            return False
        return True

    def _settle(self, state: dict[str, Any], found: Binaries) -> None:
        """Wait until everything works. What has ended since it was started is started again: on a machine that has just
        booted, the API server may take longer than metrics-server waits for it.
        """

        def works() -> bool:
            if not all(self.pids()[program] for program in _PROGRAMS):
                self._create(state, found)
            return self._works()

        try:
            self._wait(works, "Some of it does not run or report.")
        except SandboxError as error:
            ended = ", ".join(name for name, pid in self.pids().items() if pid is None)
            raise SandboxError(f"{error} Not running: {ended}." if ended else str(error)) from error

    def _works(self) -> bool:
        """Whether every process runs, and the simulated kubelets report."""
        nodes = self.api().get("/api/v1/nodes")["items"]
        return all(self.pids().values()) and all(node["status"].get("conditions") for node in nodes)

    def _wait(self, met: Callable[[], bool], otherwise: str, *, seconds: float = START_SECONDS) -> None:
        deadline = time.monotonic() + seconds
        while not met():
            if time.monotonic() > deadline:
                raise SandboxError(f"{otherwise} Its logs are in {self._workdir / 'logs'}.")
            time.sleep(0.1)

    def _state(self) -> dict[str, Any]:
        try:
            state: dict[str, Any] = json.loads((self.folder / "state.json").read_text())
        except (OSError, ValueError):
            return {}
        return state

    def _save(self, state: dict[str, Any]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write_private(self.folder / "state.json", json.dumps(state, indent=2))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One change at a time.

        The lock lies beside the folder, which may be deleted while the lock is held.
        """
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with (self.folder.parent / f".{self.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _spawn(module: list[str], log: Path) -> int:
    """Start a module of ours as a process that outlives this one. (subprocess would complain of that.)"""
    return os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", *module],
        os.environ | {"PYTHONPATH": str(HERE.parent)},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setpgroup=0,
    )


def _now() -> str:
    """As the API server writes times."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _add_node(api: Api, node: shapes.Object) -> None:
    """Create a node with its status, which a create request alone would ignore."""
    try:
        api.post("/api/v1/nodes", node)
    except ApiError as error:
        if error.status != 409:
            raise
    api.patch(f"/api/v1/nodes/{node['metadata']['name']}/status", {"status": node["status"]})


def _free_ports(former: dict[str, int]) -> dict[str, int]:
    """A free port on 127.0.0.1 for each use; the former one where it still is."""
    held: list[socket.socket] = []  # all are held until each is chosen, so that no two are the same
    ports = {}
    try:
        for use in _PORTS:
            for port in (former.get(use, 0), 0):
                listener = socket.socket()
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                held.append(listener)
                try:
                    listener.bind(("127.0.0.1", port))
                except OSError:
                    continue
                ports[use] = int(listener.getsockname()[1])
                break
    finally:
        for listener in held:
            listener.close()
    return ports


def _write_private(path: Path, content: str) -> None:
    """Write a file whole or not at all, readable by its owner only."""
    partial = path.with_name(path.name + ".partial")
    partial.touch(mode=0o600)
    partial.write_text(content)
    partial.replace(path)
