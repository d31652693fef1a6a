"""One object of any size, read and shown: beside the loop, and no more of it than a page has."""

from __future__ import annotations

import json
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from django.http import QueryDict

from dashboard import render
from dashboard.errors import BadInput, TooDeep
from dashboard.kinds import KINDS
from dashboard.live.screens.detail import DetailScreen
from dashboard.live.screens.detail.yaml import MAX_LINES, YamlTab
from dashboard.live.snapshot import MAX_FRAME, Have, frames
from dashboard.queries import objects
from tests.unit.live import seen

from ..live.seen import session

LARGE = {
    "dashes": "- " * 30_000 + "x\n",
    "one line": "%ü" * 300_000,
    "many lines": "".join(f"{n}: some words\n" for n in range(50_000)),
    "backslashes": "\\" * 900_000,
    "quotation marks": ('"' * 100 + "\n") * 9_000,
    "nothing but lines": "\n" * 900_000 + "x",
    "not seen": "\u202e" * 300_000,
}


def transport(obj: Any) -> Any:
    body = obj if isinstance(obj, bytes) else json.dumps(obj).encode()

    async def request(*_: Any, **__: Any) -> Any:
        return SimpleNamespace(body=body)

    return SimpleNamespace(request=request)


async def page(text: str, start: str = "") -> tuple[DetailScreen, YamlTab]:
    manifest = {
        "kind": "ConfigMap",
        "metadata": {"name": "large", "resourceVersion": "7"},
        "data": {"a.yaml": text},
    }
    runtime = seen.runtime()
    runtime.transport = transport(manifest)
    screen = DetailScreen(session(runtime), QueryDict(start), "configmaps", "shop", "large", "yaml")
    assert isinstance(screen.tab, YamlTab)
    await screen.tab._read()
    return screen, screen.tab


def shown(tab: YamlTab) -> Any:
    obj = SimpleNamespace(metadata=SimpleNamespace(resource_version="7"))
    return tab.show(obj, None)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", LARGE)
async def test_a_page_of_yaml_fits_into_one_frame_and_says_what_is_not_there(name: str) -> None:
    _, tab = await page(LARGE[name])
    snapshot = shown(tab)
    (body,) = frames(Have(), snapshot)
    assert len(body.encode()) < MAX_FRAME
    html = snapshot.regions["yaml"].html
    assert html.count("<tr>") <= MAX_LINES
    assert "Download all of it" in html and "?format=yaml" in html
    assert 'data-whole="' in html


async def test_what_takes_long_runs_beside_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: dict[str, int] = {}

    def noted(name: str, work: Any) -> Any:
        def wrapper(*arguments: Any) -> Any:
            threads[name] = threading.get_ident()
            return work(*arguments)

        return wrapper

    monkeypatch.setattr(objects, "yaml_window", noted("window", objects.yaml_window))
    monkeypatch.setattr(objects, "shown", noted("read", objects.shown))
    monkeypatch.setattr(render, "yaml_rows", noted("rows", render.yaml_rows))
    await page("a: 1\n")
    await objects.object_read(transport({"metadata": {}}), KINDS["pods"], "shop", "web")
    assert threads.keys() == {"window", "read", "rows"}
    assert threading.get_ident() not in threads.values()


async def test_the_lines_of_all_pages_are_all_lines() -> None:
    at, seen_lines = 1, 0
    while True:
        _, tab = await page(LARGE["many lines"], f"from={at}")
        assert tab.lines is not None and tab.lines.first == at
        seen_lines += tab.lines.last - tab.lines.first + 1
        if tab.lines.last == tab.lines.total:
            break
        html = shown(tab).regions["yaml"].html
        at = tab.lines.last + 1
        assert f"?from={at}" in html
        if at > 5 * MAX_LINES:
            return  # the rest is alike
    assert seen_lines == tab.lines.total


async def test_a_small_object_is_all_there_without_a_word() -> None:
    _, tab = await page("a: 1\n")
    html = shown(tab).regions["yaml"].html
    assert "Download" not in html and "data-whole" not in html


@pytest.mark.parametrize("start", ["0", "-1", "x", "1" * 20, "²"])
async def test_a_place_that_is_no_line_is_refused(start: str) -> None:
    with pytest.raises(BadInput):
        await page("a", f"from={start}")


async def test_an_object_nested_too_deeply_is_told() -> None:
    deep = b'{"metadata": {}, "spec": ' + b'{"a":' * 20_000 + b"1" + b"}" * 20_001
    with pytest.raises(TooDeep):
        await objects.object_read(transport(deep), KINDS["pods"], "shop", "web")


async def test_the_value_of_a_variable_that_a_message_quotes_is_not_shown() -> None:
    said = r"""environment variable value can't contain null(\x00): "TOKEN=canary\x00": unknown"""
    status = {"containerStatuses": [{"name": "app", "state": {"waiting": {"message": said}}}]}
    pod = {"kind": "Pod", "metadata": {"name": "web"}, "status": status}
    text = repr(await objects.object_read(transport(pod), KINDS["pods"], "shop", "web"))
    assert "canary" not in text and "TOKEN" in text
