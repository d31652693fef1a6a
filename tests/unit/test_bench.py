"""Every benchmark in its short form: that it measures what it says, not how fast it is; and the document of them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.document import DOCUMENT, begin_mark, end_mark, written
from bench.figures import FIGURES
from bench.report import Report, Table, percentile, spread
from dashboard.kinds import KINDS

ROOT = Path(__file__).resolve().parent.parent.parent
BENCH = ROOT / "bench"
SECONDS = 240


def _marked(name: str) -> object:
    figure = FIGURES[name]
    marks = [pytest.mark.cluster] if figure.sandbox or figure.own_sandbox else []
    return pytest.param(name, marks=[*marks, pytest.mark.browser] if figure.browser else marks)


def _tables(markdown: str) -> list[list[list[str]]]:
    """The cells of each row of each table, without its head."""
    found: list[list[list[str]]] = []
    for block in markdown.split("\n\n"):
        lines = [line for line in block.splitlines() if line.startswith("| ") or line == "|"]
        if lines:
            rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
            found.append(rows[2:])
    return found


@pytest.mark.parametrize("name", [_marked(name) for name in FIGURES])
def test_a_figure_measures_something_in_its_short_form(name: str, request: pytest.FixtureRequest) -> None:
    # In a process of its own: it measures its memory and its processor, and several drive a browser.
    words = [sys.executable, "-m", "bench", name, "--short"]
    if FIGURES[name].sandbox:
        words += ["--sandbox", str(request.getfixturevalue("cluster").folder)]
    with subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            said, errors = process.communicate(timeout=SECONDS)
        except BaseException:
            process.terminate()  # not killed: it ends what it has started
            raise
    assert process.returncode == 0, errors[-3000:]
    tables = _tables(said)
    assert tables and all(tables), said
    for row in (row for table in tables for row in table):
        assert len(row) > 1 and any(re.search(r"\d", cell) for cell in row[1:]), row
        assert not any("nan" in cell for cell in row), row
    if name == "memory":
        assert [row[0] for row in tables[0]] == sorted(KINDS)
        assert all(float(cell.replace(",", "")) > 100 for row in tables[0] for cell in row[1:4])


def test_a_module_with_a_figure_is_a_figure() -> None:
    declared = {path.stem for path in BENCH.glob("*.py") if re.search(r"^FIGURE = ", path.read_text(), re.M)}
    assert declared == set(FIGURES)


def test_the_document_has_a_place_for_every_figure_and_for_no_other() -> None:
    text = DOCUMENT.read_text()
    for name in FIGURES:
        assert "new" in written(text, name, "new")
    marks = re.findall(r"^<!-- (?:end of )?([a-z]+)", text, re.M)
    assert sorted(marks) == sorted([*FIGURES, *FIGURES])


def test_a_figure_replaces_what_stands_between_its_marks_and_nothing_else() -> None:
    before = f"a\n{begin_mark('x')}\nold\n{end_mark('x')}\nb\n"
    assert written(before, "x", "new\n") == f"a\n{begin_mark('x')}\nnew\n{end_mark('x')}\nb\n"
    for broken in ("a", before + before, f"{end_mark('x')}{begin_mark('x')}"):
        with pytest.raises(ValueError, match="once each"):
            written(broken, "x", "new")


def test_a_table_has_its_yardstick_and_rows_that_fit() -> None:
    rows = [("json", "5"), ("ours", "1")]
    assert str(Table(columns=("", "ms"), rows=rows, yardstick="json")).splitlines()[2] == "| json | 5 |"
    with pytest.raises(ValueError, match="yardstick"):
        Table(columns=("", "ms"), rows=rows, yardstick="yaml")
    with pytest.raises(ValueError, match="fit"):
        Table(columns=("", "ms"), rows=[("json", "5", "6")], yardstick="json")
    report = Report("Decode", [Table(columns=("", "ms"), rows=rows, yardstick="ms")], ["And a note."])
    assert str(report).startswith("**Decode**\n\n|") and str(report).endswith("\n\nAnd a note.")


def test_samples_are_told_by_their_median_and_range() -> None:
    assert spread([3, 1, 2], "ms") == "2 ms (1–3)"
    assert spread([1234.56], "µs", 1) == "1,234.6 µs"
    assert percentile(range(1, 101), 95) == 96
    assert percentile([7], 99) == 7
