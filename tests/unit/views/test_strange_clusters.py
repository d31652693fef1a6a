"""One cluster that fails, however strangely, hides no other, and opening its pages is no fault of this program."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from dashboard.clusters.keeping import cluster_add
from dashboard.clusters.rules import Rules
from dashboard.database import in_database
from dashboard.kube.kubeconfig_text import Offered, read_kubeconfig
from dashboard.live.runtime import runtime
from dashboard.views import clusters
from tests.kubeconfigs import issued, kubeconfig
from tests.unit.views.test_added_clusters import NOWHERE, add, client
from tests.unit.views.test_added_clusters import contexts as contexts

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("body", [b"<html>Sign in</html>", b"[]", b"null", b'{"status": 5, "items": null}'])
async def test_what_is_no_api_server_stays_in_its_row(tmp_path: Path, body: bytes) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    authority = issued("authority")
    site = web.Application()
    site.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(site)
    await runner.setup()
    try:
        tls = issued("api", authority).tls(tmp_path)
        listening = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await listening.start()
        server = f"https://127.0.0.1:{runner.addresses[0][1]}"
        trusted = base64.b64encode(authority.certificate).decode()
        text = kubeconfig("dev", server=server, cluster={"certificate-authority-data": trusted})
        anna = await client("anna")
        assert (await add(anna, text, "dev")).status_code == 200
        assert (await anna.post("/clusters/dev/look/")).status_code == 302
        (seen,) = (await anna.get("/clusters/?format=json")).json()["clusters"]
        assert seen["state"] in ("bad", "unknown") and seen["trouble"]
        assert (await anna.get("/clusters/")).status_code == 200
        assert (await anna.get("/c/dev/pods/")).status_code != 500
    finally:
        await runner.cleanup()


async def test_a_row_that_cannot_be_told_hides_no_other(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for each in read_kubeconfig(kubeconfig("dev", "prod", server=NOWHERE)):
        await in_database(cluster_add)(by="anna", offered=each, rules=Rules("installation"), taken=())
    await runtime.refresh()
    runtime.open("dev")

    async def fails(*_: Any) -> Offered:
        raise LookupError("canary")

    monkeypatch.setattr(clusters, "cluster_seen", fails)
    rows = (await (await client("bob")).get("/clusters/?format=json")).json()["clusters"]
    told = {each["name"]: each for each in rows}
    assert told["dev"]["words"] == "Not known" and "canary" not in told["dev"]["trouble"]
    assert told["prod"]["words"] == "Not looked at"
    assert "telling how dev is" in caplog.text


async def test_asking_whether_a_cluster_answers_never_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    (offered,) = read_kubeconfig(kubeconfig("dev", server=NOWHERE))
    await in_database(cluster_add)(by="anna", offered=offered, rules=Rules("installation"), taken=())
    await runtime.refresh()
    opened = runtime.open("dev")

    async def fails() -> None:
        raise LookupError("canary")

    monkeypatch.setattr(opened, "probe", fails)
    task = opened.ask()
    assert task is not None
    await task
    assert opened.trouble is not None and "canary" not in opened.trouble.message
