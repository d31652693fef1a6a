"""Sentences as parts, so that a page can set names in bold and code in a fixed font; no markup in here."""

from __future__ import annotations

from typing import Literal

Part = tuple[str, Literal["plain", "bold", "code"]]
Parts = tuple[Part, ...]


def plain(text: str) -> Part:
    return text, "plain"


def bold(text: str) -> Part:
    return text, "bold"


def code(text: str) -> Part:
    return text, "code"


def parts(*pieces: str | Part) -> Parts:
    """Parts in which bare strings are plain text."""
    return tuple(plain(piece) if isinstance(piece, str) else piece for piece in pieces if piece)


def text_of(pieces: Parts) -> str:
    """The sentence without its markup."""
    return "".join(text for text, _ in pieces)


def unled(pieces: Parts) -> Parts:
    """Parts without the colon that they begin with, for another place in a sentence."""
    if not pieces:
        return pieces
    (text, style), *others = pieces
    return parts((text.removeprefix(": "), style), *others)
