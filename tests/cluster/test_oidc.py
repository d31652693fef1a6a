"""A real API server and its RBAC know whoever signs in with a real OpenID Connect provider.

The tests' sandbox accepts no provider. A second API server, over the same etcd and with the same keys, does: it starts in
seconds, and nothing of the sandbox has to be started anew.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from sandbox import Sandbox
from tests.issuer import CLIENT, RealIssuer
from tests.issuer.browsing import browser, sign_in
from tools.server import Server, free_port

pytestmark = pytest.mark.cluster


@contextmanager
def api_server(cluster: Sandbox, issuer: RealIssuer, folder: Path) -> Iterator[Path]:
    """The kubeconfig of an API server that accepts the issuer; its user is the sandbox's administrator."""
    trusted = folder / "authentication.yaml"
    rule = {
        "issuer": {
            "url": issuer.url, "audiences": [CLIENT], "certificateAuthority": issuer.authority.read_text(),
        },
        "claimMappings": {
            "username": {"claim": "preferred_username", "prefix": "oidc:"},
            "groups": {"claim": "groups", "prefix": "oidc:"},
        },
    }  # fmt: skip
    kind = {"apiVersion": "apiserver.config.k8s.io/v1beta1", "kind": "AuthenticationConfiguration"}
    trusted.write_text(yaml.safe_dump(kind | {"jwt": [rule]}))
    port = free_port()
    command = Path(f"/proc/{cluster.pids()['kube-apiserver']}/cmdline").read_text().rstrip("\0").split("\0")
    changed = [f"--secure-port={port}" if each.startswith("--secure-port=") else each for each in command]
    changed += [f"--authentication-config={trusted}", "--endpoint-reconciler-type=none"]
    log = folder / "api-server.log"
    with log.open("wb") as out:
        process = subprocess.Popen(changed, stdout=out, stderr=out, cwd=folder)
    try:
        config = yaml.safe_load(cluster.kubeconfig.read_text())
        config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{port}"
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(yaml.safe_dump(config))
        ready = [str(cluster.kubectl), "--kubeconfig", str(kubeconfig), "get", "--raw", "/readyz"]
        deadline = time.monotonic() + 120
        while subprocess.run(ready, capture_output=True, check=False).returncode:
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()[-3000:]
            time.sleep(0.3)
        yield kubeconfig
    finally:
        process.kill()
        process.wait()


def allow(cluster: Sandbox, namespace: str) -> None:
    """The group dev of the issuer may read pods in a namespace, where there is one."""
    api = cluster.api()
    rbac, group = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}", "rbac.authorization.k8s.io"
    api.post(
        f"{rbac}/roles",
        {
            "apiVersion": f"{group}/v1", "kind": "Role", "metadata": {"name": "dev"},
            "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}],
        },
    )  # fmt: skip
    api.post(
        f"{rbac}/rolebindings",
        {
            "apiVersion": f"{group}/v1", "kind": "RoleBinding", "metadata": {"name": "dev"},
            "roleRef": {"apiGroup": group, "kind": "Role", "name": "dev"},
            "subjects": [{"apiGroup": group, "kind": "Group", "name": "oidc:dev"}],
        },
    )  # fmt: skip
    pod = {"containers": [{"name": "main", "image": "example/app:1"}]}
    api.post(
        f"/api/v1/namespaces/{namespace}/pods",
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web-1"}, "spec": pod},
    )


def tokens(server: Server) -> dict[str, str]:
    """What the dashboard keeps of each session for a cluster, by the user's name."""
    script = (
        "from dashboard.sessionstore import SessionStore as S; from dashboard.credentials import load; "
        "from dashboard.models import SignedIn; "
        "print(*(f'{each.user.username} {load(S(each.session_id)).token}' for each in SignedIn.objects.all()), sep='\\n')"
    )
    lines = server.manage("shell", "--no-imports", "-c", script).split("\n")
    return dict(line.split() for line in lines if line.startswith("oidc:"))


def asked(cluster: Sandbox, address: str, token: str, body: bytes | None = None) -> tuple[int, Any]:
    """The API server, with a token and nothing else."""
    assert cluster.address is not None
    trusted = ssl.create_default_context(cadata=cluster.address[1].decode())
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(address, body, headers)  # noqa: S310 # our own
    try:
        with urllib.request.urlopen(request, timeout=60, context=trusted) as answer:  # noqa: S310
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


async def listed(session: aiohttp.ClientSession, url: str) -> tuple[int, Any]:
    async with session.get(url, headers={"Accept": "application/json"}) as response:
        return response.status, await response.json()


async def test_lists_show_what_rbac_allows_the_user_of_the_provider(
    cluster: Sandbox, namespace: str, tmp_path: Path
) -> None:
    allow(cluster, namespace)
    server = Server(
        tmp_path / "home", tmp_path / "kubeconfig", CLUSTER_UI_ACT_AS="user", CLUSTER_UI_OIDC_CONTEXTS="tests"
    )
    back = f"{server.base}/login/oidc/callback/"
    people = {"anna": ["dev", "other"], "boris": ["other"]}
    with (
        RealIssuer(tmp_path / "issuer", [back], people) as issuer,
        api_server(cluster, issuer, tmp_path) as kubeconfig,
    ):
        server.environment |= issuer.settings()
        await asyncio.to_thread(server.__enter__)
        try:
            for name in people:
                async with browser(issuer) as session:
                    assert await sign_in(session, server.base, name) == "/changes/"
                    lists = f"{server.base}/c/tests/{{}}/?namespace={namespace}&format=json"
                    status, found = await listed(session, lists.format("pods"))
                    if name == "anna":
                        assert (status, [row["name"] for row in found["rows"]]) == (200, ["web-1"]), found
                        status, found = await listed(session, lists.format("secrets"))
                    assert status == 403, (name, found)
            kept = await asyncio.to_thread(tokens, server)
        finally:
            await asyncio.to_thread(server.stop)
        api = yaml.safe_load(kubeconfig.read_text())["clusters"][0]["cluster"]["server"]
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        where = f"{api}/apis/authentication.k8s.io/v1/selfsubjectreviews"
        status, said = asked(cluster, where, kept["oidc:anna"], json.dumps(review).encode())
        assert (status, said["status"]["userInfo"]["username"]) == (201, "oidc:anna"), said
        assert {"oidc:dev", "oidc:other"} <= set(said["status"]["userInfo"]["groups"])
        pods = f"{api}/api/v1/namespaces/{namespace}/pods"
        status, found = asked(cluster, pods, kept["oidc:anna"])
        assert (status, [each["metadata"]["name"] for each in found["items"]]) == (200, ["web-1"])
        assert asked(cluster, f"{api}/api/v1/namespaces/{namespace}/secrets", kept["oidc:anna"])[0] == 403
        assert asked(cluster, pods, kept["oidc:boris"])[0] == 403
        head, claims, _ = kept["oidc:boris"].split(".")
        stolen = ".".join((head, claims, kept["oidc:anna"].rpartition(".")[2]))
        assert asked(cluster, pods, stolen)[0] == 401
        assert "Traceback" not in server.log.read_text()
