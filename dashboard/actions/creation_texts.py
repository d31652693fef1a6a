"""The texts of which objects are being created, in the memory of the process that got them and nowhere else: they may
hold values of Secrets. After that process has ended, what was not made has to be sent again (docs/adr/0047).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .documents import TextObject
from .problems import TextsFull

KEPT_SECONDS = 3600.0  # a text in memory
MAX_TEXTS = 50  # in memory at once


@dataclass(slots=True, kw_only=True)
class KeptText:
    """The objects after the first one, with what was shown of each, by their place among the results."""

    objects: Mapping[int, TextObject] = field(repr=False)
    shown: Mapping[int, Mapping[str, Any]]
    definitions: Mapping[int, TextObject]  # by the number of their document
    since: float = field(default_factory=time.monotonic)


_texts: dict[str, KeptText] = {}  # by the nonce of their change


def text_kept(nonce: str) -> KeptText | None:
    return _texts.get(nonce)


def text_keep(nonce: str, text: KeptText) -> None:
    """Until its steps have ended, were left or are undone, and for KEPT_SECONDS at most. Raises TextsFull."""
    if nonce in _texts:
        return
    if len(_texts) >= MAX_TEXTS:
        raise TextsFull(MAX_TEXTS)
    _texts[nonce] = text
    asyncio.get_running_loop().call_later(KEPT_SECONDS, _expire, nonce, text.since)


def _expire(nonce: str, since: float) -> None:
    """Drops that text, and none that was kept later under its nonce. It is not held by who waits for that."""
    text = _texts.get(nonce)
    if text is not None and text.since == since:
        text_drop(nonce)


def text_drop(nonce: str) -> None:
    _texts.pop(nonce, None)
