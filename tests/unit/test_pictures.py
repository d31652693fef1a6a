"""Small PNG files: the pixels are those that were there, as far as 256 colours go."""

from __future__ import annotations

import random
import struct
import zlib

import pytest

from tools.pictures import _chunk, _chunks, _nearest, _pixels, png_small

WIDTH, HEIGHT = 23, 10


def picture(colours: list[tuple[int, int, int]], *, alpha: bool) -> tuple[bytes, list[tuple[int, int, int]]]:
    """A PNG whose rows have each of the five filters in turn, and its pixels."""
    random.seed(1)
    pixels = [random.choice(colours) for _ in range(WIDTH * HEIGHT)]
    size = 4 if alpha else 3
    rows, above = [], bytes(WIDTH * size)
    for row in range(HEIGHT):
        line = b"".join(
            bytes(pixel) + (b"\xff" if alpha else b"") for pixel in pixels[row * WIDTH : (row + 1) * WIDTH]
        )
        how = row % 5
        filtered = bytearray()
        for at, value in enumerate(line):
            left, up_left = (line[at - size], above[at - size]) if at >= size else (0, 0)
            guesses = (0, left, above[at], (left + above[at]) // 2, _nearest(left, above[at], up_left))
            filtered.append(value - guesses[how] & 255)
        rows.append(bytes([how]) + filtered)
        above = line
    head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 6 if alpha else 2, 0, 0, 0)
    body = zlib.compress(b"".join(rows))
    parts = (
        _chunk(b"IHDR", head),
        _chunk(b"IDAT", body[:9]),
        _chunk(b"IDAT", body[9:]),
        _chunk(b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts), pixels


def shown(png: bytes) -> list[tuple[int, ...]]:
    """The pixels of a picture with a palette."""
    chunks = dict(_chunks(png))
    palette = chunks[b"PLTE"]
    rows = zlib.decompress(chunks[b"IDAT"])
    places = [rows[row * (WIDTH + 1) + 1 + column] for row in range(HEIGHT) for column in range(WIDTH)]
    return [tuple(palette[3 * place : 3 * place + 3]) for place in places]


@pytest.mark.parametrize("alpha", [False, True])
def test_few_colours_are_all_kept(alpha: bool) -> None:
    png, pixels = picture([(0, 0, 0), (255, 255, 255), (12, 90, 161), (200, 7, 3)], alpha=alpha)
    assert shown(png_small(png)) == pixels


def test_of_many_the_rare_ones_are_shown_as_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.pictures._COLOURS", 2)
    png, pixels = picture([(0, 0, 0)] * 9 + [(250, 250, 250)] * 9 + [(240, 250, 250), (9, 0, 0)], alpha=False)
    assert shown(png_small(png)) == [(250, 250, 250) if pixel[0] > 128 else (0, 0, 0) for pixel in pixels]


def test_what_is_no_picture_of_a_browser_is_refused() -> None:
    with pytest.raises(ValueError, match="not a PNG"):
        png_small(b"GIF89a")


def test_rows_come_as_they_are() -> None:
    png, pixels = picture([(1, 2, 3), (4, 5, 6)], alpha=False)
    data = zlib.decompress(b"".join(content for name, content in _chunks(png) if name == b"IDAT"))
    assert [pixel for row in _pixels(data, WIDTH, HEIGHT, 3) for pixel in row] == pixels
