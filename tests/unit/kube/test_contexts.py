"""The contexts of a running dashboard: parsed once per change, and told apart by what they connect to."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from dashboard.errors import BadInput
from dashboard.kube.config import Cluster, Contexts, Endpoint, load_clusters

from .test_config import kubeconfig

CA, OTHER_CA = b"-----BEGIN CERTIFICATE-----\nsandbox\n", b"-----BEGIN CERTIFICATE-----\nother\n"
SANDBOX = Endpoint("https://127.0.0.1:6443", CA)


class Counted:
    """Contexts of a KUBECONFIG, with the number of parses."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *paths: Path) -> None:
        self.parses = 0
        self.environ = {"KUBECONFIG": os.pathsep.join(map(str, paths))}
        self.contexts = Contexts()
        real = yaml.load

        def load(*given: Any) -> Any:
            self.parses += 1
            return real(*given)

        monkeypatch.setattr("dashboard.kube.config.yaml.load", load)

    def load(self) -> tuple[Cluster, ...]:
        return self.contexts.load(environ=self.environ, sandbox_kubeconfig=None)

    @property
    def names(self) -> list[str]:
        return [each.name for each in self.load()]


@pytest.mark.parametrize("many", [50, 200])
def test_a_file_is_parsed_once_however_often_its_contexts_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    path = kubeconfig(tmp_path / "config", *(f"c{at}" for at in range(many)))
    counted = Counted(monkeypatch, path)
    first = counted.load()
    assert len(first) == many
    for _ in range(100):
        assert counted.load() is first
    assert counted.parses == 1


def test_what_changed_is_parsed_again_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = kubeconfig(tmp_path / "one", "aa"), tmp_path / "two"
    counted = Counted(monkeypatch, one, two)
    assert counted.names == ["aa"]
    kubeconfig(two, "bb")  # appears
    assert (counted.names, counted.parses) == (["aa", "bb"], 2)
    kubeconfig(one, "cc")  # the same length, and within the same tick of the clock
    assert (counted.names, counted.parses) == (["cc", "bb"], 3)
    kubeconfig(tmp_path / "new", "dd").replace(one)  # renamed over it
    assert (counted.names, counted.parses) == (["dd", "bb"], 4)
    os.utime(one, ns=(1, 1))  # touched, and still the same
    assert (counted.names, counted.parses) == (["dd", "bb"], 4)
    two.unlink()
    assert (counted.names, counted.parses) == (["dd"], 4)
    counted.environ = {"KUBECONFIG": str(tmp_path / "none")}
    with pytest.raises(BadInput, match="names no existing file"):
        counted.load()


def test_a_linked_file_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("first", "second"):
        kubeconfig(tmp_path / name / "config", name)
    link = tmp_path / "current"
    link.symlink_to(tmp_path / "first")
    counted = Counted(monkeypatch, link / "config")
    assert counted.names == ["first"]
    link.unlink()
    link.symlink_to(tmp_path / "second")  # as a mounted ConfigMap or Secret changes
    assert counted.names == ["second"]


def test_a_broken_file_is_parsed_once_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config"
    path.write_text("token: 'canary-token\n  x: [")
    counted = Counted(monkeypatch, path)
    said = set()
    for _ in range(20):
        with pytest.raises(BadInput, match="is not YAML") as caught:
            counted.load()
        said.add(caught.value.message)
        assert caught.value.field == "KUBECONFIG"
        assert "canary" not in repr(caught.value)
    assert (counted.parses, len(said)) == (1, 1)
    kubeconfig(path, "mended")
    assert counted.names == ["mended"]


def test_a_file_that_may_not_be_read_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config"
    path.mkdir()
    counted = Counted(monkeypatch, path)
    with pytest.raises(BadInput, match="cannot be read"):
        counted.load()
    path.rmdir()
    kubeconfig(path, "a")
    assert counted.names == ["a"]


def test_a_context_without_a_name_has_no_address_and_is_left_out(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config", "", "a")
    (found,) = load_clusters(environ={"KUBECONFIG": str(path)}, sandbox_kubeconfig=None)
    assert found.name == "a"


# What is the sandbox


def context_at(path: Path, **cluster: Any) -> Cluster:
    entry = {
        "server": SANDBOX.server,
        "certificate-authority-data": base64.b64encode(CA).decode(),
        **cluster,
    }
    kubeconfig(path, "x", clusters=[{"name": "x", "cluster": {k: v for k, v in entry.items() if v}}])
    (found,) = load_clusters(environ={"KUBECONFIG": str(path)}, sandbox_kubeconfig=path, sandbox=SANDBOX)
    return found


def test_the_sandbox_is_known_by_server_and_authority_from_whatever_file(tmp_path: Path) -> None:
    assert context_at(tmp_path / "merged").is_sandbox
    (tmp_path / "ca.crt").write_bytes(CA + b"\n")
    by_file = {"certificate-authority-data": "", "certificate-authority": "ca.crt"}
    assert context_at(tmp_path / "copy", server=f"{SANDBOX.server}/", **by_file).is_sandbox


@pytest.mark.parametrize(
    "cluster",
    [
        {"server": "https://prod.example:6443"},
        {"server": "https://127.0.0.1:6444"},
        {"server": "http://127.0.0.1:6443"},
        {"server": ""},
        {"certificate-authority-data": base64.b64encode(OTHER_CA).decode()},
        {"certificate-authority-data": ""},
        {"certificate-authority-data": "no base64"},
        {"certificate-authority-data": "", "certificate-authority": "/nowhere/ca.crt"},
        {"insecure-skip-tls-verify": True},
        {"proxy-url": "http://127.0.0.1:3128"},
        {"tls-server-name": "prod.example"},
    ],
)
def test_a_context_that_leads_elsewhere_is_not_the_sandbox_though_it_stands_in_its_file(
    tmp_path: Path, cluster: dict[str, Any]
) -> None:
    assert not context_at(tmp_path / "sandbox", **cluster).is_sandbox


def test_an_authority_file_that_is_replaced_ends_it(tmp_path: Path) -> None:
    authority = tmp_path / "ca.crt"
    authority.write_bytes(CA)
    entry = {"server": SANDBOX.server, "certificate-authority": "ca.crt"}
    path = kubeconfig(tmp_path / "config", "x", clusters=[{"name": "x", "cluster": entry}])
    contexts = Contexts()

    def is_sandbox() -> bool:
        (found,) = contexts.load(environ={"KUBECONFIG": str(path)}, sandbox_kubeconfig=None, sandbox=SANDBOX)
        return found.is_sandbox

    assert is_sandbox()
    authority.write_bytes(OTHER_CA)
    assert not is_sandbox()


def test_where_only_its_kubeconfig_is_known_the_sandbox_is_what_that_names(tmp_path: Path) -> None:
    own = kubeconfig(tmp_path / "sandbox.yaml", "sandbox")
    prod = {"server": "https://prod.example:6443"}
    both = kubeconfig(tmp_path / "both", "sandbox", "prod", clusters=[
        {"name": "sandbox", "cluster": {"server": "https://sandbox/sandbox"}}, {"name": "prod", "cluster": prod},
    ])  # fmt: skip
    found = load_clusters(environ={"KUBECONFIG": str(both)}, sandbox_kubeconfig=own)
    assert {each.name: each.is_sandbox for each in found} == {"sandbox": True, "prod": False}
