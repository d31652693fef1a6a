"""What a real server refuses before any view: an entry at once, and its count at the latest when the server ends."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest

from tools.server import SESSION, Server

CANARY = "canary.example"


async def test_refusals_are_counted_and_told_when_the_server_ends(nowhere: Path, tmp_path: Path) -> None:
    with Server(tmp_path / "home", nowhere) as server:
        cookies = {SESSION: await asyncio.to_thread(server.session)}
        jar = aiohttp.CookieJar(unsafe=True)
        async with (
            aiohttp.ClientSession(server.base, cookies=cookies, cookie_jar=jar) as session,
            aiohttp.ClientSession(server.base) as stranger,
        ):
            for number in range(5):
                async with stranger.get(f"/login/?token={CANARY}-{number}") as response:
                    assert response.status == 403
                with pytest.raises(aiohttp.WSServerHandshakeError):
                    await session.ws_connect("/ws/c/tests/", headers={"Origin": f"https://{CANARY}"})
                form = {"reason": CANARY}
                async with session.post(
                    "/logout/", data=form, headers={"Origin": f"https://{CANARY}"}
                ) as response:
                    assert response.status == 403
        before = entries(server)
    after = entries(server)
    whose = [("(nobody)", "sign in"), ("owner", "open live page"), ("owner", "sign out")]
    # A minute may end in between: then it is one more, and the counts are apart.
    first = [(each["user_name"], each["action"]) for each in before if "more time" not in each["detail"]]
    assert sorted(set(first)) == whose
    for user, action in whose:
        told = [each["detail"] for each in after if (each["user_name"], each["action"]) == (user, action)]
        more = sum(int(words.partition(" ")[0]) for words in told if "more time" in words)
        assert more + sum("more time" not in words for words in told) == 5, told
    assert CANARY not in json.dumps(after)


def entries(server: Server) -> list[dict[str, str]]:
    return [json.loads(line) for line in server.manage("audit", "export", "--result", "refused").splitlines()]
