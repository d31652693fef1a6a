"""axe-core finds nothing serious on any page, in both themes and on a small screen; no page scrolls sideways, and Tab
reaches whatever can be used.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, StorageState, TimeoutError, ViewportSize, expect

from dashboard.kinds import KINDS
from sandbox import Sandbox
from tests.unit.kinds.capture import place, remove
from tests.unit.kinds.server import Server as ApiServer
from tests.unit.kinds.shapes import SHAPES
from tools.server import Server

from .conftest import WIDE, Objects

AXE = (Path(__file__).parent / "vendor/axe/axe.min.js").read_text()
SERIOUS = ["serious", "critical"]
# What axe-core finds of the given weights. The rules that have nothing of them to tell, by their own word and by that
# of each of their checks, are not run; `only` names rules that alone are.
FOUND = """async ([weights, only]) => {
  const checks = axe._audit.data.checks;
  const tells = (rule) => [rule, ...[...rule.any, ...rule.all, ...rule.none].map((check) => checks[check.id ?? check])]
    .some((each) => weights.includes(each?.impact));
  const rules = Object.fromEntries(axe._audit.rules.filter((rule) => !tells(rule)).map(({id}) => [id, {enabled: false}]));
  const {violations} = await axe.run(document, {resultTypes: ["violations"], ...(only ? {runOnly: only} : {rules})});
  return violations.filter(({impact}) => weights.includes(impact));
}"""
# The rules that a colour can break: the style sheets know of dark and light by `light-dark()`, which gives colours.
COLOURS = ["color-contrast", "link-in-text-block"]
# What a namespace of these tests holds is made by `inhabited`; {ns} is its name.
PAGES = [
    "/c/tests/",
    "/c/tests/map/",
    "/c/tests/map/?namespace={ns}",
    "/c/tests/map/?namespace={ns}&view=list",
    "/c/tests/capacity/",
    "/c/tests/certificates/",
    "/c/tests/resilience/?lose=zone/sandbox-a",
    "/c/tests/recovery/",
    "/c/tests/recovery/backup/",
    "/c/tests/recovery/restore/",
    "/c/tests/recovery/drill/",
    "/c/tests/postmortem/",
    "/c/tests/access/?namespace={ns}&kind=secrets&verb=delete&resource=pods&in={ns}",
    "/c/tests/access/?scope=cluster",
    "/c/tests/timeline/",
    "/c/tests/timeline/?namespace={ns}",
    "/c/tests/search/?q=web",
    "/c/tests/search/?q=nothing-is-called-so",
    "/c/tests/pods/",
    "/c/tests/deployments/?namespace={ns}",
    "/c/tests/events/",
    "/c/tests/secrets/?namespace=nowhere",
    "/c/tests/pods/?q=no-pod-is-called-so",
    "/c/tests/deployments/{ns}/web/",
    "/c/tests/deployments/{ns}/web/timeline/",
    "/c/tests/deployments/{ns}/web/events/",
    "/c/tests/deployments/{ns}/web/yaml/",
    "/c/tests/deployments/{ns}/web/logs/",
    "/c/tests/deployments/{ns}/web/scale/",
    "/c/tests/deployments/{ns}/web/edit/",
    "/c/tests/deployments/{ns}/web/form/",
    "/c/tests/services/{ns}/web/form/",
    "/c/tests/create/?namespace={ns}",
    "/c/tests/fields/",
    "/c/tests/fields/Deployment/?apiVersion=apps/v1&path=spec.template.spec.containers",
    "/c/tests/create/services/?from=deployments/{ns}/web",
    "/c/tests/create/deployments/?namespace={ns}",
    "/c/tests/create/ingresses/?from=services/{ns}/web",
    "/c/tests/create/secrets/?namespace={ns}&type=tls",
    "/c/tests/deployments/{ns}/web/delete/",
    "/c/tests/deployments/{ns}/web/restart/",
    "/c/tests/deployments/{ns}/web/pause/",
    "/c/tests/deployments/{ns}/web/rollback/",
    "/c/tests/deployments/{ns}/web/image/",
    "/c/tests/deployments/{ns}/web/resources/",
    "/c/tests/deployments/{ns}/web/env/",
    "/c/tests/services/{ns}/web/",
    "/c/tests/configmaps/{ns}/settings/",
    "/c/tests/configmaps/{ns}/settings/values/",
    "/c/tests/configmaps/{ns}/settings/edit/",
    "/c/tests/secrets/{ns}/database/",
    "/c/tests/secrets/{ns}/database/rotate/",
    "/c/tests/secrets/{ns}/database/replace/",
    "/c/tests/configmaps/{ns}/settings/versions/",
    "/c/tests/namespaces/-/{ns}/",
    "/c/tests/namespaces/-/{ns}/form/",
    "/c/tests/bulk/deployments/scale/?object={ns}/web",
    "/c/tests/pods/{ns}/alone/",
    "/c/tests/pods/{ns}/alone/logs/",
    "/c/tests/pods/{ns}/alone/shell/",
    "/c/tests/pods/{ns}/alone/debug/",
    "/c/tests/pods/{ns}/alone/delete/",
    "/c/tests/nodes/-/worker-a1/drain/",
    "/c/tests/clusterroles/-/view/",
    "/c/tests/pods/{ns}/no-such-pod/",
    "/changes/",
    "/audit/",
    "/clusters/",
    "/sessions/",
    "/people/",
    "/c/tests/no-such-kind/",
    "/c/no-such-cluster/",
]
# Kinds known from the API server alone.
OTHERS = ["customresourcedefinitions.apiextensions.k8s.io", "flowschemas.flowcontrol.apiserver.k8s.io"]
ALREADY_THERE = {"namespaces", "nodes", "events"}


@pytest.fixture(scope="module")
def inhabited(cluster: Sandbox, changes_allowed: None) -> Iterator[str]:
    """A namespace with one of each that the pages show, and that may be changed: else a form is a sentence."""
    name = f"test-{secrets.token_hex(4)}"
    api = cluster.api()
    api.post("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    objects = Objects(cluster, name)
    objects.deployment("web", 2)
    objects.service("web")
    container = {"name": "main", "image": "example/app:2"}
    second = {"spec": {"template": {"spec": {"containers": [container]}}}}
    api.patch(f"/apis/apps/v1/namespaces/{name}/deployments/web", second)
    objects.pod("alone", app="alone")
    for plural, kind, rest in (
        ("configmaps", "ConfigMap", {"data": {"MODE": "fast", "app.yaml": "a: 1\n"}}),
        ("secrets", "Secret", {"type": "Opaque", "stringData": {"password": "only-for-this-test"}}),
    ):
        body = {
            "apiVersion": "v1",
            "kind": kind,
            "metadata": {"name": {"configmaps": "settings"}.get(plural, "database")},
        }
        api.post(f"/api/v1/namespaces/{name}/{plural}", body | rest)
    yield name
    api.delete(f"/api/v1/namespaces/{name}")


SMALL: ViewportSize = {"width": 320, "height": 700}


@contextmanager
def signed_in(
    browser: Browser, server: Server, session: StorageState, theme: Literal["light", "dark"] = "light"
) -> Iterator[Page]:
    context = browser.new_context(
        base_url=server.base,
        color_scheme=theme,
        viewport=WIDE,
        storage_state=session,
        bypass_csp=True,  # axe is put into the page as a script, which the policy rightly refuses
    )
    with closing(context):
        yield context.new_page()


@pytest.fixture(scope="module")
def reader(browser: Browser, server: Server, session: StorageState) -> Iterator[Page]:
    """A signed-in page of no fixed size."""
    with signed_in(browser, server, session) as page:
        yield page


@pytest.fixture(scope="module", params=["wide", "small"])
def sized(reader: Page, request: pytest.FixtureRequest) -> Page:
    """The page on a large screen, or on one of 320 px."""
    reader.set_viewport_size(SMALL if request.param == "small" else WIDE)
    return reader


def serious(page: Page, only: list[str] | None = None) -> list[str]:
    """What axe-core finds on the page as it is now, where it would keep somebody out."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    found: list[dict[str, Any]] = page.evaluate(FOUND, [SERIOUS, only])
    return [
        f"{each['id']}: {each['help']} – {node['html'][:200]} – {node['failureSummary'][:300]}"
        for each in found
        for node in each["nodes"][:3]
    ]


def in_the_dark(page: Page) -> list[str]:
    """What axe-core finds where the page that is shown turns dark, which changes its colours."""
    page.emulate_media(color_scheme="dark")
    try:
        return [f"dark: {each}" for each in serious(page, COLOURS)]
    finally:
        page.emulate_media(color_scheme="light")


BEYOND = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def too_wide(page: Page) -> int:
    """By how many px the page is wider than the screen."""
    return int(page.evaluate(BEYOND))


def visit(page: Page, path: str) -> None:
    page.goto(path)
    page.locator("#page").wait_for()
    page.wait_for_function("() => document.querySelector('#fresh, .says, .head, h1') !== null")
    if page.locator("[data-editor]").count():
        expect(page.locator(".cm-content")).to_be_visible()


# What the reader can use, as Tab should find it: of radio buttons with one name only one is a stop, and an unfolded
# <details> is one through its <summary>. Each stop is noted with whether it shows that it has the focus.
NOTE_STOPS = """() => {
  const usable = (each) => each.tabIndex >= 0 && !each.disabled && each.checkVisibility({visibilityProperty: true})
    && !each.closest("[inert]") && (each.type !== "radio" || each.checked);
  const all = "a[href], button, input, select, textarea, summary, [tabindex]";
  const stops = [...document.querySelectorAll(all)].filter(usable);
  window.missed = new Set(stops);
  window.unseen = new Set();
  const shows = (each) => [null, "::after"].some((part) => {
    const {outlineStyle, outlineWidth, boxShadow} = getComputedStyle(each, part);
    return (outlineStyle !== "none" && parseFloat(outlineWidth) > 0) || boxShadow !== "none";
  });
  document.addEventListener("focusin", ({target}) => {
    missed.delete(target);
    const around = target.closest(".cm-editor") ?? target.parentElement;
    if (!shows(target) && !(around && shows(around))) unseen.add(target);
  });
  return stops.length;
}"""
# A script may have made one stop of many meanwhile, with arrow keys between them.
NAMES = """(which) => [...window[which]].filter((each) => each.isConnected && each.tabIndex >= 0)
  .map((each) => each.outerHTML.slice(0, 160))"""


@pytest.mark.parametrize("path", PAGES)
def test_nothing_serious_no_page_scrolls_sideways_and_tab_shows_where_it_is(
    reader: Page, inhabited: str, path: str
) -> None:
    """In both themes, and opened on a small screen; Tab, which changes where a page is, comes last on each."""
    page, path = reader, path.format(ns=inhabited)
    page.set_viewport_size(SMALL)
    visit(page, path)
    wrong = [f"small: {each}" for each in serious(page)]
    assert too_wide(page) <= 0
    page.set_viewport_size(WIDE)
    visit(page, path)
    wrong += serious(page) + in_the_dark(page)
    assert too_wide(page) <= 0
    stops = page.evaluate(NOTE_STOPS)
    assert stops > 3
    for _ in range(stops + 10):
        page.keyboard.press("Tab")
    wrong += [f"Tab misses {each}" for each in page.evaluate(NAMES, "missed")]
    wrong += [f"no focus is seen at {each}" for each in page.evaluate(NAMES, "unseen")]
    assert wrong == []


def test_an_open_shell_with_its_screen_reader_mode(reader: Page, inhabited: str) -> None:
    page = reader
    page.set_viewport_size(WIDE)
    visit(page, f"/c/tests/pods/{inhabited}/alone/shell/")
    page.get_by_role("button", name="Start shell").click()
    expect(page.locator(".xterm-rows")).to_contain_text(re.compile(r"[$#]"))
    page.keyboard.press("Control+Shift+F")
    assert serious(page) == []
    page.keyboard.press("Escape")
    page.get_by_label("Screen reader").check()
    expect(page.locator(".xterm-accessibility")).to_contain_text(re.compile(r"[$#]"))
    assert serious(page) == []
    page.get_by_role("button", name="End session").click()
    expect(page.get_by_text("Session ended")).to_be_visible()


OPENED: dict[str, tuple[str, Callable[[Page], None]]] = {
    "palette": ("/c/tests/pods/", lambda page: page.keyboard.press("Control+k")),
    "namespaces": ("/c/tests/pods/", lambda page: page.locator("#namespaces summary").click()),
    "columns": ("/c/tests/pods/", lambda page: page.locator("#columns summary").click()),
    "account": ("/c/tests/pods/", lambda page: page.locator(".person summary").click()),
    "help": ("/c/tests/pods/", lambda page: page.keyboard.press("?")),
}


@pytest.mark.parametrize("what", OPENED)
def test_nothing_serious_in_what_opens_over_a_page(sized: Page, inhabited: str, what: str) -> None:
    path, open_it = OPENED[what]
    visit(sized, path)
    open_it(sized)
    expect(sized.locator("dialog[open], details[open] > .pop").first).to_be_visible()
    assert serious(sized) + in_the_dark(sized) == []
    assert too_wide(sized) <= 0


@pytest.fixture(scope="module")
def one_of_each(cluster: Sandbox, inhabited: str) -> Iterator[dict[str, str]]:
    """The name of an object of every kind."""
    names: dict[str, str] = {}
    try:
        with ApiServer(cluster.kubeconfig) as server:
            for plural in (each for each in KINDS if each not in ALREADY_THERE):
                manifest = SHAPES[plural]()[0]
                names[plural] = manifest["metadata"]["name"]
                place(server, KINDS[plural], manifest, inhabited)
        yield names | dict.fromkeys(ALREADY_THERE, "")
    finally:
        with ApiServer(cluster.kubeconfig) as server:
            for plural, name in names.items():
                remove(server, KINDS[plural], name, inhabited)


@pytest.mark.parametrize("plural", [*KINDS, *OTHERS])
def test_nothing_serious_on_the_list_and_the_page_of_every_kind(
    reader: Page, one_of_each: dict[str, str], plural: str
) -> None:
    page = reader
    page.set_viewport_size(WIDE)
    visit(page, f"/c/tests/{plural}/")
    row = page.locator("#list tbody a", has_text=one_of_each.get(plural, "")).first
    expect(row).to_be_visible()
    assert serious(page) == []
    row.click()
    expect(page.locator("h1")).to_be_visible()
    assert serious(page) == []
    page.set_viewport_size(SMALL)
    with suppress(TimeoutError):  # charts draw themselves anew, some time after
        page.wait_for_function(f"() => {BEYOND} <= 0", timeout=10_000)
    assert too_wide(page) <= 0
    assert serious(page) == []


# Something of each weight, for rules of every sort.
BROKEN = """<!doctype html><html><head><meta name="viewport" content="user-scalable=no"></head><body>
<h4>Broken</h4><img src="data:,"><button></button><a href="/"></a><input><select><option>one</select>
<p style="color: #eee">Pale.</p><p lang="xx-nonsense">x</p><ul><p>no item</p></ul><li>x</li><dl><p>x</p></dl><dd>x</dd>
<div role="checkbox"></div><div role="nonsense" aria-nonsense="1" aria-hidden="maybe">x</div><div role="meter"></div>
<div role="tablist"><span>none</span></div><button><a href="/">both</a></button><span aria-label="x">no role</span>
<div tabindex="5" accesskey="a">first</div><div tabindex="6" accesskey="a">second</div><div role="progressbar"></div>
<svg role="img"></svg><div style="height: 2em; overflow: auto"><p style="height: 9em">far</p></div>
<div aria-hidden="true"><button>hidden</button></div><p>A link <a href="/" style="color: #333; text-decoration: none">like
this</a> in words.</p><table><tr><th></th><td headers="none" scope="nonsense">x</td></tr></table></body></html>"""
PALE = """<!doctype html><html lang="en" style="color-scheme: light dark"><title>Pale</title>
<body style="background: light-dark(#fff, #000); color: light-dark(#000, #fff)">
<p style="color: light-dark(#eee, #ddd)">Pale in the light.</p>
<p style="color: light-dark(#222, #111)">Pale in the dark.</p>
<p>A link <a href="/" style="color: light-dark(#c00, #ccc); text-decoration: none">red by day</a> among more words.</p>"""


def test_whatever_is_of_weight_is_found_on_a_broken_page(browser: Browser) -> None:
    with closing(browser.new_page()) as page:
        page.set_content(BROKEN)
        found = {each.partition(":")[0] for each in serious(page)}
        whole = page.evaluate("async () => (await axe.run(document)).violations")
    weights = {each["id"]: each["impact"] for each in whole}
    assert set(weights.values()) == {"minor", "moderate", "serious", "critical"}
    assert found == {rule for rule, weight in weights.items() if weight in SERIOUS}
    assert len(found) > 25


def test_what_is_pale_in_the_dark_alone_is_found_there(browser: Browser) -> None:
    with closing(browser.new_page()) as page:
        page.set_content(PALE)
        light, dark = "\n".join(serious(page)), "\n".join(in_the_dark(page))
    assert "Pale in the light" in light and "Pale in the dark" not in light and "link-in-text" not in light
    assert "Pale in the dark" in dark and "Pale in the light" not in dark and "link-in-text" in dark
