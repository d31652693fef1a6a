"""A text is what the name of its key says, or what is wrong is told with its line."""

from __future__ import annotations

import pytest

from dashboard.actions.formats import Format, flaw, format_of


@pytest.mark.parametrize(
    ("key", "form"),
    [
        ("app.json", "JSON"), ("APP.JSON", "JSON"), ("a.yaml", "YAML"), ("a.yml", "YAML"), (".env", ".env"),
        ("prod.env", ".env"), (".env.local", ".env"), ("log4j.properties", ".properties"), ("nginx.conf", None),
        ("json", None), ("environment", None),
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
    ],
)
def test_what_is_right_is_left_alone(key: str, text: str) -> None:
    assert flaw(key, text.encode()) is None


def test_an_alias_for_a_billion_values_costs_nothing() -> None:
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40))]
    assert flaw("a.yaml", "\n".join(lines).encode()) is None
