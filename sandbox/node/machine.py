"""What a real node needs of the machine, and takes of it: a network, a pair of interfaces, cgroups. The rest lies in
namespaces that go with their processes.
"""

import hashlib
import ipaddress
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import SandboxError

# Pods of simulated nodes have 10.64.0.0/10. Each real node takes 256 addresses of these, by its sandbox's name.
_NETWORKS = ipaddress.IPv4Network("10.192.0.0/10")
_CONTROLLERS = ("cpu", "cpuset", "io", "memory", "pids", "hugetlb")
END_SECONDS = 20.0
PID_FILE = "node.pid"  # in the sandbox's folder
LOGS = "node/logs"


@dataclass(frozen=True)
class Place:
    """Where a real node is on this machine: `network`/24 holds its pods (/25), and the link that leads to it (/30)."""

    name: str
    network: str

    @property
    def link(self) -> str:
        """Our end of the pair of interfaces; the kernel allows 15 characters."""
        return f"cui-{self.name[-11:]}"

    @property
    def cgroup(self) -> str:
        """The cgroup of all of its pods, in every hierarchy."""
        return f"cluster-ui-{self.name}"

    @property
    def second_cgroup(self) -> str:
        """In it, that of the pods of the second kubelet: each removes the cgroups of pods that it does not know."""
        return f"{self.cgroup}/second"

    @property
    def pods(self) -> str:
        return f"{self.network}/25"

    @property
    def gateway(self) -> str:
        """This machine, as the node sees it."""
        return str(ipaddress.ip_address(self.network) + 253)

    @property
    def address(self) -> str:
        """The node's own."""
        return str(ipaddress.ip_address(self.network) + 254)


def impossible() -> str:
    """Why no real node can run here; empty where one can."""
    if sys.platform != "linux":
        return "A real node needs Linux: containers are a matter of its kernel."
    if os.geteuid() != 0:
        return "A real node needs root, for namespaces, mounts and cgroups."
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        return "A real node takes containerd and runc out of Debian packages, and there is no apt-get and dpkg-deb here."
    if not any(True for _ in _hierarchies()):
        return "A real node needs cgroups, and none are mounted here."
    if not os.access("/dev/kmsg", os.R_OK):
        return "A real node needs /dev/kmsg, where the kernel tells of processes that it killed; it can't be read here."
    return ""


def identity(folder: Path) -> str:
    """A short name for the sandbox in `folder`, which no other sandbox of this machine has."""
    return hashlib.sha256(str(folder).encode()).hexdigest()[:10]


def place(folder: Path, former: str | None) -> Place:
    """Where the sandbox in `folder` has its node: where it was, else where no route of this machine leads to.

    Raises SandboxError where every network is taken.
    """
    name = identity(folder)
    if former is not None:
        return Place(name, former)
    taken = list(_routes())
    networks = 2 ** (24 - _NETWORKS.prefixlen)
    first = int(name, 16)
    for offset in range(networks):
        network = ipaddress.IPv4Network(
            (int(_NETWORKS.network_address) + ((first + offset) % networks << 8), 24)
        )
        if not any(network.overlaps(each) for each in taken):
            return Place(name, str(network.network_address))
    raise SandboxError(
        f"This machine has routes to all of {_NETWORKS}, so there is none left for a real node."
    )


def enter(pid: int) -> list[str]:
    """The beginning of a command that runs inside the node whose process on this machine is `pid`."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return ["nsenter", f"--target={children[0]}", "--mount", "--net", "--pid"]


def cgroups_make(name: str) -> None:
    """Make the cgroup in each hierarchy. Raises SandboxError where that is not allowed."""
    for root, unified in _hierarchies():
        try:
            (root / name).mkdir(exist_ok=True)
        except OSError as error:
            raise SandboxError(f"A real node needs to make cgroups in {root}: {error}") from error
        if unified:
            for folder in (root, root / name):
                for controller in _CONTROLLERS:
                    with suppress(OSError):  # not there, or not to be had: the kubelet says what it lacks
                        (folder / "cgroup.subtree_control").write_text(f"+{controller}")
        elif (root / "cpuset.cpus").exists():
            for file in ("cpuset.cpus", "cpuset.mems"):
                (root / name / file).write_text((root / file).read_text())


def traces_remove(folder: Path) -> None:
    """Remove what an ended node leaves, however it ended: its cgroups. Its link goes by itself, soon after.

    Raises SandboxError when that takes longer than END_SECONDS.
    """
    name = identity(folder)
    where = Place(name, "10.192.0.0")
    deadline = time.monotonic() + END_SECONDS
    left = _cgroups_remove(where.cgroup)
    while left or Path(f"/sys/class/net/{where.link}").exists():
        if time.monotonic() > deadline:
            raise SandboxError(f"The real node left {left or where.link} behind, which can't be removed.")
        time.sleep(0.1)
        left = _cgroups_remove(where.cgroup)


def _cgroups_remove(name: str) -> list[str]:
    """Remove the cgroup from each hierarchy, with the processes in it; return what could not be."""
    left = []
    for root, _ in _hierarchies():
        if not (root / name).is_dir():
            continue
        for folder, _, _ in os.walk(root / name, topdown=False):
            try:
                for pid in (Path(folder) / "cgroup.procs").read_text().split():
                    with suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL)
                Path(folder).rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                left.append(folder)
    return left


def _hierarchies() -> Iterator[tuple[Path, bool]]:
    """Where cgroups are mounted, and whether it is the unified hierarchy (version 2)."""
    try:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        before, _, after = line.partition(" - ")
        kind = after.split()[0]
        if kind in ("cgroup", "cgroup2"):
            yield Path(before.split()[4]), kind == "cgroup2"


def _routes() -> Iterator[ipaddress.IPv4Network]:
    """What the machine's routes lead to, without the default one."""
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        fields = line.split()
        address, mask = (int.from_bytes(bytes.fromhex(fields[at])[::-1], "big") for at in (1, 7))
        if mask:
            yield ipaddress.IPv4Network((address, bin(mask).count("1")))
