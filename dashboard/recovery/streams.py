"""The layers of an archive below its members: zstd, and age around it. Each holds some hundred kilobytes at most.

pyrage encrypts from one file into another, in one call. A thread with a pipe turns that into a file to write into or to
read from; what goes wrong in the thread is raised to whoever writes or reads.
"""

from __future__ import annotations

import hashlib
import io
import os
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import BinaryIO

import pyrage

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from .errors import Corrupt, NotAnArchive, Truncated, WrongKey
from .keys import Identity, Recipient

__all__ = ["Counted", "PackedReader", "PackedWriter"]

PIECE_BYTES = 64 * 1024
LEVEL = 3
# zstd at this level looks back 2 MiB; a file that wants more to be read was made to fill the memory.
WINDOW_LOG = 23
_AGE, _AGE_ARMOR, _ZSTD = b"age-encryption.org/v1", b"-----BEGIN AGE ENCRYPTED FILE", b"\x28\xb5\x2f\xfd"


class Counted(io.RawIOBase):
    """A file, with what went through it: how many ``bytes``, their ``sha256``, and the ``error`` that it raised.
    ``ahead`` is read before the file itself."""

    def __init__(self, file: BinaryIO, ahead: bytes = b"") -> None:
        self._file = file
        self._ahead = ahead
        self._sha256 = hashlib.sha256()
        self.bytes = 0
        self.error: Exception | None = None
        self.muted = False  # takes what is written, and lets nothing through

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def write(self, data: bytes | memoryview) -> int:  # type: ignore[override]
        if self.muted:
            return len(data)
        try:
            self._file.write(data)
        except Exception as error:
            self.error = error
            raise
        self._note(data)
        return len(data)

    def read(self, size: int = -1) -> bytes:
        wanted = PIECE_BYTES if size is None or size < 0 else min(size, PIECE_BYTES)
        try:
            data = self._ahead[:wanted] or self._file.read(wanted)
        except Exception as error:
            self.error = error
            raise
        self._ahead = self._ahead[wanted:]
        self._note(data)
        return data

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _note(self, data: bytes | memoryview) -> None:
        self.bytes += len(data)
        self._sha256.update(data)


class _Thread:
    """Work in a thread, and what it raised."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="backup", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:
            self.error = error

    def join(self) -> BaseException | None:
        self._thread.join()
        return self.error


class _Encrypting:
    """A file to write into: what comes out encrypted goes into ``sink``."""

    def __init__(self, sink: Counted, recipients: Sequence[Recipient]) -> None:
        self._sink, self._recipients = sink, list(recipients)
        inlet, outlet = os.pipe()
        self._inlet, self._outlet = os.fdopen(inlet, "rb", buffering=0), os.fdopen(outlet, "wb", buffering=0)
        self._thread = _Thread(self._encrypt)

    def _encrypt(self) -> None:
        with self._inlet:
            pyrage.encrypt_io(self._inlet, self._sink, self._recipients)  # type: ignore[arg-type]

    def write(self, data: bytes | memoryview) -> int:
        try:
            return self._outlet.write(data)
        except BrokenPipeError:
            self.close()
            raise

    def flush(self) -> None:
        pass

    def close(self) -> None:
        """Raises what went wrong on the way into the sink."""
        self._outlet.close()
        error = self._thread.join()
        if (
            error := self._sink.error or error
        ) is not None:  # pyrage says nothing of what a last write raised
            raise error


class _Decrypting:
    """A file to read from: what ``source`` holds, decrypted. Raises WrongKey, Truncated and Corrupt."""

    def __init__(self, source: Counted, identities: Sequence[Identity]) -> None:
        self._source, self._identities = source, list(identities)
        inlet, outlet = os.pipe()
        self._inlet, self._outlet = os.fdopen(inlet, "rb", buffering=0), os.fdopen(outlet, "wb", buffering=0)
        self._thread = _Thread(self._decrypt)

    def _decrypt(self) -> None:
        with self._outlet:
            pyrage.decrypt_io(self._source, self._outlet, self._identities)  # type: ignore[arg-type]

    def read(self, size: int = -1) -> bytes:
        data = self._inlet.read(PIECE_BYTES if size < 0 else size) or b""
        if not data and (error := self._thread.join()) is not None:
            raise self._explained(error)
        return data

    def _explained(self, error: BaseException) -> BaseException:
        if self._source.error is not None:
            return self._source.error
        if isinstance(error, pyrage.DecryptError) and "matching keys" in str(error):
            return WrongKey(
                "None of the identities can decrypt it.",
                next_step="Name the identity file of one of its recipients with --identity.",
            )
        if isinstance(error, pyrage.DecryptError | OSError):
            return Corrupt("The encrypted data is damaged or truncated.")
        return error

    def close(self) -> None:
        self._inlet.close()  # whatever is still being decrypted ends with a broken pipe
        self._thread.join()


class PackedWriter:
    """Bytes in; out come compressed ones, encrypted where there are ``recipients``. Nothing counts before ``close()``."""

    def __init__(self, file: BinaryIO, recipients: Sequence[Recipient] = ()) -> None:
        self.out = Counted(file)
        self._encrypting = _Encrypting(self.out, recipients) if recipients else None
        self._zstd = zstd.ZstdFile(
            self._encrypting or self.out,
            "w",
            options={
                zstd.CompressionParameter.compression_level: LEVEL,
                zstd.CompressionParameter.checksum_flag: 1,
            },
        )

    def write(self, data: bytes) -> None:
        self._zstd.write(data)

    def close(self) -> None:
        self._zstd.close()
        if self._encrypting is not None:
            self._encrypting.close()

    def abort(self) -> None:
        """Ends it without another byte; what was written has no end, and no reader takes it."""
        self.out.muted = True
        with suppress(Exception):  # what stopped the writing is being raised already
            self.close()


class PackedReader:
    """The bytes that a ``PackedWriter`` was given. ``encrypted`` is known at once. Raises ArchiveErrors."""

    def __init__(self, file: BinaryIO, identities: Sequence[Identity] = ()) -> None:
        begin = _first(file, len(_AGE_ARMOR))
        self.source = Counted(file, begin)
        self.encrypted = begin.startswith(_AGE)
        self._decrypting: _Decrypting | None = None
        if self.encrypted:
            if not identities:
                raise WrongKey(
                    "It is encrypted, and no identity was given.",
                    next_step="Name the identity file of one of its recipients with --identity.",
                )
            self._decrypting = _Decrypting(self.source, identities)
        elif begin.startswith(_AGE_ARMOR):
            raise NotAnArchive("It is ASCII-armored: only the binary format of age is supported.")
        elif not begin.startswith(_ZSTD):
            raise NotAnArchive("It is empty." if not begin else "It is not a backup of Cluster UI.")
        self.compressed = Counted(self._decrypting) if self._decrypting else self.source  # type: ignore[arg-type]
        self._zstd = zstd.ZstdFile(
            self.compressed,
            "r",
            options={zstd.DecompressionParameter.window_log_max: WINDOW_LOG},
        )

    def read(self, size: int) -> bytes:
        """Exactly ``size`` bytes, or as many as there are before the end."""
        pieces = []
        try:
            while size > 0 and (piece := self._zstd.read(min(size, PIECE_BYTES))):
                pieces.append(piece)
                size -= len(piece)
        except EOFError as error:
            raise Truncated("The file is truncated.") from error
        except zstd.ZstdError as error:
            raise Corrupt("The compressed data is damaged.") from error
        return b"".join(pieces)

    def close(self) -> None:
        self._zstd.close()
        if self._decrypting is not None:
            self._decrypting.close()


def _first(file: BinaryIO, size: int) -> bytes:
    begin = b""
    while len(begin) < size and (piece := file.read(size - len(begin))):
        begin += piece
    return begin
