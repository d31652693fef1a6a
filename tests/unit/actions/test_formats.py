"""A text is what the name of its key says, or what is wrong is told with its line."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

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
        ("a.yaml", "a: |\n  \tx\nb:\n  \t- c\n", 4),
        ("a.yaml", "a: |\n  x\n \ty\n", 3),
        ("a.yaml", "a: |2\n \tx\n", 2),
        ("a.yaml", "a:\n  b: |\n \tx\n", 3),
        ("a.yaml", "- a: |\n \tx\n", 2),
        ("a.yaml", "a: 1\rb: \u2028x\r\nc: [", 3),
        ("a.yaml", "\ufeffa: 1\nb: ]", 2),
        ("a.yaml", "a: éé\u2028\nb: \x01", 2),
        ("a.json", '{"a": "NaN",\n"b": -Infinity}', 2),
        ("a.json", '{"a": 1,\r"b": 2,\r"c"}', 3),
        ("a.json", '{"a": 1, // one\n"b": 2}', 1),
        ("a.json", "\ufeff{}", 1),
        ("appsettings.json", '{/* one\n */ "a": 1,\n"b"}', 3),
        ("appsettings.json", '{"a": 1}\n/* ' + "/*" * 100_000, 2),
        ("a.yaml", b"a: 1\rb: 2\r\n\xff", 3),
    ],
)
def test_broken_json_and_yaml_are_told_with_their_line(key: str, text: str | bytes, line: int) -> None:
    found = flaw(key, text if isinstance(text, bytes) else text.encode())
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
        (".env", "set -a # for programs\nexport A # note\nB C\n", 3, "NAME=value"),
        (".env", "A=1\runset B\r\nA=2", 3, "again"),
        (".env", 'A="two\nlines"\nB C', 3, "NAME=value"),
        ("a.properties", "a=1\n#---\na=2\nb=3\nb=4", 5, "again"),
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
        (
            ".env",
            "export A # note\nunset -v A\nexport -n A\nset -a\nset +o allexport\ndeclare -x B=1\nHOME # of the user",
        ),
        (".env", "A=1\nunset A\nA=2\nA=$A:3\nA=${A}4\nA+=5\n"),
        (".env", "A: 1\n1B=2\nC-D.e=3\n"),
        (".env", ". ./common.env\n: ${A:=1}\nsource more; echo done\n"),
        (".env", "if [ -f x ]; then\n  A=1\nelse\n  A=2\nfi\n"),
        (".env", "A=x'two more\nlines here'\nexport B=1 C='and\nmore of them'\nD=one \\\n  and more\n"),
        (".env", "A=$(cat <<END\nwords of a text\nEND\n)\n"),
        (".env", "A=it's\n"),
        ("a.properties", "a=1\n#---\na=2\n!---\na=3\n"),
        ("a.yaml", "--- |\n\tx\n"),
        (
            "a.yaml",
            "a: |-\n\n  \tx\n \n  y\nb:\n- !!str >+ # c\n  \ty\n- c: &d |\n   \tz\n? |\n  \tk\n: |\n  \tv\n",
        ),
        ("a.yaml", "- |\n  \tx\n" * 90),
        ("a.yaml", "\ufeffa: 1\n"),
        (
            "appsettings.Production.json",
            '\ufeff{// one, [two\n"a": "//x", /* two */ "b": [1, 2,], "c": ",]",\n}\n',
        ),
        (".env", 'A="ends in a backslash\\\\"\nB=1\n'),
        (".env", 'A="says \\"hi\\" and \\\\"\nB=1\n'),
    ],
)
def test_what_is_right_is_left_alone(key: str, text: str) -> None:
    assert flaw(key, text.encode()) is None


# Lines of YAML, in part wrong; in block scalars a ~ is a tab or, for comparison, a letter.
LINES = st.lists(
    st.sampled_from(
        [
            "a: |\n  ~x", "- |\n\n ~~x\n   y", "b:\n- c: >- # d\n    ~x\n    ~y", "e: !!str |+\n      ~",
            "? |\n  ~k\n: |\n  ~v",
            "f: 1", "g: 'h", "i'", "j: [1", "]", "k:\n\t- l", "\tm", "---", "# n: |",
            "é: \u2028", "o: |\n  p", "r: |2\n \ts",
        ]
    ),
    max_size=8,
)  # fmt: skip


@settings(max_examples=400)
@given(LINES)
def test_a_tab_in_a_block_scalar_is_a_letter_and_what_is_wrong_after_it_is_told(lines: list[str]) -> None:
    text = "\n".join(lines) + "\n"
    told = flaw("a.yaml", text.replace("~", "\t").encode())
    assert told == flaw("a.yaml", text.replace("~", "x").encode())


@settings(max_examples=200)
@given(
    st.lists(
        st.sampled_from(["a: |", "  b: >-", "- |", "x", "  x", "    x", "  \tx", "\tx", " \t", "", "  "])
    )
)
def test_yaml_that_the_strictest_reader_takes_is_taken(lines: list[str]) -> None:
    """PyYAML's own one, in Python."""
    text = "\n".join(lines) + "\n"
    with suppress(yaml.YAMLError):
        list(yaml.parse(text, Loader=yaml.SafeLoader))
        assert flaw("a.yaml", text.encode()) is None


BASH = str(shutil.which("bash"))
SHELL = st.lists(
    st.sampled_from(
        [
            "A=1", "B='two", "lines'", 'C="x', 'y"', "D=it\\'s", "export A # note", "unset -v A", "export -n B",
            "set -a", "set +a", "# don't", "E=a\\", "F=$A", "  G=1 H='2 3'", "export I=1 J='k", "l'", 'M="n"\'o', "p'",
            "readonly Q", "declare -x R=1", "", ": ${S:=1}", "T=$(echo u", ")", "V='w' # x'",
        ]
    ),
    max_size=8,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(SHELL)
def test_settings_that_a_shell_takes_are_settings(lines: list[str]) -> None:
    text = "\n".join(lines) + "\n"
    shell = [BASH, "--norc", "--noprofile", "-c", text]
    told = subprocess.run(shell, capture_output=True, env={"PATH": ""}, check=False)
    found = flaw(".env", text.encode())
    if told.returncode == 0 and not told.stderr:
        assert found is None or "again" in found.message


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


@pytest.mark.parametrize("end", ["", "\\", " "])
def test_a_string_that_nothing_ends_is_looked_at_but_once(end: str) -> None:
    text = '"' + '\\"' * 500_000 + end
    began = time.process_time()
    found = flaw("appsettings.json", text.encode())
    assert time.process_time() - began < 10, "looking for its end from each quote anew took hours"
    assert found is not None and "Unterminated string" in found.message


def test_comments_before_a_string_that_nothing_ends_are_still_none_of_it() -> None:
    found = flaw("appsettings.json", b'{// one\n"a": 1, /* two */\n"b //')
    assert found is not None and (found.line, found.broken) == (3, True)


def test_a_value_larger_than_any_configmap_is_not_checked() -> None:
    assert flaw("large.json", b"[" * (formats.MAX_BYTES + 1)) is None
