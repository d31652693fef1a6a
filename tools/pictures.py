"""PNG files that are small: the pictures in docs/ are screenshots, most of whose pixels have one of a few colours."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from itertools import chain

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {2: 3, 6: 4}  # by PNG's colour type: RGB, RGBA
_COLOURS = 256

Colour = tuple[int, ...]


def png_small(png: bytes) -> bytes:
    """The same picture with a palette: the 256 most frequent colours, and for each other one the nearest of these.

    Takes what browsers write: 8 bits a channel, not interlaced; what is transparent is taken as opaque.
    """
    chunks = list(_chunks(png))
    width, height, depth, kind, *_, interlaced = struct.unpack(">IIBBBBB", chunks[0][1])
    if depth != 8 or kind not in _CHANNELS or interlaced:
        raise ValueError("not a PNG as browsers write it")
    packed = b"".join(content for name, content in chunks if name == b"IDAT")
    pixels = list(_pixels(zlib.decompress(packed), width, height, _CHANNELS[kind]))
    counted = Counter(chain.from_iterable(pixels)).most_common()
    palette = [colour for colour, _ in counted[:_COLOURS]]
    places = {colour: place for place, colour in enumerate(palette)}
    for colour, _ in counted[_COLOURS:]:
        places[colour] = min(range(_COLOURS), key=lambda place: _distance(colour, palette[place]))
    rows = b"".join(b"\0" + bytes(map(places.__getitem__, row)) for row in pixels)
    return b"".join(
        (
            _SIGNATURE,
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
            _chunk(b"PLTE", bytes(chain.from_iterable(palette))),
            _chunk(b"IDAT", zlib.compress(rows, 9)),
            _chunk(b"IEND", b""),
        )
    )


def _distance(one: Colour, other: Colour) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    if not png.startswith(_SIGNATURE):
        raise ValueError("not a PNG")
    at = len(_SIGNATURE)
    while at < len(png):
        length, name = struct.unpack_from(">I4s", png, at)
        yield name, png[at + 8 : at + 8 + length]
        at += length + 12


def _pixels(data: bytes, width: int, height: int, size: int) -> Iterator[list[Colour]]:
    """The colours of each row, its filter undone (PNG, part 9)."""
    stride, above = width * size, bytearray(width * size)
    for row in range(height):
        begin = row * (stride + 1)
        how, line = data[begin], bytearray(data[begin + 1 : begin + 1 + stride])
        if how == 1:
            for at in range(size, stride):
                line[at] = line[at] + line[at - size] & 255
        elif how == 2:
            line = bytearray(one + other & 255 for one, other in zip(line, above, strict=True))
        elif how in (3, 4):
            for at in range(stride):
                left, up_left = (line[at - size], above[at - size]) if at >= size else (0, 0)
                guess = (left + above[at]) // 2 if how == 3 else _nearest(left, above[at], up_left)
                line[at] = line[at] + guess & 255
        above = line
        yield list(zip(line[::size], line[1::size], line[2::size], strict=True))


def _nearest(left: int, up: int, up_left: int) -> int:
    """Paeth's predictor."""
    to_left, to_up, to_both = abs(up - up_left), abs(left - up_left), abs(left + up - 2 * up_left)
    if to_left <= to_up and to_left <= to_both:
        return left
    return up if to_up <= to_both else up_left
