"""Amounts as people read them: CPU in millicores or cores, memory in KiB to EiB, shares in percent."""

from __future__ import annotations

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
NONE = "–"


def cpu_words(cores: float | None) -> str:
    """``250m`` below one core, else ``1.57 cores``; a dash for what is not known."""
    if cores is None:
        return NONE
    if round(cores * 1000) < 1000:
        return f"{_millis(cores)}m" if cores > 0 else "0"
    return f"{_three(cores)} core{'' if _three(cores) == '1' else 's'}"


def memory_words(size: float | None) -> str:
    """Bytes as ``512 MiB`` or ``2.13 GiB``; a dash for what is not known."""
    if size is None:
        return NONE
    power = 0
    # 1023.9 MiB would be written as 1,024: that is a GiB.
    while size >= 999.5 and power < len(_UNITS) - 1:
        size /= 1024
        power += 1
    return f"{_three(size) if power else round(size)} {_UNITS[power]}" if size else "0"


def percent(part: float | None, whole: float | None) -> str:
    """``34 %``, ``<1 %`` for a little, a dash where there is no whole."""
    if part is None or not whole:
        return NONE
    share = 100 * part / whole
    return "<1 %" if 0 < share < 0.5 else f"{share:.0f} %"


def top_cpu(cores: float) -> str:
    """As ``kubectl top`` writes it: millicores, rounded up (``Quantity.MilliValue``)."""
    return f"{_millis(cores)}m"


def top_memory(size: float) -> str:
    """As ``kubectl top`` writes it: whole MiB, rounded down."""
    return f"{int(size // 2**20)}Mi"


def _millis(cores: float) -> int:
    # A billionth is what the API knows; below it is only the error of a float.
    return int(-(-round(cores * 1e9) // 1_000_000))


def _three(number: float) -> str:
    """Three digits at most where there is a fraction: 1.57, 15.7, 157, 1570."""
    digits = 2 if number < 9.995 else 1 if number < 99.95 else 0
    text = f"{number:.{digits}f}"
    return text.rstrip("0").rstrip(".") if digits else text
