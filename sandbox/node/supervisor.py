"""Runs a real node: `python -m sandbox.node.supervisor <folder>/`, started and stopped by `Sandbox`.

One process stays on the machine and passes connections on from the node to the API server. Its child is the first
process of namespaces for mounts, processes and the network; all that belongs to the node runs in these. When either
ends, even by SIGKILL, the kernel ends every process in there, and mounts, interfaces, routes and firewall rules go with
them.
"""

import asyncio
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sandbox.node import config, images
from sandbox.node.machine import LOGS, PID_FILE, Place, cgroups_make, traces_remove
from sandbox.node.programs import Programs

READY_SECONDS = 60.0
AGAIN_SECONDS = 1.0

_CLONE_NEWNS, _CLONE_NEWPID, _CLONE_NEWNET = 0x00020000, 0x20000000, 0x40000000
_MS_BIND, _MS_REC, _MS_PRIVATE, _MS_SHARED = 0x1000, 0x4000, 1 << 18, 1 << 20
_PR_SET_PDEATHSIG = 1
# A kubelet sets these for the whole machine. It finds them as it wants them instead, and the machine stays as it is.
_KERNEL = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}

_libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    folder = Path(sys.argv[1])
    settings = json.loads((folder / "node" / "settings.json").read_text())
    node = Node(
        folder=folder,
        programs=Programs(Path(settings["programs"]), Path(settings["added"]) if settings["added"] else None),
        place=Place(settings["name"], settings["network"]),
        api_port=settings["api_port"],
    )
    (folder / PID_FILE).write_text(str(os.getpid()))
    node.run()


@dataclass(frozen=True)
class Node:
    """A real node. `folder` is its sandbox's, `api_port` where the API server listens on 127.0.0.1."""

    folder: Path
    programs: Programs
    place: Place
    api_port: int

    def run(self) -> None:
        """Run until SIGTERM, or until the node ends."""
        traces_remove(self.folder)
        cgroups_make(self.place.cgroup)
        cgroups_make(self.place.second_cgroup)
        ours = os.open("/proc/self/ns/net", os.O_RDONLY)
        _unshare(_CLONE_NEWNET)
        inner = os.open("/proc/self/ns/net", os.O_RDONLY)
        # Made in there and used out here: what the node says to this port, at any of its addresses, comes to us.
        listener = socket.create_server(("0.0.0.0", self.api_port))  # noqa: S104 - the node's own network
        _setns(ours)
        self._link(inner)
        # From here on no thread may be started: it would have to be in the new namespace.
        _unshare(_CLONE_NEWPID)
        child = os.fork()
        if child == 0:
            listener.close()
            try:
                _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
                _setns(inner)
                Init(self).run()
            except BaseException as error:
                print(f"{type(error).__name__}: {error}", flush=True)
                raise
            finally:
                os._exit(1)
        os.close(inner)
        try:
            asyncio.run(_pass_on(listener, self.api_port, child))
        finally:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(child, 0)  # returns once every process of the namespace has ended
            listener.close()
            traces_remove(self.folder)
            (self.folder / PID_FILE).unlink(missing_ok=True)

    def _link(self, namespace: int) -> None:
        """Two interfaces that are a cable: one end here, the other in the node."""
        place = self.place
        inner = f"/proc/{os.getpid()}/fd/{namespace}"
        for words in (
            f"link add {place.link} type veth peer name eth0 netns {inner}",
            f"address add {place.gateway}/30 dev {place.link}",
            f"link set {place.link} up",
        ):
            self.ip(words)
        enter = ["nsenter", f"--net={inner}"]
        for words in (
            "link set lo up",
            f"address add {place.address}/30 dev eth0",
            "link set eth0 up",
            f"route add default via {place.gateway}",
        ):
            self.ip(words, enter)
        # So that the API server reaches pods, for `kubectl port-forward`'s elder brother, the proxy.
        self.ip(f"route add {place.pods} via {place.address}")

    def ip(self, words: str, enter: Sequence[str] = ()) -> None:
        subprocess.run([*enter, "ip", *words.split()], env=self.programs.environment(), check=True)


async def _pass_on(listener: socket.socket, port: int, child: int) -> None:
    """Pass connections on to the API server until the child ends or SIGTERM comes."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(os.pidfd_open(child), ended.set)
    loop.add_signal_handler(signal.SIGTERM, ended.set)

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()
        except OSError:
            writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            onward = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.close()
            return
        try:
            await asyncio.gather(copy(reader, onward[1]), copy(onward[0], writer))
        except asyncio.CancelledError:
            pass  # we end
        finally:
            writer.close()
            onward[1].close()

    await asyncio.start_server(accept, sock=listener)
    await ended.wait()


class Init:
    """The first process of the node: sets up what it needs, starts its programs, and starts again those that end."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._running: dict[int, str] = {}
        self._again: dict[str, float] = {}
        self._environment = node.programs.environment() | {
            "HOME": str(node.folder / "node"),
            "KUBECONFIG": str(node.folder / "kubeconfig"),
        }
        self._commands = config.commands(node.programs, node.folder, node.place)

    def run(self) -> None:
        os.chdir("/")
        self._mount()
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        node = self._node
        for name, content in config.files(node.programs, node.folder, node.place).items():
            (config.HERE / name).parent.mkdir(exist_ok=True)
            (config.HERE / name).write_text(content)
        resolver = Path("/etc/resolv.conf").resolve()
        if resolver.exists():
            _mount(str(config.HERE / "resolv.conf"), str(resolver), flags=_MS_BIND)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        containerds = config.containerds()
        for name in containerds:
            self._start(name)
        self._import([each.socket for each in containerds.values()])
        for name in self._commands.keys() - containerds.keys():
            self._start(name)
        while True:
            signal.sigtimedwait({signal.SIGCHLD}, AGAIN_SECONDS)
            self._reap()
            for name, when in list(self._again.items()):
                if time.monotonic() >= when:
                    del self._again[name]
                    self._start(name)

    def _mount(self) -> None:
        """A view of the machine in which the node writes only below the sandbox's folder, and into memory."""
        _unshare(_CLONE_NEWNS)
        _mount("none", "/", flags=_MS_REC | _MS_PRIVATE)
        _mount("proc", "/proc", kind="proc")
        folder = self._node.folder / "node"
        for name in ("lib", "log"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        # What networks of pods there were ended with the namespace: nothing may remember them.
        shutil.rmtree(folder / "lib" / "cni", ignore_errors=True)
        _mount("tmpfs", "/run", kind="tmpfs", data="mode=755")
        config.HERE.mkdir()
        for target in ("lib", "log"):
            _mount(str(folder / target), f"/var/{target}", flags=_MS_BIND)
        for name, value in _KERNEL.items():
            path = Path("/proc/sys", name)
            if path.exists() and path.read_text().strip() != value:
                stand_in = config.HERE / name.replace("/", ".")
                stand_in.write_text(value)
                _mount(str(stand_in), str(path), flags=_MS_BIND)
        _mount(
            "none", "/", flags=_MS_REC | _MS_SHARED
        )  # as a kubelet wants it, for volumes that are mounted later

    def _import(self, sockets: Sequence[str]) -> None:
        """The images into each containerd, which keeps them over a restart: again does no harm."""
        archive = config.HERE / "images.tar"
        images.write(self._node.programs, archive)
        command = [str(self._node.programs.debian("usr/bin/ctr")), "--namespace", "k8s.io"]
        until = time.monotonic() + READY_SECONDS
        for socket_path in sockets:
            words = [*command, "--address", socket_path, "images", "import", str(archive)]
            while os.waitstatus_to_exitcode(os.waitpid(self._spawn(words, "images"), 0)[1]):
                if time.monotonic() > until:
                    raise RuntimeError("containerd does not take images; see its log")
                time.sleep(0.2)
        archive.unlink()

    def _start(self, name: str) -> None:
        self._running[self._spawn(self._commands[name], name)] = name

    def _spawn(self, command: list[str], log: str) -> int:
        path = str(self._node.folder / LOGS / f"{log}.log")
        return os.posix_spawn(
            command[0],
            command,
            self._environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setpgroup=0,
            setsigmask=[],
        )

    def _reap(self) -> None:
        """Everybody's orphans are ours."""
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                name = self._running.pop(ended[0], None)
                if name is not None:
                    print(f"{name} ended ({os.waitstatus_to_exitcode(ended[1])}); again", flush=True)
                    self._again[name] = time.monotonic() + AGAIN_SECONDS


def _unshare(flags: int) -> None:
    _check(_libc.unshare(flags), "unshare")


def _setns(namespace: int) -> None:
    _check(_libc.setns(namespace, 0), "setns")


def _mount(source: str, target: str, *, kind: str = "none", flags: int = 0, data: str = "") -> None:
    done = _libc.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), data.encode())
    _check(done, f"mount {target}")


def _check(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


if __name__ == "__main__":
    main()
