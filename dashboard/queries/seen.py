"""The objects that a user may see, for the rules of ``insight``: what they say can rest on nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .access import Visible
from .reader import Reader


class Seen:
    """The cache through a user's rights; a kind whose rights are not told is not seen. Fulfils ``insight.Objects``."""

    def __init__(self, reader: Reader, visible: Mapping[str, Visible]) -> None:
        self._reader = reader
        self._visible = visible

    def all(self, plural: str, namespace: str | None = None) -> Sequence[Any]:
        seen = self._visible.get(plural)
        if seen is None or seen.denied is not None:
            return ()
        if seen.namespaces is None:
            return self._reader.all(plural, namespace)
        wanted = seen.namespaces if namespace is None else seen.namespaces & {namespace}
        return [obj for each in sorted(wanted) for obj in self._reader.all(plural, each)]

    def get(self, plural: str, namespace: str, name: str) -> Any | None:
        return self._reader.get(plural, namespace, name) if self._sees(plural, namespace) else None

    def reads(self, plural: str, namespace: str = "") -> bool:
        return self._sees(plural, namespace) and self._reader.reads(plural, namespace)

    def _sees(self, plural: str, namespace: str) -> bool:
        seen = self._visible.get(plural)
        if seen is None or seen.denied is not None:
            return False
        return seen.namespaces is None or namespace in seen.namespaces
