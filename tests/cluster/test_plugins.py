"""Plugins in a server of their own, over a real API server: the example, one that fails to load and one that fails at
everything it does.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from sandbox import Sandbox
from sandbox.api import Api, ApiError
from tests.plugins.installed import HERE, install, write
from tools.server import SESSION, Server

pytestmark = pytest.mark.cluster

PLURAL = "backups.demo.example.com"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": PLURAL},
    "spec": {
        "group": "demo.example.com",
        "scope": "Namespaced",
        "names": {"plural": "backups", "singular": "backup", "kind": "Backup", "listKind": "BackupList"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
                },
            }
        ],
    },
}
SOUR = """
import dashboard.plugins.interface as ui

CLUSTER_UI_INTERFACE = "1.0"


def fails(*_):
    raise RuntimeError("gone sour")


class Sour(ui.Action):
    name, title, icon = "sour", "Turn sour", "x"
    kinds = frozenset({"backups.demo.example.com"})
    reads = frozenset()
    applies = fails


@ui.hook
def cluster_ui_rules():
    return [ui.DeclaredRule(names=frozenset({"sour-rule"}), find=fails)]


@ui.hook
def cluster_ui_actions():
    return [Sour()]


@ui.hook
def cluster_ui_cards():
    kinds = frozenset({"backups.demo.example.com", "pods"})
    return [ui.DeclaredCard(name="card", title="Sour card", kinds=kinds, template="sour/card.html", facts=fails)]


@ui.hook
def cluster_ui_pages():
    return [
        ui.DeclaredPage(
            name="sour", title="Sour page", template="sour/page.html", reads=frozenset({"pods"}),
            facts=lambda showing: {"pods": len(showing.objects.all("pods")), "who": showing.params.get("who", "")},
        )
    ]
"""
PAGE = "<p>{{ who }} sees {{ pods }} pods</p>"


class Person:
    """Somebody with a browser without scripts."""

    def __init__(self, server: Server) -> None:
        self.base = server.base
        self._cookie = f"{SESSION}={server.session()}"

    def _open(self, url: str, data: bytes | None = None, **headers: str) -> str:
        request = urllib.request.Request(url, data, headers | {"Cookie": self._cookie})  # noqa: S310 # our own
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return str(answer.read().decode())

    def get(self, path: str) -> str:
        return self._open(self.base + path)

    def json(self, path: str) -> Any:
        return json.loads(self.get(f"{path}?format=json"))

    def post(self, path: str, page: str, **typed: str) -> str:
        """A form of a page, sent with the token that the page has."""
        token = re.search(r"X-CSRFToken&quot;: &quot;(\w+)|\"X-CSRFToken\": \"(\w+)", page)
        assert token is not None
        return self._open(
            self.base + path, urlencode(typed).encode(), **{"X-CSRFToken": token[1] or token[2]}
        )


def until(found: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if result := found():
                return result
        except urllib.error.HTTPError as error:
            if error.code not in (404, 503):
                raise
        time.sleep(0.2)
    raise AssertionError(f"not within {seconds:.0f} s: {what}")


@pytest.fixture
def api(cluster: Sandbox) -> Iterator[Api]:
    api = cluster.api()
    try:
        api.post(DEFINITIONS, DEFINITION)
    except ApiError as error:  # a run that was killed left it there
        assert error.status == 409
    yield api
    api.delete(f"{DEFINITIONS}/{PLURAL}")


@pytest.fixture
def server(cluster: Sandbox, tmp_path: Path) -> Iterator[Server]:
    path = tmp_path / "path"
    path.mkdir()
    install(path, "backups", "cluster_ui_backups", "1.2")
    write(path, "broken", "raise OSError('no disk')")
    write(path, "sour", SOUR, card="{{ never }}", page=PAGE)
    write(path, "old", 'CLUSTER_UI_INTERFACE = "0.9"')
    home = tmp_path / "home"
    home.mkdir()
    with Server(home, cluster.kubeconfig, PYTHONPATH=os.pathsep.join((str(path), str(HERE)))) as server:
        yield server


def test_a_custom_kind_has_its_columns_a_finding_an_action_and_a_card_beside_plugins_that_fail(
    server: Server, api: Api, namespace: str
) -> None:
    name = f"orders-{secrets.token_hex(2)}"
    path = f"/apis/demo.example.com/v1/namespaces/{namespace}/backups"
    spec = {"source": "orders", "everyHours": 24, "keep": 0}
    status = {"kept": [{"name": "orders-2026-01-01", "size": "3 GiB"}]}
    body = {"apiVersion": "demo.example.com/v1", "kind": "Backup", "metadata": {"name": name}, "spec": spec}
    until(lambda: _made(api, path, body | {"status": status}), "the definition is served")

    listed = server.manage("plugins")
    assert re.search(r"^backups +1\.2 +Active +1 kind, 1 rule and 2 more", listed, re.M)
    assert re.search(r"^broken +1\.0 +Failed to load .*OSError: no disk", listed, re.M)
    assert re.search(r"^old +1\.0 +Refused .*for version 0\.9 .*; this is 1\.0", listed, re.M)

    person = Person(server)
    context = "tests"
    until(lambda: person.json(f"/c/{context}/{PLURAL}/")["total"], "the kind is listed")
    (row,) = [each for each in person.json(f"/c/{context}/{PLURAL}/")["rows"] if each["name"] == name]
    assert (row["source"], row["how-often"], row["keeps"]) == ("orders", "every day", "nothing")

    here = f"/c/{context}/{PLURAL}/{namespace}/{name}/"
    (finding,) = person.json(here)["findings"]
    assert (finding["rule"], finding["next"]) == ("backups-keeps-nothing", "Keep at least one.")
    page = person.get(here)
    assert f'href="{here}retention/"' in page and f"{here}sour/" not in page  # what fails is not offered
    assert "orders-2026-01-01" in page and "3 GiB" in page
    assert "The plugin sour failed here." in page
    overview = person.get(f"/c/{context}/?namespace={namespace}")
    assert "keeps nothing" in overview, re.findall(
        r'<li id="problem.*?</li>', overview, re.S
    )  # beside a rule that fails

    clusters = person.get("/clusters/")
    person.post(f"/clusters/{context}/allow/", clusters)
    form = f"{here}retention/"
    shown = json.loads(person.post(form, clusters, format="json", step="preview", keep="3"))
    assert "keep=3" in shown["kubectl"] or '"keep":3' in shown["kubectl"]
    assert [line["text"].strip() for line in shown["diff"] if line["sign"] == "+"] == ["keep: 3"]
    done = json.loads(
        person.post(form, clusters, format="json", step="apply", keep="3", token=shown["token"])
    )
    assert api.get(f"{path}/{name}")["spec"]["keep"] == 3
    until(lambda: person.json(done["url"])["done"], "the change is followed to its end")
    until(lambda: person.json(here)["findings"] == [], "the finding goes")

    assert "Mara sees" in person.get(f"/c/{context}/plugins/sour/?who=Mara")
    told = person.get("/clusters/")
    for words in ("Failed to load", "OSError: no disk", "Failing", "RuntimeError: gone sour", "Refused"):
        assert words in told
    log = server.log.read_text()
    assert "plugin sour failed in" in log and "plugin broken: It failed to load" in log


def _made(api: Api, path: str, body: dict[str, Any]) -> bool:
    try:
        api.post(path, body)
    except ApiError as error:
        if error.status != 404:
            raise
        return False
    return True
