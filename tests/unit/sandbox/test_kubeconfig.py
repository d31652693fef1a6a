"""The kubeconfig of a sandbox, beside others'."""

from __future__ import annotations

from pathlib import Path

from kubernetes.config.kube_config import KubeConfigMerger

from sandbox import Sandbox


def test_those_of_two_sandboxes_can_be_merged(tmp_path: Path) -> None:
    """Of entries that are called alike, the first counts: the other cluster would be asked as this one's user."""
    for name in ("one", "two"):
        sandbox = Sandbox(name, tmp_path, context=name)
        sandbox.kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        pki = sandbox.folder / "kwok" / "clusters" / name / "pki"
        pki.mkdir(parents=True)
        for file in ("ca.crt", "admin.crt", "admin.key"):
            (pki / file).write_text(f"{name}'s {file}")
        sandbox._write_kubeconfig({"kubeApiserverPort": 1})
    files = ":".join(str(Sandbox(name, tmp_path).kubeconfig) for name in ("one", "two"))
    merged = KubeConfigMerger(files).config
    asked_as = {each["context"]["user"] for each in merged["contexts"].value}
    users = [merged["users"].get_with_name(name)["user"] for name in asked_as]
    assert len({user["client-certificate-data"] for user in users}) == 2, asked_as
