"""Custom kinds with typed objects, columns and facts of their own, as plugins declare them (docs/plugins.md)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import msgspec

from .base import Kind, ListPage, T
from .tablekinds import Resource, TableKind


@dataclass(kw_only=True, eq=False)
class CustomKind(Kind[T]):
    """A kind of a custom API. It stands for its resource where the API server offers that in just the version that
    ``gvr`` names; in another version, the Table of the API server is shown. ``unreadable`` hears of answers that cannot
    be decoded.
    """

    section: str = ""
    unreadable: Callable[[str, Exception], None] = field(default=lambda *_: None, repr=False)

    def of(self, resource: Resource) -> CustomKind[T]:
        """The kind of one cluster, as its discovery tells."""
        return replace(self, scales=resource.scales)

    def adopt(self, table: TableKind) -> bool:
        """Takes over what discovery tells now; whether that differs."""
        differs = self.scales != table.scales
        self.scales = table.scales
        return differs

    @property
    def plural(self) -> str:
        """``<plural>.<group>``: as of every custom kind, so that its addresses are the same without the plugin."""
        return f"{self.gvr.plural}.{self.gvr.group}"

    @property
    def discovered(self) -> bool:
        return True

    def decode_list(self, raw: bytes) -> ListPage[T]:
        try:
            return super().decode_list(raw)
        except Exception as error:
            self.unreadable(f"reading a list of {self.title}", error)
            raise

    def decode_object(self, raw: bytes | msgspec.Raw) -> T:
        try:
            return super().decode_object(raw)
        except Exception as error:
            self.unreadable(f"reading a {self.kind}", error)
            raise
