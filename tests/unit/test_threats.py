"""The page about threats names the tests that show what it promises: each is there, and each promise has one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/threats.md").read_text()
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def functions_of(path: Path) -> set[str]:
    """The tests that pytest finds in a file."""
    return {
        node.name
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


def test_every_test_that_is_named_is_there() -> None:
    named = NAMED.findall(PAGE)
    assert len(named) > 30
    for path, test in named:
        assert test in functions_of(ROOT / path), f"{path}::{test}"


def test_every_promise_has_a_test() -> None:
    _, _, after = PAGE.partition("| promise |")
    rows = after.partition("\n\n")[0].splitlines()[2:]
    assert len(rows) > 10
    for row in rows:
        assert NAMED.search(row), row
