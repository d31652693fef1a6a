"""The real node, as far as it can be told without one."""

from __future__ import annotations

import ipaddress
import json
import os
import re
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox import Sandbox, SandboxError
from sandbox.binaries import Binaries
from sandbox.node import config, images, machine, programs
from sandbox.node.programs import Programs
from sandbox.versions import HERE, pinned
from tests.kubeconfigs import issued

PORTS = dict.fromkeys(
    (
        "etcdPort", "etcdPeerPort", "kubeApiserverPort", "kubeControllerManagerPort", "kubeSchedulerPort",
        "kwokControllerPort", "metricsServerPort",
    ),
    1,
)  # fmt: skip


def arguments(sandbox: Sandbox) -> dict[str, dict[str, str]]:
    """What the programs are told besides kwokctl's own arguments."""
    state = {"ports": PORTS, "network": "10.200.1.0"}
    told = next(yaml.safe_load_all(sandbox._config(state, Binaries(Path("/programs")))))
    patches = told["componentsPatches"]
    return {each["name"]: {one["key"]: one["value"] for one in each["extraArgs"]} for each in patches}


def test_a_sandbox_without_one_is_told_nothing_of_it(tmp_path: Path) -> None:
    told = arguments(Sandbox("a", tmp_path))
    assert told["kube-apiserver"] == {"kubelet-preferred-address-types": "InternalIP"}
    assert not [key for key in told["kwok-controller"] if key.startswith("manage")]


def test_kwok_keeps_to_its_own_nodes_beside_one(tmp_path: Path) -> None:
    told = arguments(Sandbox("a", tmp_path, real_node=True))
    assert told["kwok-controller"]["manage-all-nodes"] == "false"
    assert told["kwok-controller"]["manage-nodes-with-annotation-selector"] == "kwok.x-k8s.io/node=fake"
    assert told["kube-apiserver"]["advertise-address"] == "10.200.1.254"


def test_a_certificate_from_before_it_is_made_anew(tmp_path: Path) -> None:
    """Pods verify the API server by the address of its Service; a sandbox that had no pods that run lacks it."""
    sandbox = Sandbox("a", tmp_path, real_node=True)
    assert sandbox._certified_for("10.0.0.1"), "there is none yet, and the first will have it"
    pki = sandbox._workdir / "pki"
    pki.mkdir(parents=True)
    (pki / "admin.crt").write_bytes(issued("kwok-admin").certificate)
    assert sandbox._certified_for("127.0.0.1")
    assert not sandbox._certified_for("10.0.0.1")


def test_it_stays_until_it_is_given_up(tmp_path: Path) -> None:
    sandbox = Sandbox("a", tmp_path, real_node=True)
    sandbox._save({"real_node": sandbox.real_node})
    assert Sandbox("a", tmp_path).real_node
    assert not Sandbox("a", tmp_path, real_node=False).real_node
    assert not Sandbox("b", tmp_path).real_node


def test_where_it_cannot_be_it_says_why_and_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(SandboxError, match="needs Linux"):
        Sandbox("a", tmp_path, real_node=True).up()
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SandboxError, match="needs root"):
        Sandbox("a", tmp_path, real_node=True).up()
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("where", "missing", "why"),
    [
        (machine.shutil, {"which": lambda _: None}, "Debian packages"),
        (machine, {"_hierarchies": lambda: iter(())}, "needs cgroups"),
        (machine.os, {"access": lambda *_: False}, "/dev/kmsg"),
    ],
)
def test_each_thing_that_the_machine_lacks_is_named(
    where: Any, missing: dict[str, Any], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine.sys, "platform", "linux")
    monkeypatch.setattr(machine.os, "geteuid", lambda: 0)
    monkeypatch.setattr(machine.shutil, "which", lambda program: f"/usr/bin/{program}")
    monkeypatch.setattr(machine, "_hierarchies", lambda: iter([(Path("/sys/fs/cgroup"), True)]))
    monkeypatch.setattr(machine.os, "access", lambda *_: True)
    assert machine.impossible() == ""
    for name, replaced in missing.items():
        monkeypatch.setattr(where, name, replaced)
    assert why in machine.impossible()


def test_it_takes_a_network_that_no_route_leads_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_routes", lambda: [])
    free = machine.place(tmp_path, None)
    assert ipaddress.ip_address(free.address) in ipaddress.ip_network("10.192.0.0/10")
    assert ipaddress.ip_address(free.address) not in ipaddress.ip_network(free.pods)
    taken = [ipaddress.IPv4Network(f"{free.network}/20", strict=False)]
    monkeypatch.setattr(machine, "_routes", lambda: taken)
    other = machine.place(tmp_path, None)
    assert ipaddress.ip_address(other.network) not in taken[0]
    assert machine.place(tmp_path, free.network) == free, "where it was it stays"
    assert len(free.link) <= 15
    monkeypatch.setattr(machine, "_routes", lambda: [ipaddress.IPv4Network("10.0.0.0/8")])
    with pytest.raises(SandboxError, match="none left"):
        machine.place(tmp_path, None)


def test_two_sandboxes_have_names_of_their_own() -> None:
    assert machine.identity(Path("/a/x")) != machine.identity(Path("/b/x"))


def test_its_versions_are_pinned_and_fit_the_control_plane() -> None:
    found = programs.versions()
    assert found["kubernetes"] == pinned()["kubernetes"]
    readme = (HERE / "README.md").read_text()
    assert all(version in readme for version in found.values())
    for name, version in programs.PINNED["12"].items():
        told = "CNI plug-ins" if name.startswith("containernetworking") else name
        assert re.search(
            rf"{told} {re.escape(version.partition(':')[2].rstrip('*') or version.rstrip('*'))}\b", readme
        )


def test_what_serves_pods_runs_unless_it_is_bare(tmp_path: Path) -> None:
    where = machine.Place("0123456789", "10.200.1.0")
    bare = config.commands(Programs(tmp_path), tmp_path, where)
    full = config.commands(Programs(tmp_path, tmp_path / "added"), tmp_path, where)
    assert full.keys() - bare.keys() == {"coredns", "local-path-provisioner", "traefik", "kube-router"}
    for name in full.keys() - bare.keys():
        assert full[name][0] == str(tmp_path / "added" / "bin" / name)
    enforced = {"--run-firewall=true", "--run-router=false", "--run-service-proxy=false"}
    assert enforced < set(full["kube-router"])


def test_its_programs_find_what_is_added_after_their_own(tmp_path: Path) -> None:
    for folder in ("own/debian/usr/lib/x86_64-linux-gnu", "added/debian/usr/lib/x86_64-linux-gnu/xtables"):
        (tmp_path / folder).mkdir(parents=True)
    alone = Programs(tmp_path / "own").environment()
    both = Programs(tmp_path / "own", tmp_path / "added").environment()
    assert "added" not in str(alone)
    first, second = both["LD_LIBRARY_PATH"].split(":")
    assert first == alone["LD_LIBRARY_PATH"] and "added" in second
    assert both["XTABLES_LIBDIR"] == f"{second}/xtables"


@pytest.mark.parametrize("changed", ["PACKAGES", "ADDED_PACKAGES"])
def test_other_packages_are_kept_apart_in_the_cache(changed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {programs.key(), programs.added_key()}
    monkeypatch.setattr(programs, changed, (*getattr(programs, changed), "another"))
    assert len(before & {programs.key(), programs.added_key()}) == 1


def test_another_version_of_a_package_is_kept_apart_and_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_release", lambda: {"ID": "debian", "VERSION_ID": "12"})
    assert "containerd=1.6.20*" in programs._pinned(programs.PACKAGES)
    before = programs.key()
    monkeypatch.setattr(programs, "PINNED", {"12": programs.PINNED["12"] | {"containerd": "1.7.0*"}})
    assert programs.key() != before
    monkeypatch.setattr(programs, "_release", lambda: {"ID": "debian", "VERSION_ID": "99"})
    assert programs._pinned(["containerd"]) == ["containerd"], "what an unknown release has"


def test_what_is_pinned_is_taken() -> None:
    taken = {*programs.PACKAGES, *programs.IMAGE_PACKAGES, *programs.ADDED_PACKAGES}
    assert all(versions.keys() <= taken for versions in programs.PINNED.values())


def test_the_images_are_an_archive_that_containerd_reads(tmp_path: Path) -> None:
    root = tmp_path / "image"
    busybox = root / "bin" / "busybox"
    busybox.parent.mkdir(parents=True)
    library = root / "lib" / "x86_64-linux-gnu" / "libc.so.6"
    library.parent.mkdir(parents=True)
    library.write_bytes(b"the C library")
    busybox.write_text("#!/bin/sh\nprintf 'busybox\\nsh\\nls\\n'\n")
    busybox.chmod(0o755)
    images.write(Programs(tmp_path), tmp_path / "images.tar")
    with tarfile.open(tmp_path / "images.tar") as archive:
        names = archive.getnames()
        manifest = json.load(archive.extractfile("manifest.json") or pytest.fail("no manifest"))
        layers = {layer for each in manifest for layer in each["Layers"]}
        assert {each["Config"] for each in manifest} | layers < set(names)
        assert [each["RepoTags"] for each in manifest] == [[images.BUSYBOX], [images.PAUSE]]
        layer = archive.extractfile(layers.pop())
        assert layer is not None
        with tarfile.open(fileobj=layer) as files:
            assert files.getmember("bin/sh").linkname == "busybox"
            assert files.getmember("tmp").mode == 0o1777
            assert files.getmember("lib/x86_64-linux-gnu/libc.so.6").size == len(b"the C library")
