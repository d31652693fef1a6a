"""TLS as the kubeconfig says: authority, server name, client certificate, or no check at all."""

from __future__ import annotations

import asyncio
import base64
import shutil
import ssl
import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from dashboard import errors
from dashboard.kube.transport import Transport

from .conftest import FAST, Copy
from .scripted import ScriptedServer, cluster_at, until


def openssl(directory: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, a server's certificate for the name ``api.test`` and a client's."""
    directory = tmp_path_factory.mktemp("pki")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl(
        directory, "req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=authority"
    )
    (directory / "san").write_text("subjectAltName=DNS:api.test")
    for name in ("server", "client"):
        openssl(
            directory, "req", *curve, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}"
        )
        signed = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "san", "-days", "2")
        openssl(directory, "x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.crt", *signed)
    return directory


@pytest_asyncio.fixture
async def server(pki: Path) -> AsyncIterator[ScriptedServer]:
    """Asks for a client certificate of the authority."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(pki / "ca.crt"))
    context.load_cert_chain(pki / "server.crt", pki / "server.key")
    context.verify_mode = ssl.CERT_REQUIRED
    scripted = ScriptedServer(tls=context)
    await scripted.start()
    yield scripted
    await scripted.stop()


def data(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def entries(pki: Path, *, inline: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """The cluster's and the user's entry."""
    pairs = {
        "certificate-authority": "ca.crt",
        "client-certificate": "client.crt",
        "client-key": "client.key",
    }
    if inline:
        named = {f"{key}-data": data(pki / name) for key, name in pairs.items()}
    else:
        named = {key: str(pki / name) for key, name in pairs.items()}
    cluster = {key: value for key, value in named.items() if key.startswith("certificate")}
    user = {key: value for key, value in named.items() if key.startswith("client")}
    return {**cluster, "tls-server-name": "api.test"}, user


async def ask(tmp_path: Path, server: ScriptedServer, cluster: dict[str, Any], user: dict[str, Any]) -> None:
    transport = Transport(cluster_at(tmp_path, server.url, user=user, **cluster))
    try:
        await transport.version()
    finally:
        await transport.close()


@pytest.mark.parametrize("inline", [True, False], ids=["data", "files"])
async def test_authority_server_name_and_client_certificate(
    server: ScriptedServer, pki: Path, tmp_path: Path, inline: bool
) -> None:
    cluster, user = entries(pki, inline=inline)
    await ask(tmp_path, server, cluster, user)


async def test_no_private_key_is_left_on_disk(
    server: ScriptedServer, pki: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    await ask(tmp_path, server, *entries(pki, inline=True))
    assert list(scratch.iterdir()) == []


async def test_another_server_name_is_refused(server: ScriptedServer, pki: Path, tmp_path: Path) -> None:
    cluster, user = entries(pki, inline=True)
    with pytest.raises(errors.Unavailable, match=r"certificate of .* is not accepted.*mismatch"):
        await ask(tmp_path, server, {**cluster, "tls-server-name": "other.test"}, user)


async def test_an_unknown_authority_is_refused(server: ScriptedServer, pki: Path, tmp_path: Path) -> None:
    cluster, user = entries(pki, inline=True)
    del cluster["certificate-authority-data"]
    with pytest.raises(errors.Unavailable) as caught:
        await ask(tmp_path, server, cluster, user)
    assert "is not accepted" in caught.value.message
    assert "certificate-authority" in caught.value.next_step


async def test_insecure_skip_tls_verify_accepts_any_certificate(
    server: ScriptedServer, pki: Path, tmp_path: Path
) -> None:
    _, user = entries(pki, inline=True)
    await ask(tmp_path, server, {"insecure-skip-tls-verify": True}, user)


async def test_a_server_that_wants_a_client_certificate_gets_none_by_accident(
    server: ScriptedServer, pki: Path, tmp_path: Path
) -> None:
    cluster, _ = entries(pki, inline=True)
    with pytest.raises(errors.ClusterError):
        await ask(tmp_path, server, cluster, {})


async def test_a_key_of_another_certificate_is_explained(
    server: ScriptedServer, pki: Path, tmp_path: Path
) -> None:
    cluster, user = entries(pki, inline=True)
    user["client-key-data"] = data(pki / "server.key")
    with pytest.raises(errors.Unauthenticated, match="cannot be used"):
        await ask(tmp_path, server, cluster, user)


async def test_a_certificate_from_an_exec_plugin_is_presented(
    server: ScriptedServer, pki: Path, tmp_path: Path
) -> None:
    script = tmp_path / "plugin.py"
    script.write_text(
        "#!/usr/bin/env python3\nimport json, pathlib\n"
        f"pki = pathlib.Path({str(pki)!r})\n"
        "status = {'clientCertificateData': (pki / 'client.crt').read_text(),"
        " 'clientKeyData': (pki / 'client.key').read_text()}\n"
        "print(json.dumps({'apiVersion': 'client.authentication.k8s.io/v1', 'kind': 'ExecCredential',"
        " 'status': status}))\n"
    )
    script.chmod(0o755)
    cluster, _ = entries(pki, inline=True)
    exec_ = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(script)}
    await ask(tmp_path, server, cluster, {"exec": exec_})


async def test_an_authority_and_a_client_certificate_that_are_replaced_are_picked_up(
    server: ScriptedServer, pki: Path, tmp_path: Path
) -> None:
    """Issued anew while the dashboard runs: first files of somebody else, then the right ones."""
    openssl(
        tmp_path, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-keyout", "other.key", "-out", "other.crt", "-subj", "/CN=other",
    )  # fmt: skip
    authority = tmp_path / "authority.crt"
    shutil.copy(tmp_path / "other.crt", authority)
    _, user = entries(pki, inline=False)
    cluster = {"certificate-authority": str(authority), "tls-server-name": "api.test"}
    transport = Transport(cluster_at(tmp_path, server.url, user=user, **cluster))
    try:
        with pytest.raises(errors.Unavailable, match="is not accepted"):
            await transport.version()
        shutil.copy(pki / "ca.crt", authority)  # written into the same file
        await transport.version()
        (tmp_path / "fresh").write_bytes((tmp_path / "other.crt").read_bytes())
        (tmp_path / "fresh").replace(authority)  # renamed over it, as most programs do
        with pytest.raises(errors.Unavailable, match="is not accepted"):
            await transport.version()
    finally:
        await transport.close()


async def test_a_server_certificate_that_is_rotated_is_followed_and_one_of_another_authority_is_told(
    server: ScriptedServer, pki: Path, tmp_path: Path
) -> None:
    """As `kubeadm certs renew` does, and then with a new authority whose certificate comes into the file later."""
    signed = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "san", "-days", "2")
    openssl(pki, "x509", "-req", "-in", "server.csr", "-out", "renewed.crt", *signed)
    for name, subject in (("new-ca", "/CN=new"), ("new", "/CN=server")):
        openssl(
            pki, "req", *(() if name == "new" else ("-x509",)), "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.crt", "-subj", subject,
        )  # fmt: skip
    (pki / "new.crt").rename(pki / "new.csr")
    newly = ("-CA", "new-ca.crt", "-CAkey", "new-ca.key", "-CAcreateserial", "-extfile", "san", "-days", "2")
    openssl(pki, "x509", "-req", "-in", "new.csr", "-out", "new.crt", *newly)

    async def restarted(certificate: str, key: str) -> None:
        """With another certificate, and a change that came meanwhile."""
        await server.stop()
        assert server._tls is not None
        server._tls.load_cert_chain(pki / certificate, pki / key)
        server.put(f"since-{certificate}")
        await server.start()

    authority = tmp_path / "authority.crt"
    shutil.copy(pki / "ca.crt", authority)
    _, user = entries(pki, inline=False)
    cluster = {"certificate-authority": str(authority), "tls-server-name": "api.test"}
    transport = Transport(cluster_at(tmp_path, server.url, user=user, **cluster))
    server.put("before")
    copy = Copy(server, transport, FAST)
    running = asyncio.create_task(copy.reflector.run())
    try:
        await copy.exact()
        shown = transport.server_certificate
        await restarted("renewed.crt", "server.key")
        await copy.exact()
        assert transport.server_certificate not in (b"", shown), (
            "the page of clusters tells when this one expires"
        )
        await restarted("new.crt", "new.key")
        await until(lambda: "is not accepted" in copy.reflector.status.reason, "told, with the reason")
        assert copy.state == "reconnecting"
        shutil.copy(pki / "new-ca.crt", authority)
        await copy.exact()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await transport.close()
    assert copy.states == ["live", "reconnecting"] * (len(copy.states) // 2) + ["live"]
