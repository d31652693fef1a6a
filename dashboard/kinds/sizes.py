"""The size of a value in place of the value: what may differ and be told of, where the value itself is not kept."""

from __future__ import annotations

from typing import Self


class Size(int):
    """The size of a value in bytes, in place of the value. Two are equal when the values were, as far as Python's own
    hash tells, which is another one in each process; where one was recorded, without its hash, as far as sizes tell."""

    mark = 0

    @classmethod
    def of(cls, size: int, value: str) -> Self:
        """The size of a value, which is not kept."""
        made = cls(size)
        made.mark = hash(value)
        return made

    def __eq__(self, other: object) -> bool:
        mark = getattr(other, "mark", 0)
        return int(self) == other and (not (self.mark and mark) or self.mark == mark)

    def __ne__(self, other: object) -> bool:
        return not self == other  # or it would be that of int

    def __hash__(self) -> int:
        return int(self)


class TextSize(Size):
    """The size of a text in bytes, in place of the text."""

    @classmethod
    def from_json(cls, text: str | int) -> TextSize:
        """Measures the text, which is not kept. A number is a size that was recorded (``cache/recording.py``)."""
        if isinstance(text, int):
            return cls(text)
        return cls.of(len(text) if text.isascii() else len(text.encode()), text)


class Base64Size(Size):
    """The size in bytes of what a base64 text stands for, in place of the text."""

    @classmethod
    def from_json(cls, text: str | int) -> Base64Size:
        """Measures the text, which is not kept. A number is a size that was recorded."""
        if isinstance(text, int):
            return cls(text)
        return cls.of(len(text) // 4 * 3 - text.count("=", -2), text)
