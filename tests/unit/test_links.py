"""What the documents lead to is there: files, headings, and the pictures of the tour."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    path
    for place in ("*.md", "docs/**/*.md", "deploy/**/*.md", "sandbox/**/*.md", "bench/**/*.md")
    for path in ROOT.glob(place)
)
LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)\)")


def links(document: Path) -> Iterator[str]:
    """The targets that are in this repository, without what stands in code."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", document.read_text(), flags=re.DOTALL)
    for found in LINK.finditer(text):
        if not re.match(r"[a-z]+:", found["target"]):
            yield found["target"]


def anchors(document: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_what_is_there(document: Path) -> None:
    lost = []
    for target in links(document):
        name, _, anchor = target.partition("#")
        path = (document.parent / name).resolve() if name else document
        if not path.exists() or (anchor and anchor not in anchors(path)):
            lost.append(target)
    assert not lost


def test_the_pictures_of_the_tour_are_those_that_its_test_takes() -> None:
    shown = {Path(target).name for target in links(ROOT / "docs" / "tour.md") if target.endswith(".png")}
    story = (ROOT / "tests" / "real" / "test_story.py").read_text()
    assert shown == {f"{name}.png" for name in re.findall(r'shot\("([a-z]+)"\)', story)}
    assert shown == {path.name for path in (ROOT / "docs" / "tour").iterdir()}
