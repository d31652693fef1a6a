"""A text is what the name of its key says, or what is wrong is told with its line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dashboard.actions import formats
from dashboard.actions.formats import Format, flaw, format_of


@pytest.mark.parametrize(
    ("key", "form"),
    [
        ("app.json", "JSON"), ("APP.JSON", "JSON"), ("a.yaml", "YAML"), ("a.yml", "YAML"), (".env", ".env"),
        ("prod.env", ".env"), (".env.local", ".env"), (".env-prod", ".env"),
        (".envoy", None), (".environment", None), ("envoy.yaml", "YAML"),
        ("log4j.properties", ".properties"), ("nginx.conf", None), ("json", None), ("environment", None),
    ],
)  # fmt: skip
def test_the_name_of_a_key_says_its_format(key: str, form: Format | None) -> None:
    assert format_of(key) == form


@pytest.mark.parametrize(
    ("key", "text", "line"),
    [
        ("a.json", '{"a": 1,\n"b"}\n', 2),
        ("a.json", "", 1),
        ("a.json", '{"a": NaN}', 1),
        ("a.json", "[" * 100_000, 1),
        ("a.yaml", "a: b\n c: d\n", 2),
        ("a.yaml", "a:\n\t- b\n", 2),
        ("a.yaml", "a: 1\nb: \x01", 2),
        ("a.yml", "a: [1\n", 2),
        ("a.yaml", "a:\n  b: |\n    \tx\n- c\n", 4),
    ],
)
def test_broken_json_and_yaml_are_told_with_their_line(key: str, text: str, line: int) -> None:
    found = flaw(key, text.encode())
    assert found is not None and found.broken
    assert (found.key, found.line) == (key, line)


@pytest.mark.parametrize(
    ("key", "text", "line", "word"),
    [
        ("a.properties", "a=1\nb=\\u12\n", 2, "hexadecimal"),
        ("a.properties", "a=1\nb=2\na = 3\n", 3, "again"),
        (".env", "A=1\nB C\n", 2, "NAME=value"),
        (".env", "A=1\nexport A=2", 2, "again"),
        (".env", "A=1\nB='x\ny\n", 2, "quote"),
    ],
)
def test_doubts_about_settings_do_not_stop_anybody(key: str, text: str, line: int, word: str) -> None:
    found = flaw(key, text.encode())
    assert found is not None and not found.broken
    assert found.line == line and word in found.message


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("a.json", '{"a": [1, null]}\r\n'),
        ("a.yaml", "---\na: &x [1]\n---\nb: 2\n"),
        ("a.yaml", ""),
        ("a.properties", "# c\r\na=1\r\nb : 2 \\\r\n  a=1\r\nc\\=d=1\nempty\n"),
        ("a.properties", "path=C:\\\\users"),
        (".env", '# c\nA=1\nexport B=\'two\nlines\'\nC="a \\" b"\n'),
        ("a.txt", "{{{{"),
        ("a.json", '{"a": ' + "7" * 5000 + ', "b": 1.' + "3" * 5000 + "}"),
        ("a.yaml", "script: |\n  \tmake\n  all\nmore: >-\n  \tx\n"),
        ("a.yaml", "%YAML 1.2\n---\na: |\n  100%\n  %TAG\n"),
        (".env", "export A\nexport B C\nunset A B\nHOME\n  PATH  \n"),
        (".env", 'A="ends in a backslash\\\\"\nB=1\n'),
        (".env", 'A="says \\"hi\\" and \\\\"\nB=1\n'),
    ],
)
def test_what_is_right_is_left_alone(key: str, text: str) -> None:
    assert flaw(key, text.encode()) is None


def test_an_alias_for_a_billion_values_costs_nothing() -> None:
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40))]
    assert flaw("a.yaml", "\n".join(lines).encode()) is None


class Counted:
    """How many events a check takes from the parser."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.taken = 0
        self._parse = formats.yaml.parse
        monkeypatch.setattr(formats.yaml, "parse", self.parse)

    def parse(self, text: str, Loader: Any) -> Iterator[Any]:  # PyYAML's name
        for event in self._parse(text, Loader=Loader):
            self.taken += 1
            yield event


@pytest.mark.parametrize("text", ["[" * 60_000, "{a: " * 60_000, "- " * 60_000 + "x", "? " * 60_000 + "x"])
def test_a_deeply_nested_text_is_read_no_further_than_it_is_told_of(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Counted(monkeypatch)
    found = flaw("deep.yaml", text.encode())
    assert found is not None and found.broken and "nested deeper" in found.message
    assert counted.taken <= 3 * formats.MAX_DEPTH


@pytest.mark.parametrize(
    "text", ["--- a\n" * 200_000, "[" * 99 + "[]," * 300_000, "&a [*a,*a]\n--- \n" * 60_000]
)
def test_a_text_of_many_pieces_is_checked_as_far_as_the_bound(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Counted(monkeypatch)
    assert flaw("many.yaml", text.encode()) is None
    assert counted.taken == formats.MAX_EVENTS


def test_many_directives_are_not_compared_with_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Counted(monkeypatch)
    text = "".join(f"%TAG !a{n}! b\n" for n in range(40_000)) + "--- x\n"
    found = flaw("many.yaml", text.encode())
    assert found is not None and "directives" in found.message
    assert counted.taken == 0


def test_a_value_larger_than_any_configmap_is_not_checked() -> None:
    assert flaw("large.json", b"[" * (formats.MAX_BYTES + 1)) is None
