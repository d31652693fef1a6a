"""What was listed of one kind, until all of it is there: a list that expires in the middle begins anew, and nothing of
the first attempt may be in the archive.

A spool is compressed, stays in memory while it is small, and is encrypted beyond that: values of Secrets touch no disk as
text. Its key is made for it and kept nowhere.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import Self

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ["Spool"]

MEMORY_BYTES = 16 * 2**20
_LENGTH = 8


class Spool:
    """Slices of objects, in order. Not for two threads at once."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=MEMORY_BYTES)  # noqa: SIM115 closed with the spool
        self._cipher = AESGCM(AESGCM.generate_key(128))
        self._slices = 0

    def append(self, objects: Sequence[bytes]) -> None:
        """JSON of objects, as it is to be in the archive."""
        packed = zstd.compress(msgspec.msgpack.encode(list(objects)), 1)
        sealed = self._cipher.encrypt(self._nonce(self._slices), packed, None)
        self._file.write(len(sealed).to_bytes(_LENGTH) + sealed)
        self._slices += 1

    def slices(self) -> Iterator[list[bytes]]:
        """All of them again, from the first."""
        self._file.seek(0)
        for number in range(self._slices):
            sealed = self._file.read(int.from_bytes(self._file.read(_LENGTH)))
            packed = self._cipher.decrypt(self._nonce(number), sealed, None)
            yield msgspec.msgpack.decode(zstd.decompress(packed), type=list[bytes])
        self._file.seek(0, os.SEEK_END)

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @staticmethod
    def _nonce(number: int) -> bytes:
        return number.to_bytes(12)  # one key a spool: a number is a nonce
