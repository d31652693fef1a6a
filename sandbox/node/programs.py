"""The real node's programs: what is written in Go built from the modules that `go/*/go.mod` pin, the rest taken out of
Debian packages. Nothing is installed on the machine: all of it lies in the sandbox's cache.
"""

import hashlib
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox import build
from sandbox.binaries import Log, ensure_made
from sandbox.errors import SandboxError
from sandbox.versions import cache_key, pinned

HERE = Path(__file__).resolve().parent
MODULES = HERE / "go"
# What `go install tool` makes in each folder of go/, and what we call it.
BUILT: Mapping[str, Mapping[str, str]] = {
    "kubernetes": {"kubelet": "kubelet", "kube-proxy": "kube-proxy"},
    "coredns": {"coredns": "coredns"},
    "volumes": {"local-path-provisioner": "local-path-provisioner"},
    "traefik": {"traefik": "traefik"},
}
# The packages with what they need beyond what every Debian has; apt checks their signatures.
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
# What enforces NetworkPolicies, in a folder of its own: building it takes minutes, and one pod runs without.
POLICIES = "policies"
POLICY_PACKAGES = ("iptables", "ipset", "libipset13")


@dataclass(frozen=True)
class Programs:
    """Where the real node's programs are; the folder is complete when it is there."""

    folder: Path

    def built(self, program: str) -> str:
        """The path of a program built from Go modules."""
        return str(self.folder / "bin" / program)

    def debian(self, path: str) -> Path:
        """The place of what a Debian package has at `path`, such as `usr/sbin/runc`."""
        return self.folder / "debian" / path

    @property
    def image(self) -> Path:
        """The root of what the image for pods is made of."""
        return self.folder / "image"

    def environment(self, policies: Path | None = None) -> dict[str, str]:
        """A PATH and libraries with which all of them run, the packages' own first. ``policies``: the folder of what
        enforces NetworkPolicies, of which the same is true.
        """
        roots = [each / "debian" for each in (self.folder, policies) if each is not None]
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
        if policies is not None:  # iptables looks for its matches where it was to be installed
            found["XTABLES_LIBDIR"] = ":".join(
                str(path) for path in policies.glob("debian/usr/lib/*/xtables")
            )
        return found


def key() -> str:
    """The folder of the cache: another one for other modules, packages or another release of Debian."""
    digest = hashlib.sha256(repr((PACKAGES, IMAGE_PACKAGES, sorted(BUILT), _release())).encode())
    for name in sorted(BUILT):
        digest.update(cache_key(MODULES / name).encode())
    return f"node-{digest.hexdigest()[:16]}"


def ensure(log: Log, *, home: Path | None = None) -> Programs:
    """Return the programs, making them first when the cache has none. Raises SandboxError."""

    def make(folder: Path, work: Path) -> None:
        log(
            "Preparing the real node's programs, once: about 10 minutes on 2 cores, and 10 GB of disk meanwhile."
        )
        log("Downloading containerd, runc, CNI plug-ins and busybox as Debian packages …")
        _unpack(PACKAGES, folder.with_name("debian"), work / "debian")
        _unpack(IMAGE_PACKAGES, folder.with_name("image"), work / "image")
        for name, programs in BUILT.items():
            log(f"Building {' and '.join(programs.values())} from source …")
            build.install(MODULES / name, folder, work, _ldflags(name), log)

    return Programs(ensure_made(key(), make, log, home=home))


def there(home: Path) -> bool:
    """Whether the cache `home` has the programs already."""
    return (home / key()).is_dir()


def policies_key() -> str:
    """As :func:`key`, of what enforces NetworkPolicies."""
    digest = hashlib.sha256(repr((POLICY_PACKAGES, cache_key(MODULES / POLICIES), _release())).encode())
    return f"node-{POLICIES}-{digest.hexdigest()[:16]}"


def policies_there(home: Path) -> bool:
    """Whether the cache `home` has what enforces NetworkPolicies already."""
    return (home / policies_key()).is_dir()


def ensure_policies(log: Log, *, home: Path | None = None) -> Path:
    """Return the folder of what enforces NetworkPolicies: kube-router, and the commands that it runs.

    Raises SandboxError.
    """

    def make(folder: Path, work: Path) -> None:
        log("Building kube-router from source, once: about 3 minutes on 2 cores …")
        debian = folder.with_name("debian")
        _unpack(POLICY_PACKAGES, debian, work / "debian")
        for name in ("iptables", "ip6tables"):  # which the package's own scripts would have linked
            for command in (name, f"{name}-save", f"{name}-restore"):
                (debian / "usr/sbin" / command).unlink(missing_ok=True)
                (debian / "usr/sbin" / command).symlink_to("xtables-nft-multi")
        build.install(MODULES / POLICIES, folder, work, "-s -w", log)

    return ensure_made(policies_key(), make, log, home=home)


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
    _run([*apt, "download", *packages], downloads)
    root.mkdir()
    for package in sorted(downloads.glob("*.deb")):
        _run(["dpkg-deb", "--extract", str(package), str(root)], downloads)


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, env=os.environ | {"LC_ALL": "C"}, capture_output=True, text=True
    )
    if done.returncode:
        raise SandboxError(f"`{command[0]} {command[-1]}` failed:\n{(done.stderr or done.stdout)[-2000:]}")


def _ldflags(name: str) -> str:
    """As the control plane's, or a kubelet would call itself v0.0.0-master."""
    if name == "kubernetes":
        if versions()["kubernetes"] != pinned()["kubernetes"]:
            raise SandboxError("The kubelet's go.mod is of another Kubernetes than the control plane's.")
        return build.kubernetes_ldflags()
    version = f"-X github.com/traefik/traefik/v3/pkg/version.Version={versions()['traefik']}"
    return f"-s -w {version}" if name == "traefik" else "-s -w"


def versions() -> dict[str, str]:
    """What go/*/go.mod pin, by the folder's name."""
    modules = {
        "kubernetes": "k8s.io/kubernetes",
        "coredns": "github.com/coredns/coredns",
        "volumes": "github.com/rancher/local-path-provisioner",
        "traefik": "github.com/traefik/traefik/v3",
        POLICIES: "github.com/cloudnativelabs/kube-router/v2",
    }
    found = {}
    for name, module in modules.items():
        text = (MODULES / name / "go.mod").read_text()
        match = re.search(rf"^(?:require)?\s*{re.escape(module)} (v\S+)", text, re.MULTILINE)
        if match is None:
            raise SandboxError(f"go.mod of {name} does not require {module}.")
        found[name] = match[1]
    return found


def _release() -> str:
    try:
        text = Path("/etc/os-release").read_text()
    except OSError:
        return ""
    return " ".join(sorted(line for line in text.splitlines() if line.startswith(("ID=", "VERSION_ID="))))
