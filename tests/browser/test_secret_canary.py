"""Canaries in Secrets: random values that must be found nowhere but in the one reveal.

The finder is shown first that it finds one in each of the places that are searched: pages, frames, the log (at its most
talkative), the files of the database. Each value has a core that no escaping changes (for a URL, JSON, HTML, Go), among
signs that each of them does change; it is looked for raw, in base64 at all three alignments, in base64 twice, and in hex.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from html import escape, unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from django.urls import resolve
from playwright.sync_api import (
    APIResponse,
    Browser,
    BrowserContext,
    Page,
    Response,
    StorageState,
    WebSocket,
    expect,
)

from sandbox import Sandbox
from sandbox.api import ApiError
from tests.cluster.test_every_action import TRIED
from tests.cluster.test_matrix import patterns
from tools.server import Server

from .conftest import Objects, faulty, sign_in, until
from .test_console import NO_PAGES, PAGES, changes, inhabit, page_of
from .test_rotate import SLUG, Shop

HX = {"HX-Request": "true", "HX-Target": "preview"}


C = f"/c/{SLUG}"
# Of objects that only the console's test has.
NOT_HERE = tuple(page_of(case) for case in TRIED if TRIED[case][0] != "namespaces")
FILES = (
    *(f"{path}?format={form}" for path in ("/audit/", "/changes/") for form in ("csv", "json")),
    *(f"{C}/{path}/?format=json" for path in ("map", "timeline", "capacity", "resilience", "recovery")),
    f"{C}/postmortem/?format=md",
    f"{C}/search/?q=database&format=json", f"{C}/secrets/?namespace={{ns}}&at={{at}}",
    f"{C}/secrets/{{ns}}/database/?at={{at}}",
)  # fmt: skip

SIGNS = '"<é>&%/+ '


def needles(value: str) -> list[bytes]:
    """The value as it may turn up: raw, in hex, and what base64 makes of it whatever stands before and after it."""
    raw = value.rpartition(SIGNS)[2].encode()
    return [
        raw,
        raw.hex().encode(),
        *_encoded(raw),
        *(twice for once in _encoded(raw) for twice in _encoded(once)),
    ]


def _encoded(raw: bytes) -> Iterator[bytes]:
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw)
        # The first and last signs depend on the neighbours.
        yield encoded[(4 if before else 0) : len(encoded) // 4 * 4 - 4]


class Aviary:
    """Values that must not be found, and every place where they might be."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.values: dict[str, str] = {}
        self.heard: list[tuple[str, bytes]] = []

    def new(self, name: str, signs: str = SIGNS) -> str:
        self.values[name] = f"{name}{signs}{secrets.token_hex(16)}"
        return self.values[name]

    def listen(self, page: Page) -> None:
        def answered(response: Response) -> None:
            if response.request.redirected_to is None and response.url.startswith(self.server.base):
                try:
                    self.heard.append((f"{response.request.method} {response.url}", response.body()))
                except Exception as error:  # the page went on before its body came
                    assert "body" in str(error) or "closed" in str(error) or "resource" in str(error), error

        def opened(socket: WebSocket) -> None:
            socket.on("framereceived", lambda frame: self.heard.append(("frame", _bytes(frame))))

        page.on("requestfinished", lambda request: answered(request.response()))
        page.on("websocket", opened)

    def hear(self, page: Page, what: str = "beat") -> None:
        """Waits for the next message of that kind."""
        sign, before = f'"t":"{what}"'.encode(), len(self.heard)
        until(page, lambda: any(sign in body for place, body in self.heard[before:] if place == "frame"))

    def visit(self, page: Page, path: str) -> None:
        """Opens a page and hears the first frame of its view, if it is one that is kept up to date."""
        page.goto(path)
        if page.locator("#page[data-live]").count():
            self.hear(page)

    def note(self, answer: APIResponse) -> APIResponse:
        headers = json.dumps(answer.headers).encode()
        self.heard.append((f"{answer.status} {answer.url}", answer.body() + headers))
        return answer

    def places(self) -> Iterator[tuple[str, bytes]]:
        yield from self.heard
        for path in sorted(self.server.home.iterdir()):
            if path.is_file():
                yield path.name, path.read_bytes()

    def found(self, only: str = "") -> list[tuple[str, str]]:
        """(value, place) of each that is found."""
        return [
            (name, place)
            for place, content in self.places()
            for name, value in self.values.items()
            if name.startswith(only) and any(needle in content for needle in needles(value))
        ]


def _bytes(frame: str | bytes) -> bytes:
    return frame.encode() if isinstance(frame, str) else frame


@pytest.fixture(scope="module")
def server(cluster: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that logs all it can."""
    home = tmp_path_factory.mktemp("talkative") / "home"
    with Server(home, cluster.kubeconfig, CLUSTER_UI_LOG_LEVEL="DEBUG") as server:
        yield server


@pytest.fixture(scope="module")
def session(browser: Browser, server: Server) -> StorageState:
    """The owner's, on that server."""
    return sign_in(browser, server)


def test_the_finder_finds_raw_and_encoded_values_at_every_alignment(server: Server) -> None:
    aviary = Aviary(server)
    value = aviary.new("tit")
    spellings: dict[str, Callable[[bytes], bytes]] = {
        "raw": bytes,
        "encoded": base64.b64encode,
        "for a URL": base64.urlsafe_b64encode,
        "twice": lambda text: base64.b64encode(base64.b64encode(text)),
        "hex": lambda text: text.hex().encode(),
        "URL": lambda text: quote(text).encode(),
        "JSON": lambda text: json.dumps(text.decode()).encode(),
        "HTML": lambda text: escape(text.decode()).encode(),
    }
    for before in range(4):
        for after in range(4):
            text = b"x" * before + value.encode() + b"y" * after
            aviary.heard = [(name, b"..." + spell(text) + b"...") for name, spell in spellings.items()]
            assert {place for _, place in aviary.found()} == {*spellings}, (before, after)
    aviary.heard = [("others", base64.b64encode(secrets.token_bytes(4096)))]
    assert aviary.found() == []


def test_the_finder_finds_one_in_page_frame_log_and_database(
    page: Page, context: BrowserContext, objects: Objects, server: Server
) -> None:
    """The positive control: names are no secret, so one that is a canary shows up everywhere it is looked for."""
    aviary = Aviary(server)
    name = aviary.new("robin", signs="")
    aviary.listen(page)
    page.goto(f"/c/{SLUG}/pods/?namespace={objects.namespace}")
    objects.pod(name)
    expect(page.locator("#rows")).to_contain_text(name)
    page.goto(f"/c/{SLUG}/pods/{objects.namespace}/{name}/")
    aviary.note(context.request.get(f"/c/{SLUG}/nothing-{name}/"))
    objects.api.post(
        f"/api/v1/namespaces/{objects.namespace}/secrets",
        {"metadata": {"name": name}, "stringData": {"a": "b"}},
    )
    with allowed(context):
        page.goto(f"/c/{SLUG}/secrets/{objects.namespace}/{name}/")
        page.get_by_role("button", name="Reveal a").click()
        expect(page.locator("#revealed pre")).to_have_text("b")
    for form in ("json", "csv", "tsv"):
        aviary.note(context.request.get(f"/c/{SLUG}/secrets/?namespace={objects.namespace}&format={form}"))
    aviary.visit(page, f"/c/{SLUG}/secrets/{objects.namespace}/{name}/yaml/")
    places = {place for _, place in aviary.found()}
    assert "frame" in places
    for end in ("format=json", "format=csv", "format=tsv", "/yaml/"):
        assert any(place.endswith(end) for place in places), end
    assert any(place.startswith("GET") for place in places)
    assert any(place.startswith("404") for place in places)
    assert "server.log" in places
    assert any("sqlite3" in place for place in places)


@contextmanager
def allowed(context: BrowserContext) -> Iterator[None]:
    """Changes to the cluster are allowed from here on, once."""
    page = context.new_page()
    page.goto("/clusters/")
    allow = page.get_by_role("button", name=re.compile("Allow changes"))
    if allow.count():
        allow.click()
        expect(allow).to_have_count(0)
    page.close()
    yield


@pytest.fixture
def post(page: Page, context: BrowserContext) -> Callable[..., APIResponse]:
    """Posts as the pages' own scripts do."""

    def send(path: str, **form: str) -> APIResponse:
        page.goto("/clusters/")
        headers = json.loads(page.locator("body").get_attribute("hx-headers") or "{}")
        return context.request.post(
            path, form=form, headers={**headers, **HX, "Referer": page.url}, max_redirects=0
        )

    return send


def test_no_value_of_a_secret_is_found_anywhere_but_in_the_one_reveal(
    page: Page, context: BrowserContext, objects: Objects, server: Server, post: Callable[..., APIResponse]
) -> None:
    aviary = Aviary(server)
    old, new, other, bad, last, quoted, lost = (
        aviary.new(name) for name in ("wren", "finch", "lark", "shrike", "owl", "crow", "swan")
    )
    with allowed(context):
        aviary.listen(page)
    shop = Shop(objects)
    applied = json.dumps({"stringData": {"password": old}})
    shop.api.patch(
        f"{shop.secrets}/database",
        {
            "metadata": {
                "annotations": {"kubectl.kubernetes.io/last-applied-configuration": applied, "note": old}
            },
            "stringData": {"password": old, "token": aviary.new("heron")},
        },
    )
    shop.workload("web", requires="(?!shrike).*")
    rotate = f"{shop.page}rotate/"

    # Looking around.
    for path in (
        shop.page, f"{shop.page}yaml/", f"{shop.page}events/", f"/c/{SLUG}/secrets/?namespace={shop.namespace}",
        f"/c/{SLUG}/secrets/?q={quote(old)}", f"/c/{SLUG}/", rotate,
    ):  # fmt: skip
        aviary.visit(page, path)
        aviary.note(context.request.get(path))
    # The address that was asked for comes back with the page, as it must: that one is no leak.
    aviary.heard = [(place, body) for place, body in aviary.heard if "?q=" not in place and place != "frame"]
    for form in ("json", "csv", "tsv"):
        aviary.note(context.request.get(f"/c/{SLUG}/secrets/?namespace={shop.namespace}&format={form}"))
    aviary.note(context.request.get(f"{shop.page}?format=json"))
    aviary.note(context.request.get("/metrics"))

    # Preview, apply, follow.
    page.goto(rotate)
    page.locator("[name=key][value=password]").check()
    page.locator("#value").fill(new)
    expect(page.locator("[data-apply]")).to_be_visible()
    # Conflict: somebody else writes in between.
    shop.api.patch(f"{shop.secrets}/database?fieldManager=kubectl-edit", {"stringData": {"password": other}})
    page.locator("[data-apply]").click()
    expect(page.locator("#preview")).to_contain_text("changed meanwhile")
    page.locator("[data-apply]").click()
    expect(page.locator("#operation-progress h2")).to_contain_text("is rotated", timeout=60_000)
    assert shop.value() == new

    # A value that fails, and the way back.
    page.goto(f"{rotate}?key=password")
    page.locator("#value").fill(bad)
    page.locator("[data-apply]").click()
    expect(page.locator("#operation-progress h2")).to_contain_text("does not come up", timeout=90_000)
    page.locator("#act-back").click()
    page.locator("[data-apply]").click()
    expect(page.locator("#operation-progress h2")).to_contain_text("is rotated", timeout=60_000)
    assert shop.value() == new

    # The backups are Secrets like others, and so is what reads the values.
    backups = [
        item["metadata"]["name"]
        for item in shop.api.get(shop.secrets)["items"]
        if "-backup-" in item["metadata"]["name"]
    ]
    assert len(backups) >= 2
    for path in (
        *(f"/c/{SLUG}/secrets/{shop.namespace}/{name}/{tab}" for name in backups for tab in ("", "yaml/", "rotate/")),
        f"/c/{SLUG}/deployments/{shop.namespace}/web/", f"/c/{SLUG}/deployments/{shop.namespace}/web/yaml/",
        f"/c/{SLUG}/events/?namespace={shop.namespace}", "/changes/?q=database",
    ):  # fmt: skip
        aviary.visit(page, path)
        aviary.note(context.request.get(path))
    for name in backups:
        aviary.note(context.request.get(f"/c/{SLUG}/secrets/{shop.namespace}/{name}/?format=json"))

    # Something breaks that nobody foresaw, after the value was written; the way back is looked at from there.
    with faulty(server, "crash"):
        page.goto(f"{rotate}?key=password")
        page.locator("#value").fill(lost)
        page.locator("[data-apply]").click()
        expect(page.locator("[data-note]")).to_contain_text("No answer")
    assert shop.value() == lost
    assert "nobody foresaw this" in server.log.read_text()
    page.goto("/changes/")
    until(page, lambda: bool(page.reload()) and page.locator("text=Found in the cluster").count() > 0)
    page.locator("tr", has_text="Found in the cluster").get_by_role("link", name="Rotate", exact=True).click()
    expect(page.locator("#operation-progress h2")).to_contain_text("is rotated", timeout=60_000)
    page.locator("#act-back").click()
    page.locator("[data-apply]").click()
    expect(page.locator("h1")).to_contain_text("Restore")
    expect(page.locator("#operation-progress h2")).to_contain_text("is rotated", timeout=60_000)
    assert shop.value() == new

    # What cannot be: errors of every kind with a value at hand.
    for wrong in (
        {"key": "password", "value": last, "encoding": "base64", "step": "preview"},
        {"key": "password", "value": last, "encoding": "rot13", "step": "preview"},
        {"key": "nothing", "value": last, "step": "preview"},
        {"key": "password", "value": last, "step": "apply", "token": "forged"},
        {"key": "password", "value": last, "step": "dance"},
        {"key": "password", "value": last * 60_000, "step": "preview"},
        {"value": last, "step": "apply"},
    ):
        assert aviary.note(post(rotate, **wrong)).status >= 400
    assert aviary.note(post(f"{shop.page}reveal/", key="nothing")).status == 404
    assert aviary.note(post(f"/c/{SLUG}/deployments/{shop.namespace}/web/reveal/", key="x")).status == 404

    # Rules of the cluster that quote the value: one for the backup that is made before anything is written, one for the
    # write itself.
    with quoting(shop, "CREATE", "string(object.data.password)"):
        in_force = "You won't be able to undo this"
        until(
            page,
            lambda: in_force in unescape(post(rotate, key="password", value=last, step="preview").text()),
        )
        page.goto(f"{rotate}?key=password")
        page.locator("#value").fill(last)
        expect(page.locator("#preview")).to_contain_text("You won't be able to undo this")
        expect(page.locator("#preview")).to_contain_text("You wrote (hidden)")
    with quoting(shop, "UPDATE", "string(object.data.password) + ' over ' + string(oldObject.data.password)"):
        refused = post(rotate, key="password", value=quoted, step="preview")
        for _ in range(50):
            if refused.status == 422:
                break
            page.wait_for_timeout(100)
            refused = post(rotate, key="password", value=quoted, step="preview")
        assert "You wrote" in aviary.note(refused).text()
    # An immutable Secret; one that is gone.
    for _ in range(50):
        try:
            shop.api.patch(f"{shop.secrets}/database", {"immutable": True})
            break
        except ApiError:  # the rule is on its way out
            page.wait_for_timeout(100)
    assert aviary.note(post(rotate, key="password", value=last, step="preview")).status >= 400
    for path in ("/audit/", "/changes/", shop.page, f"{shop.page}yaml/"):
        aviary.visit(page, path)
        aviary.note(context.request.get(path))

    assert aviary.found() == []

    # The one reveal, and nothing of it in the frames, the log or the database.
    page.goto(shop.page)
    page.get_by_role("button", name="Reveal password").click()
    expect(page.locator("#revealed pre")).to_have_text(new)
    aviary.hear(page)  # whatever is said of the reveal comes before the next beat
    assert {place for _, place in aviary.found()} == {f"POST {server.base}{shop.page}reveal/"}
    shop.api.delete(f"{shop.secrets}/database")
    assert aviary.note(post(rotate, key="password", value=last, step="preview")).status == 404
    assert aviary.found(only="owl") == []


@contextmanager
def quoting(shop: Shop, on: str, what: str) -> Iterator[None]:
    """A ValidatingAdmissionPolicy that refuses every such write of a Secret here and repeats what was written."""
    name = f"test-{secrets.token_hex(4)}"
    admission = "/apis/admissionregistration.k8s.io/v1"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": [on], "resources": ["secrets"]}
    said = f"'You wrote ' + {what}"
    spec = {
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": "false", "messageExpression": said}],
    }
    here = {"matchLabels": {"kubernetes.io/metadata.name": shop.namespace}}
    bound: dict[str, Any] = {
        "policyName": name,
        "validationActions": ["Deny"],
        "matchResources": {"namespaceSelector": here},
    }
    shop.api.post(f"{admission}/validatingadmissionpolicies", {"metadata": {"name": name}, "spec": spec})
    try:
        shop.api.post(
            f"{admission}/validatingadmissionpolicybindings", {"metadata": {"name": name}, "spec": bound}
        )
        yield
    finally:
        for plural in ("validatingadmissionpolicybindings", "validatingadmissionpolicies"):
            shop.api.delete(f"{admission}/{plural}/{name}")


def test_the_database_is_searched_where_it_is(server: Server) -> None:
    """The files that are searched are those that the server writes."""
    kept = {path.name for path in Path(server.home).iterdir()}
    assert {"cluster-ui.sqlite3", "server.log"} <= kept


def test_no_value_of_a_secret_that_is_created_by_form_is_found_anywhere(
    page: Page, context: BrowserContext, objects: Objects, server: Server, post: Callable[..., APIResponse]
) -> None:
    aviary = Aviary(server)
    user, word, key = (aviary.new(name) for name in ("finch", "wren", "heron"))
    with allowed(context):
        aviary.listen(page)
    form = f"/c/{SLUG}/create/secrets/?namespace={objects.namespace}"
    page.goto(f"{form}&type=registry&password=from-an-address")
    page.locator("#name").fill("pull")
    page.locator("#username").fill(user)
    expect(page.locator("#password")).to_have_value("")
    page.locator("#password").fill(word)
    expect(page.locator("#preview")).to_contain_text("••••••")
    page.locator(".btns button[value=preview]").click()
    expect(page.locator("#preview .diff")).to_contain_text("(hidden), new value")
    expect(page.locator("#password")).to_have_value(word)  # what was typed stays
    page.locator("[data-apply]").click()
    page.wait_for_url("**/changes/*/")
    aviary.hear(page)
    for variant in ("tls", "ssh-auth", "basic-auth", "opaque"):
        typed = {
            "name": "bird", "namespace": objects.namespace, "certificate": key, "key": key, "privatekey": key,
            "username": user, "password": key, "data.key": "a", "data.value": key,
        }  # fmt: skip
        for step in ("check", "preview", "yaml"):
            aviary.note(post(f"{form}&type={variant}", **typed, step=step))
    for path in ("", "yaml/", "events/"):
        aviary.visit(page, f"/c/{SLUG}/secrets/{objects.namespace}/pull/{path}")
    aviary.visit(page, "/changes/")
    aviary.visit(page, "/audit/")
    assert aviary.found() == []


def test_no_value_of_a_secret_that_is_created_from_yaml_is_found_anywhere(
    page: Page, context: BrowserContext, objects: Objects, server: Server, post: Callable[..., APIResponse]
) -> None:
    aviary = Aviary(server)
    first, second, refused = (aviary.new(name) for name in ("magpie", "jay", "rook"))
    with allowed(context):
        aviary.listen(page)
    form = f"/c/{SLUG}/create/?namespace={objects.namespace}"

    def text(value: str, kind: str = "ConfigMap") -> str:
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "bird"},
            "stringData": {"a": value},
        }
        other = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "nest"}, "data": {"x": "y"}}
        return f"{json.dumps(secret)}\n---\n{json.dumps(other)}\n"

    for value, rows in ((first, 2), (second, 2)):
        page.goto(form)
        page.locator("#yaml").fill(text(value, "Nothing"))
        page.locator("button[value=preview]").click()
        expect(page.locator("#preview .callout.bad")).to_contain_text("no kind Nothing")
        page.locator("#yaml").fill(text(value))
        page.locator("button[value=preview]").click()
        expect(page.locator("#preview .diff")).to_contain_text("(hidden), new value")
        page.locator("[data-apply]").click()
        expect(page.locator("#operation-results tbody tr")).to_have_count(rows)
        aviary.hear(page)
    with quoting(Shop(objects), "UPDATE", "string(object.data.a) + ' over ' + string(oldObject.data.a)"):
        answer = post(form, yaml=text(refused), step="preview", namespace=objects.namespace)
        for _ in range(50):
            if answer.status == 422:
                break
            page.wait_for_timeout(100)
            answer = post(form, yaml=text(refused), step="preview", namespace=objects.namespace)
        assert "You wrote (hidden)" in unescape(aviary.note(answer).text())
    for wrong in (
        {"step": "apply", "token": "forged", "reason": f"because {refused}"},
        {"step": "dance"},
        {"step": "preview", "format": "json", "namespace": "Not One"},
    ):
        aviary.note(post(form, **({"yaml": text(refused), "namespace": objects.namespace} | wrong)))
    # Without scripts the whole page comes back, and not what was typed.
    plain = {"yaml": f"{text(refused)}---\n\ta: b", "step": "preview"}
    token = page.locator("body").get_attribute("hx-headers") or "{}"
    sent = context.request.post(form, form=plain, headers={**json.loads(token), "Referer": page.url})
    assert aviary.note(sent).status == 400 and "indented with a tab" in sent.text()
    for path in ("/audit/", "/changes/"):
        aviary.visit(page, path)
        aviary.note(context.request.get(path))
    assert aviary.found() == []


def test_no_value_is_found_on_the_pages_and_in_the_forms_of_what_uses_a_secret(
    page: Page, context: BrowserContext, objects: Objects, server: Server, post: Callable[..., APIResponse]
) -> None:
    """Its replacement from preview to undo, and every form that names it, lists its keys or changes many of its kind."""
    aviary = Aviary(server)
    old, kept, new, wrong = (aviary.new(name) for name in ("thrush", "robin", "linnet", "raven"))
    with allowed(context):
        aviary.listen(page)
    shop, ns = Shop(objects), objects.namespace
    shop.api.patch(
        f"{shop.secrets}/database", {"immutable": True, "stringData": {"password": old, "token": kept}}
    )
    shop.workload("web", requires=".*")
    objects.api.post(
        f"/api/v1/namespaces/{ns}/configmaps", {"metadata": {"name": "settings"}, "data": {"LOG": "info"}}
    )
    deployment, secret = f"/c/{SLUG}/deployments/{ns}/web/", f"/c/{SLUG}/secrets/{ns}/"
    for path in (
        f"{shop.page}replace/", f"{shop.page}delete/", f"{shop.page}edit/", f"{deployment}form/", f"{deployment}edit/",
        f"{deployment}env/", f"{deployment}restart/", f"{deployment}rollback/",
        f"/c/{SLUG}/configmaps/{ns}/settings/versions/",
        f"/c/{SLUG}/nodes/-/worker-a1/drain/", f"/c/{SLUG}/namespaces/-/{ns}/", f"/c/{SLUG}/namespaces/-/{ns}/delete/",
        f"/c/{SLUG}/certificates/?namespace={ns}", f"/c/{SLUG}/bulk/secrets/delete/?object={ns}/database",
        f"/c/{SLUG}/create/deployments/?from=secrets/{ns}/database", f"/c/{SLUG}/create/ingresses/?namespace={ns}",
    ):  # fmt: skip
        aviary.visit(page, path)
        aviary.note(context.request.get(path))

    # Forms that look at its keys, and one preview of many.
    variable = {"env.name": "P", "env.source": "secrets", "env.from": "database", "env.key": "nothing"}
    image = {"name": "web-2", "namespace": ns, "image": "example/app:1", "replicas": "1"}
    for path, typed, says in (
        (f"/c/{SLUG}/create/deployments/", image | variable | {"step": "check"}, "has no key nothing"),
        (f"{deployment}form/", image | variable | {"step": "check"}, "has no key nothing"),
        (
            f"{deployment}env/",
            {"keys.main": "P=secret/database/nothing", "step": "preview"},
            "has no key nothing",
        ),
        (f"{deployment}env/", {"keys.main": "P=secret/database/token", "step": "preview"}, "from key token"),
        (f"/c/{SLUG}/bulk/secrets/delete/", {"object": f"{ns}/database", "step": "preview"}, "database"),
        (f"{shop.page}delete/", {"step": "preview"}, "web"),
        (f"{shop.page}edit/", {"yaml": f"kind: Secret\ndata: {wrong}", "step": "preview"}, ""),
        (f"/c/{SLUG}/nodes/-/worker-a1/drain/", {"force": "on", "step": "preview"}, ""),
    ):
        assert says in re.sub(r"<[^>]*>", "", unescape(aviary.note(post(path, **typed)).text())), path

    # The replacement: errors of every kind, then what is right, followed and undone.
    replace, asked = f"{shop.page}replace/", {"new_name": "database-2", "value.password": wrong}
    for typed in (
        asked | {"new_name": "database", "step": "preview"},
        asked | {"new_name": f"Not {wrong}"[:40], "value.password": "x", "step": "preview"},
        asked | {"encoding.password": "base64", "step": "preview"},
        asked | {"step": "apply", "token": "forged"},
        asked | {"step": "dance"},
        {"new_name": "database-2", "value.nothing": wrong, "step": "preview"},
    ):
        aviary.note(post(replace, **typed))
    page.goto(replace)
    page.locator("#new_name").fill("database-2")
    page.locator('[data-one="value.password"] textarea').fill(new)
    page.locator("[data-apply]").click()
    follow = page.locator("#operation-progress .st.done").first
    expect(follow).to_be_visible(timeout=120_000)
    written = objects.api.get(f"{shop.secrets}/database-2")["data"]
    assert base64.b64decode(written["password"]).decode() == new
    assert base64.b64decode(written["token"]).decode() == kept
    aviary.note(context.request.get(re.sub(r"follow/.*", "?format=json", page.url)))
    page.locator("#act-back").click()
    page.locator("[data-apply]").click()
    expect(page.locator("h1")).to_contain_text(re.compile("Undo|Restore"))
    expect(follow).to_be_visible(timeout=120_000)
    for path in (
        f"{secret}database-2/",
        f"{secret}database-2/yaml/",
        deployment,
        f"{deployment}yaml/",
        "/audit/",
        "/changes/",
    ):
        aviary.visit(page, path)
        aviary.note(context.request.get(path))
    assert aviary.found() == []


def test_no_value_of_a_secret_is_found_on_any_page_as_it_is_sent_nor_in_a_file(
    page: Page, context: BrowserContext, objects: Objects, server: Server
) -> None:
    """Each page of the dashboard, also as of a moment ago, and what it exports: no browser is needed to read them."""
    aviary, ns = Aviary(server), objects.namespace
    with allowed(context):
        inhabit(objects, ns)
    values = {"password": aviary.new("serin"), "token": aviary.new("siskin")}
    objects.api.patch(f"/api/v1/namespaces/{ns}/secrets/database", {"stringData": values})
    at = quote(datetime.now(UTC).isoformat().replace("+00:00", "Z"))
    names = changes(page, ns) | {"ns": ns, "at": at}
    looked_at = set[str]()
    for path in (*(each for each in PAGES if not each.startswith(NOT_HERE)), *FILES):
        answer = aviary.note(context.request.get(path.format(**names)))
        assert answer.ok, path
        looked_at.add(str(resolve(urlsplit(answer.url).path).url_name))
    # What leads on, is for whoever is not signed in, or is not installed.
    besides = {"home", "login", "login_oidc", "plugin"}
    assert looked_at == {str(each.name) for each in patterns()} - NO_PAGES.keys() - besides
    assert aviary.found() == []
