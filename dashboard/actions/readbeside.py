"""Objects of some namespaces that are read as whoever restores, where there is no cache: on a command line, or of what is
not in view.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dashboard.kinds import KINDS
from dashboard.kube.answers import reading_answers
from dashboard.kube.transport import Transport
from dashboard.loop import off_loop

MAX_LISTED = 500  # objects of a kind in a namespace


class ReadBeside:
    """What was read, by kind and namespace, as the rules ask for it; nothing is known of the rest."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str], Sequence[Any]] = {}

    def all(self, plural: str, namespace: str | None = None) -> Sequence[Any]:
        return self.found.get((plural, namespace or ""), ())

    def get(self, plural: str, namespace: str, name: str) -> Any | None:
        return next((each for each in self.all(plural, namespace) if each.metadata.name == name), None)

    def reads(self, plural: str, namespace: str = "") -> bool:
        return (plural, namespace) in self.found


async def listed_beside(
    transport: Transport, plural: str, namespace: str, *, most: int = MAX_LISTED, **limits: Any
) -> tuple[Sequence[Any], bool]:
    """The objects of a kind in a namespace, or in all ("", up to ``most`` or a few more), and whether these are all.
    ``limits`` are those of a request. Raises what the API server says.
    """
    kind, found = KINDS[plural], list[Any]()
    query = {"limit": str(MAX_LISTED)}
    while True:
        answer = await transport.request(
            "GET", kind.gvr, namespace=namespace, query=query, accept=kind.accept, **limits
        )
        with reading_answers():
            page = await off_loop(kind.decode_list, answer.body)
        found += page.items
        if not page.continue_ or len(found) >= most:
            return found, not page.continue_
        query = {**query, "continue": page.continue_}
