"""Where archives lie: a folder of this machine, or whatever fsspec has a back end for (``s3://bucket/folder``).

An archive is written under a temporary name and gets its own when it was verified: what has the name of an archive was
whole once. Names are never used twice, so two backups at once do not meet. Back ends besides local files are extra
packages (s3fs, gcsfs, adlfs…), which find their credentials themselves; none are taken from the address.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import fsspec

from dashboard.errors import BadInput, ClusterError, NotFound

from .errors import StorageError, StorageFull, legible

__all__ = ["Pending", "Storage", "Stored", "archive_name", "open_archive", "slug_in"]

SUFFIX, SUFFIX_ENCRYPTED = ".tar.zst", ".tar.zst.age"
BLOCK_BYTES = 16 * 2**20  # of an upload or download at a time; object stores take 10,000 of them
WHOLE = "all"  # the scope of an archive of the whole cluster
PARTIAL = ".partial"  # after the name of what is not an archive yet
ABANDONED = timedelta(days=2)  # older ones are of a program that was killed
_NAME = re.compile(
    r"(?P<slug>[A-Za-z0-9._@:~-]+)_(?P<scope>[a-z0-9-]+)_(?P<at>\d{8}T\d{6}Z)_[0-9a-f]{8}\.tar\.zst(?P<encrypted>\.age)?"
)
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True, slots=True)
class Stored:
    """An archive in its place. All but its size is read from its name: the slug of its context, and its ``scope``, which
    is "all" or says what of the cluster is in it."""

    name: str
    url: str
    slug: str
    scope: str
    at: datetime
    encrypted: bool
    size_bytes: int


def archive_name(slug: str, scope: str, at: datetime, *, encrypted: bool) -> str:
    """A new name, such as ``sandbox_all_20261128T131200Z_1f0c9a7e.tar.zst.age``."""
    suffix = SUFFIX_ENCRYPTED if encrypted else SUFFIX
    return f"{slug}_{scope}_{at.astimezone(UTC):%Y%m%dT%H%M%SZ}_{secrets.token_hex(4)}{suffix}"


def slug_in(name: str) -> str:
    """The slug of the context that an archive of this name would be of; "" for what is no such name."""
    found = _NAME.fullmatch(name)
    return found["slug"] if found is not None else ""


class Storage:
    """A folder of archives. Its methods block: call them in a thread. Raises StorageError, StorageFull and NotFound."""

    def __init__(self, url: str) -> None:
        """Raises BadInput for what is no address, or whose back end is not installed. Asks nobody yet."""
        self.url = _checked(url)
        try:
            self._fs, self._root = fsspec.core.url_to_fs(self.url)
        except (ImportError, ValueError) as error:
            raise BadInput(
                f"No installed back end can write to {legible(self.url)}: {legible(str(error))}",
                next_step="Install the package of fsspec's back end for it, such as s3fs for s3://, or use a folder.",
                field="to",
            ) from None
        self._local = "file" in _protocols(self._fs)

    @contextmanager
    def writing(self, name: str) -> Iterator[Pending]:
        """A file to write an archive into. Unless it is published, nothing of it is left."""
        pending = self.begin(name)
        try:
            yield pending
        except BaseException:
            pending.discard()
            raise
        if not pending.published:
            pending.discard()

    def begin(self, name: str) -> Pending:
        """The same for whoever can't use ``with``: publish or discard it."""
        return Pending(self, name)

    @contextmanager
    def reading(self, name: str) -> Iterator[BinaryIO]:
        """The bytes of an archive. Raises NotFound."""
        with _found(self.url), _explained(self.url):
            file = self._fs.open(self._path(name), "rb", block_size=BLOCK_BYTES)
        try:
            yield _Guarded(file, self.url)  # type: ignore[misc]
        finally:
            with suppress(Exception):  # all of it that counts has been read
                file.close()

    def archives(self) -> list[Stored]:
        """All that have the name of one, the newest first. A folder that is not there yet has none."""
        self._fs.invalidate_cache()
        with _explained(self.url):
            try:
                listed = self._fs.ls(self._root, detail=True)
            except FileNotFoundError:
                return []
            found = [_stored(self._url(each), each) for each in listed if each.get("type") != "directory"]
        return sorted((each for each in found if each), key=lambda each: (each.at, each.name), reverse=True)

    def delete(self, name: str) -> None:
        """Raises NotFound for one that has gone already."""
        if _NAME.fullmatch(name) is None:
            raise BadInput(f"{legible(name)} is not the name of a backup.")
        with _found(self.url), _explained(self.url):
            self._fs.rm_file(self._path(name))

    def sweep(self, now: datetime) -> int:
        """Takes away what programs left that were killed while they wrote; how many files those were."""
        self._fs.invalidate_cache()
        gone = 0
        with _explained(self.url):
            try:
                listed = self._fs.ls(self._root, detail=False)
            except FileNotFoundError:
                return 0
            for path in listed:
                name = str(path).rsplit("/", 1)[-1]
                found = _NAME.fullmatch(name.removesuffix(PARTIAL))
                if name.endswith(PARTIAL) and found and _moment(found["at"]) < now - ABANDONED:
                    self._fs.rm_file(path)
                    gone += 1
        return gone

    def url_of(self, name: str) -> str:
        """The address of an archive, as ``open_archive`` takes it."""
        return self._path(name) if self._local else f"{self.url.rstrip('/')}/{name}"

    def _url(self, listed: dict[str, Any]) -> str:
        return self.url_of(str(listed["name"]).rsplit("/", 1)[-1])

    def _path(self, name: str) -> str:
        return f"{str(self._root).rstrip('/')}/{name}"

    def _open_new(self, path: str) -> Any:
        with _explained(self.url):
            if not self._local:  # nothing is made there: a bucket by a mistyped name would be
                return self._fs.open(path, "wb", block_size=BLOCK_BYTES)
            self._fs.makedirs(self._root, exist_ok=True)
            # For its owner alone: even without Secrets, a cluster's objects are nobody else's business.
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            return os.fdopen(handle, "wb")

    def _rename(self, path: str, name: str) -> None:
        with _explained(self.url):
            target = self._path(name)
            if self._fs.exists(target):
                raise StorageError(f"{legible(name)} already exists, and was left unchanged.")
            if self._local:
                Path(path).rename(target)
                _sync_folder(self._root)
            else:
                self._fs.mv(path, target)
            self._fs.invalidate_cache()

    def _remove(self, path: str) -> None:
        with suppress(Exception):  # what went wrong before is being raised, and the next sweep tries again
            self._fs.rm_file(path)


class Pending:
    """An archive on its way: write into ``file``, ``close()``, verify what ``reading()`` gives, ``publish()``."""

    def __init__(self, storage: Storage, name: str) -> None:
        self._storage = storage
        self.name = name
        self.url = storage.url_of(name)
        self._partial = f"{name}{PARTIAL}"
        self._path = storage._path(self._partial)
        self._raw = storage._open_new(self._path)
        self.file: BinaryIO = _Guarded(self._raw, storage.url)  # type: ignore[assignment]
        self.published = False

    def close(self) -> None:
        """All of it is in the storage now."""
        with _explained(self._storage.url):
            if self._storage._local:
                self._raw.flush()
                os.fsync(self._raw.fileno())
            self._raw.close()

    @contextmanager
    def reading(self) -> Iterator[BinaryIO]:
        """What the storage has of it."""
        with self._storage.reading(self._partial) as file:
            yield file

    def publish(self) -> None:
        """It gets its name."""
        self._storage._rename(self._path, self.name)
        self.published = True

    def discard(self) -> None:
        """Nothing of it is left."""
        with suppress(Exception):
            if not self._raw.closed and hasattr(self._raw, "discard"):
                self._raw.discard()  # parts of an upload that was not ended
        with suppress(Exception):
            self._raw.close()
        self._storage._remove(self._path)


@contextmanager
def open_archive(url: str) -> Iterator[BinaryIO]:
    """One archive by its own address. Raises as ``Storage``."""
    folder, _, name = url.rpartition("/")
    with Storage(folder or ("/" if url.startswith("/") else ".")).reading(name) as file:
        yield file


class _Guarded:
    """A file of a storage: what goes wrong is said in words."""

    def __init__(self, file: Any, url: str) -> None:
        self._file, self._url = file, url

    def read(self, size: int = -1) -> bytes:
        with _explained(self._url):
            return bytes(self._file.read(size))

    def write(self, data: bytes) -> int:
        with _explained(self._url):
            return int(self._file.write(data))

    def flush(self) -> None:
        with _explained(self._url):
            self._file.flush()


@contextmanager
def _explained(url: str) -> Iterator[None]:
    """What back ends raise, in words. Each has errors of its own: whatever is not known here means "can't be used"."""
    try:
        yield
    except ClusterError:
        raise
    except Exception as error:
        raise _error(url, error) from error


@contextmanager
def _found(url: str) -> Iterator[None]:
    """One file is asked for: that it is not there is an answer."""
    try:
        yield
    except StorageError as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise
        raise NotFound(
            f"{legible(url)} has no such file.", next_step="manage.py backup list shows what there is."
        ) from error


def _error(url: str, error: Exception) -> StorageError:
    place = legible(url)
    number = error.errno if isinstance(error, OSError) else None
    if number in _FULL or "NoSpace" in type(error).__name__ or "QuotaExceeded" in str(error):
        return StorageFull(
            f"No space left in {place}. The partial file was removed.",
            next_step="Make room, keep fewer backups (manage.py backup prune), or use another storage.",
        )
    if isinstance(error, PermissionError):
        return StorageError(
            f"{place} refuses: {_why(error)}",
            next_step="Check the permissions of the folder, or the credentials of the storage and what they allow.",
        )
    return StorageError(
        f"{place} can't be used: {_why(error)}", next_step="Check the address, the network and the service."
    )


def _why(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}."
    return f"{type(error).__name__}: {legible(str(error), 300)}"


def _checked(url: str) -> str:
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise BadInput(
            "A storage URL must not contain credentials: it appears in logs and lists.",
            next_step="Provide them by the environment variables or files of its fsspec back end.",
            field="to",
        )
    if not url or "::" in url:
        raise BadInput("Enter a folder, or a URL such as s3://bucket/folder.", field="to")
    return url


def _protocols(fs: Any) -> tuple[str, ...]:
    return (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)


def _stored(url: str, listed: dict[str, Any]) -> Stored | None:
    name = url.rsplit("/", 1)[-1]
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    return Stored(
        name=name,
        url=url,
        slug=found["slug"],
        scope=found["scope"],
        at=_moment(found["at"]),
        encrypted=bool(found["encrypted"]),
        size_bytes=int(listed.get("size") or 0),
    )


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def _sync_folder(path: str) -> None:
    """The new name survives a crash of the machine too."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
