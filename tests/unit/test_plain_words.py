"""Every sentence of the project, held against the phrases that it does not use."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from .words import ON_SCREEN, PHRASES, faults

ROOT = Path(__file__).resolve().parents[2]
COMMENT = re.compile(r"\{#.*?#\}|\{% comment %\}.*?\{% endcomment %\}", re.DOTALL)
SPOKEN = re.compile(r'(?:aria-label|aria-description|data-tip|placeholder|title|alt|data-confirm)="([^"]*)"')
INLINE = re.compile(
    r"</?(?:b|code|em|strong|a|span|time|wbr|kbd|abbr|mark)\b[^>]*>|\{\{.*?\}\}|\{%.*?%\}", re.DOTALL
)
SCRIPT_STRING = re.compile(r"\"((?:[^\"\\\n]|\\.)*)\"|`((?:[^`\\]|\\.)*)`|'((?:[^'\\\n]|\\.)*)'")


def of_template(path: Path) -> Iterator[str]:
    html = COMMENT.sub("", path.read_text())
    yield from SPOKEN.findall(html)
    for text in re.findall(r"\{%[^%]*?\"([^\"]* [^\"]*)\"[^%]*%\}", html):
        yield text
    for text in re.split(r"<[^>]*>", INLINE.sub(" ", html)):
        yield " ".join(text.split())


def of_python(path: Path) -> Iterator[str]:
    """String constants and f-strings (``{}`` for what is put in), docstrings apart."""
    tree = ast.parse(path.read_text())
    inside: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                inside.add(id(first.value))
        if isinstance(node, ast.JoinedStr):
            inside |= {id(part) for part in node.values}
            yield "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)  # type: ignore[misc]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            yield node.value


def of_script(path: Path) -> Iterator[str]:
    text = re.sub(r"^\s*//.*$|(?<=[;,{})]) // .*$", "", path.read_text(), flags=re.MULTILINE)
    for groups in SCRIPT_STRING.findall(text):
        yield next((each for each in groups if each), "")


def of_document(path: Path) -> Iterator[str]:
    yield from path.read_text().splitlines()


SOURCES = {
    "templates": (of_template, (ROOT / "templates").rglob("*.html")),
    "python": (
        of_python,
        (path for room in ("dashboard", "cluster_ui") for path in (ROOT / room).rglob("*.py")),
    ),
    "scripts": (of_script, (ROOT / "static/js").glob("*.js")),
    "documents": (
        of_document,
        [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "sandbox/README.md"],
    ),
}


@pytest.mark.parametrize("source", SOURCES)
def test_no_sentence_uses_a_phrase_that_has_a_plain_word(source: str) -> None:
    read, paths = SOURCES[source]
    wrong = [
        f"{path.relative_to(ROOT)}: {fault} in {sentence.strip()[:200]!r}"
        for path in sorted(paths)
        for sentence in read(path)
        for fault in faults(sentence, on_screen=source != "documents")
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("sentence", "phrases"),
    [
        ("No node has room for it: it asks for 2 CPU", 2),
        ("2 of 3 pods are Healthy", 0),
        ("wanted", 0),  # a name in code
    ],
)
def test_a_phrase_is_found_in_a_sentence(sentence: str, phrases: int) -> None:
    assert len(faults(sentence)) == phrases


def test_every_kind_of_source_is_read() -> None:
    assert "Impact" in "".join(of_template(ROOT / "templates/partials/preview.html"))
    assert len(PHRASES) + len(ON_SCREEN) > 40
