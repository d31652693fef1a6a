"""Downloading releases, from a server of the test's own."""

import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from sandbox import SandboxError, binaries, releases
from sandbox.releases import PROGRAMS, Asset, Hosts
from sandbox.versions import pinned


class Files(BaseHTTPRequestHandler):
    """Serves what a test has put into `content`, by path."""

    content: ClassVar[dict[str, bytes]] = {}

    def do_GET(self) -> None:
        body = self.content.get(self.path)
        self.send_response(404 if body is None else 200)
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: object) -> None:
        """Tests stay quiet."""


@pytest.fixture
def server() -> Iterator[str]:
    Files.content = {}
    httpd = HTTPServer(("127.0.0.1", 0), Files)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def publish(server: str, monkeypatch: pytest.MonkeyPatch) -> Hosts:
    """All releases for Linux on x86_64, each program's content being its own name."""
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    version = pinned()
    for program in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"):
        path = f"/k8s/{version['kubernetes']}/bin/linux/amd64/{program}"
        Files.content |= {path: program.encode(), f"{path}.sha256": sha256(program.encode()).encode()}
    archive, name = io.BytesIO(), f"etcd-{version['etcd']}-linux-amd64"
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        member = tarfile.TarInfo(f"{name}/etcd")
        member.size = 4
        tar.addfile(member, io.BytesIO(b"etcd"))
    for repository, files in {
        "etcd-io/etcd": {f"{name}.tar.gz": archive.getvalue()},
        "kubernetes-sigs/kwok": {"kwok-linux-amd64": b"kwok", "kwokctl-linux-amd64": b"kwokctl"},
        "kubernetes-sigs/metrics-server": {"metrics-server-linux-amd64": b"metrics-server"},
    }.items():
        tag = version[repository.split("/")[1]]
        assets = [
            {
                "name": file,
                "digest": f"sha256:{sha256(body)}",
                "browser_download_url": f"{server}/files/{file}",
            }
            for file, body in files.items()
        ]
        Files.content |= {f"/files/{file}": body for file, body in files.items()}
        Files.content[f"/api/repos/{repository}/releases/tags/{tag}"] = json.dumps(
            {"assets": assets}
        ).encode()
    return Hosts(kubernetes=f"{server}/k8s", github_api=f"{server}/api")


def test_all_programs_are_downloaded_and_executable(tmp_path: Path, publish: Hosts) -> None:
    assert releases.download(tmp_path, print, publish)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(PROGRAMS)
    for program in PROGRAMS:
        assert (tmp_path / program).read_text() == program
        assert (tmp_path / program).stat().st_mode & 0o111


def test_a_file_with_another_checksum_is_refused(tmp_path: Path, server: str) -> None:
    Files.content["/kwok"] = b"something else"
    with pytest.raises(SandboxError, match="Refused"):
        releases.fetch(Asset("kwok", f"{server}/kwok", sha256(b"kwok")), tmp_path / "kwok")
    assert list(tmp_path.iterdir()) == []


def test_one_refused_file_leaves_none_of_the_others(tmp_path: Path, publish: Hosts) -> None:
    Files.content["/files/kwok-linux-amd64"] = b"tampered"
    said: list[str] = []
    assert not releases.download(tmp_path, said.append, publish)
    assert any("Refused" in line for line in said)
    assert list(tmp_path.iterdir()) == []


def test_a_release_without_a_published_checksum_is_not_used(tmp_path: Path, publish: Hosts) -> None:
    path = f"/api/repos/kubernetes-sigs/kwok/releases/tags/{pinned()['kwok']}"
    Files.content[path] = Files.content[path].replace(b"sha256:", b"md5:")
    assert not releases.download(tmp_path, print, publish)


def test_hosts_that_do_not_answer_are_passed_over_quietly(tmp_path: Path) -> None:
    said: list[str] = []
    nobody = Hosts(kubernetes="http://127.0.0.1:1", github_api="http://127.0.0.1:1")
    assert not releases.download(tmp_path, said.append, nobody)
    assert said == []


def test_a_system_without_releases_asks_nobody(
    tmp_path: Path, publish: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    assert not releases.download(tmp_path, print, publish)


def test_what_is_downloaded_once_is_found_in_the_cache(tmp_path: Path, publish: Hosts) -> None:
    first = binaries.ensure(print, home=tmp_path, hosts=publish)
    Files.content = {}
    assert binaries.ensure(print, home=tmp_path, hosts=publish) == first
    assert first.path("kubectl").read_text() == "kubectl"
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == [first.folder.name]


def test_what_a_killed_build_left_is_removed(tmp_path: Path, publish: Hosts) -> None:
    leftover = tmp_path / "making-abc" / "modules"
    leftover.mkdir(parents=True)
    leftover.chmod(0o500)
    binaries.ensure(print, home=tmp_path, hosts=publish)
    assert not leftover.parent.exists()
