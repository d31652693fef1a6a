"""References of container images, such as ``registry.example:5000/shop/web:2.4.0@sha256:…``.

Grammar: github.com/distribution/reference, reference.go and normalize.go.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_LONGEST = 255  # characters of a name with its registry
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"  # of a host name
_REGISTRY = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}(?::[0-9]+)?")
_IP6 = re.compile(r"\[[0-9A-Fa-f:.]+\](?::[0-9]+)?")
_PART = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}")


class ImageError(ValueError):
    """The text is no reference of an image; its message is a sentence for whoever typed it."""


class Image(NamedTuple):
    """``registry`` is "" for the default one, ``tag`` and ``digest`` where there is none."""

    registry: str
    name: str
    tag: str
    digest: str


def parse_image(text: str) -> Image:
    """What a reference says. Raises ImageError."""
    if "://" in text:
        raise ImageError("An image has no scheme: leave out what stands before “://”, and that.")
    if any(letter.isspace() for letter in text):
        raise ImageError("An image can't have spaces.")
    rest, at, digest = text.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise ImageError("After “@” a digest is expected: sha256: and 64 hexadecimal digits.")
    path, slash, last = rest.rpartition("/")
    last, colon, tag = last.partition(":")
    if colon and not _TAG.fullmatch(tag):
        raise ImageError(
            f"“{tag[:40]}” is not a valid tag: it has letters, digits, “_”, “.” and “-”, at most 128, and begins "
            "with neither “.” nor “-”."
        )
    whole = f"{path}{slash}{last}"
    if len(whole) > _LONGEST:
        raise ImageError(f"The name of an image has at most {_LONGEST} characters.")
    registry, slash, name = whole.partition("/")
    if not slash or not _is_registry(registry):
        registry, name = "", whole
    elif not (_REGISTRY.fullmatch(registry) or _IP6.fullmatch(registry)):
        raise ImageError(
            f"“{registry[:60]}” is not a registry: a host name is expected, with or without a port."
        )
    if not name:
        raise ImageError("The name of the image is missing.")
    for part in name.split("/"):
        if part != part.lower():
            raise ImageError(f"“{part[:60]}” has capital letters: the name of an image is in lower case.")
        if not _PART.fullmatch(part):
            raise ImageError(
                f"“{part[:60]}” can't be part of an image's name: lower-case letters and digits, and between them “.”, "
                "“_” or “-”."
            )
    return Image(registry, name, tag, digest)


def _is_registry(first: str) -> bool:
    """Whether what stands before the first slash is a host name, and not a part of the name."""
    return "." in first or ":" in first or first == "localhost" or first != first.lower()


def short_image(image: str) -> str:
    """An image without its registry and folders, of a digest the beginning: ``web:2.4.0``."""
    name, at, digest = image.rpartition("/")[2].partition("@")
    return f"{name}{at}{digest[:19]}"
