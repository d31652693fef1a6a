"""What a real node leaves on the machine: nothing, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox import Sandbox
from sandbox.binaries import cache_home
from sandbox.cluster import print_to_stderr
from sandbox.node import programs
from sandbox.node.machine import PID_FILE, identity
from sandbox.node.objects import NODE, NODES
from tests.cluster.test_sandbox import wait_for

from .pods import spec

SECONDS = 180.0


@pytest.fixture
def sandbox(cluster: Sandbox) -> Iterator[Sandbox]:
    """A second one with a real node beside the session's, which goes on."""
    made = Sandbox("cluster-ui-tests-traces", cache_home().with_name("test-sandboxes"), real_node=True)
    made.destroy()
    yield made
    made.destroy()


def traces(sandbox: Sandbox) -> dict[str, list[str]]:
    """What there is on this machine of a sandbox's node, and of what such a node would change if it could."""
    folder, name = str(sandbox.folder), identity(sandbox.folder)

    def run(*words: str) -> list[str]:
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        return done.stdout.splitlines()

    environment = programs.ensure(print_to_stderr).environment()  # with the node's own nft and ipset
    cgroups = [Path("/sys/fs/cgroup"), *Path("/sys/fs/cgroup").iterdir()]
    there = (
        "/var/lib/kubelet",
        "/var/lib/kubelet-2",
        "/var/lib/cni",
        "/var/lib/containerd",
        "/run/containerd",
        "/run/containerd-2",
        "/run/sandbox",
        "/etc/cni",
    )
    kernel = ("kernel/panic", "kernel/panic_on_oops", "vm/overcommit_memory", "net/ipv4/ip_forward")
    processes = [command_line(each) for each in Path("/proc").glob("[0-9]*")]
    return {
        "processes": [line for line in processes if folder in line],
        "containers": [line for line in processes if line.startswith("sleep 9999")],
        "mounts": [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if folder in line],
        "links": [line for line in run("ip", "-o", "link") if f"cui-{name}" in line],
        "namespaces": [line for line in run("ip", "netns", "list") if "cni-" in line],
        "routes": [line for line in run("ip", "route") if f"cui-{name}" in line],
        "bridges": run("ip", "-o", "link", "show", "type", "bridge"),
        "rules": [*run("nft", "list", "tables"), *run("iptables", "-S"), *run("ipset", "list", "-name")],
        "cgroups": [
            str(each / place) for each in cgroups if (each / (place := f"cluster-ui-{name}")).exists()
        ],
        "kernel": [Path("/proc/sys", each).read_text() for each in kernel],
        "folders": [each for each in there if Path(each).exists()],
    }


def command_line(process: Path) -> str:
    try:
        return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def runs_a_pod(sandbox: Sandbox, restarts: int = 0) -> None:
    """A pod is ready that was started again so many times: as after a reboot of its node, and no other."""
    api = sandbox.api()
    path = "/api/v1/namespaces/default"
    wait_for(lambda: bool(api.get(f"{path}/serviceaccounts?limit=1")["items"]))
    if not api.get(f"{path}/pods")["items"]:
        api.post(f"{path}/pods", {"metadata": {"name": "web"}, "spec": spec("exec sleep 9999")})

    def again() -> bool:
        status = api.get(f"{path}/pods/web")["status"]
        return _ready(status) and status["containerStatuses"][0]["restartCount"] == restarts

    wait_for(again, SECONDS)


def _ready(status: dict[str, object]) -> bool:
    conditions = status.get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)  # type: ignore[attr-defined]


def node_pid(sandbox: Sandbox) -> int:
    return int((sandbox.folder / PID_FILE).read_text())


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def inner(sandbox: Sandbox, program: str) -> int:
    """The process inside the node whose command line holds a text."""
    namespace = Path(f"/proc/{init(sandbox)}/ns/pid").readlink()
    for each in Path("/proc").glob("[0-9]*"):
        if program in command_line(each) and (each / "ns/pid").readlink() == namespace:
            return int(each.name)
    raise LookupError(program)


def init(sandbox: Sandbox) -> int:
    pid = node_pid(sandbox)
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def test_nothing_is_left_after_down_and_what_it_had_comes_back(sandbox: Sandbox) -> None:
    before = traces(sandbox)
    sandbox.up(samples=False)
    runs_a_pod(sandbox)
    assert traces(sandbox) != before
    sandbox.down()
    assert traces(sandbox) == before
    sandbox.up(samples=False)
    runs_a_pod(sandbox, restarts=1)
    sandbox.destroy()
    assert traces(sandbox) == before


@pytest.mark.parametrize("who", [node_pid, init])
def test_nothing_is_left_after_a_kill(sandbox: Sandbox, who: Callable[[Sandbox], int]) -> None:
    before = traces(sandbox)
    sandbox.up(samples=False)
    runs_a_pod(sandbox)
    kill(who(sandbox))
    wait_for(lambda: sandbox.status().condition == "degraded")
    sandbox.up(samples=False)
    runs_a_pod(sandbox, restarts=1)
    kill(who(sandbox))
    sandbox.down()
    assert traces(sandbox) == before


def test_a_single_program_that_is_killed_comes_back_and_pods_run_on(sandbox: Sandbox) -> None:
    sandbox.up(samples=False)
    runs_a_pod(sandbox)
    path = "/api/v1/namespaces/default/pods/web"
    container = sandbox.api().get(path)["status"]["containerStatuses"][0]["containerID"]
    for program in (f"--hostname-override={NODE} ", "/containerd.toml "):
        former = inner(sandbox, program)
        kill(former)
        wait_for(lambda former=former, program=program: inner_or_none(sandbox, program) not in (None, former))
    runs_a_pod(sandbox)
    status = sandbox.api().get(path)["status"]["containerStatuses"][0]
    assert (status["containerID"], status["restartCount"]) == (container, 0)
    assert sandbox.status().condition == "running"


def inner_or_none(sandbox: Sandbox, program: str) -> int | None:
    try:
        return inner(sandbox, program)
    except (LookupError, OSError):
        return None


def test_nothing_is_left_after_the_command_is_killed_while_it_starts(sandbox: Sandbox) -> None:
    before = traces(sandbox)
    command = [sys.executable, "-m", "sandbox", "up", "--real-node", "--no-samples"]
    command += ["--name", sandbox.name, "--home", str(sandbox.folder.parent)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        wait_for((sandbox.folder / PID_FILE).exists, SECONDS)
        process.kill()
    sandbox.down()
    assert traces(sandbox) == before


def test_without_the_option_the_node_goes_and_the_rest_stays(sandbox: Sandbox) -> None:
    sandbox.up(samples=False)
    runs_a_pod(sandbox)
    plain = Sandbox(sandbox.name, sandbox.folder.parent, real_node=False)
    plain.up(samples=False)
    names = {node["metadata"]["name"] for node in plain.api().get("/api/v1/nodes")["items"]}
    assert len(names) == 5
    assert names.isdisjoint(NODES)
    assert "node" not in plain.pids()
