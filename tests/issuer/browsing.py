"""A browser without scripts that signs in with the provider."""

from __future__ import annotations

import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urljoin

import aiohttp

from . import PASSWORD, RealIssuer


@asynccontextmanager
async def browser(issuer: RealIssuer) -> AsyncIterator[aiohttp.ClientSession]:
    trusted = ssl.create_default_context(cafile=str(issuer.authority))
    jar, connector = aiohttp.CookieJar(unsafe=True), aiohttp.TCPConnector(ssl=trusted)
    wants = {"Accept": "text/html"}
    async with aiohttp.ClientSession(cookie_jar=jar, connector=connector, headers=wants) as session:
        yield session


async def sign_in(session: aiohttp.ClientSession, base: str, user: str, *, wanted: str = "/changes/") -> str:
    """Follows the button of the sign-in page through the provider's form and back; the address that ends at."""
    async with session.get(f"{base}{wanted}") as page:
        found = re.search(r'href="(/login/oidc/[^"]*)"', await page.text())
        assert found, page.url
    async with session.get(urljoin(base, found[1])) as form:
        assert form.url.path == "/sign-in/", form.url
    async with session.post(form.url, data={"user": user, "password": PASSWORD}) as done:
        assert done.status == 200, await done.text()
        return done.url.path
