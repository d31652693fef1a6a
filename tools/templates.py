"""Breaks the lines of templates that are longer than 160 characters, only where a browser shows nothing of it.

`python tools/templates.py` rewrites; with `--check` it says which lines are too long, and fails. djade formats Django's
tags; this breaks the HTML, whose white space can be seen: between elements that are blocks, between the attributes of a
tag, at a space of a sentence. Django reads no tag over several lines, so a long comment becomes a block.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
WIDTH = 160
ICONS = "partials/icons.html"  # a sprite: one line an icon

BLOCKS = frozenset(
    {
        "article", "aside", "caption", "dd", "details", "dialog", "div", "dl", "dt", "fieldset", "figure", "footer",
        "form", "h1", "h2", "h3", "h4", "header", "legend", "li", "main", "nav", "ol", "p", "section", "table", "tbody",
        "td", "th", "thead", "tr", "ul",
    }
)  # fmt: skip
VOID = frozenset({"br", "hr", "img", "input", "link", "meta", "path", "use", "wbr"})
# Where white space is shown, read by a script, or part of a value.
EXACT = frozenset(
    {
        "a", "button", "code", "kbd", "option", "pre", "script", "select", "summary", "svg", "td", "textarea", "th",
        "title",
    }
)  # fmt: skip
_DJANGO = r"\{#.*?#\}|\{% comment %\}.*?\{% endcomment %\}|\{%.*?%\}|\{\{.*?\}\}"
_DJANGO_TAG = re.compile(_DJANGO, re.DOTALL)
_TOKEN = re.compile(rf"{_DJANGO}|<!--.*?-->|</?[a-zA-Z]|[^<{{]+|[<{{]", re.DOTALL)
_LONG_COMMENT = re.compile(rf"^(.*)\{{#(.*?)#\}}(?<=.{{{WIDTH + 1}}})", re.MULTILINE)


class Tag(NamedTuple):
    """An HTML tag from ``begin`` to ``end``; ``gaps`` are the spaces between its attributes."""

    begin: int
    end: int
    name: str
    closes: bool
    gaps: tuple[int, ...]


def tag_at(text: str, begin: int) -> Tag:
    """The tag that begins there. Django's tags may stand between its attributes and in their values."""
    at, quote, gaps = begin + 1, "", []
    while at < len(text):
        if found := _DJANGO_TAG.match(text, at):
            at = found.end()
            continue
        if quote:
            quote = "" if text[at] == quote else quote
        elif text[at] in "\"'":
            quote = text[at]
        elif text[at] == " ":
            gaps.append(at)
        elif text[at] == ">":
            break
        at += 1
    name = re.split(r"[^a-zA-Z0-9]", text[begin:at].lstrip("</"), maxsplit=1)[0]
    return Tag(begin, at + 1, name.lower(), text[begin + 1] == "/", tuple(gaps))


class Breaks(NamedTuple):
    """Where a line may be broken: before a character, or instead of a space; the best ones first."""

    between_blocks: frozenset[int]
    within_tags: frozenset[int]
    in_sentences: frozenset[int]
    ends_of_tags: frozenset[int]  # <p\n>: the same to a browser, and the last resort


def breaks(text: str) -> Breaks:
    """The places of a template, as indexes of characters."""
    between_blocks: set[int] = set()
    within_tags: set[int] = set()
    in_sentences: set[int] = set()
    ends_of_tags: set[int] = set()
    inside: list[str] = []
    at = 0
    while found := _TOKEN.match(text, at):
        token, end = found[0], found.end()
        if re.fullmatch(r"</?[a-zA-Z]", token):
            tag = tag_at(text, at)
            within_tags.update(tag.gaps)
            ends_of_tags.add(tag.end - 1)
            end = tag.end
            if tag.closes and tag.name in inside:
                del inside[len(inside) - 1 - inside[::-1].index(tag.name) :]
            if tag.name in BLOCKS and EXACT.isdisjoint(inside):
                between_blocks.add(tag.end if tag.closes else tag.begin)
            if not tag.closes and tag.name not in VOID and text[tag.end - 2] != "/":
                inside.append(tag.name)
        elif token.startswith("{% comment"):
            words = range(at + token.index("%}") + 2, at + token.rindex("{%"))
            in_sentences.update(each for each in words if text[each] == " ")
        elif token[0] not in "{<" and EXACT.isdisjoint(inside):
            in_sentences.update(each for each in range(at, end) if text[each] == " ")
        at = end
    return Breaks(
        frozenset(between_blocks), frozenset(within_tags), frozenset(in_sentences), frozenset(ends_of_tags)
    )


def formatted(text: str) -> str:
    """The same template, with its long lines broken where that can be done."""
    text = _LONG_COMMENT.sub(r"\1{% comment %}\2{% endcomment %}", text)
    places = breaks(text)
    lines: list[str] = []
    at = 0
    for line in text.splitlines(keepends=True):
        begin, at = at, at + len(line)
        while at - begin > WIDTH + 1 and (cut := _cut(places, begin, at)) is not None:
            lines.append(text[begin:cut].rstrip(" ") + "\n")
            begin = cut + (text[cut] == " ")
        lines.append(text[begin:at])
    return "".join(lines)


def _cut(places: Breaks, begin: int, end: int) -> int | None:
    """Where to break a line: at the best kind of place that leaves no short line; else wherever it can be."""
    inner = [[each for each in kind if begin < each < end - 1] for kind in places]
    for least in (WIDTH // 3, 0):
        for kind in inner:
            if fitting := [each for each in kind if begin + least < each <= begin + WIDTH]:
                return max(fitting)
    return min((each for kind in inner for each in kind), default=None)


def too_long(path: Path) -> list[int]:
    """The numbers of a template's lines that are longer than allowed, from 1."""
    return [number for number, line in enumerate(path.read_text().splitlines(), 1) if len(line) > WIDTH]


def every_template() -> list[Path]:
    return [path for path in sorted((ROOT / "templates").rglob("*.html")) if not path.match(ICONS)]


def main() -> int:
    if "--check" in sys.argv:
        found = [
            f"{path.relative_to(ROOT)}:{number}" for path in every_template() for number in too_long(path)
        ]
        print("\n".join(found) or f"No line of a template is longer than {WIDTH} characters.")
        return bool(found)
    for path in every_template():
        text = path.read_text()
        if (new := formatted(text)) != text:
            path.write_text(new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
