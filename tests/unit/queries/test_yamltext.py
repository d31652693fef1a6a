"""YAML line by line: it reads back as what it was, whatever that is, and what is not shown is not made."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dashboard.queries import yamltext
from dashboard.queries.yamltext import as_yaml, yaml_lines, yaml_window

TEXTS = st.one_of(
    st.text(alphabet="ab \n\t:-#'\"\\{}[]%@`!&*|>?~=.,01eé😀\x00\x7f\x85\u2028\ufeff\xa0", max_size=12),
    st.sampled_from(
        [
            "null",
            "true",
            "Yes",
            "off",
            "y",
            "0x1",
            "0o7",
            "1:30",
            "1e3",
            ".5",
            "2020-01-01",
            "---",
            "- a",
            "a: b",
            "<<",
        ]
    ),
    st.text(alphabet="ab \n:-'\"", min_size=1, max_size=8).map(lambda text: text * 140),
)
ANY_SPEED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXTS
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=8,
)


@ANY_SPEED
@example({"::" * 600: None})
@example({"k" * 2000: {"a": [1, {"b" * 2000: "c\nd"}, []], "e": {}}, "f" * 2000: [{"g": 1}]})
@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_what_is_written_reads_back_as_it_was(obj: dict[str, Any]) -> None:
    for loader in (yaml.CSafeLoader, yaml.SafeLoader):
        assert yaml.load(as_yaml(obj), Loader=loader) == obj  # noqa: S506 # both are safe loaders


@ANY_SPEED
@given(st.dictionaries(TEXTS, VALUES, max_size=4), st.integers(0, 8), st.integers(1, 8))
def test_a_window_is_a_part_of_all_lines(obj: dict[str, Any], start: int, count: int) -> None:
    every = [line.text for line in yaml_lines(obj)]
    assert as_yaml(obj) == "".join(f"{line}\n" for line in every)
    window = yaml_window(obj, start, count)
    assert [line.text for line in window.lines] == every[start : start + count]
    assert (window.start, window.total) == (start, len(every))


def test_it_looks_as_kubectl_writes_it() -> None:
    obj = {
        "apiVersion": "v1",
        "metadata": {"name": "web", "labels": {"version": "1.10", "on": "true"}, "annotations": {}},
        "spec": {"ports": [{"port": 80, "names": ["a", "b: c"]}, {"port": 443}], "none": None, "empty": []},
        "data": {
            "a.conf": "one\n  two\n\nthree\n",
            "b": "no end\nhere",
            "c": "",
            "d": " x\n",
            "e": "keeps\n\n",
        },
    }
    assert as_yaml(obj) == (
        "apiVersion: v1\nmetadata:\n  name: web\n  labels:\n    version: '1.10'\n    'on': 'true'\n"
        "  annotations: {}\nspec:\n  ports:\n  - port: 80\n    names:\n    - a\n    - 'b: c'\n  - port: 443\n"
        "  none: null\n  empty: []\ndata:\n  a.conf: |\n    one\n      two\n\n    three\n"
        "  b: |-\n    no end\n    here\n  c: ''\n  d: |2\n     x\n  e: |+\n    keeps\n\n"
    )


@pytest.mark.parametrize(
    "text",
    [
        "x\n" * 500_000,
        "- " * 30_000 + "x\n",
        "%ü" * 300_000,
        "'" * 900_000,
        "1" * 900_000,
        "a: b\n" * 200_000,
    ],
)
def test_only_the_lines_that_are_shown_are_made(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = 0

    class Counted(yamltext.YamlLine):
        def __new__(cls, *parts: Any) -> Any:
            nonlocal made
            made += 1
            return super().__new__(cls, *parts)

    monkeypatch.setattr(yamltext, "YamlLine", Counted)
    window = yaml_window({"data": {"text": text, "other": "x"}}, 0, 100)
    assert window.total == text.rstrip("\n").count("\n") + (4 if "\n" in text else 3)
    assert len(window.lines) == min(100, window.total)
    assert made <= 100 + 3


def test_no_depth_is_too_deep() -> None:
    obj: dict[str, Any] = {}
    inner = obj
    for _ in range(5000):
        inner["a"] = {"b": {}}
        inner = inner["a"]
    assert yaml_window(obj, 0, 10).total == 10_000 // 2 + 5000


@pytest.mark.parametrize("text", ["1e3", "-1E+3", "0o644"])
def test_text_that_is_a_number_to_kubernetes_is_quoted(text: str) -> None:
    assert as_yaml({"a": text}) == f"a: '{text}'\n"
    assert as_yaml({"a": f"{text}x"}) == f"a: {text}x\n"
