"""The API server's Table form: the columns and cells that ``kubectl get`` prints, with metadata instead of objects."""

from __future__ import annotations

from typing import Any

import msgspec

from .base import ListMeta
from .meta import BareMeta, decode_custom

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
METADATA = {"includeObject": "Metadata"}  # never the objects themselves


class ColumnDefinition(msgspec.Struct, frozen=True):
    """One column, in the server's words. With a priority above 0 it is shown only when there is room."""

    name: str
    type: str = ""
    format: str = ""
    description: str = ""
    priority: int = 0


class _Partial(msgspec.Struct, frozen=True):
    metadata: BareMeta


class TableRow(msgspec.Struct, frozen=True):
    """One object: a cell for each column, and its metadata."""

    cells: tuple[Any, ...]
    object: _Partial


class Table(msgspec.Struct, frozen=True, rename="camel"):
    """A whole Table. A watch sends the columns with its first event only; after that they are None."""

    metadata: ListMeta
    column_definitions: tuple[ColumnDefinition, ...] | None = None
    rows: tuple[TableRow, ...] | None = None


_TABLE = msgspec.json.Decoder(Table, dec_hook=decode_custom)


def read_table(raw: bytes | msgspec.Raw) -> Table:
    """Raises ``msgspec.DecodeError``."""
    return _TABLE.decode(raw)


def single_row(table: Table) -> TableRow:
    """The row of a Table of one: the answer to a get, or the object of a watch event. Raises ValidationError."""
    if not table.rows:
        raise msgspec.ValidationError("a Table with one row is expected")
    return table.rows[0]
