"""What styles alone decide, on pieces of pages: what stays in one line, and what has room for its words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from dashboard.tablerow import row_html

CSS = Path(__file__).parents[2] / "static" / "css"


@pytest.fixture
def piece(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1000, "height": 600})
    yield page
    page.close()


def show(page: Page, html: str, *names: str) -> None:
    styles = "".join((CSS / f"{name}.css").read_text() for name in ("app", *names))
    page.set_content(f"<style>{styles}</style>{html}")


def test_ten_endpoints_stay_in_one_line_and_fewer_take_the_width_of_five(piece: Page) -> None:
    for count in (1, 5, 10):
        dots = '<i class="ep ok"></i>' * count
        show(piece, f'<span class="epc"><span class="eps">{dots}</span><b>1</b></span>', "resilience")
        tops = piece.locator(".ep").evaluate_all("all => all.map(one => one.offsetTop)")
        assert len(set(tops)) == 1, (count, tops)
        assert piece.locator(".eps").evaluate("one => one.offsetWidth") >= 54


def test_four_inputs_of_a_row_have_room_for_what_stands_in_them(piece: Page) -> None:
    names = ("Name", "From", "Value, or its name", "Key")
    cells = "".join(
        f'<span><span class="cell-l">{n}</span><input class="mono" placeholder="{n}"></span>' for n in names
    )
    head = "".join(f"<span>{name}</span>" for name in names)
    row = f'<li>{cells}<button class="icon-btn">x</button></li>'
    rows = f'<ul class="row-list"><li class="row-head">{head}</li>{row}</ul>'
    show(
        piece,
        f'<div class="made" style="width: 36rem"><fieldset class="rows">{rows}</fieldset></div>',
        "create",
    )
    widths = piece.locator("input").evaluate_all("all => all.map(one => one.offsetWidth)")
    assert min(widths) > 200, widths
    assert not piece.locator(".row-head").is_visible() and piece.locator(".cell-l").first.is_visible()


def test_a_callout_in_a_card_is_no_box_in_a_box(piece: Page) -> None:
    show(piece, '<section class="card"><section class="callout"><h2>Nothing yet</h2></section></section>')
    sides = piece.locator(".callout").evaluate(
        "one => [getComputedStyle(one).borderLeftWidth, getComputedStyle(one).borderTopLeftRadius]"
    )
    assert sides == ["0px", "0px"]


def test_values_that_are_shown_in_full_are_not_shown_again_beside_their_keys(piece: Page) -> None:
    size = '<small>the beginning of 9 KiB</small><span class="instead">9 KiB</span>'
    code = f'<dd><code class="beginning">debug</code>{size}</dd>'
    keys = f'<section id="keys"><dl class="facts keyed"><div><dt>LOG</dt>{code}</div></dl></section>'
    for value, shown in (
        ("", [True, True, False]),
        ('<section class="value">debug…</section>', [False, False, True]),
    ):
        show(piece, f'<div id="page">{keys}<section id="values">{value}</section></div>')
        assert [each.is_visible() for each in piece.locator("dd > *").all()] == shown


def test_the_preview_is_the_main_button_until_there_is_something_to_apply(piece: Page) -> None:
    button = '<button class="btn" name="step" value="preview">Preview</button>'
    main = '<button class="btn main">Scale</button>'
    for state, loudest in ((" hidden", True), ("", False)):
        decide = f'<section class="card decide"{state}></section>'
        form = f'<form class="change"><section class="fields">{button}</section><div id="preview">{decide}</div></form>'
        show(piece, form + main)
        colours = piece.locator(".btn").evaluate_all(
            "all => all.map(one => getComputedStyle(one).backgroundColor)"
        )
        assert (colours[0] == colours[1]) is loudest


def test_a_short_value_of_a_configmap_is_seen_in_full_beside_a_preview_too(piece: Page) -> None:
    piece.set_viewport_size({"width": 1200, "height": 700})
    value = "postgres://shop@database-0.database.shop.svc.cluster.local:5432/shop?application_name=web"
    buttons = '<span class="end btns"><a class="btn">D</a></span>'
    head = f'<div class="editor-h"><input class="mono" value="DB_URL">{buttons}</div>'
    text = f'<textarea class="mono" rows="1" wrap="off">{value}</textarea>'
    editor = f'<fieldset class="editor short">{head}{text}</fieldset>'
    fields = f'<section class="card fields"><div class="body form"><div class="editors">{editor}</div></div></section>'
    widths = []
    for preview in (
        '<section class="decide" hidden></section>',
        '<section class="card decide">Save</section>',
    ):
        show(piece, f'<form class="change">{fields}<div id="preview">{preview}</div></form>')
        shown = piece.locator("textarea")
        assert shown.evaluate(
            "one => [one.scrollWidth - one.clientWidth, one.scrollHeight - one.clientHeight]"
        ) == [0, 0]
        widths.append(shown.evaluate("one => one.offsetWidth"))
    assert widths[0] > 2 * widths[1], "without a preview beside it the form has the whole width"


def test_a_row_on_a_phone_says_what_there_is_by_the_names_of_the_columns(piece: Page) -> None:
    piece.set_viewport_size({"width": 390, "height": 700})
    row = {
        "id": "row-1", "namespace": "shop", "name": "web", "head": "web", "tail": "", "url": "/web/", "state": "ok",
        "reason": "", "changed": "", "has_status": False,
        "cells": [
            {"key": key, "text": text, "kind": kind, "form": "", "hint": "", "num": False, "url": ""}
            | {"since": None, "until": None}
            for key, text, kind in (
                ("name", "web", "name"), ("external-ip", "<none>", "text"), ("port-s", "80/TCP", "text"),
                ("cpu", "–", "text"), ("restarts", "0", "text"),
            )
        ],
    }  # fmt: skip
    show(piece, f'<table class="tb cards"><tbody>{row_html(row, datetime.now(UTC))}</tbody></table>')
    assert piece.locator("td:visible").evaluate_all("all => all.map(one => one.dataset.col)") == [
        "port-s",
        "restarts",
    ]
    label = piece.locator("[data-col=port-s]").evaluate("one => getComputedStyle(one, '::before').content")
    assert label == '"port(s) "'
