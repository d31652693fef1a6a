"""What the cards of an object have in common: the first of what it has many of, and links to other objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from dashboard.kinds.base import Ref
from dashboard.live.screens.common import ref_url

if TYPE_CHECKING:
    from ..screen import DetailScreen

T = TypeVar("T")

MAX_ITEMS = 100  # of a card
MAX_LETTERS = 1_000  # of one text


def first_of(
    screen: DetailScreen, items: Sequence[T], most: int = MAX_ITEMS
) -> tuple[Sequence[T], dict[str, Any]]:
    """The first items, and what a template says of the others (``partials/left_out.html``)."""
    return items[:most], {"left_out": max(0, len(items) - most), "yaml_url": f"{screen.url}yaml/"}


def cut(text: str) -> str:
    """The beginning of a text that is too long for a card."""
    return text if len(text) <= MAX_LETTERS else f"{text[:MAX_LETTERS]}… ({len(text):,} characters)"


def url_of(screen: DetailScreen, ref: Ref | None) -> str:
    """The page of a reference; "" where this program has none, or where there certainly is no such object."""
    return "" if ref is not None and screen.session.reader.lacks(ref) else ref_url(screen.runtime, ref)
