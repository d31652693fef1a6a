"""Parts and what goes into scripts: nothing that an object holds becomes markup."""

from __future__ import annotations

import pytest

from dashboard.render import chart_json, facts_hash, stamped, yaml_line


def test_the_hash_stands_in_the_root_element_only() -> None:
    assert stamped("\n<tr id='a'><td>1</td></tr>\n", "h") == "<tr data-h=\"h\" id='a'><td>1</td></tr>"


def test_equal_facts_have_equal_hashes_and_others_do_not() -> None:
    assert facts_hash({"a": (1, "x")}) == facts_hash({"a": (1, "x")})
    assert facts_hash({"a": (1, "x")}) != facts_hash({"a": (1, "y")})


@pytest.mark.parametrize(
    "line",
    [
        "name: <script>alert(1)</script>",
        "<b>: x",
        "- <i>x</i>",
        '"a<b": 1',
        "key: '<img src=x onerror=alert(1)>'",
    ],
)
def test_a_line_of_yaml_is_escaped(line: str) -> None:
    html = yaml_line(line)
    without_ours = html.replace('<span class="k">', "").replace('<span class="s">', "")
    assert "<" not in without_ours.replace('<span class="n">', "").replace("</span>", "")


def test_a_line_of_yaml_keeps_its_text() -> None:
    assert yaml_line("  replicas: 3") == '  <span class="k">replicas</span>: <span class="n">3</span>'


def test_chart_data_cannot_end_its_script_element() -> None:
    assert "</script" not in chart_json({"name": "</script><script>alert(1)</script>"})
