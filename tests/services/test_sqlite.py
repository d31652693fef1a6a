"""SQLite locked by another writer: said in words, soon, and never as a fault of the cluster."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest

from tools.server import SESSION, Server


@pytest.mark.parametrize("how", ["IMMEDIATE", "EXCLUSIVE"])
async def test_a_locked_database_is_told_as_that(nowhere: Path, tmp_path: Path, how: str) -> None:
    """Soon: so long as it waits for the lock altogether, in as many attempts as it makes."""
    home, server = tmp_path / "home", Server(tmp_path / "home", nowhere)
    server.program = ("-m", "tests.services.lockwaits")
    with server:
        link = await asyncio.to_thread(server.signin_link)
        cookies = {SESSION: await asyncio.to_thread(server.session)}
        jar, text_html = aiohttp.CookieJar(unsafe=True), {"Accept": "text/html"}
        async with (
            aiohttp.ClientSession(server.base, cookies=cookies, cookie_jar=jar, headers=text_html) as session,
            aiohttp.ClientSession(server.base, cookie_jar=aiohttp.CookieJar(unsafe=True)) as stranger,
        ):
            async with stranger.get(link) as response:
                form = dict(re.findall(r'name="(\w+)"\s+value="([^"]+)"', await response.text()))
            with closing(sqlite3.connect(home / "cluster-ui.sqlite3", isolation_level=None)) as other:
                other.execute(f"BEGIN {how}")
                async with stranger.post("/login/link/", data=form, allow_redirects=False) as response:
                    text = await response.text()
                assert response.status == 503, text
                assert (
                    "Another program has locked the dashboard" in text and "cluster is not affected" in text
                )
                waits = [int(limit) for limit in (home / "waits").read_text().split()]
                assert 0 < sum(waits) <= 9_000, "longer, and people load the page again"
                async with session.post("/logout/", allow_redirects=False) as response:
                    assert response.status in (403, 503), "no token: nothing of the form is read"
                async with session.get("/changes/") as response:
                    assert response.status == 200, "readers go on beside a writer"
                other.execute("ROLLBACK")
            async with stranger.post("/login/link/", data=form, allow_redirects=False) as response:
                assert response.status == 302, "the link was not used up"
        log = server.log.read_text()
        assert "database is locked" in log and "Traceback" not in log


def fill(database: Path) -> None:
    """No page of it is free any more."""
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("CREATE TABLE filler (what BLOB)")
        (pages,) = other.execute("PRAGMA page_count").fetchone()
        other.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(sqlite3.OperationalError, match="full"):
            while True:
                other.execute("INSERT INTO filler VALUES (zeroblob(3000))")


async def test_a_full_disk_is_told_as_that_and_what_is_there_can_be_read(
    nowhere: Path, tmp_path: Path
) -> None:
    """As soon as there is room again, everything goes on without a restart."""
    home = tmp_path / "home"
    server = Server(home, nowhere)
    server.program = ("-m", "tests.services.fulldisk")
    large = {"column": ",".join(f"label:a{number:02}.{'b' * 200}/c" for number in range(60))}
    with server:
        cookies = {SESSION: await asyncio.to_thread(server.session)}
        jar, text_html = aiohttp.CookieJar(unsafe=True), {"Accept": "text/html"}
        async with aiohttp.ClientSession(
            server.base, cookies=cookies, cookie_jar=jar, headers=text_html
        ) as session:
            async with session.get("/clusters/") as page:
                token = re.search(r'"X-CSRFToken": "([^"]+)"', await page.text())
            assert token
            session.headers["X-CSRFToken"] = token[1]
            await asyncio.to_thread(fill, home / "cluster-ui.sqlite3")
            await asyncio.to_thread((home / "full").touch)
            url = "/c/tests/pods/columns/"
            async with session.post(url, data=large, allow_redirects=False) as response:
                text = await response.text()
            assert response.status == 503, text
            assert "can&#x27;t write" in text and "cluster is not affected" in text
            for path in ("/clusters/", "/changes/", "/audit/", "/healthz"):
                async with session.get(path, allow_redirects=False) as response:
                    assert response.status == 200, "what is there can be read"
            await asyncio.to_thread((home / "full").unlink)
            async with session.post(url, data=large, allow_redirects=False) as response:
                assert response.status == 302
        log = server.log.read_text()
        assert "database or disk is full" in log and "Traceback" not in log
