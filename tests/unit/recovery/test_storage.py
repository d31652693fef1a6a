"""What has the name of an archive was whole once; of what failed nothing is left; errors are sentences."""

from __future__ import annotations

import errno
import io
import threading
from datetime import UTC, datetime, timedelta

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from dashboard.errors import BadInput, NotFound
from dashboard.recovery.errors import StorageError, StorageFull
from dashboard.recovery.storage import Storage, archive_name, open_archive

NOW = datetime(2026, 11, 28, 13, 12, tzinfo=UTC)


@pytest.fixture(params=["folder", "memory"])
def url(request, tmp_path):
    if request.param == "folder":
        return str(tmp_path / "a" / "b")
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]
    return "memory://bucket/folder"


def files(url: str) -> list[str]:
    fs, root = fsspec.core.url_to_fs(url)
    fs.invalidate_cache()
    return sorted(each.rsplit("/", 1)[-1] for each in fs.ls(root, detail=False)) if fs.exists(root) else []


def put(storage: Storage, name: str, raw: bytes = b"hello") -> str:
    with storage.writing(name) as pending:
        pending.file.write(raw)
        pending.close()
        with pending.reading() as file:
            assert file.read() == raw
        pending.publish()
    return pending.url


def test_written_listed_read_and_deleted(url):
    storage = Storage(url)
    assert storage.archives() == []
    older = archive_name("sand_box.a", "all", NOW - timedelta(days=1), encrypted=True)
    newer = archive_name("sand_box.a", "all", NOW, encrypted=False)
    addresses = [put(storage, older, b"1234"), put(storage, newer)]
    found = storage.archives()
    assert [each.name for each in found] == [newer, older]
    assert [each.url for each in found] == addresses[::-1]
    assert (found[1].slug, found[1].scope, found[1].at, found[1].encrypted, found[1].size_bytes) == (
        "sand_box.a",
        "all",
        NOW - timedelta(days=1),
        True,
        4,
    )
    with open_archive(addresses[0]) as file:
        assert file.read(2) + file.read() == b"1234"
    storage.delete(older)
    assert files(url) == [newer]
    with pytest.raises(NotFound):
        storage.delete(older)
    with pytest.raises(NotFound), open_archive(addresses[0]):
        pass


def test_only_archives_are_listed_and_deleted(url):
    storage = Storage(url)
    put(storage, archive_name("a", "all", NOW, encrypted=False))
    fs, root = fsspec.core.url_to_fs(url)
    fs.pipe_file(f"{root}/notes.txt", b"mine")
    assert len(storage.archives()) == 1
    for name in ("notes.txt", "../x", ""):
        with pytest.raises(BadInput):
            storage.delete(name)


def test_nothing_is_left_of_what_was_not_published(url):
    storage = Storage(url)
    with storage.writing(archive_name("a", "all", NOW, encrypted=False)) as pending:
        pending.file.write(b"x" * 100_000)
        pending.close()
    with (
        pytest.raises(RuntimeError),
        storage.writing(archive_name("a", "all", NOW, encrypted=False)) as pending,
    ):
        pending.file.write(b"half")
        raise RuntimeError
    assert files(url) == []


def test_one_that_is_there_is_never_replaced(url):
    storage = Storage(url)
    name = archive_name("a", "all", NOW, encrypted=False)
    put(storage, name, b"first")
    with pytest.raises(StorageError, match="already exists"):
        put(storage, name, b"second")
    with open_archive(storage.url_of(name)) as file:
        assert file.read() == b"first"
    assert files(url) == [name]


def test_two_at_once_do_not_meet(url):
    storage = Storage(url)
    begun = threading.Barrier(2)

    def work(letter: bytes) -> None:
        with storage.writing(archive_name("a", "all", NOW, encrypted=False)) as pending:
            begun.wait(10)
            for _ in range(100):
                pending.file.write(letter * 1000)
            pending.close()
            begun.wait(10)
            pending.publish()

    threads = [threading.Thread(target=work, args=(letter,)) for letter in (b"x", b"y")]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    contents = set()
    for each in storage.archives():
        with open_archive(each.url) as file:
            contents.add(file.read())
    assert contents == {b"x" * 100_000, b"y" * 100_000}


def test_what_a_killed_program_left_goes_when_it_is_old(url):
    storage = Storage(url)
    old, new = (archive_name("a", "all", NOW - timedelta(days=days), encrypted=False) for days in (3, 0))
    fs, root = fsspec.core.url_to_fs(url)
    fs.makedirs(root, exist_ok=True)
    for name in (f"{old}.partial", f"{new}.partial", "mine.partial"):
        fs.pipe_file(f"{root}/{name}", b"half")
    assert storage.sweep(NOW) == 1
    assert files(url) == sorted([f"{new}.partial", "mine.partial"])
    assert storage.archives() == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_full(url, monkeypatch, number):
    storage = Storage(url)
    new = storage.writing(archive_name("a", "all", NOW, encrypted=False))
    with pytest.raises(StorageFull, match="No space left"), new as pending:
        monkeypatch.setattr(pending.file, "_file", Broken(OSError(number, "No space left on device")))
        pending.file.write(b"x")
    assert files(url) == []


class Broken(io.RawIOBase):
    def __init__(self, error):
        self.error = error

    def write(self, data):
        raise self.error


class EndpointConnectionError(Exception):
    """As of a back end's own library."""


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionError(errno.EACCES, "Permission denied"), "refuses: Permission denied"),
        (OSError(errno.EIO, "Input/output error"), "can't be used: Input/output error"),
        (EndpointConnectionError("Could not connect"), "EndpointConnectionError: Could not connect"),
        (TimeoutError(), "can't be used"),
    ],
)  # fmt: skip
def test_other_errors_are_sentences(url, monkeypatch, error, words):
    storage = Storage(url)
    monkeypatch.setattr(storage._fs, "ls", lambda *_, **__: (_ for _ in ()).throw(error))
    with pytest.raises(StorageError, match=words):
        storage.archives()


def test_addresses_that_are_none(tmp_path):
    for address, words in (
        ("s3://key:secret@bucket", "must not contain credentials"),
        ("nosuch://bucket", "No installed back end can write to"),
        ("simplecache::s3://bucket", "Enter a folder, or a URL such as"),
        ("", "Enter a folder"),
    ):
        with pytest.raises(BadInput, match=words) as caught:
            Storage(address)
        assert "secret@" not in str(caught.value)
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        put(Storage(str(tmp_path / "file")), archive_name("a", "all", NOW, encrypted=False))


def test_files_of_a_folder_are_their_owners_alone(tmp_path):
    put(Storage(str(tmp_path)), archive_name("a", "all", NOW, encrypted=False))
    (found,) = tmp_path.iterdir()
    assert found.stat().st_mode & 0o077 == 0
