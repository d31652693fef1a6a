"""One container's log at the API server: opened as the user, its lines in time, none twice."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager

from dashboard.errors import NotFound
from dashboard.kinds import KINDS
from dashboard.kube.transport import Transport

from .backlog import Line
from .sgr import plain
from .stamps import Stamps

PODS = KINDS["pods"].gvr
# One line must not fill a frame or this process: what is longer is cut, says so, and can be asked for by itself.
LINE_BYTES = 8 * 1024
Batches = AsyncGenerator[list[bytes], None]
# A kubelet answers 200 before it looks for the file. That there is none it says in the place of lines, without a time.
_NO_FILE = re.compile(
    rb"unable to retrieve container logs for \S+$"
    rb"|failed to try resolving symlinks in path .* no such file or directory$"
)


class LogGone(NotFound):
    """The node no longer has the file: it deletes those of earlier runs, and somebody else may delete any."""


@asynccontextmanager
async def open_log(
    transport: Transport,
    namespace: str,
    pod: str,
    container: str,
    query: Mapping[str, str],
    *,
    longest: int | None = LINE_BYTES + 64,  # the line and its time
) -> AsyncIterator[Batches]:
    """Lines with their times, in lists as they come. Raises ClusterError, LogGone also between the lists.

    A kubelet begins its answer with the first line, so an open log may say nothing for hours: there is no limit.
    """
    async with (
        transport.stream(
            PODS,
            namespace=namespace,
            name=pod,
            subresource="log",
            query={"container": container, "timestamps": "true", **query},
            silence=None,
            patient=True,
            longest=longest,
        ) as batches,
        aclosing(_there(batches)) as found,
    ):
        yield found


async def _there(batches: Batches) -> Batches:
    async for batch in batches:
        if not batch or _NO_FILE.match(batch[-1]) is None:
            yield batch
            continue
        if batch[:-1]:
            yield batch[:-1]
        raise LogGone("The node no longer has this log.", next_step="Logs are kept where they are collected.")


class Reading:
    """Where one log has been read to, over all its openings.

    ``time`` (nanoseconds; 0: nothing yet) and ``count``: the last line's moment, and how many lines had it.
    """

    def __init__(self, source: int, needle: str = "", time: int = 0, count: int = 0) -> None:
        self.source = source
        self.time = time
        self.count = count
        self.gap = False  # this opening did not reach back to where the one before ended
        self._needle = needle.lower().encode()
        self._stamps = Stamps()
        self._skip: tuple[int, int] | None = None
        self._order = time

    def opened(self) -> None:
        """The log is read anew: lines that were had already are left out."""
        self._skip = (self.time, self.count) if self.time else None
        self.gap = False

    def lines(self, batch: Sequence[bytes]) -> list[Line]:
        """The lines of a batch that are new and hold what is looked for."""
        found = []
        for raw in batch:
            stamp, _, text = raw.partition(b" ")
            at = self._stamps.nanoseconds(stamp)
            if at is None:
                # The kubelet's own words about the log come without a time.
                text, stamp, at = raw, b"", max(self._order, 1)
            elif self._had(at):
                continue
            if self._needle and not holds(text, self._needle):
                continue
            self._order = max(self._order, at)
            cut = len(text) > LINE_BYTES
            found.append(Line(self._order, self.source, stamp.decode(), text[:LINE_BYTES], cut))
        return found

    def _had(self, at: int) -> bool:
        if self._skip is not None:
            time, left = self._skip
            if at < time:
                return True
            if at == time and left:
                self._skip = (time, left - 1)
                return True
            self.gap = left == self.count
            self._skip = None
        self.count = self.count + 1 if at == self.time else 1
        self.time = at
        return False


def holds(text: bytes, needle: bytes) -> bool:
    """Whether a line has a text, which is in small letters, as a reader sees it."""
    if needle in text.lower():
        return True
    if not (b"\x1b" in text or not needle.isascii()):
        return False
    return needle.decode() in plain(text.decode("utf-8", "replace")).lower()
