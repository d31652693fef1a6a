"""The console stays clean: on every page, form and tab, also while a reader goes on before the last page has come."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from django.urls import resolve
from playwright.sync_api import Browser, Page, expect

from dashboard.kinds import KINDS
from dashboard.live.screens.detail.tabs import TABS
from dashboard.views.doing import all_forms
from sandbox import Sandbox
from tests.cluster.test_every_action import AT, TRIED
from tests.cluster.test_matrix import patterns
from tools.server import Server

from .conftest import Objects

SLUG = "tests"
C = f"/c/{SLUG}"
# What belongs to no namespace is named after the one of the test.
UNBOUND = {plural for plural, *_ in TRIED.values() if not KINDS[plural].gvr.namespaced}


def word(case: str) -> str:
    """The name of the object that an action is tried on."""
    return case.replace(" ", "-")


def page_of(case: str) -> str:
    plural = TRIED[case][0]
    if plural == "namespaces":
        return f"{C}/namespaces/-/{{ns}}/"
    return (
        f"{C}/{plural}/-/{word(case)}-{{ns}}/" if plural in UNBOUND else f"{C}/{plural}/{{ns}}/{word(case)}/"
    )


def action_of(case: str) -> str:
    name = case.split()[0]
    return f"{page_of(case)}{AT.get(name, name)}/"


def tabs() -> Iterator[str]:
    """Each tab, on an object of the first kind that has it."""
    held = {plural: case for case, (plural, *_) in reversed(TRIED.items())}
    for each in TABS.values():
        case = next(case for plural, case in held.items() if each.fits(KINDS[plural]))
        yield page_of(case) + (f"{each.id}/" if each.id != "overview" else "")


# {at}: a moment of the record; {scaled}, {many}, {rotated} and {created}: changes.
WEB = f"{C}/deployments/{{ns}}/web/"
PAGES: Sequence[str] = tuple(
    dict.fromkeys(
        [
            *(f"{C}/{plural}/?namespace={{ns}}" for plural in KINDS),
            *(
                page_of(next(case for case in TRIED if TRIED[case][0] == plural))
                for plural, *_ in TRIED.values()
            ),
            *tabs(),
            *map(action_of, TRIED),
            *(f"{C}/create/{form.plural}/?namespace={{ns}}&type={form.variant}" for form in all_forms()),
            f"{C}/",
            f"{C}/?problems=all",
            f"{C}/?at={{at}}",
            f"{C}/map/?namespace={{ns}}",
            f"{C}/map/?namespace={{ns}}&view=list",
            f"{C}/map/?namespace={{ns}}&at={{at}}",
            f"{C}/deployments/?namespace={{ns}}&at={{at}}",
            f"{WEB}?at={{at}}",
            f"{C}/capacity/",
            f"{C}/certificates/?namespace={{ns}}",
            f"{C}/resilience/",
            f"{C}/resilience/?lose=zone/sandbox-a",
            f"{C}/recovery/",
            f"{C}/recovery/backup/",
            f"{C}/recovery/restore/",
            f"{C}/recovery/drill/",
            f"{C}/postmortem/",
            f"{C}/access/?namespace={{ns}}&kind=secrets&verb=delete&resource=pods&in={{ns}}",
            f"{C}/timeline/?namespace={{ns}}",
            f"{C}/search/",
            f"{C}/search/?q=web",
            f"{C}/search/?q=get pods -n {{ns}}",
            f"{C}/fields/?q=deploy",
            f"{C}/fields/Deployment/?path=spec.strategy.type",
            WEB,
            f"{C}/pods/{{ns}}/alone/",
            f"{C}/secrets/{{ns}}/database/rotate/",
            f"{C}/configmaps/{{ns}}/settings/values/",
            f"{C}/configmaps/{{ns}}/settings/edit/",
            f"{C}/create/services/?from=deployments/{{ns}}/web",
            f"{C}/create/?namespace={{ns}}",
            f"{C}/bulk/deployments/scale/?object={{ns}}/web",
            "/changes/",
            "/changes/{scaled}/",
            "/changes/{scaled}/undo/",
            "/changes/{many}/undo/",
            "/changes/{many}/follow/bulk-scale/",
            "/changes/{rotated}/follow/rotate/",
            "/changes/{created}/follow/create-all/",
            "/audit/",
            "/clusters/",
            "/sessions/",
            "/people/",
            "/",
        ]
    )
)
# To whoever is not signed in.
OUTSIDE = ("/login/", "/login/?token=none", f"/login/?next={C}/")
# What there is not, and what cannot be asked: of these the browser itself says that they are no success.
WRONG = {
    "/nowhere/": 404,
    "/c/nowhere/": 404,
    f"{C}/colours/": 404,
    f"{C}/pods/{{ns}}/nobody/": 404,
    f"{C}/plugins/nothing/": 404,
    f"{C}/pods/?page=x": 400,
    f"{C}/?at=nonsense": 400,
    f"{C}/?at=2020-01-01T00:00:00Z": 404,
    "/changes/999999/": 404,
    "/login/oidc/": 404,
}
NO_PAGES: Mapping[str, str] = {
    **dict.fromkeys(("healthz", "readyz", "metrics"), "for programs"),
    **dict.fromkeys(("counts", "value", "version", "offers", "log_line"), "a part of a page"),
    "log_download": "a file",
    **dict.fromkeys(
        (
            "login_link", "login_password", "logout", "sessions_end", "allow_changes", "forbid_changes", "cluster_add",
            "cluster_look", "cluster_rules", "cluster_remove", "people_remove", "audit_verify", "operation_stop",
            "operation_resume", "operation_leave", "columns", "reveal",
        ),
        "takes forms, and has no page",
    ),
    **dict.fromkeys(("login_token", "login_oidc_callback"), "this installation has no such sign-in"),
}  # fmt: skip


def test_every_route_that_shows_a_page_is_looked_at() -> None:
    looked_at = {
        str(resolve(re.sub(r"{\w+}", "1", path).partition("?")[0]).url_name)
        for path in (*PAGES, *OUTSIDE, *WRONG)
        if path != "/nowhere/"
    }
    assert looked_at | NO_PAGES.keys() == {str(each.name) for each in patterns()}
    assert not looked_at & NO_PAGES.keys()


@pytest.fixture
def said(page: Page) -> list[str]:
    return listening(page)


def listening(page: Page) -> list[str]:
    """What a page says in the console, whatever its weight, and what its scripts throw."""
    said: list[str] = []
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"thrown: {error}"))
    return said


def inhabit(objects: Objects, namespace: str) -> None:
    objects.deployment("web", 1)
    objects.service("web")
    objects.pod("alone")
    for plural, kind, rest in (
        ("configmaps", "ConfigMap", {"data": {"MODE": "fast", "app.yaml": "a: 1\n"}}),
        ("secrets", "Secret", {"type": "Opaque", "stringData": {"password": "only-for-this-test"}}),
    ):
        name = {"configmaps": "settings", "secrets": "database"}[plural]
        body = {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}}
        objects.api.post(f"/api/v1/namespaces/{namespace}/{plural}", body | rest)


@pytest.fixture
def everything(cluster: Sandbox, objects: Objects, namespace: str) -> Iterator[None]:
    """An object for each action besides."""
    inhabit(objects, namespace)
    api, unbound = cluster.api(), list[str]()
    for case, (plural, manifest, *_) in TRIED.items():
        gvr = KINDS[plural].gvr
        if plural == "namespaces":
            continue
        name = word(case) if gvr.namespaced else f"{word(case)}-{namespace}"
        path = gvr.path(namespace if gvr.namespaced else None)
        # Without labels: a ReplicaSet would take such a pod for its own.
        api.post(path, manifest | {"metadata": {"name": name}})
        if not gvr.namespaced:
            unbound.append(f"{path}/{name}")
    yield
    for path in unbound:
        api.delete(path)


APPLY = """async ([url, typed]) => {
  const headers = JSON.parse(document.body.getAttribute("hx-headers"));
  const body = (more) => new URLSearchParams({ ...typed, ...more });
  const send = (more) => fetch(`${url}?format=json`, { method: "POST", headers, body: body(more) });
  const preview = await (await send({ step: "preview" })).json();
  return await (await send({ step: "apply", token: preview.token })).json();
}"""


def applied(page: Page, url: str, **typed: str) -> str:
    """The number of a change that is made as a script makes it."""
    answer: dict[str, Any] = page.evaluate(APPLY, [url, typed])
    assert "change" in answer, answer
    return str(answer["change"])


def changes(page: Page, namespace: str) -> dict[str, str]:
    page.goto(f"{C}/deployments/?namespace={namespace}")
    expect(page.locator("#rows tr[data-name=web]")).to_be_visible()
    two = "".join(
        f"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: {namespace}}}\n"
        for name in ("one", "two")
    )
    return {
        "scaled": applied(page, WEB.format(ns=namespace) + "scale/", replicas="2"),
        "many": applied(page, f"{C}/bulk/deployments/scale/", replicas="3", object=f"{namespace}/web"),
        "rotated": applied(
            page, f"{C}/secrets/{namespace}/database/rotate/", key="password", value="only-for-this-test-2"
        ),
        "created": applied(page, f"{C}/create/", yaml=two),
    }


def look(page: Page, path: str, said: list[str]) -> int:
    """Opens a page, and looks at it until it is live, and at the preview where it has one. The answer's status."""
    status = 0
    for _ in range(3):  # a busy API server may refuse to answer once
        answer = page.goto(path)
        status = answer.status if answer else 0
        expect(page.locator("h1, .says").first).to_be_visible()
        if not page.locator("[data-retry]").count():
            break
        said.clear()
    if status < 400 and page.locator("#fresh[data-freshness]").count():
        expect(page.locator("#fresh")).to_have_attribute("data-freshness", re.compile("live|past"))
    for plot in page.locator(".plot[data-chart]:visible").all()[:2]:
        expect(plot.locator("svg").first).to_be_attached()
    preview = page.locator("#change").get_by_role("button", name="Preview", exact=True)
    if preview.count() and preview.is_enabled():
        preview.click()
        page.wait_for_function("() => !document.querySelector('.htmx-request')")
        # An empty form may be refused, in words on the page; the browser says so by itself.
        said[:] = [each for each in said if "the server responded with a status of 4" not in each]
    return status


@pytest.mark.usefixtures("changes_allowed", "everything")
def test_no_page_says_anything_in_the_console(page: Page, namespace: str, said: list[str]) -> None:
    made = changes(page, namespace)
    at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    names = {"ns": namespace, "at": quote(at), **made}
    wrong: dict[str, list[str]] = {}
    for path in PAGES:
        status = look(page, path.format(**names), said)
        if said or status >= 400:
            wrong[path] = [str(status), *dict.fromkeys(said)]
        said.clear()  # what it says when it is left counts for the next one
    assert wrong == {}


def test_what_is_wrong_is_all_that_an_error_says_in_the_console(
    page: Page, namespace: str, said: list[str]
) -> None:
    wrong: dict[str, list[str]] = {}
    for path, expected in WRONG.items():
        status = look(page, path.format(ns=namespace), said)
        rest = [each for each in said if f"the server responded with a status of {status}" not in each]
        if rest or status != expected:
            wrong[path] = [str(status), *rest]
        said.clear()
    assert wrong == {}


def test_the_way_in_says_nothing_in_the_console(browser: Browser, server: Server) -> None:
    with closing(browser.new_context(base_url=server.base)) as context:
        page = context.new_page()
        said = listening(page)
        for path in OUTSIDE:
            look(page, path, said)
            assert [each for each in said if "the server responded with a status of 4" not in each] == [], (
                path
            )


def test_going_on_before_a_page_has_come_says_nothing_in_the_console(
    page: Page, objects: Objects, namespace: str, said: list[str]
) -> None:
    inhabit(objects, namespace)
    page.goto(f"/c/{SLUG}/?namespace={namespace}")  # other tests have pods too
    expect(page.locator("#kinds")).to_be_visible()
    # Each click while the answer to the one before it is under way, and the same for the filter and going back.
    page.evaluate(
        """() => {
          for (const kind of ["pods", "deployments", "services", "nodes", "pods"])
            document.querySelector(`#kinds [data-nav=${kind}]`).click();
        }"""
    )
    expect(page.locator("#rows tr").first).to_be_visible()
    expect(page).to_have_url(re.compile("/pods/"))
    page.locator("#filter [name=q]").press_sequentially("alone", delay=5)
    expect(page.locator("#rows tr")).to_have_count(1)
    page.locator("#rows th a").click()
    expect(page.locator("h1")).to_contain_text("alone")
    page.evaluate(
        "history.back(); setTimeout(() => history.back(), 5); setTimeout(() => history.forward(), 10);"
    )
    expect(page.locator("#rows tr, h1").first).to_be_visible()
    page.locator("#kinds [data-nav=nodes]").click()
    expect(page.locator("#rows tr").first).to_be_visible()
    assert said == []


def test_what_only_said_that_nobody_answered_goes_when_somebody_does(
    page: Page, objects: Objects, namespace: str, server: Server
) -> None:
    objects.pod("one")
    page.goto(f"/c/{SLUG}/pods/?namespace={namespace}")
    expect(page.locator("#rows tr")).to_have_count(1)
    server.stop()
    try:
        page.locator("#rows th a").click()
        told = page.locator("[data-note]")
        expect(told).to_contain_text("does not answer")
        expect(page.locator("#fresh")).to_have_attribute("data-freshness", "reconnecting")
    finally:
        server.start()
    expect(page.locator("#fresh")).to_have_attribute("data-freshness", "live", timeout=60_000)
    expect(told).to_have_count(0)
    expect(page.locator("#rows tr")).to_have_count(1)
