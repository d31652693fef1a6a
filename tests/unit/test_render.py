"""Parts and what goes into scripts: nothing that an object holds becomes markup."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from dashboard.live.snapshot import MAX_FRAME
from dashboard.queries.yamltext import Window, YamlLine, yaml_lines
from dashboard.render import MAX_LINE, chart_json, facts_hash, stamped, yaml_line, yaml_rows


def test_the_hash_stands_in_the_root_element_only() -> None:
    assert stamped("\n<tr id='a'><td>1</td></tr>\n", "h") == "<tr data-h=\"h\" id='a'><td>1</td></tr>"


def test_equal_facts_have_equal_hashes_and_others_do_not() -> None:
    assert facts_hash({"a": (1, "x")}) == facts_hash({"a": (1, "x")})
    assert facts_hash({"a": (1, "x")}) != facts_hash({"a": (1, "y")})


@pytest.mark.parametrize(
    "obj",
    [
        {"name": "<script>alert(1)</script>"},
        {"<b>": "x"},
        {"list": ["<i>x</i>", {"<u>": ["<s>"]}]},
        {"text": "one\n<img src=x onerror=alert(1)>\n"},
        {"odd": "\x00<br>", "'\"<q>": {}},
    ],
)
def test_lines_of_yaml_are_escaped(obj: dict[str, Any]) -> None:
    for line in yaml_lines(obj):
        html = yaml_line(line)
        assert "<" not in re.sub(r'<span class="[kns]">|</span>', "", html)


def test_a_line_of_yaml_keeps_its_text() -> None:
    line = YamlLine("  ", "replicas", "3", "n")
    assert yaml_line(line) == '  <span class="k">replicas</span>: <span class="n">3</span>'


def test_rows_end_where_a_frame_would_be_too_large() -> None:
    lines = tuple(YamlLine("", "", '\\"' * 200, "s") for _ in range(5000))
    rows = yaml_rows(Window(lines, 10, 9000))
    assert (rows.first, rows.total) == (11, 9000)
    assert rows.last < 1000 and rows.words == f"Lines 11 to {rows.last:,} of 9,000."
    assert len(json.dumps(rows.html).encode()) < MAX_FRAME


def test_a_line_that_is_too_long_is_cut_and_says_so() -> None:
    rows = yaml_rows(Window((YamlLine("", "a", "%ü" * 300_000, "s"),), 0, 1))
    assert len(rows.html) < 2 * MAX_LINE
    assert "598,000 more characters" in rows.html
    assert rows.words == "Long lines are cut."


def test_a_place_behind_the_last_line_says_so() -> None:
    assert yaml_rows(Window((), 50, 9)).words == "There is no line 51: it has 9."


def test_chart_data_cannot_end_its_script_element() -> None:
    assert "</script" not in chart_json({"name": "</script><script>alert(1)</script>"})
