"""The real node's programs: what is written in Go built from the modules that `go/*/go.mod` pin, the rest taken out of
Debian packages. Nothing is installed on the machine: all of it lies in the sandbox's cache.
"""

import hashlib
import os
import platform
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox import build
from sandbox.binaries import Log, Make, control_plane, ensure_made
from sandbox.errors import SandboxError
from sandbox.versions import cache_key, pinned

HERE = Path(__file__).resolve().parent
MODULES = HERE / "go"
# What `go install tool` makes in each folder of go/: without the first no pod runs, the others serve those that run.
KUBERNETES = "kubernetes"
ADDED: Mapping[str, str] = {
    "coredns": "CoreDNS",
    "volumes": "local-path-provisioner",
    "traefik": "Traefik",
    "policies": "kube-router",
}
# The packages with what they need beyond what every Debian has; apt checks their signatures. A release of Debian keeps
# to one version of each and mends it, and its mirrors keep the last mended one only: so the version is what is pinned,
# for the release that all this was tried on. Elsewhere it is what the release has.
PINNED: Mapping[str, Mapping[str, str]] = {
    "12": {
        "containerd": "1.6.20*",
        "runc": "1.1.5*",
        "containernetworking-plugins": "1.1.1*",
        "nftables": "1.0.6*",
        "iproute2": "6.1.0*",
        "busybox": "1:1.35.0*",
        "iptables": "1.8.9*",
        "ipset": "7.17*",
    }
}
PACKAGES = (
    "containerd",
    "runc",
    "libseccomp2",
    "containernetworking-plugins",
    "nftables",
    "libnftables1",
    "libnftnl11",
    "libmnl0",
    "libxtables12",
    "libjansson4",
    "libgmp10",
    "libedit2",
    "libbsd0",
    "libmd0",
    "libtinfo6",
    "iproute2",
    "libbpf1",
    "libelf1",
)
# What the image for pods is made of, apart from those: here is another C library than the machine may have.
IMAGE_PACKAGES = ("busybox", "libc6")
ADDED_PACKAGES = ("iptables", "ipset", "libipset13")  # kube-router runs their commands


@dataclass(frozen=True)
class Programs:
    """Where the real node's programs are; a folder is complete when it is there. ``added``: that of cluster DNS, volumes,
    the ingress controller and what enforces NetworkPolicies; None on a node that has none of these.
    """

    folder: Path
    added: Path | None = None

    def built(self, program: str) -> str:
        """The path of kubelet or kube-proxy."""
        return str(self.folder / "bin" / program)

    def debian(self, path: str) -> Path:
        """The place of what a Debian package has at `path`, such as `usr/sbin/runc`."""
        return self.folder / "debian" / path

    @property
    def image(self) -> Path:
        """The root of what the image for pods is made of."""
        return self.folder / "image"

    def environment(self) -> dict[str, str]:
        """A PATH and libraries with which all of them run, the packages' own first."""
        roots = [each / "debian" for each in (self.folder, self.added) if each is not None]
        folders = [str(root / each) for root in roots for each in ("usr/sbin", "usr/bin", "sbin", "bin")]
        libraries = [
            str(path)
            for root in roots
            for place in ("usr/lib", "lib")
            for path in root.glob(f"{place}/*-linux-*")
        ]
        found = {
            "PATH": ":".join([*folders, "/usr/sbin", "/usr/bin", "/sbin", "/bin"]),
            "LD_LIBRARY_PATH": ":".join(libraries),
        }
        if self.added is not None:  # iptables looks for its matches where it was to be installed
            found["XTABLES_LIBDIR"] = ":".join(
                str(path) for path in self.added.glob("debian/usr/lib/*/xtables")
            )
        return found


def key() -> str:
    """The folder of the cache: another one for other modules, packages, versions or another release of Debian."""
    return f"node-{_digest((*PACKAGES, *IMAGE_PACKAGES), [KUBERNETES])}"


def added_key() -> str:
    """As :func:`key`, of ``Programs.added``."""
    return f"node-added-{_digest(ADDED_PACKAGES, ADDED)}"


def _digest(packages: Sequence[str], modules: Iterable[str]) -> str:
    digest = hashlib.sha256(repr((_pinned(packages), _release())).encode())
    for name in modules:
        digest.update(cache_key(MODULES / name).encode())
    return digest.hexdigest()[:16]


def ensure(log: Log, *, bare: bool = False, home: Path | None = None) -> Programs:
    """Return the programs, making them first when the cache has none; those of a ``bare`` node are less to build.

    Raises SandboxError.
    """
    wanted = {key(): _make(log)} | ({} if bare else {added_key(): _make_added(log)})
    folder, *added = ensure_made(wanted, log, home=home)
    return Programs(folder, added[0] if added else None)


def ensure_with_control_plane(log: Log, *, home: Path | None = None) -> None:
    """Both the control plane's programs and a bare node's: most of what is compiled for one is part of the other.

    Raises SandboxError.
    """
    ensure_made({cache_key(): control_plane(log), key(): _make(log)}, log, home=home)


def _make(log: Log) -> Make:
    def make(folder: Path, work: Path) -> None:
        log(
            "Preparing kubelet, containerd and runc, once: up to 6 minutes on 2 cores, 5 GB of disk meanwhile."
        )
        if _release().get("VERSION_ID") not in PINNED:
            log("This is another Debian than the one that they were tried on: its own versions are taken.")
        _unpack(PACKAGES, folder.with_name("debian"), work / "packages")
        _unpack(IMAGE_PACKAGES, folder.with_name("image"), work / "image-packages")
        log("Building kubelet and kube-proxy from source …")
        if versions()[KUBERNETES] != pinned()[KUBERNETES]:
            raise SandboxError("The kubelet's go.mod is of another Kubernetes than the control plane's.")
        # Without these a kubelet would call itself v0.0.0-master.
        build.install(MODULES / KUBERNETES, folder, work, build.kubernetes_ldflags(), log)

    return make


def _make_added(log: Log) -> Make:
    def make(folder: Path, work: Path) -> None:
        log(
            "Preparing what serves pods on the node, once: about 9 minutes on 2 cores, 10 GB of disk meanwhile."
        )
        debian = folder.with_name("debian")
        _unpack(ADDED_PACKAGES, debian, work / "added-packages")
        for name in ("iptables", "ip6tables"):  # which the package's own scripts would have linked
            for command in (name, f"{name}-save", f"{name}-restore"):
                (debian / "usr/sbin" / command).unlink(missing_ok=True)
                (debian / "usr/sbin" / command).symlink_to("xtables-nft-multi")
        for name, program in ADDED.items():
            log(f"Building {program} from source …")
            build.install(MODULES / name, folder, work, _ldflags(name), log)

    return make


def complete(home: Path) -> bool:
    """Whether the cache `home` has all of the programs already."""
    return (home / key()).is_dir() and (home / added_key()).is_dir()


def _unpack(packages: Sequence[str], root: Path, downloads: Path) -> None:
    """Unpack the packages into `root`, with package lists of our own, so that the machine's stay as they are."""
    for folder in ("lists/partial", "archives/partial"):
        (downloads / folder).mkdir(parents=True)
    apt = [
        "apt-get", "-qq",
        "-o", f"Dir::State::lists={downloads / 'lists'}",
        "-o", f"Dir::Cache={downloads}",
        "-o", "APT::Sandbox::User=root",
        "-o", "Acquire::Retries=3",
    ]  # fmt: skip
    _run([*apt, "update"], downloads)
    _run([*apt, "download", *_pinned(packages)], downloads)
    root.mkdir()
    for package in sorted(downloads.glob("*.deb")):
        _run(["dpkg-deb", "--extract", str(package), str(root)], downloads)


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, env=os.environ | {"LC_ALL": "C"}, capture_output=True, text=True
    )
    if done.returncode:
        raise SandboxError(f"`{command[0]} {command[-1]}` failed:\n{(done.stderr or done.stdout)[-2000:]}")


def _pinned(packages: Sequence[str]) -> list[str]:
    """The packages as apt is asked for them: each with its version, where it is pinned."""
    versions = PINNED.get(_release().get("VERSION_ID", ""), {})
    return [f"{name}={versions[name]}" if name in versions else name for name in packages]


def _ldflags(name: str) -> str:
    version = f"-X github.com/traefik/traefik/v3/pkg/version.Version={versions()['traefik']}"
    return f"-s -w {version}" if name == "traefik" else "-s -w"


def versions() -> dict[str, str]:
    """What go/*/go.mod pin, by the folder's name."""
    modules = {
        KUBERNETES: "k8s.io/kubernetes",
        "coredns": "github.com/coredns/coredns",
        "volumes": "github.com/rancher/local-path-provisioner",
        "traefik": "github.com/traefik/traefik/v3",
        "policies": "github.com/cloudnativelabs/kube-router/v2",
    }
    found = {}
    for name, module in modules.items():
        text = (MODULES / name / "go.mod").read_text()
        match = re.search(rf"^(?:require)?\s*{re.escape(module)} (v\S+)", text, re.MULTILINE)
        if match is None:
            raise SandboxError(f"go.mod of {name} does not require {module}.")
        found[name] = match[1]
    return found


def _release() -> dict[str, str]:
    """The distribution and its release, as /etc/os-release names them."""
    try:
        found = platform.freedesktop_os_release()
    except OSError:
        return {}
    return {name: found[name] for name in ("ID", "VERSION_ID") if name in found}
