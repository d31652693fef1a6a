"""One record, one line of the log, whatever others put into it."""

from __future__ import annotations

import logging
import sys

import pytest
from django.conf import settings
from django.utils.log import configure_logging

from cluster_ui.logformat import OneLine, escaped


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("GET /c/tests/pods/?q=ü – 3", "GET /c/tests/pods/?q=ü – 3"),
        ("a\nb\r\nc\td", "a\\nb\\r\\nc\\td"),
        ("\x1b[2Jgone\x07", "\\x1b[2Jgone\\x07"),
        ("\x9b31m \x85 \x7f", "\\x9b31m \\x85 \\x7f"),
        ("a\u2028b\u202egnp\u200f", "a\\u2028b\\u202egnp\\u200f"),
        ("\ud800 \U000e0041", "\\ud800 \\U000e0041"),
    ],
)
def test_what_is_not_printed_is_an_escape(text: str, shown: str) -> None:
    assert escaped(text) == shown
    assert escaped(shown) == shown


def test_a_record_with_a_traceback_is_one_line() -> None:
    try:
        raise ValueError("broken\n2026-01-01 00:00:00 INFO dashboard: all is well\x1b[0m")
    except ValueError:
        record = logging.LogRecord(
            "name\nx",
            logging.ERROR,
            "path",
            1,
            "%s failed",
            ("/a\n\x1b]0;b",),
            sys.exc_info(),
            sinfo="Stack:\n  here",
        )
    line = OneLine("{asctime} {levelname} {name}: {message}", style="{").format(record)
    assert line.isprintable()
    assert "\\n\\x1b]0;b failed" in line and "ValueError" in line and "here" in line


def test_every_logger_ends_at_the_one_handler_that_writes_so(capfd: pytest.CaptureFixture[str]) -> None:
    try:
        configure_logging(settings.LOGGING_CONFIG, settings.LOGGING)
        for name in (
            "dashboard.views",
            "django.request",
            "django.security.csrf",
            "uvicorn.error",
            "asyncio",
            "kubernetes",
        ):
            logging.getLogger(name).error("a\nb\x1b[31m %s", "\n")
        lines = capfd.readouterr().err.splitlines()
    finally:
        configure_logging(settings.LOGGING_CONFIG, {})
    assert len(lines) == 6
    assert all("a\\nb\\x1b[31m \\n" in line for line in lines)
