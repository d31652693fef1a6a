"""Which cluster: KUBECONFIG or ~/.kube/config, then a pod's own credentials, then the sandbox."""

from __future__ import annotations

import base64
import json
import string
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dashboard.errors import BadInput
from dashboard.kube.config import load_clusters, slug, unslug
from dashboard.kube.kubeconfig_text import read_kubeconfig


def kubeconfig(path: Path, *contexts: str, current: str = "", **parts: Any) -> Path:
    """A file with contexts whose cluster and user have the context's name."""
    document = {
        "current-context": current,
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}} for name in contexts],
        "clusters": [
            {"name": name, "cluster": {"server": f"https://{path.stem}/{name}"}} for name in contexts
        ],
        "users": [{"name": name, "user": {"token": "canary-token"}} for name in contexts],
        **parts,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(document))
    return path


def names(environ: dict[str, str], sandbox: Path | None = None) -> list[str]:
    return [cluster.name for cluster in load_clusters(environ=environ, sandbox_kubeconfig=sandbox)]


def test_the_current_context_comes_first_and_the_rest_keeps_its_order(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config", "a", "b", "c", current="c")
    assert names({"KUBECONFIG": str(path)}) == ["c", "a", "b"]


def test_of_several_files_the_first_to_name_something_wins(tmp_path: Path) -> None:
    one = kubeconfig(tmp_path / "one", "a", "shared")
    two = kubeconfig(tmp_path / "two", "shared", "b", current="b")
    missing = tmp_path / "missing"
    clusters = load_clusters(environ={"KUBECONFIG": f"{missing}:{one}::{two}"}, sandbox_kubeconfig=None)
    assert [(cluster.name, cluster.server, cluster.source_detail) for cluster in clusters] == [
        ("b", "https://two/b", str(two)),
        ("a", "https://one/a", str(one)),
        ("shared", "https://one/shared", str(one)),
    ]


def test_relative_paths_are_relative_to_their_own_file(tmp_path: Path) -> None:
    user = {
        "name": "u",
        "user": {"client-certificate": "pki/u.crt", "client-key": "/abs/u.key", "tokenFile": "t"},
    }
    cluster = {"name": "c", "cluster": {"server": "https://c", "certificate-authority": "../ca.crt"}}
    context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
    (tmp_path / "users").mkdir()
    first = tmp_path / "first"
    first.write_text(yaml.safe_dump({"contexts": [context], "clusters": [cluster]}))
    second = tmp_path / "users" / "second"
    second.write_text(yaml.safe_dump({"users": [user]}))
    found = load_clusters(environ={"KUBECONFIG": f"{first}:{second}"}, sandbox_kubeconfig=None)[0]
    assert found.connection.cluster["certificate-authority"] == str(tmp_path / ".." / "ca.crt")
    assert found.connection.user["client-certificate"] == str(tmp_path / "users" / "pki" / "u.crt")
    assert found.connection.user["client-key"] == "/abs/u.key"
    assert found.connection.user["tokenFile"] == str(tmp_path / "users" / "t")


def test_without_kubeconfig_the_home_directorys_file_is_read(tmp_path: Path) -> None:
    kubeconfig(tmp_path / ".kube" / "config", "home")
    assert names({"HOME": str(tmp_path)}) == ["home"]
    assert names({"HOME": str(tmp_path), "KUBECONFIG": ""}) == ["home"]
    other = kubeconfig(tmp_path / "other", "other")
    assert names({"HOME": str(tmp_path), "KUBECONFIG": str(other)}) == ["other"]
    assert names({"HOME": str(tmp_path), "KUBECONFIG": "~/other"}) == ["other"]


def service_account(directory: Path) -> Path:
    claims = base64.urlsafe_b64encode(
        json.dumps({"sub": "system:serviceaccount:ui:cluster-ui"}).encode()
    ).decode()
    directory.mkdir()
    (directory / "token").write_text(f"header.{claims.rstrip('=')}.signature")
    (directory / "namespace").write_text("ui\n")
    (directory / "ca.crt").write_text("CA")
    return directory


def test_inside_a_pod_its_service_account_is_used(tmp_path: Path) -> None:
    directory = service_account(tmp_path / "sa")
    environ = {"HOME": str(tmp_path), "KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"}
    sandbox = kubeconfig(tmp_path / "sandbox", "sandbox")
    (found,) = load_clusters(environ=environ, sandbox_kubeconfig=sandbox, service_account_dir=directory)
    assert (found.source, found.source_detail, found.server) == (
        "in-cluster",
        str(directory),
        "https://[fd00::1]:6443",
    )
    assert (found.user, found.namespace) == ("system:serviceaccount:ui:cluster-ui", "ui")
    assert found.connection.user["tokenFile"] == str(directory / "token")
    kubeconfig(tmp_path / ".kube" / "config", "home")  # what a person put there goes before
    (found,) = load_clusters(environ=environ, sandbox_kubeconfig=sandbox, service_account_dir=directory)
    assert found.source == "kubeconfig"


def test_otherwise_the_sandbox_and_before_it_is_there_nothing(tmp_path: Path) -> None:
    sandbox = tmp_path / "sandbox.yaml"
    assert names({"HOME": str(tmp_path)}, sandbox) == []
    kubeconfig(sandbox, "sandbox")
    (found,) = load_clusters(environ={"HOME": str(tmp_path)}, sandbox_kubeconfig=sandbox)
    assert (found.source, found.is_sandbox, found.source_detail) == ("sandbox", True, str(sandbox))


def test_the_sandbox_named_in_kubeconfig_is_known_as_such(tmp_path: Path) -> None:
    sandbox = kubeconfig(tmp_path / "sandbox.yaml", "sandbox")
    other = kubeconfig(tmp_path / "other.yaml", "other")
    clusters = load_clusters(environ={"KUBECONFIG": f"{other}:{sandbox}"}, sandbox_kubeconfig=sandbox)
    assert {cluster.name: (cluster.source, cluster.is_sandbox) for cluster in clusters} == {
        "other": ("kubeconfig", False),
        "sandbox": ("kubeconfig", True),
    }


def test_a_kubeconfig_that_is_named_and_missing_is_an_error_not_another_cluster(tmp_path: Path) -> None:
    kubeconfig(tmp_path / ".kube" / "config", "home")
    with pytest.raises(BadInput, match="KUBECONFIG names no existing file"):
        names({"HOME": str(tmp_path), "KUBECONFIG": str(tmp_path / "typo")})


@pytest.mark.parametrize(
    "content",
    [
        "- a list",
        "users:\n- user: {token: canary-token}",
        "users: canary-token",
        "token: 'canary-token\n  x: [",
    ],
)
def test_a_broken_kubeconfig_is_explained_without_its_content(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config"
    path.write_text(content)
    with pytest.raises(BadInput) as caught:
        names({"KUBECONFIG": str(path)})
    assert str(path) in caught.value.message
    assert "canary" not in repr(caught.value) + str(caught.value.__cause__)


def test_an_empty_file_has_no_contexts(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("")
    assert names({"KUBECONFIG": str(tmp_path / "config")}) == []


def test_a_clusters_repr_holds_no_credentials(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config", "a")
    clusters = load_clusters(environ={"KUBECONFIG": str(path)}, sandbox_kubeconfig=None)
    assert clusters[0].connection.user["token"] == "canary-token"
    assert "canary" not in repr(clusters)


def test_a_slug_keeps_what_an_address_may_hold() -> None:
    assert slug("arn:aws:eks:eu-west-1:1:cluster/prod") == "arn:aws:eks:eu-west-1:1:cluster~2Fprod"
    assert slug("kind-é ~") == "kind-~C3~A9~20~7E"


@pytest.mark.parametrize(("name", "text"), [(".", "~2E"), ("..", "~2E~2E"), ("...", "..."), ("a.b", "a.b")])
def test_a_name_that_a_browser_would_take_for_a_step_in_the_path_is_escaped(name: str, text: str) -> None:
    assert slug(name) == text
    assert unslug(text) == name


@given(st.text())
def test_every_name_has_one_slug_that_leads_back(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError:
        return
    text = slug(name)
    assert set(text) <= set(string.ascii_letters + string.digits + "._@:-~")
    assert unslug(text) == name


@pytest.mark.parametrize("text", ["a/b", "~2f", "~4", "~41", "~FF", "é", ".", "..", "a~2Eb"])
def test_what_slug_never_makes_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        unslug(text)


def test_kubeconfigs_are_read_by_libyaml_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In Python a file with 50 contexts takes ten times as long."""

    def refused(*_: Any) -> None:
        raise AssertionError("read by the parser in Python")

    path = kubeconfig(tmp_path / "config", "a")
    monkeypatch.setattr(yaml.parser.Parser, "__init__", refused)
    assert names({"KUBECONFIG": str(path)}) == ["a"]
    assert [each.name for each in read_kubeconfig(path.read_text())] == ["a"]
    with pytest.raises(AssertionError, match="in Python"):
        yaml.safe_load("a: 1")
