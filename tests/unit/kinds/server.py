"""A small API client and the comparison of a row with the server's own Table row, for fixtures and cluster tests."""

from __future__ import annotations

import base64
import http.client
import json
import re
import ssl
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlencode, urlsplit

import yaml

from dashboard.kinds import Kind
from dashboard.kinds.base import Cell, cell_text

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "y": 31536000}
DURATION = re.compile(r"(?:\d+[smhdy]){1,2}")
Object = dict[str, Any]


class Refused(AssertionError):
    """The server answered with an error."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"{status}: {body.decode()[:2000]}")
        self.status = status


class Server:
    """One kept-alive connection to the API server of a kubeconfig with embedded certificates."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        context = ssl.create_default_context(cadata=_decoded(cluster["certificate-authority-data"]))
        with tempfile.NamedTemporaryFile("w") as file:
            file.write(_decoded(user["client-certificate-data"]) + _decoded(user["client-key-data"]))
            file.flush()
            context.load_cert_chain(file.name)
        url = urlsplit(cluster["server"])
        self._connection = http.client.HTTPSConnection(
            url.hostname or "", url.port, context=context, timeout=30
        )

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, type_: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def request(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        *,
        accept: str = "application/json",
        content_type: str = "application/json",
        query: dict[str, str] | None = None,
    ) -> bytes:
        """The answer's body. Raises Refused."""
        data = None if body is None else json.dumps(body).encode()
        target = f"{path}?{urlencode(query)}" if query else path
        self._connection.request(method, target, data, {"Accept": accept, "Content-Type": content_type})
        response = self._connection.getresponse()
        answer = response.read()
        if response.status >= 400:
            raise Refused(response.status, answer)
        return answer

    def write_status(self, path: str, status: Object, *, dry_run: bool = False) -> Object:
        """Replaces the status whatever anyone wrote there meanwhile; the Table of the result, with the object."""
        query = {"includeObject": "Object"} | ({"dryRun": "All"} if dry_run else {})
        while True:
            body = json.loads(self.request("GET", path))
            # A controller may have written this one already, and it may not be taken back.
            kept = {key: value for key, value in body.get("status", {}).items() if key == "collisionCount"}
            body["status"] = kept | status
            try:
                table: Object = json.loads(
                    self.request("PUT", f"{path}/status", body, accept=TABLE, query=query)
                )
            except Refused as error:
                if error.status != 409:
                    raise
            else:
                return table

    def delete(self, path: str) -> None:
        """Deletes at once; finalizers still hold."""
        self.request("DELETE", path, query={"gracePeriodSeconds": "0"})

    def table(self, path: str, *, objects: str = "Object", **query: str) -> Object:
        """The server's Table, with objects or only their metadata in its rows."""
        answer = self.request("GET", path, accept=TABLE, query={"includeObject": objects} | query)
        table: Object = json.loads(answer)
        return table


def _decoded(data: str) -> str:
    return base64.b64decode(data).decode()


def differences(kind: Kind[Any], raw: bytes, cells: list[Any], now: datetime) -> list[str]:
    """Where our row of the object differs from the server's cells; relative times may be one unit apart."""
    row = kind.row(kind.decode_object(raw))
    if len(row.cells) != len(cells):
        return [f"{len(row.cells)} cells instead of {len(cells)}"]
    return [
        f"{column.title}: {cell_text(cell, now)!r} instead of {printed(expected)!r}"
        for column, cell, expected in zip(kind.columns, row.cells, cells, strict=True)
        if not same_words(cell, printed(expected), now)
    ]


def compare_table(kind: Kind[Any], table: Object) -> list[str]:
    """The differences of all rows of a Table that was fetched just now."""
    now = datetime.now(UTC)
    found = []
    for row in table["rows"] or ():
        raw = json.dumps(row["object"]).encode()
        if kind.accept == TABLE:
            raw = json.dumps({**table, "rows": [row]}).encode()
        where = f"{kind.kind} {row['object']['metadata']['name']}"
        found += [f"{where}: {text}" for text in differences(kind, raw, row["cells"], now)]
    return found


def compare(server: Server, path: str, kind: Kind[Any]) -> list[str]:
    """The differences between our row of one object and the server's."""
    return compare_table(kind, server.table(path, objects=kind.query.get("includeObject", "Object")))


def printed(cell: Any) -> str:
    """As kubectl prints cells that are not text."""
    return cell if isinstance(cell, str) else json.dumps(cell)


def same_words(cell: Cell, expected: str, now: datetime) -> bool:
    """Whether our cell says the same; relative times may be one unit apart."""
    ours = cell_text(cell, now)
    if ours == expected or not cell.form:
        return ours == expected
    if cell.form == "ago":
        ours, expected = ours.removeprefix(f"{cell.text} ("), expected.removeprefix(f"{cell.text} (")
        if not (ours.endswith(" ago)") and expected.endswith(" ago)")):
            return False
        ours, expected = ours.removesuffix(" ago)"), expected.removesuffix(" ago)")
    if not (DURATION.fullmatch(ours) and DURATION.fullmatch(expected)):
        return False
    return abs(_seconds(ours) - _seconds(expected)) <= max(UNITS[ours[-1]], UNITS[expected[-1]])


def _seconds(duration: str) -> int:
    return sum(int(number) * UNITS[unit] for number, unit in re.findall(r"(\d+)([smhdy])", duration))
