"""Signing in with a real OpenID Connect provider, over HTTPS with an authority of its own."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import aiohttp

from tests.issuer import PASSWORD, SECRET, RealIssuer
from tests.issuer.browsing import browser, sign_in
from tools.server import Server

LIFETIME = 12  # seconds of an ID token


def refresh_tokens(database: Path) -> list[str]:
    """Every one that the provider gave out."""
    with closing(sqlite3.connect(database)) as opened:
        return [token for (token,) in opened.execute("SELECT token FROM oauth2_provider_refreshtoken")]


async def test_somebody_of_a_real_provider_signs_in_and_is_renewed_until_it_refuses(
    nowhere: Path, tmp_path: Path
) -> None:
    server = Server(tmp_path / "home", nowhere, CLUSTER_UI_LOG_LEVEL="DEBUG")
    shown: list[str] = []
    back = f"{server.base}/login/oidc/callback/"
    with RealIssuer(tmp_path / "issuer", [back], {"anna": ["dev"]}, LIFETIME) as issuer:
        server.environment |= issuer.settings()
        await asyncio.to_thread(server.__enter__)
        try:
            async with browser(issuer) as session:
                assert await sign_in(session, server.base, "anna") == "/changes/"
                headers = {"Origin": server.base}
                async with session.ws_connect(f"{server.base}/ws/c/tests/", headers=headers) as socket:
                    asked = "POST /o/token/"
                    while issuer.log.read_text().count(asked) < 2:  # nobody loads a page meanwhile
                        message = await socket.receive(timeout=90)
                        assert message.type is aiohttp.WSMsgType.TEXT, message
                    async with session.get(f"{server.base}/changes/", allow_redirects=False) as response:
                        assert response.status == 200, "it was renewed for an open page alone"
                    await asyncio.to_thread(issuer.stop)
                    async with asyncio.timeout(LIFETIME + 300):
                        while (message := await socket.receive()).type is aiohttp.WSMsgType.TEXT:
                            pass
                    assert socket.close_code == 4401
                async with session.get(f"{server.base}/audit/", allow_redirects=False) as response:
                    assert response.headers["Location"] == "/login/?next=/audit/"
                await asyncio.to_thread(issuer.start)
                async with session.get(f"{server.base}/metrics") as response:
                    shown.append(await response.text())
                async with session.get(f"{server.base}/audit/") as response:
                    assert response.url.path == "/login/"
                async with session.get(f"{server.base}/login/oidc/") as response:
                    assert response.url.path == "/audit/", "signed in there still, and back where they were"
                    text = await response.text()
                    assert "oidc:anna" in text and "session ended" in text
                for path in (
                    "/audit/?format=json",
                    "/audit/?format=csv",
                    "/changes/",
                    "/sessions/",
                    "/nowhere/",
                ):
                    async with session.get(f"{server.base}{path}") as response:
                        shown.append(await response.text())
        finally:
            await asyncio.to_thread(server.stop)
        written = server.log.read_text() + "".join(
            each.read_bytes().decode("latin1") for each in (tmp_path / "home").glob("cluster-ui.sqlite3*")
        )
        assert SECRET not in written and PASSWORD not in written and "eyJ" not in written
        given = refresh_tokens(tmp_path / "issuer" / "issuer.sqlite3")
        assert len(given) > 1 and not [each for each in given if each in written + "".join(shown)]
        assert "Traceback" not in server.log.read_text()
