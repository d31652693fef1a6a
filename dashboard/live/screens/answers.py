"""The line of a crashed container's log that most likely says why, for the sentence about it.

Which lines are read, and for whom, is decided as for the lines themselves (``detail/lastlines.py``); this only chooses
one of them, and leaves out what looks like a password in it, as a sentence is read by more people than a log.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from dashboard.insight import Finding
from dashboard.insight.words import Parts, code, parts
from dashboard.kinds.rows import shorten

MAX_ANSWER, MAX_LINE = 160, 1000
# What exit codes say of programs in general; a line of the log says it better.
_GENERAL = re.compile(
    r", (application error(, often a wrong argument)?|although it should keep running"
    r"|unknown error, or the node stopped meanwhile|it aborted itself \(SIGABRT\))"
)
_LOUD = re.compile(
    r"\b(errors?|fatal|panic|critical|exception|not set|missing|required|refused|denied|fail(ed|ure|s)?|cannot|can't"
    r"|could not|unable|no such|not found|invalid|undefined|undeclared|unknown|must|timed? ?out)\b|(Error|Exception)\b",
    re.IGNORECASE,
)
# Frames of stack traces, and what runtimes write below an error.
_FRAME = re.compile(
    r"\s+at |\s*File \"|\s*\.\.\. \d+ more|goroutine \d+|\s+\S+\.go:\d+|Traceback |exit status \d+|Node\.js v"
    r"|\s*(from )?\S+\.rb:\d+|note: run with|stack backtrace|\s*\d+: 0x|[\s^~\-=]*$"
    r"|npm (ERR!|error)\s*($|A complete log|To see a list|npm |code|errno|syscall|path|dest|command|location|workspace"
    r"|in workspace|Lifecycle|Exit status|Failed at|This is probably|If you are behind)"
)
# What explains an error further: indented below it, or a hint of PostgreSQL's.
_BELOW = re.compile(r"\s+\S|(HINT|DETAIL|CONTEXT|STATEMENT):")
# What says only that a program ends, not why: nothing is left of such a line without these words.
_FAREWELL = re.compile(
    r"\b(giving up|going down|shut(ting)? ?down|exit(s|ing|ed)?|quit(ting)?|abort(ing|ed)?|terminat(ing|ed)|stopp(ing|ed)"
    r"|died|failed to (boot|start)|did not exit normally|goodbye|bye|crash dump is being written|check the logs?"
    r"|error|err|fatal|critical|panic|info|notice|warn(ing)?|errors|reason|status|code|signal|pid|worker|master|main"
    r"|process|program|application|app|server|service|container|entrypoint|handling|with|due|to|the|an?|of|in|on|at|as"
    r"|previous|above|see|after|because|now|unexpectedly|while|starting|up|returned|non-?zero|command|this|is|was|has|had"
    r"|start(ed)?|failed|failure|fail(s|ing)?|and|\d+)\b|[\W_]+",
    re.IGNORECASE,
)
_STAMP = re.compile(
    r"^[\[(]?(\d{4}[-/]\d\d[-/]\d\d([T ]\d\d:\d\d:\d\d)?|\d\d:\d\d:\d\d)[\d.,:+Z-]*( UTC| [+-]\d{4})?[\])]?[\s:|-]*"
)
_FIELD = re.compile(r"\b(?:msg|message|error|err)=(\"(?:[^\"\\]|\\.)*\"|\S+)")
_SECRET = re.compile(
    r"(?i)(://)[^/\s:@]*:[^/\s@]+(?=@)|\b((?:[\w-]{0,40}(?:password|passwd|secret|token|api[_-]?key)[\w-]{0,40}|pwd|authorization)"
    r"\"?\s*[=:]\s*\"?)(?:(?:bearer|basic)\s+)?(?!is\b|not\b|must\b|was\b|required\b)[^\s\",;]+"
)


def answer(lines: Sequence[str]) -> str:
    """The last line that tells of an error rather than of its end or details; without one the last that is no frame of a
    stack; "" without lines.
    """
    told = [line[:MAX_LINE] for line in lines if line.strip() and _FRAME.match(line[:MAX_LINE]) is None]
    loud = [line for line in told if _LOUD.search(line)]
    for line in reversed(loud):
        if not _BELOW.match(line) and _FAREWELL.sub("", said := _bare(line)):
            return said
    return _bare((loud or told)[-1]) if told else ""


def answered(found: Finding, lines: Sequence[str]) -> Parts:
    """The finding's sentence with the answer in it, where it tells of a run that ended."""
    said = answer(lines) if found.log is not None and found.log.ended is not None else ""
    if not said:
        return found.text
    text = list(found.text)
    for at, (words, style) in enumerate(text):
        if general := _GENERAL.search(words):
            before, after = words[: general.start()], words[general.end() :]
            return (*text[:at], *parts((before, style), ": ", code(said), (after, style)), *text[at + 1 :])
    return parts(*text, " Its log ends with ", code(said), ".")


def _bare(line: str) -> str:
    """Without time, level and the form of a structured log; in one line, and short."""
    text = _STAMP.sub("", line.strip())
    if text.startswith("{"):
        text = _message(text) or text
    elif field := _FIELD.search(text):
        text = field[1].strip('"').replace('\\"', '"')
    return shorten(_SECRET.sub(lambda found: f"{found[1] or found[2]}…", text), MAX_ANSWER)


def _message(text: str) -> str:
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(record, dict):
        return ""
    words = (record.get(key) for key in ("msg", "message", "error", "err"))
    return next((word for word in words if isinstance(word, str) and word.strip()), "")
