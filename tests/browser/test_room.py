"""Room for every column: on wide, middling and narrow screens, and on paper, nothing is squeezed, cut or left out."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tools.server import Server

from .conftest import Objects

SLUG = "tests"
PAGES = [
    "/c/tests/",
    "/c/tests/pods/?namespace={ns}",
    "/c/tests/deployments/?namespace={ns}",
    "/c/tests/replicasets/?namespace={ns}",
    "/c/tests/events/?namespace={ns}",
    "/c/tests/nodes/",
    "/c/tests/deployments/{ns}/checkout-payments-gateway/",
    "/c/tests/pods/{ns}/{pod}/",
    "/c/tests/nodes/-/{node}/",
    "/c/tests/namespaces/-/{ns}/",
    "/c/tests/capacity/",
    "/c/tests/map/?namespace={ns}",
    "/c/tests/resilience/",
    "/c/tests/resilience/?lose=node/{node}",
    "/c/tests/postmortem/",
    "/changes/",
    "/audit/",
]
# A4 with the margins of the style sheet, in CSS px: upright and across.
SHEETS = (703, 1032)
SCREENS = (1440, 1024, 320)

# What a reader misses: a column too narrow for its words, a table wider than its place, text that its box cuts off
# without a sign (an ellipsis is one), a page wider than the screen.
MISSED = """() => {
  const found = [];
  for (const folded of document.querySelectorAll("#page details:not(.pick)")) folded.open = true;
  const own = (each) => [...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  for (const each of document.querySelectorAll("#page *")) {
    if (!own(each) || !each.checkVisibility({visibilityProperty: true})) continue;
    if (each.closest(".vh, thead, svg, figure, [aria-hidden]")) continue;
    const words = document.createRange();
    words.selectNodeContents(each);
    const boxes = [...words.getClientRects()].filter(({width}) => width > 0);
    const text = each.textContent.trim().slice(0, 50);
    const cell = each.closest("td, th");
    const lines = new Set(boxes.map(({top}) => Math.round(top))).size;
    if (cell && lines > 3 && Math.max(...boxes.map(({width}) => width)) < 80)
      found.push(`squeezed: ${cell.dataset.col} ${text}`);
    for (let box = each; box && box.id !== "page"; box = box.parentElement) {
      const {overflowX, textOverflow, webkitLineClamp} = getComputedStyle(box);
      if (overflowX === "visible") continue;
      const edge = box.getBoundingClientRect();
      const told = textOverflow === "ellipsis" || webkitLineClamp !== "none" || !["hidden", "clip"].includes(overflowX);
      const out = boxes.some(({left, right}) => right > edge.right + 1 || left < edge.left - 1);
      if (out && !told) found.push(`cut: ${box.className} ${text}`);
      break;
    }
  }
  for (const box of document.querySelectorAll(".scroll-x, .table-box"))
    if (box.checkVisibility() && box.scrollWidth > box.clientWidth + 1)
      found.push(`wider than its place by ${box.scrollWidth - box.clientWidth}: ${box.getAttribute("aria-label")}`);
  const {scrollWidth, clientWidth} = document.documentElement;
  if (scrollWidth > clientWidth) found.push(`page wider by ${scrollWidth - clientWidth}`);
  return [...new Set(found)];
}"""

# What tables of figures show is the whole cluster's, not this test's to say: long names and the longest figures.
FIGURES = ":is(.heat, .figures, .meters)"
WIDEN = """(tables) => {
  const shares = /[\\d.]+(?=\\s?%)/g, amounts = /[\\d.]+(?=\\s?(?:[KMGT]iB|m|cores)\\b)/g;
  for (const cell of document.querySelectorAll(`${tables} td`)) {
    const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const text = texts.currentNode;
      text.data = text.data.replace(shares, "1888").replace(amounts, "1023.9");
    }
  }
  for (const name of document.querySelectorAll(`${tables} tbody th a`))
    if (name.textContent.trim().length < 45) name.textContent = "ip-10-0-123-123.eu-central-1.compute.internal";
}"""


def unschedulable(objects: Objects, namespace: str) -> None:
    """Pods of long names that can't be scheduled, beside one that runs."""
    labels = {"app": "pay"}
    container = {"name": "main", "image": "registry.example.com/shop/checkout-payments-gateway:2026.11.28-1"}
    spec = {"nodeSelector": {"disktype": "ssd-that-no-node-has"}, "containers": [container]}
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "checkout-payments-gateway"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }
    objects.api.post(f"/apis/apps/v1/namespaces/{namespace}/deployments", body)


def found(page: Page, what: str) -> list[str]:
    """What is missed on each screen and sheet."""
    missed: list[str] = []
    for media, sides in (("screen", SCREENS), ("print", SHEETS)):
        page.emulate_media(media=media)  # type: ignore[arg-type]
        for side in sides:
            page.set_viewport_size({"width": side, "height": 900})
            missed += [f"{what}, {media} {side}: {each}" for each in page.evaluate(MISSED)]
    return missed


def test_every_column_has_room_on_every_screen_and_on_paper(
    page: Page, objects: Objects, namespace: str
) -> None:
    unschedulable(objects, namespace)
    objects.pod("alone")
    quota = {"metadata": {"name": "room"}, "spec": {"hard": {"pods": "50", "count/configmaps": "100"}}}
    objects.api.post(f"/api/v1/namespaces/{namespace}/resourcequotas", quota)
    page.goto(f"/c/{SLUG}/pods/?namespace={namespace}")
    # The reasons that this is about are there.
    expect(page.locator("#rows .why")).to_have_count(2)
    expect(page.locator("#rows tr[data-name=alone] [data-col=node] a")).to_be_visible()
    node = page.locator("#rows tr[data-name=alone] [data-col=node]").inner_text().strip()
    missed: list[str] = []
    for path in PAGES:
        page.set_viewport_size({"width": 1440, "height": 900})
        page.goto(path.format(ns=namespace, pod="alone", node=node))
        expect(page.locator("#page")).to_be_visible()
        if "/nodes/-/" in path or "/namespaces/-/" in path or "/capacity/" in path:
            expect(page.locator(".meters tbody tr").first).to_be_visible()
        missed += found(page, path)
        if page.locator(FIGURES).count():
            page.evaluate(WIDEN, FIGURES)
            missed += found(page, f"{path} with long names and figures")
    assert not missed, "\n".join(missed)


SEED = """
from dashboard.models import AuditEntry
for result in AuditEntry.Result.values:
    AuditEntry.objects.create(
        user_name="firstname.lastname@department.example.com",
        context="arn:aws:eks:eu-central-1:123456789012:cluster/shop",
        action="allow-changes", plural="deployments", namespace="checkout-payments-production", result=result,
        name="checkout-payments-gateway-with-a-long-name", detail="/".join(["registry.example.com"] * 8) + " is refused.",
    )
"""


@pytest.mark.parametrize(
    ("path", "rows"), [("/changes/", ".told tbody tr"), ("/audit/", ".audit [id^=entry-]")]
)
def test_long_names_fit_on_every_screen_and_on_paper(
    page: Page, server: Server, path: str, rows: str
) -> None:
    server.manage("shell", "-c", SEED)
    page.goto(f"{path}?q=checkout-payments-gateway-with-a-long-name")
    assert page.locator(rows).count() >= 4
    missed = found(page, path)
    assert not missed, "\n".join(missed)


def test_a_list_of_pods_has_long_names_and_reasons_in_full(
    page: Page, objects: Objects, namespace: str
) -> None:
    image = "registry.invalid/checkout/payments-gateway/settlement-and-reconciliation-worker:2026.11.28-1a2b3c4d5e6f"
    objects.deployment("checkout-payments-gateway-europe-1", 2, image=image)
    objects.pod("alone")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.goto(f"/c/{SLUG}/pods/?namespace={namespace}")
    rows = page.locator("#rows tr")
    expect(rows.filter(has_text=image)).to_have_count(2)
    names, reasons = rows.locator("th a").all_inner_texts(), page.locator("#rows .why").all_inner_texts()
    assert max(map(len, names)) > 48
    assert max(map(len, reasons)) > 110
    # Words with their names: the last column, and all lines of what wraps, lie within what is seen of the list.
    outside = page.evaluate(
        """() => {
            const box = document.querySelector(".table-box").getBoundingClientRect();
            const cut = [...document.querySelectorAll(".sw, #rows td, #rows th")].filter(
                (each) => each.scrollHeight > each.clientHeight + 1 || each.scrollWidth > each.clientWidth + 1);
            const beyond = [...document.querySelectorAll(".table-box tr > *")].filter(
                (cell) => cell.checkVisibility() && cell.getBoundingClientRect().right > box.right + 1);
            return [...cut, ...beyond].map((each) => each.textContent);
        }"""
    )
    assert outside == []
    lines = page.locator("#rows .sw:has(.why)").evaluate_all(
        "boxes => boxes.map(box => Math.round(box.clientHeight / 20))"
    )
    assert max(lines) <= 3


def test_paper_says_whose_page_it_is(page: Page, objects: Objects, namespace: str) -> None:
    objects.pod("one")
    page.goto(f"/c/{SLUG}/pods/?namespace={namespace}&namespace=kube-system")
    page.emulate_media(media="print")
    for side in SHEETS:
        page.set_viewport_size({"width": side, "height": 900})
        top = page.locator(".top")
        for words in (SLUG, namespace, "kube-system", "Printed"):
            found = top.get_by_text(words, exact=False).locator("visible=true").first
            box = found.bounding_box()
            assert box is not None and box["width"] > 10 and box["x"] + box["width"] <= side, words
        for control in (".find", ".person", "#kinds", ".filter", "#act-create"):
            expect(page.locator(control)).to_be_hidden()


def test_figures_on_paper_stand_below_their_heading_and_offer_nothing(
    page: Page, objects: Objects, namespace: str
) -> None:
    objects.pod("one")
    page.goto(f"/c/{SLUG}/pods/{namespace}/one/")
    expect(page.locator(".chart summary").first).to_be_visible()
    expect(page.locator(".meters")).to_be_visible()
    page.emulate_media(media="print")
    page.set_viewport_size({"width": min(SHEETS), "height": 900})
    expect(page.locator(".chart summary").first).to_be_hidden()
    left = "all => all.map(each => each.getBoundingClientRect().left + parseFloat(getComputedStyle(each).paddingLeft))"
    (heading,) = page.get_by_role("heading", name="Usage").evaluate_all(left)
    (first,) = page.locator(".meters th:first-child").first.evaluate_all(left)
    assert first == pytest.approx(heading, abs=1)


def test_the_name_of_a_kind_fits_on_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 320, "height": 700})
    page.goto(f"/c/{SLUG}/validatingwebhookconfigurations.admissionregistration.k8s.io/")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_on_a_phone_all_that_can_be_done_takes_one_row(page: Page, objects: Objects, namespace: str) -> None:
    """What is wrong stands on the first screen, below the name; every button is reached by the keyboard."""
    objects.deployment("web", replicas=0)
    page.set_viewport_size({"width": 320, "height": 700})
    page.goto(f"/c/{SLUG}/deployments/{namespace}/web/")
    offered = page.locator(".head .btns a")
    expect(offered.first).to_be_in_viewport()
    tops = offered.evaluate_all("all => all.map(each => each.getBoundingClientRect().top)")
    assert len(tops) > 8 and len(set(tops)) == 1
    expect(offered.last).not_to_be_in_viewport()
    offered.last.focus()
    expect(offered.last).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("side", [320, 1440])
def test_a_context_of_a_long_name_stays_in_its_card(page: Page, side: int) -> None:
    page.set_viewport_size({"width": side, "height": 900})
    page.goto("/clusters/")
    page.evaluate(
        """name => document.querySelectorAll(".clusters h3 a, .clusters .say, .clusters .btn")
            .forEach(each => { each.textContent = name; })""",
        f"arn:aws:eks:eu-central-1:123456789012:cluster/{'x' * 150}",
    )
    wider = "[...document.querySelectorAll('html, .clusters > li')].map(each => each.scrollWidth - each.clientWidth)"
    assert not any(page.evaluate(wider))
