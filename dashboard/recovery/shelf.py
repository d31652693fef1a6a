"""The archives in the storage of ``CLUSTER_UI_BACKUP_TO``, as this process last saw them.

Listing an object store takes its time, and several pages ask: one listing serves them all for a while. What an archive
holds is read from its header, once for each, where it is not encrypted or the installation has the key.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db import DatabaseError

from dashboard.database import in_database
from dashboard.errors import BadInput, ClusterError, NotFound
from dashboard.loop import off_loop
from dashboard.queries.seenclusters import Recognised

from . import records
from .archive import ArchiveReader, Header
from .errors import ArchiveError
from .storage import WHOLE, Storage, Stored
from .typedkeys import installed_identities

KEEP_SECONDS = 60.0
MAX_HEADERS = 60  # that are read of one context: of the newest
MAX_KNOWN = 1_000  # headers that are kept
_CHOSEN = re.compile(rf"{WHOLE}-[0-9a-f]{{6}}")  # the scope of what was chosen in the cluster by labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """``configured``: whether there is a storage. ``failure``: why it could not be listed; what was seen before stands.
    ``headers`` are those that could be read, by name. ``bad``: names of archives that were damaged when they were read
    last, or in which something is missing. ``uids``: of the cluster that an archive is of, as far as this database knows;
    what is encrypted may have no header here.
    """

    configured: bool
    stored: Sequence[Stored] = ()
    headers: Mapping[str, Header] = field(default_factory=dict)
    bad: frozenset[str] = frozenset()
    uids: Mapping[str, str] = field(default_factory=dict)
    failure: ClusterError | None = None
    read_at: datetime | None = None

    def of(self, slug: str) -> list[Stored]:
        """The archives of a context, the newest first."""
        return [each for each in self.stored if each.slug == slug]

    def good(self, slug: str, cluster: Recognised) -> list[Stored]:
        """Those of them that are whole, as far as is known: one that holds only what has some labels brings no namespace
        back. Another cluster may have had the name of this one.
        """
        return [
            each
            for each in self.of(slug)
            if each.name not in self.bad and not self._is_chosen(each) and self.is_of(each, cluster)
        ]

    def is_of(self, stored: Stored, cluster: Recognised) -> bool:
        """Whether an archive is of this cluster. Where nothing tells whose it is, of whoever had the name then."""
        of = self.uid_of(stored)
        if of and cluster.uid:
            return of == cluster.uid
        return bool(of) or not cluster.uid or stored.at >= cluster.since

    def uid_of(self, stored: Stored) -> str:
        """Of the cluster that an archive is of; "" where that is not known."""
        header = self.headers.get(stored.name)
        return header.cluster.uid if header is not None else self.uids.get(stored.name, "")

    def _is_chosen(self, stored: Stored) -> bool:
        header = self.headers.get(stored.name)
        return bool(header.labels) if header is not None else bool(_CHOSEN.fullmatch(stored.scope))

    def named(self, name: str) -> Stored:
        """An archive by its name. Raises NotFound."""
        found = next((each for each in self.stored if each.name == name), None)
        if found is None:
            raise NotFound(
                "The storage has no backup of that name.",
                next_step="See the list of backups: it may have been pruned.",
            )
        return found


class _Shelves:
    """One listing at a time, whoever asks."""

    def __init__(self) -> None:
        self.last = Shelf(configured=False)
        self._of: Any = None
        self._at = float("-inf")
        self._reading: asyncio.Task[Shelf] | None = None
        self._headers: dict[str, Header | None] = {}

    async def now(self, *, fresh: bool = False) -> Shelf:
        """As it was within the last minute; ``fresh``: as it is."""
        url = settings.CLUSTER_UI_BACKUP_TO
        if not url:
            return Shelf(configured=False)
        known = url == self._of and time.monotonic() - self._at < KEEP_SECONDS
        if known and not fresh:
            return self.last
        return await asyncio.shield(self._begin(url))

    def soon(self) -> Shelf:
        """As it was seen last; it is looked at again beside, where that was a while ago."""
        url = settings.CLUSTER_UI_BACKUP_TO
        if not url:
            return Shelf(configured=False)
        if url != self._of or time.monotonic() - self._at >= KEEP_SECONDS:
            self._begin(url)
        return self.last if url == self._of else Shelf(configured=True)

    def _begin(self, url: str) -> asyncio.Task[Shelf]:
        loop = asyncio.get_running_loop()
        if self._reading is None or self._reading.done() or self._reading.get_loop() is not loop:
            self._reading = loop.create_task(self._read(url))
        return self._reading

    async def _read(self, url: str) -> Shelf:
        if url != self._of:
            self.last, self._headers = Shelf(configured=True), {}
        try:
            self.last = await off_loop(self._listed, url)
        except ClusterError as error:
            self.last = Shelf(
                configured=True, stored=self.last.stored, headers=self.last.headers, failure=error.to_keep(),
                read_at=self.last.read_at,
            )  # fmt: skip
        with suppress(DatabaseError):  # the archives are what counts
            names = [each.name for each in self.last.stored]
            bad, uids = await in_database(records.bad)(names), await in_database(records.uids)(names)
            self.last = replace(self.last, bad=bad, uids=uids)
        self._of, self._at = url, time.monotonic()
        return self.last

    def _listed(self, url: str) -> Shelf:
        storage = Storage(url)
        stored = storage.archives()
        wanted: dict[str, int] = {}
        for each in stored:
            wanted[each.slug] = wanted.get(each.slug, 0) + 1
            if each.name not in self._headers and wanted[each.slug] <= MAX_HEADERS:
                self._headers[each.name] = _header(storage, each)
        names = {each.name for each in stored}
        self._headers = {name: one for name, one in list(self._headers.items())[-MAX_KNOWN:] if name in names}
        headers = {name: header for name, header in self._headers.items() if header is not None}
        return Shelf(configured=True, stored=stored, headers=headers, read_at=datetime.now(UTC))


def _header(storage: Storage, stored: Stored) -> Header | None:
    try:
        identities = installed_identities() if stored.encrypted else ()
        if stored.encrypted and not identities:
            return None
        with storage.reading(stored.name) as file, ArchiveReader(file, identities) as reader:
            return reader.header
    except (ArchiveError, BadInput, NotFound):
        return None


def by_default(url: str) -> bool:
    """Whether backups lie where nobody has said that they should: beside the dashboard's own data (``manage.py run``)."""
    return url == str(settings.CLUSTER_UI_BACKUPS)


shelves = _Shelves()
