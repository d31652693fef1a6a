"""Behind nginx, configured as docs/sign-in.md says: pages, forms and live pages work."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import aiohttp

from tests.faults.scripted import ScriptedServer, cluster_at
from tools.server import SESSION, Server, free_port

LOOK = {"t": "look", "view": 1, "path": "/c/test/pods/", "have": {}}
POD = {"spec": {"containers": [{"name": "app", "image": "app:1"}]}, "status": {"phase": "Running"}}
CONFIG = """
daemon off; worker_processes 1; pid {home}/nginx.pid; error_log {home}/error.log warn;
events {{}}
http {{
  access_log off;
  client_body_temp_path {home}/body; proxy_temp_path {home}/proxy;
  fastcgi_temp_path {home}/f; uwsgi_temp_path {home}/u; scgi_temp_path {home}/s;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
  server {{
    listen 127.0.0.1:{port};
    client_max_body_size 8m;
    location / {{
      proxy_pass {behind};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
    }}
  }}
}}
"""


@contextmanager
def nginx(home: Path, behind: str) -> Iterator[str]:
    """Its address, as long as it runs."""
    home.mkdir()
    port, program = free_port(), shutil.which("nginx") or "/usr/sbin/nginx"
    (home / "nginx.conf").write_text(CONFIG.format(home=home, port=port, behind=behind))
    running = subprocess.Popen([program, "-p", str(home), "-c", str(home / "nginx.conf")])
    try:
        base, until = f"http://127.0.0.1:{port}", time.monotonic() + 60
        while True:
            try:
                urlopen(f"{base}/healthz", timeout=5).close()  # noqa: S310 # our own address
                break
            except (URLError, OSError):
                assert running.poll() is None and time.monotonic() < until, "nginx did not start"
                time.sleep(0.1)
        yield base
    finally:
        running.terminate()
        running.wait(30)


async def test_pages_forms_and_live_pages_work_behind_it(tmp_path: Path) -> None:
    api = ScriptedServer()
    await api.start()
    cluster_at(tmp_path, api.url)
    api.put("web-1", "shop", plural="pods", **POD)
    try:
        with (
            Server(
                tmp_path / "home", tmp_path / "kubeconfig", CLUSTER_UI_TRUSTED_PROXIES="127.0.0.1"
            ) as server,
            nginx(tmp_path / "nginx", server.base) as base,
        ):
            cookies = {SESSION: await asyncio.to_thread(server.session)}
            jar = aiohttp.CookieJar(unsafe=True)
            async with aiohttp.ClientSession(base, cookies=cookies, cookie_jar=jar) as session:
                async with session.get("/c/test/pods/") as page:
                    text = await page.text()
                assert page.status == 200 and "web-1" in text
                token = re.search(r'"X-CSRFToken": "([^"]+)"', text)
                assert token
                async with session.post("/c/test/pods/columns/", data={"column": "name"}) as refused:
                    assert refused.status == 403, "a form needs its token here too"
                headers = {"X-CSRFToken": token[1], "Origin": base}
                async with session.post(
                    "/c/test/pods/columns/", data={"column": "name"}, headers=headers, allow_redirects=False
                ) as saved:
                    assert saved.status in (200, 204, 302, 303), await saved.text()
                async with session.ws_connect("/ws/c/test/", headers={"Origin": base}) as socket:
                    await socket.send_json(LOOK)
                    assert "web-1" in await told(socket, "web-1")
                    api.put("web-2", "shop", plural="pods", **POD)
                    assert "web-2" in await told(socket, "web-2")
    finally:
        await api.stop()


async def told(socket: aiohttp.ClientWebSocketResponse, what: str) -> str:
    """The message that says it."""
    async with asyncio.timeout(60):
        while what not in (text := await socket.receive_str()):
            pass
    return text
