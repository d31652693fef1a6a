"""Logs as files: everything that the API server gives, as it comes, one container after the other."""

from __future__ import annotations

import zipfile
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from datetime import datetime

from dashboard.errors import ClusterError, NotFound
from dashboard.kube.transport import Transport

from .failures import explain
from .options import LogOptions
from .reading import holds, open_log
from .sgr import plain
from .stamps import Stamps, since_time
from .targets import Target

CHUNK = 65_536
WHOLE_LINE_BYTES = 4 * 1024 * 1024
CUT = b" [the line was cut here: it is longer than 4 MiB]"


async def log_text(
    transport: Transport, namespace: str, target: Target, options: LogOptions, *, stamps: bool
) -> AsyncIterator[bytes]:
    """One log, in pieces, each line with its time (``stamps``) or without. Raises ClusterError when it cannot be had;
    one that breaks off says so in its last line, and a line of more than 4 MiB where it was cut."""
    query = {key: value for key, value in options.api_query().items() if key != "tailLines"}
    if options.previous:
        query["previous"] = "true"
    needle = options.q.lower().encode()
    begun = False
    try:
        async with (
            open_log(
                transport, namespace, target.pod, target.container, query, longest=WHOLE_LINE_BYTES
            ) as batches,
            aclosing(batches),
        ):
            async for batch in batches:
                begun = True
                found = (line for line in batch if not needle or holds(line.partition(b" ")[2], needle))
                kept = map(_bounded, found)
                yield b"".join((line if stamps else line.partition(b" ")[2]) + b"\n" for line in kept)
    except ClusterError as error:
        if not begun:
            raise
        yield f"[the log broke off here: {error.message}]\n".encode()


async def logs_zip(
    transport: Transport,
    namespace: str,
    found: Sequence[Target],
    options: LogOptions,
    *,
    stamps: bool,
    now: datetime,
) -> AsyncIterator[bytes]:
    """Several logs as a ZIP archive, ``<pod>/<container>.log`` each; what could not be had is told in a file too."""
    sink = _Sink()
    missing: list[str] = []
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for target in found:
            entry = zipfile.ZipInfo(f"{target.pod}/{target.container}.log", now.timetuple()[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as file:
                try:
                    async for piece in log_text(transport, namespace, target, options, stamps=stamps):
                        file.write(piece)
                        if sink.size > CHUNK:
                            yield sink.taken()
                except ClusterError as error:
                    why = explain(error, target, previous=options.previous).text
                    missing.append(f"{target.pod} {target.container}: {why}\n")
            yield sink.taken()
        if missing:
            archive.writestr("NOT-READ.txt", "".join(missing))
    yield sink.taken()


async def whole_line(transport: Transport, namespace: str, target: Target, at: str, *, previous: bool) -> str:
    """The line of a moment, uncut (up to 4 MiB), without what only a terminal understands. Raises NotFound when the log
    does not hold it any more."""
    moment = Stamps().nanoseconds(at.encode())
    if moment is not None:
        query = {"sinceTime": since_time(moment)} | ({"previous": "true"} if previous else {})
        async with (
            open_log(
                transport, namespace, target.pod, target.container, query, longest=WHOLE_LINE_BYTES
            ) as batches,
            aclosing(batches),
        ):
            stamps = Stamps()
            async for batch in batches:
                for line in batch:
                    stamp, _, text = _bounded(line).partition(b" ")
                    if stamps.nanoseconds(stamp) == moment:
                        return plain(text.decode("utf-8", "replace"))
    raise NotFound(f"The log of {target.pod} {target.container} no longer has that line.")


def _bounded(line: bytes) -> bytes:
    return line if len(line) <= WHOLE_LINE_BYTES else line[:WHOLE_LINE_BYTES] + CUT


class _Sink:
    """What an archive is written into: kept until it is taken."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.size = 0  # not __len__: an empty file must not count as none
        self._all = 0

    def write(self, data: bytes, /) -> int:
        self._pieces.append(bytes(data))
        self.size += len(data)
        self._all += len(data)
        return len(data)

    def tell(self) -> int:
        return self._all

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass

    def taken(self) -> bytes:
        pieces, self._pieces, self.size = self._pieces, [], 0
        return b"".join(pieces)
