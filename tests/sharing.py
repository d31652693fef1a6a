"""Several processes share one run of the tests: each begins with a part of its own and then helps the others.

A part is worked through from its beginning by whom it belongs to and from its end by the others, a file at a time: who
makes the mark of a file runs its tests. So all are done at nearly the same time, however long each part takes.
"""

from __future__ import annotations

from pathlib import Path

import pytest

PARTS = ("unit", "rest", "browser")  # in the order in which they are helped


def part_of(item: pytest.Item) -> str:
    """By what a test needs: nothing, a cluster or an image, a browser."""
    if item.get_closest_marker("browser"):
        return "browser"
    return "rest" if item.get_closest_marker("cluster") or item.get_closest_marker("image") else "unit"


def drives_browser(item: pytest.Item) -> bool:
    """Playwright's synchronous API keeps an event loop running, beside which no other can be: such tests come last."""
    return "browser" in getattr(item, "fixturenames", ())


class Share:
    """What one process does of a run: ``own`` is its part, ``taken`` a folder that all of them see."""

    def __init__(self, own: str, taken: Path) -> None:
        self.own = own
        self.taken = taken
        self._is_mine: dict[str, bool] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        files = {path: number for number, path in enumerate(dict.fromkeys(item.path for item in items))}

        def order(item: pytest.Item) -> tuple[int, ...]:
            part, number = part_of(item), files[item.path]
            place = (0, 0, number) if part == self.own else (1, PARTS.index(part), -number)
            return drives_browser(item), *place

        items.sort(key=order)

    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Passes over what another process has begun. What comes after a test has to be known while it runs: what it
        shares with the next is kept, all else is torn down.
        """
        if session.testsfailed or session.config.option.collectonly:
            return None  # pytest says what is to be said
        mine = filter(self._take, session.items)
        item = next(mine, None)
        while item is not None:
            following = next(mine, None)
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.shouldfail:
                raise session.Failed(session.shouldfail)
            if session.shouldstop:
                raise session.Interrupted(session.shouldstop)
            item = following
        return True

    def _take(self, item: pytest.Item) -> bool:
        """Whether its file is this process's to run: whoever asks first has it."""
        file = item.nodeid.partition("::")[0].replace("/", ".")
        what = f"{part_of(item)}-{drives_browser(item):d}-{file}"
        if what not in self._is_mine:
            try:
                (self.taken / what).touch(exist_ok=False)
                self._is_mine[what] = True
            except FileExistsError:
                self._is_mine[what] = False
        return self._is_mine[what]
