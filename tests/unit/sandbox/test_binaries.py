"""How several things of the cache are made together."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.binaries import Make, ensure_made
from sandbox.errors import SandboxError


def maker(name: str, met: list[str]) -> Make:
    """Makes one program, and notes what it finds where it works."""

    def make(folder: Path, work: Path) -> None:
        met.append(f"{name} after {sorted(each.name for each in work.glob('*.o'))}")
        (work / f"{name}.o").touch()
        (folder / name).touch()
        folder.with_name("beside").mkdir()

    return make


def refuses(folder: Path, work: Path) -> None:
    raise SandboxError("no compiler")


def test_what_is_made_for_one_serves_the_next_and_goes_afterwards(tmp_path: Path) -> None:
    met: list[str] = []
    wanted = {name: maker(name, met) for name in ("first", "second")}
    first, second = ensure_made(wanted, print, home=tmp_path)
    assert met == ["first after []", "second after ['first.o']"]
    assert (first / "bin" / "first").exists() and (second / "bin" / "second").exists()
    assert {each.name for each in tmp_path.iterdir()} == {"first", "second", "build.lock"}
    assert ensure_made(wanted, print, home=tmp_path) == [first, second]
    third = ensure_made(wanted | {"third": maker("third", met)}, print, home=tmp_path)[-1]
    assert third == tmp_path / "third"
    assert met[2:] == ["third after []"], "what is there is not made again"


def test_what_was_made_before_another_failed_stays(tmp_path: Path) -> None:
    met: list[str] = []
    with pytest.raises(SandboxError, match="no compiler"):
        ensure_made({"first": maker("first", met), "second": refuses}, print, home=tmp_path)
    assert {each.name for each in tmp_path.iterdir()} == {"first", "build.lock"}
