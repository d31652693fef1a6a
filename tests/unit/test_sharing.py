"""How processes share a run: a test runs in one of them, and whoever is done with its own helps the others."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.sharing import PARTS
from tools.test import SHARED

RUN = """
import pathlib, sys, pytest
from tests.sharing import Share

own, taken, folder = sys.argv[1:]
words = ["-q", "-c", f"{folder}/none.ini", "-p", "no:cacheprovider", folder]
sys.exit(pytest.main(words, [Share(own, pathlib.Path(taken))]))
"""
FILE = """
import pathlib, pytest

pytestmark = {marks}

@pytest.fixture
def browser(): pass

@pytest.mark.parametrize("number", range(2))
def test_it(number{fixture}):
    with pathlib.Path(__file__).parents[1].joinpath("ran").open("a") as ran:
        ran.write(f"{name}{{number}} ")
"""
FILES = {
    "a": ([], ""),
    "b": (["browser"], ", browser"),
    "c": (["browser"], ""),
    "d": (["cluster"], ""),
    "e": ([], ""),
    "f": (["cluster", "browser"], ", browser"),
    "g": (["image"], ""),
    "h": (["cluster"], ""),
}


def ran(own: str, folder: Path, taken: Path) -> list[str]:
    """What a process runs, in its order."""
    there = folder / "ran"
    there.write_text("")
    done = subprocess.run(
        [sys.executable, "-c", RUN, own, str(taken), str(folder)],
        env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return there.read_text().split()


def test_each_test_runs_once_its_own_first_then_those_of_others_from_their_end(tmp_path: Path) -> None:
    folder, taken = tmp_path / "tests", tmp_path / "taken"
    folder.mkdir()
    taken.mkdir()
    (folder / "none.ini").write_text("[pytest]\nmarkers =\n  cluster\n  browser\n  image\n")
    for name, (marks, fixture) in FILES.items():
        marked = ", ".join(f"pytest.mark.{each}" for each in marks)
        text = FILE.format(marks=f"[{marked}]", fixture=fixture, name=name)
        # What files of a package share is to be torn down also where the next of them is another's.
        package = folder / ("together" if name in "dgh" else "alone")
        package.mkdir(exist_ok=True)
        (package / "__init__.py").touch()
        (package / f"test_{name}.py").write_text(text)

    later = [*folder.glob("*/test_[df].py")]  # not there yet for the first process
    for path in later:
        path.rename(path.with_suffix(".later"))
    # What drives a browser comes last, whosever it is.
    files = ["a", "e", "h", "g", "c", "b"]
    assert ran("unit", folder, taken) == [f"{file}{number}" for file in files for number in range(2)]
    for path in later:
        path.with_suffix(".later").rename(path)
    assert ran("rest", folder, taken) == ["d0", "d1", "f0", "f1"]


def test_every_part_has_a_process() -> None:
    assert {*SHARED} == {*PARTS}
