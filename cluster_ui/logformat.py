"""How a log line is written: one record, one line, whatever is in it.

Paths, names, messages of the API server and texts of exceptions come from others. A line break in one of them would
write a line of its own, and an escape sequence would act on the terminal that shows the log.
"""

import logging


def escaped(text: str) -> str:
    """The text with everything that is not printed (control characters, line breaks, direction marks) as an escape."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode("ascii")
        for char in text
    )


class OneLine(logging.Formatter):
    """The usual formatter; a traceback is part of the line."""

    def format(self, record: logging.LogRecord) -> str:
        return escaped(super().format(record))
