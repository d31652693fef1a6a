"""The programs as official releases, each checked against the checksum that its own host publishes.

No checksum is committed, so a new version needs none looked up. dl.k8s.io serves a .sha256 file beside each
program, and GitHub's API tells the digest of each release file; both are read over HTTPS.
"""

import hashlib
import json
import platform
import tarfile
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import SandboxError
from sandbox.versions import pinned

PROGRAMS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubectl",
    "kwok",
    "kwokctl",
    "metrics-server",
)
CONNECT_SECONDS = 2.0  # where these hosts can't be reached, nobody should wait for them
READ_SECONDS = 10.0
DOWNLOAD_SECONDS = 300.0


@dataclass(frozen=True)
class Hosts:
    """Where official releases are served; tests name a server of their own."""

    kubernetes: str = "https://dl.k8s.io/release"
    github_api: str = "https://api.github.com"


@dataclass(frozen=True)
class Asset:
    """A file of a release: `program` is what it becomes, `member` its name inside an archive."""

    program: str
    url: str
    sha256: str
    member: str = ""


def download(folder: Path, log: Callable[[str], None], hosts: Hosts) -> bool:
    """Put all programs into `folder`; False, and none, where that fails or there is no release for this machine."""
    try:
        assets = _assets(hosts, platform.system().lower(), platform.machine())
        for number, asset in enumerate(assets, start=1):
            log(f"Downloading {asset.program} ({number} of {len(assets)}) …")
            fetch(asset, folder / asset.program)
    except SandboxError as error:
        log(str(error))
    except (OSError, ValueError, KeyError, tarfile.TarError):
        pass  # not reached, or not as expected: the caller builds instead
    else:
        return True
    for leftover in folder.iterdir():
        leftover.unlink()
    return False


def fetch(asset: Asset, target: Path) -> None:
    """Download `asset` to `target`, executable. Raises SandboxError when its checksum is another one."""
    digest = hashlib.sha256()
    partial = target.with_name(target.name + ".partial")
    deadline = time.monotonic() + DOWNLOAD_SECONDS
    with urllib.request.urlopen(asset.url, timeout=READ_SECONDS) as answer, partial.open("wb") as out:  # noqa: S310 - our own hosts
        while chunk := answer.read(1 << 20):
            digest.update(chunk)
            out.write(chunk)
            if time.monotonic() > deadline:
                raise TimeoutError(f"{asset.url} took longer than {DOWNLOAD_SECONDS:.0f} s")
    if digest.hexdigest() != asset.sha256:
        partial.unlink()
        raise SandboxError(f"Refused {asset.url}: its SHA-256 is not the published {asset.sha256}.")
    if asset.member:
        with tarfile.open(partial) as archive:
            member = archive.extractfile(asset.member)
            if member is None:
                raise SandboxError(f"{asset.url} has no file {asset.member}.")
            target.write_bytes(member.read())
        partial.unlink()
    else:
        partial.rename(target)
    target.chmod(0o755)


def _assets(hosts: Hosts, system: str, machine: str) -> list[Asset]:
    """The files to download. Raises KeyError for a machine that has no releases, OSError when not reached."""
    here = f"{system}-{({'x86_64': 'amd64', 'aarch64': 'arm64'})[machine]}"
    if system != "linux":
        raise KeyError(system)  # Kubernetes publishes no control plane for other systems
    version = pinned()
    assets = []
    for program in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"):
        url = f"{hosts.kubernetes}/{version['kubernetes']}/bin/{here.replace('-', '/')}/{program}"
        assets.append(Asset(program, url, _get(f"{url}.sha256").decode().split()[0]))
    etcd = f"etcd-{version['etcd']}-{here}"
    files = {
        f"etcd-io/etcd/releases/tags/{version['etcd']}": {f"{etcd}.tar.gz": "etcd"},
        f"kubernetes-sigs/kwok/releases/tags/{version['kwok']}": {
            f"kwok-{here}": "kwok",
            f"kwokctl-{here}": "kwokctl",
        },
        f"kubernetes-sigs/metrics-server/releases/tags/{version['metrics-server']}": {
            f"metrics-server-{here}": "metrics-server"
        },
    }
    for release, programs in files.items():
        published = {
            item["name"]: item for item in json.loads(_get(f"{hosts.github_api}/repos/{release}"))["assets"]
        }
        for name, program in programs.items():
            algorithm, _, digest = str(published[name]["digest"]).partition(":")
            if algorithm != "sha256":
                raise ValueError(f"no SHA-256 is published for {name}")
            member = f"{etcd}/etcd" if program == "etcd" else ""
            assets.append(Asset(program, published[name]["browser_download_url"], digest, member))
    return assets


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=CONNECT_SECONDS) as answer:  # noqa: S310 - our own hosts
        content: bytes = answer.read(1 << 22)
    return content
