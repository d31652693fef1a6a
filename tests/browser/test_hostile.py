"""What others write into a cluster, to those who look at it: names, annotations, values, Events, logs and messages that
hold markup, links that run, control characters and marks that turn text around, or that are very long.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from playwright.sync_api import Dialog, Page, expect

from dashboard.kinds import KINDS
from tests.cluster.people import GROUP
from tests.cluster.place import RBAC, rule
from tests.cluster.test_every_action import TRIED

from .conftest import Objects
from .test_console import PAGES, UNBOUND, WEB, C, applied, changes, everything, word

__all__ = ["everything"]

MARKUP = '"\'><img src=x onerror="window.ran=1"><script>window.ran=1</script>'
LINK = "javascript:window.ran=1"
TURNED = "turned \u202e\u2066\u200b\x1b[31m\x07"
TEXT = f"{MARKUP} {LINK} {TURNED}"
NAME = "<img src=x onerror=window.ran=1>"  # of a Role, which may be anything without a slash
LONG = "long " + "x" * 900_000
ANNOTATIONS = {
    "example.com/note": TEXT,
    "example.com/link": LINK,
    "kubernetes.io/change-cause": TEXT,
    "meta.helm.sh/release-name": MARKUP,
    "meta.helm.sh/release-namespace": MARKUP,
    "argocd.argoproj.io/tracking-id": TEXT,
    "link.argocd.argoproj.io/external-link": LINK,
    "nginx.ingress.kubernetes.io/rewrite-target": LINK,
}
POD = {
    "containers": [
        {"name": "main", "image": "example/app:1", "args": [TEXT], "env": [{"name": "A", "value": TEXT}]}
    ]
}
# Of what scripts draw or fill in, in a browser; the others are read as they are sent.
DRAWN = (
    f"{C}/", f"{C}/?problems=all", f"{C}/map/?namespace={{ns}}", f"{C}/timeline/?namespace={{ns}}",
    f"{C}/events/?namespace={{ns}}", f"{C}/roles/?namespace={{ns}}", f"{C}/roles/{{ns}}/{quote(NAME)}/",
    f"{C}/search/?q={quote(NAME)}", f"{C}/access/?namespace={{ns}}&verb=delete&resource=pods&in={{ns}}",
    f"{C}/pods/{{ns}}/stuck/", f"{C}/ingresses/{{ns}}/web/", f"{C}/configmaps/{{ns}}/settings/values/",
    f"{C}/configmaps/{{ns}}/settings/edit/", WEB, f"{WEB}yaml/", f"{WEB}edit/", f"{WEB}events/", f"{WEB}timeline/",
    "/changes/?q=web", "/audit/?q=web", "/changes/{why}/",
)  # fmt: skip
TOLD = {
    f"{C}/events/?namespace={{ns}}",
    f"{C}/roles/?namespace={{ns}}",
    f"{C}/pods/{{ns}}/stuck/",
    WEB,
    f"{WEB}yaml/",
    "/changes/{why}/",
}
# Of a page as it was sent: an element that was never meant, and a link that runs.
LIVE = re.compile(
    r"""<img src=x|<script>window|\b(?:href|src|action|formaction)\s*=\s*["']?\s*javascript:""", re.I
)
# Of a page as it is drawn: these, that something ran, and a text that is turned around.
HARM = r"""() => [
  ...document.querySelectorAll("img[src=x], [onerror]"),
  ...["href", "src", "action"].flatMap((name) => [...document.querySelectorAll(`[${name}^='javascript:' i]`)]),
].map((each) => each.outerHTML.slice(0, 200)).concat(
  "ran" in window ? ["it ran"] : [],
  /[\u202a-\u202e\u2066-\u2069\u200b\x1b\x07]/.exec(document.body.innerText) ? ["it is turned around"] : [],
)"""


@pytest.fixture
def hostile(objects: Objects, namespace: str, everything: None) -> None:
    """All that is there, annotated by a field manager of that name, and what holds free text elsewhere."""
    api = objects.api

    def annotate(plural: str, name: str, **rest: object) -> None:
        path = KINDS[plural].gvr.path(namespace, name)
        api.patch(f"{path}?fieldManager={quote(NAME)}", {"metadata": {"annotations": ANNOTATIONS}, **rest})

    def make(path: str, name: str, annotations: Mapping[str, str] = ANNOTATIONS, **rest: object) -> None:
        path = path.format(ns=namespace)
        api.post(path, {"metadata": {"name": name, "annotations": annotations}, **rest})

    for case, (plural, *_) in TRIED.items():
        if plural not in UNBOUND:
            annotate(plural, word(case))
    for plural, name in (
        ("deployments", "web"),
        ("services", "web"),
        ("pods", "alone"),
        ("secrets", "database"),
    ):
        annotate(plural, name)
    annotate("configmaps", "settings", data={"MODE": TEXT, "LONG": LONG})
    core, rbac = "/api/v1/namespaces/{ns}", f"{RBAC}/namespaces/{{ns}}"
    log = {"sandbox.cluster-ui.dev/log": f"{TEXT}\n{LONG[:100_000]}"}
    make(f"{core}/pods", "loud", ANNOTATIONS | log, spec=POD)
    make(f"{core}/pods", "stuck", spec=POD | {"nodeSelector": {"no": "where"}})
    failed = {"phase": "Failed", "reason": MARKUP, "message": TEXT}
    api.patch(f"/api/v1/namespaces/{namespace}/pods/stuck/status", {"status": failed})
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    to_web = {"path": f"/{MARKUP}", "pathType": "ImplementationSpecific", "backend": backend}
    make(
        "/apis/networking.k8s.io/v1/namespaces/{ns}/ingresses", "web",
        spec={"rules": [{"host": "shop.example.com", "http": {"paths": [to_web]}}]},
    )  # fmt: skip
    make(f"{rbac}/roles", NAME, rules=[rule("", "pods", "delete")])
    role = {"apiGroup": GROUP, "kind": "Role", "name": NAME}
    make(
        f"{rbac}/rolebindings",
        LINK,
        roleRef=role,
        subjects=[{"apiGroup": GROUP, "kind": "User", "name": TEXT}],
    )
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    about = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "namespace": namespace}
    make(
        f"{core}/events", "told", involvedObject=about, type="Warning", reason=MARKUP, message=TEXT, count=1,
        source={"component": MARKUP}, firstTimestamp=now, lastTimestamp=now,
    )  # fmt: skip


@pytest.mark.usefixtures("changes_allowed", "hostile")
def test_what_others_wrote_is_text_on_every_page(page: Page, namespace: str) -> None:
    wrong: dict[str, object] = {}

    def asked(dialog: Dialog) -> None:
        wrong[page.url] = dialog.message
        dialog.dismiss()

    def harm(path: str) -> None:
        if found := page.evaluate(HARM):
            wrong[path] = found

    page.on("dialog", asked)
    made = changes(page, namespace)
    made["why"] = applied(page, WEB.format(ns=namespace) + "scale/", replicas="1", reason=f"{MARKUP} {LINK}")
    at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    names = {"ns": namespace, "at": quote(at), **made}
    for path in DRAWN:
        answer = page.goto(path.format(**names))
        assert answer is not None and answer.status == 200, path
        if page.locator("#fresh[data-freshness]").count():
            expect(page.locator("#fresh")).to_have_attribute("data-freshness", re.compile("live|past"))
        if path in TOLD:
            expect(page.locator("#page")).to_contain_text("<img src=x onerror=")
        harm(path)
    page.goto(f"{C}/pods/{namespace}/loud/logs/")
    expect(page.locator("#log li .words").first).to_contain_text(MARKUP)
    harm("logs")
    for path in PAGES:
        text = page.request.get(path.format(**names)).text()
        if found := LIVE.search(text):
            wrong[path] = text[max(0, found.start() - 80) : found.end() + 40]
    assert wrong == {}
