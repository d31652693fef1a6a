"""Characters that a reader does not see, or that reorder what is around them, as marks: ``⟨U+202E⟩``.

Whoever may write an Event or a log line could otherwise show something else than what is there ("Trojan Source").
What is copied, edited or exported as JSON keeps them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# Controls but tab and line breaks, DEL and C1; soft hyphen; what reorders (Unicode TR9); what has no width (Unicode's
# Default_Ignorable_Code_Point without variation selectors, which emoji need); surrogates.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\U0001d173-\U0001d17a\U000e0000-\U000e00ff]"
)
_RUN = re.compile(f"{_UNSEEN.pattern}+")
_ESCAPED = re.compile(f"{_UNSEEN.pattern}|[\x7f-\x9f\u2028\u2029\ufffe\uffff]")
_BLANKS = "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"  # those of them that count as printable
_JOINERS = "\u200c\u200d"
_JOINER = re.compile(f"[{_JOINERS}]")
# What a reader may have typed, and must get back as it is: how it begins, and by which the end.
_KEPT = re.compile(r"<(?:textarea|(script))\b|\s(?:value|data-copy)=(\")")
_MARKS = {
    code: f"⟨U+{code:04X}⟩"
    for code in (*range(0x10000), *range(0x1D173, 0x1D17B), *range(0xE0000, 0xE0100))
    if chr(code) not in _JOINERS and _UNSEEN.match(chr(code))
}


def unseen(text: str) -> bool:
    """Whether a text has such characters; of nearly all texts Python tells thirty times faster than an expression."""
    if text.replace("\n", "").isprintable() and (text.isascii() or not any(each in text for each in _BLANKS)):
        return False
    return _UNSEEN.search(text) is not None


def legible(text: str) -> str:
    """The text with marks in their place."""
    if not unseen(text):
        return text
    if any(each in text for each in _JOINERS):
        text = _JOINER.sub(_mark, text)
    return _RUN.sub(lambda found: found[0].translate(_MARKS), text)


def escaped(text: str) -> str:
    """The text with escapes, as JSON and YAML write them between quotation marks, in their place."""
    return _ESCAPED.sub(lambda found: _escape(ord(found[0])), text)


def _escape(code: int) -> str:
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def legible_html(html: str) -> str:
    """The same of a page or a part of one, but for the values of its fields and for what its buttons copy."""
    if not unseen(html):
        return html
    parts, end = [], 0
    for start, stop in _kept(html):
        parts += [legible(html[end:start]), html[start:stop]]
        end = stop
    return "".join((*parts, legible(html[end:])))


def _kept(html: str) -> Iterator[tuple[int, int]]:
    """Where something begins and ends that stays. What never ends is looked for once, however often it begins."""
    at, endless = 0, set()
    while (begin := _KEPT.search(html, at)) is not None:
        script, quote = begin.groups()
        ending = quote or ("</script>" if script else "</textarea>")
        at = begin.end()
        if ending in endless:
            continue
        if (found := html.find(ending, at)) < 0:
            endless.add(ending)
        else:
            at = found + len(ending)
            yield begin.start(), at


def _mark(match: re.Match[str]) -> str:
    """Persian, Indic scripts and emoji need joiners: between two of their letters they stay."""
    joiner, text, at = match[0], match.string, match.start()
    around = text[max(0, at - 1) : at + 2].replace(joiner, "")
    return joiner if len(around) == 2 and min(around) > "\x7f" else f"⟨U+{ord(joiner):04X}⟩"
