"""No way leads to a cluster but through the transport, and none through the transport but through its gate."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dashboard.actions.permits import changes_required
from dashboard.errors import ReadOnly
from dashboard.kube import transport as transport_module
from dashboard.kube.transport import Transport

ROOT = Path(transport_module.__file__).parents[1]

# With these one could reach an API server, or anything else, on one's own.
CLIENTS = {
    "aiohttp", "http.client", "httpx", "kubernetes", "requests", "socket", "subprocess", "telnetlib", "urllib.request",
    "urllib3", "websocket", "websockets",
}  # fmt: skip
# Who may import one of them, and what for.
KNOWN = {
    "kube/credentials.py": {"kubernetes"},  # the OpenID Connect provider
    "kube/addresses.py": {"socket"},  # what names resolve to, and whether an address is this machine's
    "kube/exec.py": {"aiohttp"},  # the types of an open websocket and its messages
    "kube/failures.py": {"aiohttp"},  # names of errors
    "kube/prometheus.py": {"aiohttp"},  # asks Prometheus
    "kube/tls.py": {"kubernetes"},  # TLS contexts
    "kube/transport.py": {"aiohttp", "socket"},
    "management/commands/run.py": {"socket"},  # a free port to serve on
    "management/commands/serve.py": {"socket"},
    "protocols.py": {"websockets"},  # how the server itself speaks it
}


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_nothing_but_the_transport_reaches_an_api_server() -> None:
    for path in ROOT.rglob("*.py"):
        names = {
            client for name in imported(path) for client in CLIENTS if f"{name}.".startswith(f"{client}.")
        }
        assert names <= KNOWN.get(str(path.relative_to(ROOT)), set()), path


def test_the_transport_sends_in_two_places_behind_the_gate() -> None:
    tree = ast.parse((ROOT / "kube" / "transport.py").read_text())
    methods = {"request", "get", "post", "put", "patch", "delete", "ws_connect", "_request"}
    sending = [
        (function.name, any(getattr(each, "attr", "") == "gate" for each in ast.walk(function)))
        for function in ast.walk(tree)
        if isinstance(function, ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in methods
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "session"
    ]
    assert sending == [("_open", True), ("_upgraded", True)]


def test_nobody_sets_the_gate_but_the_start_of_the_application() -> None:
    setters = [
        path.relative_to(ROOT)
        for path in ROOT.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr == "gate" and isinstance(node.ctx, ast.Store)
    ]
    assert setters == [Path("apps.py")]
    assert Transport.gate is changes_required


async def test_as_long_as_nobody_has_set_it_the_gate_is_shut() -> None:
    cluster: Any = SimpleNamespace(name="dev", server="https://dev", is_sandbox=True)
    with pytest.raises(ReadOnly):
        await transport_module._shut(cluster)
