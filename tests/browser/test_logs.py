"""Logs in the browser: followed, paused, searched, of several pods, through a lost server and a flood."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from sandbox import Sandbox
from tools.server import Server

from .conftest import Objects, frames_of, until

SLUG = "tests"
JSON = '{"level":"warn","path":"/cart"}'


@pytest.fixture
def web(objects: Objects) -> Objects:
    """A Deployment of two pods that say who they are, then a beat every half second."""
    labels = {"app": "web"}
    log = "\n".join(["hello", "\x1b[31mred alert\x1b[0m", JSON, "<b>not markup</b>", "long " + "x" * 20_000])
    annotations = {
        "sandbox.cluster-ui.dev/log": log,
        "sandbox.cluster-ui.dev/log-loop": "beat {n}",
        "sandbox.cluster-ui.dev/log-every": "0.5",
    }
    objects.api.post(
        f"/apis/apps/v1/namespaces/{objects.namespace}/deployments",
        {
            "metadata": {"name": "web"},
            "spec": {
                "replicas": 2,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels, "annotations": annotations},
                    "spec": {"containers": [{"name": "app", "image": "a/app:1"}]},
                },
            },
        },
    )
    return objects


def logs(namespace: str, query: str = "") -> str:
    return f"/c/{SLUG}/deployments/{namespace}/web/logs/{query}"


def lines(page: Page, text: str) -> Any:
    return page.locator("#log li .words", has_text=re.compile(rf"^{re.escape(text)}$"))


BEATS = """[...document.querySelectorAll('#log li')]
  .filter((row) => row.querySelector('.words')?.textContent.startsWith('beat'))
  .map((row) => [row.querySelector('.src').title, row.querySelector('time').dateTime,
                 row.querySelector('.words').textContent])
"""


def beats(page: Page) -> list[str]:
    """Each line with its source and time: no two are alike unless one was shown twice."""
    return ["|".join(parts) for parts in page.evaluate(BEATS)]


def test_two_pods_are_followed_with_a_colour_and_a_name_each(
    page: Page, web: Objects, namespace: str
) -> None:
    page.goto(logs(namespace))
    expect(lines(page, "hello")).to_have_count(2, timeout=60_000)
    expect(page.locator("[data-log-legend] li")).to_have_count(2)
    names = page.locator("#log li:has(.words) > .src")
    colours = set(names.evaluate_all("all => all.map((each) => getComputedStyle(each).color)"))
    texts = set(names.evaluate_all("all => all.map((each) => each.textContent)"))
    assert len(colours) == len(texts) == 2
    assert all(re.fullmatch(r"[a-z0-9]{5}", text) for text in texts), "shortened to where they differ"
    before = len(beats(page))
    page.wait_for_function(
        "count => document.querySelectorAll('#log li').length > count + 4", arg=before + 8, timeout=60_000
    )
    # What a line holds is text: its colour is a class, its markup is shown as it is.
    expect(page.locator("#log .s-c1").first).to_have_text("red alert")
    expect(lines(page, "<b>not markup</b>")).to_have_count(2)
    # One pod alone, and all again.
    page.locator("[data-log-legend] a").first.click()
    expect(page).to_have_url(re.compile(r"pod=web-"))
    expect(lines(page, "hello")).to_have_count(1)
    expect(page.locator(".foot .kubectl")).to_contain_text(re.compile(r"kubectl logs web-\S+ -n"))
    page.locator("[data-log-legend] a").first.click()
    expect(lines(page, "hello")).to_have_count(2)
    expect(page.locator(".foot .kubectl")).to_contain_text("deployment/web --all-pods")


def test_a_pause_holds_lines_back_and_counts_them(page: Page, web: Objects, namespace: str) -> None:
    page.goto(logs(namespace))
    expect(lines(page, "hello")).to_have_count(2, timeout=60_000)
    page.locator("[data-log-pause]").click()
    count = page.locator("#log li").count()
    more = page.locator("[data-log-more]")
    expect(more).to_contain_text(re.compile(r"^\s*[1-9]\d* new line"))
    assert page.locator("#log li").count() == count
    more.click()
    expect(page.locator("[data-log-pause]")).to_have_attribute("aria-pressed", "false")
    expect(more).to_be_hidden()
    page.wait_for_function("count => document.querySelectorAll('#log li').length > count", arg=count)
    found = beats(page)
    assert len(found) == len(set(found))
    # Scrolling back holds the lines still as well.
    page.wait_for_function(
        "() => { const box = document.querySelector('[data-log]'); return box.scrollHeight > box.clientHeight + 100; }",
        timeout=60_000,
    )
    page.locator("[data-log]").evaluate("box => { box.scrollTop = 0; }")
    expect(more).to_be_visible()
    page.locator("[data-log]").focus()
    page.keyboard.press("End")
    expect(more).to_be_hidden()


def test_lines_are_found_marked_and_stepped_through_by_keyboard(
    page: Page, web: Objects, namespace: str
) -> None:
    page.goto(logs(namespace))
    expect(lines(page, "hello")).to_have_count(2, timeout=60_000)
    page.keyboard.press("/")
    page.keyboard.type("RED al")
    found = page.locator("[data-log-found]")
    expect(found).to_have_text("1 of 2")
    expect(page.locator("#log li.hit")).to_have_count(2)
    expect(page.locator("#log li.hit").first).to_have_class(re.compile("at-hit"))
    assert page.evaluate("CSS.highlights.get('found').size") == 2
    page.keyboard.press("Enter")
    expect(page.locator("#log li.at-hit .words")).to_have_text("red alert")
    expect(found).to_have_text("2 of 2")
    page.keyboard.press("Shift+Enter")
    expect(found).to_have_text("1 of 2")
    page.keyboard.press("Control+a")
    page.keyboard.type("no such thing")
    expect(found).to_have_text("none")
    expect(page.locator("#log li.hit")).to_have_count(0)


def test_only_lines_with_a_text_and_a_wrong_since_says_so_and_stays(
    page: Page, web: Objects, namespace: str
) -> None:
    page.goto(logs(namespace))
    expect(lines(page, "hello")).to_have_count(2, timeout=60_000)
    # It can be seen: fill() and click() reach what is transparent too.
    assert page.locator("#log-q").evaluate("field => getComputedStyle(field.parentElement).opacity") == "1"
    page.locator("#log-q").fill("HELLO")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"q=HELLO"))
    expect(page.locator("#log li")).to_have_count(2)
    expect(page.locator(".foot .kubectl")).to_contain_text("grep -iF -- HELLO")
    page.locator("#log-since").fill("yesterday")
    page.keyboard.press("Enter")
    expect(page.locator("#log-wrong")).to_contain_text("since is 'yesterday': enter a duration")
    expect(page.locator("#log-since")).to_have_value("yesterday")
    expect(page.locator("#log-q")).to_have_value("HELLO")
    page.locator("#log-since").fill("1h")
    page.keyboard.press("Enter")
    expect(page.locator("#log li")).to_have_count(2)


def test_times_json_and_long_lines(page: Page, web: Objects, namespace: str) -> None:
    page.goto(logs(namespace))
    expect(lines(page, "hello")).to_have_count(2, timeout=60_000)
    page.get_by_label("Format JSON").check()
    expect(page.locator("#log .words", has_text='"path": "/cart"').first).to_be_visible()
    page.get_by_label("Format JSON").uncheck()
    expect(lines(page, JSON)).to_have_count(2)
    page.get_by_label("Times").uncheck()
    expect(page.locator("#log time").first).to_be_hidden()
    page.reload()
    expect(lines(page, "hello")).to_have_count(2)
    expect(page.locator("#log time").first).to_be_hidden()
    whole = page.locator("[data-log-whole]")
    expect(whole).to_have_count(2)
    whole.first.click()
    expect(whole).to_have_count(1)
    lengths = page.locator("#log .words", has_text=re.compile("^long")).evaluate_all(
        "all => all.map((each) => each.textContent.length)"
    )
    assert max(lengths) == 20_005


def test_logs_are_downloaded(page: Page, web: Objects, namespace: str) -> None:
    page.goto(logs(namespace))
    expect(lines(page, "hello")).to_have_count(2, timeout=60_000)
    with page.expect_download() as found:
        page.locator("[data-log-download]").click()
    assert found.value.suggested_filename == "web-logs.zip"
    assert Path(found.value.path()).read_bytes()[:2] == b"PK"
    page.locator("[data-log-legend] a").first.click()
    expect(lines(page, "hello")).to_have_count(1)
    with page.expect_download() as found:
        page.locator("[data-log-download]").click()
    assert re.fullmatch(r"web-\S+-app\.log", found.value.suggested_filename)
    text = Path(found.value.path()).read_text()
    assert re.match(r"\d{4}-\d\d-\d\dT\S+Z hello\n", text)


def test_after_a_lost_server_the_lines_go_on_without_gap_or_repetition(
    page: Page, web: Objects, namespace: str, server: Server
) -> None:
    page.goto(logs(namespace))
    expect(lines(page, "hello")).to_have_count(2, timeout=60_000)
    page.wait_for_function("() => document.querySelectorAll('#log li').length > 14", timeout=60_000)
    page.evaluate("window.sameDocument = true")
    server.stop(signal.SIGKILL)
    try:
        expect(page.locator("#fresh")).to_have_attribute("data-freshness", "reconnecting")
        count = page.locator("#log li").count()
    finally:
        server.start()
    page.wait_for_function(
        "count => document.querySelectorAll('#log li').length > count + 4", arg=count, timeout=60_000
    )
    found = beats(page)
    assert len(found) == len(set(found)), "no line twice"
    for pod in {line.split("|")[0] for line in found}:
        numbers = [int(line.rpartition(" ")[2]) for line in found if line.startswith(pod)]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "no line missing"
    assert page.evaluate("window.sameDocument") is True
    expect(page.locator("#log .mark-line")).to_have_count(0)


def test_a_pod_that_is_deleted_ends_with_a_mark_and_the_next_one_joins(
    page: Page, web: Objects, namespace: str
) -> None:
    page.goto(logs(namespace))
    expect(lines(page, "hello")).to_have_count(2, timeout=60_000)
    name = web.api.get(f"/api/v1/namespaces/{namespace}/pods")["items"][0]["metadata"]["name"]
    web.delete_pod(name)
    expect(page.locator("#log .mark-line.end")).to_have_text(f"pod {name} ended", timeout=60_000)
    expect(page.locator("#log .mark-line.start")).to_contain_text("started", timeout=60_000)
    expect(lines(page, "hello")).to_have_count(3, timeout=60_000)


def test_a_flood_stays_smooth_and_says_what_it_left_out(
    page: Page, web: Objects, namespace: str, cluster: Sandbox
) -> None:
    page.goto(logs(namespace))
    expect(lines(page, "hello")).to_have_count(2, timeout=60_000)
    frames = frames_of(page)
    page.reload()
    expect(lines(page, "hello")).to_have_count(2)
    pod = web.api.get(f"/api/v1/namespaces/{namespace}/pods")["items"][0]["metadata"]["uid"]
    (file,) = cluster.folder.glob(f"pod-logs/{pod}/app.log")
    burst = "".join(
        f"2099-01-01T00:00:00.{number:09}Z stdout F flood {number} {'y' * 90}\n" for number in range(12_000)
    )
    with file.open("a") as out:
        out.write(burst)
    expect(lines(page, f"flood 11999 {'y' * 90}")).to_be_visible(timeout=60_000)
    sent = [frame for frame in frames if frame["t"] == "log"]
    dropped = sum(item["n"] for frame in sent for item in frame.get("items", []) if isinstance(item, dict))
    shown = sum(
        isinstance(item, list) and item[2].startswith("flood")
        for frame in sent
        for item in frame.get("items", [])
    )
    assert shown + dropped >= 12_000
    assert dropped > 0
    # Every line that was left out is told of: where it was, or above the first one that the page still holds.
    told = page.locator("#log .mark-line.drop, .older").all_inner_texts()
    assert sum(int(re.sub(r"\D", "", text)) for text in told) >= dropped
    assert page.locator("#log li").count() <= 2_000
    assert max(len(json.dumps(frame, ensure_ascii=False)) for frame in sent) <= 72_000


@pytest.fixture
def flooded(page: Page, objects: Objects, namespace: str, cluster: Sandbox) -> Page:
    """The paused logs of a pod that wrote 12,000 lines at once, when the page has been sent the last of them."""
    annotations = {"sandbox.cluster-ui.dev/log": "hello"}
    spec = {"containers": [{"name": "app", "image": "a/app:1"}]}
    pods = f"/api/v1/namespaces/{namespace}/pods"
    made = objects.api.post(pods, {"metadata": {"name": "flood", "annotations": annotations}, "spec": spec})
    frames = frames_of(page)
    page.goto(f"/c/{SLUG}/pods/{namespace}/flood/logs/")
    expect(lines(page, "hello")).to_have_count(1, timeout=60_000)
    page.locator("[data-log-pause]").click()
    (file,) = cluster.folder.glob(f"pod-logs/{made['metadata']['uid']}/app.log")
    with file.open("a") as out:
        out.writelines(
            f"2099-01-01T00:00:00.{number:09}Z stdout F flood {number}\n" for number in range(12_000)
        )
    until(page, lambda: any("flood 11999" in json.dumps(frame) for frame in frames), "the last line is sent")
    return page


def test_a_long_log_is_downloaded_to_its_last_line(flooded: Page) -> None:
    """By a browser: it asks for compressed answers, and knows only some ways of compressing one in pieces."""
    with flooded.expect_download() as found:
        flooded.locator("[data-log-download]").click()
    numbers = re.findall(r" flood (\d+)$", Path(found.value.path()).read_text(), re.MULTILINE)
    assert numbers == [str(number) for number in range(12_000)]


SLICES = """() => {
  window.slices = [];
  const added = (records) => records.reduce((sum, { addedNodes }) => sum + addedNodes.length, 0);
  new MutationObserver((records) => window.slices.push(added(records)))
    .observe(document.getElementById("log"), { childList: true, subtree: true });
}"""


def test_what_came_during_a_pause_is_told_to_the_last_line_and_shown_in_slices(flooded: Page) -> None:
    page = flooded
    count = int(re.sub(r"\D", "", page.locator("[data-log-more]").inner_text()))
    assert count >= 12_000, "what the server left out is counted too"
    page.evaluate(SLICES)
    page.locator("[data-log-more]").click()
    expect(lines(page, "flood 11999")).to_be_visible(timeout=60_000)
    shown = page.locator("#log li .words", has_text=re.compile("^flood")).count()
    told = page.locator("#log .mark-line.drop, .older").all_inner_texts()
    assert shown + sum(int(re.sub(r"\D", "", text)) for text in told) >= 12_000
    assert page.locator("#log li").count() <= 2_000
    # No task has more to do than the lines of one slice (with the parts and marks that come with them).
    assert max(page.evaluate("window.slices")) <= 420


def test_an_expression_is_found_and_a_wrong_or_endless_one_is_told_at_its_field(
    page: Page, web: Objects, namespace: str
) -> None:
    page.goto(logs(namespace))
    expect(lines(page, "hello")).to_have_count(2, timeout=60_000)
    field, found, wrong = (
        page.locator("#log-find"),
        page.locator("[data-log-found]"),
        page.locator("#log-find-wrong"),
    )
    field.fill("(red|hello")
    expect(found).to_have_text("none")
    page.get_by_label("Regular expression").check()
    expect(wrong).to_have_text("Invalid expression: Unterminated group")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_value("(red|hello")
    field.fill("(RED|hel+o)")
    expect(found).to_have_text("1 of 4")
    expect(wrong).to_be_hidden()
    expect(field).not_to_have_attribute("aria-invalid", "true")
    texts = """() => [...CSS.highlights.get('found')].map((each) => {
      const range = new Range();
      range.setStart(each.startContainer, each.startOffset);
      range.setEnd(each.endContainer, each.endOffset);
      return range.toString();
    }).sort()"""
    assert page.evaluate(texts) == ["hello", "hello", "red", "red"]
    # Through the found lines from the lines themselves.
    page.locator("[data-log]").focus()
    page.keyboard.press("n")
    expect(found).to_have_text("2 of 4")
    page.keyboard.press("Shift+N")
    expect(found).to_have_text("1 of 4")
    # It would take longer than anybody lives; the page goes on, and so does the next search.
    field.fill("(x+x+)+y")
    expect(wrong).to_have_text("This expression takes too long on these lines: make it simpler")
    expect(found).to_have_text("")
    field.fill("^beat \\d+$")
    expect(found).to_have_text(re.compile(r"1 of \d+"))
    expect(wrong).to_be_hidden()
    page.reload()
    expect(page.get_by_label("Regular expression")).to_be_checked()
